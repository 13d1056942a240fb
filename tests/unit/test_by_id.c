/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "model/by_id.h"

#define IDS 5000u

static unsigned values[IDS];

/* What the table must hold: a plain array tells. */
static void expect_same(const struct by_id *table, const bool *there, uint32_t first,
			uint32_t stride)
{
	size_t count = 0;

	for (uint32_t i = 0; i < IDS; i++) {
		const void *expected = there[i] ? &values[i] : NULL;

		cr_assert_eq(by_id_get(table, first + i * stride), expected, "id %u",
			     first + i * stride);
		count += there[i];
	}
	cr_assert_eq(table->count, count);
}

Test(by_id, is_empty_at_first)
{
	struct by_id table = {};

	cr_expect_null(by_id_get(&table, 0));
	cr_expect_null(by_id_get(&table, UINT32_MAX));
	by_id_free(&table);
}

struct gone {
	const bool *there;
	uint32_t first, stride;
	size_t calls;
};

static bool goes(void *ctx, uint32_t id, void *value)
{
	struct gone *gone = ctx;

	cr_assert_eq(value, &values[(id - gone->first) / gone->stride]);
	gone->calls++;
	return !gone->there[(id - gone->first) / gone->stride];
}

/* Ids in a row, ids that all want the same slot, ids at the upper end: put and taken out at random. */
Test(by_id, holds_what_was_put_and_not_taken_out)
{
	static const struct {
		uint32_t first, stride;
	} rows[] = { { 1, 1 }, { 7, 1024 }, { UINT32_MAX - IDS, 1 }, { 3, 65537 } };

	srand(1);
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		struct by_id table = {};
		bool there[IDS] = {};

		for (int round = 0; round < 12; round++) {
			struct gone gone = { there, rows[row].first, rows[row].stride, 0 };
			size_t before;

			for (uint32_t i = 0; i < IDS; i++) {
				if (rand() % 3)
					continue;
				there[i] = true;
				cr_assert_eq(by_id_put(&table,
						       rows[row].first + i * rows[row].stride,
						       &values[i]),
					     0);
			}
			expect_same(&table, there, rows[row].first, rows[row].stride);
			before = table.count;
			for (uint32_t i = 0; i < IDS; i++)
				if (round % 4 == 3 || rand() % 2)
					there[i] = false;
			by_id_filter(&table, goes, &gone);
			cr_assert_geq(gone.calls, before);
			expect_same(&table, there, rows[row].first, rows[row].stride);
		}
		by_id_free(&table);
	}
}

Test(by_id, replaces)
{
	struct by_id table = {};

	cr_assert_eq(by_id_put(&table, 9, &values[0]), 0);
	cr_assert_eq(by_id_put(&table, 9, &values[1]), 0);
	cr_expect_eq(by_id_get(&table, 9), &values[1]);
	cr_expect_eq(table.count, 1u);
	by_id_free(&table);
}

static bool is_old(void *ctx, uint32_t id, void *value)
{
	const uint32_t *oldest = ctx;

	(void)value;
	return id < *oldest;
}

/* Hundreds of millions of ids, a hundred alive at a time: as much room as for a few hundred. */
Test(by_id, is_as_large_as_what_is_alive)
{
	struct by_id table = {};

	for (uint32_t id = 1; id < 400000000; id += 9973) {
		uint32_t oldest = id > 100 * 9973 ? id - 100 * 9973 : 0;

		cr_assert_eq(by_id_put(&table, id, values), 0);
		by_id_filter(&table, is_old, &oldest);
		cr_assert_leq(table.room, 512u);
	}
	by_id_free(&table);
}

static void count_one(void *ctx, uint32_t id, void *value)
{
	size_t *sum = ctx;

	(void)value;
	*sum += id;
}

Test(by_id, tells_all)
{
	struct by_id table = {};
	size_t sum = 0;

	for (uint32_t id = 1; id <= 1000; id++)
		cr_assert_eq(by_id_put(&table, id, values), 0);
	by_id_each(&table, count_one, &sum);
	cr_expect_eq(sum, 500500u);
	by_id_free(&table);
}
