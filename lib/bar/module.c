/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kernel modules read as what they are: relocatable ELF objects, whose symbol table and relocations
 * name what each function calls.
 */

#include <errno.h>
#include <gelf.h>
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

static bool find_symbols(struct brg_module *m)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr header;

	while ((scn = elf_nextscn(m->elf, scn))) {
		if (!gelf_getshdr(scn, &header) || header.sh_type != SHT_SYMTAB)
			continue;
		m->symbols = elf_getdata(scn, NULL);
		return m->symbols && set_names(m, header.sh_link);
	}
	return false;
}

int brg_module_open(const char *path, struct brg_module *m)
{
	GElf_Ehdr header;
	size_t size = 0;
	int rc;

	*m = (struct brg_module){0};
	rc = brg_unpack(path, &m->data, &size);
	if (rc)
		return rc;
	elf_version(EV_CURRENT);
	m->elf = elf_memory(m->data, size);
	if (m->elf && gelf_getehdr(m->elf, &header) && header.e_type == ET_REL && find_symbols(m))
		return 0;
	brg_module_close(m);
	return brg_fail(EINVAL, "%s is no kernel module, or it has no symbols", path);
}

void brg_module_close(struct brg_module *m)
{
	elf_end(m->elf);
	free(m->data);
}

/* The symbol's name; NULL after the last one, "" where it has none. */
static const char *symbol(const struct brg_module *m, size_t index, GElf_Sym *sym)
{
	if (index > INT32_MAX || !gelf_getsym(m->symbols, (int)index, sym))
		return NULL;
	return sym->st_name < m->names_size ? m->names + sym->st_name : "";
}

bool brg_module_imports(const struct brg_module *m, const char *name)
{
	const char *found;
	GElf_Sym sym;

	for (size_t i = 1; (found = symbol(m, i, &sym)); i++)
		if (sym.st_shndx == SHN_UNDEF && !strcmp(found, name))
			return true;
	return false;
}

static bool is_code(const GElf_Sym *sym)
{
	return GELF_ST_TYPE(sym->st_info) == STT_FUNC && sym->st_shndx != SHN_UNDEF &&
	       sym->st_shndx < SHN_LORESERVE;
}

unsigned int brg_module_count(const struct brg_module *m, const char *function)
{
	unsigned int count = 0;
	const char *found;
	GElf_Sym sym;

	for (size_t i = 1; (found = symbol(m, i, &sym)); i++)
		count += is_code(&sym) && !strcmp(found, function);
	return count;
}

/* One relocation, or false when there is no such. */
static bool relocation(Elf_Data *data, size_t type, int index, GElf_Rela *rela)
{
	GElf_Rel rel;

	if (type == SHT_RELA)
		return gelf_getrela(data, index, rela);
	if (!gelf_getrel(data, index, &rel))
		return false;
	*rela = (GElf_Rela){.r_offset = rel.r_offset, .r_info = rel.r_info};
	return true;
}

typedef void visit_t(const GElf_Rela *rela, const char *name, void *arg);

/* Every relocation inside the code of one symbol. */
static void visit_code(const struct brg_module *m, const GElf_Sym *code, visit_t *visit, void *arg)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr header;

	while ((scn = elf_nextscn(m->elf, scn))) {
		Elf_Data *data;
		GElf_Rela rela;

		if (!gelf_getshdr(scn, &header) || header.sh_info != code->st_shndx ||
		    (header.sh_type != SHT_RELA && header.sh_type != SHT_REL))
			continue;
		data = elf_getdata(scn, NULL);
		for (int i = 0; data && relocation(data, header.sh_type, i, &rela); i++) {
			const char *name;
			GElf_Sym sym;

			if (rela.r_offset < code->st_value ||
			    rela.r_offset - code->st_value >= code->st_size)
				continue;
			name = symbol(m, GELF_R_SYM(rela.r_info), &sym);
			visit(&rela, name ? name : "", arg);
		}
	}
}

struct visitor {
	void (*visit)(const char *name, void *arg);
	void *arg;
};

static void visit_name(const GElf_Rela *rela, const char *name, void *arg)
{
	const struct visitor *v = arg;

	v->visit(name, v->arg);
}

void brg_module_references(const struct brg_module *m, const char *function,
			   void (*visit)(const char *name, void *arg), void *arg)
{
	struct visitor v = {visit, arg};
	size_t len = strlen(function);
	const char *found;
	GElf_Sym sym;

	for (size_t i = 1; (found = symbol(m, i, &sym)); i++)
		if (is_code(&sym) && !strncmp(found, function, len) &&
		    (found[len] == '\0' || found[len] == '.'))
			visit_code(m, &sym, visit_name, &v);
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

static void mark(const GElf_Rela *rela, const char *name, void *arg)
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
static bool find_small(const struct brg_module *m, const char *function, GElf_Sym *sym,
		       struct small *s)
{
	const char *found;
	Elf_Data *data;

	for (size_t i = 1; (found = symbol(m, i, sym)); i++)
		if (is_code(sym) && !strcmp(found, function))
			break;
	if (!found || sym->st_size > SMALL)
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
	GElf_Ehdr header;
	struct small s;
	GElf_Sym sym;

	if (!gelf_getehdr(m->elf, &header) || header.e_machine != EM_X86_64 ||
	    !find_small(m, function, &sym, &s))
		return false;
	visit_code(m, &sym, mark, &s);
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
	Elf_Scn *scn = NULL;
	GElf_Shdr header;
	size_t names;

	if (elf_getshdrstrndx(m->elf, &names))
		return NULL;
	while ((scn = elf_nextscn(m->elf, scn))) {
		const char *found;
		Elf_Data *data;

		if (!gelf_getshdr(scn, &header))
			continue;
		found = elf_strptr(m->elf, names, header.sh_name);
		if (!found || strcmp(found, name) != 0)
			continue;
		data = elf_rawdata(scn, NULL);
		*size = data ? data->d_size : 0;
		return data ? data->d_buf : NULL;
	}
	return NULL;
}
