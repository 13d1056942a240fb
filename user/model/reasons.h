/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_REASONS_H
#define GENSCOPE_MODEL_REASONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/stream.h"

/*
 * Why a step was long, as far as the interpreter tells by USDT: what a thread collected, imported, and
 * which calls it made that may block.
 */

#define REASONS_MAX 16 /* told of one step */

struct reason {
	uint8_t type;                  /* EVENT_GC, EVENT_IMPORT, EVENT_AUDIT */
	char name[CONTEXT_NAME_BYTES]; /* module or audit event; "" of a gc */
	int generation;                /* of a gc; -1 unknown */
	int64_t value;                 /* objects collected; 1 or 0 found */
	uint64_t at_ns;                /* of the first one, since the step began */
	bool has_ns;
	uint64_t ns;    /* within the step; of audit events only the time they began is known */
	uint32_t count; /* so many of the same name */
};

struct reasons {
	struct reason at[REASONS_MAX]; /* in the order of their beginnings */
	size_t count;
	uint64_t left;             /* others, for which there was no room */
	bool forgotten;            /* there were earlier ones that are not counted */
	uint64_t gc_ns, import_ns; /* sums, within the step */
};

/* The latest of one thread, oldest ones forgotten: each type for itself, since there may be thousands of imports or
 * audit events in one step. Zeroed is empty; owns nothing. */
#define CONTEXTS_MAX 64 /* of a type */

struct context {
	uint8_t type;
	char name[CONTEXT_NAME_BYTES];
	int generation;
	int64_t value;
	uint64_t begin_ns, end_ns; /* equal where only one time is known */
};

struct context_ring {
	struct context at[CONTEXTS_MAX];
	size_t next, count;
	/* of those forgotten: when the first one began and the last one ended; 0: none was */
	uint64_t forgotten_begin_ns, forgotten_end_ns;
};

struct contexts {
	struct context_ring collections, imports, audits;
};

/* Takes a gc, import or audit event in; other types, and audit events of what does not block, are passed
 * over. */
void contexts_add(struct contexts *contexts, const struct event *event);

/* Those of a span of time. An import within an import is a part of that one. */
void contexts_reasons(const struct contexts *contexts, uint64_t begin_ns, uint64_t end_ns,
		      struct reasons *out);

/* May the call behind an audit event (docs.python.org/3/library/audit_events.html) wait for something
 * outside the process? */
bool audit_may_block(const char *name);

#endif
