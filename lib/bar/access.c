/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finish a memory access instead of the device, as a PCIe root port does for one that is gone: a
 * load gets all-ones, a store is dropped. Knows what compilers make of a register access and what
 * memcpy() and memset() are made of: moves of all widths to general and vector registers, string
 * instructions, and the arithmetic into which clang folds a load of volatile memory.
 *
 * All of it runs in a signal handler: Zydis decodes without allocating anything, and the registers
 * are those that the kernel saved in the signal's frame (bits/sigcontext.h) and will restore.
 */

#include <Zydis/Zydis.h>
#include <cpuid.h>
#include <signal.h>
#include <string.h>

#include "access.h"

#define PAGE	 4096u
#define CARRY	 (1u << 0)
#define PARITY	 (1u << 2)
#define ADJUST	 (1u << 4)
#define ZERO	 (1u << 6)
#define SIGN	 (1u << 7)
#define DOWN	 (1u << 10)
#define OVERFLOW (1u << 11)

/* Components of the XSAVE area by number (Intel SDM volume 1, 13.1). */
enum {
	AVX = 2,    /* bytes 16 to 31 of vector registers 0 to 15 */
	ZMM_HI = 6, /* bytes 32 to 63 of the same */
	ZMM_16 = 7, /* all of registers 16 to 31 */
	COMPONENTS
};

struct access {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	greg_t *gregs;
	uint8_t *fpu; /* the FXSAVE area, and what XSAVE adds */
	uintptr_t start, end;
};

static ZydisDecoder decoder;
static uint32_t component_offset[COMPONENTS]; /* in the XSAVE area; 0: the CPU has none */
static uint32_t component_size[COMPONENTS];

/* By number in instructions: Intel SDM volume 2, table 3-1. */
static const int greg_index[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
				 REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
				 REG_R12, REG_R13, REG_R14, REG_R15};

/* General registers */

static uint64_t ones(unsigned int bits)
{
	return UINT64_MAX >> (64 - bits);
}

static bool is_general(const ZydisDecodedOperand *op)
{
	if (op->type != ZYDIS_OPERAND_TYPE_REGISTER)
		return false;
	switch (ZydisRegisterGetClass(op->reg.value)) {
	case ZYDIS_REGCLASS_GPR8:
	case ZYDIS_REGCLASS_GPR16:
	case ZYDIS_REGCLASS_GPR32:
	case ZYDIS_REGCLASS_GPR64:
		return true;
	default:
		return false;
	}
}

static greg_t *greg(const struct access *a, ZydisRegister reg)
{
	reg = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
	return &a->gregs[greg_index[ZydisRegisterGetId(reg)]];
}

/* Of AH, CH, DH and BH, the second bytes of their registers. */
static unsigned int shift(ZydisRegister reg)
{
	return reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH ? 8 : 0;
}

static uint64_t get_general(const struct access *a, const ZydisDecodedOperand *op)
{
	return (uint64_t)*greg(a, op->reg.value) >> shift(op->reg.value) & ones(op->size);
}

/* 8 and 16 bits leave the rest of the register as it is, 32 bits clear it. */
static void set_general(const struct access *a, const ZydisDecodedOperand *op, uint64_t value)
{
	greg_t *reg = greg(a, op->reg.value);
	uint64_t mask = ones(op->size) << shift(op->reg.value);

	if (op->size >= 32)
		*reg = (greg_t)(value & ones(op->size));
	else
		*reg = (greg_t)(((uint64_t)*reg & ~mask) |
				((value << shift(op->reg.value)) & mask));
}

/* Vector registers */

/* Where a component of the XSAVE area is, NULL when the frame has none. */
static uint8_t *component(const struct access *a, unsigned int number)
{
	const struct _fpx_sw_bytes *sw = (const void *)(a->fpu + 464);

	if (sw->magic1 != FP_XSTATE_MAGIC1 || !(sw->xstate_bv >> number & 1) ||
	    component_offset[number] + component_size[number] > sw->xstate_size)
		return NULL;
	return a->fpu + component_offset[number];
}

/* A component in its initial state need not have been saved: its registers are zero. */
static bool is_initial(const struct access *a, unsigned int number)
{
	const struct _xsave_hdr *header = (const void *)(a->fpu + 512);

	return !(header->xstate_bv >> number & 1);
}

static void get_part(const struct access *a, unsigned int number, size_t offset, uint8_t *bytes,
		     size_t len)
{
	const uint8_t *at = component(a, number);

	if (!at || is_initial(a, number))
		memset(bytes, 0, len);
	else
		memcpy(bytes, at + offset, len);
}

static void set_part(const struct access *a, unsigned int number, size_t offset,
		     const uint8_t *bytes, size_t len)
{
	static const uint8_t zero[64];
	struct _xsave_hdr *header = (void *)(a->fpu + 512);
	uint8_t *at = component(a, number);

	if (!at || (is_initial(a, number) && !memcmp(bytes, zero, len)))
		return;
	if (is_initial(a, number)) {
		memset(at, 0, component_size[number]);
		header->xstate_bv |= UINT64_C(1) << number;
	}
	memcpy(at + offset, bytes, len);
}

/* The kernel saves the first 16 bytes always, in the layout of FXSAVE. */
static uint8_t *xmm(const struct access *a, unsigned int reg)
{
	return a->fpu + 160 + 16 * reg;
}

static void get_vector(const struct access *a, unsigned int reg, uint8_t bytes[64])
{
	if (reg >= 16) {
		get_part(a, ZMM_16, 64 * (reg - 16), bytes, 64);
		return;
	}
	memcpy(bytes, xmm(a, reg), 16);
	get_part(a, AVX, 16 * reg, bytes + 16, 16);
	get_part(a, ZMM_HI, 32 * reg, bytes + 32, 32);
}

static void set_vector(const struct access *a, unsigned int reg, const uint8_t bytes[64])
{
	if (reg >= 16) {
		set_part(a, ZMM_16, 64 * (reg - 16), bytes, 64);
		return;
	}
	memcpy(xmm(a, reg), bytes, 16);
	set_part(a, AVX, 16 * reg, bytes + 16, 16);
	set_part(a, ZMM_HI, 32 * reg, bytes + 32, 32);
}

/* Which bytes of a vector register a load fills. */
enum fill {
	WHOLE,	/* from the first on; what is left of 16 bytes becomes zero */
	FIRST,	/* 0 to 7, 8 to 15 stay */
	SECOND, /* 8 to 15, 0 to 7 stay */
	NO_MOVE
};

static enum fill vector_fill(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_MOVD:
	case ZYDIS_MNEMONIC_MOVQ:
	case ZYDIS_MNEMONIC_MOVSS:
	case ZYDIS_MNEMONIC_MOVSD:
	case ZYDIS_MNEMONIC_MOVAPS:
	case ZYDIS_MNEMONIC_MOVAPD:
	case ZYDIS_MNEMONIC_MOVUPS:
	case ZYDIS_MNEMONIC_MOVUPD:
	case ZYDIS_MNEMONIC_MOVDQA:
	case ZYDIS_MNEMONIC_MOVDQU:
	case ZYDIS_MNEMONIC_MOVNTDQ:
	case ZYDIS_MNEMONIC_MOVNTDQA:
	case ZYDIS_MNEMONIC_MOVNTPS:
	case ZYDIS_MNEMONIC_MOVNTPD:
	case ZYDIS_MNEMONIC_LDDQU:
	case ZYDIS_MNEMONIC_VMOVD:
	case ZYDIS_MNEMONIC_VMOVQ:
	case ZYDIS_MNEMONIC_VMOVSS:
	case ZYDIS_MNEMONIC_VMOVSD:
	case ZYDIS_MNEMONIC_VMOVAPS:
	case ZYDIS_MNEMONIC_VMOVAPD:
	case ZYDIS_MNEMONIC_VMOVUPS:
	case ZYDIS_MNEMONIC_VMOVUPD:
	case ZYDIS_MNEMONIC_VMOVDQA:
	case ZYDIS_MNEMONIC_VMOVDQA32:
	case ZYDIS_MNEMONIC_VMOVDQA64:
	case ZYDIS_MNEMONIC_VMOVDQU:
	case ZYDIS_MNEMONIC_VMOVDQU8:
	case ZYDIS_MNEMONIC_VMOVDQU16:
	case ZYDIS_MNEMONIC_VMOVDQU32:
	case ZYDIS_MNEMONIC_VMOVDQU64:
	case ZYDIS_MNEMONIC_VMOVNTDQ:
	case ZYDIS_MNEMONIC_VMOVNTDQA:
	case ZYDIS_MNEMONIC_VMOVNTPS:
	case ZYDIS_MNEMONIC_VMOVNTPD:
	case ZYDIS_MNEMONIC_VLDDQU:
		return WHOLE;
	case ZYDIS_MNEMONIC_MOVLPS:
	case ZYDIS_MNEMONIC_MOVLPD:
	case ZYDIS_MNEMONIC_VMOVLPS:
	case ZYDIS_MNEMONIC_VMOVLPD:
		return FIRST;
	case ZYDIS_MNEMONIC_MOVHPS:
	case ZYDIS_MNEMONIC_MOVHPD:
	case ZYDIS_MNEMONIC_VMOVHPS:
	case ZYDIS_MNEMONIC_VMOVHPD:
		return SECOND;
	default:
		return NO_MOVE;
	}
}

static bool is_vector(const ZydisDecodedOperand *op)
{
	ZydisRegisterClass class = ZydisRegisterGetClass(op->reg.value);

	return op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       (class == ZYDIS_REGCLASS_XMM || class == ZYDIS_REGCLASS_YMM ||
		class == ZYDIS_REGCLASS_ZMM);
}

/* Without a prefix of AVX bytes 16 and up stay; with one they become zero where not loaded. */
static bool load_vector(const struct access *a, enum fill fill)
{
	const ZydisDecodedInstruction *insn = &a->insn;
	const ZydisDecodedOperand *memory = &a->op[insn->operand_count_visible - 1];
	size_t len = memory->size / 8;
	uint8_t bytes[64];
	unsigned int from; /* the register whose bytes stay */

	if (!is_vector(&a->op[0]) || memory->type != ZYDIS_OPERAND_TYPE_MEMORY ||
	    insn->avx.mask.mode > ZYDIS_MASK_MODE_DISABLED)
		return false;
	/* VMOVLPS and the like take the other half from a register of its own. */
	from = (unsigned int)ZydisRegisterGetId(
		a->op[fill != WHOLE && is_vector(&a->op[1])].reg.value);
	get_vector(a, from, bytes);
	if (insn->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		memset(bytes + 16, 0, 48);
	if (fill == WHOLE)
		memset(bytes, 0, 16);
	memset(bytes + (fill == SECOND ? 8 : 0), 0xff, len);
	set_vector(a, (unsigned int)ZydisRegisterGetId(a->op[0].reg.value), bytes);
	return true;
}

/* Arithmetic */

/* The value of an operand; memory is all-ones. */
static uint64_t value_of(const struct access *a, const ZydisDecodedOperand *op, unsigned int bits)
{
	if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return op->imm.value.u & ones(bits); /* sign-extended by the decoder */
	return is_general(op) ? get_general(a, op) : ones(bits);
}

/*
 * Flags of result = x + y or x - y, from the carries into and out of every bit. Those of a logical
 * operation are the same without any carry.
 */
static void set_flags(const struct access *a, uint64_t result, uint64_t carries, bool overflow,
		      unsigned int bits)
{
	uint64_t top = UINT64_C(1) << (bits - 1);
	uint64_t flags = (uint64_t)a->gregs[REG_EFL];

	flags &= ~(uint64_t)(CARRY | PARITY | ADJUST | ZERO | SIGN | OVERFLOW);
	if (carries & top)
		flags |= CARRY;
	if (!__builtin_parity(result & 0xff))
		flags |= PARITY;
	if (carries & 8)
		flags |= ADJUST;
	if (!result)
		flags |= ZERO;
	if (result & top)
		flags |= SIGN;
	if (overflow)
		flags |= OVERFLOW;
	a->gregs[REG_EFL] = (greg_t)flags;
}

static bool compute(const struct access *a)
{
	unsigned int bits = a->op[0].size;
	uint64_t x = value_of(a, &a->op[0], bits);
	uint64_t y = value_of(a, &a->op[1], bits);
	uint64_t top = UINT64_C(1) << (bits - 1);
	uint64_t result;
	uint64_t carries = 0;
	uint64_t overflow = 0;

	switch (a->insn.mnemonic) {
	case ZYDIS_MNEMONIC_AND:
	case ZYDIS_MNEMONIC_TEST:
		result = x & y;
		break;
	case ZYDIS_MNEMONIC_OR:
		result = x | y;
		break;
	case ZYDIS_MNEMONIC_XOR:
		result = x ^ y;
		break;
	case ZYDIS_MNEMONIC_ADD:
		result = (x + y) & ones(bits);
		carries = (x & y) | ((x | y) & ~result);
		overflow = (x ^ result) & (y ^ result) & top;
		break;
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_CMP:
		result = (x - y) & ones(bits);
		carries = (~x & y) | ((~x | y) & result);
		overflow = (x ^ y) & (x ^ result) & top;
		break;
	default:
		return false;
	}
	set_flags(a, result, carries, overflow, bits);
	if (a->insn.mnemonic != ZYDIS_MNEMONIC_CMP && a->insn.mnemonic != ZYDIS_MNEMONIC_TEST &&
	    is_general(&a->op[0]))
		set_general(a, &a->op[0], result);
	return true;
}

/* String instructions */

static bool is_ours(const struct access *a, uintptr_t at, size_t len)
{
	return at < a->end && at + len > a->start;
}

/* Elements of @p size bytes from @p at to the end of the range, in the direction of the string. */
static uint64_t elements_left(const struct access *a, uintptr_t at, size_t size, bool down)
{
	return down ? (at - a->start) / size + 1 : (a->end - at + size - 1) / size;
}

/*
 * All elements of MOVS, STOS or LODS that lie in the range at once: a signal for each would make
 * copying a megabyte take seconds. What lies beyond is left to the CPU.
 */
static bool finish_string(struct access *a)
{
	bool load = false, store = false;
	bool repeat = a->insn.attributes &
		      (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
	bool down = a->gregs[REG_EFL] & DOWN;
	size_t size = a->op[0].size / 8;
	uintptr_t from = (uintptr_t)a->gregs[REG_RSI];
	uintptr_t to = (uintptr_t)a->gregs[REG_RDI];
	uint64_t n = repeat ? (uint64_t)a->gregs[REG_RCX] : 1;
	uint64_t room;
	greg_t advance;

	switch (a->insn.mnemonic) {
	case ZYDIS_MNEMONIC_MOVSB:
	case ZYDIS_MNEMONIC_MOVSW:
	case ZYDIS_MNEMONIC_MOVSD:
	case ZYDIS_MNEMONIC_MOVSQ:
		load = store = true;
		break;
	case ZYDIS_MNEMONIC_STOSB:
	case ZYDIS_MNEMONIC_STOSW:
	case ZYDIS_MNEMONIC_STOSD:
	case ZYDIS_MNEMONIC_STOSQ:
		store = true;
		break;
	case ZYDIS_MNEMONIC_LODSB:
	case ZYDIS_MNEMONIC_LODSW:
	case ZYDIS_MNEMONIC_LODSD:
	case ZYDIS_MNEMONIC_LODSQ:
		load = true;
		break;
	default:
		return false;
	}
	if (store && is_ours(a, to, size))
		room = elements_left(a, to, size, down); /* dropped */
	else if (load && is_ours(a, from, size))
		room = elements_left(a, from, size, down);
	else
		return false;
	if (n > room)
		n = room;
	if (load && !store)
		set_general(a, &a->op[0], ones(a->op[0].size));
	else if (load && !is_ours(a, to, size))
		memset((void *)(down ? to - (n - 1) * size : to), 0xff, n * size);

	advance = (greg_t)(n * size) * (down ? -1 : 1);
	if (load)
		a->gregs[REG_RSI] += advance;
	if (store)
		a->gregs[REG_RDI] += advance;
	if (repeat)
		a->gregs[REG_RCX] -= (greg_t)n;
	if (!repeat || !a->gregs[REG_RCX])
		a->gregs[REG_RIP] += a->insn.length;
	return true;
}

/* All else, which is one access each */

static bool finish_one(struct access *a)
{
	bool store = a->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY;
	enum fill fill;

	switch (a->insn.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_MOVBE:
	case ZYDIS_MNEMONIC_MOVZX:
		if (!store && !is_general(&a->op[0]))
			return false;
		if (!store)
			set_general(a, &a->op[0], ones(a->op[1].size));
		return true;
	case ZYDIS_MNEMONIC_MOVSX:
	case ZYDIS_MNEMONIC_MOVSXD:
		set_general(a, &a->op[0], UINT64_MAX);
		return true;
	case ZYDIS_MNEMONIC_MOVNTI:
	case ZYDIS_MNEMONIC_MOVDIRI:
	case ZYDIS_MNEMONIC_CLFLUSH:
	case ZYDIS_MNEMONIC_CLFLUSHOPT:
	case ZYDIS_MNEMONIC_CLWB:
		return true;
	case ZYDIS_MNEMONIC_MOVDIR64B: /* to the address in its register, from memory */
		return is_ours(a, (uintptr_t)get_general(a, &a->op[0]), 64);
	default:
		fill = vector_fill(a->insn.mnemonic);
		if (fill == NO_MOVE)
			return compute(a);
		return store || load_vector(a, fill);
	}
}

/* Addresses that are more than registers: none of ours is reached through FS or GS, or 32 bits. */
static bool has_odd_address(const struct access *a)
{
	return a->insn.address_width != 64 ||
	       (a->insn.attributes & (ZYDIS_ATTRIB_HAS_SEGMENT_FS | ZYDIS_ATTRIB_HAS_SEGMENT_GS));
}

static bool decode(struct access *a)
{
	const void *code = (const void *)a->gregs[REG_RIP];
	size_t on_page = PAGE - (uintptr_t)code % PAGE;
	size_t len =
		on_page < ZYDIS_MAX_INSTRUCTION_LENGTH ? on_page : ZYDIS_MAX_INSTRUCTION_LENGTH;
	ZyanStatus status = ZydisDecoderDecodeFull(&decoder, code, len, &a->insn, a->op);

	/* The next page may not be there, unless the instruction itself goes on in it. */
	if (status == ZYDIS_STATUS_NO_MORE_DATA && len < ZYDIS_MAX_INSTRUCTION_LENGTH)
		status = ZydisDecoderDecodeFull(&decoder, code, ZYDIS_MAX_INSTRUCTION_LENGTH,
						&a->insn, a->op);
	return ZYAN_SUCCESS(status);
}

bool brg_access_finish(ucontext_t *context, uintptr_t start, uintptr_t end)
{
	struct access a = {.gregs = context->uc_mcontext.gregs,
			   .fpu = (uint8_t *)context->uc_mcontext.fpregs,
			   .start = start,
			   .end = end};

	if (!decode(&a) || has_odd_address(&a))
		return false;
	if (a.insn.meta.category == ZYDIS_CATEGORY_STRINGOP)
		return finish_string(&a);
	if (!finish_one(&a))
		return false;
	a.gregs[REG_RIP] += a.insn.length;
	return true;
}

/* Offsets and sizes in the standard format of XSAVE, which the kernel uses in signal frames. */
static void find_components(void)
{
	static const unsigned int numbers[] = {AVX, ZMM_HI, ZMM_16};

	for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		unsigned int size, offset, ecx, edx;

		if (!__get_cpuid_count(0x0d, numbers[i], &size, &offset, &ecx, &edx))
			return;
		component_size[numbers[i]] = size;
		component_offset[numbers[i]] = offset;
	}
}

void brg_access_init(void)
{
	static const uint8_t nop[] = {0x90};
	struct access a;

	find_components();
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	/* The dynamic linker finds functions when they are first called: better now than then. */
	(void)ZydisDecoderDecodeFull(&decoder, nop, sizeof(nop), &a.insn, a.op);
	(void)ZydisRegisterGetId(ZYDIS_REGISTER_RAX);
	(void)ZydisRegisterGetClass(ZYDIS_REGISTER_RAX);
	(void)ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_REGISTER_RAX);
}
