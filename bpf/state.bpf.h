/* SPDX-License-Identifier: MIT */
/*
 * The state machine alone: pure functions over struct object, struct thread and plain values.
 */
#ifndef GENSCOPE_STATE_BPF_H
#define GENSCOPE_STATE_BPF_H

#include "maps.bpf.h"
#include "state.h"

/* Can gi_frame_state go from one to the other? What cannot was missed or misread: an anomaly. */
static __always_inline bool legal_change(u8 from, u8 to)
{
	switch (to) {
	case STATE_CREATED:
		return from == STATE_NONE;
	case STATE_RUNNING:
		return from == STATE_CREATED || from == STATE_SUSPENDED;
	case STATE_SUSPENDED:
		/* from CREATED: throw() that is delegated is set back as it was */
		return from == STATE_RUNNING;
	case STATE_CLOSED:
		return from != STATE_NONE;
	}
	return false;
}

/* The object now runs on this thread, above what ran there. */
static __always_inline void push(struct thread *thread, struct object *object, u64 gen, u64 now)
{
	if (thread->top_gen == gen)
		return;
	object->entered_ns = now;
	object->outer_inner_ns = thread->inner_ns;
	thread->inner_ns = 0;
	thread->left_gen = 0;
	object->driver_gen = thread->top_gen;
	object->driver_id = thread->top_id;
	object->driver_kind = thread->top_kind;
	thread->top_gen = gen;
	thread->top_id = object->id;
	thread->top_kind = object->kind;
}

/* It runs no more, nor does what ran above it: that was missed, or runs on a stack of its own
 * (greenlets), where it knows its driver itself. */
static __always_inline void pop(struct thread *thread, struct object *object, u64 gen, u64 now)
{
	u64 ran = object->entered_ns ? now - object->entered_ns : 0;

	/* what was missed on the way up has no time of its own */
	if (thread->top_gen == gen && thread->inner_ns < ran)
		object->self_ns += ran - thread->inner_ns;
	thread->inner_ns = object->outer_inner_ns + ran;
	object->held_ns = ran;
	object->entered_ns = 0;
	thread->top_gen = object->driver_gen;
	thread->top_id = object->driver_id;
	thread->top_kind = object->driver_kind;
}

/* Is whoever resumed the object suspended with it? An async generator is resumed by an awaitable of its own, whatever
 * the instruction looks like that drives that one. */
static __always_inline bool is_awaited(const struct object *object)
{
	if (object->kind == KIND_ASYNC_GENERATOR)
		return true;
	switch (object->step_via) {
	case VIA_UNKNOWN:
	case VIA_NEXT:
	case VIA_SEND:
	case VIA_FOR:
		return false;
	}
	return true;
}

/* Before pop(): the object is suspended, or has ended. What it awaits is what was suspended last inside its
 * step, if it awaits at all. */
static __always_inline void keep_inner(struct thread *thread, struct object *object, u64 gen, u8 to)
{
	bool known = thread->top_gen == gen && to == STATE_SUSPENDED;

	object->inner_gen = known ? thread->left_gen : 0;
	thread->left_gen = known && is_awaited(object) ? gen : 0;
}

/* Follow ag_running_async: true when it has gone down. The object has yielded or ended then: who drove it goes on, and
 * awaits it no more. */
static __always_inline bool follow_async(struct thread *thread, struct object *object, u64 gen,
					 u8 to)
{
	bool ended = object->async && !to;

	if (ended && thread->left_gen == gen)
		thread->left_gen = 0;
	object->async = to;
	return ended;
}

/* How long a visible step of `elapsed` was. Where steps are told for the time that they held their thread, what an
 * async generator awaits is none of it. */
static __always_inline u64 step_ns(const struct object *object, u64 elapsed)
{
	return settings.chains && object->kind == KIND_ASYNC_GENERATOR ? object->held_ns : elapsed;
}

/* No method of this object is under way any more. */
static __always_inline void forget_pending(struct thread *thread, u64 gen)
{
	if (thread->pending_gen == gen)
		thread->pending_gen = 0;
}

static __always_inline bool is_close(u8 via)
{
	return via == VIA_CLOSE || via == VIA_FINALIZE || via == VIA_ACLOSE;
}

#endif
