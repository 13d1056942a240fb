/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SESSION_DUTY_H
#define GENSCOPE_SESSION_DUTY_H

#include <stdbool.h>
#include <stdint.h>

#include "session/budget.h"
#include "session/session.h"

/*
 * Taking probes off for a while, and putting them on again. What was known of objects is forgotten
 * then, and entered anew from memory if the session seeds: a state that was not followed is worth nothing.
 * Targets, forks and execs are followed all the same.
 */

/* Which probes the targets have from now on. BUDGET_ALL: as the options want them. BUDGET_OUTERMOST: those of steps
 * that C drives, as with session_options.steps; needs fewer_probes or own_probes. Interpreters of which these cannot be
 * seen by themselves have none then. 0 or -errno; `why` (IMAGE_WHY_MAX bytes) says what failed. */
int session_set_level(struct session *session, enum budget_level level, char *why);

/* The same for one target alone, in sessions with own_probes. What it did while the rest went on is not seen.
 * -ESRCH: it is no target. `why` as above. */
int session_set_probes(struct session *session, pid_t pid, enum budget_level level, char *why);

/* Can the steps that C drives be seen by themselves: of one target's interpreter; of every target's? */
bool session_sees_outermost(const struct session *session, pid_t pid);
bool session_all_see_outermost(const struct session *session);

/* Hits of one target since it has probes, and its processor time. -ESRCH. */
struct process_reading {
	uint64_t hits, stepped, cpu_ns;
};
/* Its hits alone, which costs no system call. */
int session_read_hits(const struct session *session, pid_t pid, struct process_reading *out);
int session_read_process(const struct session *session, pid_t pid, struct process_reading *out);

/* Processor time of a process in nanoseconds, 0 when it is gone. */
uint64_t session_process_cpu_ns(pid_t pid);

/* Processor time of the targets that are alive, in nanoseconds. */
uint64_t session_targets_cpu_ns(const struct session *session);

#endif
