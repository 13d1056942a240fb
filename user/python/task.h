/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_PYTHON_TASK_H
#define GENSCOPE_PYTHON_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "python/remote.h"

/*
 * asyncio's tasks and futures as Modules/_asynciomodule.c keeps them (3.11 to 3.15). Tasks and futures
 * written in Python (asyncio.tasks._PyTask) are objects like any other here.
 */

enum future_state { FUTURE_PENDING = 0, FUTURE_CANCELLED = 1, FUTURE_FINISHED = 2 };

struct task {
	uint64_t address;
	uint64_t coroutine;     /* 0 once it is done */
	uint64_t done_callback; /* the first one, 0 none */
	uint8_t state;          /* enum future_state */
	char *name;             /* UTF-8, never NULL; free() */
	char *name_repr;        /* the same as repr() has it, cut after 128 characters; likewise */
	uint64_t *awaited_by;   /* tasks that await it, as far as it is told (3.14 on); free() */
	size_t awaited_by_count;
};

/* Is this type object asyncio's Task, Future, or a subclass of it? */
bool task_is_type(struct remote *remote, uint64_t type);
bool future_is_type(struct remote *remote, uint64_t type);

/* Reads the task at that address. -EFAULT, -EAGAIN it makes no sense now, -ENOENT it is gone. */
int task_read(struct remote *remote, uint64_t address, struct task *out);
void task_free(struct task *task);

/* enum future_state of a future or task. */
uint8_t future_state(struct remote *remote, uint64_t address);

#endif
