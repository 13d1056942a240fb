/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_TUI_INTERNAL_H
#define GENSCOPE_SINK_TUI_INTERNAL_H

/* What the tui_*.c files share; nobody else includes it. */

#include "sink/cells.h"
#include "sink/tui_view.h"

#define TUI_NUMBER_BYTES COUNT_BYTES

/* "99 999", "123k", "4.56M": five digits are shown as they are. Return out. */
const char *tui_count(uint64_t count, char out[TUI_NUMBER_BYTES]);
/* The same per second: "0.4", "12.3", "4 567". */
const char *tui_rate(double rate, char out[TUI_NUMBER_BYTES]);
/* "12.3 ms", "45.1 s", "12m03s", "5h07m", "3d04h"; with > before it: at least. */
const char *tui_age(uint64_t ns, bool is_more, char out[TUI_NUMBER_BYTES]);
/* A duration, "-" of nothing. */
const char *tui_duration(uint64_t ns, char out[TUI_NUMBER_BYTES]);

const char *tui_kind(uint8_t kind); /* "coro" */

/* The titles of the columns and `height` rows from state->first on. */
void tui_table(struct canvas *canvas, const struct tui_data *data, const struct tui_state *state,
	       size_t height);
/* All of a function's page, however long. */
void tui_function(struct canvas *canvas, const struct tui_data *data,
		  const struct tui_state *state);
void tui_help(struct canvas *canvas);

#endif
