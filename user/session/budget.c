// SPDX-License-Identifier: MIT
#include "session/budget.h"

/* What a hit costs over an empty program, as `make bench` has it: 1.1 to 1.3 times as much; one that is
 * single-stepped takes two to three more. */
#define PROGRAM_SHARE   4
#define STEPPED_FACTOR  2
#define TRAP_NS_UNKNOWN 5000 /* more than any machine we know takes */

#define IDLE_PART (1.0 / 50) /* of a processor: with a share of 1 % that is 0.02 % of one */
#define SECOND_NS 1e9        /* of processor time: the account holds its share at most */
/* What hits took is worked out of a price that may be a third too high: the rest is never less than this. */
#define WORK_MIN  (1.0 / 8)

struct budget_costs budget_costs_of(uint64_t trap_ns)
{
	if (!trap_ns)
		trap_ns = TRAP_NS_UNKNOWN;
	return (struct budget_costs){ .hit_ns = trap_ns + trap_ns / PROGRAM_SHARE,
				      .stepped_ns = trap_ns * STEPPED_FACTOR };
}

static double second_of(const struct budget *budget)
{
	return budget->share * SECOND_NS;
}

static double credit_max(const struct budget *budget)
{
	return budget->tail_ns > second_of(budget) ? budget->tail_ns : second_of(budget);
}

static void keep(struct budget *budget, const struct budget_reading *reading)
{
	budget->hits = reading->hits;
	budget->stepped = reading->stepped;
	budget->cpu_ns = reading->cpu_ns;
	budget->now_ns = reading->now_ns;
}

void budget_begin(struct budget *budget, double share, const struct budget_costs *costs,
		  bool has_outermost, const struct budget_reading *reading)
{
	*budget = (struct budget){
		.share = share,
		.costs = *costs,
		.has_outermost = has_outermost,
		.level = BUDGET_ALL,
	};
	budget->credit_ns = credit_max(budget);
	keep(budget, reading);
}

/* The account since the last call, a time that was spent on that level. What hits took then. */
static double settle(struct budget *budget, const struct budget_reading *reading,
		     enum budget_level level)
{
	double cost =
		(double)(reading->hits - budget->hits) * (double)budget->costs.hit_ns +
		(double)(reading->stepped - budget->stepped) * (double)budget->costs.stepped_ns;
	double cpu =
		reading->cpu_ns > budget->cpu_ns ? (double)(reading->cpu_ns - budget->cpu_ns) : 0;
	double idle = (double)(reading->now_ns - budget->now_ns) * IDLE_PART;
	double work = cpu - cost;

	budget->credit_ns += budget->share * (work > idle ? work : idle) - cost;
	if (budget->credit_ns > credit_max(budget))
		budget->credit_ns = credit_max(budget);
	budget->time_ns[level] += reading->now_ns - budget->now_ns;
	budget->work_ns[level] += (uint64_t)(work > cpu * WORK_MIN ? work : cpu * WORK_MIN);
	keep(budget, reading);
	return cost;
}

void budget_settle(struct budget *budget, const struct budget_reading *reading)
{
	settle(budget, reading, budget->level);
}

/* All probes were there, and the account is empty. */
static enum budget_level less_than_all(struct budget *budget)
{
	budget->next = budget->has_outermost ? BUDGET_OUTERMOST : BUDGET_ALL;
	return budget->has_outermost && !budget->outermost_is_too_dear ? BUDGET_OUTERMOST :
									 BUDGET_NONE;
}

enum budget_level budget_update(struct budget *budget, const struct budget_reading *reading)
{
	bool full, empty;

	settle(budget, reading, budget->level);
	full = budget->credit_ns >= credit_max(budget);
	empty = budget->credit_ns < 0;
	switch (budget->level) {
	case BUDGET_ALL:
		if (empty)
			return less_than_all(budget);
		break;
	case BUDGET_OUTERMOST:
		if (full) {
			budget->outermost_is_too_dear = false;
			return BUDGET_ALL;
		}
		if (budget->credit_ns < budget->floor_ns) {
			budget->outermost_is_too_dear = true;
			budget->next = BUDGET_ALL;
			return BUDGET_NONE;
		}
		break;
	default:
		if (full)
			return budget->next;
		break;
	}
	return budget->level;
}

void budget_switched(struct budget *budget, enum budget_level level,
		     const struct budget_reading *reading)
{
	double cost = settle(budget, reading, BUDGET_NONE);

	if (budget->level == BUDGET_ALL)
		budget->tail_ns = cost;
	budget->level = level;
	/* what there is may be spent, or something lent to see whether that will do */
	budget->floor_ns = budget->credit_ns < 0 ? budget->credit_ns - second_of(budget) / 2 : 0;
}

double budget_share_of(const struct budget *budget, enum budget_level level)
{
	uint64_t all = 0;

	for (int each = 0; each < BUDGET_LEVELS; each++)
		all += budget->time_ns[each];
	if (!all)
		return level == BUDGET_ALL;
	return (double)budget->time_ns[level] / (double)all;
}

double budget_duty(const struct budget *budget)
{
	return budget_share_of(budget, BUDGET_ALL);
}
