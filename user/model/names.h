/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_NAMES_H
#define GENSCOPE_MODEL_NAMES_H

#include <stddef.h>
#include <stdint.h>

/* The words of the contract for kinds, states, causes and metrics. All are literals; never NULL. */

const char *name_of_kind(uint8_t kind);                 /* "async_generator" */
const char *name_of_state(uint8_t kind, uint8_t state); /* "AGEN_RUNNING"; STATE_NONE: "" */
const char *name_of_via(uint8_t via);                   /* "yield_from" */
const char *name_of_metric(unsigned metric);            /* "suspended" */

/* Bit 1 << enum object_kind of a word, 0 if it is none. */
unsigned kind_of_name(const char *name);

int metric_of_name(const char *name); /* enum metric, -EINVAL */

/* Which of the words it is, -EINVAL. */
int index_of_name(const char *const *words, size_t count, const char *name);

#endif
