/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TARGET_ELF_INTERNAL_H
#define GENSCOPE_TARGET_ELF_INTERNAL_H

#include <gelf.h>

#include "target/elf_file.h"

/*
 * What the elf_*.c files share; nobody else includes it. libelf reads the tables and checks that
 * they lie within the file; where it does not, the call is guarded and a comment says why (the
 * sources meant are elfutils 0.188's).
 */

#define ELF_MAX_LOADS 64 /* linkers write 2 to 6 */

struct elf_load { /* a PT_LOAD, its file part already cut to what the file has */
	uint64_t vaddr, memsz, offset, filesz;
	bool executable, writable;
};

struct elf_symbols {
	Elf_Data *entries; /* of type ELF_T_SYM */
	size_t count;
	const char *names; /* names[names_size - 1] is NUL */
	size_t names_size;
};

struct elf_named { /* a function symbol, for elf_file_symbol_at() */
	uint64_t addr, size;
	const char *name;
};

struct elf_cache { /* each part is made when first asked for */
	bool relocs_ready, functions_ready, named_ready;
	GElf_Rela *relocs;
	size_t reloc_count;
	struct elf_function *functions;
	size_t function_count;
	struct elf_named *named;
	size_t named_count;
};

struct elf_file {
	Elf *elf;
	const uint8_t *bytes;
	size_t size;
	bool mapped; /* bytes are ours to unmap */
	bool pie;
	bool sectioned;
	size_t program_count;
	struct elf_load loads[ELF_MAX_LOADS];
	size_t load_count;
	struct elf_symbols dynsym, symtab;
	struct elf_cache *cache;
};

/* The index-th program header of that type. -ENOENT. */
int elf_segment_find(const struct elf_file *file, uint32_t type, size_t index, GElf_Phdr *out);

/* The section behind that one (NULL: the first); NULL behind the last. */
Elf_Scn *elf_section_next(const struct elf_file *file, Elf_Scn *section);

/* The first section of that name; NULL if there is none. */
Elf_Scn *elf_section_find(const struct elf_file *file, const char *name);

/* The content of a section (NULL is fine); NULL for one without any or that is compressed. */
Elf_Data *elf_section_data(Elf_Scn *section);

/* size bytes at vaddr as data of that type; NULL unless all of them come from the file. */
Elf_Data *elf_loaded_data(const struct elf_file *file, uint64_t vaddr, uint64_t size,
			  Elf_Type type);

/* The value of a tag of PT_DYNAMIC. -ENOENT. */
int elf_dynamic(const struct elf_file *file, int64_t tag, uint64_t *value);

/* Finds both symbol tables; a missing one stays empty. */
void elf_symbols_load(struct elf_file *file);

/* A NUL-terminated name, "" if its offset is bad. */
const char *elf_symbol_name(const struct elf_symbols *table, const GElf_Sym *symbol);

/* The segment whose file part holds [addr, addr + size), or the executable one that holds it in
 * memory; or NULL. */
const struct elf_load *elf_backed_load(const struct elf_file *file, uint64_t addr, uint64_t size);
const struct elf_load *elf_code_load(const struct elf_file *file, uint64_t addr, uint64_t size);

#endif
