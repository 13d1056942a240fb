// SPDX-License-Identifier: MIT
#include "sink/cells.h"

#include <math.h>
#include <string.h>

#define WIDE_ENOUGH 80             /* columns of one cell, where the terminal sets no limit */
#define MARK        "\xe2\x80\xa6" /* … */
#define MARK_ASCII  ".."

struct range {
	uint32_t first, last;
};

/* Two columns: East Asian Wide and Fullwidth (EastAsianWidth.txt of the Unicode database). */
static const struct range wide[] = {
	{ 0x1100, 0x115f },   { 0x231a, 0x231b },   { 0x2329, 0x232a },   { 0x23e9, 0x23ec },
	{ 0x23f0, 0x23f0 },   { 0x23f3, 0x23f3 },   { 0x25fd, 0x25fe },   { 0x2614, 0x2615 },
	{ 0x2648, 0x2653 },   { 0x267f, 0x267f },   { 0x2693, 0x2693 },   { 0x26a1, 0x26a1 },
	{ 0x26aa, 0x26ab },   { 0x26bd, 0x26be },   { 0x26c4, 0x26c5 },   { 0x26ce, 0x26ce },
	{ 0x26d4, 0x26d4 },   { 0x26ea, 0x26ea },   { 0x26f2, 0x26f3 },   { 0x26f5, 0x26f5 },
	{ 0x26fa, 0x26fa },   { 0x26fd, 0x26fd },   { 0x2705, 0x2705 },   { 0x270a, 0x270b },
	{ 0x2728, 0x2728 },   { 0x274c, 0x274c },   { 0x274e, 0x274e },   { 0x2753, 0x2755 },
	{ 0x2757, 0x2757 },   { 0x2795, 0x2797 },   { 0x27b0, 0x27b0 },   { 0x27bf, 0x27bf },
	{ 0x2b1b, 0x2b1c },   { 0x2b50, 0x2b50 },   { 0x2b55, 0x2b55 },   { 0x2e80, 0x303e },
	{ 0x3041, 0x3247 },   { 0x3250, 0xa4c6 },   { 0xa960, 0xa97c },   { 0xac00, 0xd7a3 },
	{ 0xf900, 0xfad9 },   { 0xfe10, 0xfe19 },   { 0xfe30, 0xfe6b },   { 0xff01, 0xff60 },
	{ 0xffe0, 0xffe6 },   { 0x16fe0, 0x1b2fb }, { 0x1f004, 0x1f004 }, { 0x1f0cf, 0x1f0cf },
	{ 0x1f18e, 0x1f18e }, { 0x1f191, 0x1f19a }, { 0x1f200, 0x1f320 }, { 0x1f32d, 0x1f335 },
	{ 0x1f337, 0x1f37c }, { 0x1f37e, 0x1f393 }, { 0x1f3a0, 0x1f3ca }, { 0x1f3cf, 0x1f3d3 },
	{ 0x1f3e0, 0x1f3f0 }, { 0x1f3f4, 0x1f3f4 }, { 0x1f3f8, 0x1f43e }, { 0x1f440, 0x1f440 },
	{ 0x1f442, 0x1f4fc }, { 0x1f4ff, 0x1f53d }, { 0x1f54b, 0x1f54e }, { 0x1f550, 0x1f567 },
	{ 0x1f57a, 0x1f57a }, { 0x1f595, 0x1f596 }, { 0x1f5a4, 0x1f5a4 }, { 0x1f5fb, 0x1f64f },
	{ 0x1f680, 0x1f6c5 }, { 0x1f6cc, 0x1f6cc }, { 0x1f6d0, 0x1f6d2 }, { 0x1f6d5, 0x1f6df },
	{ 0x1f6eb, 0x1f6ec }, { 0x1f6f4, 0x1f6fc }, { 0x1f7e0, 0x1f7f0 }, { 0x1f90c, 0x1f93a },
	{ 0x1f93c, 0x1f945 }, { 0x1f947, 0x1f9ff }, { 0x1fa70, 0x1faf6 }, { 0x20000, 0x3134a },
};

/* None: marks that combine with what is before them (general categories Mn and Me of UnicodeData.txt), of
 * the scripts seen most, and joiners. */
static const struct range combining[] = {
	{ 0x0300, 0x036f },   { 0x0483, 0x0489 }, { 0x0591, 0x05bd }, { 0x05bf, 0x05bf },
	{ 0x05c1, 0x05c2 },   { 0x05c4, 0x05c5 }, { 0x0610, 0x061a }, { 0x064b, 0x065f },
	{ 0x0670, 0x0670 },   { 0x06d6, 0x06dc }, { 0x0900, 0x0902 }, { 0x093a, 0x093a },
	{ 0x093c, 0x093c },   { 0x0941, 0x0948 }, { 0x094d, 0x094d }, { 0x0951, 0x0957 },
	{ 0x0e31, 0x0e31 },   { 0x0e34, 0x0e3a }, { 0x0e47, 0x0e4e }, { 0x1160, 0x11ff },
	{ 0x1ab0, 0x1ace },   { 0x1dc0, 0x1dff }, { 0x200c, 0x200d }, { 0x20d0, 0x20f0 },
	{ 0x302a, 0x302d },   { 0x3099, 0x309a }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f },
	{ 0xe0100, 0xe01ef },
};

/* What no terminal should see: C1 controls, line separators, what orders text from right to left or is
 * invisible. */
static const struct range unsafe[] = {
	{ 0x80, 0x9f },     { 0xad, 0xad },     { 0x61c, 0x61c },     { 0x180e, 0x180e },
	{ 0x200b, 0x200b }, { 0x200e, 0x200f }, { 0x2028, 0x202e },   { 0x2060, 0x206f },
	{ 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f }, { 0xd800, 0xdfff },
};

#define IN(ranges, point) in_ranges(ranges, sizeof(ranges) / sizeof((ranges)[0]), point)

static bool in_ranges(const struct range *ranges, size_t count, uint32_t point)
{
	for (size_t i = 0; i < count; i++)
		if (point >= ranges[i].first && point <= ranges[i].last)
			return true;
	return false;
}

/* Decodes one character of well-formed UTF-8; 0 where it is malformed. */
static size_t decode(const unsigned char *text, uint32_t *point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = text[0] < 0xc2 ? 0 :
			text[0] < 0xe0 ? 2 :
			text[0] < 0xf0 ? 3 :
			text[0] < 0xf5 ? 4 :
					 0;

	if (!length)
		return 0;
	*point = text[0] & (0x7f >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80) /* the end of the text too */
			return 0;
		*point = *point << 6 | (text[i] & 0x3f);
	}
	return *point >= least[length] && *point <= 0x10ffff ? length : 0;
}

struct glyph {
	const char *bytes; /* what to write */
	unsigned size, columns;
};

/* The next character at *text, which moves on. */
static struct glyph next_glyph(const char **text, bool utf8)
{
	const char *at = *text;
	unsigned char c = (unsigned char)*at;
	uint32_t point = 0;
	size_t length;

	if (c < 0x80) {
		*text = at + 1;
		return (struct glyph){ c < 0x20 || c == 0x7f ? "?" : at, 1, 1 };
	}
	length = decode((const unsigned char *)at, &point);
	*text = at + (length ? length : 1);
	if (!length || !utf8 || IN(unsafe, point))
		return (struct glyph){ "?", 1, 1 };
	return (struct glyph){ at, (unsigned)length,
			       IN(combining, point) ? 0 :
			       IN(wide, point)      ? 2 :
						      1 };
}

unsigned cell_width(const char *text, bool utf8)
{
	unsigned width = 0;

	while (*text)
		width += next_glyph(&text, utf8).columns;
	return width;
}

unsigned cell_put(struct writer *writer, const char *text, bool utf8)
{
	unsigned width = 0;

	while (*text) {
		struct glyph glyph = next_glyph(&text, utf8);

		writer_put(writer, glyph.bytes, glyph.size);
		width += glyph.columns;
	}
	return width;
}

void cell_pad(struct writer *writer, unsigned columns)
{
	static const char blanks[] = "                                ";

	while (columns) {
		unsigned part = columns < sizeof(blanks) - 1 ? columns : sizeof(blanks) - 1;

		writer_put(writer, blanks, part);
		columns -= part;
	}
}

/* As much from its beginning as fits; returns its columns. */
static unsigned put_head(struct writer *writer, const char *text, unsigned width, bool utf8)
{
	unsigned used = 0;

	while (*text) {
		struct glyph glyph = next_glyph(&text, utf8);

		if (used + glyph.columns > width)
			break;
		writer_put(writer, glyph.bytes, glyph.size);
		used += glyph.columns;
	}
	return used;
}

/* Its end, where `full` columns are too many. */
static const char *skip_head(const char *text, unsigned full, unsigned width, bool utf8)
{
	while (*text && full > width)
		full -= next_glyph(&text, utf8).columns;
	return text;
}

static unsigned put_mark(struct writer *writer, bool utf8)
{
	writer_puts(writer, utf8 ? MARK : MARK_ASCII);
	return utf8 ? 1 : 2;
}

static unsigned put_cut(struct writer *writer, const char *text, unsigned full, unsigned width,
			bool left, bool utf8)
{
	unsigned mark = utf8 ? 1 : 2;

	if (width < mark)
		return put_head(writer, text, width, utf8);
	if (left) {
		put_mark(writer, utf8);
		return mark + cell_put(writer, skip_head(text, full, width - mark, utf8), utf8);
	}
	return put_head(writer, text, width - mark, utf8) + put_mark(writer, utf8);
}

/* What is left of a cell that is filled up to `used`, if it is not written. */
static unsigned pad(struct writer *writer, unsigned used, unsigned width, unsigned flags)
{
	unsigned left = used < width ? width - used : 0;

	if (flags & CELL_NO_PAD)
		return left;
	cell_pad(writer, left);
	return 0;
}

unsigned cell_put_in(struct writer *writer, const char *text, unsigned width, unsigned flags,
		     bool utf8)
{
	unsigned full = cell_width(text, utf8), used = full;

	if ((flags & CELL_RIGHT) && full < width) {
		cell_pad(writer, width - full);
		used = width;
	}
	if (full <= width || (flags & CELL_WHOLE))
		cell_put(writer, text, utf8);
	else
		used = put_cut(writer, text, full, width, flags & CELL_CUT_LEFT, utf8);
	return pad(writer, used, width, flags);
}

static char *line_suffix(uint32_t line, char out[16])
{
	char *end = out;

	if (line) {
		*end++ = ':';
		end = put_u64(end, line);
	}
	*end = 0;
	return out;
}

unsigned cell_place_width(const char *path, uint32_t line, bool utf8)
{
	char suffix[16];

	return cell_width(path, utf8) + (unsigned)strlen(line_suffix(line, suffix));
}

static unsigned put_short_path(struct writer *writer, const char *path, unsigned full,
			       unsigned width, bool utf8)
{
	unsigned mark = utf8 ? 1 : 2, columns = full;
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

	for (const char *at = path; *at;) { /* …/app/worker.py */
		if (*at == '/' && columns + mark <= width) {
			put_mark(writer, utf8);
			return mark + cell_put(writer, at, utf8);
		}
		columns -= next_glyph(&at, utf8).columns;
	}
	columns = cell_width(base, utf8);
	if (columns <= width) /* worker.py */
		return cell_put(writer, base, utf8);
	return put_cut(writer, base, columns, width, true, utf8);
}

unsigned cell_put_place(struct writer *writer, const char *path, uint32_t line, unsigned width,
			unsigned flags, bool utf8)
{
	char suffix[16];
	unsigned used = cell_width(path, utf8);
	unsigned tail = (unsigned)strlen(line_suffix(line, suffix));

	if (used + tail <= width || (flags & CELL_WHOLE))
		cell_put(writer, path, utf8);
	else
		used = put_short_path(writer, path, used, width > tail ? width - tail : 1, utf8);
	writer_puts(writer, suffix);
	return pad(writer, used + tail, width, flags);
}

unsigned cell_put_bar(struct writer *writer, double share, unsigned width, bool utf8)
{
	unsigned eighths = (unsigned)lround(share * width * 8), used = 0;

	if (!utf8)
		eighths = (eighths + 4) / 8 * 8;
	for (; eighths >= 8; eighths -= 8, used++)
		writer_puts(writer, utf8 ? "\xe2\x96\x88" : "#");
	if (eighths) {
		char part[] = { '\xe2', '\x96', (char)(0x90 - eighths), 0 };

		writer_puts(writer, part);
		used++;
	}
	return used;
}

const char *format_count(uint64_t count, char out[COUNT_BYTES])
{
	char digits[24], *in = digits, *end = put_u64(digits, count), *to = out;

	while (in < end) {
		if (in > digits && (end - in) % 3 == 0)
			*to++ = ' ';
		*to++ = *in++;
	}
	*to = 0;
	return out;
}

void columns_fit(struct column *columns, size_t count, unsigned total)
{
	unsigned sum = 0;

	for (size_t i = 0; i < count; i++) {
		struct column *column = &columns[i];
		unsigned title = (unsigned)strlen(column->title);

		if (!column->width)
			continue;
		if (!total && column->least && column->width > WIDE_ENOUGH)
			column->width = WIDE_ENOUGH;
		if (!total)
			column->flags |= CELL_WHOLE;
		if (column->width < title)
			column->width = title;
		sum += column->width + !!sum;
	}
	while (total && sum > total) {
		struct column *widest = NULL;

		for (size_t i = 0; i < count; i++)
			if (columns[i].least && columns[i].width > columns[i].least &&
			    (!widest || columns[i].width > widest->width))
				widest = &columns[i];
		if (!widest)
			break;
		widest->width--;
		sum--;
	}
}

void columns_put_header(const struct ps_view *view, const struct column *columns, size_t count)
{
	unsigned owed = 0; /* blanks, once something follows */

	writer_puts(view->writer, view->style.color ? "\033[1m" : "");
	for (size_t i = 0; i < count; i++) {
		if (!columns[i].width)
			continue;
		cell_pad(view->writer, owed);
		owed = 1 + cell_put_in(view->writer, columns[i].title, columns[i].width,
				       columns[i].flags | CELL_NO_PAD, false);
	}
	writer_puts(view->writer, view->style.color ? "\033[0m\n" : "\n");
}
