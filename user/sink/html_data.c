// SPDX-License-Identifier: MIT
/*
 * What the page's script reads: one JSON value. Texts are told once and are numbers elsewhere; what there is
 * much of are columns of numbers, of which those that rise are told as differences. Times are nanoseconds
 * since the first event.
 */
#include <errno.h>
#include <stdlib.h>

#include "model/histogram.h"
#include "model/names.h"
#include "sink/html_internal.h"
#include "sink/html_put.h"

#define PAGE_DATA_FORMAT 1 /* user/sink/page/data.js reads this one */

COLUMN(page_function, qualname)
COLUMN(page_function, file)
COLUMN(page_function, first_line)
COLUMN(page_function, kind)

COLUMN(flame_node, parent)
COLUMN(flame_node, steps)
COLUMN(flame_node, run_ns)
COLUMN(flame_node, waits)
COLUMN(flame_node, wait_ns)

static int64_t flame_node_function(const void *item, const void *before)
{
	const struct flame_node *node = item;

	(void)before;
	return node->function == FLAME_NO_FUNCTION ? -1 : (int64_t)node->function;
}

/* --- parts --- */

static void put_about(const struct html *html, struct writer *writer)
{
	const struct recording_about *about = &html->options.about;
	const char *filters = html->options.filters;
	uint64_t start_ns = html->first_ns ? html->first_ns : about->start_ns;

	writer_puts(writer, "\"about\":{\"genscope\":");
	put_page_string(writer, about->version);
	writer_puts(writer, ",\"file\":");
	put_page_string_or_null(writer, html->options.file);
	writer_puts(writer, ",\"filters\":");
	put_page_string_or_null(writer, filters && *filters ? filters : NULL);
	writer_puts(writer, ",\"kernel\":");
	put_page_string(writer, about->kernel);
	writer_puts(writer, ",\"machine\":");
	put_page_string(writer, about->machine);
	put_number(writer, ",\"processors\":", about->processors);
	writer_puts(writer, ",\"start_ms\":");
	put_signed(writer, ((int64_t)start_ns + about->realtime_offset_ns) / 1000000);
	put_number(writer, ",\"span_ns\":", page_time(html, html->last_ns));
	writer_puts(writer, ",\"processes\":[");
	for (size_t i = 0; i < html->process_count; i++) {
		put_number(writer, i ? ",[" : "[", html->processes[i].pid);
		put_index(writer, ",", html->processes[i].name);
		put_index(writer, ",", html->processes[i].python);
		writer_puts(writer, "]");
	}
	writer_puts(writer, "]}");
}

static void put_summary(const struct html *html, struct writer *writer, const struct summary *s)
{
	put_number(writer, "\"summary\":{\"hits\":", s->hits);
	put_number(writer, ",\"events\":", s->events);
	put_number(writer, ",\"filtered\":", s->filtered);
	put_number(writer, ",\"lost\":{\"ring\":", s->lost.ring);
	put_number(writer, ",\"map_full\":", s->lost.map_full);
	put_number(writer, ",\"fault\":", s->lost.fault);
	put_number(writer, "},\"anomalies\":", s->anomalies);
	put_number(writer, ",\"stepped_hits\":", s->stepped_hits);
	put_number(writer, ",\"objects\":", s->objects);
	put_number(writer, ",\"seeded\":", s->seeded);
	put_number(writer, ",\"duration_ns\":", s->duration_ns);
	put_number(writer, ",\"gc\":", html->context[MARK_GC]);
	put_number(writer, ",\"imports\":", html->context[MARK_IMPORT]);
	put_number(writer, ",\"audits\":", html->context[MARK_AUDIT]);
	writer_printf(writer, ",\"duty_ratio\":%.4f,\"coverage\":", s->duty_ratio);
	put_page_string_or_null(writer, s->coverage);
	writer_puts(writer, "}");
}

static void put_texts(const struct html *html, struct writer *writer)
{
	writer_puts(writer, "\"texts\":[");
	for (uint32_t i = 0; i < html->texts.count; i++) {
		if (i)
			writer_puts(writer, ",\n");
		put_page_string(writer, html->texts.at[i]);
	}
	writer_puts(writer, "]");
}

static void put_vocabulary(struct writer *writer)
{
	writer_puts(writer, "\"kinds\":[");
	for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
		writer_puts(writer, kind ? "," : "");
		put_page_string(writer, kind ? name_of_kind((uint8_t)kind) : "");
	}
	writer_puts(writer, "],\"vias\":[");
	for (unsigned via = 0; via < VIA_COUNT; via++) {
		writer_puts(writer, via ? "," : "");
		put_page_string(writer, via ? name_of_via((uint8_t)via) : "");
	}
	writer_puts(writer, "],\"bounds\":");
	/* the last bucket has no upper bound */
	for (uint32_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++)
		put_number(writer, bucket ? "," : "[", histogram_bound(bucket));
	writer_puts(writer, "]");
}

static void put_functions(const struct html *html, struct writer *writer)
{
	static const struct column columns[] = { { "name", page_function_qualname },
						 { "file", page_function_file },
						 { "line", page_function_first_line },
						 { "kind", page_function_kind } };

	writer_puts(writer, "\"functions\":{");
	put_columns(writer, columns, COUNT_OF(columns), html->functions.at, html->functions.count,
		    sizeof(*html->functions.at));
	writer_puts(writer, "}");
}

/* count, sum, quantiles, maximum, then pairs: buckets on from the one before, and how many are in it; 0:
 * there is nothing */
static void put_histogram(struct writer *writer, const struct histogram *histogram)
{
	static const unsigned quantiles[] = { QUANTILE_50, QUANTILE_90, QUANTILE_99, QUANTILE_999 };
	uint32_t before = 0;

	if (!histogram->count) {
		writer_puts(writer, ",0");
		return;
	}
	put_number(writer, ",[", histogram->count);
	put_number(writer, ",", histogram->sum_ns);
	for (size_t i = 0; i < COUNT_OF(quantiles); i++)
		put_number(writer, ",", histogram_quantile(histogram, quantiles[i]));
	put_number(writer, ",", histogram->max_ns);
	for (uint32_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
		if (!histogram->buckets[bucket])
			continue;
		put_number(writer, ",", bucket - before);
		put_number(writer, ",", histogram->buckets[bucket]);
		before = bucket;
	}
	writer_puts(writer, "]");
}

/* Functions that had no transition on the page (filters of a later one) get their number now: before
 * the texts are written. */
static int number_rows(struct html *html, uint32_t *numbers)
{
	int err = 0;

	for (size_t i = 0; html->rows && i < html->rows->count && !err; i++) {
		const struct latency_code *code = &html->rows->at[i]->code;

		err = functions_find(html, code->qualname, code->file, code->first_line, code->kind,
				     &numbers[i]);
	}
	return err;
}

static void put_table(const struct html *html, struct writer *writer, const uint32_t *numbers)
{
	const struct latency_rows *rows = html->rows;

	writer_puts(writer, "\"table\":[");
	for (size_t i = 0; rows && i < rows->count; i++) {
		put_number(writer, i ? ",\n[" : "[", numbers[i]);
		for (int metric = 0; metric < METRIC_COUNT; metric++)
			put_histogram(writer, &rows->at[i]->distributions.metric[metric]);
		writer_puts(writer, "]");
	}
	writer_puts(writer, "]");
	put_number(writer, ",\"table_rest\":", rows ? rows->rest : 0);
}

static void put_flame(const struct html *html, struct writer *writer)
{
	static const struct column columns[] = {
		{ "parent", flame_node_parent }, { "function", flame_node_function },
		{ "steps", flame_node_steps },   { "run", flame_node_run_ns },
		{ "waits", flame_node_waits },   { "wait", flame_node_wait_ns },
	};
	uint32_t count;
	const struct flame_node *nodes = flame_nodes(html->flame, &count);

	writer_puts(writer, "\"flame\":{");
	put_columns(writer, columns, COUNT_OF(columns), nodes, count, sizeof(*nodes));
	put_number(writer, ",\"others\":", flame_others(html->flame));
	put_number(writer, ",\"too_deep\":", flame_too_deep(html->flame));
	writer_puts(writer, "}");
}

static void put_frames(struct writer *writer, const struct page_frame *frames, size_t count)
{
	writer_puts(writer, "[");
	for (size_t i = 0; i < count; i++) {
		put_number(writer, i ? ",[" : "[", frames[i].id);
		put_index(writer, ",", frames[i].qualname);
		put_index(writer, ",", frames[i].file);
		put_number(writer, ",", frames[i].line);
		writer_puts(writer, "]");
	}
	writer_puts(writer, "]");
}

static void put_slow_note(const struct html *html, struct writer *writer,
			  const struct slow_note *note)
{
	put_number(writer, "{\"begin\":", page_time(html, note->begin_ns));
	put_number(writer, ",\"run\":", note->rank);
	put_number(writer, ",\"self\":", note->self_ns);
	put_number(writer, ",\"pid\":", note->pid);
	put_number(writer, ",\"tid\":", note->tid);
	writer_printf(writer, ",\"running\":%s,\"chain\":", note->running ? "true" : "false");
	put_frames(writer, note->chain, note->chain_count);
	writer_puts(writer, ",\"reasons\":[");
	for (size_t i = 0; i < note->reason_count; i++) {
		put_index(writer, i ? ",[" : "[", note->reasons[i].type);
		put_index(writer, ",", note->reasons[i].name);
		put_number(writer, ",", note->reasons[i].ns);
		writer_puts(writer, "]");
	}
	writer_puts(writer, "]}");
}

static void put_suspect_note(const struct html *html, struct writer *writer,
			     const struct suspect_note *note)
{
	put_index(writer, "{\"what\":", note->what);
	put_index(writer, ",\"kind\":", note->kind);
	put_number(writer, ",\"pid\":", note->pid);
	/* how long it had been so when the recording ended */
	put_number(writer, ",\"age\":",
		   html->last_ns > UINT64_MAX - note->rank ?
			   html->last_ns - (UINT64_MAX - note->rank) :
			   0);
	writer_puts(writer, ",\"object\":");
	put_frames(writer, &note->object, 1);
	writer_puts(writer, ",\"created\":");
	put_frames(writer, note->created, note->created_count);
	writer_puts(writer, "}");
}

/* null: nobody looked for any. */
static void put_notes(struct html *html, struct writer *writer)
{
	writer_puts(writer, "\"slow\":");
	if (html->options.looks_for_slow) {
		notes_sort(&html->slow);
		put_number(writer, "{\"over\":", html->options.slow_ns);
		put_number(writer, ",\"told\":", html->slow.told);
		writer_puts(writer, ",\"list\":[");
		for (size_t i = 0; i < html->slow.count; i++) {
			writer_puts(writer, i ? ",\n" : "");
			put_slow_note(html, writer, (const struct slow_note *)html->slow.at[i]);
		}
		writer_puts(writer, "]}");
	} else {
		writer_puts(writer, "null");
	}
	writer_puts(writer, ",\n\"suspects\":");
	if (html->options.looks_for_suspects) {
		notes_sort(&html->suspects);
		put_number(writer, "{\"told\":", html->suspects.told);
		writer_puts(writer, ",\"list\":[");
		for (size_t i = 0; i < html->suspects.count; i++) {
			writer_puts(writer, i ? ",\n" : "");
			put_suspect_note(html, writer,
					 (const struct suspect_note *)html->suspects.at[i]);
		}
		writer_puts(writer, "]}");
	} else {
		writer_puts(writer, "null");
	}
}

int put_page_data(struct html *html, const struct summary *summary)
{
	struct writer *writer = html->sink.writer;
	size_t rows = html->rows ? html->rows->count : 0;
	uint32_t *numbers = calloc(rows + 1, sizeof(*numbers));
	int err = numbers ? number_rows(html, numbers) : -ENOMEM;

	put_number(writer, "{\"format\":", PAGE_DATA_FORMAT);
	writer_puts(writer, ",\n");
	put_about(html, writer);
	writer_puts(writer, ",\n");
	put_summary(html, writer, summary);
	writer_puts(writer, ",\n");
	put_texts(html, writer);
	writer_puts(writer, ",\n");
	put_vocabulary(writer);
	writer_puts(writer, ",\n");
	put_functions(html, writer);
	if (!err) {
		writer_puts(writer, ",\n");
		put_table(html, writer, numbers);
		writer_puts(writer, ",\n");
		err = put_page_timeline(html, writer);
	}
	if (!err) {
		writer_puts(writer, ",\n");
		put_flame(html, writer);
		writer_puts(writer, ",\n");
		put_notes(html, writer);
	}
	writer_puts(writer, "}");
	free(numbers);
	return err;
}
