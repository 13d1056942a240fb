// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "model/stream.h"
#include "session/seed.h"
#include "session/session.h"
#include "sink/sink.h"
#include "target/clock.h"

#define POLL_MS        10           /* how late an event may be shown */
#define TICK_NS        100000000ull /* between looks at losses, targets and limits */
#define TRACER_NICE    (-10) /* a tracer that is not scheduled loses events; it uses little itself */
#define DRAIN_ROUNDS   1000
#define NAMES_DEFAULT  16
#define RECONCILED_MAX 10000 /* objects of each target: some 10 ms of work at the end of a run */

struct trace {
	struct options options;
	struct session *session;
	struct stream *stream;
	struct writer writer;
	struct sink sink;
	uint64_t printed; /* transitions */
	uint64_t beyond;  /* events that came after the limit was reached */
	uint64_t start_ns, end_ns, next_tick_ns;
	struct loss told; /* losses already shown */
	struct reconciliation reconciliation;
	bool full; /* the limit is reached */
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
	const struct options *options = &trace->options;

	if (options->function_glob && fnmatch(options->function_glob, code->qualname, 0))
		return false;
	return !options->file_glob || !fnmatch(options->file_glob, code->file, 0);
}

static void on_verdict(void *ctx, const struct code_record *record, bool wanted)
{
	const struct trace *trace = ctx;

	session_set_verdict(trace->session, record->process, record->address, record->code,
			    wanted ? VERDICT_PASS : VERDICT_DROP);
}

static const struct interpreter *on_image(void *ctx, uint32_t index)
{
	const struct trace *trace = ctx;
	const struct images *images = session_images(trace->session);

	return index < images->count ? &images->at[index]->interpreter : NULL;
}

static int on_record(void *ctx, const void *bytes, size_t size)
{
	struct trace *trace = ctx;

	return stream_feed(trace->stream, bytes, size);
}

static bool on_stopped(void *ctx)
{
	const struct trace *trace = ctx;

	return stop_requested || trace->full || trace->writer.error ||
	       (trace->end_ns && clock_now_ns() >= trace->end_ns);
}

static void on_warning(void *ctx, const char *message)
{
	const struct trace *trace = ctx;

	if (!trace->options.quiet)
		complain("%s", message);
}

static int open_session(struct trace *trace, char *why)
{
	const struct options *options = &trace->options;
	struct session_options wanted = {
		.kinds = options->kinds,
		.min_run_ns = options->min_run_ns,
		.min_suspended_ns = options->min_suspended_ns,
		.filter_codes = options->function_glob || options->file_glob,
		.seed = true,
		.stopped = on_stopped,
		.watch_exec = options->all || options->cgroup,
		.context = options->context,
		.warn = on_warning,
		.record = on_record,
		.ctx = trace,
	};

	if (options->locals)
		wanted.locals = (struct session_locals){ .rate = options->locals_rate,
							 .depth = options->max_depth,
							 .names = options->max_names,
							 .items = options->max_items,
							 .string = options->max_string };
	features_set_verbose(options->verbose);
	return session_open(&wanted, &trace->session, why);
}

static int attach_exe(struct trace *trace, char *why)
{
	struct image_file *image;
	int err = images_of_executable(session_images(trace->session), trace->options.exe, &image,
				       why);

	return err ? err : session_attach_image(trace->session, image, why);
}

static int attach_pids(struct trace *trace, char *why)
{
	char reason[IMAGE_WHY_MAX];

	for (size_t i = 0; i < trace->options.pid_count; i++) {
		int err = session_attach_process(trace->session, trace->options.pids[i], reason);

		if (!err)
			continue;
		snprintf(why, IMAGE_WHY_MAX, "pid %d: %.400s", trace->options.pids[i], reason);
		return err;
	}
	return 0;
}

static int attach(struct trace *trace, char *why)
{
	const struct options *options = &trace->options;

	if (options->argv)
		return session_start_command(trace->session, options->argv, why);
	if (options->exe)
		return attach_exe(trace, why);
	if (options->all || options->cgroup)
		return session_attach_all(trace->session, options->cgroup, why);
	return attach_pids(trace, why);
}

/* Scripts wait for this line. */
static void say_attached(struct trace *trace)
{
	const struct images *images = session_images(trace->session);
	char interpreters[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < images->count && used < sizeof(interpreters); i++)
		used += (size_t)snprintf(
			interpreters + used, sizeof(interpreters) - used,
			"%sCPython %s (%zu sites, %s)", i ? ", " : ": ",
			images->at[i]->interpreter.version, images->at[i]->table.count,
			session_features(trace->session)->uprobe_multi ? "one link" :
									 "single links");
	fprintf(stderr, "genscope: attached%s\n", interpreters);
}

static struct loss current_loss(const struct session_stats *stats)
{
	return (struct loss){ .ring = stats->value[STAT_LOST_RING],
			      .map_full = stats->value[STAT_LOST_MAP_FULL],
			      .fault = stats->value[STAT_LOST_FAULT] + stats->missed };
}

static void tell_losses(struct trace *trace)
{
	struct session_stats stats;
	struct loss loss, since;

	session_stats(trace->session, &stats);
	loss = current_loss(&stats);
	since = (struct loss){ loss.ring - trace->told.ring, loss.map_full - trace->told.map_full,
			       loss.fault - trace->told.fault };
	if (since.ring || since.map_full || since.fault)
		trace->sink.ops->lost(&trace->sink, clock_now_ns(), &since);
	trace->told = loss;
}

/* Has the run come to its end? */
static bool is_over(struct trace *trace)
{
	const struct options *options = &trace->options;
	int status;

	if (stop_requested || trace->full || trace->writer.error)
		return true;
	if (trace->end_ns && clock_now_ns() >= trace->end_ns)
		return true;
	if (options->exe || options->all || options->cgroup)
		return false;
	if (options->argv && !session_command_ended(trace->session, &status))
		return false;
	return !session_targets(trace->session);
}

static void run(struct trace *trace)
{
	bool said = !trace->options.argv || session_command_attached(trace->session);

	while (!is_over(trace)) {
		int count = session_poll(trace->session, POLL_MS);

		if (count < 0 && count != -EINTR)
			return;
		if (!said && session_command_attached(trace->session)) {
			say_attached(trace);
			said = true;
		}
		if (count <= 0 && trace->writer.used)
			writer_flush(&trace->writer);
		if (clock_now_ns() < trace->next_tick_ns)
			continue;
		trace->next_tick_ns = clock_now_ns() + TICK_NS;
		tell_losses(trace);
		writer_flush(&trace->writer);
	}
}

/* Detach, take what is still in the ring, and sum up. */
static void finish(struct trace *trace)
{
	const struct stream_counts *counts = stream_counts(trace->stream);
	struct session_stats stats;
	struct summary s = {};

	session_reconcile(trace->session, RECONCILED_MAX, &trace->reconciliation);
	session_end_command(trace->session);
	session_detach(trace->session);
	for (int i = 0; i < DRAIN_ROUNDS && session_poll(trace->session, 0) > 0; i++)
		;
	tell_losses(trace);
	session_stats(trace->session, &stats);
	s.hits = stats.value[STAT_HITS] + stats.missed;
	s.events = counts->transitions + counts->contexts - trace->beyond;
	s.filtered = stats.value[STAT_FILTERED] + counts->filtered + trace->beyond;
	s.causes = stats.value[STAT_CAUSES];
	s.redundant = stats.value[STAT_REDUNDANT];
	s.strangers = stats.value[STAT_STRANGERS];
	s.lost = current_loss(&stats);
	s.lost.fault += counts->bad;
	s.anomalies = stats.value[STAT_ANOMALIES];
	s.stepped_hits = stats.value[STAT_STEPPED];
	s.objects = stats.value[STAT_OBJECTS];
	s.duration_ns = clock_now_ns() - trace->start_ns;
	s.seeded = session_seed_counts(trace->session).objects;
	s.reconciled = trace->reconciliation.objects;
	s.disagreements = trace->reconciliation.disagreements + trace->reconciliation.missing;
	s.coverage = session_coverage(trace->session);
	if (!*s.coverage)
		s.coverage = "full";
	s.locals = (struct locals_counts){ .asked = trace->options.locals,
					   .captured = counts->locals_captured,
					   .truncated = counts->locals_truncated,
					   .lost = counts->locals_lost,
					   .sampled_out = counts->locals_skipped };
	s.closes = s.hits == s.events + s.filtered + s.causes + s.redundant + s.strangers +
				     s.lost.ring + s.lost.map_full + s.lost.fault;
	trace->sink.ops->end(&trace->sink, &s);
	if (!s.closes)
		complain("the counts of this run do not add up: please report it with its summary");
}

/* -v: which sites were hit, how often, and which of them stood out. */
static void print_sites(const struct trace *trace)
{
	const struct images *images = session_images(trace->session);

	for (size_t i = 0; i < images->count; i++) {
		const struct image_file *image = images->at[i];

		for (size_t k = 0; image->in_bpf && k < image->table.count; k++) {
			const struct found_site *site = &image->table.at[k];
			struct session_site_stats stats;

			session_site_stats(trace->session, image->first_site + (uint32_t)k, &stats);
			if (!stats.hits)
				continue;
			fprintf(stderr,
				"genscope: site 0x%llx %s%s: %llu hits, %llu strangers, %llu "
				"anomalies\n",
				(unsigned long long)site->store,
				sites_function_name(image->elf, &image->interpreter, site),
				site->site.stepped ? " (stepped)" : "",
				(unsigned long long)stats.hits, (unsigned long long)stats.strangers,
				(unsigned long long)stats.anomalies);
		}
	}
}

static int trace_run(struct trace *trace)
{
	char why[IMAGE_WHY_MAX] = "";
	int err, status;

	err = writer_open(&trace->writer, trace->options.output);
	if (err) {
		complain("%s: %s", trace->options.output, strerror(-err));
		return EXIT_FAILED;
	}
	err = open_session(trace, why);
	if (!err)
		err = attach(trace, why);
	if (err) {
		complain("%s", *why ? why : strerror(-err));
		return exit_status_of(err);
	}
	setpriority(PRIO_PROCESS, 0, TRACER_NICE); /* may fail, then it is as it was */
	sink_init(&trace->sink, trace->options.json ? &sink_json : &sink_text, &trace->writer,
		  color_wanted(trace->options.color, trace->options.json, trace->options.output));
	trace->sink.ops->begin(&trace->sink);
	trace->start_ns = clock_now_ns();
	if (trace->options.duration_ns)
		trace->end_ns = trace->start_ns + trace->options.duration_ns;
	if (!trace->options.argv)
		say_attached(trace);
	if (!trace->options.argv) /* a command of ours has nothing yet */
		session_seed(trace->session);
	run(trace);
	finish(trace);
	if (trace->options.verbose)
		print_sites(trace);
	if (trace->options.argv && !session_command_attached(trace->session) &&
	    session_command_ended(trace->session, &status)) {
		complain("%s: it ran no CPython: nothing was traced", trace->options.argv[0]);
		return EXIT_NO_TARGET;
	}
	return EXIT_DONE;
}

static error_t parse_context(struct argp_state *state, const char *list)
{
	struct options *options = state->input;
	char copy[64], *rest, *word;

	snprintf(copy, sizeof(copy), "%s", list);
	for (word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		if (!strcmp(word, "gc"))
			options->context |= CONTEXT_GC;
		else if (!strcmp(word, "import"))
			options->context |= CONTEXT_IMPORT;
		else if (!strcmp(word, "audit"))
			options->context |= CONTEXT_AUDITS;
		else
			return options_error(state, "--context: '%s' is not gc, import or audit",
					     word);
	}
	return 0;
}

enum { OPTION_CONTEXT = 0x200 };

/* What BPF can copy is limited: see LOCALS_…_MAX. */
static error_t check_locals(struct argp_state *state)
{
	struct options *options = state->input;
	const struct {
		const char *option;
		uint32_t value, max;
	} limits[] = {
		{ "--max-depth", options->max_depth, LOCALS_DEPTH_MAX },
		{ "--max-items", options->max_items, LOCALS_ITEMS_MAX },
		{ "--max-string", options->max_string, LOCALS_STRING_MAX },
		{ "--max-names", options->max_names, LOCALS_NAMES_MAX },
	};

	if (!options->locals_rate)
		options->locals_rate = 1;
	if (!options->max_names)
		options->max_names = NAMES_DEFAULT;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (limits[i].value > limits[i].max)
			return options_error(state, "%s: %u is too much for a stream, at most %u",
					     limits[i].option, limits[i].value, limits[i].max);
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	int ways;

	switch (key) {
	case ARGP_KEY_INIT:
		for (int i = 0; i < 7; i++)
			state->child_inputs[i] = state->input;
		return 0;
	case OPTION_CONTEXT:
		return parse_context(state, arg);
	case ARGP_KEY_ARG:
		if (!state->quoted || state->next - 1 < state->quoted)
			return options_error(state, "'%s': a command to start comes after --", arg);
		options->argv = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		ways = (options->pid_count > 0) + !!options->exe + !!options->cgroup +
		       options->all + !!options->argv;
		if (ways == 0)
			return options_error(state,
					     "no target: give -p PID, -x PATH, --cgroup PATH, "
					     "-a or -- COMMAND");
		if (ways > 1)
			return options_error(state,
					     "targets are named in more than one way: choose one");
		return check_locals(state);
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option trace_options[] = {
	{ "context", OPTION_CONTEXT, "LIST", 0,
	  "also show, of gc,import,audit, what the interpreter tells by USDT", 2 },
	{ 0 },
};

static const struct argp_child children[] = {
	{ &argp_targets, 0, NULL, 0 },       { &argp_filters, 0, NULL, 0 },
	{ &argp_durations, 0, NULL, 0 },     { &argp_stream_locals, 0, NULL, 0 },
	{ &argp_locals_limits, 0, NULL, 0 }, { &argp_limits, 0, NULL, 0 },
	{ &argp_output, 0, NULL, 0 },        { 0 },
};

static const struct argp trace_argp = {
	.options = trace_options,
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

static struct locals_options locals_options(const struct options *options)
{
	return (struct locals_options){ .limits = { .depth = options->max_depth,
						    .items = options->max_items,
						    .string = options->max_string },
					.names_max = options->max_names,
					.redact = !options->no_redact };
}

int cmd_trace(int argc, char **argv)
{
	struct trace trace = { .options = { .command = "trace" } };
	struct stream_callbacks callbacks = { .event = on_event, .ctx = &trace };
	struct captured_options locals = { .image = on_image, .ctx = &trace };
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
		locals.locals = locals_options(&trace.options);
		callbacks.locals = &locals;
	}
	if (stream_new(&callbacks, &trace.stream)) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	catch_signals();
	status = trace_run(&trace);
	status = close_output(&trace.writer, trace.options.output, status);
	session_close(trace.session);
	stream_free(trace.stream);
	return status;
}
