/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_TUI_STATE_H
#define GENSCOPE_SINK_TUI_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/top.h"

/*
 * What the user of `top` looks at, and what keys make of it. Pure: no terminal, no clock.
 */

/* Characters are themselves, as Unicode has them; keys without one lie above. */
enum tui_key {
	TUI_KEY_NONE = 0,
	TUI_KEY_ENTER = '\n',
	TUI_KEY_ESCAPE = 27,
	TUI_KEY_UP = 0x110000,
	TUI_KEY_DOWN,
	TUI_KEY_LEFT,
	TUI_KEY_RIGHT,
	TUI_KEY_PAGE_UP,
	TUI_KEY_PAGE_DOWN,
	TUI_KEY_HOME,
	TUI_KEY_END,
	TUI_KEY_BACKSPACE,
	TUI_KEY_REDRAW, /* Ctrl-L */
};

enum tui_page { TUI_TABLE, TUI_FUNCTION, TUI_HELP };

#define TUI_FILTER_BYTES 64

struct tui_state {
	enum tui_page page, behind_help;
	enum top_sort sort;
	bool reverse, totals;
	char filter[TUI_FILTER_BYTES]; /* UTF-8 */
	bool typing;                   /* of the filter */
	bool paused, locals, quit;
	size_t cursor, first;  /* row of the table under the cursor; that at its top */
	uint32_t under_cursor; /* number of that row, once the cursor has moved from the first */
	uint32_t function;     /* number of the row that TUI_FUNCTION shows */
	size_t scrolled, help_scrolled; /* lines of those pages above the screen */
};

/* How much there is, and how much of it is seen at once. */
struct tui_extent {
	size_t rows, rows_seen;   /* of the table */
	size_t lines, lines_seen; /* of a page that is no table */
};

/* Of the page that is shown, which is no table. */
size_t *tui_scrolled(struct tui_state *state);

struct top_order tui_order(const struct tui_state *state); /* borrows the filter */

/* Returns whether anything is to be drawn or read anew. `rows` are those of tui_order(). */
bool tui_on_key(struct tui_state *state, uint32_t key, const struct top_rows *rows,
		const struct tui_extent *extent);

/* After rows have changed: the cursor follows its function, unless it stands on the first row and so on
 * whatever is first; and both stay where something is. */
void tui_settle(struct tui_state *state, const struct top_rows *rows,
		const struct tui_extent *extent);

#endif
