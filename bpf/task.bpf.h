/* SPDX-License-Identifier: MIT */
/*
 * Which asyncio task drives an object (latency --by task). task_step() of Modules/_asynciomodule.c resumes a
 * task's coroutine; where it runs the address of the task is in a register that it saves or on its stack, not
 * far above us. An object that says it is a task and holds this very coroutine is the one. What is
 * looked for once in the life of a coroutine may take a few microseconds.
 */
#ifndef GENSCOPE_TASK_BPF_H
#define GENSCOPE_TASK_BPF_H

#include "code.bpf.h"
#include "cpython.bpf.h"

#define STACK_WORDS                                                                                \
	192 /* 1.5 KB: task_step(), PyIter_Send() and gen_send_ex2() take half of that */
#define SAVED_WORDS    6          /* registers that a function saves: rbx, rbp, r12 to r15 */
#define STACK_REACH    (8u << 20) /* what points in here is no object */
#define TASK_BASES_MAX 4          /* subclasses of Task that are looked through */
#define TASK_TYPE      "_asyncio.Task"
#define TASK_UNKNOWN   0xffffffffu /* looked for, and not found: it is driven by something else */
#define TASK_OTHER     0xfffffffeu /* there are no rows left */

/* As a task is called: two of one name are one row. */
struct task_key {
	u64 process;
	u64 number; /* of "Task-<number>" that nobody has asked for yet (3.13 on); else 0 */
	u8 name[TASK_NAME_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DISTRIBUTIONS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct task_key);
	__type(value, u32);
} task_rows SEC(".maps");

u32 last_task_row = 0;

struct task_search {
	const struct hit *hit;
	const struct image *image;
	u64 saved[SAVED_WORDS];
	u64 task; /* 0: not found */
};

static __always_inline bool is_task_type(u64 type, const struct value_layout *values)
{
	char name[sizeof(TASK_TYPE)];

	for (int i = 0; i < TASK_BASES_MAX && type; i++) {
		bool same = !bpf_probe_read_user(name, sizeof(name),
						 (void *)read_pointer(type + values->type_name));

		for (u32 k = 0; k < sizeof(name) && same; k++)
			same = name[k] == TASK_TYPE[k];
		if (same)
			return true;
		type = read_pointer(type + values->type_base);
	}
	return false;
}

static long look_for_task(u64 index, struct task_search *search)
{
	const struct hit *hit = search->hit;
	u64 at;

	if (index < SAVED_WORDS)
		at = search->saved[index];
	else
		at = read_pointer(hit->stack_pointer + (index - SAVED_WORDS) * 8);
	if (!at || at & 7 || at - hit->stack_pointer < STACK_REACH)
		return 0;
	if (read_pointer(at + search->image->task_coroutine) != hit->gen ||
	    !is_task_type(read_pointer(at + PYOBJECT_TYPE), &search->image->values))
		return 0;
	search->task = at;
	return 1;
}

static __always_inline void send_task(const struct hit *hit, const struct task_key *key,
				      const struct text *text, u32 row)
{
	struct task_record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (!record) {
		count(STAT_CODES_LOST);
		return;
	}
	record->head.size = sizeof(*record);
	record->head.type = RECORD_TASK;
	record->head.flags = 0;
	record->head.pid = hit->process >> 32;
	record->head.tid = hit->tid;
	record->head.ts_ns = hit->now;
	record->process = hit->process;
	record->number = key->number;
	record->row = row;
	record->pad = 0;
	record->name_text = *text;
	__builtin_memcpy(record->name, key->name, sizeof(record->name));
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

/* The row of a task, made and told at first sight, or TASK_OTHER. */
static __noinline u32 task_row(const struct hit *hit, u64 task)
{
	const struct image *image = hit ? hit->image : NULL;
	struct task_key key = {};
	struct text text = {};
	u32 *known, row;
	u64 name;

	if (!image)
		return TASK_OTHER;
	name = read_pointer(task + image->task_name);
	key.process = hit->process;
	if (read_pointer(name + PYOBJECT_TYPE) - hit->base == image->value_types[VALUE_INT])
		bpf_probe_read_user(&key.number, 4, (void *)(name + image->values.long_digits));
	else
		copy_text(&image->layout, name, &text, key.name, sizeof(key.name));
	known = bpf_map_lookup_elem(&task_rows, &key);
	if (known)
		return *known;
	row = __sync_fetch_and_add(&last_task_row, 1) + 1;
	if (row >= DISTRIBUTIONS_MAX || bpf_map_update_elem(&task_rows, &key, &row, BPF_NOEXIST))
		return TASK_OTHER;
	send_task(hit, &key, &text, row);
	return row;
}

/* The row of the task whose coroutine is resumed by this hit, or TASK_UNKNOWN. */
static __always_inline u32 find_task(const struct hit *hit, const struct pt_regs *regs)
{
	struct task_search search = { .hit = hit,
				      .image = hit->image,
				      .saved = { regs->bx, regs->bp, regs->r12, regs->r13,
						 regs->r14, regs->r15 } };

	bpf_loop(SAVED_WORDS + STACK_WORDS, look_for_task, &search, 0);
	return search.task ? task_row(hit, search.task) : TASK_UNKNOWN;
}

#endif
