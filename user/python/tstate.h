/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_PYTHON_TSTATE_H
#define GENSCOPE_PYTHON_TSTATE_H

#include <stdint.h>

#include "target/elf_file.h"

/* How a thread of this interpreter finds its PyThreadState, learned from the instructions of the
 * exported getter (PyThreadState_GetUnchecked of 3.13, _PyThreadState_UncheckedGet before), which is
 * three to six instructions in every build. *access is an enum tstate_access; where the getter reads
 * otherwise it is TSTATE_NONE and the result -ENOTSUP: `via` is then less exact, nothing else. */
int tstate_find(const struct elf_file *file, uint32_t *access, uint64_t *location);

#endif
