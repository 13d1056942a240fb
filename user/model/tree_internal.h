/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_TREE_INTERNAL_H
#define GENSCOPE_MODEL_TREE_INTERNAL_H

#include "model/tree.h"

/*
 * How: every task, every object, and every second place where one of them is awaited is a node with one
 * parent (parents are chosen first, then loops are cut). Nodes are put in an order in which parents come
 * before their children; in the opposite order each node gets the number of its shape: two nodes have the
 * same number exactly when they look alike and have equally many branches of each number. All of it is
 * loops over arrays: a chain may be as long as it likes.
 *
 * Node numbers: tasks, then objects, then second places, then the root.
 */

#define NONE UINT32_MAX

struct tree_link { /* a second place: `parent` awaits `target` too */
	uint32_t parent, target;
};

struct tree_builder {
	const struct snapshot *snapshot;
	struct tree *tree;
	uint32_t tasks, objects, count, root;
	uint32_t *parent; /* of each node; NONE: not placed yet */
	struct tree_link *links;
	uint32_t link_count, link_room;
	uint32_t *
		child_at; /* those of node n are children[child_at[n]] to children[child_at[n + 1] - 1] */
	uint32_t *children;
	uint32_t *order; /* parents before children */
	/* shapes: the number of each node, the first node of each number, their hash table (1 + number) */
	uint32_t *shape, *shape_node, *slots;
	uint64_t *shape_hash;
	uint32_t slot_count, shape_count;
	/* by shape: the last parent that has it, and its branch there */
	uint32_t *seen, *seen_branch;
};

/* Gives every node its parent, its children and its place in the order; fills tree->nodes. -ENOMEM. */
int tree_place_nodes(struct tree_builder *builder);

#endif
