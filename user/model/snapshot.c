// SPDX-License-Identifier: MIT
#include "model/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/snapshot_internal.h"
#include "state.h"
#include "target/clock.h"

#define TYPES_MAX     4096 /* a power of two: slots for answers about type objects */
#define GIVEN_AT_ONCE 4096 /* objects between the two looks, where none is kept */

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

static uint8_t classify(struct builder *builder, uint64_t type)
{
	struct remote *remote = builder->remote;
	size_t slot = (type >> 4) % TYPES_MAX;

	if (builder->types[slot].type == type && builder->types[slot].class)
		return builder->types[slot].class;
	builder->types[slot].type = type;
	builder->types[slot].class = TYPE_UNWANTED;
	if (remote_kind(remote, type) != KIND_NONE)
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

int snapshot_progress(const struct snapshot_options *options, uint64_t objects)
{
	int err = options->progress && !(objects % PROGRESS_STEP) ?
			  options->progress(options->ctx, objects) :
			  0;

	return err < 0 ? err : 0;
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

/* Hands out what has been collected, each after a second look. */
static int give_out(struct builder *builder)
{
	struct snapshot *snapshot = builder->snapshot;
	int err = 0;

	if (!builder->options->still)
		err = snapshot_confirm(builder->remote, builder->options, snapshot);
	for (uint32_t i = 0; i < snapshot->object_count; i++) {
		if (err >= 0)
			err = builder->options->each(builder->options->ctx, &snapshot->objects[i]);
		snapshot_drop_locals(&snapshot->objects[i]);
	}
	snapshot->object_count = 0;
	return err < 0 ? err : 0;
}

static int add_object(struct builder *builder, uint64_t address)
{
	struct snapshot_object object;
	int err = snapshot_read_object(builder->remote, builder->options, builder->snapshot,
				       address, &object);

	if (err == -ENOENT)
		return 0;
	if (err == -EAGAIN || err == -EFAULT) {
		builder->snapshot->counts.unreadable++;
		return 0;
	}
	if (!err)
		err = keep_object(builder, &object);
	if (err)
		snapshot_drop_locals(&object);
	else if (builder->options->each && builder->snapshot->object_count == GIVEN_AT_ONCE)
		err = give_out(builder);
	return err;
}

static int read_task_steadily(struct builder *builder, uint64_t address, struct task *task)
{
	int err = -EAGAIN;

	for (int i = 0; i < TRIES_MAX; i++) {
		if (i) {
			builder->snapshot->counts.retries++;
			memory_forget(builder->remote->memory, address, TORN_BYTES);
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
		uint64_t type = 0;

		err = memory_read(remote->memory, found->at[i] + PYOBJECT_TYPE, &type,
				  sizeof(type));
		if (err == -EFAULT) {
			builder->snapshot->counts.unreadable++;
			err = 0;
		}
		if (!err)
			err = snapshot_progress(builder->options, ++builder->done);
		if (err >= 0 && type)
			err = classify(builder, type) == TYPE_TASK ?
				      add_task(builder, found->at[i]) :
				      add_object(builder, found->at[i]);
	}
	if (err >= 0 && builder->options->each)
		err = give_out(builder);
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
			.coroutine_address = task->coroutine,
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
	if (!err && !builder->options->each && !builder->options->still)
		err = snapshot_confirm(builder->remote, builder->options, snapshot);
	if (!err && !builder->options->each)
		err = snapshot_link(builder->remote, builder->options, snapshot, builder->tasks);
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
	uint64_t start = clock_now_ns(), alive;
	int err = builder && snapshot ? code_objects_new(&snapshot->codes) : -ENOMEM;

	why[0] = 0;
	if (!err) {
		struct memory_counts before = memory_counts(remote->memory), after;

		snapshot->pid = pid;
		*builder = (struct builder){ .remote = remote,
					     .options = options,
					     .snapshot = snapshot };
		err = build(builder, &found, why);
		if (!err) { /* what ended meanwhile was read in part */
			memory_forget_all(remote->memory);
			err = memory_read(remote->memory, remote->runtime, &alive, sizeof(alive));
		}
		after = memory_counts(remote->memory);
		snapshot->counts.memory_bytes = after.bytes - before.bytes;
		snapshot->counts.memory_calls = after.calls - before.calls;
		snapshot->counts.duration_ns = clock_now_ns() - start;
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
		snapshot_drop_locals(&snapshot->objects[i]);
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
