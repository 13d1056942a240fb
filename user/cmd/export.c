// SPDX-License-Identifier: MIT
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cmd/cmd.h"
#include "cmd/export.h"
#include "cmd/options.h"
#include "cmd/privileges.h"
#include "http/pages.h"
#include "http/server.h"
#include "model/slow.h"
#include "session/duty.h"
#include "target/clock.h"

#define ADDRESS_DEFAULT     "127.0.0.1:9964"
#define MAX_SERIES_DEFAULT  200
#define SNAPSHOT_DEFAULT_NS 10000000000ull
#define OVERHEAD_DEFAULT    1.0 /* percent */
#define DESCRIPTORS_SPARE   160 /* the connections of one listener, and what is opened for a moment */
#define DESCRIPTORS_MIN     256 /* those, BPF's own, and some for targets */
#define RING_BYTES          (2u << 20) /* names of functions, processes and collections are all that comes */

/* --- what the targets tell --- */

static bool on_code(void *ctx, const struct code *code)
{
	struct export_run *export = ctx;

	export->named = code;
	return selection_has_code(&export->selection, code->qualname, code->file);
}

static void on_verdict(void *ctx, const struct code_record *record, bool wanted)
{
	struct export_run *export = ctx;
	const struct export_process *process;
	int err;

	if (!wanted)
		return;
	process = export_process_of(export, (pid_t)record->head.pid);
	err = exporter_add(export->exporter, record->code, record->head.pid,
			   process ? process->service : "none", export->named->kind,
			   export->named->file, export->named->qualname, record->head.ts_ns);
	if (err == -ENOMEM)
		export->err = err;
}

static int on_event(void *ctx, const struct event *event)
{
	struct export_run *export = ctx;
	const struct export_process *process;

	if (event->type != EVENT_GC || !event->has_ns)
		return 0;
	process = export_process_of(export, (pid_t)event->pid);
	if (!process)
		return 0;
	return exporter_add_gc(export->exporter, process->service, event->ns, event->ts_ns);
}

static int on_record(void *ctx, const void *bytes, size_t size)
{
	struct export_run *export = ctx;
	int err;

	pthread_mutex_lock(&export->lock);
	err = stream_feed(export->stream, bytes, size);
	pthread_mutex_unlock(&export->lock);
	if (err < 0)
		export->err = err;
	return err;
}

/* --- the course of the run --- */

static void look_at_budgets(struct export_run *export)
{
	pthread_mutex_lock(&export->lock);
	export->run.patient = !export_keep_budgets(export, clock_now_ns());
	pthread_mutex_unlock(&export->lock);
}

static void on_idle(void *ctx)
{
	look_at_budgets(ctx);
}

static void on_tick(void *ctx, uint64_t now_ns)
{
	struct export_run *export = ctx;

	look_at_budgets(export);
	pthread_mutex_lock(&export->lock);
	export_forget_refused(export, now_ns);
	pthread_mutex_unlock(&export->lock);
	export_look_at_memory(export, now_ns);
}

static bool has_enough(const void *ctx)
{
	const struct export_run *export = ctx;

	return export->err;
}

static const struct run_ops export_ops = {
	.record = on_record,
	.idle = on_idle,
	.tick = on_tick,
	.target = export_on_target,
	.enough = has_enough,
};

/* --- the server --- */

static int on_metrics(void *ctx, enum exposition_format format, struct buffer *body)
{
	return export_page(ctx, format, body);
}

static bool is_healthy(void *ctx, char reason[PAGES_REASON_BYTES])
{
	const struct export_run *export = ctx;

	if (export->err)
		snprintf(reason, PAGES_REASON_BYTES, "%s", strerror(-export->err));
	return !export->err;
}

static void on_report(void *ctx, const char *line)
{
	(void)ctx;
	complain("%s", line);
}

static int serve(struct export_run *export, struct pages *pages, struct http_server **server)
{
	struct http_options options = {
		.addresses = export->addresses,
		.address_count = export->address_count,
		.inherit = true,
		.web_config = export->web_config,
		.handler = { .render = pages_render, .report = on_report, .ctx = pages },
	};
	char error[HTTP_ERROR_BYTES];
	const char *fallback = ADDRESS_DEFAULT;

	if (!export->address_count && !getenv("LISTEN_FDS")) {
		options.addresses = &fallback;
		options.address_count = 1;
	}
	if (!http_server_start(&options, server, error))
		return EXIT_DONE;
	complain("%s", error);
	return EXIT_FAILED;
}

static void say_where(const struct export_run *export, const struct http_server *server)
{
	const char *address;

	for (size_t i = 0; (address = http_server_address(server, i)); i++)
		if (!export->options.quiet)
			fprintf(stderr, "genscope: metrics at %s%s%s\n",
				strncmp(address, "unix:", 5) ? "http://" : "", address,
				strncmp(address, "unix:", 5) ? "/metrics" : "");
}

static struct session_options wanted(const struct export_run *export)
{
	return (struct session_options){
		.distributions = true,
		.distributions_live = true,
		.seed = !export->no_probes,
		.survey = true,
		.suspects = true,
		.own_probes = true,
		.spare_descriptors = DESCRIPTORS_SPARE,
		.ring_bytes = RING_BYTES,
		.no_probes = export->no_probes,
		.slow_ns = export->over_ns,
		.context = export->no_probes ? 0 : CONTEXT_GC,
	};
}

/* What could be attached at the start is; later ones need less. */
static int give_up_privileges(const struct export_run *export)
{
	char why[PRIVILEGES_WHY_MAX];

	if (export->keep_privileges || !privileges_drop(export->user, why))
		return EXIT_DONE;
	complain("%s: --keep-privileges goes on as it is", why);
	return EXIT_NOT_ALLOWED;
}

/* A process takes a few descriptors, a connection one: as many as we may have. */
static int raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return EXIT_DONE;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit); /* may fail, then it is as it was */
	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= DESCRIPTORS_MIN)
		return EXIT_DONE;
	complain("no more than %llu files may be open, export needs %d: raise the limit (ulimit "
		 "-n, LimitNOFILE=)",
		 (unsigned long long)limit.rlim_cur, DESCRIPTORS_MIN);
	return EXIT_NOT_ALLOWED;
}

static int export_main(struct export_run *export)
{
	struct pages pages = { .metrics = on_metrics, .healthy = is_healthy, .ctx = export };
	struct http_server *server = NULL;
	const char *revision;
	int status = run_open(&export->run, wanted(export));

	if (status)
		return status;
	program_version(&pages.version, &revision);
	status = give_up_privileges(export);
	if (!status)
		status = serve(export, &pages, &server);
	if (!status) {
		say_where(export, server);
		run_loop(&export->run);
		http_server_stop(server);
		session_detach(export->run.session);
	}
	if (!status && export->err) {
		complain("%s", strerror(-export->err));
		status = EXIT_FAILED;
	}
	return status;
}

/* --- options --- */

enum {
	OPTION_LISTEN = 0x700,
	OPTION_WEB_CONFIG,
	OPTION_LABEL,
	OPTION_MAX_SERIES,
	OPTION_OVER,
	OPTION_SNAPSHOT,
	OPTION_NO_PROBES,
	OPTION_MAX_OVERHEAD,
	OPTION_USER,
	OPTION_KEEP_PRIVILEGES,
};

static error_t add_label(struct argp_state *state, const char *rule)
{
	struct export_run *export = state->input;
	struct export_label *label = &export->labels[export->label_count];

	if (export->label_count == EXPORT_LABELS_MAX)
		return options_error(state, "--label: at most %d", EXPORT_LABELS_MAX);
	if (service_parse_label(rule, label->name, &label->glob) || !glob_is_valid(label->glob))
		return options_error(state, "--label: '%s' is not NAME=GLOB", rule);
	export->label_count++;
	return 0;
}

static error_t add_address(struct argp_state *state, const char *address)
{
	struct export_run *export = state->input;

	if (export->address_count == EXPORT_ADDRESSES_MAX)
		return options_error(state, "--listen: at most %d", EXPORT_ADDRESSES_MAX);
	export->addresses[export->address_count++] = address;
	return 0;
}

static error_t take_overhead(struct argp_state *state, const char *text)
{
	struct export_run *export = state->input;
	char *end;

	export->max_overhead = strtod(text, &end);
	if (*end || end == text || !(export->max_overhead >= 0 && export->max_overhead <= 100))
		return options_error(state, "--max-overhead: '%s' is not a percentage", text);
	return 0;
}

static error_t finish_options(struct argp_state *state)
{
	struct export_run *export = state->input;
	struct options *options = &export->options;

	if (!options->pid_count && !options->exe && !options->cgroup && !options->all)
		options->all = true;
	return options_check_targets(state);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct export_run *export = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->child_inputs[1] = state->input;
		return 0;
	case OPTION_LISTEN:
		return add_address(state, arg);
	case OPTION_WEB_CONFIG:
		export->web_config = arg;
		return 0;
	case OPTION_LABEL:
		return add_label(state, arg);
	case OPTION_MAX_SERIES:
		return options_size(state, "--max-series", arg, &export->max_series);
	case OPTION_OVER:
		return options_duration(state, "--over", arg, &export->over_ns);
	case OPTION_SNAPSHOT:
		return options_duration(state, "--snapshot-interval", arg, &export->snapshot_ns);
	case OPTION_NO_PROBES:
		export->no_probes = true;
		return 0;
	case OPTION_USER:
		export->user = arg;
		return 0;
	case OPTION_KEEP_PRIVILEGES:
		export->keep_privileges = true;
		return 0;
	case OPTION_MAX_OVERHEAD:
		return take_overhead(state, arg);
	case 'd':
		return options_duration(state, "--duration", arg, &export->options.duration_ns);
	case 'q':
		export->options.quiet = true;
		return 0;
	case 'v':
		export->options.verbose = true;
		return 0;
	case ARGP_KEY_ARG:
		return options_error(state, "'%s': export starts no commands: leave it out", arg);
	case ARGP_KEY_END:
		return finish_options(state);
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option export_options[] = {
	{ 0, 0, 0, 0, "Serving:", 6 },
	{ "listen", OPTION_LISTEN, "ADDRESS", 0,
	  "host:port, [v6]:port, :port or unix:/path; repeatable (default: " ADDRESS_DEFAULT
	  ", unless systemd passes sockets)",
	  6 },
	{ "web-config", OPTION_WEB_CONFIG, "FILE", 0,
	  "TLS and passwords, as Prometheus' exporters have it", 6 },
	{ 0, 0, 0, 0, "Series:", 7 },
	{ "label", OPTION_LABEL, "NAME=GLOB", 0,
	  "service NAME for processes whose command line matches; repeatable, the first one counts",
	  7 },
	{ "max-series", OPTION_MAX_SERIES, "N", 0,
	  "functions with series of their own (200); the rest is \"other\"", 7 },
	{ "over", OPTION_OVER, "DUR", 0, "how long a slow step is (50ms)", 7 },
	{ 0, 0, 0, 0, "Cost:", 8 },
	{ "max-overhead", OPTION_MAX_OVERHEAD, "PERCENT", 0,
	  "of each target's processor time (1); over it, only its outermost steps are seen for a "
	  "while, or nothing; 0: no limit",
	  8 },
	{ "no-probes", OPTION_NO_PROBES, 0, 0,
	  "only what memory tells: what is alive, in which state", 8 },
	{ "snapshot-interval", OPTION_SNAPSHOT, "DUR", 0,
	  "between two looks at the memory of targets without probes (10s)", 8 },
	{ 0, 0, 0, 0, "Run:", 9 },
	{ "user", OPTION_USER, "NAME", 0,
	  "who to be after the start, with five capabilities (genscope, or else nobody)", 9 },
	{ "keep-privileges", OPTION_KEEP_PRIVILEGES, 0, 0, "stay root, without a seccomp filter",
	  9 },
	{ "duration", 'd', "DUR", 0, "end after this time", 9 },
	{ "quiet", 'q', 0, 0, "no remarks on standard error but `genscope: attached`", 9 },
	{ "verbose", 'v', 0, 0, "more of them", 9 },
	{ 0 },
};

static const struct argp_child children[] = {
	{ &argp_targets, 0, NULL, 0 },
	{ &argp_filters, 0, NULL, 0 },
	{ 0 },
};

static const struct argp export_argp = {
	.options = export_options,
	.parser = parse,
	.doc = "Serve metrics of generators, coroutines and async generators to Prometheus, at "
	       "/metrics.\v"
	       "Without targets every CPython on the machine is watched, now and later. Runs until "
	       "it gets "
	       "SIGINT or SIGTERM.",
	.children = children,
};

int cmd_export(int argc, char **argv)
{
	struct export_run export = { .options = { .command = "export" },
				     .max_series = MAX_SERIES_DEFAULT,
				     .over_ns = SLOW_OVER_NS,
				     .snapshot_ns = SNAPSHOT_DEFAULT_NS,
				     .max_overhead = OVERHEAD_DEFAULT,
				     .duty = 1,
				     .lock = PTHREAD_MUTEX_INITIALIZER };
	struct stream_callbacks callbacks = {
		.event = on_event, .wanted = on_code, .verdict = on_verdict, .ctx = &export
	};
	int status;

	argv[0] = "genscope export";
	status = options_parse(&export_argp, argc, argv, &export.options);
	if (status)
		return status;
	export.run = (struct run){
		.options = &export.options, .ops = &export_ops, .ctx = &export, .patient = true
	};
	export.selection = (struct selection){ .function_glob = export.options.function_glob,
					       .file_glob = export.options.file_glob };
	if (exporter_new(export.max_series, &export.exporter) ||
	    stream_new(&callbacks, &export.stream)) {
		complain("out of memory");
		status = EXIT_FAILED;
	} else {
		catch_signals();
		signal(SIGHUP, SIG_IGN); /* what it would ask for is read again by itself */
		status = raise_descriptors();
		if (!status)
			status = export_main(&export);
	}
	session_close(export.run.session);
	export_free_processes(&export);
	stream_free(export.stream);
	exporter_free(export.exporter);
	return status;
}
