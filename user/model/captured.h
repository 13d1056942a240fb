/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_CAPTURED_H
#define GENSCOPE_MODEL_CAPTURED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "python/interpreter.h"
#include "python/locals.h"
#include "records.h"

/*
 * The locals of transitions, out of the memory that BPF copied at the probe. What such a record lacks by
 * its limits is shown as cut. Only the names of classes are read from the process itself, as long as it
 * lives.
 */

struct captured_options {
	struct locals_options locals;
	/* The interpreter that BPF knows by that index; NULL: none. */
	const struct interpreter *(*image)(void *ctx, uint32_t index);
	bool recorded; /* no process is looked at: those pids are of another time or machine */
	void *ctx;
};

struct captured;

int captured_new(const struct captured_options *options, struct captured **out); /* -ENOMEM */
void captured_free(struct captured *captured);                                   /* NULL is fine */

/* Takes a RECORD_VARIABLES in, or a RECORD_LOCALS, to wait for its transition. The record has `size` bytes,
 * at least sizeof(struct captured_record). -EINVAL: it makes no sense; -ENOMEM. */
int captured_add(struct captured *captured, const struct captured_record *record, size_t size);

/* The locals that came for this transition, valid until the next call; NULL: none, or of no use. */
const struct local_list *captured_take(struct captured *captured,
				       const struct transition_record *transition);

/* That process has ended or executed something else. */
void captured_forget(struct captured *captured, uint32_t pid);

#endif
