/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_PYTHON_JIT_H
#define GENSCOPE_PYTHON_JIT_H

#include <stdbool.h>
#include <sys/types.h>

/* Was this process started with CPython's JIT on (PYTHON_JIT set to anything but 0; builds have it off by
 * default, Doc/using/cmdline.rst of 3.14)? What it compiles changes states in code of its own,
 * where no probe is. False also when its environment cannot be read. */
bool jit_is_on(pid_t pid);

#endif
