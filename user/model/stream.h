/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_STREAM_H
#define GENSCOPE_MODEL_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/captured.h"
#include "model/codes.h"
#include "records.h"

/*
 * From records, as bytes, to events that a sink can print. Records may come from the ring or from a
 * file: every length and every enumerator is checked, a bad record is counted and passed over.
 */

enum event_type {
	EVENT_TRANSITION = 1,
	EVENT_GC = 2,
	EVENT_IMPORT = 3,
	EVENT_AUDIT = 4,
	EVENT_LIVING = 5, /* told by a survey */
};

enum event_locals {
	EVENT_LOCALS_OFF = 0,     /* not asked for */
	EVENT_LOCALS_SHOWN = 1,   /* `locals` has them */
	EVENT_LOCALS_NONE = 2,    /* closed: there are none */
	EVENT_LOCALS_FREED = 3,   /* no object any more */
	EVENT_LOCALS_SKIPPED = 4, /* another transition's turn */
	EVENT_LOCALS_LOST = 5,
};

struct event {
	uint8_t type; /* enum event_type */
	uint64_t ts_ns;
	uint32_t pid, tid;
	/* transition, living: of each the record is valid during the call */
	const struct transition_record *transition;
	const struct living_record *living;
	struct code *code;
	uint32_t line;       /* 0: none */
	struct code *maker;  /* of the object; NULL: not known */
	uint32_t maker_line; /* 0: none */
	/* transition */
	uint8_t locals_state;            /* enum event_locals */
	const struct local_list *locals; /* valid during the call */
	/* gc, import, audit */
	const char *name; /* module or audit event; "" for gc */
	int64_t value;    /* collected objects; 1 or 0 found */
	int generation;   /* of a gc */
	bool has_ns;      /* its beginning was seen */
	uint64_t ns;      /* how long the collection or import took */
};

struct stream_callbacks {
	/* 0, or < 0 to stop (handed through by stream_feed) */
	int (*event)(void *ctx, const struct event *event);
	/* A code object is known now: say whether its transitions are wanted (NULL: all are). */
	bool (*wanted)(void *ctx, const struct code *code);
	/* …and what was said, for BPF. May be NULL. */
	void (*verdict)(void *ctx, const struct code_record *record, bool wanted);
	/* An asyncio task has a row now; `name` as Task.get_name() has it, valid during the call. May be NULL. */
	void (*task)(void *ctx, uint32_t row, const char *name);
	void *ctx;
	/* NULL: no locals. Read by stream_new() only. */
	const struct captured_options *locals;
};

struct stream_counts {
	uint64_t transitions; /* given to `event` */
	uint64_t contexts;    /* gc, import and audit events given to `event` */
	uint64_t living;      /* records of surveys, those that made no sense too */
	uint64_t filtered;    /* transitions of unwanted code */
	uint64_t bad;         /* records that made no sense */
	/* of the transitions given to `event` whose frame was there */
	uint64_t locals_captured;
	uint64_t locals_truncated; /* of those, some value or name was cut */
	uint64_t locals_lost;
	uint64_t locals_skipped;
};

struct stream;
int stream_new(const struct stream_callbacks *callbacks, struct stream **out); /* -ENOMEM */
void stream_free(struct stream *stream);
int stream_feed(struct stream *stream, const void *bytes, size_t size);
const struct stream_counts *stream_counts(const struct stream *stream);

/* The process has gone, or executed something else: frees its code objects. For who keeps none of them and runs for
 * long; the others go with the stream. */
void stream_forget_codes(struct stream *stream, uint32_t pid);

#endif
