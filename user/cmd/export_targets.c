// SPDX-License-Identifier: MIT
/*
 * The processes that `export` watches: what they belong to, and what each may spend in probes.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/export.h"
#include "session/duty.h"
#include "target/clock.h"

#define COMMAND_BYTES    4096
#define SECOND_NS        1e9
#define BUDGET_NS        1000000000ull /* between two looks at a quiet process */
#define FRESH_NS         1000000000ull /* since its probes came: nobody knows yet how busy it is */
#define BUSY_HITS        1000          /* since the last look, a second ago at most */
/* Of a second's share: an account that loses as much at once is looked at before the second is over. */
#define PART_OF_A_SECOND 0.25
#define REFUSED_NS       5000000000ull /* between two looks at those that were refused */

struct export_process *export_process_of(struct export_run *export, pid_t pid)
{
	for (size_t i = 0; i < export->process_count; i++)
		if (export->processes[i].pid == pid)
			return &export->processes[i];
	return NULL;
}

static void find_service(const struct export_run *export, struct export_process *process)
{
	char command[COMMAND_BYTES];

	if (export->label_count)
		service_command_line(process->pid, command, sizeof(command));
	for (size_t i = 0; i < export->label_count; i++) {
		if (fnmatch(export->labels[i].glob, command, 0))
			continue;
		snprintf(process->service, sizeof(process->service), "%s", export->labels[i].name);
		return;
	}
	service_of_process(process->pid, process->service);
}

static struct export_process *add_process(struct export_run *export, pid_t pid)
{
	struct export_process *process = export_process_of(export, pid);

	if (process)
		return process;
	if (export->process_count == export->process_room) {
		size_t room = export->process_room ? 2 * export->process_room : 64;
		struct export_process *grown =
			reallocarray(export->processes, room, sizeof(*grown));

		if (!grown) {
			export->err = -ENOMEM;
			return NULL;
		}
		export->processes = grown;
		export->process_room = room;
	}
	process = &export->processes[export->process_count++];
	*process = (struct export_process){ .pid = pid };
	find_service(export, process);
	return process;
}

/* False: it has just gone. */
static bool read_budget(const struct export_run *export, pid_t pid, struct budget_reading *out)
{
	struct process_reading process;

	if (session_read_process(export->run.session, pid, &process))
		return false;
	*out = (struct budget_reading){ .now_ns = clock_now_ns(),
					.hits = process.hits,
					.stepped = process.stepped,
					.cpu_ns = process.cpu_ns };
	return true;
}

static void begin(struct export_run *export, struct export_process *process)
{
	struct budget_reading reading;

	process->status = export->no_probes ? STATUS_UNPROBED : STATUS_TRACED;
	process->since_ns = clock_now_ns();
	/* the price of a trap is known when the session is */
	if (!export->costs.hit_ns)
		export->costs = budget_costs_of(session_features(export->run.session)->trap_ns);
	if (!export->max_overhead || !read_budget(export, process->pid, &reading))
		return;
	process->hits = reading.hits;
	budget_begin(&process->budget, export->max_overhead / 100, &export->costs,
		     session_sees_outermost(export->run.session, process->pid), &reading);
}

/* --- processes that go --- */

bool export_scale_of(struct export_run *export, struct export_process *process, bool ends,
		     struct unseen_scale *out)
{
	const uint64_t *work_ns = process->budget.work_ns;
	struct budget_reading reading;
	struct unseen_work work;

	if (export->max_overhead && !ends && process->status <= STATUS_PAUSED &&
	    read_budget(export, process->pid, &reading))
		budget_settle(&process->budget, &reading);
	work = (struct unseen_work){ .all_ns = work_ns[BUDGET_ALL],
				     .outermost_ns = work_ns[BUDGET_OUTERMOST],
				     .none_ns = work_ns[BUDGET_NONE] };
	return unseen_read(&process->unseen, &work, ends, out);
}

void export_add_duty(const struct export_process *process, struct export_duty *sum)
{
	sum->full_ns += process->budget.time_ns[BUDGET_ALL];
	for (int level = 0; level < BUDGET_LEVELS; level++)
		sum->all_ns += process->budget.time_ns[level];
}

struct taking {
	struct export_run *export;
	struct unseen_scale scale;
};

static void take_in_rest(void *ctx, uint32_t code)
{
	const struct taking *going = ctx;

	export_read_code(going->export, code, &going->scale);
	session_forget_distributions(going->export->run.session, code);
}

/* It has ended, or executes something else: what its code objects counted is taken in, and they are forgotten. */
static void forget_codes(struct export_run *export, pid_t pid)
{
	struct export_process *process = export_process_of(export, pid);
	struct taking going = { .export = export, .scale = UNSEEN_NOTHING };

	if (process)
		export_scale_of(export, process, true, &going.scale);
	exporter_remove(export->exporter, (uint32_t)pid, take_in_rest, &going);
	stream_forget_codes(export->stream, (uint32_t)pid);
}

static void remove_process(struct export_run *export, pid_t pid)
{
	struct export_process *process = export_process_of(export, pid);

	forget_codes(export, pid);
	if (!process)
		return;
	export_add_duty(process, &export->past);
	group_table_free(process->groups);
	*process = export->processes[--export->process_count];
}

static bool is_refused(const struct export_process *process)
{
	return process->status > STATUS_REFUSED;
}

void export_forget_refused(struct export_run *export, uint64_t now_ns)
{
	if (now_ns < export->next_refused_ns)
		return;
	export->next_refused_ns = now_ns + REFUSED_NS;
	for (size_t i = export->process_count; i-- > 0;)
		if (is_refused(&export->processes[i]) && !process_alive(&export->processes[i].id))
			remove_process(export, export->processes[i].pid);
}

void export_refuse(struct export_process *process, enum refusal refusal)
{
	process->status = STATUS_REFUSED + refusal;
	process_identify(process->pid, &process->id); /* gone already: the next look finds it so */
}

void export_free_processes(struct export_run *export)
{
	for (size_t i = 0; i < export->process_count; i++)
		group_table_free(export->processes[i].groups);
	free(export->processes);
}

void export_on_target(void *ctx, pid_t pid, enum session_target what, enum refusal refusal)
{
	struct export_run *export = ctx;
	struct export_process *process;

	pthread_mutex_lock(&export->lock);
	if (what == TARGET_REMOVED) {
		remove_process(export, pid);
	} else {
		process = add_process(export, pid);
		if (process && what == TARGET_ADDED)
			begin(export, process);
		else if (process)
			export_refuse(process, refusal);
		/* others may follow for seconds: those that have probes already do not wait so long */
		export_keep_budgets(export, clock_now_ns());
	}
	pthread_mutex_unlock(&export->lock);
}

/* --- budgets --- */

static void take_in(void *ctx, uint32_t code, uint32_t pid)
{
	const struct taking *window = ctx;

	(void)pid;
	export_read_code(window->export, code, &window->scale);
}

/* Probes of another kind: what was counted until then is taken in by itself, since it stands for something else. */
static void switch_process(struct export_run *export, struct export_process *process,
			   enum budget_level level)
{
	static const enum export_status statuses[BUDGET_LEVELS] = {
		[BUDGET_NONE] = STATUS_PAUSED,
		[BUDGET_OUTERMOST] = STATUS_OUTERMOST,
		[BUDGET_ALL] = STATUS_TRACED,
	};
	struct taking window = { .export = export };
	struct budget_reading reading;
	char why[IMAGE_WHY_MAX] = "";
	bool saw_objects = export_sees_objects(process);

	if (session_set_probes(export->run.session, process->pid, level, why))
		return; /* it is going: that will be told */
	process->status = statuses[level];
	process->since_ns = clock_now_ns();
	if (process->budget.level != BUDGET_NONE) {
		export_scale_of(export, process, true, &window.scale);
		exporter_each_code(export->exporter, (uint32_t)process->pid, take_in, &window);
	}
	if (saw_objects)
		process->cpu_ns = 0; /* its memory is looked at soon */
	export->estimated |= level != BUDGET_ALL;
	if (!read_budget(export, process->pid, &reading))
		return;
	process->hits = reading.hits;
	budget_switched(&process->budget, level, &reading);
}

bool export_sees_objects(const struct export_process *process)
{
	return process->status == STATUS_TRACED;
}

/* Are its hits, or what it may do unseen, so many that its account cannot wait? */
static bool is_due(const struct export_run *export, const struct export_process *process,
		   uint64_t hits, uint64_t now_ns)
{
	double cost = (double)(hits - process->hits) * (double)export->costs.hit_ns;

	return now_ns >= process->budget.now_ns + BUDGET_NS ||
	       cost >= process->budget.share * SECOND_NS * PART_OF_A_SECOND;
}

bool export_keep_budgets(struct export_run *export, uint64_t now_ns)
{
	bool busy = false;

	if (!export->max_overhead || export->no_probes)
		return false;
	for (size_t i = 0; i < export->process_count; i++) {
		struct export_process *process = &export->processes[i];
		struct process_reading hits = {};
		struct budget_reading reading;
		enum budget_level level;

		if (process->status > STATUS_PAUSED)
			continue;
		if (session_read_hits(export->run.session, process->pid, &hits))
			continue;
		busy |= process->status != STATUS_PAUSED && now_ns < process->since_ns + FRESH_NS;
		if (!is_due(export, process, hits.hits, now_ns) ||
		    !read_budget(export, process->pid, &reading))
			continue;
		busy |= hits.hits > process->hits + BUSY_HITS;
		process->hits = reading.hits;
		level = budget_update(&process->budget, &reading);
		if (level != process->budget.level)
			switch_process(export, process, level);
	}
	return busy;
}
