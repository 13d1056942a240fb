// SPDX-License-Identifier: MIT
#include "sink/tui_view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sink/sink.h"
#include "sink/tui_internal.h"

#define HEAD_LINES 4 /* the last of them is the state of the page */
#define FOOT_LINES 1

static const char *dot(const struct canvas *canvas)
{
	return canvas_utf8(canvas) ? " \xc2\xb7 " : " - ";
}

/* --- the head --------------------------------------------------------------------------------------- */

static void put_run(struct canvas *canvas, const struct tui_head *head)
{
	char text[2 * TUI_NUMBER_BYTES], uptime[TUI_NUMBER_BYTES], interval[TUI_NUMBER_BYTES];
	unsigned right;

	format_duration_short(head->interval_ns, interval, sizeof(interval));
	snprintf(text, sizeof(text), "every %s%s%s", interval, dot(canvas),
		 tui_age(head->uptime_ns, false, uptime));
	right = cell_width(text, canvas_utf8(canvas));
	canvas_put(canvas, STYLE_PLAIN, "genscope top  ");
	if (canvas_left(canvas) > right + 1)
		canvas_cell(canvas, STYLE_PLAIN, head->targets, canvas_left(canvas) - right - 1, 0);
	canvas_blanks(canvas, 1);
	canvas_put(canvas, STYLE_PLAIN, text);
	canvas_to(canvas, canvas_width(canvas));
	canvas_end(canvas, STYLE_BAR);
}

static void put_totals(struct canvas *canvas, const struct tui_data *data)
{
	static const struct {
		const char *word;
		uint8_t style;
	} states[STATE_COUNT] = { [STATE_CREATED] = { "created", STYLE_CREATED },
				  [STATE_RUNNING] = { "running", STYLE_RUNNING },
				  [STATE_SUSPENDED] = { "suspended", STYLE_SUSPENDED },
				  [STATE_CLOSED] = { "closed", STYLE_FAINT } };
	const struct top_totals *totals = &data->rows.totals;
	char text[TUI_NUMBER_BYTES];

	canvas_printf(canvas, STYLE_BOLD, "%s live", tui_count(totals->live, text));
	for (int state = STATE_CREATED; state < STATE_COUNT; state++) {
		canvas_put(canvas, STYLE_PLAIN, state == STATE_CREATED ? ": " : ", ");
		canvas_printf(canvas, totals->objects[state] ? states[state].style : STYLE_FAINT,
			      "%s %s", tui_count(totals->objects[state], text), states[state].word);
	}
	if (data->head.processes != 1)
		canvas_printf(canvas, STYLE_PLAIN, "%s%zu processes", dot(canvas),
			      data->head.processes);
	canvas_end(canvas, STYLE_PLAIN);
}

static void put_soundness(struct canvas *canvas, const struct tui_head *head)
{
	char text[TUI_NUMBER_BYTES];
	bool full = !*head->coverage;

	canvas_printf(canvas, STYLE_PLAIN, "%s transitions/s%s", tui_rate(head->event_rate, text),
		      dot(canvas));
	canvas_printf(canvas, head->lost ? STYLE_ALARM : STYLE_PLAIN, "lost %s",
		      tui_count(head->lost, text));
	canvas_put(canvas, STYLE_PLAIN, dot(canvas));
	canvas_printf(canvas, head->anomalies ? STYLE_ALARM : STYLE_PLAIN, "anomalies %s",
		      tui_count(head->anomalies, text));
	if (head->has_duty) {
		canvas_put(canvas, STYLE_PLAIN, dot(canvas));
		canvas_printf(canvas, head->probes_off ? STYLE_SUSPENDED : STYLE_PLAIN,
			      head->probes_off ? "probes off now, on %.0f%%" : "probes on %.0f%%",
			      head->duty * 100);
	}
	canvas_put(canvas, STYLE_PLAIN, dot(canvas));
	canvas_printf(canvas, full ? STYLE_PLAIN : STYLE_SUSPENDED, "coverage %s",
		      full ? "full" : head->coverage);
	canvas_end(canvas, STYLE_PLAIN);
}

/* What is special about what is seen: paused, filtered, in which order; else the last warning. */
static void put_condition(struct canvas *canvas, const struct tui_data *data,
			  const struct tui_state *state)
{
	char text[TUI_NUMBER_BYTES + 64];
	unsigned right;

	snprintf(text, sizeof(text), "%zu of %zu functions by %s%s", data->rows.count,
		 data->rows.all, name_of_top_sort(state->sort), state->reverse ? ", reversed" : "");
	right = state->page == TUI_TABLE ? (unsigned)strlen(text) : 0;
	if (state->paused) {
		canvas_put(canvas, STYLE_ALARM, "PAUSED");
		canvas_blanks(canvas, 1);
	}
	if (state->typing || *state->filter) {
		canvas_put(canvas, state->typing ? STYLE_BOLD : STYLE_NAME, "filter: ");
		canvas_printf(canvas, STYLE_NAME, "%s%s", state->filter, state->typing ? "_" : "");
		canvas_blanks(canvas, 1);
	}
	if (*data->head.warning && canvas_left(canvas) > right + 1)
		canvas_cell(canvas, STYLE_SUSPENDED, data->head.warning,
			    canvas_left(canvas) - right - 1, 0);
	if (canvas_left(canvas) > right)
		canvas_blanks(canvas, canvas_left(canvas) - right);
	if (right)
		canvas_put(canvas, STYLE_FAINT, text);
	canvas_end(canvas, STYLE_PLAIN);
}

/* --- the foot ---------------------------------------------------------------------------------------- */

struct hint {
	const char *key, *word;
};

/* The last of them go first where there is no room. */
static const struct hint table_hints[] = { { "q", "quit" },   { "Enter", "look into" },
					   { "/", "filter" }, { "s", "sort" },
					   { "p", "pause" },  { "h", "help" },
					   { "t", "totals" }, { "r", "reverse" },
					   { NULL, NULL } };
static const struct hint typing_hints[] = { { "Enter", "keep" },
					    { "Esc", "clear" },
					    { NULL, NULL } };
static const struct hint function_hints[] = { { "q", "quit" },   { "Esc", "back" },
					      { "l", "locals" }, { "p", "pause" },
					      { "h", "help" },   { "arrows", "scroll" },
					      { NULL, NULL } };
static const struct hint help_hints[] = { { "q", "quit" },
					  { "any other key", "back" },
					  { NULL, NULL } };

static void put_foot(struct canvas *canvas, struct tui_state *state,
		     const struct tui_extent *extent)
{
	const struct hint *hint = state->page == TUI_HELP     ? help_hints :
				  state->page == TUI_FUNCTION ? function_hints :
				  state->typing               ? typing_hints :
								table_hints;
	char more[64] = "";

	if (state->page != TUI_TABLE && extent->lines > extent->lines_seen)
		snprintf(more, sizeof(more), "lines %zu-%zu of %zu", *tui_scrolled(state) + 1,
			 *tui_scrolled(state) + extent->lines_seen, extent->lines);
	for (; hint->key; hint++) {
		if (canvas_left(canvas) < strlen(more) + strlen(hint->key) + strlen(hint->word) + 4)
			break;
		canvas_printf(canvas, STYLE_BOLD, " %s", hint->key);
		canvas_printf(canvas, STYLE_PLAIN, " %s ", hint->word);
	}
	if (canvas_left(canvas) > strlen(more))
		canvas_blanks(canvas, canvas_left(canvas) - (unsigned)strlen(more));
	canvas_put(canvas, STYLE_PLAIN, more);
	canvas_end(canvas, STYLE_BAR);
}

/* --- pages ------------------------------------------------------------------------------------------- */

static void put_too_small(struct canvas *canvas)
{
	char text[64];

	snprintf(text, sizeof(text), "terminal too small: %d%s%d or more", TUI_WIDTH_LEAST,
		 canvas_utf8(canvas) ? "\xc3\x97" : "x", TUI_HEIGHT_LEAST);
	canvas_put(canvas, STYLE_PLAIN, text);
	canvas_end(canvas, STYLE_PLAIN);
}

/* A page that may be longer than the screen. */
static int put_scrolled(struct canvas *canvas, const struct tui_data *data, struct tui_state *state,
			struct tui_extent *extent)
{
	struct canvas *page;
	int err = canvas_new(&page, canvas_width(canvas), canvas_utf8(canvas));

	if (err)
		return err;
	if (state->page == TUI_HELP)
		tui_help(page);
	else
		tui_function(page, data, state);
	extent->lines = canvas_count(page);
	tui_settle(state, &data->rows, extent);
	canvas_take(canvas, page, *tui_scrolled(state), extent->lines_seen);
	canvas_free(page);
	return 0;
}

static int put_page(struct canvas *canvas, const struct tui_data *data, struct tui_state *state,
		    unsigned height, struct tui_extent *extent)
{
	struct tui_extent seen = { .rows = data->rows.count,
				   .rows_seen = height - HEAD_LINES - FOOT_LINES - 1,
				   .lines_seen = height - HEAD_LINES - FOOT_LINES };
	int err = 0;

	if (state->page == TUI_FUNCTION && !data->function)
		state->page = TUI_TABLE;
	put_run(canvas, &data->head);
	put_totals(canvas, data);
	put_soundness(canvas, &data->head);
	put_condition(canvas, data, state);
	if (state->page == TUI_TABLE) {
		tui_settle(state, &data->rows, &seen);
		tui_table(canvas, data, state, seen.rows_seen);
	} else {
		err = put_scrolled(canvas, data, state, &seen);
	}
	while (canvas_count(canvas) < height - FOOT_LINES)
		canvas_end(canvas, STYLE_PLAIN);
	put_foot(canvas, state, &seen);
	*extent = seen;
	return err;
}

int tui_compose(const struct tui_data *data, struct tui_state *state, unsigned width,
		unsigned height, bool utf8, struct canvas **out, struct tui_extent *extent)
{
	struct canvas *canvas;
	int err = canvas_new(&canvas, width, utf8);

	*extent = (struct tui_extent){};
	if (err)
		return err;
	if (width < TUI_WIDTH_LEAST || height < TUI_HEIGHT_LEAST)
		put_too_small(canvas);
	else
		err = put_page(canvas, data, state, height, extent);
	if (!err)
		err = canvas_error(canvas);
	if (err) {
		canvas_free(canvas);
		return err;
	}
	*out = canvas;
	return 0;
}
