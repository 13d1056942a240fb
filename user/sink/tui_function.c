// SPDX-License-Identifier: MIT
/*
 * The page of one function: where its objects wait, how long it ran and waited, who has waited longest.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sink/sink.h"
#include "sink/tui_internal.h"

#define INDENT        2
#define COUNT_WIDTH   6
#define DURATION      7 /* "1.23 ms" */
#define PLACE_BAR     10
#define RANGES        12 /* lines of a histogram */
#define PANE_LEAST    36 /* columns of a histogram, when two stand side by side */
#define LOCALS_INDENT 6
#define LINE_WIDTH    6
#define AGE_WIDTH     9
#define PLACES_SHOWN  10

static const char *dot(const struct canvas *canvas)
{
	return canvas_utf8(canvas) ? " \xc2\xb7 " : " - ";
}

static void put_heading(struct canvas *canvas, const char *text)
{
	canvas_end(canvas, STYLE_PLAIN);
	canvas_put(canvas, STYLE_TITLE, text);
}

/* --- what it is, and its states --------------------------------------------------------------------- */

static void put_title(struct canvas *canvas, const struct top_code *code)
{
	unsigned half = (canvas_width(canvas) - 6) / 2;
	unsigned name = cell_width(code->qualname, canvas_utf8(canvas));
	unsigned place = cell_place_width(code->file, code->first_line, canvas_utf8(canvas));

	canvas_printf(canvas, STYLE_FAINT, "%s ", tui_kind(code->kind));
	if (name + place > canvas_left(canvas) - 1 &&
	    name > half) /* the place may need less than its half */
		name = place < half ? canvas_left(canvas) - 1 - place : half;
	canvas_cell(canvas, STYLE_BOLD, code->qualname, name, CELL_CUT_LEFT);
	canvas_blanks(canvas, 1);
	if (place > canvas_left(canvas))
		place = canvas_left(canvas);
	canvas_place(canvas, STYLE_FAINT, code->file, code->first_line, place);
	canvas_end(canvas, STYLE_PLAIN);
}

static void put_states(struct canvas *canvas, const struct top_row *row)
{
	static const struct {
		const char *word;
		uint8_t style;
	} states[STATE_COUNT] = { [STATE_CREATED] = { "created", STYLE_CREATED },
				  [STATE_RUNNING] = { "running", STYLE_RUNNING },
				  [STATE_SUSPENDED] = { "suspended", STYLE_SUSPENDED },
				  [STATE_CLOSED] = { "closed", STYLE_FAINT } };
	char text[TUI_NUMBER_BYTES];

	for (int state = STATE_CREATED; state < STATE_COUNT; state++) {
		uint64_t count = row->objects[state];

		canvas_printf(canvas, count ? states[state].style : STYLE_FAINT, "%s%s %s",
			      state == STATE_CREATED ? "" : ", ", tui_count(count, text),
			      states[state].word);
	}
	if (row->oldest_ns)
		canvas_printf(canvas, STYLE_PLAIN, "%soldest %s", dot(canvas),
			      tui_age(row->oldest_ns, row->oldest_is_more, text));
	canvas_printf(canvas, STYLE_PLAIN, "%s%s transitions/s", dot(canvas),
		      tui_rate(row->rate, text));
	canvas_end(canvas, STYLE_PLAIN);
}

/* --- places ---------------------------------------------------------------------------------------- */

static void put_place(struct canvas *canvas, const struct top_place *place, uint64_t most)
{
	char text[TUI_NUMBER_BYTES];

	if (place->line)
		snprintf(text, sizeof(text), "%u", place->line);
	else
		snprintf(text, sizeof(text), "?");
	canvas_blanks(canvas, INDENT);
	canvas_cell(canvas, STYLE_PLAIN, text, LINE_WIDTH, CELL_RIGHT);
	canvas_blanks(canvas, 1);
	canvas_cell(canvas, STYLE_SUSPENDED, tui_count(place->count, text), COUNT_WIDTH,
		    CELL_RIGHT);
	canvas_blanks(canvas, 1);
	canvas_bar(canvas, STYLE_SUSPENDED, (double)place->count / (double)most, PLACE_BAR);
	canvas_blanks(canvas, 1);
	canvas_cell(canvas, STYLE_PLAIN, place->source, canvas_left(canvas), 0);
	canvas_end(canvas, STYLE_PLAIN);
}

static void put_places(struct canvas *canvas, const struct top_detail *detail)
{
	size_t shown = detail->place_count < PLACES_SHOWN ? detail->place_count : PLACES_SHOWN;
	uint64_t rest = detail->elsewhere;
	char text[TUI_NUMBER_BYTES];

	put_heading(canvas, "SUSPENDED AT LINE");
	canvas_end(canvas, STYLE_PLAIN);
	for (size_t i = 0; i < shown; i++)
		put_place(canvas, &detail->places[i], detail->places[0].count);
	for (size_t i = shown; i < detail->place_count; i++)
		rest += detail->places[i].count;
	if (!shown) {
		canvas_put(canvas, STYLE_FAINT, "  none is suspended");
		canvas_end(canvas, STYLE_PLAIN);
	}
	if (rest) {
		canvas_printf(canvas, STYLE_FAINT, "  and %s on other lines",
			      tui_count(rest, text));
		canvas_end(canvas, STYLE_PLAIN);
	}
	if (detail->untold) {
		canvas_printf(canvas, STYLE_FAINT,
			      "  (of the first %llu objects: ", (unsigned long long)detail->told);
		canvas_printf(canvas, STYLE_FAINT, "%s more were not looked at)",
			      tui_count(detail->untold, text));
		canvas_end(canvas, STYLE_PLAIN);
	}
}

/* --- histograms ------------------------------------------------------------------------------------- */

struct pane {
	const struct histogram *histogram;
	const char *word;
	struct histogram_range ranges[RANGES];
	size_t count;
	uint64_t most;
};

static void fill_pane(struct pane *pane, const char *word, const struct histogram *histogram)
{
	*pane = (struct pane){ .histogram = histogram, .word = word };
	pane->count = histogram_ranges(histogram, pane->ranges, RANGES);
	for (size_t i = 0; i < pane->count; i++)
		if (pane->ranges[i].count > pane->most)
			pane->most = pane->ranges[i].count;
}

static void put_pane_title(struct canvas *canvas, const struct pane *pane, unsigned width)
{
	const char *between = dot(canvas);
	char count[TUI_NUMBER_BYTES], p50[TUI_NUMBER_BYTES], p99[TUI_NUMBER_BYTES];
	char text[4 * TUI_NUMBER_BYTES];

	snprintf(text, sizeof(text), "%s %s%sp50 %s%sp99 %s", pane->word,
		 tui_count(pane->histogram->count, count), between,
		 tui_duration(histogram_quantile(pane->histogram, QUANTILE_50), p50), between,
		 tui_duration(histogram_quantile(pane->histogram, QUANTILE_99), p99));
	canvas_cell(canvas, STYLE_TITLE, text, width, 0);
}

static void put_range(struct canvas *canvas, const struct pane *pane, size_t at, unsigned width)
{
	const struct histogram_range *range = &pane->ranges[at];
	unsigned used = INDENT + 2 * DURATION + 3 + 1 + COUNT_WIDTH + 1;
	unsigned bar = width > used ? width - used : 1;
	double share = (double)range->count / (double)pane->most, least;
	char low[16], high[16] = "more", count[TUI_NUMBER_BYTES];

	if (at >= pane->count) {
		canvas_blanks(canvas, width);
		return;
	}
	/* what is there has the smallest mark at least */
	least = !range->count ? 0 : 1.0 / (canvas_utf8(canvas) ? bar * 8 : bar);
	format_duration_short(histogram_bound(range->first), low, sizeof(low));
	if (range->end < HISTOGRAM_BUCKETS)
		format_duration_short(histogram_bound(range->end), high, sizeof(high));
	canvas_printf(canvas, STYLE_FAINT, "%*s%*s - %*s", INDENT, "", DURATION, low, DURATION,
		      high);
	canvas_printf(canvas, range->count ? STYLE_PLAIN : STYLE_FAINT, " %*s ", COUNT_WIDTH,
		      tui_count(range->count, count));
	canvas_bar(canvas, STYLE_RUNNING, fmax(share, least), bar);
}

static void put_panes(struct canvas *canvas, const struct pane *panes, size_t count)
{
	unsigned width = (canvas_width(canvas) - 2 * (unsigned)(count - 1)) / (unsigned)count;
	size_t lines = 0;

	canvas_end(canvas, STYLE_PLAIN);
	for (size_t i = 0; i < count; i++) {
		canvas_to(canvas, (unsigned)i * (width + 2));
		put_pane_title(canvas, &panes[i], width);
		if (panes[i].count > lines)
			lines = panes[i].count;
	}
	canvas_end(canvas, STYLE_PLAIN);
	for (size_t line = 0; line < lines; line++) {
		for (size_t i = 0; i < count; i++) {
			canvas_to(canvas, (unsigned)i * (width + 2));
			put_range(canvas, &panes[i], line, width);
		}
		canvas_end(canvas, STYLE_PLAIN);
	}
}

static void put_histograms(struct canvas *canvas, const struct top_detail *detail)
{
	struct pane panes[2];

	fill_pane(&panes[0], "RAN", &detail->times.metric[METRIC_RUN]);
	fill_pane(&panes[1], "WAITED", &detail->times.metric[METRIC_SUSPENDED]);
	if (canvas_width(canvas) >= 2 * PANE_LEAST + 2) {
		put_panes(canvas, panes, 2);
		return;
	}
	put_panes(canvas, &panes[0], 1);
	put_panes(canvas, &panes[1], 1);
}

/* --- the oldest -------------------------------------------------------------------------------------- */

static void put_local(struct canvas *canvas, const struct local *local)
{
	canvas_blanks(canvas, LOCALS_INDENT);
	canvas_put(canvas, STYLE_NAME, local->name);
	canvas_put(canvas, STYLE_PLAIN, " = ");
	if (local->redacted || !local->repr)
		canvas_put(canvas, STYLE_FAINT, "(redacted)");
	else
		canvas_put(canvas, STYLE_PLAIN, local->repr);
	canvas_end(canvas, STYLE_PLAIN);
}

static void put_locals(struct canvas *canvas, const struct local_list *locals)
{
	for (size_t i = 0; i < locals->count; i++)
		put_local(canvas, &locals->at[i]);
	if (locals->count && !locals->truncated)
		return;
	canvas_blanks(canvas, LOCALS_INDENT);
	canvas_put(canvas, STYLE_FAINT, locals->count ? "and more" : "(no variables)");
	canvas_end(canvas, STYLE_PLAIN);
}

static const char *awaits_of(const struct top_object *object)
{
	if (!object->seen)
		return "(it went on, or cannot be read)";
	if (!object->seen->awaits_address)
		return "-";
	return object->seen->awaits_class ? object->seen->awaits_class : "?";
}

static void put_object(struct canvas *canvas, const struct tui_data *data,
		       const struct top_object *object, bool locals)
{
	uint64_t age = data->now_ns > object->since_ns ? data->now_ns - object->since_ns : 1;
	/* the survey is a little older than what is read: what it awaits fits to that */
	uint32_t line = object->seen ? object->seen->line : object->line;
	char text[TUI_NUMBER_BYTES];

	canvas_blanks(canvas, INDENT);
	canvas_cell(canvas, STYLE_SUSPENDED, tui_age(age, object->is_more, text), AGE_WIDTH,
		    CELL_RIGHT);
	snprintf(text, sizeof(text), "%u", line);
	canvas_blanks(canvas, 1);
	canvas_cell(canvas, STYLE_PLAIN, line ? text : "?", LINE_WIDTH, CELL_RIGHT);
	canvas_blanks(canvas, 1);
	if (data->several)
		canvas_printf(canvas, STYLE_FAINT, "%7u ", object->pid);
	canvas_printf(canvas, STYLE_FAINT, "%8llu ", (unsigned long long)object->id);
	canvas_put(canvas, object->seen ? STYLE_PLAIN : STYLE_FAINT, awaits_of(object));
	canvas_end(canvas, STYLE_PLAIN);
	if (locals && object->seen && object->seen->locals)
		put_locals(canvas, object->seen->locals);
}

static void put_oldest(struct canvas *canvas, const struct tui_data *data, bool locals)
{
	const struct top_detail *detail = data->detail;

	if (!detail->oldest_count)
		return;
	put_heading(canvas, "  SUSPENDED");
	canvas_printf(canvas, STYLE_TITLE, "   LINE %s      ID AWAITS",
		      data->several ? "    PID " : "");
	if (!locals)
		canvas_put(canvas, STYLE_FAINT, "    (l: with their locals)");
	canvas_end(canvas, STYLE_PLAIN);
	for (size_t i = 0; i < detail->oldest_count; i++)
		put_object(canvas, data, &detail->oldest[i], locals);
}

void tui_function(struct canvas *canvas, const struct tui_data *data, const struct tui_state *state)
{
	put_title(canvas, &data->function->code);
	put_states(canvas, data->function);
	if (!data->detail) {
		canvas_put(canvas, STYLE_FAINT, "  (its objects have not been looked at yet)");
		canvas_end(canvas, STYLE_PLAIN);
		return;
	}
	put_places(canvas, data->detail);
	put_histograms(canvas, data->detail);
	put_oldest(canvas, data, state->locals);
}
