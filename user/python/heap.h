/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_PYTHON_HEAP_H
#define GENSCOPE_PYTHON_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "python/remote.h"

/*
 * The container objects of a running CPython, through the lists of its garbage collector: all
 * interpreters, all generations, the permanent one too. The target may run on meanwhile.
 */

struct heap_counts {
	uint64_t containers; /* objects passed in the lists */
	uint32_t interpreters;
	uint64_t retries; /* links that had changed under us, followed after another look */
	uint64_t broken;  /* lists left before their end: what lay behind is missing */
};

struct heap_objects {
	uint64_t *at; /* addresses, each once; free() */
	size_t count;
};

struct heap_query {
	/* Are objects of this type object wanted? Asked once for each type and list. */
	bool (*wanted)(void *ctx, uint64_t type);
	/* Called every now and then with the number of containers passed; < 0 stops. May be NULL. */
	int (*progress)(void *ctx, uint64_t containers);
	void *ctx;
};

/* Collects the addresses of the wanted ones, in the collector's order: old generations first, within
 * each the order in which objects came to it, which is mostly that of their birth. An address says what
 * was there when its list was read; it may be gone since.
 * 0, what `progress` returned, -ENOMEM, -ESRCH when the process is gone, -EPERM when it may not be read,
 * -ENOTSUP when the lists are not what the layout says (`why`, INTERPRETER_WHY_MAX bytes). */
int heap_collect(struct remote *remote, const struct heap_query *query, struct heap_objects *out,
		 struct heap_counts *counts, char *why);

/* A thread of an interpreter that has a Python thread state. */
struct heap_thread {
	uint64_t tstate;
	uint64_t frame; /* the frame it runs, 0 none */
	int32_t tid;    /* as the kernel counts */
};

/* The Python threads of all interpreters: fills up to max, returns how many. */
int heap_threads(struct remote *remote, struct heap_thread *out, int max);

#endif
