/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "perfetto_trace.h"

Test(perfetto, draws_steps_arrows_and_bars)
{
	struct trace trace;

	trace_open(&trace, 50);
	trace_tell(&trace, (struct change){ 100, 1, .from = N, .to = C, .via = VIA_CREATE });
	trace_tell(&trace, (struct change){ 200, 1, .from = C, .to = R, .via = VIA_SEND });
	trace_tell(&trace, (struct change){ 210, 2, .from = N, .to = C, .via = VIA_CREATE });
	trace_tell(&trace, (struct change){ 220, 2, 1, .from = C, .to = R, .via = VIA_AWAIT });
	trace_tell(&trace,
		   (struct change){ 230, 2, .from = R, .to = S, .via = VIA_AWAIT, .run_ns = 10 });
	trace_tell(&trace,
		   (struct change){ 260, 1, .from = R, .to = S, .via = VIA_AWAIT, .run_ns = 60 });
	trace_tell(&trace,
		   (struct change){ 300, 1, .from = S, .to = R, .via = VIA_SEND, .tid = 12 });
	trace_tell(&trace,
		   (struct change){ 310, 2, 1, .from = S, .to = R, .via = VIA_AWAIT, .tid = 12 });
	trace_tell(&trace,
		   (struct change){ 320, 2, .from = R, .to = X, .via = VIA_RETURN, .tid = 12 });
	trace_tell(&trace,
		   (struct change){ 330, 2, .from = X, .to = N, .via = VIA_FREE, .tid = 12 });
	trace_tell(&trace,
		   (struct change){ 400, 1, .from = R, .to = X, .via = VIA_RETURN, .tid = 12 });
	trace_read(&trace);
	trace_expect_rules(&trace);
	cr_assert_eq(trace.titles, 4, "two threads and twice their process");
	trace_expect_marks(&trace, "BE", "B200:1 B220:2 E230 E260 B300:1 B310:2 E320 E400");
	trace_expect_marks(&trace, "sf", "s259 f300 s229 f310");
	trace_expect_marks(&trace, "i", "i260:1");
	trace_expect_marks(&trace, "be", "b100 b210 e320 e400");
	trace_close(&trace);
}

/* A coroutine that is made in one step and begins in another: who made it? */
Test(perfetto, points_from_birth_to_first_step)
{
	struct trace trace;

	trace_open(&trace, 0);
	trace_tell(&trace, (struct change){ 100, 1, .from = C, .to = R });
	trace_tell(&trace, (struct change){ 110, 2, .from = N, .to = C });
	trace_tell(&trace, (struct change){ 115, 3, .kind = KIND_GENERATOR, .from = N, .to = C });
	trace_tell(&trace, (struct change){ 120, 1, .from = R, .to = X });
	trace_tell(&trace, (struct change){ 200, 2, .from = C, .to = R });
	trace_tell(&trace, (struct change){ 300, 2, .from = R, .to = X });
	trace_tell(&trace, (struct change){ 400, 3, .kind = KIND_GENERATOR, .from = C, .to = R });
	trace_read(&trace);
	trace_expect_rules(&trace);
	trace_expect_marks(&trace, "sf", "s109 f200");
	trace_expect_marks(&trace, "be", "b100 b110 b115 e120 e300 e400");
	trace_close(&trace);
}

/* An async generator that runs while what drives it is suspended, and others run on its thread. */
Test(perfetto, parks_async_generators)
{
	const uint8_t agen = KIND_ASYNC_GENERATOR;
	struct trace trace;

	trace_open(&trace, 0);
	trace_tell(&trace, (struct change){ 100, 1, .from = C, .to = R });
	trace_tell(&trace, (struct change){ 110, 2, 1, .kind = agen, .from = C, .to = R });
	trace_tell(&trace, (struct change){ 115, 3, 2, .kind = agen, .from = C, .to = R });
	trace_tell(&trace, (struct change){ 120, 1, .from = R, .to = S, .via = VIA_AWAIT });
	trace_tell(&trace, (struct change){ 130, 4, .from = C, .to = R });
	trace_tell(&trace, (struct change){ 140, 4, .from = R, .to = X });
	trace_tell(&trace, (struct change){ 150, 1, .from = S, .to = R, .tid = 12 });
	trace_tell(&trace, (struct change){ 160, 3, .kind = agen, .from = R, .to = S, .tid = 12 });
	trace_tell(&trace, (struct change){ 170, 2, .kind = agen, .from = R, .to = S, .tid = 12 });
	trace_tell(&trace, (struct change){ 180, 1, .from = R, .to = X, .tid = 12 });
	trace_read(&trace);
	trace_expect_rules(&trace);
	trace_expect_marks(&trace, "BE",
			   "B100:1 B110:2 B115:3 E120 E120 E120 B130:4 E140 "
			   "B150:1 B150:2 B150:3 E160 E170 E180");
	trace_close(&trace);
}

/* What is open and does not drive the next step is not running: an async generator that was stepped by
 * hand, or a step whose end was lost. */
Test(perfetto, draws_a_step_in_its_driver)
{
	struct trace trace;

	trace_open(&trace, 0);
	trace_tell(&trace, (struct change){ 100, 1, .from = C, .to = R });
	trace_tell(&trace,
		   (struct change){ 110, 2, 1, .kind = KIND_ASYNC_GENERATOR, .from = C, .to = R });
	trace_tell(&trace, (struct change){ 120, 3, 1, .from = C, .to = R });
	trace_tell(&trace, (struct change){ 130, 3, .from = R, .to = X });
	trace_tell(&trace,
		   (struct change){ 140, 2, .kind = KIND_ASYNC_GENERATOR, .from = R, .to = S });
	trace_tell(&trace,
		   (struct change){ 150, 4, 77, .from = C, .to = R }); /* 77 is filtered out */
	trace_tell(&trace, (struct change){ 200, 5, .from = C, .to = R });
	trace_tell(&trace, (struct change){ 210, 1, .from = R, .to = X });
	trace_read(&trace);
	trace_expect_rules(&trace);
	trace_expect_marks(&trace, "BE",
			   "B100:1 B110:2 E120 B120:3 E130 B150:4 E200 E200 B200:5 E210");
	trace_close(&trace);
}

Test(perfetto, draws_what_only_the_end_tells)
{
	struct trace trace;

	trace_open(&trace, 0);
	trace_tell(&trace, (struct change){ 100, 1, .from = C, .to = R });
	trace_tell_gc(&trace, 11, 150, 20);
	trace_tell(&trace, (struct change){ 200, 2, 1, .from = C, .to = R });
	trace_tell(&trace, (struct change){ 210, 2, .from = R, .to = X });
	trace_tell_gc(&trace, 11, 220, 30);  /* around the step of 2 */
	trace_tell_gc(&trace, 11, 230, 500); /* began before the step of 1, which cannot be */
	trace_tell(&trace, (struct change){ 300, 1, .from = R, .to = X });
	/* its beginning was filtered out: 280 is within a step, so from its end on */
	trace_tell(&trace, (struct change){ 320, 5, .from = R, .to = S, .run_ns = 40 });
	trace_tell(&trace,
		   (struct change){ 350, 6, .from = R, .to = S }); /* nothing is known of it */
	trace_read(&trace);
	trace_expect_rules(&trace);
	trace_expect_marks(&trace, "BEX",
			   "B100:1 X130+20:0 B200:2 E210 X190+30:0 X100+130:0 E300 X300+20:5");
	trace_close(&trace);
}

Test(perfetto, remembers_only_the_last_slices)
{
	struct trace trace;

	trace_open(&trace, 0);
	for (uint64_t i = 0; i < 40; i++) {
		trace_tell(&trace, (struct change){ 100 + 10 * i, i + 1, .from = C, .to = R });
		trace_tell(&trace, (struct change){ 105 + 10 * i, i + 1, .from = R, .to = X });
	}
	trace_tell_gc(&trace, 11, 600, 598); /* across the first, which is forgotten */
	trace_read(&trace);
	trace_expect_rules(&trace);
	cr_assert_eq(trace.marks[trace.count - 1].ts_ns, 100 + 10 * 23 + 5);
	trace_close(&trace);
}

static const char *process_title(void *ctx, uint32_t pid)
{
	cr_assert_eq(pid, 10);
	return ctx;
}

Test(perfetto, names_its_tracks)
{
	struct perfetto_options options = { .process_name = process_title,
					    .ctx = "a \"server\"\n" };
	struct loss loss = { .ring = 3 };
	struct json_object *events;
	struct trace trace;

	memset(&trace, 0, sizeof(trace));
	paper_open(&trace.paper, &sink_json, false);
	cr_assert_eq(perfetto_new(&options, &trace.paper.writer, &trace.sink), 0);
	trace.sink->ops->begin(trace.sink);
	trace_tell(&trace, (struct change){ 1234567, 2, .from = C, .to = R, .tid = 10 });
	trace.sink->ops->lost(trace.sink, 1300000, &loss);
	trace_read(&trace);
	trace_expect_rules(&trace);
	events = trace_get(trace.root, "traceEvents");
	expect_string(trace_get(json_object_array_get_idx(events, 0), "args"), "name",
		      "a \"server\"\n");
	expect_string(trace_get(json_object_array_get_idx(events, 1), "args"), "name",
		      "main thread");
	cr_assert_str_eq(trace.marks[0].name, "\"quoted\"\n");
	cr_assert_str_eq(trace.marks[2].name, "lost events");
	cr_assert(strstr(trace.paper.text, "\"ts\":1234.567,"));
	cr_assert(strstr(trace.paper.text, "\"at\":\"/srv/app.py:30\""));
	expect_string(trace_get(trace.root, "otherData"), "coverage", "full");
	trace_close(&trace);
}

Test(perfetto, is_whole_without_events)
{
	struct trace trace;

	trace_open(&trace, 0);
	trace_read(&trace);
	cr_assert_eq(trace.count, 0);
	trace_close(&trace);
	cr_assert_eq(perfetto_free(NULL), 0);
}
