/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdint.h>

#include "session/budget.h"

/* The account of --max-overhead against targets whose hits are known by arithmetic. */

#define MS        1000000ull
#define STEP      (10 * MS) /* between two looks, as the poll has it */
#define SECOND    (1000 * MS)
#define HIT_NS    5000
#define DETACH_NS (40 * MS) /* probes are still there for so long after they were told to go */
#define RUN_S     60
#define BEGIN     SECOND

struct target {
	double hits_per_cpu_ns; /* while nothing slows it down */
	double cpu;             /* of the time it is running: 1 always */
	bool has_outermost;
	double outermost_per_cpu_ns; /* hits with the probes of outermost steps alone */
};

struct course {
	uint64_t cost[RUN_S + 1];         /* ns spent in hits, by second */
	uint64_t level_ns[BUDGET_LEVELS]; /* while probes went included */
	unsigned switches[BUDGET_LEVELS]; /* to that level */
	double duty;
};

/* What the target does in so much time with probes of that level, or while they go. */
static void live(const struct target *target, enum budget_level level, uint64_t ns,
		 struct budget_reading *now, struct course *course)
{
	double rate = level == BUDGET_ALL       ? target->hits_per_cpu_ns :
		      level == BUDGET_OUTERMOST ? target->outermost_per_cpu_ns :
						  0;
	double cpu = (double)ns * target->cpu;
	uint64_t hits = (uint64_t)(cpu / (1 + rate * HIT_NS) * rate);

	course->cost[(now->now_ns - BEGIN) / SECOND] += hits * HIT_NS;
	course->level_ns[level] += ns;
	now->now_ns += ns;
	now->cpu_ns += (uint64_t)cpu;
	now->hits += hits;
}

/* A target of which each 10 ms of running make so many hits, each of which takes time of its own. */
static struct course run(const struct target *target, double share)
{
	const struct budget_costs costs = { .hit_ns = HIT_NS };
	struct budget_reading now = { .now_ns = BEGIN };
	struct course course = {};
	struct budget budget;

	budget_begin(&budget, share, &costs, target->has_outermost, &now);
	while (now.now_ns < BEGIN + RUN_S * SECOND) {
		enum budget_level level, before = budget.level;

		live(target, before, STEP, &now, &course);
		level = budget_update(&budget, &now);
		if (level == before)
			continue;
		course.switches[level]++;
		live(target, before, DETACH_NS, &now, &course);
		budget_switched(&budget, level, &now);
		cr_assert_eq(budget.level, level);
	}
	course.duty = budget_duty(&budget);
	return course;
}

/* Over any ten seconds behind the first: the share and one percentage point. */
static void expect_within(const struct course *course, double share)
{
	for (int first = 1; first + 10 <= RUN_S; first++) {
		double cost = 0;

		for (int second = first; second < first + 10; second++)
			cost += (double)course->cost[second];
		cr_expect_leq(cost / (10.0 * SECOND), share + 0.01, "%.3f from second %d on: %.4f",
			      share, first, cost / (10.0 * SECOND));
	}
}

Test(budget, holds_a_tight_loop)
{
	static const double shares[] = { 0.01, 0.02, 0.05, 0.2 };
	const struct target loop = { .hits_per_cpu_ns = 1.0 / 20, .cpu = 1 };

	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		struct course course = run(&loop, shares[i]);

		expect_within(&course, shares[i]);
		cr_expect_gt(course.switches[BUDGET_ALL], 1u, "it comes back");
		cr_expect_lt(course.duty, 3 * shares[i] + 0.01);
		cr_expect_gt(course.duty, 0.0);
	}
}

Test(budget, reacts_within_a_second)
{
	const struct target loop = { .hits_per_cpu_ns = 1.0 / 20, .cpu = 1 };
	struct course course = run(&loop, 0.01);

	cr_expect_leq(course.cost[0], SECOND / 10);
}

Test(budget, leaves_a_cold_target_alone)
{
	const struct target cold = { .hits_per_cpu_ns = 0.005 / HIT_NS, .cpu = 0.3 };
	struct course course = run(&cold, 0.01);

	cr_expect_eq(course.switches[BUDGET_NONE], 0u);
	cr_expect_eq(course.duty, 1.0);
}

/* Of one that would cost twice the share half of the time is seen, or nearly. */
static void expect_duty(double overhead, double share)
{
	const struct target target = { .hits_per_cpu_ns = overhead / HIT_NS, .cpu = 0.5 };
	struct course course = run(&target, share);

	expect_within(&course, share);
	cr_expect_geq(course.duty, 0.8 * share / overhead, "%.3f of %.3f: %.3f", share, overhead,
		      course.duty);
}

Test(budget, spends_what_it_may)
{
	expect_duty(0.02, 0.01);
	expect_duty(0.10, 0.05);
}

Test(budget, counts_stepped_hits_for_more)
{
	const struct budget_costs costs = { .hit_ns = 1000, .stepped_ns = 20000 };
	struct budget_reading now = {};
	struct budget budget;

	budget_begin(&budget, 0.01, &costs, false, &now); /* 10 ms in hand */
	now = (struct budget_reading){ .now_ns = SECOND, .hits = 1000, .stepped = 0 };
	cr_expect_eq(budget_update(&budget, &now), BUDGET_ALL);
	now.hits = 2000;
	now.stepped = 500;
	cr_expect_eq(budget_update(&budget, &now), BUDGET_NONE);
}

/* The sum of processor times falls when a target ends: that is no time given back. */
Test(budget, survives_the_end_of_a_target)
{
	const struct budget_costs costs = { .hit_ns = 1000 };
	struct budget_reading now = { .cpu_ns = 100 * SECOND };
	struct budget budget;

	budget_begin(&budget, 0.01, &costs, false, &now);
	now.now_ns += STEP;
	now.cpu_ns = SECOND;
	cr_expect_eq(budget_update(&budget, &now), BUDGET_ALL);
	now.now_ns += STEP;
	now.hits = 10100; /* a little more than a second's worth */
	cr_expect_eq(budget_update(&budget, &now), BUDGET_NONE);
	budget_switched(&budget, BUDGET_NONE, &now);
	now.now_ns += 3 * SECOND;
	now.cpu_ns += 3 * SECOND;
	cr_expect_eq(budget_update(&budget, &now), BUDGET_ALL);
}

/* --- outermost steps alone --- */

/* What runs inline costs nothing then: no need to go blind. */
Test(budget, keeps_outermost_steps_that_it_can_pay)
{
	static const double cheap[] = { 0, 0.002 / HIT_NS, 0.008 / HIT_NS };

	for (size_t i = 0; i < sizeof(cheap) / sizeof(cheap[0]); i++) {
		const struct target target = { .hits_per_cpu_ns = 1.0 / 20,
					       .cpu = 1,
					       .has_outermost = true,
					       .outermost_per_cpu_ns = cheap[i] };
		struct course course = run(&target, 0.01);

		expect_within(&course, 0.01);
		cr_expect_eq(course.switches[BUDGET_NONE], 0u);
		cr_expect_gt(course.switches[BUDGET_OUTERMOST], 1u);
		cr_expect_geq(course.switches[BUDGET_ALL], 1u, "everything is looked at again");
		cr_expect_gt(course.level_ns[BUDGET_OUTERMOST], 50 * SECOND);
	}
}

/* Where they are too much as well, both are seen now and then, and the limit holds. */
Test(budget, takes_turns_where_outermost_steps_are_too_dear)
{
	static const double shares[] = { 0.01, 0.02, 0.05 };
	const struct target echo = { .hits_per_cpu_ns = 2.0 / HIT_NS,
				     .cpu = 1,
				     .has_outermost = true,
				     .outermost_per_cpu_ns = 0.3 / HIT_NS };

	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		struct course course = run(&echo, shares[i]);

		expect_within(&course, shares[i]);
		cr_expect_gt(course.switches[BUDGET_ALL], 1u);
		cr_expect_gt(course.switches[BUDGET_OUTERMOST], 1u);
		cr_expect_gt(course.switches[BUDGET_NONE], 1u);
	}
}

/* First that, and only then nothing. */
Test(budget, goes_down_step_by_step)
{
	const struct budget_costs costs = { .hit_ns = 1000 };
	struct budget_reading now = {};
	struct budget budget;

	budget_begin(&budget, 0.01, &costs, true, &now);
	now = (struct budget_reading){ .now_ns = STEP, .cpu_ns = STEP, .hits = 10200 };
	cr_expect_eq(budget_update(&budget, &now), BUDGET_OUTERMOST);
	budget_switched(&budget, BUDGET_OUTERMOST, &now);
	now.now_ns += STEP;
	now.hits += 1000; /* a tenth of a second's share: not enough to say */
	cr_expect_eq(budget_update(&budget, &now), BUDGET_OUTERMOST);
	now.now_ns += STEP;
	now.hits += 5000;
	cr_expect_eq(budget_update(&budget, &now), BUDGET_NONE);
	budget_switched(&budget, BUDGET_NONE, &now);
	cr_expect_eq(budget.time_ns[BUDGET_OUTERMOST], 2 * STEP);
	/* it is quiet now: everything comes back */
	now.now_ns += 60 * SECOND;
	now.cpu_ns += 60 * SECOND;
	cr_expect_eq(budget_update(&budget, &now), BUDGET_ALL);
	cr_expect_float_eq(budget_share_of(&budget, BUDGET_ALL) * (double)now.now_ns, STEP, 1);
	cr_expect_float_eq(budget_share_of(&budget, BUDGET_OUTERMOST) * (double)now.now_ns,
			   2 * STEP, 1);
	cr_expect_float_eq(budget_share_of(&budget, BUDGET_NONE) * (double)now.now_ns, 60 * SECOND,
			   1);
}

Test(budget, begins_with_all_probes_all_of_the_time)
{
	const struct budget_costs costs = { .hit_ns = 1000 };
	struct budget_reading now = {};
	struct budget budget;

	budget_begin(&budget, 0.01, &costs, true, &now);
	cr_expect_eq(budget_share_of(&budget, BUDGET_ALL), 1);
	cr_expect_eq(budget_share_of(&budget, BUDGET_OUTERMOST), 0);
	cr_expect_eq(budget_duty(&budget), 1);
}

/* A busy start has emptied the account of what hardly runs from then on: it is seen again before the hour is out, and for
 * next to nothing of a processor. */
Test(budget, does_not_forget_what_idles)
{
	const struct budget_costs costs = { .hit_ns = 5000 };
	struct budget_reading now = {};
	unsigned seconds = 0;
	struct budget budget;

	budget_begin(&budget, 0.01, &costs, false, &now);
	now = (struct budget_reading){ .now_ns = STEP, .cpu_ns = STEP, .hits = 4000 };
	cr_assert_eq(budget_update(&budget, &now), BUDGET_NONE);
	budget_switched(&budget, BUDGET_NONE, &now);
	while (budget_update(&budget, &now) == BUDGET_NONE) {
		now.now_ns += SECOND;
		now.cpu_ns += MS;
		cr_assert_lt(++seconds, 600u);
	}
	/* what was overdrawn and the share of a second, at 0.02 % of a processor */
	cr_expect_geq(seconds, 4000u * 5000 / (SECOND / 5000) - 1);
}

/* What hits took is no work of the target's own; of what was not seen nothing is known but that. */
Test(budget, tells_work_from_hits)
{
	const struct budget_costs costs = { .hit_ns = 1000 };
	struct budget_reading now = {};
	struct budget budget;

	budget_begin(&budget, 1, &costs, false, &now);
	now = (struct budget_reading){ .now_ns = 10 * MS, .cpu_ns = 8 * MS, .hits = 5000 };
	budget_settle(&budget, &now);
	cr_expect_eq(budget.work_ns[BUDGET_ALL], 3 * MS);
	cr_expect_eq(budget.time_ns[BUDGET_ALL], 10 * MS);
	now.cpu_ns += 8 * MS;
	now.hits += 9000; /* by a price that is too high: more than there was */
	budget_settle(&budget, &now);
	cr_expect_eq(budget.work_ns[BUDGET_ALL], 4 * MS);
	now.cpu_ns += 2 * MS;
	budget_switched(&budget, BUDGET_NONE, &now);
	cr_expect_eq(budget.work_ns[BUDGET_NONE], 2 * MS);
}
