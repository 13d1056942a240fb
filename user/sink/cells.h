/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_CELLS_H
#define GENSCOPE_SINK_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sink/ps.h"
#include "sink/writer.h"

/*
 * Text of a target in the columns of a terminal. Nothing in it reaches the terminal as a command: control
 * characters, malformed bytes and what turns the direction of writing around come out as `?`, and without
 * UTF-8 everything beyond ASCII.
 */

/* The columns it takes. */
unsigned cell_width(const char *text, bool utf8);

/* Writes all of it; returns its columns. */
unsigned cell_put(struct writer *writer, const char *text, bool utf8);

/* Exactly `width` columns, cut or padded; returns those that CELL_NO_PAD left. */
enum cell_flags {
	CELL_CUT_LEFT = 1, /* its end matters more than its beginning */
	CELL_RIGHT = 2,    /* pad on the left */
	CELL_NO_PAD = 4,   /* the caller pads, if anything follows */
	CELL_WHOLE = 8,    /* pad, but do not cut */
};
unsigned cell_put_in(struct writer *writer, const char *text, unsigned width, unsigned flags,
		     bool utf8);

/* The same of "path:line" (line 0: without): directories go first when it has to be cut. */
unsigned cell_put_place(struct writer *writer, const char *path, uint32_t line, unsigned width,
			unsigned flags, bool utf8);
unsigned cell_place_width(const char *path, uint32_t line, bool utf8);

void cell_pad(struct writer *writer, unsigned columns);

/* A bar that takes `share` (0 to 1) of `width` columns, in eighths of a column where they can be drawn:
 * U+2588 is a full one, U+258F an eighth. Returns its columns. */
unsigned cell_put_bar(struct writer *writer, double share, unsigned width, bool utf8);

#define COUNT_BYTES 28
/* "12 345 678". Returns out. */
const char *format_count(uint64_t count, char out[COUNT_BYTES]);

struct column {
	const char *title;
	unsigned width; /* at first the widest cell, then what it gets; 0: the column is left out */
	unsigned least; /* may be shrunk to that; 0: may not */
	unsigned flags; /* of its cells */
};

/* Shares `total` columns of the terminal out (0: as many as it takes, within reason), one blank between
 * two. */
void columns_fit(struct column *columns, size_t count, unsigned total);
void columns_put_header(const struct ps_view *view, const struct column *columns, size_t count);

#endif
