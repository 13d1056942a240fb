/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_PYTHON_HEAP_LIST_H
#define GENSCOPE_PYTHON_HEAP_LIST_H

#include "python/heap.h"

/* One list of the collector, followed while it changes; used by heap.c only. */

#define HEAP_LISTS_PER_INTERPRETER 4 /* three generations and the permanent one */

/* Where lists begin: whoever comes to one has come to an end. */
struct heap_heads {
	uint64_t *at;
	size_t count;
};

struct heap_list {
	uint64_t head;
	uint64_t collecting; /* address of the flag that says that a collection is on */
};

/* Calls `visit` for each object of the list, with its type object; < 0 stops. The same object may come
 * twice where the list changed. 0 at its end; 1 at its end, but looks had to be taken again or a collection
 * was on: another walk may find more; -EAGAIN when it had to be given up before its end, or it
 * has none; what visit said; -ESRCH or -EPERM. */
int heap_list_walk(struct remote *remote, const struct heap_list *list,
		   const struct heap_heads *heads,
		   int (*visit)(void *ctx, uint64_t object, uint64_t type), void *ctx,
		   struct heap_counts *counts);

/* Is a collection on, as of now? */
bool heap_list_is_collecting(struct remote *remote, const struct heap_list *list);

#endif
