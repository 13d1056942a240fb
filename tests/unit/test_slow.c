/* SPDX-License-Identifier: MIT */
#include "slow_script.h"

/*
 * Slow steps out of all events of a run. What must come out of a script is what it says: the times, and who was
 * left suspended inside whom.
 */

Test(slow, tells_steps_as_long_as_the_limit)
{
	struct script *script = begin();
	const struct told *step;

	resume(script, 1000, 1, NOBODY);
	suspend(script, 1000 + OVER - 1, 1);
	resume(script, 2000, 1, NOBODY);
	suspend(script, 2000 + OVER, 1);
	step = last(script, 1);
	cr_expect_eq(step->id, 1);
	cr_expect_not(step->running);
	cr_expect_eq(step->begin_ns, 2000000);
	cr_expect_eq(step->run_ns, OVER * 1000);
	EXPECT_CHAIN(step, 1);
	cr_expect_eq(step->chain[0].line, 10);
	cr_expect_eq(step->chain[0].to, STATE_SUSPENDED);
	cr_expect_eq(step->inner_count, 0);
	resume(script, 3000, 1, NOBODY);
	finish(script, 3500, 1);
	EXPECT_CHAIN(last(script, 2), 1);
	cr_expect_eq(last(script, 2)->chain[0].to, STATE_CLOSED);
	end(script);
}

Test(slow, needs_to_have_seen_the_beginning)
{
	struct script *script = begin();
	struct transition_record t = leaving(script, 5000, 1, STATE_SUSPENDED);

	t.head.flags = 0; /* run_ns means nothing */
	cr_assert_eq(feed(script, &t), 0);
	cr_assert_eq(script->count, 0);
	end(script);
}

Test(slow, tells_the_chain_that_was_left_suspended)
{
	struct script *script = begin();
	const struct told *step;

	for (int turn = 0; turn < 2; turn++) {
		uint64_t us = 1000u * (unsigned)(turn + 1);

		resume(script, us, 1, NOBODY);
		resume(script, us + 1, 2, 1);
		resume(script, us + 2, 3, 2);
		suspend(script, us + 300, 3);
		suspend(script, us + 301, 2);
		suspend(script, us + 302, 1);
		step = last(script, (size_t)turn + 1);
		EXPECT_CHAIN(step, 1, 2, 3);
		cr_expect_eq(step->chain[1].line, 20,
			     "where it was left, not where it was resumed");
		cr_expect_eq(step->chain[2].line, 30);
		cr_expect_eq(step->run_ns, 302000);
		EXPECT_INNER(step, 3, 2);
		cr_expect_eq(step->inner[0].run_ns, 298000);
		cr_expect_eq(step->inner[1].run_ns, 300000);
	}
	end(script);
}

/* What ended, or was only iterated over, is not what the step waits for. */
Test(slow, leaves_out_of_the_chain_what_is_not_awaited)
{
	struct script *script = begin();
	const struct told *step;

	resume(script, 1000, 1, NOBODY);
	resume_via(script, 1010, 2, 1, VIA_FOR);
	leave(script, 1200, 2, STATE_SUSPENDED); /* the loop's generator, not at its end */
	suspend(script, 1210, 1);                /* awaits a future */
	step = last(script, 1);
	EXPECT_CHAIN(step, 1);
	EXPECT_INNER(step, 2);
	resume(script, 2000, 1, NOBODY);
	resume_via(script, 2010, 2, 1, VIA_FOR);
	leave(script, 2020, 2, STATE_SUSPENDED);
	resume(script, 2030, 3, 1); /* in the body of the loop it awaits a coroutine */
	suspend(script, 2200, 3);
	suspend(script, 2210, 1);
	EXPECT_CHAIN(last(script, 2), 1, 3);
	resume(script, 3000, 1, NOBODY);
	resume(script, 3010, 3, 1);
	finish(script, 3020, 3);
	suspend(script, 3300, 1);
	step = last(script, 3);
	EXPECT_CHAIN(step, 1);
	cr_expect_eq(step->inner_count, 0, "10 us are under the limit");
	end(script);
}

Test(slow, has_no_chain_where_the_step_ended_its_object)
{
	struct script *script = begin();
	const struct told *step;

	resume(script, 1000, 1, NOBODY);
	resume(script, 1010, 2, 1);
	finish(script, 1250, 2); /* as by an exception that goes through both */
	finish(script, 1260, 1);
	step = last(script, 1);
	EXPECT_CHAIN(step, 1);
	EXPECT_INNER(step, 2);
	cr_expect_eq(step->inner[0].to, STATE_CLOSED);
	end(script);
}

/* task.cancel(): the innermost one is resumed by throw(), handed on from the outermost. */
Test(slow, follows_throw_into_the_chain)
{
	struct script *script = begin();

	resume_via(script, 1000, 1, NOBODY, VIA_THROW);
	resume_via(script, 1001, 2, 1, VIA_THROW);
	suspend(script, 1200, 2); /* it awaits again, in `except` or `finally` */
	suspend(script, 1201, 1);
	EXPECT_CHAIN(last(script, 1), 1, 2);
	end(script);
}

/* An async generator is RUNNING while it awaits: the step after that has no word of it. */
Test(slow, keeps_an_async_generator_that_awaits_in_the_chain)
{
	struct script *script = begin();
	const struct told *step;

	script->kind[2] = KIND_ASYNC_GENERATOR;
	resume(script, 1000, 1, NOBODY);
	resume_via(script, 1001, 2, 1, VIA_ANEXT);
	resume(script, 1002, 3, 2);
	suspend(script, 1200, 3);
	suspend(script, 1202, 1);
	EXPECT_CHAIN(last(script, 1), 1, 2, 3);
	for (size_t turn = 2; turn < 4; turn++) {
		resume(script, 2000 * turn, 1, NOBODY);
		resume(script, 2000 * turn + 2, 3, 2);
		suspend(script, 2000 * turn + 200, 3);
		suspend(script, 2000 * turn + 202, 1);
		step = last(script, turn);
		EXPECT_CHAIN(step, 1, 2, 3);
		cr_expect_eq(step->chain[1].line, 0, "where it awaits is not told");
	}
	end(script);
}

/* It yielded, or ended, and the step awaits something else. */
Test(slow, leaves_an_async_generator_out_that_does_not_await)
{
	struct script *script = begin();

	script->kind[2] = KIND_ASYNC_GENERATOR;
	resume(script, 1000, 1, NOBODY);
	resume_via(script, 1001, 2, 1, VIA_ANEXT);
	suspend(script, 1100, 2);
	suspend(script, 1202, 1);
	EXPECT_CHAIN(last(script, 1), 1);
	resume(script, 2000, 1, NOBODY);
	resume_via(script, 2001, 2, 1, VIA_ANEXT);
	finish(script, 2100, 2);
	suspend(script, 2202, 1);
	EXPECT_CHAIN(last(script, 2), 1);
	end(script);
}

/* Its own step began long ago, but the thread was free meanwhile. */
Test(slow, counts_no_await_of_an_async_generator)
{
	struct script *script = begin();
	const struct told *step;

	script->kind[2] = KIND_ASYNC_GENERATOR;
	resume(script, 1000, 1, NOBODY);
	resume_via(script, 1001, 2, 1, VIA_ANEXT);
	suspend(script, 1010, 1);
	resume(script, 900000, 1, NOBODY);
	suspend(script, 900150, 2);
	suspend(script, 900160, 1);
	step = last(script, 1);
	EXPECT_INNER(step, 2);
	cr_expect_eq(step->inner[0].run_ns, 150000);
	resume(script, 901000, 1, NOBODY);
	resume_via(script, 901001, 2, 1, VIA_ANEXT);
	suspend(script, 901010, 1);
	resume(script, 990000, 1, NOBODY);
	suspend(script, 990050, 2);
	suspend(script, 990160, 1);
	cr_expect_eq(last(script, 2)->inner_count, 0);
	end(script);
}

Test(slow, keeps_threads_apart)
{
	struct script *script = begin();

	resume(script, 1000, 1, NOBODY);
	script->tid = 12;
	resume(script, 1001, 4, NOBODY);
	script->tid = 11;
	resume(script, 1002, 2, 1);
	script->tid = 12;
	resume(script, 1003, 5, 4);
	suspend(script, 1203, 5);
	script->tid = 11;
	suspend(script, 1204, 2);
	suspend(script, 1205, 1);
	EXPECT_CHAIN(last(script, 1), 1, 2);
	EXPECT_INNER(last(script, 1), 2);
	script->tid = 12;
	suspend(script, 1206, 4);
	EXPECT_CHAIN(last(script, 2), 4, 5);
	EXPECT_INNER(last(script, 2), 5);
	end(script);
}

Test(slow, remembers_many_threads)
{
	struct script *script = begin();

	for (uint32_t tid = 1; tid <= 500; tid++) {
		script->tid = tid;
		resume(script, 1000 + tid, tid, NOBODY);
		resume(script, 2000 + tid, 500 + tid, tid);
		suspend(script, 3000 + tid, 500 + tid);
	}
	for (uint32_t tid = 1; tid <= 500; tid++) {
		script->tid = tid;
		suspend(script, 4000 + tid, tid);
		EXPECT_CHAIN(last(script, 1), tid, 500 + tid);
		cr_expect_eq(script->told[0].run_ns, 3000000);
		script->count = 0;
	}
	end(script);
}

Test(slow, tells_chains_up_to_a_depth)
{
	struct script *script = begin();
	const uint64_t deep = 700; /* more than the slots of a thread */

	for (uint64_t id = 1; id <= deep; id++)
		resume(script, 1000 + id, id, id - 1);
	for (uint64_t id = deep; id; id--)
		suspend(script, 4000 - id, id);
	cr_assert_eq(script->count, 1);
	cr_expect_eq(script->told[0].run_ns, (3999 - 1001) * 1000);
	cr_assert_eq(script->told[0].chain_count, (size_t)SLOW_CHAIN_MAX);
	for (uint64_t id = 1; id <= SLOW_CHAIN_MAX; id++)
		cr_expect_eq(script->told[0].chain[id - 1].id, id);
	end(script);
}

Test(slow, keeps_the_latest_inner_steps)
{
	struct script *script = begin();
	const struct told *step;

	resume(script, 1000, 1, NOBODY);
	for (uint64_t id = 2; id < 22; id++) {
		resume(script, 1000 * id, id, 1);
		finish(script, 1000 * id + 100 + id, id);
	}
	suspend(script, 30000, 1);
	step = last(script, 1);
	cr_assert_eq(step->inner_count, (size_t)SLOW_INNER_MAX);
	cr_expect_eq(step->inner_left, 20 - SLOW_INNER_MAX);
	for (uint64_t id = 22 - SLOW_INNER_MAX; id < 22; id++) {
		const struct slow_place *place = &step->inner[id - (22 - SLOW_INNER_MAX)];

		cr_expect_eq(place->id, id);
		cr_expect_eq(place->run_ns, (100 + id) * 1000);
	}
	resume(script, 40000, 1, NOBODY);
	suspend(script, 41000, 1);
	cr_expect_eq(last(script, 2)->inner_left, 0);
	cr_expect_eq(last(script, 2)->inner_count, 0);
	end(script);
}

/* Ends were lost: what is still told must be true, whatever is missing. */
Test(slow, survives_losses)
{
	struct script *script = begin();

	resume(script, 1000, 1, NOBODY);
	resume(script, 1001, 2, 1); /* its end, and that of 1, are lost */
	resume(script, 3000, 4, NOBODY);
	suspend(script, 3200, 4);
	EXPECT_CHAIN(last(script, 1), 4);
	cr_expect_eq(last(script, 1)->inner_count, 0);
	suspend(script, 4000, 2); /* of a step whose beginning was lost */
	suspend(script, 4001, 1);
	cr_expect_leq(script->told[1].chain_count, 2u);
	resume(script, 5000, 3, 77); /* its parent was never seen */
	suspend(script, 5200, 3);
	resume(script, 6000, 4, NOBODY);
	suspend(script, 6200, 4);
	EXPECT_CHAIN(last(script, 3), 4);
	cr_expect_eq(last(script, 3)->inner_count, 0, "3 ran before this step began");
	end(script);
}

Test(slow, stops_where_the_callback_says_so)
{
	struct script *script = begin();
	struct transition_record t;

	script->answer = -77;
	resume(script, 1000, 1, NOBODY);
	t = leaving(script, 2000, 1, STATE_SUSPENDED);
	cr_assert_eq(feed(script, &t), -77);
	end(script);
}

/* --- reasons --- */

static void tell_of(struct script *script, uint8_t type, const char *name, uint64_t from_us,
		    uint64_t to_us)
{
	struct event event = { .type = type,
			       .ts_ns = to_us * 1000,
			       .pid = 10,
			       .tid = script->tid,
			       .name = name,
			       .generation = 2,
			       .has_ns = to_us > from_us,
			       .ns = (to_us - from_us) * 1000 };

	cr_assert_eq(slow_event(script->slow, &event), 0);
}

Test(slow, knows_why_by_thread_and_time)
{
	struct script *script = begin();
	const struct reasons *reasons;
	struct reasons now;

	resume(script, 1000, 1, NOBODY);
	tell_of(script, EVENT_GC, "", 500, 900); /* of another step */
	tell_of(script, EVENT_GC, "", 1100, 1150);
	script->tid = 12;
	tell_of(script, EVENT_AUDIT, "time.sleep", 1200, 1200); /* of another thread */
	script->tid = 11;
	tell_of(script, EVENT_AUDIT, "open", 1250, 1250);
	slow_reasons(script->slow, 10, 11, 1000000, 1200000, &now);
	cr_assert_eq(now.count, 1, "as seen while the step runs");
	cr_expect_eq(now.at[0].ns, 50000);
	suspend(script, 1300, 1);
	reasons = &last(script, 1)->reasons;
	cr_assert_eq(reasons->count, 2);
	cr_expect_eq(reasons->at[0].type, EVENT_GC);
	cr_expect_eq(reasons->at[0].at_ns, 100000);
	cr_expect_eq(reasons->at[0].ns, 50000);
	cr_expect_eq(reasons->gc_ns, 50000);
	cr_expect_str_eq(reasons->at[1].name, "open");
	cr_expect_eq(reasons->at[1].at_ns, 250000);
	slow_reasons(script->slow, 10, 13, 0, UINT64_MAX, &now);
	cr_expect_eq(now.count, 0, "of a thread that nobody has heard of");
	slow_reasons(script->slow, 99, 11, 0, UINT64_MAX, &now);
	cr_expect_eq(now.count, 0);
	end(script);
}

Test(slow, passes_surveys_over)
{
	struct script *script = begin();
	struct living_record record = { .id = 1, .frame = STATE_RUNNING };
	struct event event = { .type = EVENT_LIVING, .living = &record, .tid = 11, .pid = 10 };

	cr_assert_eq(slow_event(script->slow, &event), 0);
	cr_assert_eq(script->count, 0);
	end(script);
}
