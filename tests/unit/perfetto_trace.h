/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TESTS_PERFETTO_TRACE_H
#define GENSCOPE_TESTS_PERFETTO_TRACE_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#include "paper.h"
#include "sink/perfetto.h"

/*
 * Traces are read back by libjson-c and gone through as the viewer does: events sorted by time (equal
 * ones stay as they are in the file), a stack a track. What must hold of every trace is checked of every
 * one here.
 */

/* For tables of changes. */
#define C STATE_CREATED
#define R STATE_RUNNING
#define S STATE_SUSPENDED
#define X STATE_CLOSED
#define N STATE_NONE

struct mark {
	char phase;
	uint64_t ts_ns, dur_ns;
	uint32_t pid, tid;
	uint64_t id;      /* of an arrow or a bar */
	uint64_t object;  /* args.id */
	size_t at;        /* place in the file */
	const char *name; /* in the JSON */
	const char *end;  /* args.end */
};

struct trace {
	struct paper paper;
	struct sink *sink;
	struct json_object *root;
	struct mark *marks; /* all but M */
	size_t count, titles;
};

/* One transition, of pid 10. */
struct change {
	uint64_t ts_ns, id, parent;
	uint8_t kind, from, to, via;
	uint32_t tid;
	uint64_t run_ns; /* 0: not seen */
};

void trace_open(struct trace *trace, uint64_t slow_ns);
/* Ends it, and reads what was written: `root` and `marks`. */
void trace_read(struct trace *trace);
void trace_close(struct trace *trace);

void trace_tell(struct trace *trace, struct change change);
void trace_tell_gc(struct trace *trace, uint32_t tid, uint64_t ts_ns, uint64_t ns);

/* A member that must be there. */
struct json_object *trace_get(struct json_object *object, const char *key);

/* What must hold of every trace. */
void trace_expect_rules(const struct trace *trace);
/* Each beginning has one end, not before it, and the other way round. Returns how many. */
size_t trace_expect_pairs(const struct trace *trace, char begin, char end);
/* The marks of these phases as one line, a word each: phase, time, object or id. */
void trace_expect_marks(const struct trace *trace, const char *phases, const char *expected);

#endif
