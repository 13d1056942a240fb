/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_HTML_H
#define GENSCOPE_SINK_HTML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/latency.h"
#include "model/recording.h"
#include "sink/sink.h"

/*
 * A recording as one page that needs no network: its style and script are in it, and its numbers as
 * JSON. Written at the end. Memory and page are bounded, whatever the length of the recording: what cannot
 * be seen is added up, and the page says so.
 */

#define HTML_FUNCTIONS 2000 /* rows of its table: give it no more */
#define HTML_SLOW      500  /* of these the longest are kept … */
#define HTML_SUSPECTS  500  /* … and the oldest */

struct html_options {
	struct recording_about about;
	const char *file;    /* the recording's name; NULL: it has none */
	const char *filters; /* in words, what was asked for; "" or NULL at end(): everything */
	/* Steps that were looked for with html_slow(), and objects with html_suspect(). */
	bool looks_for_slow, looks_for_suspects;
	uint64_t slow_ns; /* from that length on */
};

/* A sink as any other. The writer is borrowed, the texts of the options are until end(). -ENOMEM. */
int html_new(const struct html_options *options, struct writer *writer, struct sink **out);

/* 0, or -ENOMEM: the page is whole, but something is not on it. NULL is fine. */
int html_free(struct sink *sink);

/* All that follow are for before end(). Nothing fails: see html_free(). Texts are copied. */

struct html_process {
	uint32_t pid;
	const char *name, *python; /* command line, version; NULL: not known */
};
void html_process(struct sink *sink, const struct html_process *process);

/* The table of functions, in its order; borrowed until end(). */
void html_functions(struct sink *sink, const struct latency_rows *rows);

/* A place in Python code. `file` "" and `line` 0: not known. */
struct html_frame {
	uint64_t id; /* of the object; 0: none */
	const char *qualname, *file;
	uint32_t line;
};

struct html_reason {
	const char *type, *name; /* "gc", "import" or "audit"; of what */
	uint64_t ns;             /* 0: it has no length */
};

struct html_slow {
	const struct html_frame *chain; /* outermost first; the last one is the step's own */
	size_t chain_count;
	const struct html_reason *reasons;
	size_t reason_count;
	uint32_t pid, tid;
	uint64_t begin_ns, run_ns; /* CLOCK_MONOTONIC, as events have it */
	uint64_t self_ns;
	bool running; /* it had not ended */
};
void html_slow(struct sink *sink, const struct html_slow *slow);

struct html_suspect {
	const char *what;                 /* "never_awaited", "unclosed", "parked" */
	const char *kind;                 /* "coroutine" … */
	struct html_frame object;         /* where it stands, or was defined */
	const struct html_frame *created; /* the chain that made it, outermost first */
	size_t created_count;             /* 0: not seen */
	uint32_t pid;
	uint64_t since_ns; /* in that state; CLOCK_MONOTONIC */
};
void html_suspect(struct sink *sink, const struct html_suspect *suspect);

#endif
