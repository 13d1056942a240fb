/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_PYTHON_TEXT_H
#define GENSCOPE_PYTHON_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "records.h"

/* A str as BPF copied it, as UTF-8: a new string, the caller's to free(), never NULL but for want of
 * memory. Lone surrogates become U+FFFD; "…" is added where it was cut; "?" where it was unreadable.
 * `room` is the size of the array that `bytes` points to. */
char *text_to_utf8(const struct text *text, const uint8_t *bytes, size_t room);

/* The other way: as BPF would have copied it into `bytes`, cut where they end. Malformed UTF-8 becomes
 * U+FFFD. */
void text_of_utf8(const char *utf8, struct text *text, uint8_t *bytes, size_t room);

#endif
