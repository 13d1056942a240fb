// SPDX-License-Identifier: MIT
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/report_page.h"
#include "cmd/report_slow.h"
#include "model/recorded.h"
#include "model/replay.h"
#include "model/select.h"
#include "model/stream.h"
#include "model/suspects.h"
#include "model/times.h"
#include "sink/latency.h"
#include "sink/perfetto.h"
#include "sink/sink.h"

#define ROWS_OF_ONE 40 /* of a table that was asked for: a screen */
#define ROWS_OF_ALL 10 /* of each, when all are shown */

/* A function, by its id: as far as it is known already. */
struct known {
	const struct code *code; /* owned by the stream */
	bool selected;
};

struct report {
	struct options options; /* first: the shared parsers' input */
	const char *path, *perfetto_path;
	struct selection selection;
	struct replay *replay;
	struct recorded *recorded; /* the side tables */
	struct stream *stream;     /* NULL until it is known whether there are locals */
	struct times *times;
	struct known *known;
	uint32_t known_end;
	struct writer writer, perfetto_writer;
	struct ps_style style;
	struct sink sink;
	struct sink *perfetto; /* NULL: no such file is wanted */
	struct report_page page;
	struct report_slow slow;
	struct progress progress;
	struct loss lost;           /* told while it was recorded */
	uint64_t first_ns, last_ns; /* of events */
	uint64_t events, filtered;
	bool has_summary;
	struct recording_summary summary;
};

/* --- events --- */

static struct known *know(struct report *report, const struct event *event)
{
	uint32_t id = event->code->id, end = report->known_end ? report->known_end : 256;
	struct known *grown;

	for (; end <= id; end *= 2)
		;
	if (end > report->known_end) {
		grown = realloc(report->known, end * sizeof(*grown));
		if (!grown)
			return NULL;
		memset(grown + report->known_end, 0, (end - report->known_end) * sizeof(*grown));
		report->known = grown;
		report->known_end = end;
	}
	if (report->known[id].code != event->code) {
		report->known[id].code = event->code;
		report->known[id].selected = selection_has_code(
			&report->selection, event->code->qualname, event->code->file);
	}
	return &report->known[id];
}

static int take_transition(struct report *report, const struct event *event, bool *selected)
{
	const struct known *known = know(report, event);

	if (!known)
		return -ENOMEM;
	*selected = known->selected && report->options.kinds & 1u << event->transition->kind;
	return times_add(report->times, event->transition);
}

static int on_event(void *ctx, const struct event *event)
{
	struct report *report = ctx;
	bool selected = true;
	int err = 0;

	if (!report->last_ns)
		report->first_ns = report->last_ns = event->ts_ns;
	if (event->ts_ns > report->last_ns)
		report->last_ns = event->ts_ns;
	if (event->type == EVENT_TRANSITION)
		err = take_transition(report, event, &selected);
	if (!err)
		err = report_slow_event(&report->slow, event);
	if (err)
		return err;
	if (!selected) {
		report->filtered++;
		return 0;
	}
	report->events++;
	if (report->options.json && !report->slow.listed)
		report->sink.ops->event(&report->sink, event);
	if (report->perfetto)
		report->perfetto->ops->event(report->perfetto, event);
	report_page_event(&report->page, event);
	if (report->writer.error)
		return report->writer.error;
	return report->perfetto_writer.error;
}

/* --- the recording --- */

static const struct interpreter *on_image(void *ctx, uint32_t index)
{
	const struct report *report = ctx;

	return recorded_image(report->recorded, index);
}

static const char *on_process_name(void *ctx, uint32_t pid)
{
	const struct report *report = ctx;

	return recorded_process_name(report->recorded, pid);
}

/* What was not given is as it was recorded. */
static struct locals_options locals_options(const struct options *options,
					    const struct recording_wanted *wanted)
{
	return (struct locals_options){
		.limits = { .depth = options->max_depth ? options->max_depth : wanted->locals_depth,
			    .items = options->max_items ? options->max_items : wanted->locals_items,
			    .string = options->max_string ? options->max_string :
							    wanted->locals_string },
		.names_max = options->max_names ? options->max_names : wanted->locals_names,
		.redact = !options->no_redact
	};
}

static int open_stream(struct report *report)
{
	const struct recording_wanted *wanted = recorded_wanted(report->recorded);
	struct stream_callbacks callbacks = { .event = on_event, .ctx = report };
	struct captured_options captured = { .image = on_image, .recorded = true, .ctx = report };

	if (report->stream)
		return 0;
	if (report->options.json && wanted->locals_rate) {
		captured.locals = locals_options(&report->options, wanted);
		callbacks.locals = &captured;
	}
	return stream_new(&callbacks, &report->stream);
}

static int on_record(void *ctx, const void *bytes, size_t size)
{
	const struct record_head *head = bytes;
	struct report *report = ctx;
	int err = open_stream(report);

	if (err)
		return err;
	progress_tick(&report->progress, replay_state(report->replay)->bytes);
	if ((head->type == RECORD_LOCALS || head->type == RECORD_VARIABLES) &&
	    !(report->options.json && recorded_wanted(report->recorded)->locals_rate))
		return 0; /* nobody shows them */
	return stream_feed(report->stream, bytes, size);
}

static void on_loss(struct report *report, const struct recording_loss *loss)
{
	const struct loss since = { loss->ring, loss->map_full, loss->fault };

	report->lost.ring += since.ring;
	report->lost.map_full += since.map_full;
	report->lost.fault += since.fault;
	if (report->options.json)
		report->sink.ops->lost(&report->sink, loss->ts_ns, &since);
	if (report->perfetto)
		report->perfetto->ops->lost(report->perfetto, loss->ts_ns, &since);
	report_page_lost(&report->page, loss->ts_ns, &since);
}

static int on_table(void *ctx, uint32_t kind, const void *bytes, size_t size)
{
	struct report *report = ctx;

	if (kind == TABLE_LOSS)
		on_loss(report, bytes);
	return recorded_add(report->recorded, kind, bytes, size);
}

static int on_end(void *ctx, const struct recording_summary *summary)
{
	struct report *report = ctx;

	report->summary = *summary;
	report->has_summary = true;
	return 0;
}

/* --- what is shown at the end --- */

static uint64_t duration_of(const struct report *report)
{
	return report->has_summary ? report->summary.duration_ns :
				     report->last_ns - report->first_ns;
}

static int collect(const struct report *report, struct latency *table)
{
	int err = 0;

	for (uint32_t id = 0; id < times_end(report->times) && !err; id++) {
		struct latency_code code = { .qualname = "?", .file = "" };
		const struct known *known = id < report->known_end ? &report->known[id] : NULL;
		const struct distributions *times = times_of(report->times, id, &code.kind);
		bool selected = selection_is_all(&report->selection);

		if (!times)
			continue;
		if (known && known->code && id) {
			selected = known->selected;
			code.qualname = known->code->qualname;
			code.file = known->code->file;
			code.first_line = known->code->first_line;
		}
		if (code.kind != KIND_NONE)
			selected = selected && report->options.kinds & 1u << code.kind;
		if (selected)
			err = latency_add(table, &code, times);
	}
	return err;
}

/* Whether there was anything to print. */
static bool print_metric(struct report *report, struct latency *table, enum metric metric,
			 bool below)
{
	const struct latency_page page = { .duration_ns = duration_of(report) };
	const struct ps_view view = { .writer = &report->writer, .style = report->style };
	struct latency_order order = report->options.table.order;
	struct latency_rows rows;

	order.metric = metric;
	latency_sort(table, &order, &rows);
	if (below && rows.count)
		writer_puts(&report->writer, "\n");
	latency_text(&view, &page, &rows);
	return rows.count > 0;
}

static int print_table(struct report *report)
{
	const struct table_options *wanted = &report->options.table;
	struct latency *table;
	bool printed = false;
	int err = latency_new(&table, wanted->by);

	if (!err)
		err = collect(report, table);
	if (!err && wanted->metric_given)
		print_metric(report, table, wanted->order.metric, false);
	for (int metric = 0; metric < METRIC_COUNT && !err && !wanted->metric_given; metric++)
		printed |= print_metric(report, table, (enum metric)metric, printed);
	latency_free(table);
	return err;
}

/* As the recorder counted, and what was filtered or made no sense here. */
static void summarise(const struct report *report, struct summary *out)
{
	const struct recording_summary *recorded = &report->summary;
	const struct stream_counts *counts = stream_counts(report->stream);

	*out = (struct summary){
		.events = report->events,
		.filtered = recorded->value[STAT_FILTERED] + report->filtered,
		.causes = recorded->value[STAT_CAUSES],
		.redundant = recorded->value[STAT_REDUNDANT],
		.strangers = recorded->value[STAT_STRANGERS],
		.lost = { recorded->value[STAT_LOST_RING], recorded->value[STAT_LOST_MAP_FULL],
			  recorded->value[STAT_LOST_FAULT] + recorded->missed },
		.anomalies = recorded->value[STAT_ANOMALIES],
		.stepped_hits = recorded->value[STAT_STEPPED],
		.objects = recorded->value[STAT_OBJECTS],
		.duration_ns = recorded->duration_ns,
		.seeded = recorded->seeded,
		.reconciled = recorded->reconciled,
		.disagreements = recorded->disagreements,
		.hits = recorded->value[STAT_HITS] + recorded->missed,
		.duty_ratio = recorded->duration_ns ?
				      (double)recorded->on_ns / (double)recorded->duration_ns :
				      1,
		.coverage = *recorded->coverage ? recorded->coverage : "full",
		.locals = { .asked = report->options.json &&
				     recorded_wanted(report->recorded)->locals_rate,
			    .captured = counts->locals_captured,
			    .truncated = counts->locals_truncated,
			    .lost = counts->locals_lost,
			    .sampled_out = counts->locals_skipped },
	};
	out->lost.fault += counts->bad;
	out->closes = out->hits == out->events + out->filtered + out->causes + out->redundant +
					   out->strangers + out->lost.ring + out->lost.map_full +
					   out->lost.fault;
}

/* Of a recording without an end: what is in it. How many traps it took nobody has written down. */
static void summarise_rest(const struct report *report, char *coverage, size_t size,
			   struct summary *out)
{
	const struct stream_counts *counts = stream_counts(report->stream);

	snprintf(coverage, size, "the recording is not whole: %s",
		 replay_state(report->replay)->why);
	*out = (struct summary){ .duty_ratio = 1,
				 .events = report->events,
				 .filtered = report->filtered,
				 .lost = report->lost,
				 .objects = times_objects(report->times),
				 .duration_ns = duration_of(report),
				 .coverage = coverage };
	out->lost.fault += counts->bad;
}

static void print_rest(struct report *report, const struct summary *summary)
{
	char duration[24];

	format_duration(summary->duration_ns, duration, sizeof(duration));
	writer_printf(&report->writer,
		      "\n%llu events of %llu objects in %s, %llu lost\n"
		      "%s\n",
		      (unsigned long long)summary->events, (unsigned long long)summary->objects,
		      duration,
		      (unsigned long long)summary->lost.ring + summary->lost.map_full +
			      summary->lost.fault,
		      summary->coverage);
}

static int finish_page(struct report *report, const struct summary *summary)
{
	struct latency *table;
	int err;

	if (!report->page.sink)
		return 0;
	err = latency_new(&table, LATENCY_BY_FUNCTION);
	if (err)
		return err;
	err = collect(report, table);
	if (!err)
		report_page_end(&report->page, report->recorded, table, summary);
	latency_free(table);
	return err;
}

static int finish(struct report *report)
{
	char coverage[REPLAY_WHY_MAX + 64];
	struct summary summary;
	int err = open_stream(report); /* of no record at all */

	report_slow_end(&report->slow, report->last_ns);
	if (!err && !report->options.json && !report->slow.listed)
		err = print_table(report);
	if (err)
		return err;
	if (report->has_summary)
		summarise(report, &summary);
	else
		summarise_rest(report, coverage, sizeof(coverage), &summary);
	if (report->options.json || report->has_summary)
		report->sink.ops->end(&report->sink, &summary);
	else
		print_rest(report, &summary);
	if (report->perfetto)
		report->perfetto->ops->end(report->perfetto, &summary);
	return finish_page(report, &summary);
}

/* --- the run --- */

static int open_perfetto(struct report *report)
{
	const struct perfetto_options options = { .slow_ns = report->slow.over_ns,
						  .process_name = on_process_name,
						  .ctx = report };
	int err = writer_open(&report->perfetto_writer, report->perfetto_path);

	if (err) {
		complain("%s: %s", report->perfetto_path, strerror(-err));
		return EXIT_FAILED;
	}
	if (perfetto_new(&options, &report->perfetto_writer, &report->perfetto)) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	report->perfetto->realtime_offset_ns = replay_about(report->replay)->realtime_offset_ns;
	report->perfetto->ops->begin(report->perfetto);
	return EXIT_DONE;
}

static int open_all(struct report *report)
{
	const struct options *options = &report->options;
	char why[REPLAY_WHY_MAX];
	int err = replay_open(report->path, &report->replay, why);

	if (err) {
		complain("%s: %s", report->path, why);
		return EXIT_FAILED;
	}
	if (times_new(&report->times) || recorded_new(&report->recorded)) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	err = writer_open(&report->writer, options->output);
	if (err) {
		complain("%s: %s", options->output, strerror(-err));
		return EXIT_FAILED;
	}
	ps_style_detect(&report->style, report->writer.fd);
	report->style.color = color_wanted(options->color, options->json, options->output);
	sink_init(&report->sink, options->json ? &sink_json : &sink_text, &report->writer,
		  report->style.color);
	report->sink.realtime_offset_ns = replay_about(report->replay)->realtime_offset_ns;
	if (report->perfetto_path && open_perfetto(report))
		return EXIT_FAILED;
	if (report_page_open(&report->page, report->path, replay_about(report->replay),
			     report->slow.over_ns, options))
		return EXIT_FAILED;
	report->slow.options = options;
	report->slow.selection = &report->selection;
	report->slow.sink = &report->sink;
	report->slow.page = report->page.sink;
	if (!report_slow_open(&report->slow))
		return EXIT_DONE;
	complain("out of memory");
	return EXIT_FAILED;
}

static int report_main(struct report *report)
{
	const struct replay_callbacks callbacks = {
		.record = on_record, .table = on_table, .end = on_end, .ctx = report
	};
	const struct replay_state *state;
	bool quiet = report->options.quiet;
	int status = open_all(report), err;

	if (status)
		return status;
	/* not between the lines of a stream */
	quiet |= report->options.json && isatty(report->writer.fd);
	progress_begin(&report->progress, report->path, quiet);
	err = replay_run(report->replay, &callbacks);
	state = replay_state(report->replay);
	progress_end(&report->progress);
	if (report->writer.error || report->perfetto_writer.error)
		return EXIT_DONE; /* told when they are closed */
	if (!err || *state->why)
		err = finish(report);
	if (err) {
		complain("%s: %s", report->path, strerror(-err));
		return EXIT_FAILED;
	}
	if (state->complete)
		return EXIT_DONE;
	complain("%s: %s: shown is what came before", report->path, state->why);
	return EXIT_FAILED;
}

/* --- options --- */

enum { OPTION_PERFETTO = 0x500, OPTION_HTML, OPTION_SLOW, OPTION_OVER, OPTION_PARKED };

static bool is_standard_output(const char *path)
{
	return !path || !strcmp(path, "-");
}

static error_t check(struct argp_state *state)
{
	struct report *report = state->input;
	struct table_options *table = &report->options.table;

	if (!report->path)
		return options_error(state, "no recording to report on: give its file");
	if (report->perfetto_path && is_standard_output(report->perfetto_path) &&
	    is_standard_output(report->options.output))
		return options_error(state, "--perfetto -: the report goes to standard output: "
					    "give it another place with -o");
	if (table->by == LATENCY_BY_TASK)
		return options_error(state, "--by task: a recording does not tell tasks apart: use "
					    "genscope latency");
	if (report->page.path && is_standard_output(report->page.path) &&
	    is_standard_output(report->options.output))
		return options_error(state, "--html -: the report goes to standard output: "
					    "give it another place with -o");
	if (report->page.path && report->perfetto_path &&
	    !strcmp(report->page.path, report->perfetto_path))
		return options_error(state, "--html and --perfetto: both go to %s: give them two",
				     report->page.path);
	if (!table->limit_given)
		table->order.limit = table->metric_given ? ROWS_OF_ONE : ROWS_OF_ALL;
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct report *report = state->input;
	struct options *options = &report->options;

	switch (key) {
	case ARGP_KEY_INIT:
		for (int i = 0; i < 4; i++)
			state->child_inputs[i] = state->input;
		/* 0: as recorded */
		options->max_depth = options->max_items = options->max_string = 0;
		return 0;
	case OPTION_PERFETTO:
		report->perfetto_path = arg;
		return 0;
	case OPTION_HTML:
		report->page.path = arg;
		return 0;
	case OPTION_SLOW:
		report->slow.listed = true;
		return 0;
	case OPTION_OVER:
		return options_duration(state, "--over", arg, &report->slow.over_ns);
	case OPTION_PARKED:
		return options_duration(state, "--parked", arg, &report->slow.parked_ns);
	case ARGP_KEY_ARG:
		if (report->path)
			return options_error(state, "'%s': one recording at a time", arg);
		report->path = arg;
		return 0;
	case ARGP_KEY_END:
		return check(state);
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option report_options[] = {
	{ 0, 0, 0, 0, "Slow steps and suspects:", 6 },
	{ "slow", OPTION_SLOW, 0, 0,
	  "instead of tables the steps over the limit and suspects, as genscope slow tells them",
	  3 },
	{ "over", OPTION_OVER, "DUR", 0, "how long a step is slow, here and on the page (50ms)",
	  3 },
	{ "parked", OPTION_PARKED, "DUR", 0,
	  "suspended for how long at the end makes a suspect (1h)", 6 },
	{ "perfetto", OPTION_PERFETTO, "FILE", 0,
	  "also write a trace for ui.perfetto.dev and chrome://tracing", 5 },
	{ "html", OPTION_HTML, "FILE", 0,
	  "also write a page for a browser: timeline, await chains, distributions, all in one file",
	  5 },
	{ 0 },
};

static const struct argp_child children[] = {
	{ &argp_filters, 0, NULL, 0 },
	{ &argp_table, 0, NULL, 0 },
	{ &argp_locals_limits, 0, "Locals, with --json (limits: as recorded):", 4 },
	{ &argp_output, 0, NULL, 0 },
	{ 0 },
};

static const struct argp report_argp = {
	.options = report_options,
	.parser = parse,
	.args_doc = "FILE",
	.doc = "Show a recording of genscope record: how long functions ran and waited, or with "
	       "--json the lines that genscope trace would have written. No root, no target.\v"
	       "FILE may be - for standard input. Without --metric there is a table of each, of 10 "
	       "rows; with it one, of 40. Of a recording that is cut or damaged the readable "
	       "beginning is shown, and the exit status is 1.",
	.children = children,
};

static int close_all(struct report *report, int status)
{
	if (perfetto_free(report->perfetto)) {
		complain("%s: out of memory: the trace is not complete", report->perfetto_path);
		status = EXIT_FAILED;
	}
	if (report->perfetto_writer.buffer)
		status = close_output(&report->perfetto_writer, report->perfetto_path, status);
	status = report_page_close(&report->page, status);
	if (report->writer.buffer)
		status = close_output(&report->writer, report->options.output, status);
	stream_free(report->stream);
	report_slow_close(&report->slow);
	times_free(report->times);
	recorded_free(report->recorded);
	replay_close(report->replay);
	free(report->known);
	return status;
}

int cmd_report(int argc, char **argv)
{
	struct report report = { .options = { .command = "report" },
				 .slow = { .over_ns = SLOW_OVER_NS,
					   .parked_ns = SUSPECT_PARKED_NS } };
	int status;

	argv[0] = "genscope report";
	status = options_parse(&report_argp, argc, argv, &report.options);
	if (status)
		return status;
	signal(SIGPIPE, SIG_IGN);
	report.selection = (struct selection){ .function_glob = report.options.function_glob,
					       .file_glob = report.options.file_glob };
	status = report_main(&report);
	return close_all(&report, status);
}
