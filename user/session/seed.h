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
	uint64_t refused; /* the map is full */
};

/* Enters what lives now in every target there is. Handles records meanwhile. A target that cannot be read
 * is warned of and left out. 0, -EINTR when `record` stopped it. */
int session_seed(struct session *session, struct seed_counts *out);

struct reconciliation {
	uint64_t objects;       /* compared */
	uint64_t disagreements; /* the map says another state than memory, and stays with it */
	uint64_t missing;       /* alive in memory, unknown to the map */
};

/* Compares up to `max` objects of each target while probes are live; those that change meanwhile are looked
 * at again. */
void session_reconcile(struct session *session, uint64_t max, struct reconciliation *out);

#endif
