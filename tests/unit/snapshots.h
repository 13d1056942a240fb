/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TESTS_SNAPSHOTS_H
#define GENSCOPE_TESTS_SNAPSHOTS_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/snapshot.h"
#include "records.h"

/*
 * Snapshots made by hand: who awaits whom is said call by call.
 */

struct scene {
	struct snapshot snapshot;
	uint32_t object_room, task_room;
};

#define CODE(called, path, line)                                                                   \
	{                                                                                          \
		.name = (char *)(called), .qualname = (char *)(called), .file = (char *)(path),    \
		.first_line = (line)                                                               \
	}

static inline void scene_open(struct scene *scene)
{
	memset(scene, 0, sizeof(*scene));
	scene->snapshot.pid = 4242;
}

static inline void scene_close(struct scene *scene)
{
	for (uint32_t t = 0; t < scene->snapshot.task_count; t++) {
		free(scene->snapshot.tasks[t].name);
		free(scene->snapshot.tasks[t].name_repr);
		free(scene->snapshot.tasks[t].awaited_by);
	}
	free(scene->snapshot.tasks);
	free(scene->snapshot.objects);
}

static inline uint32_t scene_object(struct scene *scene, struct code_object *code, uint8_t kind,
				    uint8_t state, uint32_t line)
{
	struct snapshot *snapshot = &scene->snapshot;
	uint32_t index = snapshot->object_count++;

	if (index == scene->object_room) {
		scene->object_room = scene->object_room * 2 + 16;
		snapshot->objects = reallocarray(snapshot->objects, scene->object_room,
						 sizeof(*snapshot->objects));
	}
	snapshot->objects[index] = (struct snapshot_object){
		.gen = 0x7f0000000000 + 64ull * index,
		.code = code,
		.line = line,
		.kind = kind,
		.state = state,
		.awaits = SNAPSHOT_NONE,
		.awaited_by = SNAPSHOT_NONE,
		.task = SNAPSHOT_NONE,
	};
	return index;
}

/* A suspended coroutine. */
static inline uint32_t scene_coro(struct scene *scene, struct code_object *code, uint32_t line)
{
	return scene_object(scene, code, KIND_COROUTINE, STATE_SUSPENDED, line);
}

static inline void scene_await(struct scene *scene, uint32_t outer, uint32_t inner)
{
	struct snapshot_object *object = &scene->snapshot.objects[outer];

	object->awaits_kind = AWAITS_OBJECT;
	object->awaits = inner;
	object->awaits_class = "coroutine";
	object->awaits_address = scene->snapshot.objects[inner].gen;
	scene->snapshot.objects[inner].awaited_by = outer;
}

static inline void scene_await_other(struct scene *scene, uint32_t outer, uint8_t kind,
				     const char *class)
{
	struct snapshot_object *object = &scene->snapshot.objects[outer];

	object->awaits_kind = kind;
	object->awaits_class = class;
	object->awaits_address = 0x7fabc0000010 + 64ull * outer;
}

static inline void scene_await_future(struct scene *scene, uint32_t outer)
{
	scene_await_other(scene, outer, AWAITS_FUTURE, "_asyncio.Future");
}

/* A task that drives that object, and what the object awaits so far. */
static inline uint32_t scene_task(struct scene *scene, const char *name, uint32_t coroutine)
{
	struct snapshot *snapshot = &scene->snapshot;
	uint32_t index = snapshot->task_count++, at = coroutine;

	if (index == scene->task_room) {
		scene->task_room = scene->task_room * 2 + 16;
		snapshot->tasks =
			reallocarray(snapshot->tasks, scene->task_room, sizeof(*snapshot->tasks));
	}
	snapshot->tasks[index] = (struct snapshot_task){ .address = 0x7fdd00000000 + 256ull * index,
							 .name = strdup(name),
							 .coroutine = coroutine };
	cr_assert_gt(asprintf(&snapshot->tasks[index].name_repr, "'%s'", name), 0);
	for (; at < snapshot->object_count && snapshot->objects[at].task == SNAPSHOT_NONE;
	     at = snapshot->objects[at].awaits)
		snapshot->objects[at].task = index;
	return index;
}

/* `awaiter` waits for `task`, through gather(), say. */
static inline void scene_task_awaited(struct scene *scene, uint32_t task, uint32_t awaiter)
{
	struct snapshot_task *awaited = &scene->snapshot.tasks[task];

	awaited->awaited_by = reallocarray(awaited->awaited_by, awaited->awaited_by_count + 1,
					   sizeof(*awaited->awaited_by));
	awaited->awaited_by[awaited->awaited_by_count++] = awaiter;
}

/* An object awaits a task itself: `await task`. */
static inline void scene_await_task(struct scene *scene, uint32_t outer, uint32_t task)
{
	scene_await_other(scene, outer, AWAITS_TASK, "_asyncio.Task");
	scene->snapshot.objects[outer].awaits = task;
	if (scene->snapshot.objects[outer].task != SNAPSHOT_NONE)
		scene_task_awaited(scene, task, scene->snapshot.objects[outer].task);
}

#endif
