/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SESSION_BUDGET_H
#define GENSCOPE_SESSION_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How much of their processor time the targets may spend in probes, and which probes there may therefore be:
 * a pure function of counts and times.
 *
 * It is an account. Processor time of the targets pays in its share, each hit takes out what a hit costs.
 * When it is empty only the probes of outermost steps stay, if there is such a stage and it can be afforded;
 * else all come off. They come back when the account is full: when it holds the share of one second, or what
 * hits cost last time while probes were told to go, if this is more. What is not spent does not pile up
 * further, so that a target that turns hot is noticed within a second. What hardly uses the processor is
 * treated as if it used a fiftieth of it: its account would stay empty for hours after a busy start, and all
 * that it could cost is next to nothing.
 *
 * Where outermost steps alone are too much as well, both kinds of windows take turns, so that of inner ones
 * something is known, too.
 */

enum budget_level {
	BUDGET_NONE = 0,      /* no probes */
	BUDGET_OUTERMOST = 1, /* those of outermost steps */
	BUDGET_ALL = 2,
	BUDGET_LEVELS = 3,
};

struct budget_costs {
	uint64_t hit_ns;     /* of a hit that the kernel emulates */
	uint64_t stepped_ns; /* more, of one that it single-steps */
};

struct budget {
	double share; /* of processor time: 0.01 for 1 % */
	struct budget_costs costs;
	bool has_outermost;         /* there is a stage between all probes and none */
	bool outermost_is_too_dear; /* it was when it was tried last */
	enum budget_level level;
	enum budget_level next; /* what comes after none */
	double credit_ns;
	double floor_ns; /* of the credit, below which outermost steps are too dear */
	double tail_ns; /* what hits cost when all probes were last told to go, until they had gone */
	uint64_t hits, stepped, cpu_ns, now_ns; /* at the last call */
	/* Spent so on each level, until then. While probes come and go nothing is seen: BUDGET_NONE. */
	uint64_t time_ns[BUDGET_LEVELS];
	uint64_t work_ns[BUDGET_LEVELS]; /* processor time without what hits took of it */
};

/* Sums since the run began. */
struct budget_reading {
	uint64_t now_ns;
	uint64_t hits;    /* those taken while probes came and went included */
	uint64_t stepped; /* of them */
	uint64_t cpu_ns;  /* of all targets alive: less than before when one has gone */
};

/* What hits cost where an empty program's trap takes that long; 0: it was not measured. */
struct budget_costs budget_costs_of(uint64_t trap_ns);

/* All probes are there. */
void budget_begin(struct budget *budget, double share, const struct budget_costs *costs,
		  bool has_outermost, const struct budget_reading *reading);

/* The account up to now, and the sums. */
void budget_settle(struct budget *budget, const struct budget_reading *reading);

/* The same, and which probes there are to be from now on. If that is not budget->level, the caller sees to it and then says
 * budget_switched(). */
enum budget_level budget_update(struct budget *budget, const struct budget_reading *reading);
void budget_switched(struct budget *budget, enum budget_level level,
		     const struct budget_reading *reading);

/* The part of the time spent on a level; before any, all of it with all probes. */
double budget_share_of(const struct budget *budget, enum budget_level level);
/* The part of the time in which all probes were there: 1 when they always were. */
double budget_duty(const struct budget *budget);

#endif
