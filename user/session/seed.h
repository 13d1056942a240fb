/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SESSION_SEED_H
#define GENSCOPE_SESSION_SEED_H

#include <stdint.h>

#include "session/session.h"

/*
 * The state map and the memory of the targets. Objects older than the run are entered from a snapshot,
 * once the probes are live; and the two are compared, which proves or disproves that no change was
 * missed.
 */

struct seed_counts {
	uint64_t processes;
	uint64_t objects; /* entered */
	uint64_t known;   /* a probe had entered them first */
	uint64_t gone;    /* ended while they were entered */
	uint64_t refused; /* the map has no room for them */
};

/* Enters what lives now in every target there is. Handles records meanwhile; ends early when
 * session_options.stopped says so. A target that cannot be read is warned of and left out. Part of the map
 * stays free for what is born later. With own_probes this is only begun: each session_poll() then does one
 * target, so that budgets can be looked at in between. 0 or -ENOMEM. */
int session_seed(struct session *session);

/* What has been entered in this run, forked children included. */
struct seed_counts session_seed_counts(const struct session *session);

struct reconciliation {
	uint64_t objects;       /* compared */
	uint64_t disagreements; /* the map says another state than memory, and stays with it */
	uint64_t missing;       /* alive in memory, unknown to the map */
};

/* Takes some 100 ms at most when there is something to look at again. Compares up to `max` objects of each target while probes are live; those that change meanwhile are looked
 * at again. */
void session_reconcile(struct session *session, uint64_t max, struct reconciliation *out);

#endif
