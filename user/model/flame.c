// SPDX-License-Identifier: MIT
#include "model/flame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "target/hash.h"

#define ROOM_FIRST 256 /* nodes; a power of two. There are twice as many slots. */

struct flame {
	struct flame_node *nodes;
	uint32_t *slots; /* numbers of nodes; 0, the root, which nobody seeks: empty */
	uint32_t count, room, limit;
	uint64_t others, too_deep;
};

int flame_new(uint32_t nodes, struct flame **out)
{
	struct flame *flame = calloc(1, sizeof(*flame));

	if (!flame)
		return -ENOMEM;
	flame->limit = nodes ? nodes : FLAME_NODES;
	flame->room = ROOM_FIRST;
	flame->nodes = calloc(flame->room, sizeof(*flame->nodes));
	flame->slots = calloc(2 * (size_t)flame->room, sizeof(*flame->slots));
	if (!flame->nodes || !flame->slots) {
		flame_free(flame);
		return -ENOMEM;
	}
	flame->nodes[FLAME_ROOT].function = FLAME_NO_FUNCTION;
	flame->count = 1;
	*out = flame;
	return 0;
}

void flame_free(struct flame *flame)
{
	if (!flame)
		return;
	free(flame->nodes);
	free(flame->slots);
	free(flame);
}

/* Where it is, or the empty place where it would be. */
static uint32_t *slot_of(const struct flame *flame, uint32_t parent, uint32_t function)
{
	uint32_t mask = 2 * flame->room - 1;
	uint32_t at = (uint32_t)hash_word(0, (uint64_t)parent << 32 | function) & mask;

	for (; flame->slots[at]; at = (at + 1) & mask) {
		const struct flame_node *node = &flame->nodes[flame->slots[at]];

		if (node->parent == parent && node->function == function)
			break;
	}
	return &flame->slots[at];
}

static int grow(struct flame *flame)
{
	uint32_t room = 2 * flame->room;
	uint32_t *slots = calloc(2 * (size_t)room, sizeof(*slots));
	struct flame_node *nodes;

	if (!slots)
		return -ENOMEM;
	nodes = realloc(flame->nodes, room * sizeof(*nodes));
	if (!nodes) {
		free(slots);
		return -ENOMEM;
	}
	free(flame->slots);
	flame->nodes = nodes;
	flame->slots = slots;
	flame->room = room;
	for (uint32_t i = FLAME_ROOT + 1; i < flame->count; i++)
		*slot_of(flame, nodes[i].parent, nodes[i].function) = i;
	return 0;
}

static int add(struct flame *flame, uint32_t parent, uint32_t function, uint32_t *out)
{
	if (flame->count == flame->room && grow(flame))
		return -ENOMEM;
	*out = flame->count++;
	*slot_of(flame, parent, function) = *out;
	flame->nodes[*out] = (struct flame_node){ .parent = parent,
						  .function = function,
						  .depth = flame->nodes[parent].depth + 1 };
	return 0;
}

int flame_find(struct flame *flame, uint32_t parent, uint32_t function, uint32_t *out)
{
	const struct flame_node *under = &flame->nodes[parent];

	*out = parent;
	if (parent != FLAME_ROOT && under->function == FLAME_NO_FUNCTION) {
		flame->others++;
		return 0;
	}
	if (under->depth == FLAME_DEPTH_MAX) {
		flame->too_deep++;
		return 0;
	}
	*out = *slot_of(flame, parent, function);
	if (*out)
		return 0;
	if (flame->count < flame->limit)
		return add(flame, parent, function, out);
	flame->others++;
	*out = *slot_of(flame, parent, FLAME_NO_FUNCTION);
	return *out ? 0 : add(flame, parent, FLAME_NO_FUNCTION, out);
}

void flame_step(struct flame *flame, uint32_t node)
{
	flame->nodes[node].steps++;
}

void flame_run(struct flame *flame, uint32_t node, uint64_t ns)
{
	flame->nodes[node].run_ns += ns;
}

void flame_wait(struct flame *flame, uint32_t node, uint64_t ns)
{
	flame->nodes[node].waits++;
	flame->nodes[node].wait_ns += ns;
}

const struct flame_node *flame_nodes(const struct flame *flame, uint32_t *count)
{
	*count = flame->count;
	return flame->nodes;
}

uint64_t flame_others(const struct flame *flame)
{
	return flame->others;
}

uint64_t flame_too_deep(const struct flame *flame)
{
	return flame->too_deep;
}
