/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SESSION_BUDGET_H
#define GENSCOPE_SESSION_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How much of their processor time the targets may spend in probes, and when probes therefore have to come
 * off: a pure function of counts and times.
 *
 * It is an account. Processor time of the targets pays in its share, each hit takes out what a hit costs.
 * Probes come off when it is empty, and on again when it is full: when it holds the share of one second, or
 * what hits cost last time between the word to detach and the end of that, if this is more. What is not
 * spent does not pile up further, so that a target that turns hot is noticed within a second.
 */

struct budget_costs {
	uint64_t hit_ns;     /* of a hit that the kernel emulates */
	uint64_t stepped_ns; /* more, of one that it single-steps */
};

struct budget {
	double share; /* of processor time: 0.01 for 1 % */
	struct budget_costs costs;
	bool on; /* probes are there */
	double credit_ns;
	double tail_ns; /* what hits have cost since probes were last told to go */
	uint64_t hits, stepped, cpu_ns, now_ns; /* at the last call */
	uint64_t on_ns, off_ns;                 /* time spent so, until then */
};

/* Sums since the run began. */
struct budget_reading {
	uint64_t now_ns;
	uint64_t hits;    /* those taken while probes came and went included */
	uint64_t stepped; /* of them */
	uint64_t cpu_ns;  /* of all targets alive: less than before when one has gone */
};

enum budget_verdict { BUDGET_KEEP = 0, BUDGET_PAUSE, BUDGET_RESUME };

/* What hits cost where an empty program's trap takes that long; 0: it was not measured. */
struct budget_costs budget_costs_of(uint64_t trap_ns);

void budget_begin(struct budget *budget, double share, const struct budget_costs *costs,
		  const struct budget_reading *reading);

/* What is to be done now; the caller then does it, or says again next time. */
enum budget_verdict budget_update(struct budget *budget, const struct budget_reading *reading);

/* The part of the time in which probes were on: 1 when they always were. */
double budget_duty(const struct budget *budget);

#endif
