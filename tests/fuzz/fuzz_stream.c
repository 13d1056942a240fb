/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <living.h>

#include "model/living.h"
#include "model/names.h"
#include "model/repeats.h"
#include "model/slow.h"
#include "model/stream.h"
#include "model/suspects.h"
#include "python/layouts.h"
#include "sink/html.h"
#include "sink/perfetto.h"
#include "sink/sink.h"
#include "sink/slow.h"

/*
 * A stream of records that nobody vouches for, through the model and every sink. The input is cut
 * into records by control bytes (see next_record()). What must hold of any input is checked with
 * abort().
 */

#define RECORD_MAX 8192

struct fed {
	struct sink *sinks[4]; /* text, json, perfetto, page */
	struct slow *slow[2];  /* of all events, and of those that BPF thinks worth telling */
	struct living *living;
	struct repeats *repeats;
	uint64_t transitions, contexts, living_objects;
};

static void touch(const char *text)
{
	volatile size_t length = strlen(text);

	(void)length;
}

static int on_step(void *ctx, const struct slow_step *step)
{
	struct fed *fed = ctx;

	if (!step->chain_count || step->chain_count > SLOW_CHAIN_MAX ||
	    step->inner_count > SLOW_INNER_MAX || step->reasons.count > REASONS_MAX)
		abort();
	slow_text_step(fed->sinks[0], step, NULL);
	slow_json_step(fed->sinks[1], step, "thread");
	return 0;
}

static void show(struct fed *fed, const struct suspect *suspect)
{
	slow_json_suspect(fed->sinks[1], suspect);
	if (repeats_add(fed->repeats, suspect) > 0)
		slow_text_suspect(fed->sinks[0], suspect);
}

static void on_repeat(void *ctx, const struct repeat *repeat)
{
	struct fed *fed = ctx;

	slow_text_repeat(fed->sinks[0], 1, repeat);
}

static int on_running(void *ctx, const struct living_chain *chain)
{
	struct slow_step step = { .event = chain->event,
				  .running = true,
				  .begin_ns = chain->since_ns,
				  .chain = chain->at,
				  .chain_count = chain->count };

	return on_step(ctx, &step);
}

static int on_parked(void *ctx, const struct living_chain *chain)
{
	struct suspect suspect;

	suspect_of_parked(chain, &suspect);
	show(ctx, &suspect);
	return 0;
}

static void survey(struct fed *fed)
{
	struct living_callbacks callbacks = { .chain = on_running, .ctx = fed };

	if (living_running(fed->living, UINT64_MAX, &callbacks))
		abort();
	callbacks.chain = on_parked;
	if (living_parked(fed->living, &callbacks))
		abort();
	repeats_tell(fed->repeats, on_repeat, fed);
	living_begin(fed->living);
}

static void feed_slow(struct fed *fed, const struct event *event)
{
	struct suspect suspect;

	for (int i = 0; i < 2; i++)
		if (slow_event(fed->slow[i], event))
			abort();
	if (suspect_of_event(event, &suspect))
		show(fed, &suspect);
}

static int on_event(void *ctx, const struct event *event)
{
	struct fed *fed = ctx;
	const struct transition_record *t = event->transition;

	if (event->type == EVENT_TRANSITION) {
		fed->transitions++;
		if (!event->code || t->kind == KIND_NONE || t->kind >= KIND_COUNT ||
		    t->from >= STATE_COUNT || t->to >= STATE_COUNT || t->via >= VIA_COUNT)
			abort();
		touch(event->code->name);
		touch(event->code->qualname);
		touch(event->code->file);
	} else if (event->type == EVENT_LIVING) {
		touch(event->code->qualname);
		if (living_add(fed->living, event))
			abort();
		if (++fed->living_objects % 8 == 0)
			survey(fed);
		return 0;
	} else {
		fed->contexts++;
		if (event->type > EVENT_AUDIT || strlen(event->name) >= CONTEXT_NAME_BYTES)
			abort();
	}
	for (int i = 0; i < 4; i++)
		fed->sinks[i]->ops->event(fed->sinks[i], event);
	feed_slow(fed, event);
	return 0;
}

static bool is_wanted(void *ctx, const struct code *code)
{
	(void)ctx;
	touch(code->qualname);
	touch(code->file);
	return code->first_line % 3 != 2;
}

static void on_verdict(void *ctx, const struct code_record *record, bool wanted)
{
	(void)ctx;
	if (wanted != (record->first_line % 3 != 2))
		abort();
}

#define VALUE_TYPES_AT 0x10000 /* link address of the first one, a page each */

/* The interpreter that copied memory is said to be of. */
static const struct interpreter *on_image(void *ctx, uint32_t index)
{
	struct interpreter *interpreter = ctx;

	return index ? NULL : interpreter;
}

static void describe(struct interpreter *interpreter)
{
	*interpreter = (struct interpreter){ .version_hex = 0x030e00f0 };
	if (layout_for_version(interpreter->version_hex, &interpreter->layout, NULL))
		abort();
	for (int type = VALUE_OTHER + 1; type < VALUE_TYPE_COUNT; type++)
		interpreter->value_types[type] = VALUE_TYPES_AT + 0x1000u * (unsigned)type;
}

struct input {
	const uint8_t *at;
	size_t left;
};

static size_t take(struct input *input, void *out, size_t size)
{
	size = size < input->left ? size : input->left;
	memcpy(out, input->at, size);
	input->at += size;
	input->left -= size;
	return size;
}

/* Memory in pieces, as many bytes of it as the input has. */
static uint32_t size_captured(uint8_t *bytes, size_t size)
{
	struct captured_record record;

	if (size < sizeof(record))
		size = sizeof(record);
	memcpy(&record, bytes, sizeof(record));
	record.head.size = (uint32_t)size;
	record.bytes = (uint32_t)(size - sizeof(record));
	memcpy(bytes, &record, sizeof(record));
	return record.head.size;
}

/* A record as the input says, its size right for its type unless the control byte has the top bit:
 * then size and type are the input's too. Returns how many bytes of it there are. */
static size_t next_record(struct input *input, uint8_t *bytes)
{
	static const size_t sizes[16] = { [RECORD_TRANSITION] = sizeof(struct transition_record),
					  [RECORD_CODE] = sizeof(struct code_record),
					  [RECORD_LINES] =
						  sizeof(struct lines_record) + LINES_BYTES_SMALL,
					  [RECORD_PROCESS] = sizeof(struct process_record),
					  [RECORD_CONTEXT] = sizeof(struct context_record),
					  [RECORD_LIVING] = sizeof(struct living_record) };
	uint8_t control[2] = {};
	struct record_head head;
	size_t size;

	take(input, control, sizeof(control));
	memset(bytes, 0, RECORD_MAX);
	size = take(input, bytes, control[1] * 8u);
	if (control[0] & 0x80)
		return size;
	memcpy(&head, bytes, sizeof(head));
	head.type = control[0] & 15;
	head.size = (uint32_t)sizes[head.type];
	memcpy(bytes, &head, sizeof(head));
	if (head.type == RECORD_LOCALS || head.type == RECORD_VARIABLES)
		head.size = size_captured(bytes, size);
	return head.size;
}

/* Each record in memory of its own, as long as it is and not a byte more. */
static size_t feed_all(struct stream *stream, const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, size };
	uint8_t record[RECORD_MAX];
	size_t records = 0;

	for (; input.left; records++) {
		size_t length = next_record(&input, record);
		void *copy = malloc(length ? length : 1);

		memcpy(copy, record, length);
		if (stream_feed(stream, copy, length))
			abort();
		free(copy);
	}
	return records;
}

static void open_slow(struct fed *fed)
{
	struct slow_options options = { .over_ns = 1000, .step = on_step, .ctx = fed };
	int err = slow_new(&options, &fed->slow[1]);

	options.complete = true;
	if (err || slow_new(&options, &fed->slow[0]) || living_new(&fed->living) ||
	    repeats_new(&fed->repeats))
		abort();
}

static void close_slow(struct fed *fed)
{
	slow_free(fed->slow[0]);
	slow_free(fed->slow[1]);
	living_free(fed->living);
	repeats_free(fed->repeats);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct writer writer;
	struct sink text, json;
	struct sink *perfetto, *html;
	struct perfetto_options slow = { .slow_ns = 1000 };
	struct html_options page = {};
	struct summary summary = { .coverage = "full" };
	struct fed fed = { .sinks = { &text, &json } };
	struct interpreter interpreter;
	struct captured_options locals = {
		.image = on_image,
		.ctx = &interpreter,
		.locals = { .limits = { VALUE_DEPTH_DEFAULT, VALUE_ITEMS_DEFAULT,
					VALUE_STRING_DEFAULT },
			    .redact = true },
	};
	struct stream_callbacks callbacks = { .event = on_event,
					      .wanted = is_wanted,
					      .verdict = on_verdict,
					      .locals = &locals,
					      .ctx = &fed };
	const struct stream_counts *counts;
	struct stream *stream;
	size_t records;

	describe(&interpreter);
	if (!size || stream_new(&callbacks, &stream))
		return 0;
	if (writer_open(&writer, "/dev/null"))
		abort();
	sink_init(&text, &sink_text, &writer, true);
	sink_init(&json, &sink_json, &writer, false);
	if (perfetto_new(&slow, &writer, &perfetto))
		abort();
	if (html_new(&page, &writer, &html))
		abort();
	fed.sinks[2] = perfetto;
	fed.sinks[3] = html;
	open_slow(&fed);
	records = feed_all(stream, bytes, size);
	survey(&fed);
	counts = stream_counts(stream);
	if (counts->transitions != fed.transitions || counts->contexts != fed.contexts ||
	    counts->living < fed.living_objects ||
	    counts->living > fed.living_objects + counts->bad ||
	    fed.transitions + fed.contexts + fed.living_objects + counts->bad + counts->filtered >
		    records)
		abort();
	perfetto->ops->end(perfetto, &summary);
	html->ops->end(html, &summary);
	if (perfetto_free(perfetto) || html_free(html))
		abort();
	close_slow(&fed);
	stream_free(stream);
	writer_close(&writer);
	return 0;
}
