/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_PYTHON_GENERATOR_H
#define GENSCOPE_PYTHON_GENERATOR_H

#include <stdint.h>

#include "python/remote.h"
#include "records.h"

/* A generator, coroutine or async generator, read from memory in one piece. */
struct generator {
	uint64_t address;
	uint64_t code;   /* code object */
	uint64_t frame;  /* its _PyInterpreterFrame, within it */
	uint64_t awaits; /* what it delegates to (gi_yieldfrom, cr_await, ag_await), 0: nothing */
	uint32_t instruction; /* byte offset of the instruction it stands at, or NO_INSTRUCTION */
	uint8_t kind;         /* enum object_kind */
	uint8_t state;       /* enum object_state, as inspect would say (3.12's getasyncgenstate) */
	uint8_t frame_state; /* enum object_state of gi_frame_state alone */
	uint8_t running_async; /* ag_running_async */
};

/* 0; -ENOENT no such object is there, or no more (another type, no reference, not known to the
 * collector); -EAGAIN it contradicts itself: it was changing, try again; -EFAULT, -ESRCH. */
int generator_read(struct remote *remote, uint64_t address, struct generator *out);

/* What stands behind an awaited object: the coroutine of a coroutine_wrapper, the async generator of an
 * asend() or athrow(), the future of a FutureIter, the awaitable of anext(); the object itself
 * otherwise. */
uint64_t generator_unwrap(struct remote *remote, uint64_t awaited);

#endif
