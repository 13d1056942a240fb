/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_TREE_H
#define GENSCOPE_MODEL_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/select.h"
#include "model/snapshot.h"

/*
 * Who waits for whom, as trees: tasks that nobody awaits, under each the chain of its coroutine, under the
 * innermost of that the tasks it waits for; then the objects of no task that nobody awaits. Equal trees
 * side by side are one branch with a count. Every task and object has one place; where it is awaited a
 * second time a node says that it stands elsewhere, where a chain comes back to itself, that it is a cycle.
 */

enum tree_what { TREE_TASK = 0, TREE_OBJECT = 1 };
enum tree_place { TREE_HERE = 0, TREE_ELSEWHERE = 1, TREE_CYCLE = 2 };

struct tree_node {
	uint32_t index; /* into the snapshot's tasks or objects */
	uint32_t first_branch, branch_count;
	uint8_t what;  /* enum tree_what */
	uint8_t place; /* enum tree_place; without branches unless it is TREE_HERE */
};

/* Equal trees under one parent: same functions, kinds, states and lines, awaiting the same classes. */
struct tree_branch {
	uint32_t node; /* the first of them stands for all */
	uint32_t count;
	/* Of tasks: those with the lowest and the highest name, "Task-9" before "Task-10". */
	uint32_t first_task, last_task;
};

struct tree {
	const struct snapshot *snapshot; /* borrowed */
	struct tree_node *nodes;
	struct tree_branch *branches;
	struct tree_branch *roots;
	uint32_t node_count, branch_count, root_count;
	bool *object_shown; /* by index: it is in a tree that is shown */
};

/* Those trees that hold a selected object (NULL, or a selection of all: every tree). -ENOMEM. */
int tree_build(const struct snapshot *snapshot, const struct selection *selection,
	       struct tree **out);
void tree_free(struct tree *tree); /* NULL is fine */

/* Do the two stand on the same line of the same function in the same state? */
bool tree_same_step(const struct tree *tree, const struct tree_node *a, const struct tree_node *b);

/* Orders names for people: digits at the end count as a number. */
int tree_compare_names(const char *a, const char *b);

#endif
