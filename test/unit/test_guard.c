/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guard, without a device: a page of a file that is too short for it is a SIGBUS as well. What
 * an instruction does on a lost page is compared with what the CPU does on memory full of ones.
 */

#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard.h"

#define PAGE 4096u

/*
 * Four pages, of which the middle two are lost: a file without a page is mapped there. They are in
 * the program, so that they can be reached relative to RIP. The same with ones, for comparison.
 */
static uint8_t four[4 * PAGE] __attribute__((aligned(PAGE)));
static uint8_t four_whole[4 * PAGE] __attribute__((aligned(PAGE)));
static uint8_t *const lost = four + PAGE;
static uint8_t *const all_ones = four_whole + PAGE;
static int empty;	 /* the file */
static atomic_int *loss; /* of the mapping that is the lost pages */

static int lose(void **state)
{
	empty = memfd_create("empty", MFD_CLOEXEC);
	return empty < 0 || mmap(lost, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
				 empty, 0) != lost;
}

/* LeakSanitizer reads all of the program's memory at its end. */
static int find_again(void **state)
{
	return mmap(lost, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		    -1, 0) != lost;
}

static struct brg_mapping *guard(void *start, size_t len)
{
	struct brg_mapping *m = brg_mapping_take();

	assert_non_null(m);
	brg_mapping_guard(m, start, len);
	return m;
}

/* cmocka puts a handler of its own in place before every test. */
static void run_guarded(void **state)
{
	void (*test)(void) = (void (*)(void))(uintptr_t)*state;
	struct brg_mapping *m = guard(lost, 2 * PAGE);

	brg_bar_guard();
	loss = &m->loss;
	test();
	brg_mapping_put(m);
}

/* Instructions, one at a time */

struct registers {
	uint64_t rax, rcx, rdx, flags;
	uint8_t v0[64], v1[64], v17[64];
};

/* Every byte differs from its neighbours, and from those of the other registers. */
static void preset(struct registers *r)
{
	uint8_t *bytes = (uint8_t *)r;

	for (size_t i = 0; i < sizeof(*r); i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
	r->rcx = 3; /* an index */
	r->flags = 0;
	memset(all_ones, 0xff, 2 * PAGE);
}

/* The flags that arithmetic sets, without AF, which logical operations leave undefined. */
#define FLAGS UINT64_C(0x8c5)

static void compare(const char *instruction, struct registers *got, struct registers *want)
{
	got->flags &= FLAGS;
	want->flags &= FLAGS;
	if (memcmp(got, want, sizeof(*got)))
		fail_msg("%s: RAX %#llx, RCX %#llx, RDX %#llx, flags %#llx, XMM0 %#llx; on a CPU "
			 "%#llx, %#llx, %#llx, %#llx, %#llx",
			 instruction, (unsigned long long)got->rax, (unsigned long long)got->rcx,
			 (unsigned long long)got->rdx, (unsigned long long)got->flags,
			 (unsigned long long)*(uint64_t *)got->v0, (unsigned long long)want->rax,
			 (unsigned long long)want->rcx, (unsigned long long)want->rdx,
			 (unsigned long long)want->flags,
			 (unsigned long long)*(uint64_t *)want->v0);
	assert_int_equal(atomic_exchange(loss, BRG_LOSS_NONE), BRG_LOSS_NEW);
}

#define TRY(RUN, instruction)                      \
	do {                                       \
		struct registers got, want;        \
		preset(&want);                     \
		got = want;                        \
		RUN(instruction, lost, &got);      \
		RUN(instruction, all_ones, &want); \
		compare(instruction, &got, &want); \
	} while (0)

/* The memory is at RDI. LEA keeps clear of what a function may have below its stack. */
#define GENERAL(instruction, memory, r)                                                         \
	__asm__ volatile("movq %%rax, %%r12\n\tcmpq $0, %%rsp\n\t" instruction "\n\t"           \
			 "leaq -128(%%rsp), %%rsp\n\tpushfq\n\tpopq %3\n\t"                     \
			 "leaq 128(%%rsp), %%rsp"                                               \
			 : "+&a"((r)->rax), "+&c"((r)->rcx), "+&d"((r)->rdx), "=&r"((r)->flags) \
			 : "D"(memory)                                                          \
			 : "r12", "cc", "memory")

#define VECTOR(load, store, instruction, memory, r)                               \
	__asm__ volatile(load "\n\t" instruction "\n\t" store                     \
			 :                                                        \
			 : "D"(memory), "a"((r)->v0), "c"((r)->v1), "d"((r)->v17) \
			 : "xmm0", "xmm1", "memory")

#define ON_SSE(instruction, memory, r)                             \
	VECTOR("movups (%%rax), %%xmm0\n\tmovups (%%rcx), %%xmm1", \
	       "movups %%xmm0, (%%rax)\n\tmovups %%xmm1, (%%rcx)", instruction, memory, r)

#define ON_AVX(instruction, memory, r)                                                          \
	VECTOR("vmovups (%%rax), %%ymm0\n\tvmovups (%%rcx), %%ymm1",                            \
	       "vmovups %%ymm0, (%%rax)\n\tvmovups %%ymm1, (%%rcx)\n\tvzeroupper", instruction, \
	       memory, r)

#define ON_AVX512(instruction, memory, r)                                                        \
	VECTOR("vmovups (%%rax), %%zmm0\n\tvmovups (%%rcx), %%zmm1\n\tvmovups (%%rdx), %%zmm17", \
	       "vmovups %%zmm0, (%%rax)\n\tvmovups %%zmm1, (%%rcx)\n\t"                          \
	       "vmovups %%zmm17, (%%rdx)\n\tvzeroupper",                                         \
	       instruction, memory, r)

static void loads(void)
{
	TRY(GENERAL, "movb (%%rdi), %%al");
	TRY(GENERAL, "movb (%%rdi), %%ah");
	TRY(GENERAL, "movb 5(%%rdi, %%rcx), %%dh");
	TRY(GENERAL, "movb (%%rdi), %%r12b; movq %%r12, %%rax");
	TRY(GENERAL, "movw (%%rdi), %%ax");
	TRY(GENERAL, "movw (%%rdi), %%r12w; movq %%r12, %%rax");
	TRY(GENERAL, "movl (%%rdi), %%eax");
	TRY(GENERAL, "movl 4096(%%rdi, %%rcx, 8), %%edx");
	TRY(GENERAL, "movl (%%rdi), %%r12d; movq %%r12, %%rax");
	TRY(GENERAL, "movq (%%rdi), %%rax");
	TRY(GENERAL, "movq 0x7f(%%rdi), %%rcx");
	TRY(GENERAL, "movq (%%rdi), %%r12; movq %%r12, %%rdx");
	TRY(GENERAL, "movq 4092(%%rdi), %%rax"); /* on two pages */
	TRY(GENERAL, "movzbw (%%rdi), %%ax");
	TRY(GENERAL, "movzbl (%%rdi), %%eax");
	TRY(GENERAL, "movzbq (%%rdi), %%rax");
	TRY(GENERAL, "movzwl (%%rdi), %%eax");
	TRY(GENERAL, "movzwq (%%rdi), %%rax");
	TRY(GENERAL, "movsbw (%%rdi), %%ax");
	TRY(GENERAL, "movsbl (%%rdi), %%eax");
	TRY(GENERAL, "movsbq (%%rdi), %%rax");
	TRY(GENERAL, "movswl (%%rdi), %%eax");
	TRY(GENERAL, "movswq (%%rdi), %%rax");
	TRY(GENERAL, "movslq (%%rdi), %%rax");
	TRY(GENERAL, "movbe (%%rdi), %%eax");
	TRY(GENERAL, "movq %%rdi, %%rdx; movq (%%rdx), %%rdx"); /* over its own address */
}

static void stores(void)
{
	TRY(GENERAL, "movb %%al, (%%rdi)");
	TRY(GENERAL, "movb %%ah, (%%rdi)");
	TRY(GENERAL, "movw %%ax, (%%rdi)");
	TRY(GENERAL, "movl %%eax, 4096(%%rdi, %%rcx, 8)");
	TRY(GENERAL, "movq %%r12, (%%rdi)");
	TRY(GENERAL, "movq %%rax, 4092(%%rdi)");
	TRY(GENERAL, "movb $1, (%%rdi)");
	TRY(GENERAL, "movw $0x1234, (%%rdi)");
	TRY(GENERAL, "movl $0x12345678, (%%rdi)");
	TRY(GENERAL, "movq $-2, 256(%%rdi)");
	TRY(GENERAL, "movbe %%eax, (%%rdi)");
	TRY(GENERAL, "movnti %%eax, (%%rdi)");
	TRY(GENERAL, "movnti %%rax, (%%rdi)");
	/* No access, but it faults as one byte's load does. */
	TRY(GENERAL, "clflush (%%rdi)");
}

static void arithmetic(void)
{
	TRY(GENERAL, "cmpl $0, (%%rdi)");
	TRY(GENERAL, "cmpl $-1, (%%rdi)");
	TRY(GENERAL, "cmpq $1, (%%rdi)");
	TRY(GENERAL, "cmpb $0x80, (%%rdi)");
	TRY(GENERAL, "cmpw %%ax, (%%rdi)");
	TRY(GENERAL, "cmpl (%%rdi), %%eax");
	TRY(GENERAL, "cmpq (%%rdi), %%rax");
	TRY(GENERAL, "testl $0, (%%rdi)");
	TRY(GENERAL, "testl $1, (%%rdi)");
	TRY(GENERAL, "testb $0x80, (%%rdi)");
	TRY(GENERAL, "testq %%rax, (%%rdi)");
	TRY(GENERAL, "andl (%%rdi), %%eax");
	TRY(GENERAL, "andw (%%rdi), %%ax");
	TRY(GENERAL, "orl (%%rdi), %%eax");
	TRY(GENERAL, "orb (%%rdi), %%ah");
	TRY(GENERAL, "xorq (%%rdi), %%rax");
	TRY(GENERAL, "xorl (%%rdi), %%eax");
	TRY(GENERAL, "addl (%%rdi), %%eax");
	TRY(GENERAL, "addb (%%rdi), %%dl");
	TRY(GENERAL, "addq (%%rdi), %%rcx");
	TRY(GENERAL, "movl $0x80000000, %%eax; addl (%%rdi), %%eax");
	TRY(GENERAL, "subl (%%rdi), %%eax");
	TRY(GENERAL, "movl $0x7fffffff, %%eax; subl (%%rdi), %%eax");
	TRY(GENERAL, "subq (%%rdi), %%rax");
	TRY(GENERAL, "orl $4, (%%rdi)");
	TRY(GENERAL, "andl $4, (%%rdi)");
	TRY(GENERAL, "xorw $0x1234, (%%rdi)");
	TRY(GENERAL, "addl $1, (%%rdi)");
	TRY(GENERAL, "subq %%rax, (%%rdi)");
}

static void relative_to_rip(void)
{
	uint32_t value = 0;

	__asm__ volatile("movl %1, %0" : "=r"(value) : "m"(four[PAGE + 256]));
	assert_int_equal(value, UINT32_MAX);
	__asm__ volatile("movl $7, %0" : "=m"(four[PAGE + 256]));
	__asm__ volatile("cmpl $-1, %1\n\tsete %b0" : "=r"(value) : "m"(four[PAGE + 256]) : "cc");
	assert_int_equal(value & 0xff, 1);
}

static void sse(void)
{
	TRY(ON_SSE, "movd (%%rdi), %%xmm0");
	TRY(ON_SSE, "movq (%%rdi), %%xmm0");
	TRY(ON_SSE, "movss (%%rdi), %%xmm0");
	TRY(ON_SSE, "movsd (%%rdi), %%xmm1");
	TRY(ON_SSE, "movaps (%%rdi), %%xmm0");
	TRY(ON_SSE, "movapd (%%rdi), %%xmm0");
	TRY(ON_SSE, "movups 1(%%rdi), %%xmm0");
	TRY(ON_SSE, "movupd 1(%%rdi), %%xmm0");
	TRY(ON_SSE, "movdqa (%%rdi), %%xmm1");
	TRY(ON_SSE, "movdqu 4090(%%rdi), %%xmm1");
	TRY(ON_SSE, "lddqu 1(%%rdi), %%xmm1");
	TRY(ON_SSE, "movntdqa (%%rdi), %%xmm0");
	TRY(ON_SSE, "movlps (%%rdi), %%xmm0");
	TRY(ON_SSE, "movlpd (%%rdi), %%xmm0");
	TRY(ON_SSE, "movhps (%%rdi), %%xmm0");
	TRY(ON_SSE, "movhpd (%%rdi), %%xmm1");
	TRY(ON_SSE, "movd %%xmm0, (%%rdi)");
	TRY(ON_SSE, "movq %%xmm0, (%%rdi)");
	TRY(ON_SSE, "movss %%xmm0, (%%rdi)");
	TRY(ON_SSE, "movups %%xmm0, 4090(%%rdi)");
	TRY(ON_SSE, "movdqa %%xmm1, (%%rdi)");
	TRY(ON_SSE, "movhps %%xmm1, (%%rdi)");
	TRY(ON_SSE, "movntdq %%xmm1, (%%rdi)");
	TRY(ON_SSE, "movntps %%xmm1, (%%rdi)");
}

static void avx(void)
{
	if (!__builtin_cpu_supports("avx2"))
		skip();
	TRY(ON_AVX, "movups (%%rdi), %%xmm0"); /* keeps the upper half */
	TRY(ON_AVX, "movss (%%rdi), %%xmm0");
	TRY(ON_AVX, "movhps (%%rdi), %%xmm0");
	TRY(ON_AVX, "vmovd (%%rdi), %%xmm0");
	TRY(ON_AVX, "vmovq (%%rdi), %%xmm0");
	TRY(ON_AVX, "vmovss (%%rdi), %%xmm0");
	TRY(ON_AVX, "vmovsd (%%rdi), %%xmm0");
	TRY(ON_AVX, "vmovups 1(%%rdi), %%xmm0");
	TRY(ON_AVX, "vmovups 1(%%rdi), %%ymm0");
	TRY(ON_AVX, "vmovaps (%%rdi), %%ymm1");
	TRY(ON_AVX, "vmovdqu 4090(%%rdi), %%ymm0");
	TRY(ON_AVX, "vmovdqa (%%rdi), %%ymm1");
	TRY(ON_AVX, "vlddqu (%%rdi), %%ymm1");
	TRY(ON_AVX, "vmovntdqa (%%rdi), %%ymm1");
	TRY(ON_AVX, "vmovlps (%%rdi), %%xmm1, %%xmm0");
	TRY(ON_AVX, "vmovhps (%%rdi), %%xmm1, %%xmm0");
	TRY(ON_AVX, "vmovhpd (%%rdi), %%xmm0, %%xmm0");
	TRY(ON_AVX, "vmovdqu %%ymm0, 4090(%%rdi)");
	TRY(ON_AVX, "vmovntdq %%ymm0, (%%rdi)");
	TRY(ON_AVX, "vmovss %%xmm0, (%%rdi)");
}

static void avx512(void)
{
	if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
	    !__builtin_cpu_supports("avx512vl"))
		skip();
	TRY(ON_AVX512, "movups (%%rdi), %%xmm0");
	TRY(ON_AVX512, "vmovups (%%rdi), %%ymm0");
	TRY(ON_AVX512, "vmovdqu64 (%%rdi), %%zmm0");
	TRY(ON_AVX512, "vmovdqu8 1(%%rdi), %%zmm1");
	TRY(ON_AVX512, "vmovdqu16 1(%%rdi), %%ymm17");
	TRY(ON_AVX512, "vmovdqu32 1(%%rdi), %%xmm17");
	TRY(ON_AVX512, "vmovdqa64 (%%rdi), %%zmm17");
	TRY(ON_AVX512, "vmovups 4090(%%rdi), %%zmm17");
	TRY(ON_AVX512, "vmovq (%%rdi), %%xmm17");
	TRY(ON_AVX512, "vmovdqu64 %%zmm17, 4090(%%rdi)");
	TRY(ON_AVX512, "vmovntdq %%zmm0, (%%rdi)");
}

/* A register that has not been used since its thread began: its state need not be in the frame. */
static void *load_into_fresh_registers(void *arg)
{
	uint8_t *bytes = arg;

	__asm__ volatile("vzeroall\n\tvmovups (%0), %%ymm5\n\tvmovups %%ymm5, (%1)\n\tvzeroupper"
			 :
			 : "r"(lost), "r"(bytes)
			 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory");
	__asm__ volatile("vzeroall\n\tvmovups (%0), %%xmm5\n\tvmovups %%ymm5, (%1)\n\tvzeroupper"
			 :
			 : "r"(lost), "r"(bytes + 32)
			 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory");
	return NULL;
}

static void unused_registers(void)
{
	uint8_t bytes[64] = {0};
	pthread_t thread;

	if (!__builtin_cpu_supports("avx"))
		skip();
	assert_int_equal(pthread_create(&thread, NULL, load_into_fresh_registers, bytes), 0);
	pthread_join(thread, NULL);
	for (int i = 0; i < 64; i++)
		assert_int_equal(bytes[i], i < 48 ? 0xff : 0);
}

/* String instructions, and what is made of them */

struct string {
	uint64_t rax, rcx, rsi, rdi;
};

static uint8_t source[4 * PAGE], sink[4 * PAGE], sink_whole[4 * PAGE];

/* The pages around the lost ones, and what else is copied from and to. */
static void preset_strings(void)
{
	for (size_t i = 0; i < sizeof(source); i++)
		source[i] = (uint8_t)(i * 13 + i / 256);
	for (size_t i = 0; i < PAGE; i++) {
		four[i] = four_whole[i] = (uint8_t)(i * 7);
		four[3 * PAGE + i] = four_whole[3 * PAGE + i] = (uint8_t)(i * 11);
	}
	memset(sink, 0x5a, sizeof(sink));
	memset(sink_whole, 0x5a, sizeof(sink_whole));
	memset(all_ones, 0xff, 2 * PAGE);
}

#define RUN_STRING(instruction, s)                                                    \
	__asm__ volatile(instruction "\n\tcld"                                        \
			 : "+a"((s).rax), "+c"((s).rcx), "+S"((s).rsi), "+D"((s).rdi) \
			 :                                                            \
			 : "cc", "memory")

/* The memory that the string instruction left, registers included, is that of a CPU. */
static void compare_strings(const char *instruction, const struct string *got,
			    const struct string *want)
{
	if (memcmp(got, want, sizeof(*got)))
		fail_msg("%s: RAX %#llx, RCX %#llx, RSI %#llx, RDI %#llx; on a CPU %#llx, %#llx, "
			 "%#llx, %#llx",
			 instruction, (unsigned long long)got->rax, (unsigned long long)got->rcx,
			 (unsigned long long)got->rsi, (unsigned long long)got->rdi,
			 (unsigned long long)want->rax, (unsigned long long)want->rcx,
			 (unsigned long long)want->rsi, (unsigned long long)want->rdi);
	assert_memory_equal(sink, sink_whole, sizeof(sink));
	assert_memory_equal(four, four_whole, PAGE);
	assert_memory_equal(four + 3 * PAGE, four_whole + 3 * PAGE, PAGE);
	assert_int_equal(atomic_exchange(loss, BRG_LOSS_NONE), BRG_LOSS_NEW);
}

/* Where the CPU reads and writes instead. */
static uintptr_t whole(const uint8_t *at)
{
	if (at >= four && at < four + sizeof(four))
		return (uintptr_t)(four_whole + (at - four));
	if (at >= sink && at < sink + sizeof(sink))
		return (uintptr_t)(sink_whole + (at - sink));
	return (uintptr_t)at;
}

#define TRY_STRING(instruction, count, from, to)                                   \
	do {                                                                       \
		struct string got = {0x1122334455667788, count, (uintptr_t)(from), \
				     (uintptr_t)(to)};                             \
		struct string want = {got.rax, count, whole(from), whole(to)};     \
		preset_strings();                                                  \
		RUN_STRING(instruction, got);                                      \
		RUN_STRING(instruction, want);                                     \
		want.rsi -= whole(from) - (uintptr_t)(from);                       \
		want.rdi -= whole(to) - (uintptr_t)(to);                           \
		compare_strings(instruction, &got, &want);                         \
	} while (0)

static void strings_from_lost(void)
{
	TRY_STRING("movsb", 5, four + PAGE, sink);
	TRY_STRING("movsq", 5, four + PAGE + 8, sink + 3);
	TRY_STRING("lodsb", 5, four + PAGE, sink);
	TRY_STRING("lodsw", 5, four + PAGE, sink);
	TRY_STRING("lodsl", 5, four + PAGE, sink);
	TRY_STRING("lodsq", 5, four + PAGE, sink);
	TRY_STRING("rep movsb", 100, four + PAGE + 1, sink + 7);
	TRY_STRING("rep movsw", 100, four + PAGE + 1, sink + 7);
	TRY_STRING("rep movsl", 100, four + PAGE, sink + 8);
	TRY_STRING("rep movsq", 100, four + PAGE, sink + 8);
	TRY_STRING("rep lodsl", 100, four + PAGE, sink);
	/* Into the lost pages, through them and out again; upwards and downwards. */
	TRY_STRING("rep movsb", 4 * PAGE, four, sink);
	TRY_STRING("rep movsq", PAGE / 2, four, sink);
	TRY_STRING("std; rep movsb", 4 * PAGE, four + 4 * PAGE - 1, sink + 4 * PAGE - 1);
	TRY_STRING("std; rep movsl", PAGE, four + 4 * PAGE - 4, sink + 4 * PAGE - 4);
	TRY_STRING("std; lodsl", 1, four + 3 * PAGE - 4, sink);
}

static void strings_to_lost(void)
{
	TRY_STRING("movsl", 5, source, four + PAGE);
	TRY_STRING("stosb", 5, source, four + PAGE);
	TRY_STRING("stosq", 5, source, four + 3 * PAGE - 8);
	TRY_STRING("rep stosb", 100, source, four + PAGE + 3);
	TRY_STRING("rep stosl", 2 * PAGE / 4, source, four + PAGE);
	TRY_STRING("rep stosq", PAGE / 2, source, four);
	TRY_STRING("rep movsb", 4 * PAGE, source, four);
	TRY_STRING("rep movsl", PAGE, source, four);
	TRY_STRING("std; rep movsb", 4 * PAGE, source + 4 * PAGE - 1, four + 4 * PAGE - 1);
	TRY_STRING("std; rep stosw", 2 * PAGE, source, four + 4 * PAGE - 2);
	TRY_STRING("rep movsb", PAGE, four + PAGE, four + 2 * PAGE); /* from lost to lost */
}

/* What copies from one lost range to another one is caught while it is being dealt with. */
static void from_one_guard_to_another(void)
{
	struct string s = {.rcx = 2 * PAGE};
	struct brg_mapping *other;
	uint8_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, empty, 0);

	other = guard(page, PAGE);
	s.rcx = PAGE;
	s.rsi = (uintptr_t)lost;
	s.rdi = (uintptr_t)page;
	RUN_STRING("rep movsb", s);
	assert_int_equal(s.rcx, 0);
	assert_ptr_equal(s.rdi, page + PAGE);
	assert_int_equal(atomic_load(loss), BRG_LOSS_NEW);
	assert_int_equal(atomic_load(&other->loss), BRG_LOSS_NEW);
	brg_mapping_put(other);
	munmap(page, PAGE);
}

/* Through pointers that the compiler knows nothing of. */
static void library_functions(void)
{
	void *(*volatile copy)(void *, const void *, size_t) = memcpy;
	void *(*volatile move)(void *, const void *, size_t) = memmove;
	void *(*volatile set)(void *, int, size_t) = memset;

	for (size_t len = 1; len <= 2 * PAGE; len += len < 600 ? 1 : 509) {
		memset(sink, 0, sizeof(sink));
		copy(sink, lost, len);
		for (size_t i = 0; i < sizeof(sink); i++)
			assert_int_equal(sink[i], i < len ? 0xff : 0);
		move(sink, lost + 2 * PAGE - len, len);
		copy(lost, source, len);
		move(lost + 2 * PAGE - len, source, len);
		set(lost, 0, len);
	}
}

/* Around the guard */

/* An instruction at the very end of a page; what follows it is not mapped. */
static void instruction_at_the_end_of_a_page(void)
{
	static const uint8_t load_return[] = {0x8b, 0x07, 0xc3}; /* movl (%rdi), %eax; ret */
	uint8_t *code = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t (*load)(const void *) = (uint32_t(*)(const void *))(code + PAGE - 3);

	assert_ptr_not_equal(code, MAP_FAILED);
	memcpy(code + PAGE - 1, load_return, 3);
	assert_int_equal(((uint32_t(*)(const void *))(code + PAGE - 1))(lost), UINT32_MAX);
	memcpy(code + PAGE - 3, load_return, 3);
	munmap(code + PAGE, PAGE);
	assert_int_equal(load(lost), UINT32_MAX);
	munmap(code, PAGE);
}

static uint32_t read32(const void *p)
{
	return *(const volatile uint32_t *)p;
}

static void count_one(struct brg_mapping *m, void *arg)
{
	++*(unsigned int *)arg;
}

static unsigned int count_mappings(void)
{
	unsigned int n = 0;

	brg_mapping_each(count_one, &n);
	return n;
}

static void many_mappings(void)
{
	enum {
		N = 1000
	};
	static struct brg_mapping *m[N];
	uint8_t *pages = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, empty, 0);
	unsigned int before = count_mappings();

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < N; i++)
			m[i] = guard(pages + i * PAGE, PAGE);
		assert_int_equal(count_mappings(), before + N);
		for (int i = 0; i < N; i += 37) {
			assert_int_equal(read32(pages + i * PAGE), UINT32_MAX);
			for (int j = 0; j < N; j++)
				assert_int_equal(atomic_load(&m[j]->loss), j == i);
			atomic_store(&m[i]->loss, BRG_LOSS_NONE);
		}
		for (int i = 0; i < N; i++)
			brg_mapping_put(m[round ? N - 1 - i : i]);
		assert_int_equal(count_mappings(), before);
	}
	munmap(pages, N * PAGE);
}

/*
 * The device goes and comes back: the file gets a page and loses it. Meanwhile others read and
 * write, and guards come and go.
 */
static struct {
	uint8_t *page;
	atomic_bool stop;
	atomic_int wrong;
	atomic_ulong ones, zeros;
} toggle;

static void *read_and_write(void *arg)
{
	while (!atomic_load(&toggle.stop)) {
		uint32_t value = read32(toggle.page);

		if (value == UINT32_MAX)
			atomic_fetch_add(&toggle.ones, 1);
		else if (value == 0)
			atomic_fetch_add(&toggle.zeros, 1);
		else
			atomic_fetch_add(&toggle.wrong, 1);
		*(volatile uint64_t *)(toggle.page + 64) = 5;
	}
	return NULL;
}

static void *come_and_go(void *arg)
{
	while (!atomic_load(&toggle.stop)) {
		struct brg_mapping *m[3];

		for (int i = 0; i < 3; i++)
			m[i] = guard(sink + i * PAGE, PAGE);
		for (int i = 0; i < 3; i++)
			brg_mapping_put(m[i]);
	}
	return NULL;
}

/* What is being looked at does not go away meanwhile. */
static void look_at(struct brg_mapping *m, void *arg)
{
	uintptr_t start = atomic_load(&m->start);

	for (int i = 0; i < 100; i++)
		if (!start || atomic_load(&m->start) != start)
			atomic_fetch_add(&toggle.wrong, 1);
}

static void *look_at_all(void *arg)
{
	while (!atomic_load(&toggle.stop))
		brg_mapping_each(look_at, NULL);
	return NULL;
}

static void threads(void)
{
	int file = memfd_create("toggled", MFD_CLOEXEC);
	static void *(*const roles[])(void *) = {read_and_write, read_and_write, read_and_write,
						 come_and_go,	 come_and_go,	 look_at_all};
	struct brg_mapping *m;
	pthread_t thread[6];

	toggle.page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	m = guard(toggle.page, PAGE);
	for (int i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, roles[i], NULL), 0);
	/* Until enough has been seen of both. */
	while (atomic_load(&toggle.ones) < 20000 || atomic_load(&toggle.zeros) < 20000) {
		assert_int_equal(ftruncate(file, PAGE), 0);
		sched_yield();
		assert_int_equal(ftruncate(file, 0), 0);
		sched_yield();
	}
	atomic_store(&toggle.stop, true);
	for (int i = 0; i < 6; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(atomic_load(&toggle.wrong), 0);
	assert_int_equal(atomic_load(&m->loss), BRG_LOSS_NEW);
	brg_mapping_put(m);
	munmap(toggle.page, PAGE);
	close(file);
}

/* What is not ours; each in a process of its own, where no guard is installed yet */

static int status_of(void (*function)(void))
{
	pid_t child = fork();
	int status;

	if (!child) {
		signal(SIGBUS, SIG_DFL); /* AddressSanitizer has a handler */
		function();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void guard_first_page(void)
{
	struct brg_mapping *m = brg_mapping_take();

	if (!m)
		_exit(1);
	brg_mapping_guard(m, lost, PAGE);
}

static void touch_second_page(void)
{
	guard_first_page();
	(void)read32(lost);
	(void)read32(lost + PAGE);
}

static void exchange_first_page(void)
{
	guard_first_page();
	__asm__ volatile("lock xaddl %%eax, %0" : "+m"(*lost) : : "eax", "cc");
}

static void touch_through_fs(void)
{
	uint64_t base;

	guard_first_page();
	__asm__ volatile("movq %%fs:0, %0" : "=r"(base)); /* the thread's own address (x86 ABI) */
	__asm__ volatile("movl %%fs:(%0), %%eax" : : "r"((uintptr_t)lost - base) : "eax");
}

static void send_sigbus(void)
{
	guard_first_page();
	raise(SIGBUS);
}

static void kill_with_sigbus(void)
{
	guard_first_page();
	kill(getpid(), SIGBUS);
}

static void ignore_sent(void)
{
	signal(SIGBUS, SIG_IGN);
	guard_first_page();
	raise(SIGBUS);
}

static void ignore_raised(void)
{
	signal(SIGBUS, SIG_IGN);
	touch_second_page();
}

static void default_action(void **state)
{
	static void (*const kills[])(void) = {touch_second_page, exchange_first_page,
					      touch_through_fs,	 send_sigbus,
					      kill_with_sigbus,	 ignore_raised};

	for (size_t i = 0; i < sizeof(kills) / sizeof(kills[0]); i++) {
		int status = status_of(kills[i]);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGBUS);
	}
	assert_int_equal(status_of(ignore_sent), 0);
}

static sigjmp_buf after_signal;
static void *seen_address;
static bool saw_blocked, saw_other_blocked;

static void jump_out(int number, siginfo_t *info, void *context)
{
	sigset_t blocked;

	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	saw_blocked = sigismember(&blocked, SIGBUS);
	saw_other_blocked = sigismember(&blocked, SIGUSR2);
	seen_address = info->si_addr;
	siglongjmp(after_signal, 1);
}

/* As a program would that repairs what is missing. */
static void repair(int number)
{
	mmap(lost + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
	     0);
}

static void jump(void)
{
	struct sigaction action = {.sa_sigaction = jump_out, .sa_flags = SA_SIGINFO};

	sigaddset(&action.sa_mask, SIGUSR2);
	sigaction(SIGBUS, &action, NULL);
	guard_first_page();
	if (read32(lost) != UINT32_MAX)
		_exit(2);
	if (!sigsetjmp(after_signal, 1)) {
		(void)read32(lost + PAGE + 12);
		_exit(3);
	}
	if (seen_address != lost + PAGE + 12 || !saw_blocked || !saw_other_blocked)
		_exit(4);
	/* And it is the same once more, nothing stayed blocked. */
	if (read32(lost) != UINT32_MAX)
		_exit(5);
	if (!sigsetjmp(after_signal, 1)) {
		(void)read32(lost + PAGE);
		_exit(6);
	}
}

static void return_repaired(void)
{
	signal(SIGBUS, repair);
	guard_first_page();
	errno = EXDEV;
	if (read32(lost) != UINT32_MAX || read32(lost + PAGE) != 0 || errno != EXDEV)
		_exit(2);
}

static void reset_after_one(void)
{
	struct sigaction action = {.sa_handler = repair, .sa_flags = SA_RESETHAND};

	sigaction(SIGBUS, &action, NULL);
	guard_first_page();
	if (read32(lost + PAGE) != 0)
		_exit(2);
	raise(SIGBUS); /* kills */
	_exit(3);
}

static void own_handler(int number, siginfo_t *info, void *context)
{
	if (!brg_bar_sigbus(info, context))
		_exit(7);
}

/* A program that installs a handler after us. */
static void ask_from_own_handler(void)
{
	struct sigaction action = {.sa_sigaction = own_handler, .sa_flags = SA_SIGINFO};

	guard_first_page();
	sigaction(SIGBUS, &action, NULL);
	if (read32(lost) != UINT32_MAX)
		_exit(2);
	(void)read32(lost + PAGE);
}

static void other_handlers(void **state)
{
	int status;

	assert_int_equal(status_of(jump), 0);
	assert_int_equal(status_of(return_repaired), 0);
	status = status_of(reset_after_one);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
	assert_int_equal(WEXITSTATUS(status_of(ask_from_own_handler)), 7);
}

/* clang-format off */
#define guarded(test) {#test, run_guarded, NULL, NULL, (void *)(uintptr_t)(test)}
/* clang-format on */

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_action), /* before a guard is installed here */
		cmocka_unit_test(other_handlers),
		guarded(loads),
		guarded(stores),
		guarded(arithmetic),
		guarded(relative_to_rip),
		guarded(sse),
		guarded(avx),
		guarded(avx512),
		guarded(unused_registers),
		guarded(strings_from_lost),
		guarded(strings_to_lost),
		guarded(from_one_guard_to_another),
		guarded(library_functions),
		guarded(instruction_at_the_end_of_a_page),
		guarded(many_mappings),
		guarded(threads),
	};

	return cmocka_run_group_tests(tests, lose, find_again);
}
