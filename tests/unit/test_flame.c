/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "model/flame.h"

/* Chains as a tree: each once, whoever asks, and never more than was allowed. */

static uint32_t find(struct flame *flame, uint32_t parent, uint32_t function)
{
	uint32_t node;

	cr_assert_eq(flame_find(flame, parent, function, &node), 0);
	return node;
}

Test(flame, has_each_chain_once)
{
	struct flame *flame;
	uint32_t outer, inner, again, count;
	const struct flame_node *nodes;

	cr_assert_eq(flame_new(0, &flame), 0);
	outer = find(flame, FLAME_ROOT, 5);
	inner = find(flame, outer, 5); /* the same function inside itself */
	again = find(flame, find(flame, FLAME_ROOT, 5), 5);
	cr_expect_neq(outer, inner);
	cr_expect_eq(inner, again);
	flame_step(flame, inner);
	flame_run(flame, inner, 30);
	flame_run(flame, inner, 12);
	flame_wait(flame, outer, 100);
	flame_wait(flame, outer, 1);
	nodes = flame_nodes(flame, &count);
	cr_expect_eq(count, 3);
	cr_expect_eq(nodes[inner].parent, outer);
	cr_expect_eq(nodes[inner].function, 5);
	cr_expect_eq(nodes[inner].depth, 2);
	cr_expect_eq(nodes[inner].steps, 1);
	cr_expect_eq(nodes[inner].run_ns, 42);
	cr_expect_eq(nodes[outer].run_ns, 0);
	cr_expect_eq(nodes[outer].waits, 2);
	cr_expect_eq(nodes[outer].wait_ns, 101);
	flame_free(flame);
	flame_free(NULL);
}

Test(flame, keeps_many_chains_apart)
{
	enum { OUTER = 90, INNER = 90 };
	static uint32_t numbers[OUTER][INNER];
	const struct flame_node *nodes;
	struct flame *flame;
	uint32_t count;

	cr_assert_eq(flame_new(0, &flame), 0);
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < OUTER; i++) {
			for (uint32_t j = 0; j < INNER; j++) {
				uint32_t node = find(flame, find(flame, FLAME_ROOT, i), j);

				if (!round)
					numbers[i][j] = node;
				cr_assert_eq(node, numbers[i][j], "%u under %u has moved", j, i);
				flame_run(flame, node, 1 + i);
			}
		}
	}
	nodes = flame_nodes(flame, &count);
	cr_expect_eq(count, 1 + OUTER + OUTER * INNER);
	for (uint32_t i = 0; i < OUTER; i++)
		for (uint32_t j = 0; j < INNER; j++)
			cr_expect_eq(nodes[numbers[i][j]].run_ns, 2 * (1 + i));
	cr_expect_eq(flame_others(flame), 0);
	flame_free(flame);
}

/* Beyond the limit the part of a chain that is known stays, and nothing is lost from the sum. */
Test(flame, is_bounded)
{
	enum { LIMIT = 10, FUNCTIONS = 1000 };
	const struct flame_node *nodes;
	struct flame *flame;
	uint32_t count, known;
	uint64_t sum = 0;

	cr_assert_eq(flame_new(LIMIT, &flame), 0);
	known = find(flame, FLAME_ROOT, 1);
	for (uint32_t i = 0; i < FUNCTIONS; i++) {
		uint32_t node = find(flame, known, i), deeper = find(flame, node, i);

		flame_run(flame, deeper, 3);
		nodes = flame_nodes(flame, &count);
		cr_assert_leq(count, 2 * LIMIT);
		cr_expect_geq(nodes[deeper].depth, 2, "it is under what is known");
		cr_expect(nodes[deeper].parent < deeper);
	}
	for (uint32_t i = 0; i < count; i++)
		sum += nodes[i].run_ns;
	cr_expect_eq(sum, 3 * FUNCTIONS);
	/* each function asks twice; of the first few there was room */
	cr_expect_gt(flame_others(flame), 2 * (FUNCTIONS - LIMIT));
	cr_expect_leq(flame_others(flame), 2 * FUNCTIONS);
	flame_free(flame);
}

Test(flame, is_not_deeper_than_it_may_be)
{
	struct flame *flame;
	uint32_t node = FLAME_ROOT, count;

	cr_assert_eq(flame_new(0, &flame), 0);
	for (int i = 0; i < FLAME_DEPTH_MAX + 50; i++)
		node = find(flame, node, 1);
	cr_expect_eq(flame_nodes(flame, &count)[node].depth, FLAME_DEPTH_MAX);
	cr_expect_eq(count, FLAME_DEPTH_MAX + 1);
	cr_expect_eq(flame_too_deep(flame), 50);
	flame_free(flame);
}
