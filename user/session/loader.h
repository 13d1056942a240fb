/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SESSION_LOADER_H
#define GENSCOPE_SESSION_LOADER_H

#include <stddef.h>

/* Which file the dynamic loader would give an executable for the library whose name begins with
 * `prefix`: asks the executable's own loader (`--list`, as ldd does), in our environment.
 * 0, or -ENOENT when it needs none or has no loader that answers. */
int loader_find_library(const char *executable, const char *prefix, char *path, size_t size);

/* The interpreter that a #! line names, its argument too for /usr/bin/env: the file that is executed in
 * the end. 0 with *path, -ENOEXEC when the file has no such line. */
int loader_read_shebang(const char *script, char *path, size_t size);

#endif
