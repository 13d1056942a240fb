// SPDX-License-Identifier: MIT
#include "cmd/run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "cmd/cmd.h"
#include "session/duty.h"
#include "target/clock.h"

#define POLL_MS        10           /* how late an event may be shown */
#define PATIENT_MS     100          /* the same where nobody looks; a filling ring wakes anyway */
#define TICK_NS        100000000ull /* between looks at losses, targets and limits */
#define TRACER_NICE    (-10) /* a tracer that is not scheduled loses events; it uses little itself */
#define DRAIN_ROUNDS   1000
#define BUDGET_NS      5000000ull /* between two looks at it: a busy ring is polled more often */
#define RECONCILED_MAX 10000 /* objects of each target: some 10 ms of work at the end of a run */

/* Ended from outside: by a signal, by the command, or by its time. */
static bool is_stopped(const struct run *run)
{
	return stop_requested || (run->ops->enough && run->ops->enough(run->ctx)) ||
	       (run->end_ns && clock_now_ns() >= run->end_ns);
}

static bool on_stopped(void *ctx)
{
	return is_stopped(ctx);
}

static void on_warning(void *ctx, const char *message)
{
	const struct run *run = ctx;

	if (!run->options->quiet)
		complain("%s", message);
}

static int on_record(void *ctx, const void *bytes, size_t size)
{
	struct run *run = ctx;

	return run->ops->record(run->ctx, bytes, size);
}

static void on_target(void *ctx, pid_t pid, enum session_target what, enum refusal refusal)
{
	const struct run *run = ctx;

	if (run->ops->target)
		run->ops->target(run->ctx, pid, what, refusal);
}

const struct interpreter *run_image(void *ctx, uint32_t index)
{
	const struct run *run = ctx;
	const struct images *images = session_images(run->session);

	return index < images->count ? &images->at[index]->interpreter : NULL;
}

static int attach_exe(struct run *run, char *why)
{
	struct image_file *image;
	int err =
		images_of_executable(session_images(run->session), run->options->exe, &image, why);

	return err ? err : session_attach_image(run->session, image, why);
}

static int attach_pids(struct run *run, char *why)
{
	char reason[IMAGE_WHY_MAX];

	for (size_t i = 0; i < run->options->pid_count; i++) {
		int err = session_attach_process(run->session, run->options->pids[i], reason);

		if (!err)
			continue;
		snprintf(why, IMAGE_WHY_MAX, "pid %d: %.400s", run->options->pids[i], reason);
		return err;
	}
	return 0;
}

static int attach(struct run *run, char *why)
{
	const struct options *options = run->options;

	if (options->argv)
		return session_start_command(run->session, options->argv, why);
	if (options->exe)
		return attach_exe(run, why);
	if (options->all || options->cgroup)
		return session_attach_all(run->session, options->cgroup, why);
	return attach_pids(run, why);
}

struct session_options run_wanted(const struct options *options)
{
	struct session_options wanted = {
		.filter_codes = options->function_glob || options->file_glob,
		.seed = true,
		.context = options->context,
	};

	if (options->locals)
		wanted.locals = (struct session_locals){ .rate = options->locals_rate,
							 .depth = options->max_depth,
							 .names = options->max_names,
							 .items = options->max_items,
							 .string = options->max_string };
	return wanted;
}

int run_open(struct run *run, struct session_options wanted)
{
	const struct options *options = run->options;
	char why[IMAGE_WHY_MAX] = "";
	int err;

	wanted.kinds = options->kinds;
	wanted.min_run_ns = options->min_run_ns;
	wanted.min_suspended_ns = options->min_suspended_ns;
	wanted.fewer_probes = run->has_outermost && options->max_overhead > 0;
	wanted.watch_exec = options->all || options->cgroup || (options->exe && wanted.own_probes);
	wanted.stopped = on_stopped;
	wanted.warn = on_warning;
	wanted.record = on_record;
	wanted.target = on_target;
	wanted.ctx = run;
	run->tells = wanted.tells ? wanted.tells : TELLS_EVERYTHING;
	run->partial = (run->tells & TELLS_STATES) != TELLS_STATES;
	run->seeds = wanted.seed;
	features_set_verbose(options->verbose);
	err = session_open(&wanted, &run->session, why);
	if (!err)
		err = attach(run, why);
	if (err) {
		complain("%s", *why ? why : strerror(-err));
		return exit_status_of(err);
	}
	setpriority(PRIO_PROCESS, 0, TRACER_NICE); /* may fail, then it is as it was */
	run->start_ns = clock_now_ns();
	if (options->duration_ns)
		run->end_ns = run->start_ns + options->duration_ns;
	return EXIT_DONE;
}

/* Scripts wait for this line. */
static void say_attached(const struct run *run)
{
	const struct images *images = session_images(run->session);
	char interpreters[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < images->count && used < sizeof(interpreters); i++)
		used += (size_t)snprintf(
			interpreters + used, sizeof(interpreters) - used,
			"%sCPython %s (%zu sites, %s)", i ? ", " : ": ",
			images->at[i]->interpreter.version,
			sites_telling(&images->at[i]->table, run->tells),
			session_features(run->session)->uprobe_multi ? "one link" : "single links");
	fprintf(stderr, "genscope: attached%s\n", interpreters);
}

static struct loss current_loss(const struct session_stats *stats)
{
	return (struct loss){ .ring = stats->value[STAT_LOST_RING],
			      .map_full = stats->value[STAT_LOST_MAP_FULL],
			      .fault = stats->value[STAT_LOST_FAULT] + stats->missed };
}

static void tell_losses(struct run *run)
{
	struct session_stats stats;
	struct loss loss, since;

	session_stats(run->session, &stats);
	loss = current_loss(&stats);
	since = (struct loss){ loss.ring - run->told.ring, loss.map_full - run->told.map_full,
			       loss.fault - run->told.fault };
	if (run->ops->lost && (since.ring || since.map_full || since.fault))
		run->ops->lost(run->ctx, clock_now_ns(), &since);
	run->told = loss;
}

static struct budget_reading read_budget(const struct run *run)
{
	struct session_stats stats;

	session_stats(run->session, &stats);
	return (struct budget_reading){
		.now_ns = clock_now_ns(),
		.hits = stats.value[STAT_HITS] + stats.value[STAT_UNWATCHED],
		.stepped = stats.value[STAT_STEPPED],
		.cpu_ns = session_targets_cpu_ns(run->session),
	};
}

enum budget_level run_level(const struct run *run)
{
	return run->budget.share > 0 ? run->budget.level : BUDGET_ALL; /* begun, or not */
}

static void begin_budget(struct run *run)
{
	struct budget_costs costs = budget_costs_of(session_features(run->session)->trap_ns);
	struct budget_reading reading = read_budget(run);

	budget_begin(&run->budget, run->options->max_overhead / 100, &costs,
		     run->has_outermost && session_all_see_outermost(run->session), &reading);
}

/* Takes probes off, or puts them on again, so that the limit is kept. */
static int keep_budget(struct run *run)
{
	struct budget_reading reading;
	char why[IMAGE_WHY_MAX] = "";
	enum budget_level level;
	uint64_t begin_ns;
	int err;

	if (clock_now_ns() < run->budget.now_ns + BUDGET_NS)
		return 0;
	reading = read_budget(run);
	level = budget_update(&run->budget, &reading);
	if (level == run->budget.level)
		return 0;
	begin_ns = clock_now_ns();
	err = session_set_level(run->session, level, why);
	if (err) {
		complain("%s", why);
		return err;
	}
	reading = read_budget(run);
	budget_switched(&run->budget, level, &reading);
	if (run->ops->duty)
		run->ops->duty(run->ctx, clock_now_ns(), clock_now_ns() - begin_ns, level);
	return 0;
}

static bool is_over(const struct run *run)
{
	const struct options *options = run->options;
	int status;

	if (is_stopped(run))
		return true;
	if (options->exe || options->all || options->cgroup)
		return false;
	if (options->argv && !session_command_ended(run->session, &status))
		return false;
	return !session_targets(run->session);
}

/* A command of ours is held by ptrace now and then, and a budget is spent in milliseconds: these cannot wait. */
static int poll_ms(const struct run *run)
{
	bool patient = run->patient && !run->options->argv && !(run->options->max_overhead > 0);
	int ms = patient ? PATIENT_MS : POLL_MS;
	uint64_t now_ns = clock_now_ns();

	if (run->end_ns && run->end_ns < now_ns + (uint64_t)ms * 1000000)
		ms = run->end_ns > now_ns ? (int)((run->end_ns - now_ns) / 1000000) + 1 : 0;
	return ms;
}

static void enter_older(const struct run *run)
{
	session_seed(run->session);
	if (run->options->verbose)
		fprintf(stderr, "genscope: seeded: %llu objects are older than this run\n",
			(unsigned long long)session_seed_counts(run->session).objects);
}

void run_loop(struct run *run)
{
	bool said = false;

	if (!run->options->argv) { /* a command of ours has nothing yet */
		say_attached(run);
		said = true;
		if (run->seeds)
			enter_older(run);
	}
	if (run->options->max_overhead > 0)
		begin_budget(run);
	while (!is_over(run)) {
		int count = session_poll(run->session, poll_ms(run));

		if (count < 0 && count != -EINTR)
			return;
		if (run->options->max_overhead > 0 && keep_budget(run))
			return;
		if (!said && session_command_attached(run->session)) {
			say_attached(run);
			said = true;
		}
		if (count <= 0 && run->ops->idle)
			run->ops->idle(run->ctx);
		if (clock_now_ns() < run->next_tick_ns)
			continue;
		run->next_tick_ns = clock_now_ns() + TICK_NS;
		tell_losses(run);
		if (run->ops->tick)
			run->ops->tick(run->ctx, clock_now_ns());
	}
}

void run_end(struct run *run)
{
	if (!run->partial && run_level(run) == BUDGET_ALL)
		session_reconcile(run->session, RECONCILED_MAX, &run->reconciliation);
	session_end_command(run->session);
	session_detach(run->session);
	for (int i = 0; i < DRAIN_ROUNDS && session_poll(run->session, 0) > 0; i++)
		;
	tell_losses(run);
}

void run_summarise(const struct run *run, const struct run_reader *reader, struct summary *out)
{
	struct session_stats stats;

	if (run->budget.time_ns[BUDGET_OUTERMOST])
		session_lacks(run->session,
			      "only outermost steps were seen at times, to keep --max-overhead");
	if (run->budget.time_ns[BUDGET_NONE])
		session_lacks(run->session, "probes were off at times, to keep --max-overhead");
	session_stats(run->session, &stats);
	*out = (struct summary){
		.hits = stats.value[STAT_HITS] + stats.missed,
		.events = reader->events,
		.filtered = stats.value[STAT_FILTERED] + reader->filtered,
		.causes = stats.value[STAT_CAUSES],
		.redundant = stats.value[STAT_REDUNDANT],
		.strangers = stats.value[STAT_STRANGERS],
		.lost = current_loss(&stats),
		.anomalies = stats.value[STAT_ANOMALIES],
		.stepped_hits = stats.value[STAT_STEPPED],
		.objects = stats.value[STAT_OBJECTS],
		.duration_ns = clock_now_ns() - run->start_ns,
		.seeded = session_seed_counts(run->session).objects,
		.reconciled = run->reconciliation.objects,
		.disagreements = run->reconciliation.disagreements + run->reconciliation.missing,
		.duty_ratio = run->options->max_overhead > 0 ? budget_duty(&run->budget) : 1,
		.outermost_ratio = budget_share_of(&run->budget, BUDGET_OUTERMOST),
		.coverage = session_coverage(run->session),
	};
	out->lost.fault += reader->bad;
	if (!*out->coverage)
		out->coverage = "full";
	out->closes = out->hits == out->events + out->filtered + out->causes + out->redundant +
					   out->strangers + out->lost.ring + out->lost.map_full +
					   out->lost.fault;
	if (!out->closes)
		complain("the counts of this run do not add up: please report it with its summary");
}

static void print_site(const struct run *run, const struct image_file *image, size_t index)
{
	const struct found_site *site = &image->table.at[index];
	struct session_site_stats stats;

	session_site_stats(run->session, image->first_site + (uint32_t)index, &stats);
	if (!stats.hits)
		return;
	fprintf(stderr, "genscope: site 0x%llx %s%s: %llu hits, %llu strangers, %llu anomalies\n",
		(unsigned long long)site->store,
		sites_function_name(image->elf, &image->interpreter, site),
		site->site.stepped ? " (stepped)" : "", (unsigned long long)stats.hits,
		(unsigned long long)stats.strangers, (unsigned long long)stats.anomalies);
}

void run_print_sites(const struct run *run)
{
	const struct images *images = session_images(run->session);

	for (size_t i = 0; i < images->count; i++)
		for (size_t k = 0; images->at[i]->in_bpf && k < images->at[i]->table.count; k++)
			print_site(run, images->at[i], k);
}

int run_status(const struct run *run)
{
	int status;

	if (!run->options->argv || session_command_attached(run->session) ||
	    !session_command_ended(run->session, &status))
		return EXIT_DONE;
	complain("%s: it ran no CPython: nothing was traced", run->options->argv[0]);
	return EXIT_NO_TARGET;
}
