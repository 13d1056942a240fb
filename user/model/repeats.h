/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_REPEATS_H
#define GENSCOPE_MODEL_REPEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/suspects.h"

/*
 * Suspects for people: a leak is a hundred thousand objects of one function that wait at one line. The first
 * few of a place are told in full, the rest is counted.
 */

#define REPEATS_SHOWN 5 /* of a place */

/* Of one type, function and line; of what is parked also where what it awaits stands, of others who made it. */
struct repeat {
	uint8_t type; /* enum suspect_type */
	uint8_t kind; /* enum object_kind */
	const struct code *code;
	uint32_t line;         /* 0: it had not begun */
	const struct code *at; /* where the innermost one waits, or the maker; NULL: neither */
	uint32_t at_line;
	uint64_t seen, more; /* in all; of them since the last repeats_tell(), not shown */
};

struct repeats;
int repeats_new(struct repeats **out);      /* -ENOMEM */
void repeats_free(struct repeats *repeats); /* NULL is fine */

/* 1: one to be shown; 0: it has been counted; -ENOMEM. The codes must live as long as the stream's do. */
int repeats_add(struct repeats *repeats, const struct suspect *suspect);

/* Each place of which there were more, in the order in which they were first seen; then there are none. */
void repeats_tell(struct repeats *repeats, void (*tell)(void *ctx, const struct repeat *repeat),
		  void *ctx);

#endif
