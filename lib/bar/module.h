/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_BAR_MODULE_H
#define BRG_BAR_MODULE_H

/* A kernel module's file, opened to see what its functions call. */

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>

/* A damaged file may have these at any address. */
typedef Elf64_Ehdr brg_elf_header __attribute__((aligned(1)));
typedef Elf64_Shdr brg_elf_section __attribute__((aligned(1)));
typedef Elf64_Sym brg_elf_symbol __attribute__((aligned(1)));
typedef Elf64_Rela brg_elf_relocation __attribute__((aligned(1)));

struct brg_module {
	void *data; /* the file, decompressed */
	Elf *elf;
	const brg_elf_header *header;
	const brg_elf_symbol *symbols; /* the first is none */
	size_t nsymbols;
	const char *names; /* of symbols, all ending within this many bytes */
	size_t names_size;
};

/**
 * Read a module, plain or compressed (.gz, .xz, .zst).
 * @return 0; -ENOENT and other errors of reading it, -EINVAL when it is no kernel module.
 */
int brg_module_open(const char *path, struct brg_module *m);

void brg_module_close(struct brg_module *m);

/** Whether the module needs a symbol of the kernel or of another module. */
bool brg_module_imports(const struct brg_module *m, const char *name);

/** How many functions of this very name it has: static ones may share one. */
unsigned int brg_module_count(const struct brg_module *m, const char *function);

/**
 * What the code of a function refers to: @p visit is called with the name of every relocation's
 * symbol, "" for a section. The parts that the compiler moved elsewhere (NAME.cold, NAME.part.0)
 * belong to it. Calls of static functions in the same section have no relocation.
 */
void brg_module_references(const struct brg_module *m, const char *function,
			   void (*visit)(const char *name, void *arg), void *arg);

/**
 * Whether the function is straight code that comes to a return, and calls nothing but what
 * brg_module_references() tells. False where that is not certain: on machines other than x86-64, in
 * functions that are not small, and where a constant looks like a branch.
 */
bool brg_module_is_straight(const struct brg_module *m, const char *function);

/** A section's contents, owned by @p m; NULL when there is none. */
const void *brg_module_section(const struct brg_module *m, const char *name, size_t *size);

#endif
