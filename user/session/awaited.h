/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SESSION_AWAITED_H
#define GENSCOPE_SESSION_AWAITED_H

#include <stddef.h>

#include "python/code_object.h"
#include "python/generator.h"
#include "session/session.h"

/*
 * What a suspended object awaits, out of the memory of its process: for steps of which the probes told no more
 * than that they ended.
 */

#define AWAITED_MAX 64 /* objects; deeper ones are left out */

struct awaited {
	struct generator object;
	struct code_object *code; /* owned by the chain */
};

struct awaited_chain {
	struct awaited at[AWAITED_MAX]; /* from the outside in, without the object itself */
	size_t count;
	struct code_objects *codes;
};

/* The chain below `gen`, if that still stands suspended at that instruction: else it is another one, and
 * -EAGAIN. -ESRCH, -ENOENT: it is gone; -ENOMEM; or why its process cannot be read. On 0 the caller calls
 * awaited_free(). */
int session_read_awaited(struct session *session, pid_t pid, uint64_t gen, uint32_t instruction,
			 struct awaited_chain *out);
void awaited_free(struct awaited_chain *chain);

#endif
