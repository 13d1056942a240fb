// SPDX-License-Identifier: MIT
/*
 * A list of PyGC_Head {_gc_next, _gc_prev}, circular, doubly linked (Include/internal/pycore_gc.h, 3.11
 * to 3.15), in a process that runs on.
 *
 * We go by _gc_next and believe a step from P to N only if N's _gc_prev points back at P. What we read
 * may be of different moments: pages come from a cache. When a step does not agree, the pages concerned
 * are read anew, and we go back along the trail of the objects passed, to the nearest one that is still
 * linked on both sides, and whose predecessor is one that we passed before it: an object that has been
 * freed and made anew at its address is linked at the list's end, not where it was. So a list that is busy
 * at its end (where objects are born) costs some looks more. What keeps changing faster than we can look
 * is given up after a while.
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
#define HEAD_ALIGNMENT 4      /* of PyGC_Head where a list begins (3.13.5 on), objects have 16 */
#define TRAIL          512    /* objects passed that are remembered; a power of two */
#define LOOKS_MAX      100000 /* again, in one walk: some 100 ms of them */
#define CIRCLES_MAX    8      /* addresses met again that may be of another object */
#define COLLECTING     2      /* _PyGC_PREV_MASK_COLLECTING */

/* PyGC_Head and the PyObject behind it. */
struct node {
	uint64_t next, previous;
	uint64_t references;
	uint64_t type;
};
_Static_assert(sizeof(struct node) == GC_HEAD_BYTES + PYOBJECT_TYPE + 8, "read in one go");

struct walk {
	struct remote *remote;
	const struct heap_list *list;
	const struct heap_heads *heads;
	struct heap_counts *counts;
	uint64_t trail[TRAIL]; /* of objects passed, the list's head first */
	uint64_t passed;       /* the newest is at passed - 1 */
	uint64_t steps;        /* those that were gone back over, too */
	uint64_t checkpoint;   /* who comes here again goes in a circle */
	unsigned looks, circles;
	bool again;   /* looks had to be taken again */
	bool relaxed; /* a step was taken without agreement: a collection was on */
};

static int look(struct walk *walk, uint64_t at, struct node *node)
{
	if (!at || at >= ADDRESS_END || at % HEAD_ALIGNMENT)
		return -EFAULT;
	return memory_read(walk->remote->memory, at, node, sizeof(*node));
}

static int look_again(struct walk *walk, uint64_t at, struct node *node)
{
	walk->looks++;
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

static bool is_passed(const struct walk *walk, uint64_t at, uint64_t before)
{
	uint64_t first = walk->passed > TRAIL ? walk->passed - TRAIL : 0;

	for (uint64_t i = before; i-- > first;)
		if (walk->trail[i % TRAIL] == at)
			return true;
	return false;
}

/* Is the object at that place of the trail still in the list, as of now, and where it was? */
static bool is_linked(struct walk *walk, uint64_t place, uint64_t *next)
{
	uint64_t at = walk->trail[place % TRAIL];
	struct node node, other;

	if (look_again(walk, at, &node) || !node.next || !node.previous)
		return false;
	if (place && !is_passed(walk, node.previous & LINK_MASK, place))
		return false;
	if (look_again(walk, node.previous & LINK_MASK, &other) || (other.next & LINK_MASK) != at)
		return false;
	if (look_again(walk, node.next & LINK_MASK, &other) || (other.previous & LINK_MASK) != at)
		return false;
	*next = node.next & LINK_MASK;
	return true;
}

/* The last object passed that is still there; goes on from there. False: give up. */
static bool recover(struct walk *walk, uint64_t *at)
{
	uint64_t first = walk->passed > TRAIL ? walk->passed - TRAIL : 0;

	walk->counts->retries++;
	walk->again = true;
	for (uint64_t place = walk->passed; place-- > first && walk->looks < LOOKS_MAX;) {
		if (!is_linked(walk, place, at))
			continue;
		walk->passed = place + 1;
		return true;
	}
	return false;
}

/* The checkpoint's address is met again: a circle, or it was freed and used again. It stays the checkpoint:
 * a circle leads back to it in as many steps as it has. */
static bool is_circle(struct walk *walk)
{
	return heap_list_is_collecting(walk->remote, walk->list) || ++walk->circles > CIRCLES_MAX;
}

bool heap_list_is_collecting(struct remote *remote, const struct heap_list *list)
{
	memory_forget(remote->memory, list->collecting, sizeof(uint32_t));
	return memory_u32(remote->memory, list->collecting) != 0;
}

static bool is_fatal(int err)
{
	return err == -ESRCH || err == -EPERM || err == -ENOMEM;
}

/* Does the step from the object passed last to this one agree with it? */
static bool is_step(struct walk *walk, const struct node *node)
{
	if ((node->previous & LINK_MASK) == walk->trail[(walk->passed - 1) % TRAIL])
		return true;
	if (!(node->previous & COLLECTING))
		return false;
	walk->relaxed = true;
	return true;
}

static void pass(struct walk *walk, uint64_t at)
{
	walk->trail[walk->passed++ % TRAIL] = at;
	walk->steps++;
	if (!(walk->steps & (walk->steps - 1)))
		walk->checkpoint = at;
}

int heap_list_walk(struct remote *remote, const struct heap_list *list,
		   const struct heap_heads *heads,
		   int (*visit)(void *ctx, uint64_t object, uint64_t type), void *ctx,
		   struct heap_counts *counts)
{
	struct walk walk = { .remote = remote, .list = list, .heads = heads, .counts = counts };
	struct node node;
	uint64_t at;
	int err = look_again(&walk, list->head, &node);

	if (err)
		return err;
	at = node.next & LINK_MASK;
	walk.trail[walk.passed++] = list->head;
	while (!is_head(&walk, at)) {
		err = look(&walk, at, &node);
		if (is_fatal(err))
			return err;
		if (at == walk.checkpoint && is_circle(&walk))
			return -EAGAIN;
		if (err || !is_step(&walk, &node)) {
			if (!recover(&walk, &at))
				return -EAGAIN;
			continue;
		}
		counts->containers++;
		err = visit(ctx, at + GC_HEAD_BYTES, node.type);
		if (err < 0)
			return err;
		pass(&walk, at);
		at = node.next & LINK_MASK;
	}
	return walk.again || walk.relaxed;
}
