// SPDX-License-Identifier: MIT
#include "model/times.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "target/hash.h"

/*
 * Run, suspension, start and lifetime are in the transitions. What a step took by itself is not: it is
 * told from who ran on whom. Each thread has a stack of running objects; what passes between two
 * transitions of the thread is the time of the object on top.
 *
 * An async generator stays RUNNING through its awaits, while it is not on any thread. It leaves the stack
 * with whoever drives it, and is back on it when that one goes on: the moments between the two count as its
 * own, which BPF, that sees the frames, tells apart.
 */

#define CODE_ID_MAX (1u << 24) /* as model/codes.c */
#define TABLE_ROOM  256        /* at first; a power of two */

/* Things by a number that is not 0; they are owned, and freed with free(). Each begins with its key. */
struct table {
	uint64_t **slots;
	size_t count, room;
};

struct awaited {
	uint64_t *ids;
	size_t count;
};

struct object {
	uint64_t id;
	uint64_t birth_ns;   /* 0: not seen */
	uint64_t self_ns;    /* of the step under way */
	bool whole;          /* the step's beginning was seen, and nothing was missed since */
	bool endless;        /* an async generator */
	struct awaited left; /* async generators that left the stack with it, innermost last */
};

struct thread {
	uint64_t tid; /* + 1 */
	uint64_t last_ns;
	uint64_t *stack; /* ids of what runs, innermost last */
	size_t depth, room;
};

struct of_code {
	struct distributions distributions;
	uint8_t kind;
};

struct times {
	struct table objects, threads;
	struct of_code **codes;
	uint32_t code_room;
	uint64_t seen;
};

/* --- tables --- */

static size_t slot_of(const struct table *table, uint64_t key)
{
	size_t at = hash_word(0, key) & (table->room - 1);

	while (table->slots[at] && *table->slots[at] != key)
		at = (at + 1) & (table->room - 1);
	return at;
}

static void *table_find(const struct table *table, uint64_t key)
{
	return table->room ? table->slots[slot_of(table, key)] : NULL;
}

static int table_grow(struct table *table)
{
	struct table grown = { .room = table->room ? table->room * 2 : TABLE_ROOM };

	grown.slots = calloc(grown.room, sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	for (size_t i = 0; i < table->room; i++)
		if (table->slots[i])
			grown.slots[slot_of(&grown, *table->slots[i])] = table->slots[i];
	grown.count = table->count;
	free(table->slots);
	*table = grown;
	return 0;
}

/* What has that key, new and zeroed if there was nothing; NULL: no memory. */
static void *table_have(struct table *table, uint64_t key, size_t size)
{
	uint64_t *entry = table_find(table, key);

	if (entry)
		return entry;
	if (table->count * 2 >= table->room && table_grow(table))
		return NULL;
	entry = calloc(1, size);
	if (!entry)
		return NULL;
	*entry = key;
	table->slots[slot_of(table, key)] = entry;
	table->count++;
	return entry;
}

/* Out of the table, not freed. What follows in its run moves up: no slot is marked as once used. */
static void table_take(struct table *table, uint64_t key)
{
	size_t mask = table->room - 1, hole = slot_of(table, key), home;

	table->slots[hole] = NULL;
	table->count--;
	for (size_t at = (hole + 1) & mask; table->slots[at]; at = (at + 1) & mask) {
		home = hash_word(0, *table->slots[at]) & mask;
		if (((at - home) & mask) < ((at - hole) & mask))
			continue;
		table->slots[hole] = table->slots[at];
		table->slots[at] = NULL;
		hole = at;
	}
}

/* --- life --- */

int times_new(struct times **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

static void object_free(struct object *object)
{
	free(object->left.ids);
	free(object);
}

void times_free(struct times *times)
{
	if (!times)
		return;
	for (size_t i = 0; i < times->objects.room; i++)
		if (times->objects.slots[i])
			object_free((struct object *)times->objects.slots[i]);
	for (size_t i = 0; i < times->threads.room; i++) {
		if (times->threads.slots[i])
			free(((struct thread *)times->threads.slots[i])->stack);
		free(times->threads.slots[i]);
	}
	for (uint32_t i = 0; i < times->code_room; i++)
		free(times->codes[i]);
	free(times->objects.slots);
	free(times->threads.slots);
	free(times->codes);
	free(times);
}

uint64_t times_objects(const struct times *times)
{
	return times->seen;
}

uint32_t times_end(const struct times *times)
{
	return times->code_room;
}

const struct distributions *times_of(const struct times *times, uint32_t code, uint8_t *kind)
{
	const struct of_code *of = code < times->code_room ? times->codes[code] : NULL;

	if (of)
		*kind = of->kind;
	return of ? &of->distributions : NULL;
}

static struct of_code *code_have(struct times *times, const struct transition_record *t)
{
	uint32_t id = t->code < CODE_ID_MAX ? t->code : 0, room = times->code_room;
	struct of_code **grown;

	if (id >= room) {
		for (room = room ? room : TABLE_ROOM; room <= id; room *= 2)
			;
		grown = realloc(times->codes, room * sizeof(struct of_code *));
		if (!grown)
			return NULL;
		memset(grown + times->code_room, 0,
		       (room - times->code_room) * sizeof(struct of_code *));
		times->codes = grown;
		times->code_room = room;
	}
	if (!times->codes[id]) {
		times->codes[id] = calloc(1, sizeof(struct of_code));
		if (times->codes[id])
			times->codes[id]->kind = id ? t->kind : KIND_NONE;
	}
	return times->codes[id];
}

/* --- who runs on whom --- */

static int push(struct thread *thread, uint64_t id)
{
	size_t room = thread->room ? thread->room * 2 : 16;
	uint64_t *grown;

	if (thread->depth == thread->room) {
		grown = realloc(thread->stack, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		thread->stack = grown;
		thread->room = room;
	}
	thread->stack[thread->depth++] = id;
	return 0;
}

/* The place above the object on the thread's stack; 0: it is not there. */
static size_t above(const struct thread *thread, uint64_t id)
{
	size_t at = thread->depth;

	while (at && thread->stack[at - 1] != id)
		at--;
	return at;
}

/* What is on the stack from there on is no longer, though nobody said so. */
static void cut(struct times *times, struct thread *thread, size_t depth)
{
	while (thread->depth > depth) {
		struct object *object = table_find(&times->objects, thread->stack[--thread->depth]);

		if (object)
			object->whole = false;
	}
}

static int leave(struct object *with, uint64_t id)
{
	uint64_t *grown = realloc(with->left.ids, (with->left.count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	with->left.ids = grown;
	with->left.ids[with->left.count++] = id;
	return 0;
}

/* An object is suspended: async generators on top of it await. */
static int suspend(struct times *times, struct thread *thread, struct object *object, size_t depth)
{
	int err = 0;

	object->left.count = 0;
	for (size_t at = depth; at < thread->depth && !err; at++) {
		struct object *inner = table_find(&times->objects, thread->stack[at]);

		if (inner && inner->endless)
			err = leave(object, inner->id);
		else if (inner)
			inner->whole = false;
	}
	thread->depth = depth - 1;
	return err;
}

static int step_ends(struct times *times, struct thread *thread, struct object *object, uint8_t to)
{
	size_t depth = above(thread, object->id);

	if (!depth)
		return 0;
	if (to == STATE_SUSPENDED && !object->endless)
		return suspend(times, thread, object, depth);
	cut(times, thread, depth);
	thread->depth--;
	return 0;
}

static int step_begins(struct times *times, struct thread *thread, struct object *object,
		       const struct transition_record *t)
{
	size_t depth = t->parent ? above(thread, t->parent) : 0;
	int err;

	if (depth || !t->parent)
		cut(times, thread, depth);
	object->self_ns = 0;
	object->whole = true;
	err = push(thread, object->id);
	for (size_t i = 0; i < object->left.count && !err; i++)
		if (table_find(&times->objects, object->left.ids[i]))
			err = push(thread, object->left.ids[i]);
	object->left.count = 0;
	return err;
}

/* What has passed on the thread belongs to who is on top of it. */
static void pass(struct times *times, struct thread *thread, uint64_t now_ns)
{
	struct object *top = NULL;

	if (thread->depth)
		top = table_find(&times->objects, thread->stack[thread->depth - 1]);
	if (top && now_ns > thread->last_ns)
		top->self_ns += now_ns - thread->last_ns;
	thread->last_ns = now_ns;
}

/* --- times --- */

static void enter(struct distributions *to, enum metric metric, uint64_t ns)
{
	if (ns) /* as in BPF: nothing takes no time */
		histogram_record(&to->metric[metric], ns);
}

static void enter_all(struct distributions *to, const struct object *object,
		      const struct transition_record *t)
{
	uint64_t now_ns = t->head.ts_ns;

	if (t->head.flags & TRANSITION_HAS_RUN)
		enter(to, METRIC_RUN, t->run_ns);
	if (t->from == STATE_RUNNING && object->whole)
		enter(to, METRIC_SELF, object->self_ns);
	if (t->head.flags & TRANSITION_HAS_SUSPENDED)
		enter(to, METRIC_SUSPENDED, t->suspended_ns);
	if (!object->birth_ns || now_ns < object->birth_ns)
		return;
	if (t->from == STATE_CREATED && t->to == STATE_RUNNING)
		enter(to, METRIC_START, now_ns - object->birth_ns);
	if (t->to == STATE_CLOSED)
		enter(to, METRIC_LIFETIME, now_ns - object->birth_ns);
}

static struct object *object_have(struct times *times, const struct transition_record *t)
{
	size_t count = times->objects.count;
	struct object *object = table_have(&times->objects, t->id, sizeof(*object));

	if (!object || times->objects.count == count)
		return object;
	times->seen++;
	object->endless = t->kind == KIND_ASYNC_GENERATOR;
	if (t->from == STATE_NONE)
		object->birth_ns = t->head.ts_ns;
	return object;
}

int times_add(struct times *times, const struct transition_record *t)
{
	struct of_code *code = code_have(times, t);
	struct thread *thread =
		table_have(&times->threads, (uint64_t)t->head.tid + 1, sizeof(*thread));
	struct object *object = t->id ? object_have(times, t) : NULL;
	int err = 0;

	if (!code || !thread || (t->id && !object))
		return -ENOMEM;
	if (!object)
		return 0; /* no object has that id */
	pass(times, thread, t->head.ts_ns);
	enter_all(&code->distributions, object, t);
	if (t->from == STATE_RUNNING) {
		err = step_ends(times, thread, object, t->to);
		object->whole = false;
	}
	if (!err && t->to == STATE_RUNNING)
		err = step_begins(times, thread, object, t);
	if (t->to == STATE_NONE) {
		table_take(&times->objects, t->id);
		object_free(object);
	}
	return err;
}
