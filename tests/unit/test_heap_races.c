/* SPDX-License-Identifier: MIT */
/*
 * The collector's lists while a second thread changes them as CPython does, as fast as it can: objects
 * are born and end, lists grow old, collections take lists apart and put them together again
 * (Modules/gcmodule.c of 3.11, Python/gc.c later: the same steps). Whatever is there from the beginning
 * to the end of a look must be found, once, and nothing that was never there. Who looks at a list that
 * runs on cannot be certain: two objects that end and are born again one behind the other look as if
 * they had stayed. What a look may miss is therefore bounded, not forbidden; test_heap.c has, one by
 * one, the changes that must not harm.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "python/heap.h"
#include "python_image.h"

#define CACHE_SIZE  (8 << 20)
#define STAY        600 /* objects that are there all the time */
#define COME_AND_GO 600 /* whose addresses are used again and again */
#define ALL         (STAY + COME_AND_GO)
#define STRIDE      256
#define ROUNDS      40
#define WORK        40
#define LOOKS       (ROUNDS * 3)
/* Of the looks, in how many a list may be given up. That is told, never silent, and how often it happens is the
 * scheduler's choice: a reader that is held up finds each of its walks disturbed. */
#define BROKEN_MAX  (LOOKS / 4)

#define COLLECTING  2 /* in _gc_prev */
#define UNREACHABLE 1 /* in _gc_next */

struct crowd {
	struct cpython python;
	uint64_t base;        /* of the first object; the n-th is n * STRIDE further */
	uint64_t unreachable; /* the head of the collector's own list */
	bool tracked[ALL];
	bool held[ALL];      /* by somebody who is no container */
	uint32_t child[ALL]; /* it holds one other */
	bool collects, wrong;
	unsigned int seed;
	uint64_t steps;
	atomic_bool stop;
};

static uint64_t object_of(const struct crowd *crowd, size_t index)
{
	return crowd->base + index * STRIDE;
}

static size_t index_of(const struct crowd *crowd, uint64_t node)
{
	return (node + GC_HEAD_BYTES - crowd->base) / STRIDE;
}

/* Every other address is of one that stays. Of these every other one is held by the one before it only, which
 * is held from outside; all but the latter hold themselves, too. */
static bool stays(size_t index)
{
	return index % 2 == 0;
}

static uint64_t next_of(uint64_t node)
{
	return get64(node) & ~3ull;
}

static uint64_t head_of(const struct crowd *crowd, unsigned int list)
{
	return cpython_head(&crowd->python, 0, list);
}

/* --- what the collector does --- */

static void update_refs(struct crowd *crowd, uint64_t young)
{
	for (uint64_t node = next_of(young); node != young; node = next_of(node)) {
		size_t index = index_of(crowd, node);
		uint64_t references = index % 4 == 2 ? 2 : 1;

		put64(node + GC_HEAD_PREVIOUS,
		      references << 2 | COLLECTING | (get64(node + GC_HEAD_PREVIOUS) & 1));
	}
}

static uint64_t child_of(const struct crowd *crowd, uint64_t node)
{
	return object_of(crowd, crowd->child[index_of(crowd, node)]) - GC_HEAD_BYTES;
}

static void subtract_refs(const struct crowd *crowd, uint64_t young)
{
	for (uint64_t node = next_of(young); node != young; node = next_of(node)) {
		uint64_t child = child_of(crowd, node);
		uint64_t previous = get64(child + GC_HEAD_PREVIOUS);

		if (previous & COLLECTING && previous >> 2)
			put64(child + GC_HEAD_PREVIOUS, previous - 4);
	}
}

static void set_link(uint64_t node, uint64_t previous)
{
	put64(node + GC_HEAD_PREVIOUS, (get64(node + GC_HEAD_PREVIOUS) & 3) | previous);
}

static void visit_reachable(uint64_t node, uint64_t young)
{
	uint64_t previous = get64(node + GC_HEAD_PREVIOUS);

	if (!(previous & COLLECTING))
		return;
	if (get64(node) & UNREACHABLE) {
		uint64_t before = previous & ~3ull, after = next_of(node);

		put64(before, get64(node));
		set_link(after, before);
		cpython_append(young, node + GC_HEAD_BYTES);
		put64(node + GC_HEAD_PREVIOUS, (get64(node + GC_HEAD_PREVIOUS) & 3) | 1 << 2);
	} else if (!(previous >> 2)) {
		put64(node + GC_HEAD_PREVIOUS, (previous & 3) | 1 << 2);
	}
}

static void move_unreachable(const struct crowd *crowd, uint64_t young)
{
	uint64_t previous = young, node = next_of(young), unreachable = crowd->unreachable;

	while (node != young) {
		if (get64(node + GC_HEAD_PREVIOUS) >> 2) {
			visit_reachable(child_of(crowd, node), young);
			set_link(node, previous);
			put64(node + GC_HEAD_PREVIOUS,
			      get64(node + GC_HEAD_PREVIOUS) & ~(uint64_t)COLLECTING);
			previous = node;
		} else {
			uint64_t last = get64(unreachable + GC_HEAD_PREVIOUS) & ~3ull;

			put64(previous, get64(node));
			put64(last, node | UNREACHABLE);
			set_link(node, last);
			put64(node, unreachable | UNREACHABLE);
			put64(unreachable + GC_HEAD_PREVIOUS, node);
		}
		node = get64(previous);
	}
	put64(young + GC_HEAD_PREVIOUS, previous);
	put64(unreachable, get64(unreachable) & ~(uint64_t)UNREACHABLE);
}

static void delete_garbage(struct crowd *crowd)
{
	uint64_t unreachable = crowd->unreachable, node;

	while ((node = next_of(unreachable)) != unreachable) {
		size_t index = index_of(crowd, node);

		crowd->wrong |= stays(index);
		cpython_untrack(node + GC_HEAD_BYTES);
		crowd->tracked[index] = false;
	}
}

static void collect(struct crowd *crowd, unsigned int generation)
{
	const struct memory_layout *inner = &crowd->python.remote.inner;
	uint64_t collecting =
		crowd->python.interpreters[0] + inner->interpreter_gc + inner->gc_collecting;
	uint64_t young = head_of(crowd, generation);

	put32(collecting, 1);
	for (unsigned int i = 0; i < generation; i++)
		cpython_merge(head_of(crowd, i), young);
	update_refs(crowd, young);
	subtract_refs(crowd, young);
	put64(crowd->unreachable, crowd->unreachable);
	put64(crowd->unreachable + GC_HEAD_PREVIOUS, crowd->unreachable);
	move_unreachable(crowd, young);
	if (generation < 2)
		cpython_merge(young, head_of(crowd, generation + 1));
	delete_garbage(crowd);
	put32(collecting, 0);
}

/* --- and the program --- */

static void be_born_or_end(struct crowd *crowd)
{
	size_t index = (size_t)rand_r(&crowd->seed) % COME_AND_GO * 2 + 1;

	if (crowd->tracked[index])
		cpython_untrack(object_of(crowd, index));
	else
		cpython_track(&crowd->python, object_of(crowd, index));
	crowd->tracked[index] = !crowd->tracked[index];
}

/* CPython needs some 50 ns at least for the birth or the end of a small object. */
static void work_a_little(void)
{
	for (volatile int i = 0; i < WORK; i++)
		continue;
}

static void *run(void *ctx)
{
	struct crowd *crowd = ctx;

	while (!crowd->stop) {
		work_a_little();
		be_born_or_end(crowd);
		if (++crowd->steps % 20000 == 0 && crowd->collects)
			collect(crowd, crowd->steps % 200000 ? crowd->steps % 100000 ? 0 : 1 : 2);
	}
	return NULL;
}

static void fill(struct crowd *crowd)
{
	for (unsigned int list = 0; list < LISTS_OF_IMAGE; list++) {
		put64(head_of(crowd, list), head_of(crowd, list));
		put64(head_of(crowd, list) + GC_HEAD_PREVIOUS, head_of(crowd, list));
	}
	for (size_t i = 0; i < ALL; i++) {
		uint64_t object = object_of(crowd, i);

		put64(object - GC_HEAD_BYTES, 0);
		put64(object - GC_HEAD_BYTES + GC_HEAD_PREVIOUS, i % 7 == 0);
		put64(object, 1);
		put64(object + PYOBJECT_TYPE, crowd->python.remote.kinds[KIND_GENERATOR]);
		crowd->tracked[i] = stays(i) || rand_r(&crowd->seed) % 2;
		crowd->child[i] = (uint32_t)(i % 4 == 0 ? i + 2 : i);
		if (crowd->tracked[i])
			cpython_append(head_of(crowd, (unsigned int)rand_r(&crowd->seed) % 3),
				       object);
	}
}

struct outcome {
	unsigned int missing, broken, twice, invented, refused;
};

static bool is_generator(void *ctx, uint64_t type)
{
	return type == *(uint64_t *)ctx;
}

static void judge(const struct crowd *crowd, const struct heap_objects *found,
		  const struct heap_counts *counts, struct outcome *outcome)
{
	unsigned int times[ALL] = { 0 };
	bool missing = false, twice = false, invented = false;

	for (size_t i = 0; i < found->count; i++) {
		uint64_t offset = found->at[i] - crowd->base;

		if (offset % STRIDE || offset / STRIDE >= ALL)
			invented = true;
		else
			times[offset / STRIDE]++;
	}
	for (size_t i = 0; i < ALL; i++) {
		missing |= stays(i) && !times[i];
		twice |= times[i] > 1;
	}
	outcome->missing += missing && !counts->broken;
	outcome->broken += counts->broken != 0;
	outcome->twice += twice;
	outcome->invented += invented;
}

static void look(struct crowd *crowd, struct outcome *outcome)
{
	struct heap_query query = { .wanted = is_generator,
				    .ctx = &crowd->python.remote.kinds[KIND_GENERATOR] };
	struct heap_counts counts = { 0 };
	struct heap_objects found;
	char why[INTERPRETER_WHY_MAX];
	int err = heap_collect(&crowd->python.remote, &query, &found, &counts, why);

	if (err)
		outcome->refused++;
	else
		judge(crowd, &found, &counts, outcome);
	free(found.at);
}

static void race(const char *version, bool collects, struct outcome *outcome)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));
	pthread_t thread;

	cpython_open(&crowd->python, image_version(version), CACHE_SIZE);
	crowd->base = cpython_new(&crowd->python, ALL * STRIDE) + 64;
	crowd->unreachable = cpython_new(&crowd->python, 64);
	crowd->seed = 1;
	crowd->collects = collects;
	for (int round = 0; round < ROUNDS; round++) {
		fill(crowd);
		crowd->stop = false;
		cr_assert_eq(pthread_create(&thread, NULL, run, crowd), 0);
		for (int i = 0; i < 3; i++)
			look(crowd, outcome);
		crowd->stop = true;
		cr_assert_eq(pthread_join(thread, NULL), 0);
	}
	cr_assert_gt(crowd->steps, ROUNDS);
	cr_assert_not(crowd->wrong, "the test itself collects what is held");
	cpython_close(&crowd->python);
	free(crowd);
}

static void expect_good(const char *version, bool collects)
{
	struct outcome outcome = { 0 };

	race(version, collects, &outcome);
	cr_expect_leq(outcome.missing * 100, LOOKS, "%s: objects missing in %u of %u, silently",
		      version, outcome.missing, LOOKS);
	cr_expect_leq(outcome.broken, BROKEN_MAX, "%s: lists given up in %u of %u", version,
		      outcome.broken, LOOKS);
	cr_expect_eq(outcome.twice, 0, "%s: objects there twice in %u", version, outcome.twice);
	cr_expect_eq(outcome.invented, 0, "%s: objects invented in %u", version, outcome.invented);
	cr_expect_eq(outcome.refused, 0, "%s: refused %u times", version, outcome.refused);
}

Test(heap_races, objects_come_and_go)
{
	expect_good("3.11.2", false);
	expect_good("3.13.5", false);
	expect_good("3.15.2", false);
}

Test(heap_races, objects_come_and_go_and_are_collected)
{
	expect_good("3.12.1", true);
	expect_good("3.13.5", true);
	expect_good("3.14.10", true);
}

/* A list that is empty at one moment and has an object at the next one is where it should be. */
static void *fill_and_empty(void *ctx)
{
	struct crowd *crowd = ctx;
	uint64_t object = object_of(crowd, 1);

	for (; !crowd->stop; crowd->steps++) {
		cpython_track(&crowd->python, object);
		cpython_untrack(object);
	}
	return NULL;
}

Test(heap_races, a_list_is_empty_now_and_then)
{
	static const char *const versions[] = { "3.11.2", "3.13.5", "3.14.10" };

	for (size_t v = 0; v < sizeof(versions) / sizeof(versions[0]); v++) {
		struct crowd *crowd = calloc(1, sizeof(*crowd));
		struct outcome outcome = { 0 };
		pthread_t thread;

		cpython_open(&crowd->python, image_version(versions[v]), CACHE_SIZE);
		crowd->base = cpython_new(&crowd->python, ALL * STRIDE) + 64;
		for (size_t i = 0; i < ALL; i++)
			put64(object_of(crowd, i) + PYOBJECT_TYPE,
			      crowd->python.remote.kinds[KIND_GENERATOR]);
		for (size_t i = 0; i < ALL; i += 2)
			cpython_append(head_of(crowd, 2), object_of(crowd, i));
		cr_assert_eq(pthread_create(&thread, NULL, fill_and_empty, crowd), 0);
		for (int i = 0; i < 1000; i++)
			look(crowd, &outcome);
		crowd->stop = true;
		cr_assert_eq(pthread_join(thread, NULL), 0);
		cr_assert_gt(crowd->steps, 0);
		cr_expect_eq(outcome.refused, 0, "%s: refused %u times", versions[v],
			     outcome.refused);
		cr_expect_eq(outcome.missing, 0, "%s: missing %u times", versions[v],
			     outcome.missing);
		cr_expect_eq(outcome.twice + outcome.invented, 0);
		cpython_close(&crowd->python);
		free(crowd);
	}
}
