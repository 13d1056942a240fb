/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_GROUP_H
#define GENSCOPE_MODEL_GROUP_H

#include <stddef.h>
#include <stdint.h>

#include "model/snapshot.h"

/*
 * Objects summed up by function, kind, state, line and what they await. Memory grows with the number of
 * groups. Functions are told apart by file, first line and qualname, not by address: the snapshots of
 * several processes can go into one table, and what is put in may be freed afterwards.
 */

struct group {
	uint64_t count;
	const char *name, *qualname, *file; /* owned by the table, as all its text */
	const char *awaits; /* class of what they await, or qualname of the object; NULL: nothing */
	uint32_t first_line, line; /* line 0: none */
	uint8_t kind, state;
};

struct group_table;
int group_table_new(struct group_table **out);    /* -ENOMEM */
void group_table_free(struct group_table *table); /* NULL is fine */

/* `snapshot`: where the object's indexes lead, for the qualname of what it awaits; NULL while a snapshot
 * is being taken: then it is the class. -ENOMEM: the object was not counted. */
int group_table_add(struct group_table *table, const struct snapshot *snapshot,
		    const struct snapshot_object *object);

/* Largest first, equal ones by file, line and the rest. Valid until the next group_table_add(). NULL:
 * out of memory. */
const struct group *group_table_sorted(struct group_table *table, size_t *count);

uint64_t group_table_objects(const struct group_table *table); /* the sum of all counts */

#endif
