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

#define COMMAND_BYTES 4096
#define HOT_HITS      2000 /* in the time between two looks: its budget cannot wait a second */
#define BUDGET_NS     1000000000ull /* between two looks at a quiet process */

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

static struct budget_reading read_budget(const struct export_run *export, pid_t pid)
{
	struct budget_reading reading = { .now_ns = clock_now_ns() };
	struct process_reading process;

	if (session_read_process(export->run.session, pid, &process))
		return reading;
	reading.hits = process.hits;
	reading.stepped = process.stepped;
	reading.cpu_ns = process.cpu_ns;
	return reading;
}

static void begin(struct export_run *export, struct export_process *process)
{
	struct budget_reading reading;

	process->status = export->no_probes ? STATUS_UNPROBED : STATUS_TRACED;
	if (!export->max_overhead)
		return;
	reading = read_budget(export, process->pid);
	process->hits = reading.hits;
	budget_begin(&process->budget, export->max_overhead / 100, &export->costs, &reading);
}

/* --- processes that go --- */

double export_scale_of(struct export_process *process)
{
	uint64_t on_ns = process->budget.on_ns - process->on_ns;
	uint64_t off_ns = process->budget.off_ns - process->off_ns;

	process->on_ns = process->budget.on_ns;
	process->off_ns = process->budget.off_ns;
	return on_ns ? (double)(on_ns + off_ns) / (double)on_ns : 1;
}

struct going {
	struct export_run *export;
	double scale;
};

static void take_in(void *ctx, uint32_t code)
{
	const struct going *going = ctx;

	export_read_code(going->export, code, going->scale);
	session_forget_distributions(going->export->run.session, code);
}

void export_forget_codes(struct export_run *export, pid_t pid)
{
	struct export_process *process = export_process_of(export, pid);
	struct going going = { .export = export, .scale = process ? export_scale_of(process) : 1 };

	exporter_remove(export->exporter, (uint32_t)pid, take_in, &going);
}

static void remove_process(struct export_run *export, pid_t pid)
{
	struct export_process *process = export_process_of(export, pid);

	export_forget_codes(export, pid);
	if (!process)
		return;
	export->past_on_ns += process->budget.on_ns;
	export->past_off_ns += process->budget.off_ns;
	group_table_free(process->groups);
	*process = export->processes[--export->process_count];
}

void export_free_processes(struct export_run *export)
{
	for (size_t i = 0; i < export->process_count; i++)
		group_table_free(export->processes[i].groups);
	free(export->processes);
}

void export_on_target(void *ctx, pid_t pid, enum session_target what, int err, const char *why)
{
	struct export_run *export = ctx;
	struct export_process *process;

	(void)why;
	pthread_mutex_lock(&export->lock);
	if (what == TARGET_REMOVED) {
		remove_process(export, pid);
	} else {
		process = add_process(export, pid);
		if (process && what == TARGET_ADDED)
			begin(export, process);
		else if (process)
			process->status = err == -EACCES || err == -EPERM ? STATUS_FORBIDDEN :
									    STATUS_UNSUPPORTED;
	}
	pthread_mutex_unlock(&export->lock);
}

/* --- budgets --- */

static void pause_process(struct export_run *export, struct export_process *process)
{
	session_pause_process(export->run.session, process->pid);
	process->status = STATUS_PAUSED;
	process->cpu_ns = 0; /* its memory is looked at soon */
	export->estimated = true;
}

static void resume_process(struct export_run *export, struct export_process *process)
{
	char why[IMAGE_WHY_MAX] = "";

	if (session_resume_process(export->run.session, process->pid, why))
		return; /* it is going: that will be told */
	process->status = STATUS_TRACED;
}

bool export_is_hot(struct export_run *export)
{
	bool hot = false;

	for (size_t i = 0; i < export->process_count && !hot; i++) {
		const struct export_process *process = &export->processes[i];
		struct process_reading reading;

		hot = process->status == STATUS_TRACED &&
		      !session_read_hits(export->run.session, process->pid, &reading) &&
		      reading.hits > process->hits + HOT_HITS;
	}
	return hot;
}

void export_keep_budgets(struct export_run *export, uint64_t now_ns)
{
	for (size_t i = 0; i < export->process_count; i++) {
		struct export_process *process = &export->processes[i];
		struct process_reading hits = {};
		struct budget_reading reading;

		if (process->status > STATUS_PAUSED)
			continue;
		session_read_hits(export->run.session, process->pid, &hits);
		if (hits.hits < process->hits + HOT_HITS &&
		    now_ns < process->budget.now_ns + BUDGET_NS)
			continue;
		reading = read_budget(export, process->pid);
		process->hits = reading.hits;
		switch (budget_update(&process->budget, &reading)) {
		case BUDGET_KEEP:
			break;
		case BUDGET_PAUSE:
			pause_process(export, process);
			break;
		case BUDGET_RESUME:
			resume_process(export, process);
			break;
		}
	}
}
