/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_PYTHON_LINETABLE_H
#define GENSCOPE_PYTHON_LINETABLE_H

#include <stddef.h>
#include <stdint.h>

/* The line of the instruction at byte `offset` of a code object, from its co_linetable (the location
 * table of 3.11 on: InternalDocs/code_objects.md, Objects/locations.md in 3.11). Any bytes are safe.
 * 0: the instruction has no line, or the table ends before it. */
uint32_t linetable_line(const uint8_t *table, size_t size, uint32_t first_line, uint32_t offset);

#endif
