// SPDX-License-Identifier: MIT
#include "sink/tui_internal.h"

/* Fits into 60 columns, and into 24 lines with the head and foot of the page. */
void tui_help(struct canvas *canvas)
{
	static const struct {
		const char *key, *text;
	} lines[] = {
		{ "up down j k", "move; PgUp PgDn Home End as well" },
		{ "Enter", "look into a function: where it waits, how long" },
		{ "Esc", "back; on the table: show all functions" },
		{ "/", "show only names and files with what you type" },
		{ "s > <", "sort by the next column, or the one before" },
		{ "r", "reverse the order" },
		{ "t", "TRANS and RUN P99 since the start, or just now" },
		{ "l", "in a function: with the locals of the oldest" },
		{ "p space", "pause what is shown; probes stay" },
		{ "q Ctrl-C", "quit" },
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		canvas_blanks(canvas, 1);
		canvas_cell(canvas, STYLE_BOLD, lines[i].key, 12, 0);
		canvas_put(canvas, STYLE_PLAIN, lines[i].text);
		canvas_end(canvas, STYLE_PLAIN);
	}
	canvas_put(canvas, STYLE_PLAIN, " LIVE objects: CREated, RUNning, SUSPended (not CLOsed)");
	canvas_end(canvas, STYLE_PLAIN);
	canvas_put(canvas, STYLE_PLAIN, " TRANS/S   state changes a second");
	canvas_end(canvas, STYLE_PLAIN);
	canvas_put(canvas, STYLE_PLAIN, " RUN P99   99 of 100 steps took no longer");
	canvas_end(canvas, STYLE_PLAIN);
	canvas_put(canvas, STYLE_PLAIN, " OLDEST    suspended so long; > at least: since we look");
	canvas_end(canvas, STYLE_PLAIN);
}
