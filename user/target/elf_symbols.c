/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "target/elf_internal.h"

const char *elf_symbol_name(const struct elf_symbols *table, const GElf_Sym *symbol)
{
	return symbol->st_name < table->names_size ? table->names + symbol->st_name : "";
}

/* The string table is cut behind its last NUL, so that every name in it ends. */
static int set_table(struct elf_symbols *table, Elf_Data *entries, const Elf_Data *names)
{
	const char *last;

	if (!entries || entries->d_type != ELF_T_SYM || !names || !names->d_size)
		return -ENOENT;
	last = memrchr(names->d_buf, 0, names->d_size);
	table->entries = entries;
	table->count = entries->d_size / sizeof(Elf64_Sym);
	table->names = names->d_buf;
	table->names_size = last ? (size_t)(last - table->names) + 1 : 0;
	return 0;
}

static int symbols_from_section(const struct elf_file *file, uint32_t type,
				struct elf_symbols *table)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_section_next(file, section)))
		if (gelf_getshdr(section, &header) && header.sh_type == type)
			return set_table(table, elf_section_data(section),
					 elf_section_data(elf_getscn(file->elf, header.sh_link)));
	return -ENOENT;
}

static int read_word(const struct elf_file *file, uint64_t vaddr, uint32_t *word)
{
	const uint8_t *bytes = elf_file_bytes(file, vaddr, sizeof(*word));

	if (!bytes)
		return -ENOENT;
	memcpy(word, bytes, sizeof(*word));
	return 0;
}

/* DT_GNU_HASH does not say how many symbols there are: the last chain's end does. */
static int gnu_hash_count(const struct elf_file *file, uint64_t vaddr, uint64_t *count)
{
	uint32_t buckets, first, bloom, word, last = 0;
	uint64_t table;

	if (read_word(file, vaddr, &buckets) || read_word(file, vaddr + 4, &first) ||
	    read_word(file, vaddr + 8, &bloom))
		return -ENOENT;
	table = vaddr + 16 + 8ULL * bloom;
	for (uint64_t i = 0; i < buckets; i++) {
		if (read_word(file, table + 4 * i, &word))
			return -ENOENT;
		if (word > last)
			last = word;
	}
	*count = first;
	if (last < first)
		return 0;
	table += 4ULL * buckets;
	do {
		if (read_word(file, table + 4ULL * (last - first), &word))
			return -ENOENT;
		*count = ++last;
	} while (!(word & 1) && last);
	return 0;
}

/* Without section headers the loader's own view is left. */
static int symbols_from_dynamic(const struct elf_file *file, struct elf_symbols *table)
{
	uint64_t symbols, names, names_size, hash, count;
	uint32_t chains;

	if (elf_dynamic(file, DT_SYMTAB, &symbols) || elf_dynamic(file, DT_STRTAB, &names) ||
	    elf_dynamic(file, DT_STRSZ, &names_size))
		return -ENOENT;
	if (!elf_dynamic(file, DT_HASH, &hash) && !read_word(file, hash + 4, &chains))
		count = chains;
	else if (elf_dynamic(file, DT_GNU_HASH, &hash) || gnu_hash_count(file, hash, &count))
		return -ENOENT;
	return set_table(table,
			 elf_loaded_data(file, symbols, count * sizeof(Elf64_Sym), ELF_T_SYM),
			 elf_loaded_data(file, names, names_size, ELF_T_BYTE));
}

void elf_symbols_load(struct elf_file *file)
{
	if (symbols_from_section(file, SHT_DYNSYM, &file->dynsym))
		(void)symbols_from_dynamic(file, &file->dynsym);
	(void)symbols_from_section(file, SHT_SYMTAB, &file->symtab);
}

static bool is_wanted(const GElf_Sym *symbol)
{
	unsigned int type = GELF_ST_TYPE(symbol->st_info);

	return symbol->st_shndx != SHN_UNDEF && symbol->st_shndx != SHN_COMMON && type != STT_TLS &&
	       type != STT_FILE && type != STT_SECTION;
}

/* A global before a local. */
static bool find_symbol(const struct elf_symbols *table, const char *name, GElf_Sym *found)
{
	bool any = false;
	GElf_Sym symbol;

	for (int i = 0; gelf_getsym(table->entries, i, &symbol); i++) {
		if (strcmp(elf_symbol_name(table, &symbol), name) != 0 || !is_wanted(&symbol))
			continue;
		if (!any)
			*found = symbol;
		any = true;
		if (GELF_ST_BIND(symbol.st_info) == STB_LOCAL)
			continue;
		*found = symbol;
		break;
	}
	return any;
}

int elf_file_symbol(const struct elf_file *file, const char *name, uint64_t *addr, uint64_t *size)
{
	GElf_Sym symbol;

	if (!find_symbol(&file->dynsym, name, &symbol) &&
	    !find_symbol(&file->symtab, name, &symbol))
		return -ENOENT;
	if (addr)
		*addr = symbol.st_value;
	if (size)
		*size = symbol.st_size;
	return 0;
}

/* By address, and for one address the widest last: the backward walk meets it first. */
static int compare_named(const void *left, const void *right)
{
	const struct elf_named *a = left, *b = right;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name; /* strcmp could take forever */
}

static void collect_functions(const struct elf_symbols *table, struct elf_cache *cache)
{
	GElf_Sym symbol;

	if (!table->count || cache->named_count)
		return;
	free(cache->named);
	cache->named = malloc(table->count * sizeof(*cache->named));
	if (!cache->named)
		return;
	for (int i = 0; gelf_getsym(table->entries, i, &symbol); i++)
		if (symbol.st_shndx != SHN_UNDEF && GELF_ST_TYPE(symbol.st_info) == STT_FUNC &&
		    symbol.st_name < table->names_size)
			cache->named[cache->named_count++] =
				(struct elf_named){ symbol.st_value, symbol.st_size,
						    elf_symbol_name(table, &symbol) };
	qsort(cache->named, cache->named_count, sizeof(*cache->named), compare_named);
}

const char *elf_file_symbol_at(const struct elf_file *file, uint64_t addr, uint64_t *offset)
{
	struct elf_cache *cache = file->cache;
	size_t low = 0, high;

	if (!cache->named_ready) {
		collect_functions(&file->symtab, cache);
		collect_functions(&file->dynsym, cache);
		cache->named_ready = true;
	}
	high = cache->named_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (cache->named[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	/* An enclosing function may begin a few symbols earlier; no farther than this, though. */
	for (size_t back = 1; back <= low && back <= 64; back++) {
		const struct elf_named *named = &cache->named[low - back];

		if (addr - named->addr < named->size || addr == named->addr) {
			if (offset)
				*offset = addr - named->addr;
			return named->name;
		}
	}
	return NULL;
}
