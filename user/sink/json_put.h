/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_JSON_PUT_H
#define GENSCOPE_SINK_JSON_PUT_H

#include <stdbool.h>
#include <stdint.h>

#include "sink/writer.h"

/* Values of JSON lines that are put together piece by piece. */

/* A text of any length, in quotes. */
void json_put_string(struct writer *writer, const char *text);
void json_put_string_or_null(struct writer *writer, const char *text);

/* `before` and a number, or null. */
void json_put_number(struct writer *writer, const char *before, uint64_t number, bool null);

#endif
