/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_STREAM_H
#define GENSCOPE_MODEL_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
};

struct event {
	uint8_t type; /* enum event_type */
	uint64_t ts_ns;
	uint32_t pid, tid;
	/* transition */
	const struct transition_record *transition; /* valid during the call */
	struct code *code;
	uint32_t line; /* 0: none */
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
	void *ctx;
};

struct stream_counts {
	uint64_t transitions; /* given to `event` */
	uint64_t contexts;    /* gc, import and audit events given to `event` */
	uint64_t filtered;    /* transitions of unwanted code */
	uint64_t bad;         /* records that made no sense */
};

struct stream;
int stream_new(const struct stream_callbacks *callbacks, struct stream **out); /* -ENOMEM */
void stream_free(struct stream *stream);
int stream_feed(struct stream *stream, const void *bytes, size_t size);
const struct stream_counts *stream_counts(const struct stream *stream);

#endif
