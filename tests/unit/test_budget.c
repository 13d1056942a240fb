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

struct target {
	double hits_per_cpu_ns; /* while nothing slows it down */
	double cpu;             /* of the time it is running: 1 always */
};

struct course {
	uint64_t cost[RUN_S]; /* ns spent in hits, by second */
	unsigned pauses, resumes;
	double duty;
};

/* A target of which each 10 ms of running make so many hits, each of which takes time of its own. */
static struct course run(const struct target *target, double share)
{
	const struct budget_costs costs = { .hit_ns = HIT_NS };
	struct budget_reading now = { .now_ns = SECOND };
	struct course course = {};
	struct budget budget;
	bool on = true;
	uint64_t off_at = 0;

	budget_begin(&budget, share, &costs, &now);
	for (uint64_t t = 0; t < RUN_S * SECOND; t += STEP) {
		bool trapped = on || t < off_at;
		double cpu = (double)STEP * target->cpu;
		double slow = 1 + target->hits_per_cpu_ns * HIT_NS;
		uint64_t hits = trapped ? (uint64_t)(cpu / slow * target->hits_per_cpu_ns) : 0;

		now.now_ns += STEP;
		now.cpu_ns += (uint64_t)cpu;
		now.hits += hits;
		course.cost[t / SECOND] += hits * HIT_NS;
		switch (budget_update(&budget, &now)) {
		case BUDGET_PAUSE:
			cr_assert(on);
			on = false;
			off_at = t + DETACH_NS;
			course.pauses++;
			break;
		case BUDGET_RESUME:
			cr_assert_not(on);
			on = true;
			course.resumes++;
			break;
		case BUDGET_KEEP:
			break;
		}
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
		cr_expect_gt(course.resumes, 1u, "it comes back");
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

	cr_expect_eq(course.pauses, 0u);
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

	budget_begin(&budget, 0.01, &costs, &now); /* 10 ms in hand */
	now = (struct budget_reading){ .now_ns = SECOND, .hits = 1000, .stepped = 0 };
	cr_expect_eq(budget_update(&budget, &now), BUDGET_KEEP);
	now.hits = 2000;
	now.stepped = 500;
	cr_expect_eq(budget_update(&budget, &now), BUDGET_PAUSE);
}

/* The sum of processor times falls when a target ends: that is no time given back. */
Test(budget, survives_the_end_of_a_target)
{
	const struct budget_costs costs = { .hit_ns = 1000 };
	struct budget_reading now = { .cpu_ns = 100 * SECOND };
	struct budget budget;

	budget_begin(&budget, 0.01, &costs, &now);
	now.now_ns += STEP;
	now.cpu_ns = SECOND;
	cr_expect_eq(budget_update(&budget, &now), BUDGET_KEEP);
	now.now_ns += STEP;
	now.hits = 10001; /* a little more than a second's worth */
	cr_expect_eq(budget_update(&budget, &now), BUDGET_PAUSE);
	now.now_ns += 3 * SECOND;
	now.cpu_ns += 3 * SECOND;
	cr_expect_eq(budget_update(&budget, &now), BUDGET_RESUME);
}
