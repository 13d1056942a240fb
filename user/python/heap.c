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
#define ATTEMPTS_MAX     12      /* at one list */
#define PAUSE_NS         1000000 /* for a collection to end; doubled with each attempt up to 64 ms */
#define PAUSE_DOUBLINGS  6
#define PROGRESS_STEP    65536 /* containers; a power of two */
#define TYPE_SLOTS       64    /* answers of `wanted` remembered; a power of two */

struct collection {
	struct remote *remote;
	const struct heap_query *query;
	struct heap_counts *counts;
	struct heap_objects found; /* of the list that is read now, and of those before */
	size_t room;
	bool repeated; /* a list was read twice: objects may be there twice */
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

static int visit(void *ctx, uint64_t object, uint64_t type)
{
	struct collection *collection = ctx;
	const struct heap_query *query = collection->query;

	if (query->progress && !(collection->counts->containers % PROGRESS_STEP)) {
		int err = query->progress(query->ctx, collection->counts->containers);

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

static bool is_collecting(struct remote *remote, uint64_t interpreter)
{
	uint64_t at = interpreter + remote->inner.interpreter_gc + remote->inner.gc_collecting;

	memory_forget(remote->memory, at, sizeof(uint32_t));
	return memory_u32(remote->memory, at) != 0;
}

static int read_list(struct collection *collection, uint64_t interpreter, uint64_t head,
		     const struct heap_heads *heads)
{
	for (unsigned attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
		int err = heap_list_walk(collection->remote, head, heads, visit, collection,
					 collection->counts);

		if (err != -EAGAIN)
			return err;
		collection->repeated = true;
		collection->counts->retries++;
		if (is_collecting(collection->remote, interpreter))
			pause_for(attempt);
		memory_forget_all(collection->remote->memory);
	}
	collection->counts->broken++;
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

/* Is this where the collector's state is? A list's head is linked to itself or to what points back. */
static int check_heads(struct remote *remote, uint64_t interpreter, const uint64_t *heads,
		       char *why)
{
	const struct memory_layout *inner = &remote->inner;
	uint64_t gc = interpreter + inner->interpreter_gc;
	bool good = true;

	if (inner->gc_generation0)
		good = memory_u64(remote->memory, gc + inner->gc_generation0) == heads[0];
	for (int i = 0; good && i < HEAP_LISTS_PER_INTERPRETER; i++) {
		uint64_t next = memory_u64(remote->memory, heads[i]);
		uint64_t previous = memory_u64(remote->memory, heads[i] + GC_HEAD_PREVIOUS);

		good = next && previous && (next == heads[i]) == (previous == heads[i]);
	}
	if (good)
		return 0;
	snprintf(why, INTERPRETER_WHY_MAX,
		 "the lists of its garbage collector are not where this "
		 "version of CPython has them: please report the build");
	return -ENOTSUP;
}

/* Objects that were met in one list go behind those of the lists read later, which are older. */
static int read_lists(struct collection *collection, const uint64_t *interpreters,
		      const struct heap_heads *heads, struct heap_objects *out)
{
	size_t lists = heads->count;
	size_t *starts = calloc(lists + 1, sizeof(*starts));
	int err = starts ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < lists; i++) {
		starts[i] = collection->found.count;
		err = read_list(collection, interpreters[i / HEAP_LISTS_PER_INTERPRETER],
				heads->at[i], heads);
	}
	if (!err) {
		starts[lists] = collection->found.count;
		out->at = calloc(collection->found.count + 1, sizeof(*out->at));
		err = out->at ? 0 : -ENOMEM;
	}
	for (size_t i = lists; !err && i-- > 0;) {
		size_t count = starts[i + 1] - starts[i];

		memcpy(out->at + out->count, collection->found.at + starts[i],
		       count * sizeof(*out->at));
		out->count += count;
	}
	free(starts);
	return err;
}

/* Keeps the first of each, in place. */
static int drop_repeated(struct heap_objects *objects)
{
	size_t slots = 1024, kept = 0;
	uint64_t *seen;

	while (slots < objects->count * 2)
		slots *= 2;
	seen = calloc(slots, sizeof(*seen));
	if (!seen)
		return -ENOMEM;
	for (size_t i = 0; i < objects->count; i++) {
		size_t slot = hash_address(objects->at[i]) & (slots - 1);

		while (seen[slot] && seen[slot] != objects->at[i])
			slot = (slot + 1) % slots;
		if (seen[slot])
			continue;
		seen[slot] = objects->at[i];
		objects->at[kept++] = objects->at[i];
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
		err = read_lists(&collection, interpreters, &heads, out);
	if (!err && (collection.repeated || counts->retries))
		err = drop_repeated(out);
	if (err) {
		free(out->at);
		*out = (struct heap_objects){};
	}
	free(collection.found.at);
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
