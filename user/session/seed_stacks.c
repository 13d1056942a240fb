// SPDX-License-Identifier: MIT
#include "session/seed_stacks.h"

#include <errno.h>
#include <stdlib.h>

#include "python/heap.h"

#define THREADS_MAX        4096
#define FRAMES_MAX         100000 /* of one thread; deeper recursion is not followed */
#define OWNED_BY_GENERATOR 1      /* FRAME_OWNED_BY_GENERATOR: Include/internal/pycore_frame.h */

static int add(struct seed_stacks *stacks, uint64_t gen, uint32_t tid)
{
	struct seed_running *grown;

	if (stacks->count == stacks->room) {
		size_t room = stacks->room ? 2 * stacks->room : 32;

		grown = realloc(stacks->at, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		stacks->at = grown;
		stacks->room = room;
	}
	if (stacks->count && stacks->at[stacks->count - 1].tid == tid)
		stacks->at[stacks->count - 1].driver = gen;
	stacks->at[stacks->count++] = (struct seed_running){ .gen = gen, .tid = tid };
	return 0;
}

/* Innermost first. */
static int read_stack(struct remote *remote, const struct heap_thread *thread,
		      struct seed_stacks *out)
{
	uint64_t frame = thread->frame;
	int err = 0;

	for (int i = 0; frame && i < FRAMES_MAX && !err; i++) {
		uint8_t owner = 0;

		memory_read(remote->memory, frame + remote->inner.frame_owner, &owner, 1);
		if (owner == OWNED_BY_GENERATOR)
			err = add(out, frame - remote->layout.gen_iframe, (uint32_t)thread->tid);
		frame = memory_u64(remote->memory, frame + remote->layout.frame_previous);
	}
	return err;
}

int seed_stacks_read(struct remote *remote, struct seed_stacks *out)
{
	struct heap_thread *threads = calloc(THREADS_MAX, sizeof(*threads));
	int count, err = 0;

	*out = (struct seed_stacks){};
	if (!threads)
		return -ENOMEM;
	memory_forget_all(remote->memory);
	count = heap_threads(remote, threads, THREADS_MAX);
	for (int i = 0; i < count && !err; i++)
		err = read_stack(remote, &threads[i], out);
	free(threads);
	return err;
}

void seed_stacks_free(struct seed_stacks *stacks)
{
	free(stacks->at);
	*stacks = (struct seed_stacks){};
}

const struct seed_running *seed_stacks_find(const struct seed_stacks *stacks, uint64_t gen)
{
	for (size_t i = 0; i < stacks->count; i++)
		if (stacks->at[i].gen == gen)
			return &stacks->at[i];
	return NULL;
}
