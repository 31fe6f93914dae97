/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kernel modules read as what they are: relocatable ELF objects, whose symbol table and relocations
 * name what each function calls.
 */

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "module.h"
#include "unpack.h"

/* What ends with a zero, as a string table must; elf_strptr() looks again for each string. */
static bool set_names(struct brg_module *m, size_t section)
{
	Elf_Data *data = elf_getdata(elf_getscn(m->elf, section), NULL);

	if (!data || !data->d_size || ((const char *)data->d_buf)[data->d_size - 1])
		return false;
	m->names = data->d_buf;
	m->names_size = data->d_size;
	return true;
}

/* The section's header; NULL: there are no more. */
static const brg_elf_section *next_section(const struct brg_module *m, Elf_Scn **scn)
{
	*scn = elf_nextscn(m->elf, *scn);
	return *scn ? elf64_getshdr(*scn) : NULL;
}

static bool find_symbols(struct brg_module *m)
{
	const brg_elf_section *header;
	Elf_Scn *scn = NULL;

	while ((header = next_section(m, &scn))) {
		Elf_Data *data;

		if (header->sh_type != SHT_SYMTAB)
			continue;
		data = elf_getdata(scn, NULL);
		if (!data || !data->d_buf)
			return false;
		m->symbols = data->d_buf;
		m->nsymbols = data->d_size / sizeof(*m->symbols);
		return set_names(m, header->sh_link);
	}
	return false;
}

int brg_module_open(const char *path, struct brg_module *m)
{
	size_t size = 0;
	int rc;

	*m = (struct brg_module){0};
	rc = brg_unpack(path, &m->data, &size);
	if (rc)
		return rc;
	elf_version(EV_CURRENT);
	m->elf = elf_memory(m->data, size);
	/* NULL of what is no ELF file of 64 bits. */
	m->header = m->elf ? elf64_getehdr(m->elf) : NULL;
	if (m->header && m->header->e_type == ET_REL && find_symbols(m))
		return 0;
	brg_module_close(m);
	return brg_fail(EINVAL, "%s is no kernel module, or it has no symbols", path);
}

void brg_module_close(struct brg_module *m)
{
	elf_end(m->elf);
	free(m->data);
}

/* "" where the symbol has no name. */
static const char *name_of(const struct brg_module *m, const brg_elf_symbol *sym)
{
	return sym->st_name < m->names_size ? m->names + sym->st_name : "";
}

bool brg_module_imports(const struct brg_module *m, const char *name)
{
	for (size_t i = 1; i < m->nsymbols; i++)
		if (m->symbols[i].st_shndx == SHN_UNDEF &&
		    !strcmp(name_of(m, &m->symbols[i]), name))
			return true;
	return false;
}

static bool is_code(const brg_elf_symbol *sym)
{
	return ELF64_ST_TYPE(sym->st_info) == STT_FUNC && sym->st_shndx != SHN_UNDEF &&
	       sym->st_shndx < SHN_LORESERVE;
}

/* The next symbol of code, from index @p i on, whose name is that or, with @p parts, a part of it
 * that the compiler moved elsewhere; NULL: there are no more. */
static const brg_elf_symbol *next_code(const struct brg_module *m, const char *function, bool parts,
				       size_t *i)
{
	size_t len = strlen(function);

	while (++*i < m->nsymbols) {
		const brg_elf_symbol *sym = &m->symbols[*i];
		const char *name = name_of(m, sym);

		if (is_code(sym) && !strncmp(name, function, len) &&
		    (!name[len] || (parts && name[len] == '.')))
			return sym;
	}
	return NULL;
}

unsigned int brg_module_count(const struct brg_module *m, const char *function)
{
	unsigned int count = 0;

	for (size_t i = 0; next_code(m, function, false, &i);)
		count++;
	return count;
}

typedef void visit_t(const brg_elf_relocation *rela, const char *name, void *arg);

/* Those relocations of one section that are inside the code of a symbol. */
static void visit_section(const struct brg_module *m, Elf_Data *data, const brg_elf_symbol *code,
			  visit_t *visit, void *arg)
{
	const brg_elf_relocation *rela = data->d_buf, *end = rela + data->d_size / sizeof(*rela);

	for (; rela < end; rela++) {
		size_t symbol = ELF64_R_SYM(rela->r_info);

		if (rela->r_offset - code->st_value < code->st_size)
			visit(rela, symbol < m->nsymbols ? name_of(m, &m->symbols[symbol]) : "",
			      arg);
	}
}

/* Every relocation inside the code of one symbol. Kernel modules of 64 bits have them with their
 * addends. */
static void visit_code(const struct brg_module *m, const brg_elf_symbol *code, visit_t *visit,
		       void *arg)
{
	const brg_elf_section *header;
	Elf_Scn *scn = NULL;

	while ((header = next_section(m, &scn))) {
		Elf_Data *data;

		if (header->sh_info != code->st_shndx || header->sh_type != SHT_RELA)
			continue;
		data = elf_getdata(scn, NULL);
		if (data && data->d_buf)
			visit_section(m, data, code, visit, arg);
	}
}

struct visitor {
	void (*visit)(const char *name, void *arg);
	void *arg;
};

static void visit_name(const brg_elf_relocation *rela, const char *name, void *arg)
{
	const struct visitor *v = arg;

	v->visit(name, v->arg);
}

void brg_module_references(const struct brg_module *m, const char *function,
			   void (*visit)(const char *name, void *arg), void *arg)
{
	struct visitor v = {visit, arg};
	const brg_elf_symbol *sym;

	for (size_t i = 0; (sym = next_code(m, function, true, &i));)
		visit_code(m, sym, visit_name, &v);
}

/* Small code with a bit per byte: where a relocation puts a value of 4 bytes. */
#define SMALL 64
struct small {
	const uint8_t *code;
	uint64_t start;
	uint64_t size;
	uint64_t relocated;
	bool returns;
};

static void mark(const brg_elf_relocation *rela, const char *name, void *arg)
{
	struct small *s = arg;

	s->relocated |= (uint64_t)0xf << (rela->r_offset - s->start);
	s->returns |= !strcmp(name, "__x86_return_thunk");
}

static bool is_relocated(const struct small *s, uint64_t at)
{
	return at < s->size && s->relocated >> at & 1;
}

/*
 * Whether an instruction that starts here may go elsewhere: jumps, calls and loops of x86-64 (Intel
 * SDM volume 2, appendix A). A byte that is only part of an instruction may look so as well.
 */
static bool may_branch(const struct small *s, uint64_t at)
{
	uint8_t byte = s->code[at];
	uint8_t next = at + 1 < s->size ? s->code[at + 1] : 0;

	switch (byte) {
	case 0xe8: /* call, jmp: to a symbol that the relocation names */
	case 0xe9:
		return !is_relocated(s, at + 1);
	case 0x0f: /* jcc; syscall and the like are no part of a kernel function */
		return next >= 0x80 && next <= 0x8f;
	case 0xeb: /* jmp, 8 bits */
	case 0xff: /* through a register or memory */
		return true;
	default:
		return (byte >= 0x70 && byte <= 0x7f) || (byte >= 0xe0 && byte <= 0xe3);
	}
}

/* The code of a function that exists once; false when it is not small, or not in the file. */
static bool find_small(const struct brg_module *m, const brg_elf_symbol *sym, struct small *s)
{
	Elf_Data *data;

	if (!sym || sym->st_size > SMALL)
		return false;
	data = elf_getdata(elf_getscn(m->elf, sym->st_shndx), NULL);
	if (!data || !data->d_buf || sym->st_value > data->d_size ||
	    sym->st_size > data->d_size - sym->st_value)
		return false;
	*s = (struct small){.code = (const uint8_t *)data->d_buf + sym->st_value,
			    .start = sym->st_value,
			    .size = sym->st_size};
	return true;
}

bool brg_module_is_straight(const struct brg_module *m, const char *function)
{
	const brg_elf_symbol *sym;
	struct small s;
	size_t i = 0;

	sym = next_code(m, function, false, &i);
	if (m->header->e_machine != EM_X86_64 || !find_small(m, sym, &s))
		return false;
	visit_code(m, sym, mark, &s);
	for (uint64_t at = 0; at < s.size; at++) {
		if (is_relocated(&s, at))
			continue;
		if (may_branch(&s, at))
			return false;
		s.returns |= s.code[at] == 0xc3; /* ret */
	}
	return s.returns;
}

const void *brg_module_section(const struct brg_module *m, const char *name, size_t *size)
{
	const brg_elf_section *header;
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(m->elf, &names))
		return NULL;
	while ((header = next_section(m, &scn))) {
		const char *found = elf_strptr(m->elf, names, header->sh_name);
		Elf_Data *data;

		if (!found || strcmp(found, name) != 0)
			continue;
		data = elf_rawdata(scn, NULL);
		*size = data ? data->d_size : 0;
		return data ? data->d_buf : NULL;
	}
	return NULL;
}
