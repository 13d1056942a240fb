// SPDX-License-Identifier: MIT
/*
 * Who awaits whom. An object's own frame names what it delegates to; that may be another object, a
 * task, or something else. A task's coroutine belongs to the task, and so does everything down its chain.
 *
 * Which task waits for which: from 3.14 on asyncio itself keeps it (also behind gather() and
 * TaskGroup). Before, it follows from what the coroutines await: a task directly, or a future of
 * gather(), which names its children.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/snapshot_internal.h"
#include "python/value.h"
#include "records.h"
#include "target/hash.h"

#define THREADS_MAX        4096
#define FRAMES_MAX         100000 /* of one thread; deeper recursion is not followed */
#define CHILDREN_MAX       65536  /* of one gather() */
#define METHOD_SELF        24     /* im_self of a PyMethodObject: Include/cpython/classobject.h */
#define OWNED_BY_GENERATOR 1      /* FRAME_OWNED_BY_GENERATOR: Include/internal/pycore_frame.h */

struct linker {
	struct remote *remote;
	struct snapshot *snapshot;
	struct address_index objects, tasks;
	uint32_t *room; /* of tasks[i].awaited_by */
};

int address_index_build(struct address_index *index, const void *base, size_t stride,
			uint32_t count)
{
	size_t slots = 16;

	while (slots < (size_t)count * 2)
		slots *= 2;
	*index = (struct address_index){ .mask = slots - 1, .base = base, .stride = stride };
	index->slots = calloc(slots, sizeof(*index->slots));
	if (!index->slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t address;
		size_t slot;

		memcpy(&address, index->base + i * stride, sizeof(address));
		slot = hash_address(address) & index->mask;
		while (index->slots[slot])
			slot = (slot + 1) & index->mask;
		index->slots[slot] = i + 1;
	}
	return 0;
}

uint32_t address_index_find(const struct address_index *index, uint64_t address)
{
	size_t slot = hash_address(address) & index->mask;

	for (; index->slots[slot]; slot = (slot + 1) & index->mask) {
		uint32_t i = index->slots[slot] - 1;
		uint64_t there;

		memcpy(&there, index->base + i * index->stride, sizeof(there));
		if (there == address)
			return i;
	}
	return SNAPSHOT_NONE;
}

void address_index_free(struct address_index *index)
{
	free(index->slots);
	index->slots = NULL;
}

/* One may come twice in a row: gather() of the same task. */
static int add_awaiter(struct linker *linker, uint32_t index, uint32_t awaiter)
{
	struct snapshot_task *task = &linker->snapshot->tasks[index];

	if (task->awaited_by_count && task->awaited_by[task->awaited_by_count - 1] == awaiter)
		return 0;
	if (task->awaited_by_count == linker->room[index]) {
		uint32_t room = linker->room[index] ? linker->room[index] * 2 : 1;
		uint32_t *grown = realloc(task->awaited_by, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		task->awaited_by = grown;
		linker->room[index] = room;
	}
	task->awaited_by[task->awaited_by_count++] = awaiter;
	return 0;
}

static void link_object(struct linker *linker, uint32_t index)
{
	struct snapshot *snapshot = linker->snapshot;
	struct snapshot_object *object = &snapshot->objects[index];
	uint32_t inner;

	if (!object->awaits_address || object->moved)
		return;
	inner = address_index_find(&linker->objects, object->awaits_address);
	if (inner != SNAPSHOT_NONE && snapshot->objects[inner].moved)
		return;
	if (inner != SNAPSHOT_NONE) {
		object->awaits_kind = AWAITS_OBJECT;
		object->awaits = inner;
		if (snapshot->objects[inner].awaited_by == SNAPSHOT_NONE)
			snapshot->objects[inner].awaited_by = index;
		return;
	}
	inner = address_index_find(&linker->tasks, object->awaits_address);
	if (inner != SNAPSHOT_NONE && snapshot->tasks[inner].moved)
		return;
	object->awaits = inner;
	if (object->awaits != SNAPSHOT_NONE) {
		object->awaits_kind = AWAITS_TASK;
		object->future_state = snapshot->tasks[object->awaits].state;
		return;
	}
	if (future_is_type(linker->remote, memory_u64(linker->remote->memory,
						      object->awaits_address + PYOBJECT_TYPE))) {
		object->awaits_kind = AWAITS_FUTURE;
		object->future_state = future_state(linker->remote, object->awaits_address);
	}
}

/* Gives the task's name to its coroutine and all it awaits. */
static void link_chain(struct snapshot *snapshot, uint32_t task)
{
	uint32_t at = snapshot->tasks[task].coroutine;

	while (at != SNAPSHOT_NONE && snapshot->objects[at].task == SNAPSHOT_NONE) {
		struct snapshot_object *object = &snapshot->objects[at];

		object->task = task;
		at = object->awaits_kind == AWAITS_OBJECT ? object->awaits : SNAPSHOT_NONE;
	}
}

/* The children of a future that gather() made: an attribute of an instance of a subclass written in Python,
 * kept in the dict of the future (asyncio/tasks.py, _GatheringFuture). */
static int link_gathered(struct linker *linker, const struct snapshot_object *object)
{
	struct memory *memory = linker->remote->memory;
	uint64_t dict, list, items, count;

	if (!linker->remote->inner.future_dict || !object->awaits_class ||
	    strcmp(object->awaits_class, "asyncio.tasks._GatheringFuture"))
		return 0;
	dict = memory_u64(memory, object->awaits_address + linker->remote->inner.future_dict);
	list = dict ? value_dict_find(linker->remote, dict, "_children") : 0;
	if (!list || value_type(linker->remote, list) != VALUE_LIST)
		return 0;
	count = memory_u64(memory, list + PYVAROBJECT_SIZE);
	items = memory_u64(memory, list + LIST_ITEMS);
	for (uint64_t i = 0; i < count && i < CHILDREN_MAX; i++) {
		uint64_t child = memory_u64(memory, items + i * sizeof(child));
		uint32_t task = address_index_find(&linker->tasks, child);
		int err = task != SNAPSHOT_NONE ? add_awaiter(linker, task, object->task) : 0;

		if (err)
			return err;
	}
	return 0;
}

/* A TaskGroup that is being left, and the task that waits there for its children. */
struct group_exit {
	uint64_t group; /* address; first, for struct address_index */
	uint32_t task;
};

/* The TaskGroup whose __aexit__() the object is, 0 if it is none: its first argument. */
static uint64_t group_of(const struct linker *linker, const struct snapshot_object *object)
{
	const struct remote *remote = linker->remote;

	if (object->state != STATE_SUSPENDED || object->task == SNAPSHOT_NONE ||
	    strcmp(object->code->qualname, "TaskGroup.__aexit__"))
		return 0;
	return memory_u64(remote->memory, object->gen + remote->layout.gen_iframe +
						  remote->inner.values.frame_localsplus);
}

/* Before 3.14: a TaskGroup waits in its __aexit__() for a future of its own; its children call back to it
 * when they are done (asyncio/taskgroups.py: add_done_callback(self._on_task_done)). */
static int link_groups(struct linker *linker, const struct task *found)
{
	const struct snapshot *snapshot = linker->snapshot;
	struct group_exit *exits = calloc(snapshot->task_count + 1, sizeof(*exits));
	struct address_index index = {};
	uint32_t count = 0;
	int err = exits ? 0 : -ENOMEM;

	for (uint32_t i = 0; !err && i < snapshot->object_count; i++) {
		uint64_t group = group_of(linker, &snapshot->objects[i]);

		if (group && count < snapshot->task_count)
			exits[count++] = (struct group_exit){ group, snapshot->objects[i].task };
	}
	if (!err && count)
		err = address_index_build(&index, exits, sizeof(*exits), count);
	for (uint32_t i = 0; !err && count && i < snapshot->task_count; i++) {
		uint64_t callback = found[i].done_callback;
		uint32_t at = SNAPSHOT_NONE;

		if (callback)
			at = address_index_find(
				&index, memory_u64(linker->remote->memory, callback + METHOD_SELF));
		if (at != SNAPSHOT_NONE)
			err = add_awaiter(linker, i, exits[at].task);
	}
	address_index_free(&index);
	free(exits);
	return err;
}

/* The coroutines of tasks, and all that these await. */
static void link_coroutines(struct linker *linker)
{
	struct snapshot *snapshot = linker->snapshot;

	for (uint32_t i = 0; i < snapshot->task_count; i++) {
		struct snapshot_task *task = &snapshot->tasks[i];

		if (task->coroutine_address && !task->moved)
			task->coroutine =
				address_index_find(&linker->objects, task->coroutine_address);
		if (task->coroutine != SNAPSHOT_NONE && snapshot->objects[task->coroutine].moved)
			task->coroutine = SNAPSHOT_NONE;
		link_chain(snapshot, i);
	}
}

/* asyncio's own word, from 3.14 on. */
static int link_told(struct linker *linker, const struct task *found)
{
	int err = 0;

	for (uint32_t i = 0; i < linker->snapshot->task_count; i++) {
		for (size_t k = 0; !err && k < found[i].awaited_by_count; k++) {
			uint32_t awaiter =
				address_index_find(&linker->tasks, found[i].awaited_by[k]);

			if (awaiter != SNAPSHOT_NONE)
				err = add_awaiter(linker, i, awaiter);
		}
	}
	return err;
}

static int link_tasks(struct linker *linker, const struct task *found)
{
	struct snapshot *snapshot = linker->snapshot;
	bool told = linker->remote->inner.task_awaited_by != 0;
	int err;

	link_coroutines(linker);
	err = told ? link_told(linker, found) : link_groups(linker, found);
	for (uint32_t i = 0; !err && i < snapshot->object_count; i++) {
		struct snapshot_object *object = &snapshot->objects[i];
		uint32_t coroutine;

		if (!told && object->awaits_kind == AWAITS_FUTURE && object->task != SNAPSHOT_NONE)
			err = link_gathered(linker, object);
		if (object->awaits_kind != AWAITS_TASK)
			continue;
		coroutine = snapshot->tasks[object->awaits].coroutine;
		if (coroutine != SNAPSHOT_NONE &&
		    snapshot->objects[coroutine].awaited_by == SNAPSHOT_NONE)
			snapshot->objects[coroutine].awaited_by = i;
		if (!found[object->awaits].awaited_by_count && object->task != SNAPSHOT_NONE)
			err = add_awaiter(linker, object->awaits, object->task);
	}
	return err;
}

int snapshot_link(struct remote *remote, const struct snapshot_options *options,
		  struct snapshot *snapshot, const struct task *found)
{
	struct linker linker = { .remote = remote, .snapshot = snapshot };
	int err = address_index_build(&linker.objects, snapshot->objects,
				      sizeof(*snapshot->objects), snapshot->object_count);

	if (!err)
		err = address_index_build(&linker.tasks, snapshot->tasks, sizeof(*snapshot->tasks),
					  snapshot->task_count);
	linker.room = calloc(snapshot->task_count + 1, sizeof(*linker.room));
	if (!linker.room)
		err = -ENOMEM;
	for (uint32_t i = 0; !err && i < snapshot->object_count; i++) {
		err = snapshot_progress(options, i + 1);
		link_object(&linker, i);
	}
	if (!err)
		err = link_tasks(&linker, found);
	free(linker.room);
	address_index_free(&linker.objects);
	address_index_free(&linker.tasks);
	return err;
}

/* The objects whose frames are on a thread's stack, innermost first. What runs above a task's coroutine
 * runs for that task. */
static void link_thread(struct remote *remote, struct snapshot *snapshot,
			const struct address_index *objects, const struct heap_thread *thread)
{
	const struct layout *layout = &remote->layout;
	uint32_t above[64]; /* innermost objects that have no task yet */
	size_t above_count = 0;
	uint64_t frame = thread->frame;

	for (int i = 0; frame && i < FRAMES_MAX; i++) {
		uint8_t owner = 0;

		memory_read(remote->memory, frame + remote->inner.frame_owner, &owner, 1);
		if (owner == OWNED_BY_GENERATOR) {
			uint32_t at = address_index_find(objects, frame - layout->gen_iframe);
			uint32_t task =
				at == SNAPSHOT_NONE ? SNAPSHOT_NONE : snapshot->objects[at].task;

			if (at != SNAPSHOT_NONE && snapshot->objects[at].state == STATE_RUNNING)
				snapshot->objects[at].tid = thread->tid;
			for (; task != SNAPSHOT_NONE && above_count; above_count--)
				snapshot->objects[above[above_count - 1]].task = task;
			if (at != SNAPSHOT_NONE && task == SNAPSHOT_NONE &&
			    above_count < sizeof(above) / sizeof(above[0]))
				above[above_count++] = at;
		}
		frame = memory_u64(remote->memory, frame + layout->frame_previous);
	}
}

int snapshot_link_threads(struct remote *remote, struct snapshot *snapshot)
{
	struct heap_thread *threads;
	struct address_index objects;
	bool running = false;
	int count, err;

	for (uint32_t i = 0; i < snapshot->object_count && !running; i++)
		running = snapshot->objects[i].state == STATE_RUNNING;
	if (!running)
		return 0;
	threads = calloc(THREADS_MAX, sizeof(*threads));
	if (!threads)
		return -ENOMEM;
	err = address_index_build(&objects, snapshot->objects, sizeof(*snapshot->objects),
				  snapshot->object_count);
	memory_forget_all(remote->memory);
	count = err ? 0 : heap_threads(remote, threads, THREADS_MAX);
	for (int i = 0; i < count; i++)
		link_thread(remote, snapshot, &objects, &threads[i]);
	if (!err)
		address_index_free(&objects);
	free(threads);
	return err;
}
