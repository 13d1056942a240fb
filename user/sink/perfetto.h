/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_PERFETTO_H
#define GENSCOPE_SINK_PERFETTO_H

#include <stdint.h>

#include "sink/sink.h"

/*
 * A trace for ui.perfetto.dev and chrome://tracing, in the JSON of the Trace Event Format: a track a
 * thread with a slice a step, arrows from where an object was suspended in an await, or created, to the
 * step that goes on, and a bar an object from its birth to its end. Written while events come: memory
 * grows with the objects alive, the threads and the functions.
 */

struct perfetto_options {
	uint64_t slow_ns; /* steps that ran longer are marked; 0: none */
	/* Names for the tracks; NULL, or a NULL answer: by number. */
	const char *(*process_name)(void *ctx, uint32_t pid);
	const char *(*thread_name)(void *ctx, uint32_t pid, uint32_t tid);
	void *ctx;
};

/* A sink as any other; its end() completes the file. The writer is borrowed. -ENOMEM. */
int perfetto_new(const struct perfetto_options *options, struct writer *writer, struct sink **out);

/* 0, or -ENOMEM: the file is whole as JSON, but events were left out of it. NULL is fine. */
int perfetto_free(struct sink *sink);

#endif
