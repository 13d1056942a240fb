/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SESSION_SURVEY_H
#define GENSCOPE_SESSION_SURVEY_H

#include "session/session.h"
#include "living.h"

/*
 * Looking through the state map, in the kernel: 20 to 100 ns an object, no trap, nothing of the target
 * is touched. For sessions with `survey` in their options.
 */

/* Fills in now_ns, number, and begin_ns where it is 0: of what has not changed since the session began nothing older
 * is known. Objects that are told come as records of session_poll(): call it with a timeout of 0 to
 * have them at once. -errno when the kernel does not run it. */
int session_survey(struct session *session, struct survey *survey);

/* The counts of a function as of the last survey with SURVEY_COUNT, by the id of its record; id 0: of all
 * without counts of their own, among them objects older than the run whose function is not known.
 * -ENOENT: it has no objects now. */
int session_survey_counts(const struct session *session, uint32_t code, struct survey_counts *out);

/* Where an object stands now, out of its memory: the byte offset in its code, of one whose frame runs that of
 * the call it is in. -ESRCH, -ENOENT: it is gone; -EAGAIN: it was changing; else why its process cannot be
 * read. */
int session_instruction(struct session *session, pid_t pid, uint64_t gen, uint32_t *instruction);

#endif
