/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "target/elf_internal.h"

/*
 * .eh_frame is what is left of function bounds in a stripped file. It is a row of records: a CIE
 * tells, in its augmentation string, how the FDEs that point back to it encode their addresses; an
 * FDE tells one range of code. Encodings are one byte: the low four bits are the format, the next
 * three what the value is relative to (nothing, or its own address), the top one "through a
 * pointer", which no FDE uses. See the LSB core specification, 10.6, and DWARF 4, 6.4.1.
 */

#define ENCODING_ABSPTR  0x00
#define ENCODING_PCREL   0x10
#define ENCODING_ALIGNED 0x50
#define ENCODING_OMIT    0xff
#define ENCODING_BASE    0xf0
#define ENCODING_FORMAT  0x0f
#define AUGMENTATION_MAX 16
#define FDE_MIN          10 /* bytes: length, distance to the CIE, a byte each of address and size */

struct elf_span { /* bytes and where they are loaded */
	const uint8_t *bytes;
	size_t size;
	uint64_t vaddr;
};

struct reader { /* over a span of known address; a read that does not fit sets failed for good */
	const struct elf_span *span;
	size_t at, end;
	bool failed;
};

struct record {
	size_t id_at;   /* where the id (of a CIE) or the distance to the CIE (of an FDE) lies */
	size_t body_at; /* behind that */
	size_t end;
	uint32_t id;
};

struct walk {
	const struct elf_file *file;
	struct elf_span span;
	bool has_cie; /* the last CIE looked up: a run of FDEs shares one */
	size_t cie_at;
	int cie_encoding;
	struct elf_function *found; /* room for as many as the span can hold */
	size_t count;
};

static uint64_t read_fixed(struct reader *reader, size_t size)
{
	uint64_t value = 0;

	if (reader->failed || reader->at > reader->end || size > reader->end - reader->at) {
		reader->failed = true;
		return 0;
	}
	memcpy(&value, reader->span->bytes + reader->at, size);
	reader->at += size;
	return value;
}

static uint64_t sign_extend(uint64_t value, unsigned int bits)
{
	uint64_t sign = 1ULL << (bits - 1);

	return (value ^ sign) - sign;
}

static uint64_t read_leb128(struct reader *reader, bool is_signed)
{
	uint64_t value = 0;
	unsigned int shift = 0;
	uint8_t byte;

	do {
		byte = read_fixed(reader, 1);
		if (shift >= 64) {
			reader->failed = true;
			return 0;
		}
		value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return is_signed && shift < 64 ? sign_extend(value, shift) : value;
}

static uint64_t read_format(struct reader *reader, int encoding)
{
	switch (encoding & ENCODING_FORMAT) {
	case 0x0: /* absptr */
	case 0x4: /* udata8 */
	case 0xc: /* sdata8 */
		return read_fixed(reader, 8);
	case 0x1:
		return read_leb128(reader, false);
	case 0x2:
		return read_fixed(reader, 2);
	case 0x3:
		return read_fixed(reader, 4);
	case 0x9:
		return read_leb128(reader, true);
	case 0xa:
		return sign_extend(read_fixed(reader, 2), 16);
	case 0xb:
		return sign_extend(read_fixed(reader, 4), 32);
	default:
		reader->failed = true;
		return 0;
	}
}

static uint64_t read_encoded(struct reader *reader, int encoding)
{
	uint64_t place = reader->span->vaddr + reader->at;
	uint64_t value = read_format(reader, encoding);

	if ((encoding & ENCODING_BASE) == ENCODING_PCREL)
		return value + place;
	if ((encoding & ENCODING_BASE) != ENCODING_ABSPTR)
		reader->failed = true;
	return value;
}

/* The record at offset at. False when there is no whole one; a zero length has end == id_at. */
static bool read_record(const struct elf_span *span, size_t at, struct record *out)
{
	struct reader reader = { .span = span, .at = at, .end = span->size };
	uint64_t length = read_fixed(&reader, 4);

	if (length == UINT32_MAX)
		length = read_fixed(&reader, 8);
	if (reader.failed || length > span->size - reader.at)
		return false;
	out->id_at = reader.at;
	out->end = reader.at + length;
	out->id = 0;
	if (length) {
		out->id = read_fixed(&reader, 4); /* four bytes in .eh_frame, whatever the length */
		if (length < 4)
			return false;
	}
	out->body_at = reader.at;
	return true;
}

static void skip_personality(struct reader *reader)
{
	int encoding = read_fixed(reader, 1);

	if (encoding == ENCODING_OMIT)
		return;
	if ((encoding & ENCODING_BASE) == ENCODING_ALIGNED)
		reader->at += -(reader->span->vaddr + reader->at) & 7;
	(void)read_format(reader, encoding);
}

/* The 'R' letter of a CIE's augmentation, which the letters before it stand in the way of. */
static int read_encoding(struct reader *reader, const char *letters)
{
	if (*letters != 'z')
		return *letters ? -ENOTSUP : ENCODING_ABSPTR;
	(void)read_leb128(reader, false);
	while (*++letters) {
		switch (*letters) {
		case 'R':
			return read_fixed(reader, 1);
		case 'L':
			(void)read_fixed(reader, 1);
			break;
		case 'P':
			skip_personality(reader);
			break;
		case 'S': /* signal frame */
		case 'B': /* AArch64's, for completeness */
			break;
		default:
			return -ENOTSUP;
		}
	}
	return ENCODING_ABSPTR;
}

/* How the FDEs of this CIE encode addresses, or -ENOTSUP. */
static int parse_cie(const struct elf_span *span, size_t at)
{
	char letters[AUGMENTATION_MAX];
	struct reader reader = { .span = span };
	struct record record;
	size_t length = 0;
	unsigned int version;
	int encoding;

	if (!read_record(span, at, &record) || record.end == record.id_at || record.id)
		return -ENOTSUP;
	reader.at = record.body_at;
	reader.end = record.end;
	version = read_fixed(&reader, 1);
	do {
		letters[length] = (char)read_fixed(&reader, 1);
	} while (letters[length] && ++length < sizeof(letters));
	if (length == sizeof(letters))
		return -ENOTSUP;
	if (version == 4)
		(void)read_fixed(&reader, 2); /* sizes of an address and of a segment selector */
	(void)read_leb128(&reader, false);    /* code alignment */
	(void)read_leb128(&reader, true);     /* data alignment */
	if (version == 1)
		(void)read_fixed(&reader, 1); /* return address column */
	else
		(void)read_leb128(&reader, false);
	encoding = read_encoding(&reader, letters);
	return reader.failed ? -ENOTSUP : encoding;
}

/* Adds the range of one FDE; one that makes no sense is passed over. */
static void add_fde(struct walk *walk, const struct record *record)
{
	struct reader reader = { .span = &walk->span, .at = record->body_at, .end = record->end };
	uint64_t addr, size;
	size_t cie_at;

	if (record->id > record->id_at)
		return;
	cie_at = record->id_at - record->id;
	if (!walk->has_cie || walk->cie_at != cie_at) {
		walk->has_cie = true;
		walk->cie_at = cie_at;
		walk->cie_encoding = parse_cie(&walk->span, cie_at);
	}
	if (walk->cie_encoding < 0)
		return;
	addr = read_encoded(&reader, walk->cie_encoding);
	size = read_format(&reader, walk->cie_encoding);
	if (!reader.failed && size && elf_code_load(walk->file, addr, size))
		walk->found[walk->count++] = (struct elf_function){ addr, size };
}

static void walk_records(struct walk *walk)
{
	struct record record;

	for (size_t at = 0; read_record(&walk->span, at, &record); at = record.end)
		if (record.id)
			add_fde(walk, &record);
}

static int frames_from_section(const struct elf_file *file, struct elf_span *out)
{
	Elf_Scn *section = elf_section_find(file, ".eh_frame");
	Elf_Data *data = elf_section_data(section);
	GElf_Shdr header;

	if (!data || !gelf_getshdr(section, &header))
		return -ENOENT;
	*out = (struct elf_span){ data->d_buf, data->d_size, header.sh_addr };
	return 0;
}

/* Without section headers: PT_GNU_EH_FRAME's header points at .eh_frame, which then is taken to
 * run to the end of its segment (what follows it does not parse, or points at no code). */
static int frames_from_header(const struct elf_file *file, struct elf_span *out)
{
	struct elf_span span = { 0 };
	struct reader reader = { .span = &span, .at = 4 };
	const struct elf_load *load;
	GElf_Phdr header;
	uint64_t vaddr;

	if (elf_segment_find(file, PT_GNU_EH_FRAME, 0, &header))
		return -ENOENT;
	span.bytes = elf_file_bytes(file, header.p_vaddr, header.p_filesz);
	span.vaddr = header.p_vaddr;
	reader.end = header.p_filesz;
	if (!span.bytes || header.p_filesz < 4 || span.bytes[0] != 1)
		return -ENOENT;
	vaddr = read_encoded(&reader, span.bytes[1]);
	load = elf_backed_load(file, vaddr, 1);
	if (reader.failed || !load)
		return -ENOENT;
	*out = (struct elf_span){ file->bytes + load->offset + (vaddr - load->vaddr),
				  load->filesz - (vaddr - load->vaddr), vaddr };
	return 0;
}

static int compare_functions(const void *left, const void *right)
{
	const struct elf_function *a = left, *b = right;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	return 0;
}

static size_t sort_unique(struct elf_function *functions, size_t count)
{
	size_t kept = 0;

	if (!count)
		return 0;
	qsort(functions, count, sizeof(*functions), compare_functions);
	for (size_t i = 1; i < count; i++)
		if (compare_functions(&functions[kept], &functions[i]))
			functions[++kept] = functions[i];
	return kept + 1;
}

static int collect_frames(const struct elf_file *file, struct elf_cache *cache)
{
	struct walk walk = { .file = file };
	int err = frames_from_section(file, &walk.span);

	if (err)
		err = frames_from_header(file, &walk.span);
	if (err)
		return err;
	walk.found = malloc((walk.span.size / FDE_MIN + 1) * sizeof(*walk.found));
	if (!walk.found)
		return -ENOMEM;
	walk_records(&walk);
	cache->functions = walk.found;
	cache->function_count = sort_unique(walk.found, walk.count);
	cache->functions_ready = true;
	return 0;
}

int elf_file_functions(const struct elf_file *file, struct elf_function **out, size_t *count)
{
	int err = file->cache->functions_ready ? 0 : collect_frames(file, file->cache);

	*out = err ? NULL : file->cache->functions;
	*count = err ? 0 : file->cache->function_count;
	return err;
}
