// SPDX-License-Identifier: MIT
/*
 * The programs. Each is a stub; what they do is in the .bpf.h files, which also compile natively.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>

#include "context.bpf.h"
#include "survey.bpf.h"
#include "transition.bpf.h"

/* The same program twice: kernels with uprobe_multi (6.6) attach all sites as one link, others one by
 * one. `?`: not loaded unless asked for. */
SEC("?uprobe.multi")
int site_multi(struct pt_regs *regs)
{
	on_hit(regs, bpf_get_attach_cookie(regs));
	return 0;
}

SEC("?uprobe")
int site_single(struct pt_regs *regs)
{
	on_hit(regs, bpf_get_attach_cookie(regs));
	return 0;
}

/* Does uprobe_multi work here, and for every thread of a process? (see session/features.c) */
u64 calibration_hits = 0;

SEC("?uprobe.multi")
int calibration_multi(struct pt_regs *regs)
{
	__sync_fetch_and_add(&calibration_hits, 1);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	process_forked(parent, child);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	process_executed(task);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	process_exited(task);
	return 0;
}

/* Run by the user side: see process_identity_of() in session/targets.c. */
SEC("iter/task")
int identify_processes(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;

	if (task)
		process_identify(task);
	return 0;
}

SEC("?usdt")
int BPF_USDT(gc_start, int generation)
{
	on_context(CONTEXT_GC_START, generation, NULL);
	return 0;
}

SEC("?usdt")
int BPF_USDT(gc_done, long collected)
{
	on_context(CONTEXT_GC_DONE, collected, NULL);
	return 0;
}

SEC("?usdt")
int BPF_USDT(import_start, char *name)
{
	on_context(CONTEXT_IMPORT_START, 0, name);
	return 0;
}

SEC("?usdt")
int BPF_USDT(import_done, char *name, int found)
{
	on_context(CONTEXT_IMPORT_DONE, found, name);
	return 0;
}

SEC("?usdt")
int BPF_USDT(audit, char *name)
{
	on_context(CONTEXT_AUDIT, 0, name);
	return 0;
}

/* Forget a process: run by the user side when it has gone or has executed something else. */
struct forget {
	u64 process;
	u64 forgotten;
};

static long forget_object(void *map, struct object_key *key, struct object *object,
			  struct forget *forget)
{
	if (key->process == forget->process) {
		bpf_map_delete_elem(&objects, key);
		forget->forgotten++;
	}
	return 0;
}

static long forget_any_object(void *map, struct object_key *key, struct object *object,
			      struct forget *forget)
{
	bpf_map_delete_elem(&objects, key);
	forget->forgotten++;
	return 0;
}

/* All that is known of objects: run by the user side before probes come back. */
SEC("syscall")
int forget_objects(struct forget *forget)
{
	struct forget local = {};

	bpf_for_each_map_elem(&objects, forget_any_object, &local, 0);
	forget->forgotten = local.forgotten;
	return 0;
}

SEC("syscall")
int survey_objects(struct survey *survey)
{
	struct survey local = *survey;

	survey_all(&local);
	survey->told = local.told;
	survey->records = local.records;
	survey->left = local.left;
	survey->objects = local.objects;
	return 0;
}

static long forget_code(void *map, struct code_key *key, struct code_entry *entry,
			struct forget *forget)
{
	if (key->process == forget->process) {
		u32 code = entry->code;

		bpf_map_delete_elem(&surveyed, &code);
		bpf_map_delete_elem(&codes, key);
	}
	return 0;
}

static long forget_class(void *map, struct class_key *key, u64 *print, struct forget *forget)
{
	if (key->process == forget->process)
		bpf_map_delete_elem(&classes, key);
	return 0;
}

/* Of one process, whose probes are off for a while. */
SEC("syscall")
int forget_objects_of(struct forget *forget)
{
	struct forget local = { .process = forget->process };

	bpf_for_each_map_elem(&objects, forget_object, &local, 0);
	forget->forgotten = local.forgotten;
	return 0;
}

SEC("syscall")
int forget_process(struct forget *forget)
{
	struct forget local = { .process = forget->process };

	bpf_for_each_map_elem(&objects, forget_object, &local, 0);
	bpf_for_each_map_elem(&codes, forget_code, &local, 0);
	bpf_for_each_map_elem(&classes, forget_class, &local, 0);
	forget->forgotten = local.forgotten;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
