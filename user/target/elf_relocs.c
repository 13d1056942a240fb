/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "target/elf_internal.h"

/*
 * Only RELA is indexed. RELR says "add the load bias to what is in place", and what is in place
 * then is the link-time address already: such a slot needs nothing but to be read.
 */

static Elf_Data *rela_data(const struct elf_file *file, int64_t where_tag, int64_t size_tag)
{
	uint64_t vaddr, size;

	if (elf_dynamic(file, where_tag, &vaddr) || elf_dynamic(file, size_tag, &size))
		return NULL;
	return elf_loaded_data(file, vaddr, size, ELF_T_RELA);
}

static int compare_relocs(const void *left, const void *right)
{
	const GElf_Rela *a = left, *b = right;

	if (a->r_offset != b->r_offset)
		return a->r_offset < b->r_offset ? -1 : 1;
	return 0;
}

static int index_relocs(const struct elf_file *file, struct elf_cache *cache)
{
	Elf_Data *tables[2] = {
		rela_data(file, DT_RELA, DT_RELASZ),
		rela_data(file, DT_JMPREL, DT_PLTRELSZ),
	};
	size_t most = 1, count = 0; /* malloc(0) may be NULL */
	GElf_Rela rela;

	for (size_t t = 0; t < 2; t++)
		most += tables[t] ? tables[t]->d_size / sizeof(rela) : 0;
	cache->relocs = malloc(most * sizeof(rela));
	if (!cache->relocs)
		return -ENOMEM;
	for (size_t t = 0; t < 2; t++)
		for (int i = 0; gelf_getrela(tables[t], i, &rela); i++)
			if (GELF_R_TYPE(rela.r_info) != R_X86_64_NONE)
				cache->relocs[count++] = rela;
	qsort(cache->relocs, count, sizeof(rela), compare_relocs);
	cache->reloc_count = count;
	cache->relocs_ready = true;
	return 0;
}

static int find_reloc(const struct elf_file *file, uint64_t slot, const GElf_Rela **found)
{
	struct elf_cache *cache = file->cache;
	GElf_Rela key = { .r_offset = slot };
	int err = cache->relocs_ready ? 0 : index_relocs(file, cache);

	*found =
		err ? NULL :
		      bsearch(&key, cache->relocs, cache->reloc_count, sizeof(key), compare_relocs);
	return err;
}

static int symbol_value(const struct elf_file *file, uint32_t index, uint64_t *value)
{
	GElf_Sym symbol;

	*value = 0;
	if (!index)
		return 0;
	if (!gelf_getsym(file->dynsym.entries, (int)index, &symbol) ||
	    symbol.st_shndx == SHN_UNDEF || GELF_ST_TYPE(symbol.st_info) == STT_TLS ||
	    GELF_ST_TYPE(symbol.st_info) == STT_GNU_IFUNC)
		return -ENOENT;
	*value = symbol.st_value;
	return 0;
}

static int apply_reloc(const struct elf_file *file, const GElf_Rela *reloc, uint64_t *value)
{
	int err;

	switch (GELF_R_TYPE(reloc->r_info)) {
	case R_X86_64_RELATIVE:
	case R_X86_64_RELATIVE64:
		*value = (uint64_t)reloc->r_addend;
		return 0;
	case R_X86_64_64:
		err = symbol_value(file, GELF_R_SYM(reloc->r_info), value);
		*value += (uint64_t)reloc->r_addend;
		return err;
	case R_X86_64_GLOB_DAT:
	case R_X86_64_JUMP_SLOT:
		return symbol_value(file, GELF_R_SYM(reloc->r_info), value);
	default:
		return -ENOENT;
	}
}

int elf_file_pointer(const struct elf_file *file, uint64_t vaddr, uint64_t *value)
{
	const GElf_Rela *reloc;
	const uint8_t *bytes;
	int err = find_reloc(file, vaddr, &reloc);

	if (err)
		return err;
	if (reloc)
		return apply_reloc(file, reloc, value);
	bytes = elf_file_bytes(file, vaddr, sizeof(*value));
	if (!bytes)
		return -EFAULT;
	memcpy(value, bytes, sizeof(*value));
	return 0;
}

const char *elf_file_import_at(const struct elf_file *file, uint64_t slot_vaddr)
{
	const GElf_Rela *reloc;
	const char *name;
	uint32_t type;
	GElf_Sym symbol;

	if (find_reloc(file, slot_vaddr, &reloc) || !reloc)
		return NULL;
	type = GELF_R_TYPE(reloc->r_info);
	if (type != R_X86_64_GLOB_DAT && type != R_X86_64_JUMP_SLOT && type != R_X86_64_64)
		return NULL;
	if (!GELF_R_SYM(reloc->r_info) ||
	    !gelf_getsym(file->dynsym.entries, (int)GELF_R_SYM(reloc->r_info), &symbol))
		return NULL;
	name = elf_symbol_name(&file->dynsym, &symbol);
	return *name ? name : NULL;
}
