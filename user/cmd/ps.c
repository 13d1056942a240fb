// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "model/group.h"
#include "session/images.h"
#include "sink/ps.h"
#include "target/clock.h"
#include "target/freeze.h"
#include "target/process.h"

#define CACHE_BYTES      (16u << 20) /* of the target's memory: more does not make it faster */
#define PROGRESS_AFTER   1000000000ull
#define PROGRESS_EACH    200000000ull
#define THREAD_NAME_SIZE 64

struct ps {
	struct options options;
	struct selection selection;
	bool tree, group, freeze;
	struct images images;
	struct writer writer;
	struct ps_style style;
	struct group_table *groups;
	struct ps_totals totals; /* of the process that is read now */
	pid_t *pids;
	size_t pid_count;
	bool several; /* say which process it is */
	uint64_t start_ns, progress_ns;
	bool progress_shown;
	char thread_name[THREAD_NAME_SIZE];
	pid_t pid;
};

static const char *thread_name(void *ctx, int32_t tid)
{
	struct ps *ps = ctx;

	return process_thread_name(ps->pid, tid, ps->thread_name, sizeof(ps->thread_name)) ?
		       NULL :
		       ps->thread_name;
}

static int on_progress(void *ctx, uint64_t objects)
{
	struct ps *ps = ctx;
	uint64_t now = clock_now_ns();

	if (stop_requested)
		return -EINTR;
	if (ps->options.quiet || now < ps->start_ns + PROGRESS_AFTER || now < ps->progress_ns ||
	    !isatty(STDERR_FILENO))
		return 0;
	ps->progress_ns = now + PROGRESS_EACH;
	ps->progress_shown = true;
	if (objects)
		fprintf(stderr, "\rgenscope: %llu objects read ", (unsigned long long)objects);
	else
		fputs("\rgenscope: reading the lists of the garbage collector ", stderr);
	return 0;
}

static void end_progress(struct ps *ps)
{
	if (ps->progress_shown)
		fputs("\r\033[K", stderr);
	ps->progress_shown = false;
}

/* Groups take the objects one by one: none is kept, however many there are. */
static int on_object(void *ctx, const struct snapshot_object *object)
{
	struct ps *ps = ctx;
	bool shown = selection_has(&ps->selection, object);

	ps_totals_add(&ps->totals, object, shown);
	return shown ? group_table_add(ps->groups, NULL, object) : 0;
}

static int show(struct ps *ps, struct ps_view *view, const struct snapshot *snapshot)
{
	int err = 0;

	if (ps->group)
		ps->totals.streamed = true;
	else if (ps->options.json)
		err = ps_json(view, snapshot, &ps->selection, &ps->totals);
	else if (ps->tree)
		err = ps_tree(view, snapshot, &ps->selection, &ps->totals);
	else
		err = ps_table(view, snapshot, &ps->selection, &ps->totals);
	if (ps->group)
		err = ps->options.json ? ps_group_json(view, ps->groups) :
					 ps_group(view, ps->groups);
	if (ps->options.json)
		ps_summary_json(view, snapshot, &ps->totals);
	else
		ps_summary(view, snapshot, &ps->totals);
	return err;
}

static int take(struct ps *ps, struct remote *remote, struct ps_view *view,
		struct snapshot **snapshot, char *why)
{
	const struct options *options = &ps->options;
	struct snapshot_options wanted = {
		.still = ps->freeze,
		.locals = options->locals,
		.locals_options = options_locals(options),
		.each = ps->group ? on_object : NULL,
		.progress = on_progress,
		.ctx = ps,
	};
	struct freeze freeze = {};
	uint64_t start = clock_now_ns();
	int err = 0;

	if (ps->freeze) {
		err = freeze_process(view->pid, &stop_requested, &freeze);
		if (err == -EPERM)
			snprintf(why, IMAGE_WHY_MAX,
				 "it cannot be stopped: CAP_SYS_PTRACE is missing: leave out "
				 "--freeze");
		else if (err == -EBUSY)
			snprintf(why, IMAGE_WHY_MAX,
				 "it cannot be stopped: a debugger or tracer has it: leave out "
				 "--freeze");
		else if (err && err != -EINTR)
			snprintf(why, IMAGE_WHY_MAX, "it cannot be stopped: %s", strerror(-err));
	}
	if (!err)
		err = snapshot_take(remote, view->pid, &wanted, snapshot, why);
	if (!err && stop_requested)
		err = -EINTR; /* before anything is shown: a process is shown whole or not at all */
	if (ps->freeze) {
		freeze_release(&freeze);
		view->frozen = true;
		view->frozen_ns = clock_now_ns() - start;
	}
	return err;
}

/* -v: how the reading went. */
static void tell_reading(const struct image_file *image, const struct snapshot *snapshot)
{
	const struct snapshot_counts *counts = &snapshot->counts;

	fprintf(stderr,
		"genscope: pid %d: CPython %s: %llu containers of %u interpreters, %llu links and "
		"%llu objects read again, %llu lists left early, %llu objects unreadable, %llu "
		"reads\n",
		snapshot->pid, image->interpreter.version,
		(unsigned long long)counts->heap.containers, counts->heap.interpreters,
		(unsigned long long)counts->heap.retries, (unsigned long long)counts->retries,
		(unsigned long long)counts->heap.broken, (unsigned long long)counts->unreadable,
		(unsigned long long)counts->memory_calls);
}

static int read_process(struct ps *ps, const struct image_file *image, pid_t pid, char *why)
{
	struct ps_view view = { .writer = &ps->writer,
				.style = ps->style,
				.pid = pid,
				.show_pid = ps->several,
				.thread_name = thread_name,
				.ctx = ps };
	struct snapshot *snapshot = NULL;
	struct memory *memory = NULL;
	struct remote remote = {};
	uint64_t bias = 0;
	int err = image_bias(image, pid, &bias);

	ps->pid = pid;
	ps->totals = (struct ps_totals){};
	if (!err)
		err = memory_open_process(pid, CACHE_BYTES, &memory);
	if (!err)
		err = remote_open(&remote, &image->interpreter, bias, memory, why);
	if (!err)
		err = take(ps, &remote, &view, &snapshot, why);
	end_progress(ps);
	if (!err && ps->options.verbose)
		tell_reading(image, snapshot);
	if (!err)
		err = show(ps, &view, snapshot);
	snapshot_free(snapshot);
	remote_close(&remote);
	memory_close(memory);
	return err;
}

/* One process: 0, or the exit status to end with. */
static int ps_process(struct ps *ps, pid_t pid)
{
	char why[IMAGE_WHY_MAX] = "";
	struct image_file *image;
	struct process_id id;
	int err = stop_requested ? -EINTR : process_identify(pid, &id);

	if (!err)
		err = images_of_process(&ps->images, pid, &image, why);
	if (!err && ps->group) {
		group_table_free(ps->groups);
		ps->groups = NULL;
		err = group_table_new(&ps->groups);
	}
	if (!err)
		err = read_process(ps, image, pid, why);
	if (!err)
		return 0;
	if (err == -EINTR) { /* scripts must not take it for a process without objects */
		if (ps->options.json)
			writer_printf(&ps->writer,
				      "{\"type\":\"summary\",\"pid\":%d,\"interrupted\":true}\n",
				      pid);
		complain("pid %d: interrupted: nothing of it is shown", pid);
		return 0;
	}
	if (err == -ESRCH || (err == -EFAULT && !process_alive(&id)) || err == -ENOENT)
		complain("pid %d: %s", pid, *why ? why : "no such process: it may have ended");
	else
		complain("pid %d: %s", pid, *why ? why : strerror(-err));
	return exit_status_of(err);
}

/* The pids to look at; which of them run a CPython is seen when they are read. */
static int list_pids(struct ps *ps, struct image_file **wanted)
{
	const struct options *options = &ps->options;
	char why[IMAGE_WHY_MAX] = "";
	int err = 0;

	if (options->exe)
		err = images_of_executable(&ps->images, options->exe, wanted, why);
	if (!err)
		err = options->cgroup ?
			      process_cgroup_members(options->cgroup, &ps->pids, &ps->pid_count) :
			      process_list(&ps->pids, &ps->pid_count);
	if (err && options->cgroup && err == -ENOENT)
		snprintf(why, sizeof(why),
			 "%.200s: no such cgroup: give its directory below /sys/fs/cgroup",
			 options->cgroup);
	if (err)
		complain("%s", *why ? why : strerror(-err));
	return exit_status_of(err);
}

/* Does it run a CPython that is asked for? What may not be looked at need not be one. */
static bool is_target(struct ps *ps, pid_t pid, const struct image_file *wanted, size_t *refused)
{
	char why[IMAGE_WHY_MAX] = "";
	struct image_file *image;
	uint64_t bias;
	int err;

	if (pid == getpid())
		return false;
	if (wanted)
		return !image_bias(wanted, pid, &bias);
	if (ps->images.count == IMAGES_MAX)
		images_free(&ps->images); /* each holds a file open */
	err = images_of_process(&ps->images, pid, &image, why);
	*refused += err == -EACCES;
	if ((err == -ENOTSUP && !ps->options.quiet) || (err == -EACCES && ps->options.verbose))
		complain("pid %d: %s", pid, why);
	return !err;
}

static int none_found(const struct ps *ps, size_t refused)
{
	const struct options *options = &ps->options;

	if (refused) {
		complain("%zu processes may not be looked at, and no other runs a CPython: needs "
			 "CAP_SYS_PTRACE",
			 refused);
		return EXIT_NOT_ALLOWED;
	}
	complain("%s: no process runs %s: genscope doctor lists those that run CPython",
		 options->exe    ? options->exe :
		 options->cgroup ? options->cgroup :
				   "this machine",
		 options->exe ? "it" : "a CPython");
	return EXIT_NO_TARGET;
}

static bool is_over(const struct ps *ps)
{
	return stop_requested || ps->writer.error;
}

/* One that ends while others are read is nothing to complain of, one that cannot be read keeps nobody from
 * the others. */
static int ps_all(struct ps *ps)
{
	struct image_file *wanted = NULL;
	size_t refused = 0, shown = 0;
	int status = list_pids(ps, &wanted), worst = 0;

	if (status)
		return status;
	ps->several = true;
	for (size_t i = 0; i < ps->pid_count && !is_over(ps); i++) {
		if (!is_target(ps, ps->pids[i], wanted, &refused))
			continue;
		status = ps_process(ps, ps->pids[i]);
		shown += !status;
		if (status && status != EXIT_NO_TARGET)
			worst = status;
	}
	if (!shown && !worst && !is_over(ps))
		return none_found(ps, refused);
	return worst;
}

/* Each that was asked for is answered, if only that it was interrupted. */
static int ps_pids(struct ps *ps)
{
	int worst = 0;

	ps->several = ps->options.pid_count > 1;
	for (size_t i = 0; i < ps->options.pid_count && !ps->writer.error; i++) {
		int status = ps_process(ps, ps->options.pids[i]);

		worst = status ? status : worst;
	}
	return worst;
}

static int ps_run(struct ps *ps)
{
	const struct options *options = &ps->options;
	int err = writer_open(&ps->writer, options->output);

	if (err) {
		complain("%s: %s", options->output, strerror(-err));
		return EXIT_FAILED;
	}
	ps_style_detect(&ps->style, ps->writer.fd);
	ps->style.color = color_wanted(options->color, options->json, options->output);
	ps->images.without_sites = true;
	ps->start_ns = clock_now_ns();
	return options->pid_count ? ps_pids(ps) : ps_all(ps);
}

enum { OPTION_TREE = 0x300, OPTION_GROUP, OPTION_FREEZE };

static error_t check(struct argp_state *state)
{
	const struct ps *ps = state->input;
	const struct options *options = &ps->options;
	int ways = !!options->pid_count + !!options->exe + !!options->cgroup + options->all;

	if (!ways)
		return options_error(state, "which process? -p PID, -x PATH, --cgroup PATH or -a");
	if (ways > 1)
		return options_error(state, "-p, -x, --cgroup and -a exclude each other");
	if (ps->tree && ps->group)
		return options_error(state, "--tree and --group exclude each other");
	if (ps->tree && options->json)
		return options_error(state, "--tree is for people: JSON lines name their "
					    "\"awaiting\" instead");
	if (options->locals && (ps->tree || ps->group))
		return options_error(state, "--locals wants a line an object: without --tree and "
					    "--group");
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct ps *ps = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		for (int i = 0; i < 5; i++)
			state->child_inputs[i] = &ps->options;
		return 0;
	case 's':
		if (states_of_list(arg, &ps->selection.states))
			return options_error(state,
					     "--state: '%s' is not created, running, "
					     "suspended or closed, or GEN_SUSPENDED, say",
					     arg);
		return 0;
	case OPTION_TREE:
		ps->tree = true;
		return 0;
	case OPTION_GROUP:
		ps->group = true;
		return 0;
	case OPTION_FREEZE:
		ps->freeze = true;
		return 0;
	case ARGP_KEY_ARG:
		return options_error(state, "'%s': a snapshot is of what runs already: -p PID",
				     arg);
	case ARGP_KEY_END:
		return check(state);
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option ps_options[] = {
	{ "state", 's', "LIST", 0,
	  "only those created, running, suspended, closed; or GEN_SUSPENDED, say", 2 },
	{ 0, 0, 0, 0, "Views:", 6 },
	{ "tree", OPTION_TREE, 0, 0, "who awaits whom, asyncio tasks first", 0 },
	{ "group", OPTION_GROUP, 0, 0, "sums by function, state and place", 0 },
	{ "freeze", OPTION_FREEZE, 0, 0,
	  "stop the process while it is read: nothing changes meanwhile", 0 },
	{ 0 },
};

int cmd_ps(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &argp_processes, 0, NULL, 0 },       { &argp_filters, 0, NULL, 0 },
		{ &argp_snapshot_locals, 0, NULL, 0 }, { &argp_locals_limits, 0, NULL, 0 },
		{ &argp_output, 0, NULL, 0 },          { 0 },
	};
	static const struct argp argp = {
		ps_options,
		parse,
		"-p PID",
		"Shows every generator, coroutine and async generator of running processes: its "
		"state, where it stands, what it awaits.\vIt reads memory: no probe, nothing is "
		"stopped unless --freeze is given.\n\n"
		"  genscope ps -p 1234\n"
		"  genscope ps --tree -p 1234              who awaits whom\n"
		"  genscope ps --group -s suspended -a     what piles up, on the whole machine\n"
		"  genscope ps --locals -f 'Api.*' -p 1234",
		children,
		NULL,
		NULL,
	};
	struct ps *ps = calloc(1, sizeof(*ps));
	int status;

	if (!ps)
		return EXIT_FAILED;
	ps->options.command = "ps";
	argv[0] = "genscope ps";
	status = options_parse(&argp, argc, argv, &ps->options);
	if (!status) {
		ps->selection.kinds = ps->options.kinds;
		ps->selection.function_glob = ps->options.function_glob;
		ps->selection.file_glob = ps->options.file_glob;
		catch_signals();
		status = ps_run(ps);
		status = close_output(&ps->writer, ps->options.output, status);
	}
	group_table_free(ps->groups);
	images_free(&ps->images);
	free(ps->pids);
	free(ps);
	return status;
}
