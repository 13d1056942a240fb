// SPDX-License-Identifier: MIT
#include "python/heap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "python/heap_list.h"
#include "target/hash.h"

#define INTERPRETERS_MAX 1024
#define THREADS_MAX      65536
#define LISTS_MAX        (INTERPRETERS_MAX * HEAP_LISTS_PER_INTERPRETER)
#define ATTEMPTS_MAX     12 /* at one list */
#define READS_DISTURBED  3
#define LOOKS_AT_HEADS   20      /* when they make no sense: an object may just come or go */
#define LOOKS_AT_ONCE    8       /* of them; then its thread is given time to go on */
#define PAUSE_NS         1000000 /* for a collection to end; doubled with each attempt up to 64 ms */
#define PAUSE_DOUBLINGS  6
#define READINGS_MAX     5     /* of the lists of one interpreter */
#define PROGRESS_STEP    65536 /* containers; a power of two */
#define TYPE_SLOTS       64    /* answers of `wanted` remembered; a power of two */

struct collection {
	struct remote *remote;
	const struct heap_query *query;
	struct heap_counts *counts;
	struct heap_objects found; /* of the list that is read now, and of those before */
	size_t room;
	struct {
		uint64_t type;
		bool wanted;
	} types[TYPE_SLOTS];
};

static bool is_wanted(struct collection *collection, uint64_t type)
{
	size_t slot = (type >> 4) % TYPE_SLOTS;

	if (collection->types[slot].type != type) {
		collection->types[slot].type = type;
		collection->types[slot].wanted =
			collection->query->wanted(collection->query->ctx, type);
	}
	return collection->types[slot].wanted;
}

static int tell_progress(const struct collection *collection)
{
	const struct heap_query *query = collection->query;

	return query->progress ? query->progress(query->ctx, collection->counts->containers) : 0;
}

static int visit(void *ctx, uint64_t object, uint64_t type)
{
	struct collection *collection = ctx;

	if (!(collection->counts->containers % PROGRESS_STEP)) {
		int err = tell_progress(collection);

		if (err < 0)
			return err;
	}
	if (!is_wanted(collection, type))
		return 0;
	if (collection->found.count == collection->room) {
		size_t room = collection->room ? collection->room * 2 : 1024;
		uint64_t *grown = realloc(collection->found.at, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		collection->found.at = grown;
		collection->room = room;
	}
	collection->found.at[collection->found.count++] = object;
	return 0;
}

static void pause_for(unsigned attempt)
{
	struct timespec pause = {
		.tv_nsec = PAUSE_NS << (attempt < PAUSE_DOUBLINGS ? attempt : PAUSE_DOUBLINGS)
	};

	nanosleep(&pause, NULL);
}

/* Again and again until a walk comes to the list's end undisturbed; then all that any of them met is
 * known. A list that is always disturbed (a collection after the other, threads that make and drop
 * objects all the time) is left after READS_DISTURBED walks that came to its end. */
static int read_list(struct collection *collection, const struct heap_list *list,
		     const struct heap_heads *heads)
{
	size_t known = collection->found.count; /* of walks that came to an end */
	int ended = 0;

	for (unsigned attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
		int err;

		collection->found.count = known; /* this one begins anew */
		err = heap_list_walk(collection->remote, list, heads, visit, collection,
				     collection->counts);
		if (err != 1 && err != -EAGAIN)
			return err;
		if (err == 1)
			known = collection->found.count;
		ended += err == 1;
		if (ended == READS_DISTURBED)
			return 0;
		collection->counts->retries++;
		if (err != 1 || heap_list_is_collecting(collection->remote, list))
			pause_for(attempt);
		memory_forget_all(collection->remote->memory);
		err = tell_progress(collection);
		if (err < 0)
			return err;
	}
	collection->counts->broken += !ended;
	return 0;
}

/* The interpreters, newest first as they are linked. */
static int list_interpreters(struct remote *remote, uint64_t *out, size_t *count)
{
	uint64_t at;

	*count = 0;
	memory_forget_all(remote->memory);
	at = memory_u64(remote->memory, remote->runtime + remote->inner.runtime_interpreters_head);
	while (at && *count < INTERPRETERS_MAX) {
		out[(*count)++] = at;
		at = memory_u64(remote->memory, at + remote->inner.interpreter_next);
	}
	return *count ? 0 : -ENOENT;
}

/* Where the lists of an interpreter begin, youngest first. */
static void list_heads(const struct remote *remote, uint64_t interpreter, uint64_t *out)
{
	const struct memory_layout *inner = &remote->inner;
	uint64_t gc = interpreter + inner->interpreter_gc;

	for (int i = 0; i < HEAP_LISTS_PER_INTERPRETER - 1; i++)
		out[i] = gc + inner->gc_generations + (uint64_t)i * inner->gc_generation_bytes;
	out[HEAP_LISTS_PER_INTERPRETER - 1] = gc + inner->gc_permanent;
}

/* A list's head is linked to itself, or both its links lead elsewhere. 0; -EINVAL it does not look so; or
 * why it cannot be read. */
static int are_heads(struct remote *remote, uint64_t interpreter, const uint64_t *heads)
{
	const struct memory_layout *inner = &remote->inner;
	uint64_t gc = interpreter + inner->interpreter_gc, first = heads[0];
	int err = 0;

	if (inner->gc_generation0)
		err = memory_read(remote->memory, gc + inner->gc_generation0, &first,
				  sizeof(first));
	if (!err && first != heads[0])
		err = -EINVAL;
	for (int i = 0; !err && i < HEAP_LISTS_PER_INTERPRETER; i++) {
		uint64_t links[2]; /* read at once: a target stores them one after the other */

		err = memory_read(remote->memory, heads[i], links, sizeof(links));
		if (!err &&
		    (!links[0] || !links[1] || (links[0] == heads[i]) != (links[1] == heads[i])))
			err = -EINVAL;
	}
	return err;
}

/* Is this where the collector's state is? 0, -ENOTSUP no, -ESRCH the process has ended. */
static int check_heads(struct remote *remote, uint64_t interpreter, const uint64_t *heads,
		       char *why)
{
	for (unsigned look = 0; look < LOOKS_AT_HEADS; look++) {
		int err = are_heads(remote, interpreter, heads);

		if (!err || err == -ESRCH)
			return err;
		if (look >= LOOKS_AT_ONCE)
			pause_for(look - LOOKS_AT_ONCE);
		memory_forget_all(remote->memory);
	}
	snprintf(why, INTERPRETER_WHY_MAX,
		 "the lists of its garbage collector are not where this "
		 "version of CPython has them: please report the build");
	return -ENOTSUP;
}

/* The lists of an interpreter in the order in which they are read: young ones first, since a collection
 * moves objects to older ones; and the order of the result, oldest first, by place in that order. */
struct reading_order {
	size_t count;
	uint8_t list[READINGS_MAX];
	uint8_t oldest_first[READINGS_MAX];
};

static const struct reading_order generations = { 4, { 0, 1, 2, 3 }, { 3, 2, 1, 0 } };
/* The incremental collector of 3.14.0 to 3.14.4 moves objects between its two old lists both ways: the first
 * of them is read again. It alone has no pointer to its first list (memory_layouts.c). */
static const struct reading_order incremental = { 5, { 0, 1, 2, 1, 3 }, { 4, 2, 3, 1, 0 } };

static const struct reading_order *reading_order(const struct remote *remote)
{
	return remote->inner.gc_generation0 ? &generations : &incremental;
}

static bool is_reread(const struct reading_order *order, size_t reading)
{
	for (size_t i = 0; i < reading; i++)
		if (order->list[i] == order->list[reading])
			return true;
	return false;
}

/* Puts what was found, reading by reading, into the order of the result. */
static int reorder(const struct heap_objects *found, const size_t *starts, size_t interpreters,
		   const struct reading_order *order, struct heap_objects *out)
{
	out->at = calloc(found->count + 1, sizeof(*out->at));
	if (!out->at)
		return -ENOMEM;
	for (size_t i = interpreters; i-- > 0;) { /* they are linked newest first */
		for (size_t k = 0; k < order->count; k++) {
			size_t reading = i * order->count + order->oldest_first[k];
			size_t count = starts[reading + 1] - starts[reading];

			if (count && found->at)
				memcpy(out->at + out->count, found->at + starts[reading],
				       count * sizeof(*out->at));
			out->count += count;
		}
	}
	return 0;
}

static int read_lists(struct collection *collection, const uint64_t *interpreters, size_t count,
		      const struct heap_heads *heads, struct heap_objects *out)
{
	const struct memory_layout *inner = &collection->remote->inner;
	const struct reading_order *order = reading_order(collection->remote);
	size_t readings = count * order->count;
	size_t *starts = calloc(readings + 1, sizeof(*starts));
	uint64_t passed;
	int err = starts ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < readings; i++) {
		size_t interpreter = i / order->count;
		struct heap_list list = {
			.head = heads->at[interpreter * HEAP_LISTS_PER_INTERPRETER +
					  order->list[i % order->count]],
			.collecting = interpreters[interpreter] + inner->interpreter_gc +
				      inner->gc_collecting,
		};

		passed = collection->counts->containers;
		err = read_list(collection, &list, heads);
		if (is_reread(order, i % order->count))
			collection->counts->containers = passed;
		starts[i + 1] = collection->found.count;
	}
	if (!err)
		err = reorder(&collection->found, starts, count, order, out);
	free(starts);
	return err;
}

/* Keeps the first of each, in place: lists are read more than once, and objects move from one to another
 * meanwhile. */
static int drop_repeated(struct heap_objects *objects)
{
	size_t slots = 1024, kept = 0;
	uint32_t *seen; /* index + 1 */

	while (slots < objects->count * 2)
		slots *= 2;
	seen = calloc(slots, sizeof(*seen));
	if (!seen)
		return -ENOMEM;
	for (size_t i = 0; i < objects->count; i++) {
		uint64_t address = objects->at[i];
		size_t slot = hash_address(address) & (slots - 1);

		while (seen[slot] && objects->at[seen[slot] - 1] != address)
			slot = (slot + 1) & (slots - 1);
		if (seen[slot])
			continue;
		objects->at[kept++] = address;
		seen[slot] = (uint32_t)kept;
	}
	objects->count = kept;
	free(seen);
	return 0;
}

static int find_heads(struct remote *remote, const uint64_t *interpreters, size_t count,
		      uint64_t *heads, char *why)
{
	int err = 0;

	for (size_t i = 0; !err && i < count; i++) {
		list_heads(remote, interpreters[i], heads + i * HEAP_LISTS_PER_INTERPRETER);
		err = check_heads(remote, interpreters[i], heads + i * HEAP_LISTS_PER_INTERPRETER,
				  why);
	}
	return err;
}

int heap_collect(struct remote *remote, const struct heap_query *query, struct heap_objects *out,
		 struct heap_counts *counts, char *why)
{
	struct collection collection = { .remote = remote, .query = query, .counts = counts };
	uint64_t *interpreters = calloc(INTERPRETERS_MAX, sizeof(*interpreters));
	uint64_t *at = calloc(LISTS_MAX, sizeof(*at));
	struct heap_heads heads = { .at = at };
	size_t count = 0;
	int err = interpreters && at ? 0 : -ENOMEM;

	*out = (struct heap_objects){};
	if (!err)
		err = list_interpreters(remote, interpreters, &count);
	if (err == -ENOENT) {
		snprintf(why, INTERPRETER_WHY_MAX,
			 "it has no interpreter now: it is starting, or ending");
		err = -ESRCH;
	}
	if (!err)
		err = find_heads(remote, interpreters, count, at, why);
	counts->interpreters = (uint32_t)count;
	heads.count = count * HEAP_LISTS_PER_INTERPRETER;
	if (!err)
		err = read_lists(&collection, interpreters, count, &heads, out);
	free(collection.found.at);
	if (!err)
		err = drop_repeated(out);
	if (err) {
		free(out->at);
		*out = (struct heap_objects){};
	}
	free(interpreters);
	free(at);
	return err;
}

static uint64_t current_frame(struct remote *remote, uint64_t tstate)
{
	if (remote->layout.tstate_cframe) {
		uint64_t cframe = memory_u64(remote->memory, tstate + remote->layout.tstate_cframe);

		return cframe ? memory_u64(remote->memory, cframe + remote->layout.current_frame) :
				0;
	}
	return memory_u64(remote->memory, tstate + remote->layout.current_frame);
}

int heap_threads(struct remote *remote, struct heap_thread *out, int max)
{
	uint64_t *interpreters = calloc(INTERPRETERS_MAX, sizeof(*interpreters));
	const struct memory_layout *inner = &remote->inner;
	size_t interpreter_count = 0;
	int count = 0;

	if (!interpreters)
		return 0;
	list_interpreters(remote, interpreters, &interpreter_count);
	for (size_t i = 0; i < interpreter_count; i++) {
		uint64_t at = memory_u64(remote->memory,
					 interpreters[i] + inner->interpreter_threads_head);

		for (int n = 0; at && n < THREADS_MAX && count < max; n++) {
			out[count++] = (struct heap_thread){
				.tstate = at,
				.frame = current_frame(remote, at),
				.tid = (int32_t)memory_u32(remote->memory,
							   at + inner->thread_native_id),
			};
			at = memory_u64(remote->memory, at + inner->thread_next);
		}
	}
	free(interpreters);
	return count;
}
