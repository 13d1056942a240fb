// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/tree_internal.h"

static int add_link(struct tree_builder *builder, uint32_t parent, uint32_t target)
{
	if (builder->link_count == builder->link_room) {
		uint32_t room = builder->link_room ? builder->link_room * 2 : 64;
		struct tree_link *links = reallocarray(builder->links, room, sizeof(*links));

		if (!links)
			return -ENOMEM;
		builder->links = links;
		builder->link_room = room;
	}
	builder->links[builder->link_count++] =
		(struct tree_link){ .parent = parent, .target = target };
	return 0;
}

static int place(struct tree_builder *builder, uint32_t node, uint32_t parent)
{
	if (node == parent || builder->parent[node] != NONE)
		return add_link(builder, parent, node);
	builder->parent[node] = parent;
	return 0;
}

/* A coroutine stands below its task, an awaited object below the first that awaits it. */
static int place_objects(struct tree_builder *builder)
{
	const struct snapshot *snapshot = builder->snapshot;
	int err = 0;

	for (uint32_t t = 0; t < builder->tasks && !err; t++)
		if (snapshot->tasks[t].coroutine < builder->objects)
			err = place(builder, builder->tasks + snapshot->tasks[t].coroutine, t);
	for (uint32_t i = 0; i < builder->objects && !err; i++) {
		const struct snapshot_object *object = &snapshot->objects[i];

		if (object->awaits_kind == AWAITS_OBJECT && object->awaits < builder->objects)
			err = place(builder, builder->tasks + object->awaits, builder->tasks + i);
		else if (object->awaits_kind == AWAITS_TASK && object->awaits < builder->tasks)
			err = place(builder, object->awaits, builder->tasks + i);
	}
	return err;
}

/* The innermost object of a task's chain, or the task. Chains of parents do not meet, so all tasks
 * together look at each object once. */
static uint32_t innermost(const struct tree_builder *builder, uint32_t task)
{
	const struct snapshot *snapshot = builder->snapshot;
	uint32_t at = task, next = snapshot->tasks[task].coroutine;

	while (next < builder->objects && builder->parent[builder->tasks + next] == at) {
		const struct snapshot_object *object = &snapshot->objects[next];

		at = builder->tasks + next;
		next = object->awaits_kind == AWAITS_OBJECT ? object->awaits : NONE;
	}
	return at;
}

static bool awaits_task(const struct tree_builder *builder, uint32_t node, uint32_t task)
{
	const struct snapshot_object *object;

	if (node < builder->tasks)
		return false;
	object = &builder->snapshot->objects[node - builder->tasks];
	return object->awaits_kind == AWAITS_TASK && object->awaits == task;
}

/* What a task waits for through gather(), a TaskGroup or wait() hangs below its innermost object. */
static int place_tasks(struct tree_builder *builder)
{
	uint32_t *inner = malloc((builder->tasks + 1) * sizeof(*inner));
	int err = 0;

	if (!inner)
		return -ENOMEM;
	for (uint32_t t = 0; t < builder->tasks; t++)
		inner[t] = innermost(builder, t);
	for (uint32_t t = 0; t < builder->tasks && !err; t++) {
		const struct snapshot_task *task = &builder->snapshot->tasks[t];

		for (uint32_t i = 0; i < task->awaited_by_count && !err; i++)
			if (task->awaited_by[i] < builder->tasks &&
			    !awaits_task(builder, inner[task->awaited_by[i]], t))
				err = place(builder, t, inner[task->awaited_by[i]]);
	}
	free(inner);
	return err;
}

/* Where parents form a loop, the first node of it becomes a root. `mark` is NONE at the start. */
static int cut_loops(struct tree_builder *builder, uint32_t *mark)
{
	uint32_t nodes = builder->tasks + builder->objects;

	for (uint32_t start = 0; start < nodes; start++) {
		uint32_t at = start, first;
		int err;

		for (; at != NONE && mark[at] == NONE; at = builder->parent[at])
			mark[at] = start;
		if (at == NONE || mark[at] != start)
			continue;
		first = at;
		for (uint32_t i = builder->parent[at]; i != at; i = builder->parent[i])
			first = i < first ? i : first;
		err = add_link(builder, builder->parent[first], first);
		if (err)
			return err;
		builder->parent[first] = NONE;
	}
	return 0;
}

/* --- children and order ---------------------------------------------------------------------------- */

static int make_nodes(struct tree_builder *builder)
{
	uint32_t nodes = builder->tasks + builder->objects;
	uint32_t *parent;

	builder->root = nodes + builder->link_count;
	builder->count = builder->root + 1;
	parent = reallocarray(builder->parent, builder->count, sizeof(*parent));
	builder->tree->nodes = calloc(builder->count, sizeof(*builder->tree->nodes));
	if (parent)
		builder->parent = parent;
	if (!parent || !builder->tree->nodes)
		return -ENOMEM;
	for (uint32_t n = 0; n < builder->root; n++) {
		const struct tree_link *link = n < nodes ? NULL : &builder->links[n - nodes];
		uint32_t target = link ? link->target : n;

		if (link)
			parent[n] = link->parent;
		else if (parent[n] == NONE)
			parent[n] = builder->root;
		builder->tree->nodes[n] = (struct tree_node){
			.index = target < builder->tasks ? target : target - builder->tasks,
			.what = target < builder->tasks ? TREE_TASK : TREE_OBJECT,
			.place = link ? TREE_ELSEWHERE : TREE_HERE,
		};
	}
	parent[builder->root] = NONE;
	builder->tree->node_count = builder->count;
	return 0;
}

static int list_children(struct tree_builder *builder)
{
	uint32_t count = builder->count, *at = calloc(count + 2, sizeof(*at));
	uint32_t end = 1;

	builder->child_at = at;
	builder->children = malloc(count * sizeof(*builder->children));
	builder->order = calloc(count, sizeof(*builder->order));
	if (!at || !builder->children || !builder->order)
		return -ENOMEM;
	for (uint32_t n = 0; n < builder->root; n++)
		at[builder->parent[n] + 2]++;
	for (uint32_t n = 2; n < count + 2; n++)
		at[n] += at[n - 1];
	for (uint32_t n = 0; n < builder->root; n++)
		builder->children[at[builder->parent[n] + 1]++] = n;
	builder->order[0] = builder->root;
	for (uint32_t i = 0; i < end; i++) {
		uint32_t node = builder->order[i];

		for (uint32_t c = at[node]; c < at[node + 1]; c++)
			builder->order[end++] = builder->children[c];
	}
	return 0;
}

/* A second place below the first one closes a cycle. Subtrees are intervals of `first`, numbers in the
 * order of a walk in depth. */
static int find_cycles(struct tree_builder *builder)
{
	uint32_t nodes = builder->tasks + builder->objects;
	uint32_t *size = calloc(builder->count, sizeof(*size));
	uint32_t *first = calloc(builder->count, sizeof(*first));
	int err = size && first ? 0 : -ENOMEM;

	for (uint32_t i = builder->count; !err && i-- > 1;) {
		uint32_t n = builder->order[i];

		size[builder->parent[n]] += ++size[n];
	}
	for (uint32_t i = 0; !err && i < builder->count; i++) {
		uint32_t n = builder->order[i], next = first[n] + 1;

		for (uint32_t c = builder->child_at[n]; c < builder->child_at[n + 1]; c++) {
			first[builder->children[c]] = next;
			next += size[builder->children[c]];
		}
	}
	for (uint32_t i = 0; !err && i < builder->link_count; i++) {
		uint32_t at = first[nodes + i], target = builder->links[i].target;

		if (at > first[target] && at < first[target] + size[target])
			builder->tree->nodes[nodes + i].place = TREE_CYCLE;
	}
	free(size);
	free(first);
	return err;
}

static int place_all(struct tree_builder *builder)
{
	size_t bytes = ((size_t)builder->tasks + builder->objects + 1) * sizeof(uint32_t);
	uint32_t *mark = malloc(bytes);
	int err = -ENOMEM;

	builder->parent = malloc(bytes);
	if (!mark || !builder->parent)
		goto out;
	memset(mark, 0xff, bytes);
	memset(builder->parent, 0xff, bytes);
	err = place_objects(builder);
	if (!err)
		err = place_tasks(builder);
	if (!err)
		err = cut_loops(builder, mark);
out:
	free(mark);
	return err;
}

int tree_place_nodes(struct tree_builder *builder)
{
	int err = place_all(builder);

	if (!err)
		err = make_nodes(builder);
	if (!err)
		err = list_children(builder);
	return err ? err : find_cycles(builder);
}
