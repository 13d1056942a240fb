// SPDX-License-Identifier: MIT
#include "session/budget.h"

/* What a hit costs over an empty program, as `make bench` has it: 1.1 to 1.3 times as much; one that is
 * single-stepped takes two to three more. */
#define PROGRAM_SHARE   4
#define STEPPED_FACTOR  2
#define TRAP_NS_UNKNOWN 5000 /* more than any machine we know takes */

#define SECOND_NS 1e9 /* of processor time: the account holds its share at most */

struct budget_costs budget_costs_of(uint64_t trap_ns)
{
	if (!trap_ns)
		trap_ns = TRAP_NS_UNKNOWN;
	return (struct budget_costs){ .hit_ns = trap_ns + trap_ns / PROGRAM_SHARE,
				      .stepped_ns = trap_ns * STEPPED_FACTOR };
}

void budget_begin(struct budget *budget, double share, const struct budget_costs *costs,
		  const struct budget_reading *reading)
{
	*budget = (struct budget){
		.share = share,
		.costs = *costs,
		.on = true,
		.credit_ns = share * SECOND_NS,
		.hits = reading->hits,
		.stepped = reading->stepped,
		.cpu_ns = reading->cpu_ns,
		.now_ns = reading->now_ns,
	};
}

static double cost_since(const struct budget *budget, const struct budget_reading *reading)
{
	return (double)(reading->hits - budget->hits) * (double)budget->costs.hit_ns +
	       (double)(reading->stepped - budget->stepped) * (double)budget->costs.stepped_ns;
}

static double credit_max(const struct budget *budget)
{
	double second = budget->share * SECOND_NS;

	return budget->tail_ns > second ? budget->tail_ns : second;
}

enum budget_verdict budget_update(struct budget *budget, const struct budget_reading *reading)
{
	double cost = cost_since(budget, reading);
	double cpu =
		reading->cpu_ns > budget->cpu_ns ? (double)(reading->cpu_ns - budget->cpu_ns) : 0;

	/* what the hits took is no work of the target's own */
	budget->credit_ns += budget->share * (cpu > cost ? cpu - cost : 0) - cost;
	if (budget->on) {
		budget->on_ns += reading->now_ns - budget->now_ns;
	} else {
		budget->off_ns += reading->now_ns - budget->now_ns;
		budget->tail_ns += cost;
	}
	budget->hits = reading->hits;
	budget->stepped = reading->stepped;
	budget->cpu_ns = reading->cpu_ns;
	budget->now_ns = reading->now_ns;
	if (budget->credit_ns > credit_max(budget))
		budget->credit_ns = credit_max(budget);
	if (budget->on && budget->credit_ns < 0) {
		budget->on = false;
		budget->tail_ns = 0;
		return BUDGET_PAUSE;
	}
	if (!budget->on && budget->credit_ns >= credit_max(budget)) {
		budget->on = true;
		return BUDGET_RESUME;
	}
	return BUDGET_KEEP;
}

double budget_duty(const struct budget *budget)
{
	uint64_t all = budget->on_ns + budget->off_ns;

	return all ? (double)budget->on_ns / (double)all : 1;
}
