/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_SNAPSHOT_H
#define GENSCOPE_MODEL_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "python/code_object.h"
#include "python/generator.h"
#include "python/heap.h"
#include "python/locals.h"

/*
 * What lives in one process at one time: generators, coroutines, async generators and asyncio tasks, and
 * who waits for whom.
 */

#define SNAPSHOT_NONE UINT32_MAX /* no such index */

enum awaited_kind {
	AWAITS_NOTHING = 0,
	AWAITS_OBJECT = 1, /* `awaits` is the index of another object */
	AWAITS_TASK = 2,   /* `awaits` is the index of a task */
	AWAITS_FUTURE = 3, /* an asyncio future that is no task; `future_state` says how it is */
	AWAITS_OTHER = 4,  /* an object of class `awaits_class` at `awaits_address` */
};

struct snapshot_object {
	uint64_t gen;
	struct code_object *code; /* owned by the snapshot */
	const char
		*awaits_class; /* of what it awaits, module-qualified; NULL: nothing, or unreadable.
				   * Owned by the remote that was read. With `each`, of another
				   * object: its qualname */
	uint64_t awaits_address;   /* of what it awaits, 0: nothing */
	struct local_list *locals; /* NULL unless asked for */
	uint32_t line;             /* 0: none */
	uint32_t instruction;      /* byte offset into its code, or NO_INSTRUCTION */
	uint32_t awaits;           /* index, by `awaits_kind`; else SNAPSHOT_NONE */
	uint32_t awaited_by;       /* index of the object that awaits it, or SNAPSHOT_NONE */
	uint32_t task;             /* index of the asyncio task that drives it, or SNAPSHOT_NONE */
	int32_t tid;               /* of the thread that runs it, 0: none */
	uint8_t kind;              /* enum object_kind */
	uint8_t state;             /* enum object_state */
	uint8_t awaits_kind;       /* enum awaited_kind */
	uint8_t future_state;      /* 0 pending, 1 cancelled, 2 finished */
	bool moved; /* it went on, or ended, while others were read: nothing is linked to it */
};

struct snapshot_task {
	uint64_t address;
	uint64_t coroutine_address; /* 0 once it is done */
	char *name;                 /* UTF-8; "" when unreadable */
	char *name_repr;            /* as Python's repr() has it, quotes included */
	uint32_t
		coroutine; /* index of the object it drives, or SNAPSHOT_NONE (done, or none of ours) */
	uint32_t *awaited_by; /* indexes of the tasks that wait for it */
	uint32_t awaited_by_count;
	uint8_t state; /* 0 pending, 1 cancelled, 2 finished */
	bool moved;    /* as of an object */
};

struct snapshot_counts {
	struct heap_counts heap;
	uint64_t unreadable; /* objects that stayed torn or could not be read */
	uint64_t retries;    /* objects read more than once because they were changing */
	uint64_t memory_bytes, memory_calls;
	uint64_t duration_ns;
};

struct snapshot {
	pid_t pid;
	struct snapshot_object
		*objects; /* in the collector's order: older ones first, as far as it tells */
	uint32_t object_count;
	struct snapshot_task *tasks;
	uint32_t task_count;
	struct snapshot_counts counts;
	struct code_objects *codes;
};

struct snapshot_options {
	bool still; /* the process is stopped: nothing needs a second look */
	bool locals;
	bool name_awaited; /* awaits_class of another object is its qualname, as with `each` */
	struct locals_options locals_options;
	/* Not NULL: each object is given to it and none is kept (`objects` stays empty; no links, no tasks): for
	 * sums over many. < 0 stops. `object` is valid during the call. */
	int (*each)(void *ctx, const struct snapshot_object *object);
	/* Not NULL: called now and then with the number of objects so far. */
	int (*progress)(void *ctx, uint64_t objects); /* < 0 stops */
	void *ctx;
};

/* Takes one. `why` (INTERPRETER_WHY_MAX bytes) says what failed; errors as heap_walk(), -ENOMEM. */
int snapshot_take(struct remote *remote, pid_t pid, const struct snapshot_options *options,
		  struct snapshot **out, char *why);

/* Only what lives at these addresses now, in their order, without links and tasks: for a look at a few. What is
 * gone, or cannot be read, is left out. Of the options `each` and `progress` do not count. -ENOMEM, -ESRCH
 * the process is gone. */
int snapshot_take_some(struct remote *remote, pid_t pid, const struct snapshot_options *options,
		       const uint64_t *addresses, size_t count, struct snapshot **out);

void snapshot_free(struct snapshot *snapshot); /* NULL is fine */

/* The repr of what the object awaits, when that is no other object: "<Future pending>",
 * "<Task pending name='Task-3'>", "<app.Gate object at 0x7f…>". Returns out. */
#define SNAPSHOT_REPR_SIZE 1024 /* is room enough */
const char *snapshot_awaits_repr(const struct snapshot *snapshot,
				 const struct snapshot_object *object, char *out, size_t size);

#endif
