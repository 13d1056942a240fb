/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "sink/canvas.h"
#include "sink/cells.h"

/* Lines that are no wider than they may be, and pieces that stand where their text does. */

static struct canvas *open_canvas(unsigned width, bool utf8)
{
	struct canvas *canvas;

	cr_assert_eq(canvas_new(&canvas, width, utf8), 0);
	return canvas;
}

/* As the C library counts. */
static unsigned columns_of(const char *text, size_t size)
{
	wchar_t wide[1024];
	char part[4096];
	size_t count;

	cr_assert(setlocale(LC_CTYPE, "C.UTF-8"));
	cr_assert_lt(size, sizeof(part));
	memcpy(part, text, size);
	part[size] = 0;
	count = mbstowcs(wide, part, 1024);
	cr_assert_neq(count, (size_t)-1, "no UTF-8: %s", part);
	return (unsigned)wcswidth(wide, count);
}

/* Each piece begins at the column that the text before it reaches. */
static void expect_sound(const struct canvas *canvas)
{
	for (size_t i = 0; i < canvas_count(canvas); i++) {
		const struct canvas_line *line = canvas_line(canvas, i);

		cr_expect_leq(line->columns, canvas_width(canvas));
		cr_expect_eq(columns_of(line->text, strlen(line->text)), line->columns, "'%s'",
			     line->text);
		for (unsigned p = 0; p < line->piece_count; p++)
			cr_expect_eq(columns_of(line->text, line->pieces[p].begin),
				     line->pieces[p].column, "piece %u of '%s'", p, line->text);
	}
}

static void expect_text(const struct canvas *canvas, size_t at, const char *expected)
{
	cr_assert_lt(at, canvas_count(canvas));
	cr_expect_str_eq(canvas_line(canvas, at)->text, expected, "line %zu: '%s'", at,
			 canvas_line(canvas, at)->text);
}

Test(canvas, cuts_what_does_not_fit)
{
	struct canvas *canvas = open_canvas(12, true);

	canvas_put(canvas, STYLE_BOLD, "all of");
	cr_expect_eq(canvas_left(canvas), 6);
	canvas_put(canvas, STYLE_PLAIN, " this line");
	cr_expect_eq(canvas_left(canvas), 0);
	canvas_put(canvas, STYLE_NAME, "more");
	canvas_end(canvas, STYLE_PLAIN);
	canvas_cell(canvas, STYLE_NAME, "a_long_name", 5, CELL_CUT_LEFT);
	canvas_cell(canvas, STYLE_PLAIN, "42", 4, CELL_RIGHT);
	canvas_cell(canvas, STYLE_PLAIN, "whole", 9, CELL_WHOLE);
	canvas_end(canvas, STYLE_SELECTED);
	canvas_end(canvas, STYLE_PLAIN);
	canvas_printf(canvas, STYLE_PLAIN, "%d%%", 99);
	canvas_to(canvas, 8);
	canvas_to(canvas, 2);
	canvas_put(canvas, STYLE_PLAIN, "x");
	canvas_end(canvas, STYLE_PLAIN);
	cr_assert_eq(canvas_count(canvas), 4);
	expect_text(canvas, 0, "all of this\xe2\x80\xa6");
	expect_text(canvas, 1, "\xe2\x80\xa6name  42wh\xe2\x80\xa6");
	expect_text(canvas, 2, "");
	expect_text(canvas, 3, "99%     x");
	cr_expect_eq(canvas_line(canvas, 0)->piece_count, 2);
	cr_expect_eq(canvas_line(canvas, 0)->pieces[0].style, STYLE_BOLD);
	cr_expect_eq(canvas_line(canvas, 0)->pieces[1].column, 6);
	cr_expect_eq(canvas_line(canvas, 1)->style, STYLE_SELECTED);
	expect_sound(canvas);
	cr_expect_eq(canvas_error(canvas), 0);
	canvas_free(canvas);
	canvas_free(NULL);
}

/* Two columns where only one is left, marks without a column, what is no text. */
Test(canvas, measures_characters)
{
	struct canvas *canvas = open_canvas(7, true);

	canvas_put(canvas, STYLE_PLAIN, "漢字漢字漢字");
	canvas_end(canvas, STYLE_PLAIN);
	canvas_cell(canvas, STYLE_NAME, "漢字", 3, 0);
	canvas_put(canvas, STYLE_BOLD, "e\xcc\x81|");
	canvas_put(canvas, STYLE_PLAIN, "\033[2J\n\x7f\xff");
	canvas_end(canvas, STYLE_PLAIN);
	expect_text(canvas, 0, "漢字漢\xe2\x80\xa6");
	expect_text(canvas, 1,
		    "漢\xe2\x80\xa6"
		    "e\xcc\x81|?\xe2\x80\xa6");
	expect_sound(canvas);
	canvas_free(canvas);
}

Test(canvas, has_no_byte_beyond_ascii_where_there_is_no_utf8)
{
	struct canvas *canvas = open_canvas(20, false);

	canvas_put(canvas, STYLE_PLAIN, "na\xc3\xafve ");
	canvas_bar(canvas, STYLE_PLAIN, 0.5, 6);
	canvas_cell(canvas, STYLE_PLAIN, "a long text", 8, 0);
	canvas_end(canvas, STYLE_PLAIN);
	expect_text(canvas, 0, "na?ve ###   a long..");
	expect_sound(canvas);
	canvas_free(canvas);
}

Test(canvas, has_places_and_bars)
{
	struct canvas *canvas = open_canvas(30, true);

	canvas_place(canvas, STYLE_FAINT, "/srv/app/worker.py", 123, 16);
	canvas_blanks(canvas, 1);
	canvas_bar(canvas, STYLE_RUNNING, 1, 4);
	canvas_put(canvas, STYLE_PLAIN, "|");
	canvas_place(canvas, STYLE_FAINT, "/srv/app/worker.py", 123456, 4);
	canvas_put(canvas, STYLE_PLAIN, "|");
	canvas_end(canvas, STYLE_PLAIN);
	expect_text(canvas, 0, "\xe2\x80\xa6/worker.py:123  ████|    |");
	expect_sound(canvas);
	canvas_free(canvas);
}

Test(canvas, has_pieces_without_end)
{
	struct canvas *canvas = open_canvas(400, true);

	for (int i = 0; i < 500; i++)
		canvas_put(canvas, i % 2 ? STYLE_BOLD : STYLE_PLAIN, "x");
	canvas_end(canvas, STYLE_PLAIN);
	cr_expect_eq(strlen(canvas_line(canvas, 0)->text), 400);
	cr_expect_eq(canvas_line(canvas, 0)->piece_count, CANVAS_PIECES_MAX);
	expect_sound(canvas);
	canvas_free(canvas);
}

/* More bytes than any buffer, in no column at all. */
Test(canvas, bears_text_without_a_width)
{
	struct canvas *canvas = open_canvas(10, true);
	char *marks = malloc(600001);

	for (int i = 0; i < 300000; i++)
		memcpy(marks + 2 * i, "\xcc\x81", 2);
	marks[600000] = 0;
	canvas_put(canvas, STYLE_PLAIN, "before ");
	canvas_cell(canvas, STYLE_BOLD, marks, 3, 0);
	canvas_end(canvas, STYLE_PLAIN);
	canvas_put(canvas, STYLE_PLAIN, "after");
	canvas_end(canvas, STYLE_PLAIN);
	cr_assert_eq(canvas_count(canvas), 2);
	cr_expect_leq(canvas_line(canvas, 0)->columns, 10);
	expect_text(canvas, 1, "after");
	canvas_free(canvas);
	free(marks);
}

Test(canvas, gives_lines_away)
{
	struct canvas *canvas = open_canvas(10, true), *page = open_canvas(10, true);

	for (int i = 0; i < 100; i++) {
		canvas_printf(page, STYLE_PLAIN, "%d", i);
		canvas_end(page, STYLE_PLAIN);
	}
	canvas_put(canvas, STYLE_PLAIN, "head");
	canvas_end(canvas, STYLE_PLAIN);
	canvas_take(canvas, page, 97, 50);
	canvas_take(canvas, page, 3, 2);
	canvas_take(canvas, page, 200, 2);
	cr_assert_eq(canvas_count(canvas), 6);
	expect_text(canvas, 1, "97");
	expect_text(canvas, 3, "99");
	expect_text(canvas, 5, "4");
	canvas_free(page);
	canvas_free(canvas);
}
