/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TARGET_MAPS_H
#define GENSCOPE_TARGET_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One line of /proc/PID/maps: the half-open range [start, end) of run-time addresses. */
struct mapping {
	uint64_t start, end;
	uint64_t offset; /* of start in the file, bytes */
	uint64_t inode;  /* 0: no file */
	uint32_t dev_major, dev_minor;
	bool executable, readable, writable;
	bool deleted; /* the name is gone: unlinked or replaced since it was mapped */
	char *path;   /* newlines unescaped, " (deleted)" cut off; "[heap]" and its like as they
		       * are; NULL for an anonymous mapping */
};

/* Parses the text of a maps file; lines that are none are skipped. *out is in file order; give it
 * to maps_free. 0 or -ENOMEM; no line at all is 0 with *out NULL and *count 0. */
int maps_parse(const char *text, size_t size, struct mapping **out, size_t *count);

/* NULL is fine. */
void maps_free(struct mapping *maps, size_t count);

/* Reads /proc/PID/maps. -ESRCH when there is no such process, -ENOEXEC when it has no address
 * space (a kernel thread or a zombie), -EACCES without the privilege. */
int maps_read(pid_t pid, struct mapping **out, size_t *count);

/* Is the dynamic loader still at work: is it mapped, and the C library not, which comes after what needs it? With musl,
 * where the two are one file, never. (Of other libraries nobody knows before whether they will come.) */
bool maps_are_loading(const struct mapping *maps, size_t count);

/* The mapping that holds addr in an array sorted by address (the kernel's order), or NULL. */
const struct mapping *maps_find(const struct mapping *maps, size_t count, uint64_t addr);

#endif
