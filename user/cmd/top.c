// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/top_internal.h"
#include "sink/ps.h"
#include "sink/sink.h"
#include "target/clock.h"
#include "target/process.h"

#define INTERVAL_DEFAULT_NS 1000000000ull
#define INTERVAL_LEAST_NS   100000000ull /* a run looks about that often */

/* --- what comes --------------------------------------------------------------------------------------- */

static bool on_code(void *ctx, const struct code *code)
{
	struct top_run *top = ctx;
	const struct top_code named = { .qualname = code->qualname,
					.file = code->file,
					.first_line = code->first_line,
					.kind = code->kind };

	if (code->id >= DISTRIBUTIONS_MAX ||
	    !selection_has_code(&top->selection, code->qualname, code->file) ||
	    (code->kind && !(top->options.kinds & 1u << code->kind)))
		return false;
	if (top_add_code(top->model, code->id, &named))
		top->out_of_memory = true;
	if (code->id >= top->code_end)
		top->code_end = code->id + 1;
	return true;
}

static int on_event(void *ctx, const struct event *event)
{
	struct top_run *top = ctx;

	if (event->type == EVENT_LIVING && top->telling)
		top_detail_add(&top->detail, event->living, event->line, top->begin_ns);
	return 0;
}

static int on_record(void *ctx, const void *bytes, size_t size)
{
	struct top_run *top = ctx;

	return stream_feed(top->stream, bytes, size);
}

/* --- the screen --------------------------------------------------------------------------------------- */

static void fill_head(const struct top_run *top, struct tui_head *head)
{
	const struct run *run = &top->run;
	struct session_stats stats;

	session_stats(run->session, &stats);
	*head = (struct tui_head){
		.targets = top->targets,
		.processes = session_targets(run->session),
		.uptime_ns = clock_now_ns() - run->start_ns,
		.interval_ns = top->interval_ns,
		.event_rate = top->event_rate,
		.lost = stats.value[STAT_LOST_RING] + stats.value[STAT_LOST_MAP_FULL] +
			stats.value[STAT_LOST_FAULT] + stats.missed,
		.anomalies = stats.value[STAT_ANOMALIES],
		.coverage = session_coverage(run->session),
		.has_duty = top->options.max_overhead > 0,
		.duty = top->options.max_overhead > 0 ? budget_duty(&run->budget) : 1,
		.probes_off = run_level(run) == BUDGET_NONE,
		.warning = top->aside.last,
	};
}

static void draw(struct top_run *top)
{
	struct tui_data data = { .now_ns = top->reading_ns };
	struct canvas *canvas;
	unsigned width, height;

	if (!top->tui)
		return;
	fill_head(top, &data.head);
	data.rows = top->rows;
	data.several = data.head.processes > 1;
	if (top->state.page == TUI_FUNCTION ||
	    (top->state.page == TUI_HELP && top->state.behind_help == TUI_FUNCTION)) {
		data.function = top_row(top->model, top->state.function);
		data.detail = top->has_detail ? &top->detail : NULL;
	}
	tui_size(top->tui, &width, &height);
	if (tui_compose(&data, &top->state, width, height, top->utf8, &canvas, &top->extent)) {
		top->out_of_memory = true;
		return;
	}
	tui_draw(top->tui, canvas);
	canvas_free(canvas);
}

static void sort(struct top_run *top)
{
	const struct top_order order = tui_order(&top->state);

	top_sort(top->model, &order, &top->rows);
}

static void read_and_draw(struct top_run *top)
{
	top->next_ns = clock_now_ns() + top->interval_ns;
	if (!top_read(top))
		return;
	top_read_detail(top);
	sort(top);
	draw(top);
}

/* While probes are off the table stays; how the run goes is still to be seen. */
static void draw_head(struct top_run *top)
{
	top->next_head_ns = clock_now_ns() + top->interval_ns;
	draw(top);
}

static void on_key(struct top_run *top, uint32_t key)
{
	const struct tui_state before = top->state;

	if (!tui_on_key(&top->state, key, &top->rows, &top->extent))
		return;
	/* another page, or more of this one: what is not there yet is read, a pause or not */
	if (top->state.page == TUI_FUNCTION &&
	    (before.page == TUI_TABLE || before.locals != top->state.locals))
		top_read_detail(top);
	sort(top);
	draw(top);
}

static void heed_user(struct top_run *top)
{
	uint32_t key;

	if (tui_heed_signals(top->tui))
		draw(top);
	while (!top->state.quit && (key = tui_read_key(top->tui)) != TUI_KEY_NONE)
		on_key(top, key);
}

/* Once the probes are live, and that has been said. */
static void open_screen(struct top_run *top)
{
	int err = aside_begin(&top->aside);

	if (!err)
		err = tui_open(&top->tui, top->color);
	if (err) {
		aside_end(&top->aside);
		complain("the terminal cannot be drawn on: %s", strerror(-err));
		top->state.quit = true;
		return;
	}
	read_and_draw(top);
}

static void close_screen(struct top_run *top)
{
	tui_close(top->tui);
	top->tui = NULL;
	aside_end(&top->aside);
}

/* --- the run ------------------------------------------------------------------------------------------ */

static void on_idle(void *ctx)
{
	struct top_run *top = ctx;

	if (top->tui)
		heed_user(top);
}

static void on_tick(void *ctx, uint64_t now_ns)
{
	struct top_run *top = ctx;
	bool probes_off = run_level(&top->run) == BUDGET_NONE;
	struct session_stats stats;

	if (!top->tui) {
		if (!top->options.argv || session_command_attached(top->run.session))
			open_screen(top);
		return;
	}
	aside_step(&top->aside);
	heed_user(top);
	session_stats(top->run.session, &stats);
	top->full = top->options.max_events && stats.value[STAT_EVENTS] >= top->options.max_events;
	if (top->state.paused)
		return;
	if (!probes_off && now_ns >= top->next_ns)
		read_and_draw(top);
	else if (probes_off && now_ns >= top->next_head_ns)
		draw_head(top);
}

/* The map is as it was when the probes went, until they come back: a last look, if one is due. */
static void on_duty(void *ctx, uint64_t now_ns, uint64_t took_ns, enum budget_level level)
{
	struct top_run *top = ctx;

	(void)took_ns;
	if (level == BUDGET_ALL) {
		top->on_since_ns = top->begin_ns = now_ns;
		return;
	}
	top->on_ns += now_ns - top->on_since_ns;
	top->on_since_ns = 0;
	if (top->tui && !top->state.paused && now_ns >= top->next_ns)
		read_and_draw(top);
}

static bool has_enough(const void *ctx)
{
	const struct top_run *top = ctx;

	return top->state.quit || top->full || top->out_of_memory;
}

static const struct run_ops top_ops = {
	.record = on_record,
	.idle = on_idle,
	.tick = on_tick,
	.duty = on_duty,
	.enough = has_enough,
};

static void summarise(struct top_run *top)
{
	struct run_reader reader = { .bad = stream_counts(top->stream)->bad };
	struct writer writer;
	struct session_stats stats;
	struct summary summary;
	struct sink sink;

	session_stats(top->run.session, &stats);
	reader.events = stats.value[STAT_EVENTS];
	run_summarise(&top->run, &reader, &summary);
	if (top->options.quiet || writer_open(&writer, NULL))
		return;
	sink_init(&sink, &sink_text, &writer, top->color);
	sink.ops->end(&sink, &summary);
	writer_close(&writer); /* a terminal that is gone needs no summary */
}

/* Who is looked at, in a few words. */
static void name_targets(struct top_run *top)
{
	const struct options *options = &top->options;
	char *out = top->targets, command[TOP_TARGETS_BYTES / 2] = "";
	size_t size = sizeof(top->targets);

	if (options->argv) {
		size_t used = 0;

		for (size_t i = 0; options->argv[i] && used < size; i++)
			used += (size_t)snprintf(out + used, size - used, "%s%s", i ? " " : "",
						 options->argv[i]);
	} else if (options->pid_count) {
		if (process_command(options->pids[0], command, sizeof(command)))
			command[0] = 0;
		snprintf(out, size, "pid %d: %s%s", options->pids[0], command,
			 options->pid_count > 1 ? ", and others" : "");
	} else {
		snprintf(out, size, "%s",
			 options->exe    ? options->exe :
			 options->cgroup ? options->cgroup :
					   "every CPython on this machine");
	}
}

static int top_main(struct top_run *top)
{
	const struct session_options wanted = { .distributions = true,
						.survey = true,
						.seed = true,
						.off_terminal = true,
						.tells = TELLS_STATES };
	const struct top_code others = { .qualname = "(other functions)", .file = "" };
	struct ps_style style;
	char why[256];
	int status;

	if (tui_check(why, sizeof(why))) {
		complain("%s: genscope latency -i 1s and genscope ps --group need none", why);
		return EXIT_USAGE;
	}
	ps_style_detect(&style, STDOUT_FILENO);
	top->utf8 = style.utf8;
	top->color = color_wanted(top->options.color, false, NULL);
	/* of many functions together nobody knows which are wanted */
	if (selection_is_all(&top->selection) && top_add_code(top->model, 0, &others))
		top->out_of_memory = true;
	name_targets(top);
	status = run_open(&top->run, wanted);
	if (status)
		return status;
	top->begin_ns = top->on_since_ns = top->run.start_ns;
	run_loop(&top->run);
	close_screen(top);
	run_end(&top->run);
	summarise(top);
	if (top->options.verbose)
		run_print_sites(&top->run);
	if (top->out_of_memory) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	return run_status(&top->run);
}

/* --- options ------------------------------------------------------------------------------------------ */

enum { OPTION_SORT = 0x300 };

static error_t set_interval(struct argp_state *state, const char *text)
{
	struct top_run *top = state->input;
	error_t err = options_duration(state, "--interval", text, &top->interval_ns);

	if (!err && top->interval_ns < INTERVAL_LEAST_NS)
		err = options_error(state, "--interval: '%s' is less than 100ms", text);
	return err;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct top_run *top = state->input;
	int sort_by;

	switch (key) {
	case ARGP_KEY_INIT:
		for (int i = 0; i < 5; i++)
			state->child_inputs[i] = state->input;
		return 0;
	case 'i':
		return set_interval(state, arg);
	case OPTION_SORT:
		sort_by = top_sort_of_name(arg);
		if (sort_by < 0)
			return options_error(state,
					     "--sort: '%s' is not live, created, running, "
					     "suspended, closed, rate, p99, oldest or name",
					     arg);
		top->state.sort = (enum top_sort)sort_by;
		return 0;
	case ARGP_KEY_ARG:
		return options_take_command(state, arg);
	case ARGP_KEY_END:
		return options_check_targets(state);
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option top_options[] = {
	{ 0, 0, 0, 0, "Locals (of one function, key l):", 3 },
	{ 0, 0, 0, 0, "Screen:", 6 },
	{ "interval", 'i', "DUR", 0, "between readings; 1s, at least 100ms", 0 },
	{ "sort", OPTION_SORT, "WORD", 0,
	  "live, created, running, suspended, closed, rate, p99, oldest or name; live", 0 },
	{ 0 },
};

static const struct argp_child children[] = {
	{ &argp_targets, 0, NULL, 0 },       { &argp_filters, 0, NULL, 0 },
	{ &argp_locals_limits, 0, NULL, 0 }, { &argp_limits, 0, NULL, 0 },
	{ &argp_screen, 0, NULL, 0 },        { 0 },
};

static const struct argp top_argp = {
	.options = top_options,
	.parser = parse,
	.args_doc = "[-- COMMAND [ARG...]]",
	.doc = "A live table of functions: how many objects of each live in which state, how fast "
	       "they change, how long their steps take, how long the oldest has been suspended.\v"
	       "Enter looks into a function: the lines on which its objects wait, how long it ran "
	       "and waited, what has waited longest, with its variables (l).\n\n"
	       "Keys: arrows move, Enter looks into, Esc goes back, s sorts, r reverses, / "
	       "filters, "
	       "p pauses, t totals, h helps, q quits.\n\n"
	       "It needs a terminal of 60x10 or more. Of a command after -- standard input, "
	       "output and error are /dev/null where they are a terminal: what it prints would "
	       "spoil the screen.\n\n"
	       "  genscope top -p 1234\n"
	       "  genscope top --sort oldest -F '*/app/*' -p 1234\n"
	       "  genscope top --max-overhead 1 -a\n"
	       "  genscope top -- sh -c 'exec python3 app.py > app.log 2>&1'",
	.children = children,
};

int cmd_top(int argc, char **argv)
{
	struct top_run *top = calloc(1, sizeof(*top));
	struct stream_callbacks callbacks = { .event = on_event, .wanted = on_code, .ctx = top };
	int status;

	if (!top || stream_new(&callbacks, &top->stream) || top_new(&top->model)) {
		complain("out of memory");
		if (top)
			stream_free(top->stream);
		free(top);
		return EXIT_FAILED;
	}
	top->options.command = "top";
	top->interval_ns = INTERVAL_DEFAULT_NS;
	top->code_end = 1;
	top->aside.file = -1;
	argv[0] = "genscope top";
	status = options_parse(&top_argp, argc, argv, &top->options);
	if (!status) {
		catch_signals();
		top->run = (struct run){ .options = &top->options, .ops = &top_ops, .ctx = top };
		top->selection = (struct selection){ .function_glob = top->options.function_glob,
						     .file_glob = top->options.file_glob };
		status = top_main(top);
		session_close(top->run.session);
	}
	top_drop_detail(top);
	top_free(top->model);
	stream_free(top->stream);
	free(top);
	return status;
}
