// SPDX-License-Identifier: MIT
#include "model/by_id.h"

#include <errno.h>
#include <stdlib.h>

/* Open addressing with linear probing. Ids in a row lie in a row, which is as good as it gets. */

#define ROOM_MIN 256

void by_id_free(struct by_id *table)
{
	free(table->ids);
	free(table->values);
	*table = (struct by_id){};
}

/* Where the id is, or the free slot where it would be. There is one: a third of the table is free. */
static size_t slot_of(const struct by_id *table, uint32_t id)
{
	size_t slot = id & (table->room - 1);

	while (table->values[slot] && table->ids[slot] != id)
		slot = (slot + 1) & (table->room - 1);
	return slot;
}

void *by_id_get(const struct by_id *table, uint32_t id)
{
	return table->room ? table->values[slot_of(table, id)] : NULL;
}

static void place(struct by_id *table, uint32_t id, void *value)
{
	size_t slot = slot_of(table, id);

	table->count += !table->values[slot];
	table->ids[slot] = id;
	table->values[slot] = value;
}

static int resize(struct by_id *table, size_t room)
{
	const struct by_id before = *table;
	uint32_t *ids = calloc(room, sizeof(*ids));
	void **values = calloc(room, sizeof(void *));

	if (!ids || !values) {
		free(ids);
		free(values);
		return -ENOMEM;
	}
	*table = (struct by_id){ .ids = ids, .values = values, .room = room };
	for (size_t i = 0; i < before.room; i++)
		if (before.values[i])
			place(table, before.ids[i], before.values[i]);
	free(before.ids);
	free(before.values);
	return 0;
}

int by_id_put(struct by_id *table, uint32_t id, void *value)
{
	int err = 0;

	if (3 * (table->count + 1) > 2 * table->room)
		err = resize(table, table->room ? 2 * table->room : ROOM_MIN);
	if (!err)
		place(table, id, value);
	return err;
}

void by_id_each(const struct by_id *table, void (*each)(void *ctx, uint32_t id, void *value),
		void *ctx)
{
	for (size_t i = 0; i < table->room; i++)
		if (table->values[i])
			each(ctx, table->ids[i], table->values[i]);
}

/* What lies behind a slot that has become free and would not be found there any more moves up. */
static void close_gap(struct by_id *table, size_t gap)
{
	size_t mask = table->room - 1;

	for (size_t slot = (gap + 1) & mask; table->values[slot]; slot = (slot + 1) & mask) {
		size_t home = table->ids[slot] & mask;

		if (((slot - home) & mask) < ((slot - gap) & mask))
			continue;
		table->ids[gap] = table->ids[slot];
		table->values[gap] = table->values[slot];
		table->values[slot] = NULL;
		gap = slot;
	}
}

void by_id_filter(struct by_id *table, bool (*goes)(void *ctx, uint32_t id, void *value), void *ctx)
{
	size_t i = 0;

	/* what moves up comes into the slot that is looked at again, or from the beginning to the end, where it is
	 * looked at twice */
	while (i < table->room) {
		if (!table->values[i] || !goes(ctx, table->ids[i], table->values[i])) {
			i++;
			continue;
		}
		table->values[i] = NULL;
		table->count--;
		close_gap(table, i);
	}
	if (table->room > ROOM_MIN && 8 * table->count < table->room)
		resize(table, table->room / 2); /* not having the memory for less is no error */
}
