/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "perfetto_trace.h"

/* Lives at random: of those that can be, each slice is where the step was; whatever is told, the rules hold. */

enum { OBJECTS = 600, THREADS = 3, DEPTH = 40 };

struct life {
	uint64_t id;
	uint8_t kind, state;
	int inner;                   /* what it awaits, -1 none */
	bool inside;                 /* something awaits it */
	uint64_t began_ns, steps_ns; /* of the time it was on a thread */
	size_t steps;
};

struct world {
	struct trace *trace;
	uint64_t random, now_ns, last_ns[THREADS];
	struct life lives[OBJECTS];
	int count;
	struct {
		int at[DEPTH], count, roots[DEPTH]; /* roots: 1 where a chain begins */
	} threads[THREADS];
};

static unsigned dice(struct world *world, unsigned sides)
{
	world->random = world->random * 6364136223846793005 + 1442695040888963407;
	return (unsigned)(world->random >> 33) % sides;
}

static void emit(struct world *world, int thread, struct life *life, uint8_t to, uint8_t via,
		 uint64_t parent)
{
	world->now_ns += dice(world, 4);
	trace_tell(world->trace,
		   (struct change){ world->now_ns, life->id, parent, life->kind, life->state, to,
				    via, 100 + (uint32_t)thread, 0 });
	life->state = to;
}

static uint64_t top_id(const struct world *world, int thread)
{
	int count = world->threads[thread].count;

	return count ? world->lives[world->threads[thread].at[count - 1]].id : 0;
}

/* It runs from now on, and what it awaits, down to the innermost. */
static void enter(struct world *world, int thread, int index, bool root)
{
	for (; index >= 0; index = world->lives[index].inner, root = false) {
		struct life *life = &world->lives[index];
		int *count = &world->threads[thread].count;

		if (life->state != R)
			emit(world, thread, life, R, VIA_SEND, top_id(world, thread));
		life->began_ns = world->now_ns;
		world->threads[thread].roots[*count] = root;
		world->threads[thread].at[(*count)++] = index;
	}
}

static struct life *leave(struct world *world, int thread, bool *root)
{
	int count = --world->threads[thread].count;

	*root = world->threads[thread].roots[count];
	return &world->lives[world->threads[thread].at[count]];
}

static void count_step(struct world *world, struct life *life)
{
	life->steps_ns += world->now_ns - life->began_ns;
	life->steps++;
}

/* Everything from the innermost to the beginning of its chain. */
static void suspend_chain(struct world *world, int thread)
{
	struct life *waiting[DEPTH];
	int count = 0;
	bool root;

	do {
		struct life *life = leave(world, thread, &root);

		waiting[count++] = life;
		if (life->kind == KIND_ASYNC_GENERATOR)
			continue; /* stays RUNNING: its slice ends with the next that does not */
		emit(world, thread, life, S, VIA_AWAIT, 0);
		while (count)
			count_step(world, waiting[--count]);
	} while (!root);
}

static void end_top(struct world *world, int thread, uint8_t to, uint8_t via)
{
	bool root;
	struct life *life = leave(world, thread, &root);

	emit(world, thread, life, to, via, 0);
	count_step(world, life);
	life->inside = false;
	if (!root)
		world->lives[world->threads[thread].at[world->threads[thread].count - 1]].inner =
			-1;
}

/* One that exists and can be driven, or a new one; -1 none. */
static int choose(struct world *world, int thread, bool root)
{
	if (dice(world, 2))
		for (int i = (int)dice(world, OBJECTS), k = 0; k < 40; k++, i = (i + 1) % OBJECTS)
			if (i < world->count && !world->lives[i].inside &&
			    world->lives[i].state != R && world->lives[i].state != X &&
			    (!root || world->lives[i].kind != KIND_ASYNC_GENERATOR) &&
			    (root || world->lives[i].inner < 0))
				return i;
	if (world->count == OBJECTS)
		return -1;
	world->lives[world->count] =
		(struct life){ .id = (uint64_t)world->count + 1,
			       .kind = (uint8_t)(KIND_GENERATOR + dice(world, root ? 2 : 3)),
			       .inner = -1 };
	emit(world, thread, &world->lives[world->count], C, VIA_CREATE, 0);
	return world->count++;
}

static void act(struct world *world, int thread)
{
	int count = world->threads[thread].count, other;
	struct life *top = count ? &world->lives[world->threads[thread].at[count - 1]] : NULL;
	bool full = count > DEPTH / 2;

	switch (top ? dice(world, 8) : 0) {
	case 0: /* drive something of its own */
		other = full ? -1 : choose(world, thread, true);
		if (other >= 0)
			enter(world, thread, other, true);
		break;
	case 1:
	case 2: /* await something */
		other = full ? -1 : choose(world, thread, false);
		if (other < 0)
			break;
		top->inner = other;
		world->lives[other].inside = true;
		enter(world, thread, other, false);
		break;
	case 3:
		end_top(world, thread, X, VIA_RETURN);
		break;
	case 4: /* back to who awaits it */
		if (top->kind != KIND_COROUTINE)
			end_top(world, thread, S, VIA_YIELD);
		break;
	case 5:
		trace_tell_gc(world->trace, 100 + (uint32_t)thread, world->now_ns, dice(world, 20));
		break;
	default:
		suspend_chain(world, thread);
	}
}

static void expect_lives(const struct world *world)
{
	const struct trace *trace = world->trace;
	const struct mark *stacks[THREADS][512];
	size_t counts[THREADS] = {};
	struct life drawn[OBJECTS + 1] = {};

	for (size_t i = 0; i < trace->count; i++) {
		const struct mark *mark = &trace->marks[i];
		unsigned thread = mark->tid - 100;

		if (mark->phase == 'B')
			stacks[thread][counts[thread]++] = mark;
		if (mark->phase != 'E')
			continue;
		mark = stacks[thread][--counts[thread]];
		drawn[mark->object].steps_ns += trace->marks[i].ts_ns - mark->ts_ns;
		drawn[mark->object].steps++;
	}
	for (int i = 0; i < world->count; i++) {
		const struct life *life = &world->lives[i];

		cr_assert_eq(drawn[life->id].steps, life->steps, "object %d: %zu, not %zu steps", i,
			     drawn[life->id].steps, life->steps);
		cr_assert_eq(drawn[life->id].steps_ns, life->steps_ns, "object %d", i);
	}
}

Test(perfetto, draws_lives_at_random_exactly, .timeout = 120)
{
	struct world *world = malloc(sizeof(*world));
	size_t arrows = 0;

	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct trace trace;

		memset(world, 0, sizeof(*world));
		world->trace = &trace;
		world->random = seed * 7919;
		world->now_ns = 1000;
		trace_open(&trace, 0);
		for (int i = 0; i < 1500; i++)
			act(world, (int)dice(world, THREADS));
		for (int thread = 0; thread < THREADS; thread++)
			while (world->threads[thread].count)
				suspend_chain(world, thread);
		trace_read(&trace);
		trace_expect_rules(&trace);
		expect_lives(world);
		cr_assert_eq(trace_expect_pairs(&trace, 'b', 'e'), (size_t)world->count);
		arrows += trace_expect_pairs(&trace, 's', 'f');
		trace_close(&trace);
	}
	cr_assert(arrows > 1000);
	free(world);
}

/* Whatever is lost, forged or out of order: the rules hold. */
Test(perfetto, keeps_the_rules_with_any_events, .timeout = 120)
{
	struct world world = {};

	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct trace trace;

		world.random = seed;
		trace_open(&trace, seed % 3);
		for (int i = 0; i < 1500; i++) {
			struct change change = { 100 + (uint64_t)i / 2 + dice(&world, 9),
						 1 + dice(&world, 12),
						 dice(&world, 13),
						 (uint8_t)(1 + dice(&world, 3)),
						 (uint8_t)dice(&world, STATE_COUNT),
						 (uint8_t)dice(&world, STATE_COUNT),
						 (uint8_t)(dice(&world, 2) ? VIA_AWAIT : VIA_YIELD),
						 100 + dice(&world, 3),
						 dice(&world, 3) * 9 };

			/* an object has one bar: its id does not come back */
			change.id += 12 * (uint64_t)(i / 100);
			if (change.parent)
				change.parent += 12 * (uint64_t)(i / 100);
			if (change.from == X || change.to == X || change.to == N)
				if (dice(&world, 30))
					continue;
			if (change.to == X || change.to == N)
				change.id = 5000 + (uint64_t)i;
			trace_tell(&trace, change);
			if (!dice(&world, 10))
				trace_tell_gc(&trace, change.tid, change.ts_ns, dice(&world, 60));
		}
		trace_read(&trace);
		trace_expect_rules(&trace);
		trace_close(&trace);
	}
}
