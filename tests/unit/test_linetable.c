/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linetables.h"
#include "python/linetable.h"

#define UNIT      2 /* bytes */
#define KNOWN     (sizeof(known_tables) / sizeof(known_tables[0]))
#define UNITS_MAX 2048

struct table {
	uint8_t *bytes; /* their own block: one byte too far is seen */
	size_t size;
	uint32_t lines[UNITS_MAX]; /* by code unit */
	uint32_t units;
};

static void take(struct table *table, const struct known_table *known)
{
	unsigned int byte, line, units;
	int used;

	table->size = strlen(known->table) / 2;
	table->bytes = malloc(table->size);
	for (size_t i = 0; i < table->size; i++) {
		cr_assert_eq(sscanf(known->table + 2 * i, "%2x", &byte), 1);
		table->bytes[i] = byte;
	}
	table->units = 0;
	for (const char *at = known->lines; sscanf(at, "%u*%u %n", &line, &units, &used) == 2;
	     at += used) {
		cr_assert_leq(table->units + units, UNITS_MAX);
		while (units--)
			table->lines[table->units++] = line;
	}
	cr_assert_gt(table->units, 0);
}

static uint32_t line_at(const struct table *table, size_t size, const struct known_table *known,
			uint32_t offset)
{
	return linetable_line(table->bytes, size, known->first_line, offset);
}

Test(linetable, tells_the_line_that_python_tells_of_every_instruction)
{
	struct table table;

	for (size_t i = 0; i < KNOWN; i++) {
		const struct known_table *known = &known_tables[i];

		take(&table, known);
		for (uint32_t offset = 0; offset < table.units * UNIT; offset++)
			cr_assert_eq(line_at(&table, table.size, known, offset),
				     table.lines[offset / UNIT], "%s of %s, byte %u", known->name,
				     known->version, offset);
		free(table.bytes);
	}
}

/* Or the test above would show less than it seems to. */
Test(linetable, is_tested_with_every_kind_of_entry)
{
	bool codes[16] = { 0 }, back = false, far_back = false, longer = false;
	struct table table;

	for (size_t i = 0; i < KNOWN; i++) {
		take(&table, &known_tables[i]);
		for (size_t at = 0; at < table.size; at++)
			if (table.bytes[at] & 0x80)
				codes[table.bytes[at] >> 3 & 15] = true;
		for (uint32_t unit = 1; unit < table.units; unit++) {
			uint32_t before = table.lines[unit - 1], line = table.lines[unit];

			back |= line && line < before;
			far_back |= line && line + 1000 < before;
		}
		longer |= table.units > 255;
		free(table.bytes);
	}
	for (int code = 0; code < 16; code++)
		cr_expect(codes[code], "no entry of code %d", code);
	cr_assert(back && far_back && longer);
}

Test(linetable, has_no_line_behind_the_table)
{
	static const uint32_t beyond[] = { 0, 1, 2, 1000, 0x7fffffff, 0x80000000, UINT32_MAX };
	struct table table;

	for (size_t i = 0; i < KNOWN; i++) {
		take(&table, &known_tables[i]);
		for (size_t j = 0; j < sizeof(beyond) / sizeof(beyond[0]); j++) {
			uint32_t offset = table.units * UNIT + beyond[j];

			if (offset >= table.units * UNIT)
				cr_assert_eq(line_at(&table, table.size, &known_tables[i], offset),
					     0);
		}
		free(table.bytes);
	}
	cr_assert_eq(linetable_line(NULL, 0, 7, 0), 0);
}

/* What is left of a table that was cut before an entry still holds. */
Test(linetable, keeps_to_the_part_it_was_given)
{
	struct table table, part;

	for (size_t i = 0; i < KNOWN; i++) {
		const struct known_table *known = &known_tables[i];
		uint32_t units = 0;

		take(&table, known);
		for (size_t size = 0; size < table.size; size++) {
			uint8_t head = table.bytes[size];

			if (!(head & 0x80))
				continue;
			part.bytes = malloc(size + 1);
			memcpy(part.bytes + 1, table.bytes, size);
			part.bytes++;
			if (units)
				cr_assert_eq(line_at(&part, size, known, (units - 1) * UNIT),
					     table.lines[units - 1]);
			cr_assert_eq(line_at(&part, size, known, units * UNIT), 0);
			free(part.bytes - 1);
			units += (head & 7) + 1;
		}
		cr_assert_eq(units, table.units);
		free(table.bytes);
	}
}

static void try_any(unsigned int *seed, bool heads)
{
	size_t size = rand_r(seed) % 64;
	uint8_t *bytes = malloc(size + 1) + 1; /* ends where its block ends */

	for (size_t i = 0; i < size; i++)
		bytes[i] = rand_r(seed) | (heads && rand_r(seed) % 2 ? 0x80 : 0);
	for (uint32_t offset = 0; offset < 2 * 8 * UNIT; offset += UNIT)
		(void)linetable_line(bytes, size, rand_r(seed), offset);
	(void)linetable_line(bytes, size, UINT32_MAX, UINT32_MAX);
	free(bytes - 1);
}

Test(linetable, survives_any_bytes)
{
	unsigned int seed = 20261122;

	for (int round = 0; round < 20000; round++)
		try_any(&seed, round % 2);
}

Test(linetable, survives_flipped_bytes)
{
	unsigned int seed = 20261122;
	struct table table;

	for (size_t i = 0; i < KNOWN; i++) {
		take(&table, &known_tables[i]);
		for (int round = 0; round < 200; round++) {
			table.bytes[rand_r(&seed) % table.size] = rand_r(&seed);
			(void)line_at(&table, table.size, &known_tables[i],
				      rand_r(&seed) % (table.units * UNIT));
			(void)line_at(&table, table.size, &known_tables[i], UINT32_MAX);
		}
		free(table.bytes);
	}
}
