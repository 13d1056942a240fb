/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_LIVING_H
#define GENSCOPE_MODEL_LIVING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/slow.h"
#include "model/stream.h"

/*
 * What one survey told, put together: steps that still run, with the objects that run inside them, and
 * objects that have been suspended for long, with what they await.
 */

/* A step that was handed out is forgotten when so many surveys in a row have told nothing of it: a single one may miss
 * an object that is there, when the ring is full, or when the kernel's walk over the map goes astray because the
 * element it stands on is freed and taken for another bucket. */
#define LIVING_MISSES 10

struct living;
int living_new(struct living **out);     /* -ENOMEM */
void living_free(struct living *living); /* NULL is fine */

/* Forgets what the last survey told, but not which steps living_running() has handed out. */
void living_begin(struct living *living);

/* An EVENT_LIVING. -ENOMEM. */
int living_add(struct living *living, const struct event *event);

/* One outermost object, and what hangs on it. Valid during the call. */
struct living_chain {
	const struct event *event;   /* an EVENT_LIVING of the outermost object */
	uint64_t since_ns;           /* of its step, or its suspension */
	bool at_least;               /* that is when the run began: it is older */
	const struct slow_place *at; /* outermost first */
	size_t count;
	const struct code *maker; /* of the outermost object; NULL: not known */
	uint32_t maker_line;
};

struct living_callbacks {
	uint64_t begin_ns;                                         /* of the run, CLOCK_MONOTONIC */
	int (*chain)(void *ctx, const struct living_chain *chain); /* < 0 stops */
	/* The line at which an object stands whose frame runs, 0: not known. May be NULL. */
	uint32_t (*line)(void *ctx, uint32_t pid, const struct slow_place *place);
	void *ctx;
};

/* Outermost steps that have run since `before_ns` or longer, each once however many surveys tell of it. What
 * a callback returned, -ENOMEM. */
int living_running(struct living *living, uint64_t before_ns,
		   const struct living_callbacks *callbacks);

/* Objects that were told as parked, each with what it awaits, but for those that another one of them awaits.
 * Likewise. */
int living_parked(struct living *living, const struct living_callbacks *callbacks);

#endif
