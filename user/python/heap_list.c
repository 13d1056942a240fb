// SPDX-License-Identifier: MIT
/*
 * A list of PyGC_Head {_gc_next, _gc_prev}, circular, doubly linked (Include/internal/pycore_gc.h, 3.11
 * to 3.15), in a process that runs on.
 *
 * We go by _gc_next and believe a step from P to N only if N's _gc_prev points back at P. What we read
 * may be of different moments: pages come from a cache. When a step does not agree, the pages concerned
 * are read anew. If P still follows its own predecessor, its new _gc_next is taken; if P itself has left
 * the list, we go back along the trail of the objects passed, to the nearest one that is still linked on
 * both sides, and go on from there. So a list that is busy at its end (where objects are born) costs
 * some looks more. What keeps changing faster than we can look is given up after a while.
 *
 * While a collection is on, _gc_prev of the objects concerned holds their reference count and says so in a
 * bit: then _gc_next alone is followed. It may lead into a list of the collector's own, which never
 * comes back to a head: going in a circle is noticed.
 *
 * A collection moves a whole younger list behind an older one. heap.c reads the younger lists
 * first: what moves is then met in the older one, and a walk that arrives at another list's head has come
 * to an end like any other.
 */
#include "python/heap_list.h"

#include <errno.h>
#include <string.h>

#define LINK_MASK      (~3ull)      /* both links have flags in their two low bits */
#define ADDRESS_END    (1ull << 47) /* of user space */
#define HEAD_ALIGNMENT 4     /* of PyGC_Head where a list begins (3.13.5 on), objects have 16 */
#define TRAIL          512   /* objects passed that are remembered; a power of two */
#define TRIES_MAX      20000 /* looks again in one list: some 100 ms of them */
#define COLLECTING     2     /* _PyGC_PREV_MASK_COLLECTING */

/* PyGC_Head and the PyObject behind it. */
struct node {
	uint64_t next, previous;
	uint64_t references;
	uint64_t type;
};
_Static_assert(sizeof(struct node) == GC_HEAD_BYTES + PYOBJECT_TYPE + 8, "read in one go");

struct walk {
	struct remote *remote;
	const struct heap_heads *heads;
	struct heap_counts *counts;
	uint64_t trail[TRAIL];
	uint64_t passed; /* steps taken; the trail's newest is at passed - 1 */
	unsigned tries;
};

static int look(struct walk *walk, uint64_t at, struct node *node)
{
	if (!at || at >= ADDRESS_END || at % HEAD_ALIGNMENT)
		return -EFAULT;
	return memory_read(walk->remote->memory, at, node, sizeof(*node));
}

static int look_again(struct walk *walk, uint64_t at, struct node *node)
{
	memory_forget(walk->remote->memory, at, sizeof(*node));
	return look(walk, at, node);
}

static bool is_head(const struct walk *walk, uint64_t at)
{
	for (size_t i = 0; i < walk->heads->count; i++)
		if (walk->heads->at[i] == at)
			return true;
	return false;
}

/* Is it linked on both sides, as of now? */
static bool is_linked(struct walk *walk, uint64_t at, uint64_t *next)
{
	struct node node, other;

	if (look_again(walk, at, &node) || !node.next || !node.previous)
		return false;
	if (look_again(walk, node.previous & LINK_MASK, &other) || (other.next & LINK_MASK) != at)
		return false;
	if (look_again(walk, node.next & LINK_MASK, &other) || (other.previous & LINK_MASK) != at)
		return false;
	*next = node.next & LINK_MASK;
	return true;
}

/* The last object passed that is still in a list; goes on from there. False: give up. */
static bool recover(struct walk *walk, uint64_t *previous, uint64_t *at)
{
	uint64_t back = walk->passed < TRAIL ? walk->passed : TRAIL;

	walk->counts->retries++;
	if (++walk->tries > TRIES_MAX)
		return false;
	for (uint64_t i = 1; i <= back; i++) {
		uint64_t candidate = walk->trail[(walk->passed - i) % TRAIL];

		if (!is_linked(walk, candidate, at))
			continue;
		*previous = candidate;
		return true;
	}
	return false;
}

static bool is_fatal(int err)
{
	return err == -ESRCH || err == -EPERM || err == -ENOMEM;
}

/* Does the step from `previous` to this node agree with it? */
static bool is_step(const struct node *node, uint64_t previous)
{
	return (node->previous & LINK_MASK) == previous || node->previous & COLLECTING;
}

int heap_list_walk(struct remote *remote, uint64_t head, const struct heap_heads *heads,
		   int (*visit)(void *ctx, uint64_t object, uint64_t type), void *ctx,
		   struct heap_counts *counts)
{
	struct walk walk = { .remote = remote, .heads = heads, .counts = counts };
	uint64_t previous = head, at, checkpoint = 0;
	struct node node;
	int err = look_again(&walk, head, &node);

	if (err)
		return err;
	at = node.next & LINK_MASK;
	walk.trail[walk.passed++] = head;
	while (!is_head(&walk, at)) {
		err = look(&walk, at, &node);
		if (is_fatal(err))
			return err;
		if (at == checkpoint)
			return -EAGAIN;
		if (err || !is_step(&node, previous)) {
			if (!recover(&walk, &previous, &at))
				return -EAGAIN;
			continue;
		}
		counts->containers++;
		err = visit(ctx, at + GC_HEAD_BYTES, node.type);
		if (err < 0)
			return err;
		walk.trail[walk.passed++ % TRAIL] = at;
		if (!(walk.passed &
		      (walk.passed - 1))) /* whoever goes in a circle passes it again */
			checkpoint = at;
		previous = at;
		at = node.next & LINK_MASK;
	}
	return 0;
}
