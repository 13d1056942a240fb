/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_PYTHON_MEMORY_LAYOUTS_H
#define GENSCOPE_PYTHON_MEMORY_LAYOUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "values.h"

/*
 * Where a CPython keeps what `ps` reads, beyond struct layout: interpreters, threads, the collector's
 * lists, asyncio's tasks. Offsets in bytes.
 */

#define RESUME_OPCODES_MAX 6

struct memory_layout {
	struct value_layout values;
	/* _PyRuntimeState */
	uint32_t runtime_interpreters_head;
	/* PyInterpreterState */
	uint32_t interpreter_id; /* int64_t */
	uint32_t interpreter_next;
	uint32_t interpreter_threads_head;
	uint32_t interpreter_gc;      /* struct _gc_runtime_state, within */
	uint32_t interpreter_modules; /* sys.modules, a dict */
	/* struct _gc_runtime_state; lists are struct gc_generation: a PyGC_Head first */
	/* Three of them: young and old[2] where it is incremental. In 3.13 aligned to 4 only. */
	uint32_t gc_generations;
	uint32_t gc_generation_bytes;
	uint32_t gc_permanent;
	uint32_t gc_collecting;  /* int */
	uint32_t gc_generation0; /* a pointer to the first list, to check it all; 0: has none */
	/* PyThreadState */
	uint32_t thread_next;
	uint32_t thread_id;        /* unsigned long: pthread_self() */
	uint32_t thread_native_id; /* unsigned long: gettid() */
	/* _PyInterpreterFrame */
	uint32_t frame_owner; /* char; FRAME_OWNED_BY_GENERATOR is 1 in all */
	/* int, an index into localsplus; or a pointer, see stack_is_pointer. */
	uint32_t frame_stacktop;
	bool stack_is_pointer;    /* 3.14 on */
	uint8_t yield_from_depth; /* what is awaited lies so many slots below the stack's top */
	uint8_t resume[RESUME_OPCODES_MAX]; /* 3.11, 3.12: RESUME in all its forms: at one with an
					     * argument >= 2 a suspended object awaits; 0 ends it */
	/* Modules/_asynciomodule.c: FutureObj and TaskObj */
	uint32_t future_state; /* enum fut_state: 0 pending, 1 cancelled, 2 finished */
	uint32_t future_callback0;
	uint32_t future_callbacks; /* a list of (callback, context), or NULL or None */
	int32_t future_dict; /* of instances of subclasses; 0: not known (3.14 on: values may be in the
			      * object itself, and awaited_by tells more) */
	uint32_t task_waiter;
	uint32_t task_coroutine;
	uint32_t task_name;              /* a str, or an int n for "Task-n" */
	uint32_t task_awaited_by;        /* 3.14 on: a task, or a set of them; 0: there is none */
	uint32_t task_awaited_by_is_set; /* char, or a bit; see task_awaited_by_mask */
	uint8_t task_awaited_by_mask;
};

/* Objects of Objects/genobject.c and _asynciomodule.c that stand between two coroutines: the pointer to
 * what they wrap is the first field behind PyObject_HEAD, in 3.11 to 3.15 (cw_coroutine, ags_gen,
 * agt_gen, wrapped of anext_awaitable, fi_future of FutureIter). */
#define WRAPPED 16

/* The table's layout for a CPython version and build. -ENOTSUP: a version that is not known. */
int memory_layout_for_version(uint32_t version_hex, bool debug, struct memory_layout *out);

/* Takes over what the interpreter publishes of itself (_Py_DebugOffsets, `bytes` with which
 * _PyRuntime begins from 3.13 on) and holds the rest against it: where the table fixes a number
 * that is published, both must agree, but for those that differ between builds (size of the
 * interpreter state), where the published one counts.
 * 0, also where nothing is published (before 3.13); -EBADMSG it contradicts, or is not there: *field,
 * *published, *known say how. */
int memory_layout_adopt(struct memory_layout *layout, uint32_t version_hex, const uint8_t *bytes,
			size_t size, const char **field, uint64_t *published, uint64_t *known);

#endif
