// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/run.h"
#include "model/select.h"
#include "model/stream.h"
#include "sink/sink.h"

struct trace {
	struct options options;
	struct selection selection;
	struct run run;
	struct stream *stream;
	struct writer writer;
	struct sink sink;
	uint64_t printed; /* transitions */
	uint64_t beyond;  /* events that came after the limit was reached */
	bool full;        /* the limit is reached */
};

static int on_event(void *ctx, const struct event *event)
{
	struct trace *trace = ctx;

	if (trace->full) {
		trace->beyond++;
		return 0;
	}
	trace->sink.ops->event(&trace->sink, event);
	if (event->type == EVENT_TRANSITION && ++trace->printed == trace->options.max_events)
		trace->full = true;
	return 0;
}

static bool on_code(void *ctx, const struct code *code)
{
	const struct trace *trace = ctx;

	return selection_has_code(&trace->selection, code->qualname, code->file);
}

static void on_verdict(void *ctx, const struct code_record *record, bool wanted)
{
	const struct trace *trace = ctx;

	session_set_verdict(trace->run.session, record->process, record->address, record->code,
			    wanted ? VERDICT_PASS : VERDICT_DROP);
}

static int on_record(void *ctx, const void *bytes, size_t size)
{
	struct trace *trace = ctx;

	return stream_feed(trace->stream, bytes, size);
}

static void on_idle(void *ctx)
{
	struct trace *trace = ctx;

	if (trace->writer.used)
		writer_flush(&trace->writer);
}

static void on_tick(void *ctx, uint64_t now_ns)
{
	struct trace *trace = ctx;

	(void)now_ns;
	writer_flush(&trace->writer);
}

static void on_lost(void *ctx, uint64_t now_ns, const struct loss *since)
{
	struct trace *trace = ctx;

	trace->sink.ops->lost(&trace->sink, now_ns, since);
}

static void on_duty(void *ctx, uint64_t now_ns, uint64_t took_ns, enum budget_level level)
{
	struct trace *trace = ctx;

	if (trace->sink.ops->duty)
		trace->sink.ops->duty(&trace->sink, now_ns, took_ns, level != BUDGET_NONE,
				      level == BUDGET_OUTERMOST);
}

static bool has_enough(const void *ctx)
{
	const struct trace *trace = ctx;

	return trace->full || trace->writer.error;
}

static const struct run_ops trace_ops = {
	.record = on_record,
	.idle = on_idle,
	.tick = on_tick,
	.lost = on_lost,
	.duty = on_duty,
	.enough = has_enough,
};

static void finish(struct trace *trace)
{
	const struct stream_counts *counts = stream_counts(trace->stream);
	struct run_reader reader;
	struct summary summary;

	run_end(&trace->run);
	reader = (struct run_reader){
		.events = counts->transitions + counts->contexts - trace->beyond,
		.filtered = counts->filtered + trace->beyond,
		.bad = counts->bad,
	};
	run_summarise(&trace->run, &reader, &summary);
	summary.locals = (struct locals_counts){ .asked = trace->options.locals,
						 .captured = counts->locals_captured,
						 .truncated = counts->locals_truncated,
						 .lost = counts->locals_lost,
						 .sampled_out = counts->locals_skipped };
	trace->sink.ops->end(&trace->sink, &summary);
}

static int trace_run(struct trace *trace)
{
	int err = writer_open(&trace->writer, trace->options.output), status;

	if (err) {
		complain("%s: %s", trace->options.output, strerror(-err));
		return EXIT_FAILED;
	}
	sink_init(&trace->sink, trace->options.json ? &sink_json : &sink_text, &trace->writer,
		  color_wanted(trace->options.color, trace->options.json, trace->options.output));
	status = run_open(&trace->run, run_wanted(&trace->options));
	if (status)
		return status;
	trace->sink.ops->begin(&trace->sink);
	run_loop(&trace->run);
	finish(trace);
	if (trace->options.verbose)
		run_print_sites(&trace->run);
	return run_status(&trace->run);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	error_t err;

	switch (key) {
	case ARGP_KEY_INIT:
		for (int i = 0; i < 8; i++)
			state->child_inputs[i] = state->input;
		return 0;
	case ARGP_KEY_ARG:
		return options_take_command(state, arg);
	case ARGP_KEY_END:
		err = options_check_targets(state);
		return err ? err : options_check_locals(state);
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_child children[] = {
	{ &argp_targets, 0, NULL, 0 },
	{ &argp_filters, 0, NULL, 0 },
	{ &argp_durations, 0, NULL, 0 },
	{ &argp_context, 0, NULL, 0 },
	{ &argp_stream_locals, 0, NULL, 0 },
	{ &argp_locals_limits, 0, NULL, 0 },
	{ &argp_limits, 0, NULL, 0 },
	{ &argp_output, 0, NULL, 0 },
	{ 0 },
};

static const struct argp trace_argp = {
	.parser = parse,
	.args_doc = "[-- COMMAND [ARG...]]",
	.doc = "Stream every state change of generators, coroutines and async generators.\v"
	       "The last line sums up: every trap taken is accounted for, so what was lost is "
	       "known. "
	       "Ctrl-C ends a run cleanly. A command after -- is ended with SIGTERM when the run "
	       "ends "
	       "before it does.",
	.children = children,
};

int cmd_trace(int argc, char **argv)
{
	struct trace trace = { .options = { .command = "trace" } };
	struct stream_callbacks callbacks = { .event = on_event, .ctx = &trace };
	struct captured_options locals = { .image = run_image, .ctx = &trace.run };
	int status;

	argv[0] = "genscope trace";
	status = options_parse(&trace_argp, argc, argv, &trace.options);
	if (status)
		return status;
	if (trace.options.function_glob || trace.options.file_glob) {
		callbacks.wanted = on_code;
		callbacks.verdict = on_verdict;
	}
	if (trace.options.locals) {
		locals.locals = options_locals(&trace.options);
		callbacks.locals = &locals;
	}
	if (stream_new(&callbacks, &trace.stream)) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	catch_signals();
	trace.run = (struct run){ .options = &trace.options, .ops = &trace_ops, .ctx = &trace };
	trace.selection = (struct selection){ .function_glob = trace.options.function_glob,
					      .file_glob = trace.options.file_glob };
	status = trace_run(&trace);
	status = close_output(&trace.writer, trace.options.output, status);
	session_close(trace.run.session);
	stream_free(trace.stream);
	return status;
}
