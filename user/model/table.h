/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_TABLE_H
#define GENSCOPE_MODEL_TABLE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Things by a number. Each begins with its key, a uint64_t, is made by the table, zeroed, and stays where
 * it is. All zero is an empty table.
 */

struct table {
	uint64_t **slots; /* NULL, or a thing */
	size_t count, room;
};

void *table_find(const struct table *table, uint64_t key); /* NULL: there is none */

/* What has that key, new and zeroed (of `size` bytes) if there was nothing. NULL: no memory. */
void *table_have(struct table *table, uint64_t key, size_t size);

/* Out of the table, not freed: the caller's now. The key must be there. */
void table_take(struct table *table, uint64_t key);

/* Frees the slots, and with free() what is in them. */
void table_clear(struct table *table);

#endif
