/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_HTML_INTERNAL_H
#define GENSCOPE_SINK_HTML_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/flame.h"
#include "model/steps.h"
#include "model/timeline.h"
#include "sink/html.h"

/* What html.c takes in, html_names.c and html_notes.c keep, and html_data.c writes. */

/* Texts, each once. Their numbers stay. */
struct texts {
	char **at;
	uint32_t count, room; /* a power of two */
	uint32_t *slots;      /* twice as many; number + 1, 0: empty */
};

struct page_function {
	uint32_t qualname, file; /* texts */
	uint32_t first_line;
	uint8_t kind;
};

/* Functions as people tell them apart: not by process, nor by code object. */
struct functions {
	struct page_function *at;
	uint32_t count, room;
	uint32_t *slots;
};

/* The function of a code id. */
struct by_code {
	uint32_t function;
	bool seen, named; /* named: its code object's record has come */
};

/* What somebody else found. Texts are numbers, NO_TEXT: none. */
#define NO_TEXT UINT32_MAX

struct page_frame {
	uint64_t id;
	uint32_t qualname, file, line;
};

struct page_reason {
	uint64_t ns;
	uint32_t type, name;
};

struct slow_note {
	uint64_t rank; /* how long it ran */
	uint64_t begin_ns, self_ns;
	uint32_t pid, tid;
	bool running;
	size_t chain_count, reason_count;
	const struct page_frame *chain; /* behind this struct */
	const struct page_reason *reasons;
};

struct suspect_note {
	uint64_t rank; /* UINT64_MAX minus since when */
	uint32_t what, kind, pid;
	struct page_frame object;
	size_t created_count;
	const struct page_frame *created; /* behind this struct */
};

/* Of any of these, the ones of the highest rank, which is what each begins with. */
struct notes {
	uint64_t **at;
	size_t count, limit;
	uint64_t told; /* all that came */
};

struct page_process {
	uint32_t pid, name, python;
};

enum mark_type { MARK_GC = 0, MARK_IMPORT = 1, MARK_AUDIT = 2 };

#define LOSSES_MAX 1000 /* moments of loss that are kept; more are added to the last */

struct page_loss {
	uint64_t ts_ns, count;
};

struct html {
	struct sink sink; /* first: a sink is one of these */
	struct html_options options;
	int error; /* -ENOMEM once: nothing more is taken in */
	bool begun;
	uint64_t first_ns, last_ns;
	const struct event *event; /* that is being taken in */
	struct steps *steps;
	struct flame *flame;
	struct timeline *timeline;
	struct texts texts;
	struct functions functions;
	struct by_code *by_code;
	uint32_t by_code_room;
	const struct latency_rows *rows;
	struct notes slow, suspects;
	struct page_process *processes;
	size_t process_count;
	struct page_loss losses[LOSSES_MAX];
	size_t loss_count;
	uint64_t context[3]; /* events, by enum mark_type */
};

/* -ENOMEM. */
int texts_find(struct texts *texts, const char *text, uint32_t *out);
void texts_free(struct texts *texts);
int functions_find(struct html *html, const char *qualname, const char *file, uint32_t first_line,
		   uint8_t kind, uint32_t *out);
void functions_free(struct functions *functions);

/* Highest first, at most `limit`. */
void notes_sort(struct notes *notes);
void notes_free(struct notes *notes);

/* All that is known, as one JSON value. -ENOMEM: it is whole, but something is not in it. */
int put_page_data(struct html *html, const struct summary *summary);
/* Of that, the timeline, with marks and activity. */
int put_page_timeline(const struct html *html, struct writer *writer);

/* Nanoseconds since the page's first event. */
static inline uint64_t page_time(const struct html *html, uint64_t ts_ns)
{
	return ts_ns > html->first_ns ? ts_ns - html->first_ns : 0;
}

#endif
