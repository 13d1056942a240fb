/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SESSION_SEED_STACKS_H
#define GENSCOPE_SESSION_SEED_STACKS_H

#include <stddef.h>
#include <stdint.h>

#include "python/remote.h"

/*
 * The objects whose frames are on the threads' stacks when a process is read: what was resumed before the
 * probes came, and which thread runs it, nothing else tells.
 */

struct seed_running {
	uint64_t gen;
	uint64_t driver; /* the next object below it on that stack, 0: none */
	uint32_t tid;
};

struct seed_stacks {
	struct seed_running *at;
	size_t count, room;
};

/* Reads them; what moves meanwhile may be missing. 0, -ENOMEM; `out` is to be freed either way. */
int seed_stacks_read(struct remote *remote, struct seed_stacks *out);
void seed_stacks_free(struct seed_stacks *stacks);

/* NULL: not on a stack. */
const struct seed_running *seed_stacks_find(const struct seed_stacks *stacks, uint64_t gen);

#endif
