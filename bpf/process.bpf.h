/* SPDX-License-Identifier: MIT */
/*
 * Processes: their identity, and following fork, exec and exit.
 */
#ifndef GENSCOPE_PROCESS_BPF_H
#define GENSCOPE_PROCESS_BPF_H

#include "maps.bpf.h"

/* Pids are reused and exec keeps the pid, so a process image is pid, start time and number of execs. */
static __always_inline u64 process_identity(struct task_struct *task)
{
	u32 stamp = (u32)(task->group_leader->start_time >> 10);

	stamp ^= (u32)task->self_exec_id * 0x9e3779b1u;
	return (u64)(u32)task->tgid << 32 | stamp;
}

/* The identity of a process that is followed, for who did not see it begin. */
static __always_inline void process_identify(struct task_struct *task)
{
	u32 pid = task->tgid;
	u64 *known;

	if ((u32)task->pid != pid)
		return;
	known = bpf_map_lookup_elem(&processes, &pid);
	if (known)
		*known = process_identity(task);
}

static __always_inline void send_process(u32 event, u32 pid, u32 tid, u32 other, u64 process)
{
	struct process_record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (!record) {
		count(STAT_PROCESSES_LOST);
		return;
	}
	record->head.size = sizeof(*record);
	record->head.type = RECORD_PROCESS;
	record->head.flags = 0;
	record->head.pid = pid;
	record->head.tid = tid;
	record->head.ts_ns = bpf_ktime_get_ns();
	record->event = event;
	record->other = other;
	record->process = process;
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
}

/* The first object of a process: tell the user side when nobody named that process before. */
static __always_inline void process_seen(u64 process, u32 tid)
{
	u32 pid = process >> 32;
	u64 *known = bpf_map_lookup_elem(&processes, &pid);

	if (known && *known == process)
		return;
	if (!bpf_map_update_elem(&processes, &pid, &process, BPF_ANY))
		send_process(PROCESS_SEEN, pid, tid, 0, process);
}

static __always_inline void process_forked(struct task_struct *parent, struct task_struct *child)
{
	u32 pid = parent->tgid, child_pid = child->tgid;
	u64 process;

	if ((u32)child->pid != child_pid) /* a thread */
		return;
	if (!settings.follow_forks || !bpf_map_lookup_elem(&processes, &pid))
		return;
	process = process_identity(child);
	bpf_map_update_elem(&processes, &child_pid, &process, BPF_ANY);
	send_process(PROCESS_FORK, child_pid, child_pid, pid, process);
}

static __always_inline void process_executed(struct task_struct *task)
{
	u32 pid = task->tgid;
	u64 process = process_identity(task);
	u64 *known = bpf_map_lookup_elem(&processes, &pid);
	u32 former = 0;

	if (!known && !settings.watch_exec)
		return;
	if (known) {
		former = (u32)*known;
		bpf_map_update_elem(&processes, &pid, &process, BPF_ANY);
	}
	send_process(PROCESS_EXEC, pid, pid, former, process);
}

static __always_inline void process_exited(struct task_struct *task)
{
	u32 pid = task->tgid;
	u64 *known = bpf_map_lookup_elem(&processes, &pid);
	u64 process;

	if (!known || task->signal->live.counter > 0)
		return;
	process = *known;
	bpf_map_delete_elem(&processes, &pid);
	send_process(PROCESS_EXIT, pid, pid, 0, process);
}

#endif
