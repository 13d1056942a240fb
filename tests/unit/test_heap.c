/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "python/heap.h"
#include "python_image.h"

#define CACHE_SIZE   (8 << 20)
#define OBJECT_BYTES 64
#define FOUND_MAX    4096
#define CHILDREN_MAX 50
#define CHILD_NS     20000000 /* much less than lists are waited for */

/* Something that happens while the lists are read: as soon as an object of type `at` is met. */
struct happening {
	uint64_t at;
	void (*happen)(struct cpython *python, void *ctx);
	void *ctx;
};

struct reading {
	struct cpython *python;
	struct happening happening;
	bool all; /* whatever the type */
	unsigned int asked;
	int err;
	struct heap_objects found;
	struct heap_counts counts;
	char why[INTERPRETER_WHY_MAX];
};

static bool is_wanted(void *ctx, uint64_t type)
{
	struct reading *reading = ctx;

	reading->asked++;
	if (type == reading->happening.at && reading->happening.happen) {
		reading->happening.happen(reading->python, reading->happening.ctx);
		reading->happening.happen = NULL;
		return true;
	}
	return reading->all || type == reading->python->remote.kinds[KIND_GENERATOR];
}

static void read_heap(struct reading *reading)
{
	struct heap_query query = { .wanted = is_wanted, .ctx = reading };

	reading->counts = (struct heap_counts){ 0 };
	reading->why[0] = 0;
	reading->err = heap_collect(&reading->python->remote, &query, &reading->found,
				    &reading->counts, reading->why);
}

static unsigned int times_found(const struct reading *reading, uint64_t object)
{
	unsigned int times = 0;

	for (size_t i = 0; i < reading->found.count; i++)
		times += reading->found.at[i] == object;
	return times;
}

static void expect_found(struct reading *reading, const uint64_t *objects, size_t count)
{
	const char *name = reading->python->version->name;

	read_heap(reading);
	cr_assert_eq(reading->err, 0, "%s: %d, %s", name, reading->err, reading->why);
	cr_expect_eq(reading->found.count, count, "%s: %zu instead of %zu", name,
		     reading->found.count, count);
	for (size_t i = 0; i < count && i < reading->found.count; i++)
		cr_expect_eq(reading->found.at[i], objects[i], "%s: object %zu is %#llx", name, i,
			     (unsigned long long)reading->found.at[i]);
	free(reading->found.at);
}

static uint64_t add(struct cpython *python, uint64_t head)
{
	uint64_t object =
		cpython_object(python, python->remote.kinds[KIND_GENERATOR], OBJECT_BYTES);

	cpython_append(head, object);
	return object;
}

/* On a page of its own, so that it is not read together with others. */
static uint64_t add_apart(struct cpython *python, uint64_t head, uint64_t type)
{
	uint64_t object = cpython_new_pages(python, OBJECT_BYTES + 32) + 32;

	put64(object, 1);
	put64(object + PYOBJECT_TYPE, type ? type : python->remote.kinds[KIND_GENERATOR]);
	cpython_append(head, object);
	return object;
}

/* --- lists that stand still --- */

Test(heap, has_the_oldest_first_in_all_versions)
{
	for (size_t v = 0; v < image_version_count; v++) {
		struct cpython python;
		struct reading reading = { .python = &python };
		uint64_t objects[2 * LISTS_OF_IMAGE * 3];
		size_t count = 0;

		cpython_open(&python, &image_versions[v], CACHE_SIZE);
		cpython_interpreter(&python);
		for (unsigned int interpreter = 0; interpreter < 2; interpreter++) {
			for (unsigned int list = LISTS_OF_IMAGE; list-- > 0;) {
				uint64_t head = cpython_head(&python, interpreter, list);

				for (int i = 0; i < 3; i++)
					objects[count++] = add(&python, head);
			}
		}
		expect_found(&reading, objects, count);
		cr_expect_eq(reading.counts.containers, count);
		cr_expect_eq(reading.counts.interpreters, 2);
		cr_expect_eq(reading.counts.retries, 0);
		cr_expect_eq(reading.counts.broken, 0);
		cpython_close(&python);
	}
}

Test(heap, of_an_interpreter_without_objects_is_empty)
{
	for (size_t v = 0; v < image_version_count; v++) {
		struct cpython python;
		struct reading reading = { .python = &python };

		cpython_open(&python, &image_versions[v], CACHE_SIZE);
		expect_found(&reading, NULL, 0);
		cr_expect_eq(reading.counts.interpreters, 1);
		cpython_close(&python);
	}
}

Test(heap, has_only_what_is_wanted)
{
	struct cpython python;
	struct reading reading = { .python = &python };
	uint64_t objects[200], other;

	cpython_open(&python, image_version("3.14.10"), CACHE_SIZE);
	for (int i = 0; i < 200; i++) {
		other = cpython_object(&python, python.remote.value_types[VALUE_LIST],
				       OBJECT_BYTES);
		cpython_track(&python, other);
		objects[i] = add(&python, cpython_head(&python, 0, 0));
	}
	expect_found(&reading, objects, 200);
	cr_expect_eq(reading.counts.containers, 400);
	cr_expect_leq(reading.asked, 2, "asked %u times", reading.asked);
	cpython_close(&python);
}

/* _gc_prev has FINALIZED (all versions), _gc_next the space an object belongs to (3.14.0 to 3.14.4). */
Test(heap, does_not_mind_the_flags_in_the_links)
{
	for (size_t v = 0; v < image_version_count; v++) {
		struct cpython python;
		struct reading reading = { .python = &python };
		uint64_t objects[16];

		cpython_open(&python, &image_versions[v], CACHE_SIZE);
		for (int i = 0; i < 16; i++)
			objects[i] = add(&python, cpython_head(&python, 0, 1));
		for (int i = 0; i < 16; i++) {
			uint64_t node = objects[i] - GC_HEAD_BYTES;

			put64(node, get64(node) | (i & 1));
			put64(node + GC_HEAD_PREVIOUS,
			      get64(node + GC_HEAD_PREVIOUS) | (i >> 1 & 1));
		}
		expect_found(&reading, objects, 16);
		cr_expect_eq(reading.counts.retries, 0);
		cpython_close(&python);
	}
}

static int stop_at(void *ctx, uint64_t containers)
{
	uint64_t *calls = ctx;

	(*calls)++;
	return containers ? -EINTR : 0;
}

static int go_on(void *ctx, uint64_t containers)
{
	(void)containers;
	++*(uint64_t *)ctx;
	return 1;
}

static bool nothing(void *ctx, uint64_t type)
{
	(void)ctx;
	(void)type;
	return false;
}

Test(heap, stops_when_progress_says_so)
{
	uint64_t calls = 0;
	struct heap_query query = { .wanted = nothing, .progress = stop_at, .ctx = &calls };
	struct heap_counts counts = { 0 };
	struct heap_objects found;
	struct cpython python;
	char why[INTERPRETER_WHY_MAX];

	cpython_open(&python, image_version("3.15.2"), CACHE_SIZE);
	for (int i = 0; i < 200000; i++)
		add(&python, cpython_head(&python, 0, 0));
	cr_assert_eq(heap_collect(&python.remote, &query, &found, &counts, why), -EINTR);
	cr_expect_geq(calls, 1);
	cr_expect_lt(counts.containers, 200000);
	cr_expect_null(found.at);
	query.progress = go_on;
	calls = 0;
	counts = (struct heap_counts){ 0 };
	cr_assert_eq(heap_collect(&python.remote, &query, &found, &counts, why), 0);
	cr_expect_geq(calls, 2);
	cr_expect_eq(counts.containers, 200000);
	free(found.at);
	cpython_close(&python);
}

/* --- lists that change between two looks --- */

/* An object that ends, and another that is born at its address and comes last: free lists make that the
 * rule rather than the exception. */
static void reborn(struct cpython *python, void *ctx)
{
	cpython_untrack(*(uint64_t *)ctx);
	cpython_track(python, *(uint64_t *)ctx);
}

Test(heap, finds_what_stays_behind_one_whose_address_is_used_again)
{
	for (size_t v = 0; v < image_version_count; v++) {
		struct cpython python;
		struct reading reading = { .python = &python };
		uint64_t head, first, ends, stays[3];

		cpython_open(&python, &image_versions[v], CACHE_SIZE);
		head = cpython_head(&python, 0, 0);
		first = add_apart(&python, head, 0);
		reading.happening =
			(struct happening){ cpython_type(&python, "ends", python.object), reborn,
					    &ends };
		ends = add_apart(&python, head, reading.happening.at);
		for (int i = 0; i < 3; i++)
			stays[i] = add_apart(&python, head, 0);
		read_heap(&reading);
		cr_assert_eq(reading.err, 0);
		cr_expect_eq(times_found(&reading, first), 1);
		for (int i = 0; i < 3; i++)
			cr_expect_eq(times_found(&reading, stays[i]), 1,
				     "%s: object %d behind it, broken %llu", python.version->name,
				     i, (unsigned long long)reading.counts.broken);
		cr_expect_leq(times_found(&reading, ends), 1);
		free(reading.found.at);
		cpython_close(&python);
	}
}

static void ends(struct cpython *python, void *ctx)
{
	(void)python;
	cpython_untrack(*(uint64_t *)ctx);
}

Test(heap, finds_what_stays_behind_one_that_ends)
{
	struct cpython python;
	struct reading reading = { .python = &python };
	uint64_t head, gone, stays[6];

	cpython_open(&python, image_version("3.12.1"), CACHE_SIZE);
	head = cpython_head(&python, 0, 0);
	for (int i = 0; i < 3; i++)
		stays[i] = add_apart(&python, head, 0);
	reading.happening =
		(struct happening){ cpython_type(&python, "ends", python.object), ends, &gone };
	gone = add_apart(&python, head, reading.happening.at);
	for (int i = 3; i < 6; i++)
		stays[i] = add_apart(&python, head, 0);
	read_heap(&reading);
	cr_assert_eq(reading.err, 0);
	for (int i = 0; i < 6; i++)
		cr_expect_eq(times_found(&reading, stays[i]), 1, "%d", i);
	cr_expect_eq(reading.counts.broken, 0);
	free(reading.found.at);
	cpython_close(&python);
}

static void grow_old(struct cpython *python, void *ctx)
{
	(void)ctx;
	cpython_merge(cpython_head(python, 0, 0), cpython_head(python, 0, 1));
}

/* The younger list was read when a collection moves it behind the older one, which is read now. The cache
 * has forgotten by then how it was. */
Test(heap, has_each_object_once_though_it_was_in_two_lists)
{
	for (size_t v = 0; v < image_version_count; v++) {
		struct cpython python;
		struct reading reading = { .python = &python };
		uint64_t young[20], old[100];

		cpython_open(&python, &image_versions[v], 0);
		for (int i = 0; i < 20; i++)
			young[i] = add(&python, cpython_head(&python, 0, 0));
		reading.happening =
			(struct happening){ cpython_type(&python, "collects", python.object),
					    grow_old, NULL };
		add_apart(&python, cpython_head(&python, 0, 1), reading.happening.at);
		for (int i = 0; i < 100; i++)
			old[i] = add_apart(&python, cpython_head(&python, 0, 1), 0);
		read_heap(&reading);
		cr_assert_eq(reading.err, 0);
		for (int i = 0; i < 20; i++)
			cr_expect_eq(times_found(&reading, young[i]), 1, "%s: %u times",
				     python.version->name, times_found(&reading, young[i]));
		for (int i = 0; i < 100; i++)
			cr_expect_eq(times_found(&reading, old[i]), 1);
		free(reading.found.at);
		cpython_close(&python);
	}
}

/* While the younger list is read it moves behind the older one. */
Test(heap, follows_a_list_that_moves)
{
	struct cpython python;
	struct reading reading = { .python = &python };
	uint64_t young[40], old[10];

	cpython_open(&python, image_version("3.13.5"), CACHE_SIZE);
	for (int i = 0; i < 10; i++)
		old[i] = add_apart(&python, cpython_head(&python, 0, 1), 0);
	reading.happening = (struct happening){ cpython_type(&python, "collects", python.object),
						grow_old, NULL };
	for (int i = 0; i < 40; i++)
		young[i] = add_apart(&python, cpython_head(&python, 0, 0),
				     i == 20 ? reading.happening.at : 0);
	read_heap(&reading);
	cr_assert_eq(reading.err, 0);
	for (int i = 0; i < 40; i++)
		cr_expect_eq(times_found(&reading, young[i]), 1, "young %d: %u times", i,
			     times_found(&reading, young[i]));
	for (int i = 0; i < 10; i++)
		cr_expect_eq(times_found(&reading, old[i]), 1, "old %d", i);
	free(reading.found.at);
	cpython_close(&python);
}

/* The incremental collector (3.14.0 to 3.14.4) moves objects from one old list to the other one, and
 * the two change their parts (Python/gc.c, gc_collect_increment()). */
static void visit_some(struct cpython *python, void *ctx)
{
	uint64_t *objects = ctx;

	for (int i = 0; i < 5; i++) {
		cpython_untrack(objects[i]);
		cpython_append(cpython_head(python, 0, 1), objects[i]);
	}
}

Test(heap, finds_what_an_incremental_collection_moves)
{
	struct cpython python;
	struct reading reading = { .python = &python };
	uint64_t objects[10];

	cpython_open(&python, image_version("3.14.0"), CACHE_SIZE);
	reading.happening = (struct happening){ cpython_type(&python, "collects", python.object),
						visit_some, objects + 2 };
	add_apart(&python, cpython_head(&python, 0, 2), reading.happening.at);
	for (int i = 0; i < 10; i++)
		objects[i] = add_apart(&python, cpython_head(&python, 0, 2), 0);
	read_heap(&reading);
	cr_assert_eq(reading.err, 0);
	for (int i = 0; i < 10; i++)
		cr_expect_eq(times_found(&reading, objects[i]), 1, "%d", i);
	free(reading.found.at);
	cpython_close(&python);
}

/* --- a collection is on --- */

/* update_refs() of Modules/gcmodule.c: the reference count, and that it is one. */
static void count_references(uint64_t object, uint64_t references)
{
	put64(object - GC_HEAD_BYTES + GC_HEAD_PREVIOUS, references << 2 | 2);
}

Test(heap, follows_objects_whose_references_are_being_counted)
{
	for (size_t v = 0; v < image_version_count; v++) {
		struct cpython python;
		struct reading reading = { .python = &python };
		uint64_t objects[30];

		cpython_open(&python, &image_versions[v], CACHE_SIZE);
		for (int i = 0; i < 30; i++)
			objects[i] = add(&python, cpython_head(&python, 0, 2));
		for (int i = 0; i < 30; i++)
			count_references(objects[i], (uint64_t)i * 3 % 7);
		expect_found(&reading, objects, 30);
		for (int i = 0; i < 15; i++) /* some are done, with their links put right */
			put64(objects[i] - GC_HEAD_BYTES + GC_HEAD_PREVIOUS,
			      i ? objects[i - 1] - GC_HEAD_BYTES : cpython_head(&python, 0, 2));
		expect_found(&reading, objects, 30);
		cpython_close(&python);
	}
}

/* move_unreachable(): what may be garbage goes to a list of the collector's own, which leads back to a head
 * that nobody knows. Later it is moved back, behind the others. */
static void set_apart(uint64_t object, uint64_t previous, uint64_t unreachable)
{
	uint64_t node = object - GC_HEAD_BYTES, last = get64(unreachable + GC_HEAD_PREVIOUS);

	put64(previous, get64(node));
	put64(last, node | 1);
	put64(node + GC_HEAD_PREVIOUS, last | 2);
	put64(node, unreachable | 1);
	put64(unreachable + GC_HEAD_PREVIOUS, node);
}

struct collection {
	struct cpython *python;
	uint64_t previous, object, next, unreachable;
	pthread_t thread;
};

static void set_collecting(struct cpython *python, uint32_t collecting)
{
	put32(python->interpreters[0] + python->remote.inner.interpreter_gc +
		      python->remote.inner.gc_collecting,
	      collecting);
}

static void *end_collection(void *ctx)
{
	struct collection *collection = ctx;
	uint64_t node = collection->object - GC_HEAD_BYTES;

	usleep(20000);
	put64(collection->next - GC_HEAD_BYTES + GC_HEAD_PREVIOUS,
	      collection->previous - GC_HEAD_BYTES);
	put64(node, 0);
	put64(node + GC_HEAD_PREVIOUS, 0);
	cpython_append(cpython_head(collection->python, 0, 2), collection->object);
	set_collecting(collection->python, 0);
	return NULL;
}

static void begin_collection(struct cpython *python, void *ctx)
{
	struct collection *collection = ctx;

	set_collecting(python, 1);
	count_references(collection->object, 0);
	set_apart(collection->object, collection->previous - GC_HEAD_BYTES,
		  collection->unreachable);
	cr_assert_eq(pthread_create(&collection->thread, NULL, end_collection, ctx), 0);
}

/* Who goes on to that object is led into the collector's own list, which never ends. */
Test(heap, waits_until_a_collection_is_done)
{
	struct cpython python;
	struct collection collection = { .python = &python };
	struct reading reading = { .python = &python };
	uint64_t objects[10], head;

	cpython_open(&python, image_version("3.13.0"), CACHE_SIZE);
	reading.happening = (struct happening){ cpython_type(&python, "collects", python.object),
						begin_collection, &collection };
	head = cpython_head(&python, 0, 2);
	for (int i = 0; i < 10; i++)
		objects[i] = add_apart(&python, head, i == 3 ? reading.happening.at : 0);
	collection.unreachable = cpython_new(&python, OBJECT_BYTES);
	put64(collection.unreachable, collection.unreachable);
	put64(collection.unreachable + GC_HEAD_PREVIOUS, collection.unreachable);
	collection.previous = objects[3];
	collection.object = objects[4];
	collection.next = objects[5];
	read_heap(&reading);
	pthread_join(collection.thread, NULL);
	cr_assert_eq(reading.err, 0);
	cr_expect_eq(reading.counts.broken, 0);
	cr_expect_geq(reading.counts.retries, 1);
	for (int i = 0; i < 10; i++)
		cr_expect_eq(times_found(&reading, objects[i]), 1, "%d", i);
	free(reading.found.at);
	cpython_close(&python);
}

/* --- what makes no sense --- */

Test(heap, leaves_a_list_that_goes_in_a_circle)
{
	struct cpython python;
	struct reading reading = { .python = &python };
	uint64_t objects[20], other;

	cpython_open(&python, image_version("3.14.10"), CACHE_SIZE);
	for (int i = 0; i < 20; i++)
		objects[i] = add(&python, cpython_head(&python, 0, 0));
	other = add(&python, cpython_head(&python, 0, 2));
	for (int i = 0; i < 20; i++)
		count_references(objects[i], 1);
	put64(objects[19] - GC_HEAD_BYTES, objects[7] - GC_HEAD_BYTES);
	read_heap(&reading);
	cr_assert_eq(reading.err, 0);
	cr_expect_eq(reading.counts.broken, 1);
	cr_expect_eq(reading.found.count, 21);
	for (int i = 0; i < 20; i++)
		cr_expect_eq(times_found(&reading, objects[i]), 1);
	cr_expect_eq(times_found(&reading, other), 1);
	free(reading.found.at);
	cpython_close(&python);
}

Test(heap, leaves_a_list_that_is_broken)
{
	static const uint64_t links[] = { 0, 8, 1ull << 47, UINT64_MAX & ~15ull };
	struct cpython python;
	struct reading reading = { .python = &python };
	uint64_t objects[10], others[2], node;

	cpython_open(&python, image_version("3.11.2"), CACHE_SIZE);
	for (int i = 0; i < 10; i++)
		objects[i] = add(&python, cpython_head(&python, 0, 1));
	others[0] = add(&python, cpython_head(&python, 0, 0));
	others[1] = add(&python, cpython_head(&python, 0, 3));
	node = objects[5] - GC_HEAD_BYTES;
	for (size_t i = 0; i <= sizeof(links) / sizeof(links[0]); i++) {
		put64(node, i < sizeof(links) / sizeof(links[0]) ?
				    links[i] :
				    cpython_new_pages(&python, OBJECT_BYTES) + 2 * 65536);
		read_heap(&reading);
		cr_assert_eq(reading.err, 0, "%zu", i);
		cr_expect_eq(reading.counts.broken, 1, "%zu", i);
		cr_expect_eq(reading.found.count, 8, "%zu", i);
		for (int k = 0; k < 6; k++)
			cr_expect_eq(times_found(&reading, objects[k]), 1);
		for (int k = 0; k < 2; k++)
			cr_expect_eq(times_found(&reading, others[k]), 1);
		free(reading.found.at);
	}
	cpython_close(&python);
}

/* A reader waits for what looks wrong to become right: each list of each version has one of the four wrongs. */
Test(heap, refuses_lists_that_are_not_where_they_should_be)
{
	for (size_t v = 0; v < image_version_count; v++) {
		for (unsigned int list = 0; list < LISTS_OF_IMAGE; list++) {
			unsigned change = ((unsigned)v + list) % 4;
			struct cpython python;
			struct reading reading = { .python = &python };
			uint64_t head;

			cpython_open(&python, &image_versions[v], CACHE_SIZE);
			head = cpython_head(&python, 0, list);
			if (change & 2)
				add(&python, head);
			put64(head + (change & 1 ? GC_HEAD_PREVIOUS : 0), change & 2 ? head : 0);
			read_heap(&reading);
			cr_expect_eq(reading.err, -ENOTSUP, "%s, list %u, %u: %d",
				     python.version->name, list, change, reading.err);
			cr_expect_neq(reading.why[0], 0);
			cr_expect_null(reading.found.at);
			cpython_close(&python);
		}
	}
}

Test(heap, holds_the_lists_against_the_pointer_to_the_first)
{
	for (size_t v = 0; v < image_version_count; v++) {
		const struct memory_layout *inner;
		struct cpython python;
		struct reading reading = { .python = &python };

		cpython_open(&python, &image_versions[v], CACHE_SIZE);
		inner = &python.remote.inner;
		if (inner->gc_generation0) {
			put64(python.interpreters[0] + inner->interpreter_gc +
				      inner->gc_generation0,
			      cpython_head(&python, 0, 0) + 4);
			read_heap(&reading);
			cr_expect_eq(reading.err, -ENOTSUP, "%s", python.version->name);
		} else {
			cr_expect_str_eq(python.version->name, "3.14.0");
		}
		cpython_close(&python);
	}
}

Test(heap, needs_an_interpreter)
{
	struct cpython python;
	struct reading reading = { .python = &python };

	cpython_open(&python, image_version("3.13.0"), CACHE_SIZE);
	put64(python.remote.runtime + python.remote.inner.runtime_interpreters_head, 0);
	read_heap(&reading);
	cr_expect_eq(reading.err, -ESRCH);
	cr_expect_neq(reading.why[0], 0);
	cr_expect_null(reading.found.at);
	cpython_close(&python);
}

/* A ring of interpreters ends somewhere, and shows no object twice. */
Test(heap, comes_to_an_end_with_interpreters_in_a_ring)
{
	struct cpython python;
	struct reading reading = { .python = &python };
	uint64_t object;

	cpython_open(&python, image_version("3.12.1"), CACHE_SIZE);
	object = add(&python, cpython_head(&python, 0, 0));
	put64(python.interpreters[0] + python.remote.inner.interpreter_next,
	      python.interpreters[0]);
	read_heap(&reading);
	if (!reading.err)
		cr_expect_eq(times_found(&reading, object), 1, "%u times",
			     times_found(&reading, object));
	free(reading.found.at);
	cpython_close(&python);
}

Test(heap, of_a_process_that_is_gone)
{
	struct cpython python;
	struct reading reading = { .python = &python };
	struct memory *memory;
	pid_t child = fork();

	if (!child)
		_exit(0);
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cpython_open(&python, image_version("3.15.2"), CACHE_SIZE);
	cr_assert_eq(memory_open_process(child, CACHE_SIZE, &memory), 0);
	python.remote.memory = memory;
	read_heap(&reading);
	cr_expect_eq(reading.err, -ESRCH);
	memory_close(memory);
	cpython_close(&python);
}

/* While it is waited for lists that make no sense yet: that is no build that nobody knows. One that has ended
 * before its interpreters were listed is another case, and takes another child. */
Test(heap, of_a_process_that_ends_before_its_lists_are_found)
{
	struct cpython python;
	struct reading reading = { .python = &python };
	struct memory *memory;

	cpython_open(&python, image_version("3.15.2"), CACHE_SIZE);
	put64(cpython_head(&python, 0, 0), 0);
	for (int i = 0; i < CHILDREN_MAX; i++) {
		pid_t child = fork();

		if (!child) {
			nanosleep(&(struct timespec){ .tv_nsec = CHILD_NS }, NULL);
			_exit(0);
		}
		cr_assert_eq(memory_open_process(child, CACHE_SIZE, &memory), 0);
		python.remote.memory = memory;
		read_heap(&reading);
		memory_close(memory);
		cr_assert_eq(waitpid(child, NULL, 0), child);
		if (reading.err == -ESRCH && !reading.why[0])
			break;
	}
	cr_expect_eq(reading.err, -ESRCH, "%d: %s", reading.err, reading.why);
	cr_expect_eq(reading.why[0], 0, "%s", reading.why);
	cpython_close(&python);
}

/* --- threads --- */

Test(heap, knows_the_threads_of_all_interpreters)
{
	for (size_t v = 0; v < image_version_count; v++) {
		struct heap_thread threads[8];
		uint64_t tstates[3];
		struct cpython python;

		cpython_open(&python, &image_versions[v], CACHE_SIZE);
		cpython_interpreter(&python);
		tstates[0] = cpython_thread(&python, 0, 100, 0x1000);
		tstates[1] = cpython_thread(&python, 0, 101, 0);
		tstates[2] = cpython_thread(&python, 1, 102, 0x3000);
		cr_assert_eq(heap_threads(&python.remote, threads, 8), 3);
		for (int i = 0; i < 3; i++) {
			int index = threads[i].tid - 100;

			cr_assert(index >= 0 && index < 3);
			cr_expect_eq(threads[i].tstate, tstates[index]);
			cr_expect_eq(threads[i].frame, index == 1 ? 0 : index ? 0x3000 : 0x1000);
		}
		cr_expect_eq(heap_threads(&python.remote, threads, 2), 2);
		cr_expect_eq(heap_threads(&python.remote, threads, 0), 0);
		put64(tstates[0] + python.remote.inner.thread_next, tstates[1]); /* a ring */
		cr_expect_eq(heap_threads(&python.remote, threads, 8), 8);
		cpython_close(&python);
	}
}
