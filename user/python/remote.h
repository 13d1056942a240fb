/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_PYTHON_REMOTE_H
#define GENSCOPE_PYTHON_REMOTE_H

#include <stdint.h>

#include "python/interpreter.h"
#include "python/memory_layouts.h"
#include "target/memory.h"

/*
 * One CPython seen from outside: its memory, and what is known of it. All addresses are run-time
 * addresses.
 */
struct class_names; /* see value.c */

struct remote {
	uint32_t version_hex;  /* PY_VERSION_HEX */
	struct memory *memory; /* borrowed */
	struct layout layout;
	struct memory_layout inner;
	uint64_t bias;              /* run-time minus link-time address */
	uint64_t runtime;           /* _PyRuntime */
	uint64_t kinds[KIND_COUNT]; /* type objects by enum object_kind */
	uint64_t value_types
		[VALUE_TYPE_COUNT];      /* type objects by enum value_type; 0: not exported */
	struct class_names *class_names; /* a cache; owned */
	/* Where classes are read from when `memory` lacks them (a copy made by BPF holds values only); may be
	 * NULL. Borrowed. */
	struct memory *classes_memory;
};

/* Fills it from what is known of the interpreter alone, whose process may be gone. `memory` is a copy of
 * parts of it, or NULL for now. -ENOTSUP, -ENOMEM. */
int remote_init(struct remote *remote, const struct interpreter *interpreter, uint64_t bias,
		struct memory *memory);

/* The same for a process that maps `interpreter` with this bias, and checks what the running interpreter
 * publishes of itself against the table. `why` (INTERPRETER_WHY_MAX bytes) says what failed.
 * -ENOTSUP: a layout that is not known; -EFAULT, -EPERM, -ESRCH: it could not be read. */
int remote_open(struct remote *remote, const struct interpreter *interpreter, uint64_t bias,
		struct memory *memory, char *why);
/* enum object_kind of a type object, KIND_NONE for any other. */
uint8_t remote_kind(const struct remote *remote, uint64_t type);

void remote_close(struct remote *remote); /* frees the cache */

#endif
