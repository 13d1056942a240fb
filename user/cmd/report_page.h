/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_CMD_REPORT_PAGE_H
#define GENSCOPE_CMD_REPORT_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/options.h"
#include "model/latency.h"
#include "model/recorded.h"
#include "sink/html.h"
#include "sink/sink.h"

/* `report --html`, and the line that says how far a report has come. */

struct report_page {
	const char *path;  /* NULL: no page is wanted; then nothing here does anything */
	struct sink *sink; /* NULL: it is not open */
	struct writer writer;
	const struct options *options;
	char filters[1024]; /* in words */
};

/* EXIT_DONE, or the exit status to end with: why was said. `recording` is its path; steps of `slow_ns` and more will
 * be put on the page, and suspects (report_slow.h). */
int report_page_open(struct report_page *page, const char *recording,
		     const struct recording_about *about, uint64_t slow_ns,
		     const struct options *options);
void report_page_event(struct report_page *page, const struct event *event);
void report_page_lost(struct report_page *page, uint64_t ts_ns, const struct loss *since);
void report_page_end(struct report_page *page, const struct recorded *recorded,
		     struct latency *table, const struct summary *summary);
/* `status`, or what else to end with. */
int report_page_close(struct report_page *page, int status);

/* On standard error, if that is a terminal and it takes longer than a second. */
struct progress {
	bool wanted, shown;
	uint64_t total_bytes; /* 0: not known */
	uint64_t next_ns;
	unsigned ticks;
};

void progress_begin(struct progress *progress, const char *path, bool quiet);
void progress_tick(struct progress *progress, uint64_t bytes);
void progress_end(struct progress *progress);

#endif
