/* SPDX-License-Identifier: MIT */
#include "slow_script.h"

/* Slow steps out of what BPF thought worth telling: ends of long steps, and before them what they await. */

Test(slow_told, takes_the_chain_as_it_was_told)
{
	struct script *script = begin_with(false);
	const struct told *step;

	script->since[3] = 1100, script->parent[3] = 2;
	finish(script, 1300, 3); /* an inner step over the limit that ended */
	hang(script, 2000, 2);
	hang(script, 2000, 4);
	script->since[1] = 1000;
	suspend(script, 2000, 1);
	step = last(script, 1);
	EXPECT_CHAIN(step, 1, 2, 4);
	cr_expect_eq(step->chain[1].line, 20);
	cr_expect_eq(step->run_ns, 1000000);
	EXPECT_INNER(step, 3);
	script->since[1] = 3000;
	suspend(script, 3200, 1);
	EXPECT_CHAIN(last(script, 2), 1);
	end(script);
}

/* The ring was full when the step itself was to be told: its chain is nobody else's. */
Test(slow_told, drops_a_chain_whose_step_was_lost)
{
	struct script *script = begin_with(false);

	hang(script, 2000, 2);
	hang(script, 2000, 3);
	script->since[1] = 2900;
	suspend(script, 3000, 1);
	EXPECT_CHAIN(last(script, 1), 1);
	hang(script, 4000, 2);
	hang(script, 5000, 3);
	script->since[1] = 4900;
	suspend(script, 5000, 1);
	EXPECT_CHAIN(last(script, 2), 1, 3);
	end(script);
}

Test(slow_told, has_room_for_all_that_bpf_tells)
{
	struct script *script = begin_with(false);

	for (uint64_t id = 2; id < 100; id++)
		hang(script, 2000, id);
	script->since[1] = 1000;
	suspend(script, 2000, 1);
	cr_assert_eq(last(script, 1)->chain_count, (size_t)SLOW_CHAIN_MAX);
	for (uint64_t id = 1; id <= SLOW_CHAIN_MAX; id++)
		cr_expect_eq(script->told[0].chain[id - 1].id, id);
	end(script);
}

/* A suspect's resume is told without its end: it means nothing for the steps that follow. */
Test(slow_told, forgets_resumes)
{
	struct script *script = begin_with(false);

	script->kind[2] = KIND_ASYNC_GENERATOR;
	for (uint64_t us = 1; us < 900; us++)
		resume_via(script, us, 2, NOBODY, VIA_ACLOSE);
	resume_via(script, 950, 3, 2, VIA_AWAIT);
	script->since[1] = 1000;
	suspend(script, 2000, 1);
	EXPECT_CHAIN(last(script, 1), 1);
	end(script);
}
