/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TARGET_SOURCE_H
#define GENSCOPE_TARGET_SOURCE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A line that is looked for, and its text without the blanks around it, cut to fit; "" if it is not there. */
struct source_line {
	uint32_t number; /* from 1 */
	char *text;      /* room of the caller's */
	size_t size;
};

/* Reads lines of a file by the name that the process itself would use: below its root, or its working
 * directory. Only a regular file is opened, whatever the name leads to, and links do not lead out of that root. 0,
 * -ENOENT and the like, -EINVAL no regular file. The texts are "" then. */
int source_read(pid_t pid, const char *path, struct source_line *lines, size_t count);

#endif
