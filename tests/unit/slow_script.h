/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TESTS_SLOW_SCRIPT_H
#define GENSCOPE_TESTS_SLOW_SCRIPT_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "model/slow.h"

/*
 * A script for model/slow.h: who runs when, in microseconds, on which thread; and what was told of that.
 */

#define OVER      100 /* us: the limit of every test */
#define STEPS_MAX 8
#define NOBODY    0

struct told {
	bool running;
	uint64_t id, begin_ns, run_ns, inner_left;
	struct slow_place chain[SLOW_CHAIN_MAX], inner[SLOW_INNER_MAX];
	size_t chain_count, inner_count;
	struct reasons reasons;
};

struct script {
	struct slow *slow;
	struct told told[STEPS_MAX];
	size_t count;
	uint32_t tid;
	uint64_t since[1024], parent[1024]; /* by id, since when it runs */
	uint8_t kind[1024];
	int answer; /* of the callback */
};

static struct code codes[4];

static inline int keep(void *ctx, const struct slow_step *step)
{
	struct script *script = ctx;
	struct told *told = &script->told[script->count++];

	cr_assert_leq(script->count, (size_t)STEPS_MAX);
	told->running = step->running;
	told->id = step->event->transition->id;
	told->begin_ns = step->begin_ns;
	told->run_ns = step->run_ns;
	told->inner_left = step->inner_left;
	cr_assert_leq(step->chain_count, (size_t)SLOW_CHAIN_MAX);
	cr_assert_leq(step->inner_count, (size_t)SLOW_INNER_MAX);
	memcpy(told->chain, step->chain, step->chain_count * sizeof(step->chain[0]));
	memcpy(told->inner, step->inner, step->inner_count * sizeof(step->inner[0]));
	told->chain_count = step->chain_count;
	told->inner_count = step->inner_count;
	told->reasons = step->reasons;
	return script->answer;
}

static inline struct script *begin_with(bool complete)
{
	struct script *script = calloc(1, sizeof(*script));
	struct slow_options options = {
		.over_ns = OVER * 1000, .complete = complete, .step = keep, .ctx = script
	};

	script->tid = 11;
	cr_assert_eq(slow_new(&options, &script->slow), 0);
	return script;
}

static inline struct script *begin(void)
{
	return begin_with(true);
}

static inline void end(struct script *script)
{
	slow_free(script->slow);
	free(script);
}

static inline struct transition_record transition(struct script *script, uint64_t us, uint64_t id)
{
	return (struct transition_record){
		.head = { .size = sizeof(struct transition_record),
			  .type = RECORD_TRANSITION,
			  .pid = 10,
			  .tid = script->tid,
			  .ts_ns = us * 1000 },
		.gen = 0x1000 + id * 0x100,
		.id = id,
		.kind = script->kind[id] ? script->kind[id] : KIND_COROUTINE,
	};
}

/* The line is told from the id: as if each object stood at a line of its own. */
static inline int feed(struct script *script, const struct transition_record *t)
{
	struct event event = { .type = EVENT_TRANSITION,
			       .transition = t,
			       .ts_ns = t->head.ts_ns,
			       .pid = t->head.pid,
			       .tid = t->head.tid,
			       .code = &codes[t->id % 4],
			       .line = (uint32_t)t->id * 10 + (t->to == STATE_RUNNING) };

	return slow_event(script->slow, &event);
}

static inline void resume_via(struct script *script, uint64_t us, uint64_t id, uint64_t parent,
			      uint8_t via)
{
	struct transition_record t = transition(script, us, id);

	t.from = STATE_SUSPENDED;
	t.to = STATE_RUNNING;
	t.via = via;
	t.parent = parent;
	script->since[id] = us;
	script->parent[id] = parent;
	cr_assert_eq(feed(script, &t), 0);
}

/* From an event loop, or from whoever awaits it. */
static inline void resume(struct script *script, uint64_t us, uint64_t id, uint64_t parent)
{
	resume_via(script, us, id, parent, parent ? VIA_AWAIT : VIA_SEND);
}

static inline struct transition_record leaving(struct script *script, uint64_t us, uint64_t id,
					       uint8_t to)
{
	struct transition_record t = transition(script, us, id);

	t.from = STATE_RUNNING;
	t.to = to;
	t.via = to == STATE_CLOSED ? VIA_RETURN : VIA_AWAIT;
	t.parent = script->parent[id];
	t.run_ns = (us - script->since[id]) * 1000;
	t.head.flags = TRANSITION_HAS_RUN;
	return t;
}

static inline void leave(struct script *script, uint64_t us, uint64_t id, uint8_t to)
{
	struct transition_record t = leaving(script, us, id, to);

	cr_assert_eq(feed(script, &t), 0);
}

static inline void suspend(struct script *script, uint64_t us, uint64_t id)
{
	leave(script, us, id, STATE_SUSPENDED);
}

static inline void finish(struct script *script, uint64_t us, uint64_t id)
{
	leave(script, us, id, STATE_CLOSED);
}

/* TRANSITION_CHAIN: `id` hangs on the step that ends at that time. */
static inline void hang(struct script *script, uint64_t us, uint64_t id)
{
	struct transition_record t = transition(script, us, id);

	t.head.flags = TRANSITION_CHAIN;
	t.from = STATE_RUNNING;
	t.to = STATE_SUSPENDED;
	cr_assert_eq(feed(script, &t), 0);
}

static inline void expect_places(const struct slow_place *at, size_t count, const uint64_t *ids)
{
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(at[i].id, ids[i], "place %zu is of %llu", i,
			     (unsigned long long)at[i].id);
		cr_assert_eq(at[i].gen, 0x1000 + ids[i] * 0x100);
		cr_assert_eq(at[i].code, &codes[ids[i] % 4]);
	}
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define EXPECT_CHAIN(step, ...)                                                                    \
	do {                                                                                       \
		const uint64_t ids_[] = { __VA_ARGS__ };                                           \
		cr_assert_eq((step)->chain_count, COUNT(ids_), "%zu in the chain",                 \
			     (step)->chain_count);                                                 \
		expect_places((step)->chain, COUNT(ids_), ids_);                                   \
	} while (0)
#define EXPECT_INNER(step, ...)                                                                    \
	do {                                                                                       \
		const uint64_t ids_[] = { __VA_ARGS__ };                                           \
		cr_assert_eq((step)->inner_count, COUNT(ids_), "%zu inside", (step)->inner_count); \
		expect_places((step)->inner, COUNT(ids_), ids_);                                   \
	} while (0)

/* The step that came last, which is the n-th one from 1. */
static inline const struct told *last(const struct script *script, size_t n)
{
	cr_assert_eq(script->count, n, "%zu steps were told", script->count);
	return &script->told[n - 1];
}

#endif
