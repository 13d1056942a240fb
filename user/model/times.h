/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_TIMES_H
#define GENSCOPE_MODEL_TIMES_H

#include <stdint.h>

#include "model/histogram.h"
#include "records.h"

/*
 * The times of functions, from transitions in their order: what BPF's distributions hold, after the fact.
 * Each is entered only where both of its ends are known.
 */

struct times;

int times_new(struct times **out);    /* -ENOMEM */
void times_free(struct times *times); /* NULL is fine */

/* The next transition, of which kind, states and via have been checked. -ENOMEM. */
int times_add(struct times *times, const struct transition_record *transition);

/* Objects that have been seen. */
uint64_t times_objects(const struct times *times);

/* Of the functions with ids below times_end(): NULL where nothing is known; *kind is an enum
 * object_kind. Id 0 is of all whose function is not known. */
uint32_t times_end(const struct times *times);
const struct distributions *times_of(const struct times *times, uint32_t code, uint8_t *kind);

#endif
