/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_PYTHON_LAYOUTS_H
#define GENSCOPE_PYTHON_LAYOUTS_H

#include <stddef.h>
#include <stdint.h>

#include "layout.h"

#define PYTHON_VERSION_MIN 0x030b0000u
#define PYTHON_VERSION_END 0x03100000u /* 3.16: not known */

/* Sizes that the type objects themselves tell, to hold a build against the table. */
struct layout_check {
	uint32_t gen_basicsize; /* PyGen_Type.tp_basicsize */
};

/* The layout of a CPython version (PY_VERSION_HEX), default build or Py_DEBUG (the same structures).
 * `check` may be NULL. -ENOTSUP: a version this genscope does not know. */
int layout_for_version(uint32_t version_hex, struct layout *out, struct layout_check *check);

/* Holds the layout against the _Py_DebugOffsets (Include/internal/pycore_debug_offsets.h) with which
 * _PyRuntime begins from 3.13 on. `bytes` is a copy of it, `size` bytes long.
 * 0; -ENOENT there are none (no cookie); -EBADMSG it contradicts: *field names what, and published
 * and known say how; -EPROTONOSUPPORT it is of a free-threaded build. */
int layout_check_offsets(const struct layout *layout, uint32_t version_hex, const uint8_t *bytes,
			 size_t size, const char **field, uint64_t *published, uint64_t *known);

#endif
