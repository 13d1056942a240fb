/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_PYTHON_PRINTABLE_H
#define GENSCOPE_PYTHON_PRINTABLE_H

#include <stdbool.h>
#include <stdint.h>

/* Does str.isprintable() of that CPython (PY_VERSION_HEX) accept the code point? Then its repr() shows it
 * as it is. Of a version later than the table the last one known counts. */
bool printable_is(uint32_t version_hex, uint32_t point);

#endif
