/* SPDX-License-Identifier: MIT */
/*
 * USDT probes of CPython (Include/pydtrace.d): garbage collections, imports, audit events.
 */
#ifndef GENSCOPE_CONTEXT_BPF_H
#define GENSCOPE_CONTEXT_BPF_H

#include "process.bpf.h"

static __always_inline void on_context(u32 event, s64 value, const char *name)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct context_record *record;

	count(STAT_HITS);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		count(STAT_LOST_RING);
		return;
	}
	record->head.size = sizeof(*record);
	record->head.type = RECORD_CONTEXT;
	record->head.flags = 0;
	record->head.pid = task->tgid;
	record->head.tid = task->pid;
	record->head.ts_ns = bpf_ktime_get_ns();
	record->event = event;
	record->pad = 0;
	record->value = value;
	record->name[0] = 0;
	if (name)
		bpf_probe_read_user_str(record->name, sizeof(record->name), name);
	/* the beginning of a collection or import makes no line of its own */
	count(event == CONTEXT_GC_START || event == CONTEXT_IMPORT_START ? STAT_CAUSES :
									   STAT_EVENTS);
	bpf_ringbuf_submit(record, ring_flags());
}

#endif
