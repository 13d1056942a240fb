/* SPDX-License-Identifier: MIT */
/*
 * What else is told of a step that a user should look at: the objects that it awaits, and who made it.
 */
#ifndef GENSCOPE_COMPANY_BPF_H
#define GENSCOPE_COMPANY_BPF_H

#include "code.bpf.h"
#include "cpython.bpf.h"
#include "state.bpf.h"

#define CHAIN_MAX 64 /* objects that await one another; deeper ones are left out */

struct chain_walk {
	u64 process;
	u64 gen;
	u64 now;
	u32 tid;
};

/* One object of the chain, as the transition that suspended it. */
static __always_inline bool send_awaited(const struct chain_walk *walk, const struct object *object)
{
	struct transition_record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (!record)
		return false;
	record->head.size = sizeof(*record);
	record->head.type = RECORD_TRANSITION;
	record->head.flags = TRANSITION_CHAIN;
	record->head.pid = walk->process >> 32;
	record->head.tid = walk->tid;
	record->head.ts_ns = walk->now;
	record->gen = walk->gen;
	record->id = object->id;
	record->parent = object->driver_id;
	record->run_ns = 0;
	record->suspended_ns = 0;
	record->seq = object->seq;
	record->code = object->code;
	record->instruction = object->instruction;
	record->kind = object->kind;
	record->from = STATE_RUNNING;
	record->to = STATE_SUSPENDED;
	record->via = object->exit_via;
	record->epoch = (u32)walk->process;
	record->site = 0;
	record->maker_code = object->maker_code;
	record->maker_instruction = object->maker_instruction;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return true;
}

static long walk_chain(u64 index, struct chain_walk *walk)
{
	struct object_key key = { .process = walk->process, .gen = walk->gen };
	struct object *object = bpf_map_lookup_elem(&objects, &key);

	if (!object || object->frame != STATE_SUSPENDED || !send_awaited(walk, object))
		return 1;
	walk->gen = object->inner_gen;
	return !walk->gen;
}

/* What a step awaits that has just ended: from the outside in. */
static __always_inline void send_chain(const struct hit *hit, const struct object *object)
{
	struct chain_walk walk = {
		.process = hit->process, .gen = object->inner_gen, .now = hit->now, .tid = hit->tid
	};

	if (walk.gen)
		bpf_loop(CHAIN_MAX, walk_chain, &walk, 0);
}

/* The frame that called the function which makes this object: its own one may still be the current one,
 * at RETURN_GENERATOR. 0: none that runs Python code. */
static __always_inline u64 maker_frame(const struct hit *hit, u64 code)
{
	const struct layout *layout = &hit->image->layout;
	u64 frame = caller_frame(hit), at;

	if (frame && frame_code(hit, frame) == code) {
		at = read_pointer(frame + layout->frame_instr) - code - layout->code_instructions;
		if (at == (u64)-2 || is_unstarted(hit, code, (u32)at))
			frame = read_pointer(frame + layout->frame_previous);
	}
	/* between Python and C there are frames without code (3.12 on) */
	if (!frame || read_pointer(frame_code(hit, frame) + PYOBJECT_TYPE) !=
			      read_pointer(code + PYOBJECT_TYPE))
		return 0;
	return frame;
}

static __always_inline void keep_maker(const struct hit *hit, struct object *object)
{
	const struct layout *layout = &hit->image->layout;
	u64 frame = maker_frame(hit, object->code_address), code, offset;

	if (!frame)
		return;
	code = frame_code(hit, frame);
	offset = read_pointer(frame + layout->frame_instr) - code - layout->code_instructions;
	object->maker_code = CODE_ID(code_entry(hit, code));
	object->maker_instruction = offset < (1u << 28) ? (u32)offset : NO_INSTRUCTION;
}

/* Never awaited: it ends though it has not begun, and nobody called close(). An async generator that nobody
 * closed: the finaliser does it, or the event loop, which gets it from the finaliser's hook and drives
 * aclose() itself. */
static __always_inline bool is_suspect(const struct object *object, u8 from, u8 to, u8 via,
				       u64 parent)
{
	if (object->kind == KIND_COROUTINE)
		return from == STATE_CREATED &&
		       (to == STATE_NONE || (to == STATE_CLOSED && via == VIA_FINALIZE));
	if (object->kind == KIND_ASYNC_GENERATOR && from == STATE_SUSPENDED)
		return to == STATE_NONE || via == VIA_FINALIZE || (via == VIA_ACLOSE && !parent);
	return false;
}

#endif
