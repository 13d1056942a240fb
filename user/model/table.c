// SPDX-License-Identifier: MIT
#include "model/table.h"

#include <errno.h>
#include <stdlib.h>

#include "target/hash.h"

#define TABLE_ROOM 256 /* at first; a power of two */

static size_t slot_of(const struct table *table, uint64_t key)
{
	size_t at = hash_word(0, key) & (table->room - 1);

	while (table->slots[at] && *table->slots[at] != key)
		at = (at + 1) & (table->room - 1);
	return at;
}

void *table_find(const struct table *table, uint64_t key)
{
	return table->room ? table->slots[slot_of(table, key)] : NULL;
}

static int grow(struct table *table)
{
	struct table grown = { .room = table->room ? table->room * 2 : TABLE_ROOM };

	grown.slots = calloc(grown.room, sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	for (size_t i = 0; i < table->room; i++)
		if (table->slots[i])
			grown.slots[slot_of(&grown, *table->slots[i])] = table->slots[i];
	grown.count = table->count;
	free(table->slots);
	*table = grown;
	return 0;
}

void *table_have(struct table *table, uint64_t key, size_t size)
{
	uint64_t *entry = table_find(table, key);

	if (entry)
		return entry;
	if (table->count * 2 >= table->room && grow(table))
		return NULL;
	entry = calloc(1, size);
	if (!entry)
		return NULL;
	*entry = key;
	table->slots[slot_of(table, key)] = entry;
	table->count++;
	return entry;
}

/* What follows in its run moves up: no slot is marked as once used. */
void table_take(struct table *table, uint64_t key)
{
	size_t mask = table->room - 1, hole = slot_of(table, key), home;

	table->slots[hole] = NULL;
	table->count--;
	for (size_t at = (hole + 1) & mask; table->slots[at]; at = (at + 1) & mask) {
		home = hash_word(0, *table->slots[at]) & mask;
		if (((at - home) & mask) < ((at - hole) & mask))
			continue;
		table->slots[hole] = table->slots[at];
		table->slots[at] = NULL;
		hole = at;
	}
}

void table_clear(struct table *table)
{
	for (size_t i = 0; i < table->room; i++)
		free(table->slots[i]);
	free(table->slots);
	*table = (struct table){};
}
