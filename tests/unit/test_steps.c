/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "model/steps.h"

/*
 * Who runs on whom, and who waited for what. Each life is written out as its transitions; what must come of it
 * is said in numbers that have only one explanation. Times of their own are tested with the table of functions
 * (test_times.c).
 */

#define SEEN_MAX 64

struct seen {
	uint64_t id, begin_ns, end_ns, self_ns;
	uint32_t depth, chain;
	bool ended;
};

/* A chain is the decimal digits of the ids in it, outermost first. */
struct stage {
	struct steps *steps;
	struct seen seen[SEEN_MAX];
	size_t count;
	uint32_t wait_chain[SEEN_MAX];
	uint64_t wait_ns[SEEN_MAX];
	size_t waits;
	uint32_t tid;
	uint64_t since[16];
};

static uint32_t on_enter(void *ctx, const struct stretch *stretch, const struct stretch *under)
{
	(void)ctx;
	cr_expect_eq(stretch->depth, under ? under->depth + 1 : 0);
	return (under ? under->chain * 10 : 0) + (uint32_t)stretch->id;
}

static void on_leave(void *ctx, const struct stretch *stretch, uint64_t end_ns,
		     const struct transition_record *end)
{
	struct stage *stage = ctx;

	cr_assert_lt(stage->count, SEEN_MAX);
	stage->seen[stage->count++] = (struct seen){ .id = stretch->id,
						     .begin_ns = stretch->begin_ns,
						     .end_ns = end_ns,
						     .self_ns = stretch->self_ns,
						     .depth = stretch->depth,
						     .chain = stretch->chain,
						     .ended = end != NULL };
}

static void on_waited(void *ctx, uint32_t chain, uint64_t ns)
{
	struct stage *stage = ctx;

	cr_assert_lt(stage->waits, SEEN_MAX);
	stage->wait_chain[stage->waits] = chain;
	stage->wait_ns[stage->waits++] = ns;
}

static void stage_open(struct stage *stage)
{
	const struct steps_listener listener = {
		.enter = on_enter, .leave = on_leave, .waited = on_waited, .ctx = stage
	};

	*stage = (struct stage){ .tid = 7 };
	cr_assert_eq(steps_new(&listener, &stage->steps), 0);
}

static void act(struct stage *stage, uint64_t ts_ns, uint64_t id, uint8_t kind, uint8_t from,
		uint8_t to, uint8_t via, uint64_t parent)
{
	struct transition_record t = { .head = { .pid = 7, .tid = stage->tid, .ts_ns = ts_ns },
				       .id = id,
				       .parent = parent,
				       .code = (uint32_t)id,
				       .kind = kind,
				       .from = from,
				       .to = to,
				       .via = via };
	struct step_facts facts;

	if (from == STATE_SUSPENDED && stage->since[id]) {
		t.head.flags = TRANSITION_HAS_SUSPENDED;
		t.suspended_ns = ts_ns - stage->since[id];
	}
	stage->since[id] = ts_ns;
	cr_assert_eq(steps_add(stage->steps, &t, &facts), 0);
}

static void run(struct stage *stage, uint64_t ts_ns, uint64_t id, uint64_t parent)
{
	act(stage, ts_ns, id, KIND_COROUTINE, STATE_CREATED, STATE_RUNNING, VIA_SEND, parent);
}

static void go_on(struct stage *stage, uint64_t ts_ns, uint64_t id, uint64_t parent)
{
	act(stage, ts_ns, id, KIND_COROUTINE, STATE_SUSPENDED, STATE_RUNNING, VIA_SEND, parent);
}

static void await(struct stage *stage, uint64_t ts_ns, uint64_t id, uint64_t parent)
{
	act(stage, ts_ns, id, KIND_COROUTINE, STATE_RUNNING, STATE_SUSPENDED, VIA_AWAIT, parent);
}

static void done(struct stage *stage, uint64_t ts_ns, uint64_t id, uint64_t parent)
{
	act(stage, ts_ns, id, KIND_COROUTINE, STATE_RUNNING, STATE_CLOSED, VIA_RETURN, parent);
}

static void expect(const struct stage *stage, size_t at, struct seen want)
{
	const struct seen *got = &stage->seen[at];

	cr_assert_lt(at, stage->count, "only %zu stretches", stage->count);
	cr_expect_eq(got->id, want.id, "stretch %zu is of %llu", at, (unsigned long long)got->id);
	cr_expect_eq(got->begin_ns, want.begin_ns, "stretch %zu", at);
	cr_expect_eq(got->end_ns, want.end_ns, "stretch %zu", at);
	cr_expect_eq(got->self_ns, want.self_ns, "stretch %zu: self %llu", at,
		     (unsigned long long)got->self_ns);
	cr_expect_eq(got->depth, want.depth, "stretch %zu", at);
	cr_expect_eq(got->chain, want.chain, "stretch %zu: chain %u", at, got->chain);
	cr_expect_eq(got->ended, want.ended, "stretch %zu", at);
}

Test(steps, nest_and_a_wait_is_told_once)
{
	struct stage stage;

	stage_open(&stage);
	for (int round = 0; round < 2; round++) {
		uint64_t at = 1000 * (uint64_t)round;

		(round ? go_on : run)(&stage, at + 100, 1, 0);
		(round ? go_on : run)(&stage, at + 110, 2, 1);
		(round ? go_on : run)(&stage, at + 130, 3, 2);
		(round ? done : await)(&stage, at + 170, 3, 2);
		(round ? done : await)(&stage, at + 180, 2, 1);
		(round ? done : await)(&stage, at + 200, 1, 0);
	}
	cr_assert_eq(stage.count, 6);
	expect(&stage, 0, (struct seen){ 3, 130, 170, 40, 2, 123, true });
	expect(&stage, 1, (struct seen){ 2, 110, 180, 20 + 10, 1, 12, true });
	expect(&stage, 2, (struct seen){ 1, 100, 200, 10 + 20, 0, 1, true });
	cr_assert_eq(stage.waits, 1, "%zu waits", stage.waits);
	cr_expect_eq(stage.wait_chain[0], 123);
	cr_expect_eq(stage.wait_ns[0], 1130 - 170);
	steps_free(stage.steps);
}

/* The innermost of asyncio.sleep(0) is a generator that yields: it waits, since who drives it awaits it. */
Test(steps, a_generator_below_an_await_waits)
{
	struct stage stage;

	stage_open(&stage);
	run(&stage, 100, 1, 0);
	act(&stage, 110, 2, KIND_GENERATOR, STATE_CREATED, STATE_RUNNING, VIA_AWAIT, 1);
	act(&stage, 120, 2, KIND_GENERATOR, STATE_RUNNING, STATE_SUSPENDED, VIA_YIELD, 1);
	await(&stage, 130, 1, 0);
	go_on(&stage, 530, 1, 0);
	act(&stage, 540, 2, KIND_GENERATOR, STATE_SUSPENDED, STATE_RUNNING, VIA_AWAIT, 1);
	cr_assert_eq(stage.waits, 1);
	cr_expect_eq(stage.wait_chain[0], 12);
	cr_expect_eq(stage.wait_ns[0], 420);
	steps_free(stage.steps);
}

/* A generator between two items does not wait; who used it and then awaits does. */
Test(steps, a_generator_between_items_does_not_wait)
{
	struct stage stage;

	stage_open(&stage);
	run(&stage, 100, 1, 0);
	act(&stage, 110, 2, KIND_GENERATOR, STATE_CREATED, STATE_RUNNING, VIA_FOR, 1);
	act(&stage, 120, 2, KIND_GENERATOR, STATE_RUNNING, STATE_SUSPENDED, VIA_YIELD, 1);
	act(&stage, 125, 3, KIND_COROUTINE, STATE_CREATED, STATE_RUNNING, VIA_AWAIT, 1);
	done(&stage, 128, 3, 1);
	await(&stage, 130, 1, 0);
	go_on(&stage, 530, 1, 0);
	act(&stage, 540, 2, KIND_GENERATOR, STATE_SUSPENDED, STATE_RUNNING, VIA_FOR, 1);
	cr_assert_eq(stage.waits, 1);
	cr_expect_eq(stage.wait_chain[0], 1);
	cr_expect_eq(stage.wait_ns[0], 400);
	steps_free(stage.steps);
}

/* What an async generator awaits is waited for in its chain, and its step is there in two stretches. */
Test(steps, an_async_generator_awaits)
{
	struct stage stage;

	stage_open(&stage);
	run(&stage, 100, 1, 0);
	act(&stage, 110, 2, KIND_ASYNC_GENERATOR, STATE_CREATED, STATE_RUNNING, VIA_ANEXT, 1);
	await(&stage, 150, 1, 0);
	run(&stage, 200, 4, 0); /* another task meanwhile */
	done(&stage, 300, 4, 0);
	go_on(&stage, 1150, 1, 0);
	act(&stage, 1180, 2, KIND_ASYNC_GENERATOR, STATE_RUNNING, STATE_SUSPENDED, VIA_YIELD, 1);
	done(&stage, 1190, 1, 0);
	cr_assert_eq(stage.count, 5);
	expect(&stage, 0, (struct seen){ 2, 110, 150, 40, 1, 12, false });
	expect(&stage, 1, (struct seen){ 1, 100, 150, 10, 0, 1, true });
	expect(&stage, 3, (struct seen){ 2, 1150, 1180, 30, 1, 12, true });
	expect(&stage, 4, (struct seen){ 1, 1150, 1190, 10, 0, 1, true });
	cr_assert_eq(stage.waits, 1);
	cr_expect_eq(stage.wait_chain[0], 12);
	cr_expect_eq(stage.wait_ns[0], 1000);
	steps_free(stage.steps);
}

Test(steps, lost_ends_clear_the_stack)
{
	struct stage stage;

	stage_open(&stage);
	run(&stage, 100, 1, 0);
	run(&stage, 110, 2, 1);
	stage.tid = 8; /* 1 goes on elsewhere: its end, and that of 2, are missing */
	go_on(&stage, 500, 1, 0);
	done(&stage, 600, 1, 0);
	cr_assert_eq(stage.count, 3);
	expect(&stage, 0, (struct seen){ 2, 110, 500, 0, 1, 12, false });
	expect(&stage, 1, (struct seen){ 1, 100, 500, 10, 0, 1, false });
	expect(&stage, 2, (struct seen){ 1, 500, 600, 100, 0, 1, true });
	cr_expect_eq(stage.waits, 0);
	steps_free(stage.steps);
}

/* An object that is freed while it seems to run, and one whose step has no end when all ends. */
Test(steps, end_with_what_they_stand_on)
{
	struct stage stage;

	stage_open(&stage);
	run(&stage, 100, 1, 0);
	run(&stage, 110, 2, 1);
	act(&stage, 150, 1, KIND_COROUTINE, STATE_CLOSED, STATE_NONE, VIA_FREE, 0);
	cr_assert_eq(stage.count, 2);
	expect(&stage, 1, (struct seen){ 1, 100, 150, 10, 0, 1, false });
	run(&stage, 200, 3, 0);
	steps_end(stage.steps, 260);
	cr_assert_eq(stage.count, 3);
	expect(&stage, 2, (struct seen){ 3, 200, 260, 60, 0, 3, false });
	cr_expect_eq(steps_objects(stage.steps), 3);
	steps_free(stage.steps);
	steps_free(NULL);
}
