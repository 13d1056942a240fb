/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_BY_ID_H
#define GENSCOPE_MODEL_BY_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Pointers by 32-bit ids that are given out one after the other and come and go: what is kept is as large as what
 * is there at a time, however high the ids have become. Who puts a pointer in owns what it points to.
 */
struct by_id {
	uint32_t *ids;
	void **values; /* NULL: a free slot */
	size_t room;   /* slots: 0, or a power of two */
	size_t count;
};

void by_id_free(struct by_id *table); /* the table alone; empty then */

/* NULL: nothing has that id. */
void *by_id_get(const struct by_id *table, uint32_t id);

/* `value` (not NULL) has that id from now on, instead of what had it. -ENOMEM: nothing has changed. */
int by_id_put(struct by_id *table, uint32_t id, void *value);

/* All that is there, in no order. */
void by_id_each(const struct by_id *table, void (*each)(void *ctx, uint32_t id, void *value),
		void *ctx);

/* Takes out what `goes` says; that may free the value, and look at the table but not put anything in. */
void by_id_filter(struct by_id *table, bool (*goes)(void *ctx, uint32_t id, void *value),
		  void *ctx);

#endif
