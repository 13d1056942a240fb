/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/stream.h"

/* Collections and imports are two probes each: beginning and end find each other by their thread. */

struct test {
	struct stream *stream;
	struct event last;
	char name[CONTEXT_NAME_BYTES];
	unsigned events;
	int answer;
};

static int keep(void *ctx, const struct event *event)
{
	struct test *test = ctx;

	test->last = *event;
	strcpy(test->name, event->name);
	test->events++;
	return test->answer;
}

static void begin(struct test *test)
{
	struct stream_callbacks callbacks = { .event = keep, .ctx = test };

	memset(test, 0, sizeof(*test));
	cr_assert_eq(stream_new(&callbacks, &test->stream), 0);
}

static int feed(struct test *test, uint32_t event, uint32_t tid, uint64_t ts, int64_t value,
		const char *name)
{
	struct context_record record = { .head = { .size = sizeof(record),
						   .type = RECORD_CONTEXT,
						   .pid = 100,
						   .tid = tid,
						   .ts_ns = ts },
					 .event = event,
					 .value = value };

	strcpy(record.name, name);
	return stream_feed(test->stream, &record, sizeof(record));
}

static void expect(struct test *test, uint8_t type, uint64_t ts, const char *name, int64_t value)
{
	cr_assert_eq(test->last.type, type);
	cr_assert_eq(test->last.ts_ns, ts);
	cr_assert_eq(test->last.pid, 100);
	cr_assert_str_eq(test->name, name);
	cr_assert_eq(test->last.value, value);
}

static void expect_took(struct test *test, uint64_t ns)
{
	cr_assert(test->last.has_ns);
	cr_assert_eq(test->last.ns, ns, "took %lu", (unsigned long)test->last.ns);
}

Test(contexts, pair_a_collection)
{
	struct test test;

	begin(&test);
	feed(&test, CONTEXT_GC_START, 7, 1000, 2, "");
	cr_assert_eq(test.events, 0);
	feed(&test, CONTEXT_GC_DONE, 7, 1500, 31, "");
	cr_assert_eq(test.events, 1);
	expect(&test, EVENT_GC, 1500, "", 31);
	expect_took(&test, 500);
	cr_assert_eq(test.last.generation, 2);
	cr_assert_eq(test.last.tid, 7);
	feed(&test, CONTEXT_GC_DONE, 7, 1600, 1, ""); /* its beginning was before us */
	cr_assert_not(test.last.has_ns);
	cr_assert_eq(test.last.ns, 0);
	cr_assert_eq(test.last.generation, -1);
	cr_assert_eq(stream_counts(test.stream)->contexts, 2);
	stream_free(test.stream);
}

/* An import runs imports; a collection may fall into any of them. */
Test(contexts, nest)
{
	struct test test;

	begin(&test);
	feed(&test, CONTEXT_IMPORT_START, 7, 100, 0, "a");
	feed(&test, CONTEXT_IMPORT_START, 7, 110, 0, "a.b");
	feed(&test, CONTEXT_GC_START, 7, 115, 0, "");
	feed(&test, CONTEXT_GC_DONE, 7, 118, 5, "");
	expect(&test, EVENT_GC, 118, "", 5);
	expect_took(&test, 3);
	feed(&test, CONTEXT_IMPORT_DONE, 7, 120, 1, "a.b");
	expect(&test, EVENT_IMPORT, 120, "a.b", 1);
	expect_took(&test, 10);
	feed(&test, CONTEXT_IMPORT_DONE, 7, 200, 0, "a");
	expect(&test, EVENT_IMPORT, 200, "a", 0);
	expect_took(&test, 100);
	stream_free(test.stream);
}

Test(contexts, keep_threads_apart)
{
	struct test test;

	begin(&test);
	feed(&test, CONTEXT_IMPORT_START, 1, 100, 0, "x");
	feed(&test, CONTEXT_IMPORT_START, 2, 200, 0, "y");
	feed(&test, CONTEXT_IMPORT_DONE, 1, 300, 1, "x");
	expect_took(&test, 200);
	feed(&test, CONTEXT_IMPORT_DONE, 3, 300, 1, "z");
	cr_assert_not(test.last.has_ns);
	feed(&test, CONTEXT_IMPORT_DONE, 2, 450, 1, "y");
	expect_took(&test, 250);
	feed(&test, CONTEXT_GC_START, 1, 500, 0, "");
	feed(&test, CONTEXT_IMPORT_DONE, 1, 510, 1, "x"); /* a collection is no import */
	cr_assert_not(test.last.has_ns);
	stream_free(test.stream);
}

Test(contexts, tell_audits_at_once)
{
	struct test test;

	begin(&test);
	feed(&test, CONTEXT_AUDIT, 7, 100, 0, "socket.connect");
	expect(&test, EVENT_AUDIT, 100, "socket.connect", 0);
	cr_assert_not(test.last.has_ns);
	stream_free(test.stream);
}

/* Ends that are lost forever (a thread that died in an import) must not use up the room. */
Test(contexts, survive_lost_ends)
{
	struct test test;

	begin(&test);
	for (uint32_t tid = 1; tid <= 1000; tid++)
		feed(&test, CONTEXT_IMPORT_START, tid, tid, 0, "lost");
	feed(&test, CONTEXT_GC_START, 5000, 9000, 1, "");
	feed(&test, CONTEXT_GC_DONE, 5000, 9010, 0, "");
	expect_took(&test, 10);
	feed(&test, CONTEXT_IMPORT_DONE, 1000, 2000, 1, "lost");
	expect_took(&test, 1000);
	stream_free(test.stream);
}

Test(contexts, need_names_that_end)
{
	struct context_record record = { .head = { .size = sizeof(record), .type = RECORD_CONTEXT },
					 .event = CONTEXT_AUDIT };
	struct test test;

	begin(&test);
	memset(record.name, 'x', sizeof(record.name));
	cr_assert_eq(stream_feed(test.stream, &record, sizeof(record)), 0);
	cr_assert_eq(stream_counts(test.stream)->bad, 1);
	cr_assert_eq(test.events, 0);
	record.name[sizeof(record.name) - 1] = 0;
	cr_assert_eq(stream_feed(test.stream, &record, sizeof(record)), 0);
	cr_assert_eq(test.events, 1);
	cr_assert_eq(strlen(test.name), CONTEXT_NAME_BYTES - 1);
	stream_free(test.stream);
}

Test(contexts, stop_when_told)
{
	struct test test;

	begin(&test);
	test.answer = -EPIPE;
	cr_assert_eq(feed(&test, CONTEXT_AUDIT, 7, 100, 0, "open"), -EPIPE);
	cr_assert_eq(feed(&test, CONTEXT_GC_START, 7, 100, 0, ""), 0); /* nobody was asked */
	cr_assert_eq(feed(&test, CONTEXT_GC_DONE, 7, 100, 0, ""), -EPIPE);
	stream_free(test.stream);
}
