// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/run.h"
#include "model/latency.h"
#include "model/select.h"
#include "model/stream.h"
#include "sink/latency.h"
#include "sink/sink.h"
#include "target/clock.h"

#define ROWS_DEFAULT 40 /* of text: a screen */

/* A code object of the run. */
struct known {
	const struct code *code; /* owned by the stream */
	bool wanted;
	struct distributions *before; /* as of the last page; NULL: nothing yet */
};

struct latency_run {
	struct options options; /* first: the shared parsers' input */
	bool bars, buckets, steps;
	uint64_t interval_ns, next_page_ns, page_start_ns;
	struct selection selection;
	struct run run;
	struct stream *stream;
	struct writer writer;
	struct ps_style style;
	struct known
		codes[DISTRIBUTIONS_MAX]; /* by id; [0]: all without distributions of their own */
	char *tasks[DISTRIBUTIONS_MAX];   /* --by task: their names, by row */
	uint32_t code_end;
	const struct code *named; /* between on_code() and on_verdict() */
	bool out_of_memory;
	bool full; /* --max-events */
};

static bool on_code(void *ctx, const struct code *code)
{
	struct latency_run *latency = ctx;

	latency->named = code;
	return selection_has_code(&latency->selection, code->qualname, code->file);
}

static void on_verdict(void *ctx, const struct code_record *record, bool wanted)
{
	struct latency_run *latency = ctx;

	if (record->code >= DISTRIBUTIONS_MAX || latency->options.table.by == LATENCY_BY_TASK)
		return;
	latency->codes[record->code].code = latency->named;
	latency->codes[record->code].wanted = wanted;
	if (record->code >= latency->code_end)
		latency->code_end = record->code + 1;
}

static void on_task(void *ctx, uint32_t row, const char *name)
{
	struct latency_run *latency = ctx;

	if (!row || row >= DISTRIBUTIONS_MAX)
		return;
	free(latency->tasks[row]);
	latency->tasks[row] = strdup(name);
	latency->out_of_memory |= !latency->tasks[row];
	if (row >= latency->code_end)
		latency->code_end = row + 1;
}

static int on_event(void *ctx, const struct event *event)
{
	(void)ctx;
	(void)event;
	return 0;
}

static int on_record(void *ctx, const void *bytes, size_t size)
{
	struct latency_run *latency = ctx;

	return stream_feed(latency->stream, bytes, size);
}

/* What is new of this code since the last page. */
static int take_times(struct latency_run *latency, uint32_t id, struct distributions *out)
{
	struct known *known = &latency->codes[id];
	struct distributions now;

	if (session_distributions(latency->run.session, id, &now))
		return -ENOENT;
	*out = now;
	if (!latency->interval_ns)
		return 0;
	if (known->before)
		distributions_since(out, known->before);
	else
		known->before = malloc(sizeof(*known->before));
	if (!known->before)
		return -ENOMEM;
	*known->before = now;
	return 0;
}

static int collect(struct latency_run *latency, struct latency *table)
{
	static const struct latency_code others = { .qualname = "(other functions)",
						    .file = "",
						    .task = "(other tasks)" };
	struct distributions *times = malloc(sizeof(*times));
	int err = times ? 0 : -ENOMEM;

	for (uint32_t id = 0; id < latency->code_end && !err; id++) {
		const struct known *known = &latency->codes[id];
		struct latency_code code = others;

		if (id && !latency->tasks[id] && (!known->code || !known->wanted))
			continue;
		if (!id && !selection_is_all(&latency->selection))
			continue; /* of many, who knows of which */
		if (latency->tasks[id])
			code = (struct latency_code){ .task = latency->tasks[id],
						      .kind = KIND_COROUTINE };
		else if (id)
			code = (struct latency_code){ .qualname = known->code->qualname,
						      .file = known->code->file,
						      .first_line = known->code->first_line,
						      .kind = known->code->kind };
		err = take_times(latency, id, times);
		if (!err)
			err = latency_add(table, &code, times);
		else if (err == -ENOENT)
			err = 0;
	}
	free(times);
	return err;
}

static void print_page(struct latency_run *latency, uint64_t now_ns)
{
	const struct latency_page page = { .duration_ns = now_ns - latency->page_start_ns,
					   .bars = latency->bars,
					   .buckets = latency->buckets };
	const struct ps_view view = { .writer = &latency->writer, .style = latency->style };
	struct latency_rows rows;
	struct latency *table;
	int err = latency_new(&table, latency->options.table.by);

	if (!err)
		err = collect(latency, table);
	if (err) {
		latency->out_of_memory = true;
		latency_free(table);
		return;
	}
	latency_sort(table, &latency->options.table.order, &rows);
	if (latency->options.json)
		latency_json(&view, &page, &rows);
	else
		latency_text(&view, &page, &rows);
	writer_flush(&latency->writer);
	latency_free(table);
	latency->page_start_ns = now_ns;
}

static void on_tick(void *ctx, uint64_t now_ns)
{
	struct latency_run *latency = ctx;
	struct session_stats stats;

	session_stats(latency->run.session, &stats);
	latency->full = latency->options.max_events &&
			stats.value[STAT_EVENTS] >= latency->options.max_events;
	if (!latency->interval_ns || now_ns < latency->next_page_ns)
		return;
	latency->next_page_ns = now_ns + latency->interval_ns;
	print_page(latency, now_ns);
}

static bool has_enough(const void *ctx)
{
	const struct latency_run *latency = ctx;

	return latency->full || latency->writer.error || latency->out_of_memory;
}

static const struct run_ops latency_ops = {
	.record = on_record,
	.tick = on_tick,
	.enough = has_enough,
};

/* The sites that the shown metrics need: a metric that is not asked for costs no traps. */
static unsigned tells_for(const struct latency_run *latency)
{
	if (latency->steps)
		return TELLS_STEPS;
	if (latency->options.json && !latency->options.table.metric_given)
		return TELLS_BIRTH | TELLS_RUN | TELLS_SUSPEND | TELLS_CLOSE | TELLS_CODE_FREE;
	switch (latency->options.table.order.metric) {
	case METRIC_START:
		/* the first step alone would do, but one that never ends looks like an anomaly */
		return TELLS_BIRTH | TELLS_RUN | TELLS_SUSPEND | TELLS_CLOSE | TELLS_CODE_FREE;
	case METRIC_LIFETIME:
		return TELLS_BIRTH | TELLS_CLOSE | TELLS_CODE_FREE;
	default:
		return TELLS_RUN | TELLS_SUSPEND | TELLS_CLOSE | TELLS_CODE_FREE;
	}
}

static void summarise(struct latency_run *latency)
{
	const struct stream_counts *counts = stream_counts(latency->stream);
	struct run_reader reader = { .bad = counts->bad };
	struct session_stats stats;
	struct summary summary;
	struct sink sink;

	session_stats(latency->run.session, &stats);
	reader.events = stats.value[STAT_EVENTS];
	run_summarise(&latency->run, &reader, &summary);
	sink_init(&sink, latency->options.json ? &sink_json : &sink_text, &latency->writer,
		  latency->style.color);
	sink.ops->end(&sink, &summary);
}

static int latency_main(struct latency_run *latency)
{
	struct session_options wanted = {
		.distributions = true,
		.steps = latency->steps,
		.tasks = latency->options.table.by == LATENCY_BY_TASK,
		.seed = !latency->steps,
		.tells = tells_for(latency),
	};
	int err = writer_open(&latency->writer, latency->options.output), status;

	if (err) {
		complain("%s: %s", latency->options.output, strerror(-err));
		return EXIT_FAILED;
	}
	ps_style_detect(&latency->style, latency->writer.fd);
	latency->style.color = color_wanted(latency->options.color, latency->options.json,
					    latency->options.output);
	status = run_open(&latency->run, wanted);
	if (status)
		return status;
	latency->page_start_ns = latency->run.start_ns;
	latency->next_page_ns = latency->run.start_ns + latency->interval_ns;
	run_loop(&latency->run);
	run_end(&latency->run);
	print_page(latency, clock_now_ns());
	summarise(latency);
	if (latency->options.verbose)
		run_print_sites(&latency->run);
	if (latency->out_of_memory) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	return run_status(&latency->run);
}

enum {
	OPTION_BARS = 0x300,
	OPTION_BUCKETS,
	OPTION_STEPS,
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct latency_run *latency = state->input;
	struct table_options *table = &latency->options.table;

	switch (key) {
	case ARGP_KEY_INIT:
		for (int i = 0; i < 6; i++)
			state->child_inputs[i] = state->input;
		return 0;
	case 'i':
		return options_duration(state, "--interval", arg, &latency->interval_ns);
	case OPTION_BARS:
		latency->bars = true;
		return 0;
	case OPTION_BUCKETS:
		latency->buckets = true;
		return 0;
	case OPTION_STEPS:
		latency->steps = true;
		return 0;
	case ARGP_KEY_ARG:
		return options_take_command(state, arg);
	case ARGP_KEY_END:
		if (latency->steps && table->order.metric > METRIC_SUSPENDED)
			return options_error(state, "--steps sees no births: --metric is run, self "
						    "or suspended with it");
		if (table->by == LATENCY_BY_TASK &&
		    (latency->options.function_glob || latency->options.file_glob))
			return options_error(state, "--by task: -f and -F select functions: leave "
						    "them out");
		if (!table->limit_given && !latency->options.json)
			table->order.limit = ROWS_DEFAULT;
		return options_check_targets(state);
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option latency_options[] = {
	{ "interval", 'i', "DUR", 0, "print again and again, each time what is new", 3 },
	{ "histogram", OPTION_BARS, 0, 0, "the distribution of every row, not only of one alone",
	  0 },
	{ "buckets", OPTION_BUCKETS, 0, 0, "in JSON: what the distributions are made of", 0 },
	{ "steps", OPTION_STEPS, 0, 0,
	  "only outermost steps, what an event loop drives: two traps a step, however deep it "
	  "awaits",
	  0 },
	{ 0 },
};

static const struct argp_child children[] = {
	{ &argp_targets, 0, NULL, 0 },
	{ &argp_filters, 0, NULL, 0 },
	{ &argp_durations, 0, NULL, 0 },
	{ &argp_table, 0, NULL, 0 },
	{ &argp_limits, 0, NULL, 0 },
	{ &argp_output, 0, NULL, 0 },
	{ 0 },
};

static const struct argp latency_argp = {
	.options = latency_options,
	.parser = parse,
	.args_doc = "[-- COMMAND [ARG...]]",
	.doc = "Distributions of how long functions ran and waited, kept in the kernel: nothing is "
	       "streamed.\v"
	       "Without --metric and --limit: 40 rows by run; in JSON all rows, with all metrics. "
	       "Quantiles are exact to 6 %. Ctrl-C, -d or the target's end prints the table.",
	.children = children,
};

int cmd_latency(int argc, char **argv)
{
	struct latency_run *latency = calloc(1, sizeof(*latency));
	struct stream_callbacks callbacks = { .event = on_event,
					      .wanted = on_code,
					      .verdict = on_verdict,
					      .task = on_task,
					      .ctx = latency };
	int status;

	if (!latency || stream_new(&callbacks, &latency->stream)) {
		complain("out of memory");
		free(latency);
		return EXIT_FAILED;
	}
	latency->options.command = "latency";
	latency->code_end = 1;
	latency->writer.fd = -1;
	argv[0] = "genscope latency";
	status = options_parse(&latency_argp, argc, argv, &latency->options);
	if (!status) {
		catch_signals();
		latency->run = (struct run){ .options = &latency->options,
					     .ops = &latency_ops,
					     .ctx = latency };
		latency->selection =
			(struct selection){ .function_glob = latency->options.function_glob,
					    .file_glob = latency->options.file_glob };
		status = latency_main(latency);
		status = close_output(&latency->writer, latency->options.output, status);
		session_close(latency->run.session);
	}
	for (uint32_t id = 0; id < latency->code_end; id++) {
		free(latency->codes[id].before);
		free(latency->tasks[id]);
	}
	stream_free(latency->stream);
	free(latency);
	return status;
}
