/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SESSION_SEED_CODES_H
#define GENSCOPE_SESSION_SEED_CODES_H

#include <stdint.h>

#include "python/code_object.h"
#include "session/session.h"

/*
 * The functions of objects that are older than the run: BPF names a code object at its first event, which
 * for what only waits may never come.
 */

/* The id of the code object at that address of a process (its identity in the state map's keys). If nobody
 * has met it, it is read and handed to the session's reader as BPF would have told of it. 0: it cannot be
 * read, or there is no room for it. */
uint32_t seed_code(struct session *session, struct code_objects *codes, struct remote *remote,
		   uint64_t process, uint64_t address);

#endif
