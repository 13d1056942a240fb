// SPDX-License-Identifier: MIT
#include "cmd/report_page.h"

#include <stdarg.h>
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

struct words {
	char *out;
	size_t size, used;
};

static void say(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct words *words, const char *format, ...)
{
	va_list args;
	int length;

	if (words->used >= words->size)
		return;
	va_start(args, format);
	length = vsnprintf(words->out + words->used, words->size - words->used, format, args);
	va_end(args);
	words->used += length > 0 ? (size_t)length : 0;
}

/* What was not asked for, of the recorder or now, is not on the page; nothing: it is everything. */
static void describe_filters(const struct options *options, const struct recording_wanted *wanted,
			     struct words *words)
{
	const char *before = "only kinds ";

	if (wanted->code_filters)
		say(words, "only some functions or files were recorded; ");
	if (wanted->min_run_ns || wanted->min_suspended_ns)
		say(words, "only long steps or waits were recorded; ");
	for (unsigned kind = KIND_GENERATOR; kind < KIND_COUNT; kind++) {
		unsigned recorded = wanted->kinds ? wanted->kinds : ALL_KINDS;

		if ((options->kinds & recorded & ALL_KINDS) == ALL_KINDS ||
		    !(options->kinds & recorded & 1u << kind))
			continue;
		say(words, "%s%s", before, name_of_kind((uint8_t)kind));
		before = ", ";
	}
	if (*before == ',')
		say(words, "; ");
	if (options->function_glob)
		say(words, "only functions %s; ", options->function_glob);
	if (options->file_glob)
		say(words, "only files %s; ", options->file_glob);
	if (words->used >= 2 && words->used < words->size)
		words->out[words->used - 2] = 0;
}

int report_page_open(struct report_page *page, const char *recording,
		     const struct recording_about *about, uint64_t slow_ns,
		     const struct options *options)
{
	const char *slash = strrchr(recording, '/');
	struct html_options html = { .about = *about,
				     .file = slash ? slash + 1 : recording,
				     .looks_for_slow = true,
				     .looks_for_suspects = true,
				     .slow_ns = slow_ns };
	int err;

	if (!page->path)
		return EXIT_DONE;
	err = writer_open(&page->writer, page->path);
	if (err) {
		complain("%s: %s", page->path, strerror(-err));
		return EXIT_FAILED;
	}
	page->options = options;
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
	struct words words = { page->filters, sizeof(page->filters), 0 };
	struct recorded_process process;
	struct latency_rows rows;

	describe_filters(page->options, recorded_wanted(recorded), &words);
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
