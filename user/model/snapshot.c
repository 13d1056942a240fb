// SPDX-License-Identifier: MIT
#include "model/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/snapshot_internal.h"
#include "state.h"

#define TRIES_MAX     6     /* looks at an object that is changing */
#define PROGRESS_STEP 16384 /* objects between two calls of `progress`; a power of two */
#define TYPES_MAX     4096  /* a power of two: slots for answers about type objects */
#define OBJECT_BYTES  512   /* read anew after a torn look */

enum type_class { TYPE_UNKNOWN = 0, TYPE_UNWANTED, TYPE_GENERATOR, TYPE_TASK };

struct builder {
	struct remote *remote;
	const struct snapshot_options *options;
	struct snapshot *snapshot;
	struct task *tasks; /* as read */
	uint32_t object_room, task_room;
	uint64_t done; /* objects looked at */
	struct {
		uint64_t type;
		uint8_t class;
	} types[TYPES_MAX];
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static uint8_t classify(struct builder *builder, uint64_t type)
{
	struct remote *remote = builder->remote;
	size_t slot = (type >> 4) % TYPES_MAX;

	if (builder->types[slot].type == type && builder->types[slot].class)
		return builder->types[slot].class;
	builder->types[slot].type = type;
	builder->types[slot].class = TYPE_UNWANTED;
	for (int kind = KIND_GENERATOR; kind < KIND_COUNT; kind++)
		if (type == remote->kinds[kind])
			builder->types[slot].class = TYPE_GENERATOR;
	if (builder->types[slot].class == TYPE_UNWANTED && !builder->options->each &&
	    task_is_type(remote, type))
		builder->types[slot].class = TYPE_TASK;
	return builder->types[slot].class;
}

static bool is_wanted(void *ctx, uint64_t type)
{
	return classify(ctx, type) != TYPE_UNWANTED;
}

static int on_progress(void *ctx, uint64_t containers)
{
	struct builder *builder = ctx;

	(void)containers;
	if (builder->options->progress)
		return builder->options->progress(builder->options->ctx, 0);
	return 0;
}

/* What it awaits; links to other objects of the snapshot are made when all are known. */
static void read_awaited(struct builder *builder, const struct generator *gen,
			 struct snapshot_object *object)
{
	struct remote *remote = builder->remote;
	struct code_object *code;
	struct generator inner;

	object->awaits_address = generator_unwrap(remote, gen->awaits);
	object->awaits_class = value_class(remote, object->awaits_address);
	object->awaits_kind = AWAITS_OTHER;
	if (!builder->options->each || generator_read(remote, object->awaits_address, &inner))
		return;
	code = code_objects_find(builder->snapshot->codes, remote, inner.code);
	if (code)
		object->awaits_class = code->qualname;
}

static int read_locals(struct builder *builder, const struct generator *gen,
		       struct snapshot_object *object)
{
	struct generator after;
	int err;

	object->locals = calloc(1, sizeof(*object->locals));
	if (!object->locals)
		return -ENOMEM;
	if (gen->frame_state == STATE_CLOSED)
		return 0;
	err = locals_read(builder->remote, object->code, gen->frame,
			  &builder->options->locals_options, object->locals);
	if (err)
		return err == -ENOMEM ? err : -EAGAIN;
	memory_forget(builder->remote->memory, gen->address - GC_HEAD_BYTES, OBJECT_BYTES);
	err = generator_read(builder->remote, gen->address, &after);
	if (!err && (after.instruction != gen->instruction ||
		     after.frame_state != gen->frame_state || after.code != gen->code))
		err = -EAGAIN; /* it went on meanwhile: they are of two moments */
	return gen->frame_state == STATE_RUNNING && err == -EAGAIN ? 0 : err;
}

static void drop_locals(struct snapshot_object *object)
{
	if (object->locals)
		locals_free(object->locals);
	free(object->locals);
	object->locals = NULL;
}

static int read_object(struct builder *builder, uint64_t address, struct snapshot_object *object)
{
	struct generator gen;
	int err = generator_read(builder->remote, address, &gen);

	if (err)
		return err;
	*object = (struct snapshot_object){
		.gen = address,
		.kind = gen.kind,
		.state = gen.state,
		.awaits = SNAPSHOT_NONE,
		.awaited_by = SNAPSHOT_NONE,
		.task = SNAPSHOT_NONE,
	};
	object->code = code_objects_find(builder->snapshot->codes, builder->remote, gen.code);
	if (!object->code)
		return -EAGAIN;
	if (gen.frame_state != STATE_CLOSED)
		object->line = code_object_line(object->code, gen.instruction);
	if (gen.awaits)
		read_awaited(builder, &gen, object);
	if (!builder->options->locals)
		return 0;
	err = read_locals(builder, &gen, object);
	if (err)
		drop_locals(object);
	return err;
}

/* Reads it until it agrees with itself. -ENOENT: it is gone. */
static int read_steadily(struct builder *builder, uint64_t address, struct snapshot_object *object)
{
	int err = -EAGAIN;

	for (int i = 0; i < TRIES_MAX; i++) {
		if (i) {
			builder->snapshot->counts.retries++;
			memory_forget(builder->remote->memory, address - GC_HEAD_BYTES,
				      OBJECT_BYTES);
		}
		err = read_object(builder, address, object);
		if (err != -EAGAIN && err != -EFAULT)
			return err;
	}
	return err;
}

static int keep_object(struct builder *builder, const struct snapshot_object *object)
{
	struct snapshot *snapshot = builder->snapshot;

	if (snapshot->object_count == builder->object_room) {
		uint32_t room = builder->object_room ? builder->object_room * 2 : 1024;
		struct snapshot_object *grown = realloc(snapshot->objects, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		snapshot->objects = grown;
		builder->object_room = room;
	}
	snapshot->objects[snapshot->object_count++] = *object;
	return 0;
}

static int add_object(struct builder *builder, uint64_t address)
{
	struct snapshot_object object;
	int err = read_steadily(builder, address, &object);

	if (err == -ENOENT)
		return 0;
	if (err == -EAGAIN || err == -EFAULT) {
		builder->snapshot->counts.unreadable++;
		return 0;
	}
	if (err)
		return err;
	if (!builder->options->each) {
		err = keep_object(builder, &object);
		if (err)
			drop_locals(&object);
		return err;
	}
	err = builder->options->each(builder->options->ctx, &object);
	drop_locals(&object);
	return err < 0 ? err : 0;
}

static int read_task_steadily(struct builder *builder, uint64_t address, struct task *task)
{
	int err = -EAGAIN;

	for (int i = 0; i < TRIES_MAX; i++) {
		if (i) {
			builder->snapshot->counts.retries++;
			memory_forget(builder->remote->memory, address, OBJECT_BYTES);
		}
		err = task_read(builder->remote, address, task);
		if (err != -EAGAIN && err != -EFAULT)
			return err;
	}
	return err;
}

static int add_task(struct builder *builder, uint64_t address)
{
	struct snapshot *snapshot = builder->snapshot;
	struct task task;
	int err = read_task_steadily(builder, address, &task);

	if (err == -ENOENT)
		return 0;
	if (err == -EAGAIN || err == -EFAULT) {
		/* its coroutine, if there is one, is an object of its own */
		snapshot->counts.unreadable++;
		return 0;
	}
	if (err)
		return err;
	if (snapshot->task_count == builder->task_room) {
		uint32_t room = builder->task_room ? builder->task_room * 2 : 256;
		struct task *grown = realloc(builder->tasks, room * sizeof(*grown));

		if (!grown) {
			task_free(&task);
			return -ENOMEM;
		}
		builder->tasks = grown;
		builder->task_room = room;
	}
	builder->tasks[snapshot->task_count++] = task;
	return 0;
}

static int read_found(struct builder *builder, const struct heap_objects *found)
{
	struct remote *remote = builder->remote;
	int err = 0;

	for (size_t i = 0; err >= 0 && i < found->count; i++) {
		uint64_t type = memory_u64(remote->memory, found->at[i] + PYOBJECT_TYPE);

		if (builder->options->progress && !(++builder->done % PROGRESS_STEP))
			err = builder->options->progress(builder->options->ctx, builder->done);
		if (err >= 0 && type)
			err = classify(builder, type) == TYPE_TASK ?
				      add_task(builder, found->at[i]) :
				      add_object(builder, found->at[i]);
	}
	return err < 0 ? err : 0;
}

/* The tasks as the snapshot has them; their names change hands. */
static int keep_tasks(struct builder *builder)
{
	struct snapshot *snapshot = builder->snapshot;

	snapshot->tasks = calloc(snapshot->task_count + 1, sizeof(*snapshot->tasks));
	if (!snapshot->tasks)
		return -ENOMEM;
	for (uint32_t i = 0; i < snapshot->task_count; i++) {
		struct task *task = &builder->tasks[i];

		snapshot->tasks[i] = (struct snapshot_task){
			.address = task->address,
			.name = task->name,
			.name_repr = task->name_repr,
			.state = task->state,
			.coroutine = SNAPSHOT_NONE,
		};
		task->name = NULL;
		task->name_repr = NULL;
	}
	return 0;
}

static int build(struct builder *builder, struct heap_objects *found, char *why)
{
	struct snapshot *snapshot = builder->snapshot;
	struct heap_query query = { .wanted = is_wanted, .progress = on_progress, .ctx = builder };
	int err = heap_collect(builder->remote, &query, found, &snapshot->counts.heap, why);

	memory_forget_all(builder->remote->memory); /* what was read for the lists is older */
	if (!err)
		err = read_found(builder, found);
	if (!err)
		err = keep_tasks(builder);
	if (!err && !builder->options->each)
		err = snapshot_link(builder->remote, snapshot, builder->tasks);
	if (!err && !builder->options->each)
		err = snapshot_link_threads(builder->remote, snapshot);
	return err;
}

int snapshot_take(struct remote *remote, pid_t pid, const struct snapshot_options *options,
		  struct snapshot **out, char *why)
{
	struct builder *builder = calloc(1, sizeof(*builder));
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
	struct heap_objects found = {};
	uint64_t start = now_ns();
	int err = builder && snapshot ? code_objects_new(&snapshot->codes) : -ENOMEM;

	why[0] = 0;
	if (!err) {
		struct memory_counts before = memory_counts(remote->memory), after;

		snapshot->pid = pid;
		*builder = (struct builder){ .remote = remote,
					     .options = options,
					     .snapshot = snapshot };
		err = build(builder, &found, why);
		after = memory_counts(remote->memory);
		snapshot->counts.memory_bytes = after.bytes - before.bytes;
		snapshot->counts.memory_calls = after.calls - before.calls;
		snapshot->counts.duration_ns = now_ns() - start;
	}
	for (uint32_t i = 0; builder && builder->tasks && i < snapshot->task_count; i++)
		task_free(&builder->tasks[i]);
	if (builder)
		free(builder->tasks);
	free(builder);
	free(found.at);
	if (err) {
		snapshot_free(snapshot);
		return err;
	}
	*out = snapshot;
	return 0;
}

void snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	for (uint32_t i = 0; i < snapshot->object_count; i++)
		drop_locals(&snapshot->objects[i]);
	for (uint32_t i = 0; snapshot->tasks && i < snapshot->task_count; i++) {
		free(snapshot->tasks[i].name);
		free(snapshot->tasks[i].name_repr);
		free(snapshot->tasks[i].awaited_by);
	}
	free(snapshot->objects);
	free(snapshot->tasks);
	code_objects_free(snapshot->codes);
	free(snapshot);
}

const char *snapshot_awaits_repr(const struct snapshot *snapshot,
				 const struct snapshot_object *object, char *out, size_t size)
{
	static const char *const states[] = { "pending", "cancelled", "finished" };
	const char *state = states[object->future_state < 3 ? object->future_state : 0];
	const char *class = object->awaits_class ? object->awaits_class : "?";
	const char *last = strrchr(class, '.');

	if (object->awaits_kind == AWAITS_FUTURE)
		snprintf(out, size, "<%s %s>", last ? last + 1 : class, state);
	else if (object->awaits_kind == AWAITS_TASK)
		snprintf(out, size, "<%s %s name=%s>", last ? last + 1 : class, state,
			 snapshot->tasks[object->awaits].name_repr);
	else
		snprintf(out, size, "<%s object at 0x%llx>", class,
			 (unsigned long long)object->awaits_address);
	return out;
}
