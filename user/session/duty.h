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

void session_pause(struct session *session);
/* 0 or -errno; `why` (IMAGE_WHY_MAX bytes) says what failed. */
int session_resume(struct session *session, char *why);

/* The same for one target alone, in sessions with own_probes. What it did while the rest went on is not seen.
 * BUDGET_OUTERMOST: of steps that C drives, as with session_options.steps; BUDGET_ALL: as the options want them.
 * -ESRCH: it is no target. `why` as above. */
int session_set_probes(struct session *session, pid_t pid, enum budget_level level, char *why);
/* Can the steps of its interpreter that C drives be seen by themselves? */
bool session_sees_outermost(const struct session *session, pid_t pid);

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
