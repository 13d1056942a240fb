// SPDX-License-Identifier: MIT
/*
 * What is alive in processes whose probes do not tell of it: read from their memory, at most every
 * --snapshot-interval, and only of those that have used the processor since: nothing changes in the others.
 *
 * How long something has been suspended, memory does not tell. That an object still stands where it stood, and awaits
 * an object at the same address, proves nothing: a loop around `await queue.get()` makes its coroutine and its future
 * anew each time, and nearly always at the same addresses. What does prove that a wait goes on is that the process
 * has not run. So an age counts from the last time that it did, and is never too large.
 */
#include <errno.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/export.h"
#include "model/snapshot.h"
#include "session/duty.h"
#include "session/view.h"
#include "state.h"
#include "target/clock.h"

#define CACHE_BYTES (4u << 20)

static int on_object(void *ctx, const struct snapshot_object *object)
{
	return group_table_add(ctx, NULL, object);
}

static int count_objects(struct export_run *export, pid_t pid, struct group_table *groups)
{
	struct snapshot_options wanted = { .each = on_object, .ctx = groups };
	struct snapshot *snapshot = NULL;
	struct process_view view;
	char why[IMAGE_WHY_MAX];
	int err = process_view_open(session_images(export->run.session), pid, CACHE_BYTES, &view,
				    why);

	if (err)
		return err;
	err = snapshot_take(&view.remote, pid, &wanted, &snapshot, why);
	snapshot_free(snapshot);
	process_view_close(&view);
	return err;
}

static bool needs_a_look(const struct export_process *process, uint64_t *cpu_ns)
{
	if (process->status > STATUS_UNPROBED || export_sees_objects(process))
		return false;
	*cpu_ns = session_process_cpu_ns(process->pid);
	return !process->groups || *cpu_ns != process->cpu_ns;
}

/* Reading takes milliseconds: only what is found out goes in with the lock held. */
static void look_at(struct export_run *export, pid_t pid, uint64_t cpu_ns)
{
	struct group_table *groups;
	struct export_process *process;
	int err = group_table_new(&groups);

	if (!err)
		err = count_objects(export, pid, groups);
	pthread_mutex_lock(&export->lock);
	process = export_process_of(export, pid);
	if (!err && process) {
		group_table_free(process->groups);
		process->groups = groups;
		process->cpu_ns = cpu_ns;
		process->counted_ns = clock_now_ns();
		groups = NULL;
	} else if (err == -ENOTSUP && process && process->status == STATUS_UNPROBED) {
		export_refuse(process, REFUSAL_BUILD);
	}
	pthread_mutex_unlock(&export->lock);
	group_table_free(groups);
	if (err == -ENOMEM)
		export->err = err;
}

void export_look_at_memory(struct export_run *export, uint64_t now_ns)
{
	if (now_ns < export->next_snapshot_ns)
		return;
	export->next_snapshot_ns = now_ns + export->snapshot_ns;
	/* only this thread adds and removes processes */
	for (size_t i = 0; i < export->process_count && !stop_requested; i++) {
		uint64_t cpu_ns;

		if (needs_a_look(&export->processes[i], &cpu_ns))
			look_at(export, export->processes[i].pid, cpu_ns);
	}
}

/* Since when all that was suspended at the last look certainly is; now, if the process has run since. */
static uint64_t suspended_since(const struct export_process *process, uint64_t now_ns)
{
	bool has_run = session_process_cpu_ns(process->pid) != process->cpu_ns;

	return has_run || process->counted_ns > now_ns ? now_ns : process->counted_ns;
}

void export_add_memory(struct export_run *export, uint64_t now_ns)
{
	for (size_t i = 0; i < export->process_count; i++) {
		const struct export_process *process = &export->processes[i];
		const struct group *groups;
		uint64_t since_ns;
		size_t count;

		if (!process->groups || export_sees_objects(process))
			continue;
		since_ns = suspended_since(process, now_ns);
		groups = group_table_sorted(process->groups, &count);
		for (size_t k = 0; groups && k < count; k++)
			if (exporter_add_objects(export->exporter, process->service, groups[k].kind,
						 groups[k].file, groups[k].qualname,
						 groups[k].state, groups[k].count,
						 groups[k].state == STATE_SUSPENDED ? since_ns : 0,
						 now_ns))
				export->err = -ENOMEM;
	}
}
