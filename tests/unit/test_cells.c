/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "paper.h"
#include "sink/cells.h"

/*
 * Columns of a terminal. How wide a character is, and what is UTF-8 at all, the C library says
 * (wcwidth(), mbstowcs()).
 */

static void use_utf8(void)
{
	cr_assert(setlocale(LC_CTYPE, "C.UTF-8"), "there is no C.UTF-8 here");
}

/* Its columns, -1 when it is no text for a terminal. */
static int real_width(const char *text)
{
	wchar_t wide[4096];
	size_t count = mbstowcs(wide, text, sizeof(wide) / sizeof(wide[0]));

	return count == (size_t)-1 ? -1 : wcswidth(wide, count);
}

Test(cells, have_the_width_of_the_c_library)
{
	static const struct {
		wchar_t first, last;
	} ranges[] = { { 0x20, 0x7e },      { 0xa1, 0xac },       { 0xae, 0x377 },
		       { 0x384, 0x52f },    { 0x5d0, 0x5ea },     { 0x904, 0x939 },
		       { 0xe01, 0xe4e },    { 0x1100, 0x11ff },   { 0x2010, 0x2027 },
		       { 0x20d0, 0x20f0 },  { 0x2190, 0x27bf },   { 0x2e80, 0x2fd5 },
		       { 0x3000, 0x3029 },  { 0x3041, 0x3096 },   { 0x30a0, 0x31e3 },
		       { 0x3400, 0xa48c },  { 0xac00, 0xd7a3 },   { 0xf900, 0xfa6d },
		       { 0xff01, 0xffe6 },  { 0x1d400, 0x1d7cb }, { 0x1f300, 0x1f6c5 },
		       { 0x20000, 0x2a6d6 } };
	unsigned checked = 0;

	use_utf8();
	for (size_t r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++)
		for (wchar_t c = ranges[r].first; c <= ranges[r].last; c++) {
			char text[MB_LEN_MAX + 1] = "";
			int width = wcwidth(c);

			if (width < 0)
				continue; /* not assigned */
			cr_assert_gt(wctomb(text, c), 0);
			cr_expect_eq(cell_width(text, true), (unsigned)width, "U+%04X: %u, not %d",
				     (unsigned)c, cell_width(text, true), width);
			cr_expect_eq(cell_width(text, false), 1, "a ? without UTF-8");
			checked++;
		}
	cr_expect_gt(checked, 80000u);
}

static const char *written(struct paper *paper, const char *text, bool utf8)
{
	unsigned width = cell_width(text, utf8);

	paper_clear(paper);
	cr_expect_eq(cell_put(&paper->writer, text, utf8), width);
	return paper_text(paper);
}

Test(cells, let_no_command_through)
{
	static const char *const hostile[][2] = {
		{ "a\033[2Jb", "a?[2Jb" },
		{ "\033]0;title\007", "?]0;title?" },
		{ "a\nb\rc\td\177", "a?b?c?d?" },
		{ "\xc2\x9b"
		  "31m",
		  "?31m" },                                        /* U+009B, CSI */
		{ "\x9b", "?" },                                   /* the same in eight bits */
		{ "\xe2\x80\xae evil", "? evil" },                 /* right-to-left override */
		{ "\xe2\x81\xa6\xe2\x80\x8b\xef\xbb\xbf", "???" }, /* isolate, no space, BOM */
		{ "\xc0\x9b\xe0\x80\x9b", "?????" },               /* overlong */
		{ "\xed\xa0\x80\xf4\x90\x80\x80", "?????" },       /* a surrogate; beyond Unicode */
		{ "caf\xc3\xa9\xc3", "caf\xc3\xa9?" },             /* cut at the end */
	};
	struct paper paper;

	paper_open(&paper, &sink_text, false);
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++)
		cr_expect_str_eq(written(&paper, hostile[i][0], true), hostile[i][1], "%zu: %s", i,
				 paper.text);
	cr_expect_str_eq(written(&paper, "caf\xc3\xa9 \xe4\xb8\xad\xff", false), "caf? ??");
	paper_close(&paper);
}

Test(cells, write_printable_utf8_whatever_comes)
{
	uint64_t state = 88172645463325252;
	struct paper paper;

	use_utf8();
	paper_open(&paper, &sink_text, false);
	for (int round = 0; round < 20000; round++) {
		char text[24] = "";
		const char *out;

		for (size_t i = 0; i < sizeof(text) - 1; i++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			text[i] = (char)(1 + (state >> 20) % 255);
		}
		out = written(&paper, text, round & 1);
		for (const char *c = out; *c; c++)
			cr_assert((unsigned char)*c >= 0x20 && *c != 0x7f);
		cr_assert_neq(mbstowcs(NULL, out, 0), (size_t)-1, "not UTF-8");
		cr_assert_null(strstr(out, "\xc2\x9b"));
	}
	paper_close(&paper);
}

static const char *cell(struct paper *paper, const char *text, unsigned width, unsigned flags,
			bool utf8)
{
	paper_clear(paper);
	cell_put_in(&paper->writer, text, width, flags, utf8);
	return paper_text(paper);
}

Test(cells, are_cut_and_padded)
{
	struct paper paper;

	paper_open(&paper, &sink_text, false);
	cr_expect_str_eq(cell(&paper, "worker", 8, 0, true), "worker  ");
	cr_expect_str_eq(cell(&paper, "worker", 8, CELL_RIGHT, true), "  worker");
	cr_expect_str_eq(cell(&paper, "worker", 8, CELL_NO_PAD, true), "worker");
	cr_expect_str_eq(cell(&paper, "worker", 6, 0, true), "worker");
	cr_expect_str_eq(cell(&paper, "worker", 5, 0, true), "work\xe2\x80\xa6");
	cr_expect_str_eq(cell(&paper, "worker", 5, 0, false), "wor..");
	cr_expect_str_eq(cell(&paper, "worker", 5, CELL_CUT_LEFT, true), "\xe2\x80\xa6rker");
	cr_expect_str_eq(cell(&paper, "worker", 5, CELL_CUT_LEFT, false), "..ker");
	cr_expect_str_eq(cell(&paper, "worker", 5, CELL_WHOLE, false), "worker");
	cr_expect_str_eq(cell(&paper, "", 2, 0, false), "  ");
	/* two wide characters do not fit into four columns with the mark: one, and a blank */
	cr_expect_str_eq(cell(&paper, "\xe4\xb8\xad\xe6\x96\x87\xe5\xad\x97", 4, 0, true),
			 "\xe4\xb8\xad\xe2\x80\xa6 ");
	paper_close(&paper);
}

Test(cells, take_exactly_their_columns)
{
	static const char *const texts[] = { "",
					     "a",
					     "TaskGroup.__aexit__",
					     "\xe4\xb8\xad\xe6\x96\x87\xe5\xad\x97\xe4\xb8\xad",
					     "e\xcc\x81\xe4\xb8\xad.caf\xc3\xa9",
					     "\033[31mred\xff\xfe",
					     "\xf0\x9f\x90\x8d\xf0\x9f\x90\x8d snake" };
	struct paper paper;

	use_utf8();
	paper_open(&paper, &sink_text, false);
	for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++)
		for (unsigned width = 1; width < 30; width++)
			for (unsigned flags = 0; flags < 8; flags++) {
				unsigned left;
				int real;

				paper_clear(&paper);
				left = cell_put_in(&paper.writer, texts[t], width, flags, true);
				real = real_width(paper_text(&paper));
				cr_expect_eq(real + (int)left, (int)width, "%s in %u: %d + %u",
					     texts[t], width, real, left);
				cr_expect(left == 0 || flags & CELL_NO_PAD);
			}
	paper_close(&paper);
}

static const char *place(struct paper *paper, const char *path, uint32_t line, unsigned width,
			 bool utf8)
{
	paper_clear(paper);
	cell_put_place(&paper->writer, path, line, width, 0, utf8);
	return paper_text(paper);
}

Test(cells, shorten_paths_from_the_left)
{
	const char *path = "/srv/app/web/handlers.py";
	struct paper paper;

	paper_open(&paper, &sink_text, false);
	cr_expect_eq(cell_place_width(path, 42, true), 27);
	cr_expect_eq(cell_place_width(path, 0, true), 24);
	cr_expect_str_eq(place(&paper, path, 42, 29, true), "/srv/app/web/handlers.py:42  ");
	cr_expect_str_eq(place(&paper, path, 42, 27, true), "/srv/app/web/handlers.py:42");
	cr_expect_str_eq(place(&paper, path, 0, 24, true), "/srv/app/web/handlers.py");
	cr_expect_str_eq(place(&paper, path, 42, 26, true),
			 "\xe2\x80\xa6/app/web/handlers.py:42  ");
	cr_expect_str_eq(place(&paper, path, 42, 24, true), "\xe2\x80\xa6/app/web/handlers.py:42");
	cr_expect_str_eq(place(&paper, path, 42, 23, true), "\xe2\x80\xa6/web/handlers.py:42   ");
	cr_expect_str_eq(place(&paper, path, 42, 23, false), "../web/handlers.py:42  ");
	cr_expect_str_eq(place(&paper, path, 42, 16, true), "\xe2\x80\xa6/handlers.py:42");
	cr_expect_str_eq(place(&paper, path, 42, 15, true), "handlers.py:42 ");
	cr_expect_str_eq(place(&paper, path, 42, 13, true), "\xe2\x80\xa6"
							    "ndlers.py:42");
	cr_expect_str_eq(place(&paper, path, UINT32_MAX, 12, true), "\xe2\x80\xa6:4294967295");
	cr_expect_str_eq(place(&paper, "<string>", 1, 12, true), "<string>:1  ");
	cr_expect_str_eq(place(&paper, "", 7, 4, true), ":7  ");
	paper_close(&paper);
}

Test(cells, count_in_groups_of_three)
{
	static const struct {
		uint64_t count;
		const char *text;
	} counts[] = { { 0, "0" },
		       { 7, "7" },
		       { 999, "999" },
		       { 1000, "1 000" },
		       { 99999, "99 999" },
		       { 123456, "123 456" },
		       { 1000000, "1 000 000" },
		       { UINT64_MAX, "18 446 744 073 709 551 615" } };
	char out[COUNT_BYTES];

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		cr_expect_str_eq(format_count(counts[i].count, out), counts[i].text);
}

Test(columns, share_what_there_is)
{
	struct column natural[] = { { .title = "ID", .width = 3 },
				    { .title = "NONE", .least = 5 },
				    { .title = "FUNCTION", .width = 40, .least = 12 },
				    { .title = "WHERE", .width = 30, .least = 12 },
				    { .title = "TASK", .width = 2, .least = 6 } };
	size_t count = sizeof(natural) / sizeof(natural[0]);

	for (unsigned total = 0; total < 120; total++) {
		struct column columns[5];
		unsigned sum = 0;

		memcpy(columns, natural, sizeof(columns));
		columns_fit(columns, count, total);
		cr_expect_eq(columns[0].width, 3);
		cr_expect_eq(columns[1].width, 0, "an empty column stays out");
		cr_expect_eq(columns[4].width, 4, "its title's width");
		for (size_t i = 0; i < count; i++)
			sum += columns[i].width;
		/* 3 + 40 + 30 + 4 and three blanks between them; 12 is the least of the wide ones */
		if (!total || total >= 80)
			cr_expect_eq(sum + 3, 80, "%u", total);
		else if (total >= 3 + 12 + 12 + 4 + 3)
			cr_expect_eq(sum + 3, total, "%u", total);
		else
			cr_expect_eq(sum, 3 + 12 + 12 + 4);
		if (total && total < 70)
			cr_expect_leq(abs((int)columns[2].width - (int)columns[3].width), 1,
				      "the widest yields");
	}
}
