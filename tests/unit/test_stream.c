/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "model/stream.h"

/* The fuzzer's walk through the model and the sinks serves here too, over records made to be bad. */
#define LLVMFuzzerTestOneInput try_stream
#include "../fuzz/fuzz_stream.c"

/*
 * Records as bytes. Each is fed from memory that ends where the record ends, so that a look behind it
 * is seen by the sanitizer.
 */

#define EVENTS_MAX 256

struct seen {
	struct event event;
	struct transition_record transition;
	char qualname[128];
	char name[CONTEXT_NAME_BYTES];
};

struct test {
	struct stream *stream;
	struct seen seen[EVENTS_MAX];
	size_t count;
	int answer;         /* of the event callback */
	const char *wanted; /* qualname; NULL: all */
	unsigned verdicts, refused;
};

static int keep_event(void *ctx, const struct event *event)
{
	struct test *test = ctx;
	struct seen *seen = &test->seen[test->count++];

	cr_assert(test->count < EVENTS_MAX);
	seen->event = *event;
	if (event->transition) {
		seen->transition = *event->transition;
		strncpy(seen->qualname, event->code->qualname, sizeof(seen->qualname) - 1);
	}
	if (event->name)
		strcpy(seen->name, event->name);
	return test->answer;
}

static bool is_wanted_one(void *ctx, const struct code *code)
{
	struct test *test = ctx;

	return !test->wanted || !strcmp(code->qualname, test->wanted);
}

static void keep_verdict(void *ctx, const struct code_record *record, bool wanted)
{
	struct test *test = ctx;

	cr_assert_eq(record->head.type, RECORD_CODE);
	test->verdicts++;
	test->refused += !wanted;
}

static struct test *begin(void)
{
	struct test *test = calloc(1, sizeof(*test));
	struct stream_callbacks callbacks = {
		.event = keep_event, .wanted = is_wanted_one, .verdict = keep_verdict, .ctx = test
	};

	cr_assert_eq(stream_new(&callbacks, &test->stream), 0);
	return test;
}

static void end(struct test *test)
{
	stream_free(test->stream);
	free(test);
}

static int feed(struct test *test, const void *record, size_t size)
{
	char *copy = malloc(size ? size : 1);
	int err;

	memcpy(copy, record, size);
	err = stream_feed(test->stream, copy, size);
	free(copy);
	return err;
}

#define FEED(test, record) cr_assert_eq(feed(test, &(record), sizeof(record)), 0)

/* Feeds a record that makes no sense: it is counted, nothing stops, nobody is told. */
static void expect_bad(struct test *test, const void *record, size_t size)
{
	uint64_t before = stream_counts(test->stream)->bad;
	size_t count = test->count;

	cr_assert_eq(feed(test, record, size), 0);
	cr_assert_eq(stream_counts(test->stream)->bad, before + 1, "it was not counted as bad");
	cr_assert_eq(test->count, count, "somebody was told");
}

#define BAD(test, record) expect_bad(test, &(record), sizeof(record))

static struct transition_record a_transition(void)
{
	return (struct transition_record){
		.head = { .size = sizeof(struct transition_record),
			  .type = RECORD_TRANSITION,
			  .flags = TRANSITION_HAS_RUN,
			  .pid = 10,
			  .tid = 11,
			  .ts_ns = 1000 },
		.gen = 0x1000,
		.id = 5,
		.run_ns = 70,
		.seq = 3,
		.code = 1,
		.instruction = 4,
		.kind = KIND_GENERATOR,
		.from = STATE_RUNNING,
		.to = STATE_SUSPENDED,
		.via = VIA_YIELD,
	};
}

static void put_text(struct text *text, uint8_t *bytes, const char *value)
{
	*text = (struct text){ .length = (uint32_t)strlen(value),
			       .width = 1,
			       .ascii = 1,
			       .bytes = (uint16_t)strlen(value) };
	memcpy(bytes, value, strlen(value));
}

static struct code_record a_code(uint32_t id, const char *qualname, uint32_t line_bytes)
{
	struct code_record record = {
		.head = { .size = sizeof(record), .type = RECORD_CODE, .pid = 10, .ts_ns = 900 },
		.process = 10ull << 32,
		.address = 0x2000,
		.code = id,
		.first_line = 100,
		.line_bytes = line_bytes,
	};

	put_text(&record.name_text, record.name, "f");
	put_text(&record.qualname_text, record.qualname, qualname);
	put_text(&record.filename_text, record.filename, "/x/f.py");
	return record;
}

union lines {
	struct lines_record head;
	uint8_t room[sizeof(struct lines_record) + LINES_BYTES_LARGE];
};

static int feed_lines(struct test *test, uint32_t code, uint32_t offset, const void *data,
		      uint32_t bytes)
{
	union lines lines = { .head = { .head = { .type = RECORD_LINES },
					.code = code,
					.offset = offset,
					.bytes = bytes } };

	lines.head.head.size = sizeof(lines.head) + bytes;
	memcpy(lines.head.data, data, bytes);
	return feed(test, &lines, sizeof(lines.head) + bytes);
}

/* A line table, hand-assembled after InternalDocs/code_objects.md: entries 1ccccnnn (code, units - 1).
 * Code 13 has a line delta (signed varint) and no columns; 11 is one line down, two column bytes. */
#define ONE_DOWN "\xd8\x00\x01" /* 1 unit, line + 1 */

Test(stream, resolves_names_and_lines)
{
	static const char table[] = "\xe9\x02"  /* 2 units, line + 1: 101 */
		ONE_DOWN                        /* 102 */
				    "\xf8"      /* 1 unit without a line */
				    "\xe8\x03"; /* 1 unit, line - 1: 101 */
	static const struct {
		uint32_t instruction, line;
	} expected[] = { { 0, 101 }, { 2, 101 }, { 4, 102 }, { 6, 0 },
			 { 8, 101 }, { 10, 0 },  { 5, 102 }, { NO_INSTRUCTION, 0 } };
	struct transition_record record = a_transition();
	struct code_record code = a_code(1, "C.f", sizeof(table) - 1);
	struct test *test = begin();

	FEED(test, code);
	cr_assert_eq(feed_lines(test, 1, 0, table, sizeof(table) - 1), 0);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		record.instruction = expected[i].instruction;
		FEED(test, record);
		cr_assert_eq(test->seen[i].event.line, expected[i].line, "at %u: %u",
			     expected[i].instruction, test->seen[i].event.line);
		cr_assert_str_eq(test->seen[i].qualname, "C.f");
	}
	cr_assert_eq(test->seen[0].event.type, EVENT_TRANSITION);
	cr_assert_eq(test->seen[0].event.ts_ns, 1000);
	cr_assert_eq(test->seen[0].event.pid, 10);
	cr_assert_eq(test->seen[0].event.tid, 11);
	cr_assert_eq(memcmp(&test->seen[0].transition.gen, &record.gen,
			    offsetof(struct transition_record, instruction) -
				    offsetof(struct transition_record, gen)),
		     0);
	cr_assert_eq(stream_counts(test->stream)->transitions, 8);
	cr_assert_eq(stream_counts(test->stream)->bad, 0);
	end(test);
}

Test(stream, names_what_it_does_not_know)
{
	struct transition_record record = a_transition();
	struct test *test = begin();

	record.code = 0;
	FEED(test, record);
	record.code = 0xffffffff;
	FEED(test, record);
	cr_assert_str_eq(test->seen[0].qualname, "?");
	cr_assert_str_eq(test->seen[1].qualname, "?");
	cr_assert_eq(test->seen[1].event.line, 0);
	cr_assert_eq(stream_counts(test->stream)->transitions, 2);
	end(test);
}

Test(stream, counts_every_wrong_enumerator)
{
	struct test *test = begin();
	struct transition_record record = a_transition();

#define WRONG(field, first)                                                                        \
	for (unsigned value = (first); value < 256; value++) {                                     \
		record = a_transition();                                                           \
		record.field = (uint8_t)value;                                                     \
		BAD(test, record);                                                                 \
	}
	WRONG(kind, KIND_COUNT)
	WRONG(from, STATE_COUNT)
	WRONG(to, STATE_COUNT)
	WRONG(via, VIA_COUNT)
#undef WRONG
	record = a_transition();
	record.kind = KIND_NONE;
	BAD(test, record);
	for (unsigned type = 0; type < 65536; type += type < 300 ? 1 : 251) {
		if (type >= RECORD_TRANSITION && type <= RECORD_CONTEXT)
			continue;
		record = a_transition();
		record.head.type = (uint16_t)type;
		BAD(test, record);
	}
	for (uint32_t event = 0; event < 600; event++) {
		struct context_record context = {
			.head = { .size = sizeof(context), .type = RECORD_CONTEXT }, .event = event
		};

		if (event < CONTEXT_GC_START || event > CONTEXT_AUDIT)
			BAD(test, context);
	}
	end(test);
}

Test(stream, counts_a_process_event_that_does_not_exist)
{
	struct process_record record = { .head = { .size = sizeof(record),
						   .type = RECORD_PROCESS } };
	struct test *test = begin();

	for (record.event = PROCESS_FORK; record.event <= PROCESS_SEEN; record.event++)
		FEED(test, record);
	cr_assert_eq(stream_counts(test->stream)->bad, 0);
	cr_assert_eq(test->count, 0);
	record.event = 0;
	BAD(test, record);
	record.event = PROCESS_SEEN + 1;
	BAD(test, record);
	end(test);
}

/* Every type with every size but its own, and with less memory than it says. */
Test(stream, counts_every_wrong_size)
{
	static const size_t sizes[] = { [RECORD_TRANSITION] = sizeof(struct transition_record),
					[RECORD_CODE] = sizeof(struct code_record),
					[RECORD_LINES] = 0,
					[RECORD_PROCESS] = sizeof(struct process_record),
					[RECORD_CONTEXT] = sizeof(struct context_record) };
	struct test *test = begin();
	char bytes[sizeof(struct code_record) + 16] = {};
	struct record_head head = {};

	for (head.type = RECORD_TRANSITION; head.type <= RECORD_CONTEXT; head.type++) {
		for (head.size = 0; head.size < sizeof(bytes); head.size++) {
			memcpy(bytes, &head, sizeof(head));
			if (head.size != sizes[head.type]) /* no code has the lines' id */
				expect_bad(test, bytes, sizeof(bytes));
			if (head.size > 0)
				expect_bad(test, bytes, head.size - 1);
		}
		head.size = UINT32_MAX;
		memcpy(bytes, &head, sizeof(head));
		expect_bad(test, bytes, sizeof(bytes));
	}
	expect_bad(test, bytes, 0);
	end(test);
}

Test(stream, takes_lines_in_pieces_only_without_gaps)
{
	struct code_record code = a_code(1, "f", 9);
	struct transition_record record = a_transition();
	struct test *test = begin();

	FEED(test, code);
	cr_assert_eq(feed_lines(test, 1, 0, ONE_DOWN, 3), 0);
	cr_assert_eq(feed_lines(test, 1, 6, ONE_DOWN, 3), 0); /* the piece at 3 was lost */
	record.instruction = 0;
	FEED(test, record);
	cr_assert_eq(test->seen[0].event.line, 101);
	record.instruction = 4;
	FEED(test, record);
	cr_assert_eq(test->seen[1].event.line, 0, "a line was made up behind a gap");
	record.instruction = 2;
	FEED(test, record);
	cr_assert_eq(test->seen[2].event.line, 0);
	cr_assert_eq(feed_lines(test, 1, 3, ONE_DOWN, 3), 0);
	FEED(test, record);
	cr_assert_eq(test->seen[3].event.line, 102, "the answer of before was kept");
	end(test);
}

Test(stream, bounds_line_tables)
{
	struct code_record code = a_code(1, "f", 4);
	struct test *test = begin();
	union lines lines = { .head = { .head = { .type = RECORD_LINES }, .code = 1 } };
	uint64_t bad;

	FEED(test, code);
	lines.head.head.size = sizeof(lines.head) + 8;
	lines.head.bytes = 9; /* says more than it has */
	expect_bad(test, &lines, sizeof(lines.head) + 8);
	lines.head.bytes = UINT32_MAX;
	expect_bad(test, &lines, sizeof(lines.head) + 8);
	lines.head.bytes = 1;
	lines.head.offset = 5;
	expect_bad(test, &lines, sizeof(lines.head) + 8);
	lines.head.offset = UINT32_MAX;
	expect_bad(test, &lines, sizeof(lines.head) + 8);
	lines.head.offset = 0;
	lines.head.code = 2; /* nobody's */
	expect_bad(test, &lines, sizeof(lines.head) + 8);
	lines.head.code = UINT32_MAX;
	expect_bad(test, &lines, sizeof(lines.head) + 8);
	bad = stream_counts(test->stream)->bad;
	lines.head.code = 1; /* a record of a fixed size holds more than the table needs */
	lines.head.offset = 2;
	lines.head.bytes = 8;
	cr_assert_eq(feed(test, &lines, sizeof(lines.head) + 8), 0);
	cr_assert_eq(stream_counts(test->stream)->bad, bad);
	end(test);
}

Test(stream, bounds_codes)
{
	struct code_record code = a_code(UINT32_MAX, "f", 0);
	struct transition_record record = a_transition();
	struct test *test = begin();

	FEED(test, code); /* the highest id there is takes no more memory than the lowest */
	code = a_code(1, "f",
		      UINT32_MAX); /* an absurd table: no memory is taken for what nobody sends */
	FEED(test, code);
	code.qualname_text.bytes = UINT16_MAX;
	code.qualname_text.length = UINT32_MAX;
	code.name_text.width = 3;
	code.filename_text.width = 255;
	FEED(test, code);
	FEED(test, record);
	cr_assert_eq(strncmp(test->seen[0].qualname, "f", 1), 0);
	cr_assert_eq(test->verdicts, 3);
	end(test);
}

/* records.h: in a transition, code 0 is "unknown"; no code may take that name. */
Test(stream, has_no_code_zero)
{
	struct code_record code = a_code(0, "impostor", 0);
	struct transition_record record = a_transition();
	struct test *test = begin();

	BAD(test, code);
	record.code = 0;
	FEED(test, record);
	cr_assert_str_eq(test->seen[0].qualname, "?");
	end(test);
}

Test(stream, takes_the_newest_of_two_codes)
{
	struct code_record first = a_code(1, "old", 3), second = a_code(1, "new", 0);
	struct transition_record record = a_transition();
	struct test *test = begin();

	FEED(test, first);
	cr_assert_eq(feed_lines(test, 1, 0, ONE_DOWN, 3), 0);
	FEED(test, second);
	record.instruction = 0;
	FEED(test, record);
	cr_assert_str_eq(test->seen[0].qualname, "new");
	cr_assert_eq(test->seen[0].event.line, 0);
	end(test);
}

Test(stream, forgets_the_codes_of_one_process)
{
	struct code_record gone = a_code(1, "gone", 3), again = a_code(1, "again", 0);
	struct code_record stays = a_code(2, "stays", 0);
	struct transition_record of_gone = a_transition(), of_stays = a_transition();
	struct test *test = begin();

	stays.head.pid = 20;
	of_stays.code = 2;
	FEED(test, gone);
	FEED(test, again);
	FEED(test, stays);
	stream_forget_codes(test->stream, 10);
	FEED(test, of_gone);
	FEED(test, of_stays);
	cr_assert_str_eq(test->seen[0].qualname, "?");
	cr_assert_str_eq(test->seen[1].qualname, "stays");
	FEED(test, again);
	FEED(test, of_gone);
	cr_assert_str_eq(test->seen[2].qualname, "again");
	end(test);
}

/* Whoever keeps what an event pointed to finds it as it was. */
Test(stream, keeps_the_older_of_two_codes)
{
	struct code_record first = a_code(1, "first", 0), second = a_code(1, "second", 0);
	struct transition_record record = a_transition();
	struct test *test = begin();
	const struct code *kept;

	FEED(test, first);
	FEED(test, record);
	kept = test->seen[0].event.code;
	FEED(test, second);
	cr_assert_str_eq(kept->qualname, "first");
	FEED(test, record);
	cr_assert_str_eq(test->seen[1].event.code->qualname, "second");
	end(test);
}

static struct living_record a_living_object(void)
{
	return (struct living_record){
		.head = { .size = sizeof(struct living_record),
			  .type = RECORD_LIVING,
			  .pid = 10,
			  .tid = 11,
			  .ts_ns = 1000 },
		.gen = 0x1000,
		.id = 5,
		.seq = 3,
		.code = 1,
		.instruction = 4,
		.maker_code = 2,
		.maker_instruction = NO_INSTRUCTION,
		.kind = KIND_COROUTINE,
		.state = STATE_SUSPENDED,
		.frame = STATE_SUSPENDED,
	};
}

Test(stream, tells_of_living_objects)
{
	struct code_record code = a_code(1, "waiting", 9), maker = a_code(2, "maker", 0);
	struct living_record record = a_living_object();
	struct test *test = begin();
	const struct event *event = &test->seen[0].event;

	FEED(test, code);
	FEED(test, maker);
	cr_assert_eq(feed_lines(test, 1, 0, ONE_DOWN ONE_DOWN ONE_DOWN, 9), 0);
	FEED(test, record);
	cr_assert_eq(test->count, 1);
	cr_assert_eq(event->type, EVENT_LIVING);
	cr_assert_eq(event->ts_ns, 1000);
	cr_assert_eq(event->pid, 10);
	cr_assert_eq(event->tid, 11);
	cr_assert_str_eq(event->code->qualname, "waiting");
	cr_assert_eq(event->line, 103, "the third instruction, each a line further down");
	cr_assert_str_eq(event->maker->qualname, "maker");
	cr_assert_eq(event->maker_line, 0);
	record.maker_code = 0;
	record.code = 77; /* of which nothing was told */
	FEED(test, record);
	event = &test->seen[1].event;
	cr_assert_null(event->maker);
	cr_assert_str_eq(event->code->qualname, "?");
	cr_assert_eq(stream_counts(test->stream)->living, 2);
	cr_assert_eq(stream_counts(test->stream)->transitions, 0);
	record.kind = KIND_NONE;
	BAD(test, record);
	record.kind = KIND_COUNT;
	BAD(test, record);
	record = a_living_object();
	record.state = STATE_COUNT;
	BAD(test, record);
	record = a_living_object();
	record.frame = STATE_COUNT;
	BAD(test, record);
	cr_assert_eq(stream_counts(test->stream)->living, 6, "what makes no sense has come, too");
	record = a_living_object();
	record.head.size--;
	BAD(test, record);
	end(test);
}

Test(stream, counts_what_is_not_wanted)
{
	struct code_record wanted = a_code(1, "yes", 0), unwanted = a_code(2, "no", 0);
	struct transition_record record = a_transition();
	struct test *test = begin();

	test->wanted = "yes";
	FEED(test, wanted);
	FEED(test, unwanted);
	cr_assert_eq(test->verdicts, 2);
	cr_assert_eq(test->refused, 1);
	for (uint32_t i = 0; i < 10; i++) {
		record.code = 1 + i % 2;
		FEED(test, record);
	}
	cr_assert_eq(test->count, 5);
	cr_assert_eq(stream_counts(test->stream)->transitions, 5);
	cr_assert_eq(stream_counts(test->stream)->filtered, 5);
	record.kind = KIND_COUNT; /* a bad record is bad, wanted or not */
	BAD(test, record);
	cr_assert_eq(stream_counts(test->stream)->filtered, 5);
	end(test);
}

Test(stream, stops_when_told)
{
	struct transition_record record = a_transition();
	struct test *test = begin();

	test->answer = -EPIPE;
	cr_assert_eq(feed(test, &record, sizeof(record)), -EPIPE);
	test->answer = 0;
	FEED(test, record);
	end(test);
}

/* Good records with one or more bytes of noise through the model and both sinks; what the fuzzer
 * reads is two control bytes (type, length in words) before each record. */
Test(stream, survives_noise)
{
	struct code_record code = a_code(1, "C.f", 3);
	struct transition_record record = a_transition();
	struct context_record context = { .event = CONTEXT_GC_DONE };
	uint8_t bytes[2048], noisy[2048];
	uint64_t state = 20261122;
	size_t size = 0;

#define APPEND(kind, record)                                                                       \
	bytes[size++] = (kind);                                                                    \
	bytes[size++] = sizeof(record) / 8;                                                        \
	memcpy(bytes + size, &(record), sizeof(record));                                           \
	size += sizeof(record)
	APPEND(RECORD_CODE, code);
	APPEND(RECORD_TRANSITION, record);
	APPEND(RECORD_CONTEXT, context);
	APPEND(0x80, record);
#undef APPEND
	for (int round = 0; round < 1000; round++) {
		memcpy(noisy, bytes, size);
		for (int i = 0; i < 1 + round % 4; i++) {
			state = state * 6364136223846793005 + 1442695040888963407;
			noisy[(state >> 33) % size] ^= (uint8_t)(1 + (state >> 20) % 255);
		}
		try_stream(noisy, size);
	}
}
