// SPDX-License-Identifier: MIT
#include "cmd/report_page.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "model/names.h"
#include "records.h"
#include "target/clock.h"

#define ALL_KINDS (1u << KIND_GENERATOR | 1u << KIND_COROUTINE | 1u << KIND_ASYNC_GENERATOR)

#define PROGRESS_AFTER_NS 1000000000ull
#define PROGRESS_EACH_NS  200000000ull
#define PROGRESS_TICKS    4096 /* records between two looks at the clock */

/* --- the page --- */

/* What of the recording is asked for, in words; "": everything. */
static void describe_filters(const struct options *options, char *out, size_t size)
{
	size_t used = 0;

	*out = 0;
	if (options->function_glob)
		used += (size_t)snprintf(out, size, "--function %s ", options->function_glob);
	if (options->file_glob && used < size)
		used += (size_t)snprintf(out + used, size - used, "--file %s ", options->file_glob);
	for (uint8_t kind = KIND_GENERATOR; kind < KIND_COUNT; kind++)
		if (options->kinds != ALL_KINDS && options->kinds & 1u << kind && used < size)
			used += (size_t)snprintf(out + used, size - used, "--kind %s ",
						 name_of_kind(kind));
}

int report_page_open(struct report_page *page, const char *recording,
		     const struct recording_about *about, const struct options *options)
{
	const char *slash = strrchr(recording, '/');
	struct html_options html = { .about = *about, .file = slash ? slash + 1 : recording };
	int err;

	if (!page->path)
		return EXIT_DONE;
	err = writer_open(&page->writer, page->path);
	if (err) {
		complain("%s: %s", page->path, strerror(-err));
		return EXIT_FAILED;
	}
	describe_filters(options, page->filters, sizeof(page->filters));
	if (*page->filters)
		html.filters = page->filters;
	if (!strcmp(recording, "-"))
		html.file = NULL;
	if (html_new(&html, &page->writer, &page->sink)) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	page->sink->ops->begin(page->sink);
	return EXIT_DONE;
}

void report_page_event(struct report_page *page, const struct event *event)
{
	if (page->sink)
		page->sink->ops->event(page->sink, event);
}

void report_page_lost(struct report_page *page, uint64_t ts_ns, const struct loss *since)
{
	if (page->sink)
		page->sink->ops->lost(page->sink, ts_ns, since);
}

void report_page_end(struct report_page *page, const struct recorded *recorded,
		     struct latency *table, const struct summary *summary)
{
	const struct latency_order order = { .metric = METRIC_RUN,
					     .sort = LATENCY_SORT_TOTAL,
					     .limit = HTML_FUNCTIONS };
	struct recorded_process process;
	struct latency_rows rows;

	for (size_t i = 0; recorded_process_at(recorded, i, &process); i++) {
		const struct html_process told = { process.pid, process.name, process.version };

		html_process(page->sink, &told);
	}
	latency_sort(table, &order, &rows);
	html_functions(page->sink, &rows);
	page->sink->ops->end(page->sink, summary);
}

int report_page_close(struct report_page *page, int status)
{
	if (html_free(page->sink)) {
		complain("%s: out of memory: the page is not complete", page->path);
		status = EXIT_FAILED;
	}
	if (page->writer.buffer)
		status = close_output(&page->writer, page->path, status);
	return status;
}

/* --- progress --- */

void progress_begin(struct progress *progress, const char *path, bool quiet)
{
	struct stat stat_of;

	*progress = (struct progress){ .wanted = !quiet && isatty(STDERR_FILENO),
				       .next_ns = clock_now_ns() + PROGRESS_AFTER_NS };
	if (strcmp(path, "-") && !stat(path, &stat_of) && S_ISREG(stat_of.st_mode))
		progress->total_bytes = (uint64_t)stat_of.st_size;
}

void progress_tick(struct progress *progress, uint64_t bytes)
{
	uint64_t now_ns;

	if (!progress->wanted || ++progress->ticks % PROGRESS_TICKS)
		return;
	now_ns = clock_now_ns();
	if (now_ns < progress->next_ns)
		return;
	progress->next_ns = now_ns + PROGRESS_EACH_NS;
	progress->shown = true;
	if (progress->total_bytes)
		fprintf(stderr, "\rgenscope: %.0f%% of the recording read ",
			100.0 * (double)bytes / (double)progress->total_bytes);
	else
		fprintf(stderr, "\rgenscope: %llu MiB read ", (unsigned long long)bytes >> 20);
}

void progress_end(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
	progress->shown = false;
}
