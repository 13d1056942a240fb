/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "model/unseen.h"

/*
 * A process that makes RATE steps for each ns of its work, a part of them outermost, seen in windows: what was counted in
 * them, times what it stands for, is what it made.
 */

#define MS        1000000ull
#define RATE      0.001
#define OUTERMOST 0.25 /* of its steps */
#define CLOSE     1e-9

struct process {
	struct unseen unseen;
	struct unseen_work work;
	double outermost, inner; /* counted in the window */
	double told;             /* what that stood for so far */
};

static void work(struct process *process, uint64_t all_ns, uint64_t outermost_ns, uint64_t none_ns)
{
	process->work.all_ns += all_ns;
	process->work.outermost_ns += outermost_ns;
	process->work.none_ns += none_ns;
	process->outermost += (double)(all_ns + outermost_ns) * RATE * OUTERMOST;
	process->inner += (double)all_ns * RATE * (1 - OUTERMOST);
}

static bool read_it(struct process *process, bool ends)
{
	struct unseen_scale scale;

	if (!unseen_read(&process->unseen, &process->work, ends, &scale))
		return false;
	process->told += process->outermost * scale.outermost + process->inner * scale.inner;
	process->outermost = process->inner = 0;
	return true;
}

static double made(const struct process *process)
{
	return (double)(process->work.all_ns + process->work.outermost_ns + process->work.none_ns) *
	       RATE;
}

static void expect_all_told(const struct process *process)
{
	cr_expect_float_eq(process->told / made(process), 1, CLOSE, "%.1f of %.1f", process->told,
			   made(process));
}

Test(unseen, changes_nothing_of_what_is_always_seen)
{
	struct unseen unseen = {};
	struct unseen_work now = {};
	struct unseen_scale scale;

	for (int i = 0; i < 5; i++) {
		cr_assert(unseen_read(&unseen, &now, i == 4, &scale));
		cr_expect_eq(scale.outermost, 1.0);
		cr_expect_eq(scale.inner, 1.0);
		now.all_ns += i == 2 ? 0 : 7 * MS;
	}
}

Test(unseen, makes_up_for_windows_without_probes)
{
	struct process process = {};

	work(&process, 10 * MS, 0, 0);
	cr_expect(read_it(&process, true));
	for (int i = 0; i < 10; i++) {
		work(&process, 0, 0, 700 * MS);
		work(&process, 5 * MS, 0, 0);
		cr_expect(read_it(&process, true));
		expect_all_told(&process);
	}
}

Test(unseen, knows_what_outermost_windows_do_not_see)
{
	struct process process = {};

	work(&process, 10 * MS, 0, 2 * MS);
	cr_expect(read_it(&process, true));
	for (int i = 0; i < 10; i++) {
		work(&process, 0, 300 * MS, 3 * MS);
		cr_expect(
			read_it(&process, true)); /* inner steps have to wait for the next window */
		cr_expect_lt(process.told, made(&process));
		work(&process, 0, 0, 50 * MS);
		work(&process, 5 * MS, 0, 0);
		cr_expect(read_it(&process, true));
		expect_all_told(&process);
	}
}

/* Somebody looks while a window has just begun: the rest of it would be left with too much to stand for. */
Test(unseen, waits_for_a_window_that_has_just_begun)
{
	struct process process = {};

	work(&process, 10 * MS, 0, 0);
	cr_expect(read_it(&process, true));
	work(&process, 0, 0, 90 * MS);
	work(&process, 1 * MS, 0, 0);
	cr_expect_not(read_it(&process, false));
	work(&process, 9 * MS, 0, 0);
	cr_expect(read_it(&process, false));
	expect_all_told(&process);
	work(&process, 100 * MS, 0, 0);
	cr_expect(read_it(&process, false));
	expect_all_told(&process);
}

/* It idles since: that says nothing about before, and nobody waits for ever. */
Test(unseen, gives_up_what_nothing_stands_for)
{
	struct process process = {};
	unsigned waits = 0;

	work(&process, 0, 0, 1000 * MS);
	work(&process, 1 * MS, 0, 0);
	while (!read_it(&process, false))
		cr_assert_lt(++waits, 10u);
	cr_expect_gt(waits, 0u);
	cr_expect_float_eq(process.told, 10 * MS * RATE, 1e-6);
	process.told = 0;
	process.work = (struct unseen_work){ .all_ns = 1 * MS, .none_ns = 1000 * MS };
	work(&process, 4 * MS, 0, 0);
	cr_expect(read_it(&process, false));
	cr_expect_float_eq(process.told, 4 * MS * RATE, 1e-6);
}

/* A window in which it did nothing says nothing: the next one that says something makes up for both. */
Test(unseen, carries_over)
{
	struct process process = {};

	work(&process, 0, 0, 50 * MS);
	cr_expect(read_it(&process, true));
	work(&process, 0, 20 * MS, 30 * MS);
	cr_expect(read_it(&process, true));
	work(&process, 25 * MS, 0, 0);
	cr_expect(read_it(&process, true));
	expect_all_told(&process);
}
