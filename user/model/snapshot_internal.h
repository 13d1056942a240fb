/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_SNAPSHOT_INTERNAL_H
#define GENSCOPE_MODEL_SNAPSHOT_INTERNAL_H

/* What the snapshot_*.c files share; nobody else includes it. */

#include "model/snapshot.h"
#include "python/task.h"

#define TRIES_MAX     6     /* looks at an object that is changing */
#define TORN_BYTES    512   /* read anew after a torn look */
#define PROGRESS_STEP 16384 /* objects between two calls of `progress`; a power of two */

/* Reads one until it agrees with itself, its locals too if they are asked for. -ENOENT: it is gone;
 * -EAGAIN, -EFAULT: it stays torn. */
int snapshot_read_object(struct remote *remote, const struct snapshot_options *options,
			 struct snapshot *snapshot, uint64_t address, struct snapshot_object *out);
void snapshot_drop_locals(struct snapshot_object *object);

/* Tells, every PROGRESS_STEP objects, that there are so many: what `progress` says of going on, 0 or < 0. */
int snapshot_progress(const struct snapshot_options *options, uint64_t objects);

/* A second look at every object and task: who is not what it was any more is marked as moved. 0, or what
 * `progress` returned. */
int snapshot_confirm(struct remote *remote, const struct snapshot_options *options,
		     struct snapshot *snapshot);

/* From addresses to indexes. */
struct address_index {
	uint32_t *slots; /* index + 1, 0 free */
	size_t mask;
	const char *base; /* the array that indexes count in; an element begins with its address */
	size_t stride;
};

/* `base` points to `count` elements of `stride` bytes that begin with a uint64_t address. -ENOMEM. */
int address_index_build(struct address_index *index, const void *base, size_t stride,
			uint32_t count);
uint32_t address_index_find(const struct address_index *index,
			    uint64_t address); /* or SNAPSHOT_NONE */
void address_index_free(struct address_index *index);

/* Who awaits whom: fills the links of objects and tasks. `found` are the tasks as they were read, in the
 * order of snapshot->tasks. -ENOMEM, what `progress` returned. */
int snapshot_link(struct remote *remote, const struct snapshot_options *options,
		  struct snapshot *snapshot, const struct task *found);

/* Which thread runs what, and for which task. */
int snapshot_link_threads(struct remote *remote, struct snapshot *snapshot);

#endif
