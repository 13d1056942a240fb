// SPDX-License-Identifier: MIT
#include "sink/html_internal.h"
#include "sink/html_put.h"

COLUMN_RISING(timeline_step, begin_ns)
COLUMN_RISING(timeline_step, id)
COLUMN(timeline_step, self_ns)
COLUMN(timeline_step, function)
COLUMN(timeline_step, chain)
COLUMN(timeline_step, line)
COLUMN(timeline_step, via)

static int64_t timeline_step_length(const void *item, const void *before)
{
	const struct timeline_step *step = item;

	(void)before;
	return (int64_t)(step->end_ns - step->begin_ns);
}

COLUMN_RISING(timeline_band, begin_ns)
COLUMN(timeline_band, count)
COLUMN(timeline_band, busy_ns)

/* Only where it is known to be what the band mostly is. */
static int64_t timeline_band_function(const void *item, const void *before)
{
	const struct timeline_band *band = item;

	(void)before;
	return 2 * band->sure_ns > band->busy_ns ? (int64_t)band->function : -1;
}

COLUMN_RISING(timeline_mark, begin_ns)
COLUMN(timeline_mark, ns)
COLUMN(timeline_mark, value)
COLUMN(timeline_mark, name)
COLUMN(timeline_mark, track)
COLUMN(timeline_mark, type)

/* Rows of the timeline: track, depth, how many steps, how many bands. Both are sorted alike. */
static void put_lanes(struct writer *writer, const struct timeline_view *view)
{
	size_t step = 0, band = 0, steps, bands;
	const char *before = "[";

	writer_puts(writer, "\"lanes\":[");
	while (step < view->step_count || band < view->band_count) {
		uint32_t of_step = UINT32_MAX, of_band = UINT32_MAX, lane;

		if (step < view->step_count)
			of_step = (uint32_t)view->steps[step].track << 8 | view->steps[step].depth;
		if (band < view->band_count)
			of_band = (uint32_t)view->bands[band].track << 8 | view->bands[band].depth;
		lane = of_step < of_band ? of_step : of_band;
		for (steps = step;
		     step < view->step_count &&
		     ((uint32_t)view->steps[step].track << 8 | view->steps[step].depth) == lane;
		     step++)
			;
		for (bands = band;
		     band < view->band_count &&
		     ((uint32_t)view->bands[band].track << 8 | view->bands[band].depth) == lane;
		     band++)
			;
		put_number(writer, before, lane >> 8);
		put_number(writer, ",", lane & 255);
		put_number(writer, ",", step - steps);
		put_number(writer, ",", band - bands);
		writer_puts(writer, "]");
		before = ",[";
	}
	writer_puts(writer, "]");
}

static void put_steps(struct writer *writer, const struct timeline_view *view)
{
	static const struct column steps[] = {
		{ "begin", timeline_step_begin_ns }, { "length", timeline_step_length },
		{ "self", timeline_step_self_ns },   { "function", timeline_step_function },
		{ "chain", timeline_step_chain },    { "id", timeline_step_id },
		{ "line", timeline_step_line },      { "via", timeline_step_via },
	};
	static const struct column bands[] = { { "begin", timeline_band_begin_ns },
					       { "count", timeline_band_count },
					       { "busy", timeline_band_busy_ns },
					       { "function", timeline_band_function } };

	writer_puts(writer, "\"steps\":{");
	put_columns(writer, steps, COUNT_OF(steps), view->steps, view->step_count,
		    sizeof(*view->steps));
	writer_puts(writer, "},\n\"bands\":{");
	put_columns(writer, bands, COUNT_OF(bands), view->bands, view->band_count,
		    sizeof(*view->bands));
	put_number(writer, ",\"width\":", view->band_ns);
	put_number(writer, ",\"merged\":", view->merged);
	put_number(writer, ",\"longest\":", view->longest_merged_ns);
	put_number(writer, ",\"left_out\":", view->left_out);
	writer_puts(writer, "}");
}

static void put_marks(const struct html *html, struct writer *writer,
		      const struct timeline_view *view)
{
	static const struct column marks[] = {
		{ "begin", timeline_mark_begin_ns }, { "length", timeline_mark_ns },
		{ "value", timeline_mark_value },    { "name", timeline_mark_name },
		{ "track", timeline_mark_track },    { "type", timeline_mark_type },
	};

	writer_puts(writer, "\"marks\":{");
	put_columns(writer, marks, COUNT_OF(marks), view->marks, view->mark_count,
		    sizeof(*view->marks));
	put_number(writer, ",\"left_out\":", view->marks_left_out);
	writer_puts(writer, "},\n\"losses\":[");
	for (size_t i = 0; i < html->loss_count; i++) {
		put_number(writer, i ? ",[" : "[", page_time(html, html->losses[i].ts_ns));
		put_number(writer, ",", html->losses[i].count);
		writer_puts(writer, "]");
	}
	writer_puts(writer, "]");
}

int put_page_timeline(const struct html *html, struct writer *writer)
{
	const struct timeline_activity *activity;
	struct timeline_view view;
	int err = timeline_view(html->timeline, &view);

	if (err)
		return err;
	activity = view.activity;
	writer_puts(writer, "\"origin_ns\":");
	put_number(writer, "", html->first_ns);
	writer_puts(writer, ",\"tracks\":[");
	for (size_t i = 0; i < view.track_count; i++) {
		put_number(writer, i ? ",[" : "[", view.tracks[i]->pid);
		put_number(writer, ",", view.tracks[i]->tid);
		put_number(writer, ",", view.tracks[i]->steps);
		put_number(writer, ",", view.tracks[i]->busy_ns);
		writer_puts(writer, "]");
	}
	writer_puts(writer, "],\n");
	put_lanes(writer, &view);
	writer_puts(writer, ",\n");
	put_steps(writer, &view);
	writer_puts(writer, ",\n");
	put_marks(html, writer, &view);
	put_number(writer, ",\n\"activity\":{\"width\":", activity->width_ns);
	for (size_t i = 0; i < TIMELINE_BINS; i++)
		put_number(writer, i ? "," : ",\"count\":[", activity->count[i]);
	writer_puts(writer, "]}");
	return 0;
}
