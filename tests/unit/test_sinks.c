/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <iconv.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "paper.h"
#include "sink/sink.h"

/*
 * What the sinks write, read back by libjson-c (strict, so that what a lenient reader would forgive
 * fails here) and compared with what went in, field by field; numbers are held against snprintf().
 */

static void code_of_names(struct code *code, const char *name, const char *qualname,
			  const char *file)
{
	*code = (struct code){ .id = 1,
			       .name = (char *)name,
			       .qualname = (char *)qualname,
			       .file = (char *)file,
			       .wanted = true };
}

struct sample {
	struct transition_record record;
	struct code code;
	struct event event;
};

static void sample_fill(struct sample *sample)
{
	memset(sample, 0, sizeof(*sample));
	code_of_names(&sample->code, "step", "Worker.step", "/srv/app/worker.py");
	sample->record = (struct transition_record){
		.head = { .size = sizeof(sample->record),
			  .type = RECORD_TRANSITION,
			  .flags = TRANSITION_HAS_RUN,
			  .pid = 4242,
			  .tid = 4243,
			  .ts_ns = 1700000000123456789 },
		.gen = 0x7f12deadbee0,
		.id = 77,
		.parent = 76,
		.run_ns = 1234567,
		.suspended_ns = 999,
		.seq = 12,
		.code = 1,
		.kind = KIND_COROUTINE,
		.from = STATE_RUNNING,
		.to = STATE_SUSPENDED,
		.via = VIA_AWAIT,
	};
	sample->event = (struct event){ .type = EVENT_TRANSITION,
					.ts_ns = sample->record.head.ts_ns,
					.pid = 4242,
					.tid = 4243,
					.transition = &sample->record,
					.code = &sample->code,
					.line = 42 };
}

Test(json_sink, writes_a_transition)
{
	struct sample sample;
	struct json_object *object;
	struct paper paper;

	sample_fill(&sample);
	paper_open(&paper, &sink_json, false);
	paper.sink.ops->begin(&paper.sink);
	paper.sink.ops->event(&paper.sink, &sample.event);
	object = read_line(&paper);
	expect_string(object, "type", "transition");
	expect_number(object, "ts_ns", 1700000000123456789);
	expect_string(object, "time", "2023-11-14T22:13:20.123456789Z"); /* date -ud @1700000000 */
	expect_number(object, "pid", 4242);
	expect_number(object, "tid", 4243);
	expect_string(object, "gen", "0x7f12deadbee0");
	expect_number(object, "id", 77);
	expect_number(object, "seq", 12);
	expect_string(object, "kind", "coroutine");
	expect_string(object, "name", "step");
	expect_string(object, "qualname", "Worker.step");
	expect_string(object, "file", "/srv/app/worker.py");
	expect_number(object, "line", 42);
	expect_string(object, "from", "CORO_RUNNING");
	expect_string(object, "to", "CORO_SUSPENDED");
	expect_string(object, "via", "await");
	expect_number(object, "run_ns", 1234567);
	expect_null(object, "suspended_ns"); /* its flag is not set, whatever the field holds */
	expect_number(object, "parent", 76);
	cr_assert_eq(json_object_object_length(object), 19);
	json_object_put(object);
	free(sample.code.json);
	paper_close(&paper);
}

/* The words of inspect and of contract.md, by hand. */
static const char *const kind_words[] = { NULL, "generator", "coroutine", "async_generator" };
static const char *const state_words[][STATE_COUNT] = {
	{},
	{ NULL, "GEN_CREATED", "GEN_RUNNING", "GEN_SUSPENDED", "GEN_CLOSED" },
	{ NULL, "CORO_CREATED", "CORO_RUNNING", "CORO_SUSPENDED", "CORO_CLOSED" },
	{ NULL, "AGEN_CREATED", "AGEN_RUNNING", "AGEN_SUSPENDED", "AGEN_CLOSED" },
};
static const char *const via_words[VIA_COUNT] = {
	"unknown", "create",   "next",       "send",   "throw", "close",
	"await",   "for",      "yield_from", "anext",  "asend", "athrow",
	"aclose",  "finalize", "yield",      "return", "raise", "free",
};

Test(json_sink, has_the_words_of_the_contract)
{
	struct sample sample;
	struct paper paper;

	sample_fill(&sample);
	sample.record.head.flags = TRANSITION_HAS_SUSPENDED;
	sample.record.parent = 0;
	sample.event.line = 0;
	paper_open(&paper, &sink_json, false);
	for (unsigned kind = KIND_GENERATOR; kind < KIND_COUNT; kind++) {
		for (unsigned i = 0; i < STATE_COUNT * STATE_COUNT * VIA_COUNT; i++) {
			unsigned from = i % STATE_COUNT, to = i / STATE_COUNT % STATE_COUNT;
			unsigned via = i / STATE_COUNT / STATE_COUNT;
			struct json_object *object;

			sample.record.kind = (uint8_t)kind;
			sample.record.from = (uint8_t)from;
			sample.record.to = (uint8_t)to;
			sample.record.via = (uint8_t)via;
			paper_clear(&paper);
			paper.sink.ops->event(&paper.sink, &sample.event);
			object = read_line(&paper);
			expect_string(object, "kind", kind_words[kind]);
			expect_string(object, "from", state_words[kind][from]);
			expect_string(object, "to", state_words[kind][to]);
			expect_string(object, "via", via_words[via]);
			expect_null(object, "line");
			expect_null(object, "parent");
			expect_null(object, "run_ns");
			expect_number(object, "suspended_ns", 999);
			json_object_put(object);
		}
	}
	free(sample.code.json);
	paper_close(&paper);
}

Test(json_sink, holds_the_largest_numbers)
{
	struct json_object *object;
	struct sample sample;
	struct paper paper;

	sample_fill(&sample);
	sample.record.head.flags = TRANSITION_HAS_RUN | TRANSITION_HAS_SUSPENDED;
	sample.record.gen = sample.record.id = sample.record.parent = UINT64_MAX;
	sample.record.run_ns = sample.record.suspended_ns = UINT64_MAX;
	sample.record.seq = sample.event.line = sample.event.pid = sample.event.tid = UINT32_MAX;
	paper_open(&paper, &sink_json, false);
	paper.sink.ops->event(&paper.sink, &sample.event);
	object = read_line(&paper);
	expect_string(object, "gen", "0xffffffffffffffff");
	expect_number(object, "id", UINT64_MAX);
	expect_number(object, "parent", UINT64_MAX);
	expect_number(object, "run_ns", UINT64_MAX);
	expect_number(object, "suspended_ns", UINT64_MAX);
	expect_number(object, "seq", UINT32_MAX);
	expect_number(object, "line", UINT32_MAX);
	expect_number(object, "pid", UINT32_MAX);
	json_object_put(object);
	free(sample.code.json);
	paper_close(&paper);
}

static void expect_time(struct paper *paper, struct sample *sample, uint64_t ts_ns)
{
	int64_t at = (int64_t)ts_ns + paper->sink.realtime_offset_ns;
	time_t second = at / 1000000000;
	struct json_object *object;
	char day[32], expected[64];
	struct tm when;

	sample->event.ts_ns = ts_ns;
	paper_clear(paper);
	paper->sink.ops->event(&paper->sink, &sample->event);
	object = read_line(paper);
	strftime(day, sizeof(day), "%FT%T", gmtime_r(&second, &when));
	snprintf(expected, sizeof(expected), "%s.%09ldZ", day, (long)(at % 1000000000));
	expect_string(object, "time", expected);
	expect_number(object, "ts_ns", ts_ns);
	json_object_put(object);
}

Test(json_sink, keeps_time)
{
	struct sample sample;
	struct paper paper;

	sample_fill(&sample);
	paper_open(&paper, &sink_json, false);
	expect_time(&paper, &sample, 0);
	expect_time(&paper, &sample, 999999999);
	expect_time(&paper, &sample, 1000000000);
	expect_time(&paper, &sample, 1); /* back again: the cached second is not this one */
	paper.sink.realtime_offset_ns = 1763820000000000001;
	expect_time(&paper, &sample, 0);
	expect_time(&paper, &sample, 86399999999998);
	expect_time(&paper, &sample, 86399999999999);
	free(sample.code.json);
	paper_close(&paper);
}

/* A clock of a recording that somebody damaged: whatever it says, the line can be read. */
Test(json_sink, survives_any_clock)
{
	static const uint64_t clocks[] = { INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX,
					   UINT64_MAX - 1999999999 };
	struct sample sample;
	struct paper paper;

	sample_fill(&sample);
	paper_open(&paper, &sink_json, false);
	paper.sink.realtime_offset_ns = 1763820000000000001;
	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		sample.event.ts_ns = clocks[i];
		paper_clear(&paper);
		paper.sink.ops->event(&paper.sink, &sample.event);
		json_object_put(read_line(&paper));
	}
	free(sample.code.json);
	paper_close(&paper);
}

static void expect_names(struct paper *paper, const char *name, const char *qualname,
			 const char *file)
{
	struct json_object *object;
	struct sample sample;

	sample_fill(&sample);
	code_of_names(&sample.code, name, qualname, file);
	paper_clear(paper);
	for (int time = 0; time < 2; time++) { /* made, then cached */
		paper_clear(paper);
		paper->sink.ops->event(&paper->sink, &sample.event);
		object = read_line(paper);
		expect_string(object, "name", name);
		expect_string(object, "qualname", qualname);
		expect_string(object, "file", file);
		json_object_put(object);
	}
	free(sample.code.json);
}

Test(json_sink, escapes_names)
{
	char controls[129], longest[6 * 256 + 1];
	struct paper paper;

	for (int c = 1; c < 128; c++)
		controls[c - 1] = (char)c;
	controls[127] = 0;
	memset(longest, '\x01', sizeof(longest));
	longest[sizeof(longest) - 1] = 0;
	paper_open(&paper, &sink_json, false);
	expect_names(&paper, "", "", "");
	expect_names(&paper, "?", "?", "?");
	expect_names(&paper, "\"", "\\", "\"\\\"\\");
	expect_names(&paper, "a\nb", "tab\there", "\r\b\f\v\x1b[31m");
	expect_names(&paper, "\u00e9t\u00e9", "\u4e2d\u6587.\U0001f600",
		     "/tmp/\u00fc\u2028\ufffd.py");
	expect_names(&paper, controls, controls, controls);
	expect_names(&paper, longest, longest, longest);
	paper_close(&paper);
}

/* libjson-c lets overlong forms and surrogates pass; iconv does not. */
static bool is_utf8(const char *text, size_t size)
{
	iconv_t converter = iconv_open("UTF-32LE", "UTF-8");
	size_t room = 4 * size + 4, left = room, converted;
	char *wide = malloc(room), *out = wide, *in = (char *)text;

	cr_assert(converter != (iconv_t)-1);
	converted = iconv(converter, &in, &size, &out, &left);
	iconv_close(converter);
	free(wide);
	return converted == 0 && !size;
}

/* sink.h: "UTF-8 in; control characters and quotes escaped, malformed bytes replaced". */
Test(json_sink, replaces_malformed_bytes)
{
	static const char *const malformed[] = {
		"\xff",         "a\x80z",           "\xc3",
		"\xc3(",        "\xe4\xb8",         "\xe4\xb8\xe4\xb8\xad",
		"\xf0\x9f\x98", "\xf0\x9f\x98\"",   "\xc0\xaf",
		"\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
	};

	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		struct json_tokener *tokener = json_tokener_new();
		size_t size = strlen(malformed[i]);
		char *text = malloc(6 * size + 3), *end = text;
		struct json_object *object;

		*end++ = '"';
		end = json_escape(end, malformed[i], size);
		cr_assert_leq(end - text, (ptrdiff_t)(6 * size + 1));
		*end++ = '"';
		*end = 0;
		json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
		object = json_tokener_parse_ex(tokener, text, (int)(end - text));
		cr_expect(object && is_utf8(text, (size_t)(end - text)), "case %zu", i);
		json_object_put(object);
		json_tokener_free(tokener);
		free(text);
	}
}

static struct json_object *context_line(struct paper *paper, const struct event *event)
{
	struct json_object *object;

	paper_clear(paper);
	paper->sink.ops->event(&paper->sink, event);
	object = read_line(paper);
	expect_number(object, "ts_ns", event->ts_ns);
	expect_string(object, "time", "1970-01-01T00:00:05.000000006Z");
	expect_number(object, "pid", event->pid);
	expect_number(object, "tid", event->tid);
	return object;
}

Test(json_sink, writes_contexts)
{
	struct event event = { .type = EVENT_GC,
			       .ts_ns = 5000000006,
			       .pid = 1,
			       .tid = 2,
			       .name = "",
			       .value = 31,
			       .generation = 2,
			       .has_ns = true,
			       .ns = 1500 };
	struct json_object *object;
	struct paper paper;

	paper_open(&paper, &sink_json, false);
	object = context_line(&paper, &event);
	expect_string(object, "type", "gc");
	expect_number(object, "generation", 2);
	expect_number(object, "collected", 31);
	expect_number(object, "ns", 1500);
	json_object_put(object);

	event.has_ns = false; /* its beginning was not seen */
	event.generation = -1;
	object = context_line(&paper, &event);
	expect_null(object, "generation");
	expect_null(object, "ns");
	json_object_put(object);

	event = (struct event){ .type = EVENT_IMPORT,
				.ts_ns = 5000000006,
				.pid = 3,
				.tid = 4,
				.name = "os.\"path\"\n",
				.value = 0,
				.has_ns = true,
				.ns = 7 };
	object = context_line(&paper, &event);
	expect_string(object, "type", "import");
	expect_string(object, "name", "os.\"path\"\n");
	expect_bool(object, "found", false);
	expect_number(object, "ns", 7);
	json_object_put(object);

	event.type = EVENT_AUDIT;
	event.name = "socket.connect";
	object = context_line(&paper, &event);
	expect_string(object, "type", "audit");
	expect_string(object, "name", "socket.connect");
	json_object_put(object);
	paper_close(&paper);
}

/* A name that BPF cut at its 95th byte, in the middle of a character: the line must stay JSON. */
Test(json_sink, survives_a_name_cut_in_a_character)
{
	char name[CONTEXT_NAME_BYTES];
	struct event event = { .type = EVENT_IMPORT, .name = name };
	struct paper paper;

	memset(name, 'm', sizeof(name));
	memcpy(name + CONTEXT_NAME_BYTES - 3, "\xe4\xb8", 3);
	paper_open(&paper, &sink_json, false);
	paper.sink.ops->event(&paper.sink, &event);
	json_object_put(read_line(&paper));
	memset(name, 1, sizeof(name) - 1); /* and the longest that escaping makes of one */
	paper_clear(&paper);
	paper.sink.ops->event(&paper.sink, &event);
	json_object_put(read_line(&paper));
	paper_close(&paper);
}

Test(json_sink, writes_losses_and_the_summary)
{
	struct loss loss = { .ring = 1, .map_full = 2, .fault = UINT64_MAX };
	struct summary summary = {
		.hits = 100,
		.events = 40,
		.filtered = 30,
		.causes = 20,
		.redundant = 6,
		.strangers = 1,
		.lost = { 1, 2, 0 },
		.anomalies = 5,
		.stepped_hits = 9,
		.objects = 11,
		.duration_ns = 5000000000,
		.coverage = "no \"usdt\"",
		.closes = true,
	};
	static const char *const keys[] = { "hits",      "events",     "filtered",  "causes",
					    "redundant", "strangers",  "anomalies", "stepped_hits",
					    "objects",   "duration_ns" };
	const uint64_t values[] = { 100, 40, 30, 20, 6, 1, 5, 9, 11, 5000000000 };
	struct json_object *object, *lost;
	struct paper paper;

	paper_open(&paper, &sink_json, false);
	paper.sink.ops->lost(&paper.sink, 1000000000, &loss);
	object = read_line(&paper);
	expect_string(object, "type", "lost");
	expect_number(object, "ts_ns", 1000000000);
	expect_number(object, "ring", 1);
	expect_number(object, "map_full", 2);
	expect_number(object, "fault", UINT64_MAX);
	json_object_put(object);

	paper_clear(&paper);
	paper.sink.ops->end(&paper.sink, &summary);
	object = read_line(&paper);
	expect_string(object, "type", "summary");
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		expect_number(object, keys[i], values[i]);
	cr_assert(json_object_object_get_ex(object, "lost", &lost));
	expect_number(lost, "ring", 1);
	expect_number(lost, "map_full", 2);
	expect_number(lost, "fault", 0);
	expect_string(object, "coverage", "no \"usdt\"");
	expect_bool(object, "closes", true);
	json_object_put(object);
	paper_close(&paper);
}

Test(json_sink, says_which_probes_there_are)
{
	static const struct {
		bool on, outermost;
	} changes[] = { { false, false }, { true, true }, { true, false } };
	struct paper paper;

	paper_open(&paper, &sink_json, false);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct json_object *object;

		paper_clear(&paper);
		paper.sink.ops->duty(&paper.sink, 1000000000 + i, 40000000 + i, changes[i].on,
				     changes[i].outermost);
		object = read_line(&paper);
		expect_string(object, "type", "duty");
		expect_number(object, "ts_ns", 1000000000 + i);
		expect_bool(object, "probes", changes[i].on);
		expect_bool(object, "outermost", changes[i].outermost);
		expect_number(object, "took_ns", 40000000 + i);
		json_object_put(object);
	}
	paper_close(&paper);
}
