/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_CANVAS_H
#define GENSCOPE_SINK_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Lines of a screen before they are drawn: text in columns, each piece with a style. Nothing of a target can reach
 * the terminal as a command (cells.h), and no line is wider than the canvas: what does not fit is cut.
 * Knows no terminal. Memory that is missing is remembered (canvas_error), not reported at each step.
 */

enum style {
	STYLE_PLAIN,
	STYLE_BOLD,
	STYLE_FAINT,
	STYLE_TITLE,  /* of columns */
	STYLE_SORTED, /* of the column that rows are sorted by */
	STYLE_NAME,
	STYLE_CREATED,
	STYLE_RUNNING,
	STYLE_SUSPENDED,
	STYLE_WORST, /* of its kind on this page */
	STYLE_ALARM,
	STYLE_SELECTED, /* of a whole line */
	STYLE_BAR,      /* of a whole line: head and foot of a page */
	STYLE_COUNT,
};

struct canvas_piece {
	unsigned column;
	size_t begin; /* of its text within the line's, up to the next one's */
	uint8_t style;
};

#define CANVAS_PIECES_MAX 64 /* of a line; more go into the last one's style */

struct canvas_line {
	char *text; /* UTF-8 */
	struct canvas_piece *pieces;
	unsigned piece_count;
	unsigned columns; /* used */
	uint8_t style;    /* of the whole line; STYLE_PLAIN: each piece has its own */
};

struct canvas;
int canvas_new(struct canvas **out, unsigned width, bool utf8); /* -ENOMEM */
void canvas_free(struct canvas *canvas);                        /* NULL is fine */
int canvas_error(const struct canvas *canvas);                  /* 0 or -ENOMEM */

unsigned canvas_width(const struct canvas *canvas);
bool canvas_utf8(const struct canvas *canvas);
unsigned canvas_left(const struct canvas *canvas); /* columns of the line that is being written */

/* Appends to the line. */
void canvas_put(struct canvas *canvas, uint8_t style, const char *text);
void canvas_printf(struct canvas *canvas, uint8_t style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* As cell_put_in() and cell_put_place(), `flags` are enum cell_flags. */
void canvas_cell(struct canvas *canvas, uint8_t style, const char *text, unsigned width,
		 unsigned flags);
void canvas_place(struct canvas *canvas, uint8_t style, const char *path, uint32_t line,
		  unsigned width);
void canvas_bar(struct canvas *canvas, uint8_t style, double share, unsigned width);
void canvas_blanks(struct canvas *canvas, unsigned columns);
void canvas_to(struct canvas *canvas, unsigned column); /* blanks up to there */

/* The line is complete. */
void canvas_end(struct canvas *canvas, uint8_t style);

size_t canvas_count(const struct canvas *canvas);
const struct canvas_line *canvas_line(const struct canvas *canvas, size_t at);

/* Moves the lines [first, first + count) of another canvas, as many of them as there are, to the end of this
 * one; they are empty there afterwards. */
void canvas_take(struct canvas *canvas, struct canvas *from, size_t first, size_t count);

#endif
