/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "target/elf_internal.h"

#define BUILD_ID_MAX  64
#define STAPSDT_TYPE  3
#define SEGMENTS_MAX  16 /* PT_NOTEs looked at; linkers write 1 to 3 */
#define USDT_MAX      65536
#define USDT_NOTE_MIN 47 /* bytes: header, "stapsdt", three addresses, three empty strings */

struct note {
	uint32_t type;
	const char *name; /* name_size bytes, its NUL among them; so not terminated if hostile */
	size_t name_size;
	const uint8_t *desc;
	size_t desc_size;
};

/* Takes the note at *at and moves *at behind it. False at the end or where a note is broken. */
static bool next_note(Elf_Data *data, size_t *at, struct note *note)
{
	size_t name, desc;
	GElf_Nhdr header;

	*at = gelf_getnote(data, *at, &header, &name, &desc);
	if (!*at)
		return false;
	note->type = header.n_type;
	note->name = (const char *)data->d_buf + name;
	note->name_size = header.n_namesz;
	note->desc = (const uint8_t *)data->d_buf + desc;
	note->desc_size = header.n_descsz;
	return true;
}

static bool is_note(const struct note *note, uint32_t type, const char *name)
{
	size_t size = strlen(name) + 1;

	return note->type == type && note->name_size == size && !memcmp(note->name, name, size);
}

static bool find_build_id(Elf_Data *data, struct note *note)
{
	size_t at = 0;

	while (next_note(data, &at, note))
		if (is_note(note, NT_GNU_BUILD_ID, "GNU") && note->desc_size &&
		    note->desc_size <= BUILD_ID_MAX)
			return true;
	return false;
}

static bool search_build_id(const struct elf_file *file, struct note *note)
{
	GElf_Phdr header;

	for (size_t i = 0; i < SEGMENTS_MAX && !elf_segment_find(file, PT_NOTE, i, &header); i++) {
		uint64_t align = header.p_align == 8 ? 8 : 4;
		/* gelf_getnote() demands the last note's padding, which ld may leave out. */
		uint64_t size = (header.p_filesz + align - 1) & ~(align - 1);

		/* elf_getdata_rawchunk() copies what is not aligned: a hostile file could ask for
		 * that many copies of itself. */
		if (!(header.p_offset % align) &&
		    find_build_id(elf_getdata_rawchunk(file->elf, (int64_t)header.p_offset, size,
						       align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR),
				  note))
			return true;
	}
	return find_build_id(elf_section_data(elf_section_find(file, ".note.gnu.build-id")), note);
}

int elf_file_build_id(const struct elf_file *file, char *hex, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	struct note note;

	if (!search_build_id(file, &note))
		return -ENOENT;
	if (size < 2 * note.desc_size + 1)
		return -ENOSPC;
	for (size_t i = 0; i < note.desc_size; i++) {
		hex[2 * i] = digits[note.desc[i] >> 4];
		hex[2 * i + 1] = digits[note.desc[i] & 15];
	}
	hex[2 * note.desc_size] = '\0';
	return 0;
}

/* Takes the NUL-terminated string at *text; NULL if it does not end before end. */
static const char *take_string(const char **text, const char *end)
{
	const char *string = *text;
	const char *nul = memchr(string, 0, end - string);

	if (nul)
		*text = nul + 1;
	return nul ? string : NULL;
}

static void copy_args(char *out, size_t size, const char *args)
{
	size_t length = strnlen(args, size);

	while (length && (length == size || (args[length] && args[length] != ' ')))
		length--;
	memcpy(out, args, length);
	out[length] = '\0';
}

/* A note's desc: pc, base and semaphore (8 bytes each), provider, name, arguments. */
static bool parse_usdt(const struct note *note, uint64_t base, struct elf_usdt *out)
{
	const char *text = (const char *)note->desc;
	const char *end = text + note->desc_size;
	const char *provider, *name, *args;
	size_t provider_size, name_size; /* their NULs included */
	uint64_t words[3];

	if (!is_note(note, STAPSDT_TYPE, "stapsdt") || note->desc_size < sizeof(words))
		return false;
	memcpy(words, text, sizeof(words));
	text += sizeof(words);
	provider = take_string(&text, end);
	name = provider ? take_string(&text, end) : NULL;
	args = name ? take_string(&text, end) : NULL;
	if (!args)
		return false;
	provider_size = name - provider;
	name_size = args - name;
	if (provider_size > sizeof(out->provider) || name_size > sizeof(out->name))
		return false;
	if (!base)
		base = words[1];
	out->addr = words[0] + (base - words[1]);
	out->semaphore = words[2] ? words[2] + (base - words[1]) : 0;
	memcpy(out->provider, provider, provider_size);
	memcpy(out->name, name, name_size);
	copy_args(out->args, sizeof(out->args), args);
	return true;
}

int elf_file_usdt(const struct elf_file *file, const char *provider, struct elf_usdt **out,
		  size_t *count)
{
	Elf_Data *data = elf_section_data(elf_section_find(file, ".note.stapsdt"));
	Elf_Scn *prelinked = elf_section_find(file, ".stapsdt.base");
	GElf_Shdr base = { 0 };
	struct elf_usdt *all;
	struct note note;
	size_t room, at = 0;

	*out = NULL;
	*count = 0;
	if (!data)
		return 0;
	if (prelinked)
		(void)gelf_getshdr(prelinked, &base);
	room = data->d_size / USDT_NOTE_MIN < USDT_MAX ? data->d_size / USDT_NOTE_MIN : USDT_MAX;
	all = malloc((room + 1) * sizeof(*all));
	if (!all)
		return -ENOMEM;
	while (*count < room && next_note(data, &at, &note))
		if (parse_usdt(&note, base.sh_addr, &all[*count]) &&
		    (!provider || !strcmp(provider, all[*count].provider)))
			(*count)++;
	if (*count)
		*out = all;
	else
		free(all);
	return 0;
}
