/* SPDX-License-Identifier: MIT */
/*
 * Who resumed an object, or closed it without a run (`via`). It is known from, in this order: the
 * evaluation loop's own sites; the entry of send(), throw() or close() on this thread; an outer object
 * that handed a throw or close on (_gen_throw() and gen_close() of Objects/genobject.c set the outer one
 * RUNNING around the call, put its state back, and resume it only then); what the finaliser leaves; the
 * instruction of the calling Python frame.
 */
#ifndef GENSCOPE_CAUSE_BPF_H
#define GENSCOPE_CAUSE_BPF_H

#include "cpython.bpf.h"
#include "state.bpf.h"

#define OPCODE_CALL 0xe8 /* with a distance of 32 bits */
#define ENTRY_REACH 64   /* bytes from a function's entry to the probe that stands for it */

/* A SEND in the caller is the `await` of a coroutine or the `yield from` of a generator. What runs on
 * this thread may be older than the tracer: then its code says what it is. */
static __always_inline u8 via_of_send(const struct hit *hit, const struct thread *thread)
{
	u32 flags = 0;
	u64 frame;

	if (thread->top_kind)
		return thread->top_kind == KIND_GENERATOR ? VIA_YIELD_FROM : VIA_AWAIT;
	frame = caller_frame(hit);
	if (frame)
		bpf_probe_read_user(
			&flags, sizeof(flags),
			(void *)(frame_code(hit, frame) + hit->image->layout.code_flags));
	return flags & CODE_GENERATOR ? VIA_YIELD_FROM : VIA_AWAIT;
}

static __always_inline u8 via_of_opcode(const struct hit *hit, const struct thread *thread)
{
	u8 class = caller_opcode(hit);

	if (class == OPCODE_FOR_ITER)
		return VIA_FOR;
	if (class == OPCODE_SEND)
		return via_of_send(hit, thread);
	return hit->kind == KIND_GENERATOR ? VIA_NEXT : VIA_SEND;
}

/* The method of this object that was entered last on this thread, if it has not returned: its stack
 * frame is above us, and its return address still lies there. A method that failed at once (send()
 * to a running generator) must not explain a later resume. */
static __always_inline u8 pending_via(const struct thread *thread, const struct hit *hit)
{
	if (thread->pending_gen != hit->gen || hit->stack_pointer > thread->pending_slot)
		return VIA_UNKNOWN;
	if (read_pointer(thread->pending_slot) != thread->pending_return)
		return VIA_UNKNOWN;
	/* unused stack keeps old values: a method also has its caller where it was then */
	if (thread->pending_via != VIA_FINALIZE &&
	    thread->pending_caller != caller_instruction(hit))
		return VIA_UNKNOWN;
	return thread->pending_via;
}

/* Is the object on top of this thread still in _gen_throw() or gen_close(), its own frame not begun, and
 * are we called from there? The iterator it delegates to may run Python code of its own. */
static __always_inline bool is_delegating(const struct hit *hit, const struct thread *thread)
{
	const struct layout *layout = &hit->image->layout;
	u64 frame;

	if (!thread->delegated_via || !thread->top_gen ||
	    read_pointer(thread->top_gen + layout->gen_previous_item))
		return false;
	/* the interpreter shows the outer one's frame as current while it delegates, or does not */
	frame = caller_frame(hit);
	return frame == thread->delegated_frame || frame == thread->top_gen + layout->gen_iframe;
}

/* A step that no method began: is it the finaliser that throws GeneratorExit in? The collector marks an
 * object before it calls that; dealloc does not, but nothing else resumes with an exception set (what
 * athrow() and aclose() throw into an async generator has its flag up). A compiler that knows its
 * profile copies _PyGen_Finalize() and gen_close() into their callers: then no entry is hit. */
static __always_inline bool is_thrown_by_finaliser(const struct hit *hit,
						   const struct object *object)
{
	if (hit->site->where == SITE_IN_SLOT) /* nobody closes by these */
		return false;
	return is_finalized(hit) || hit->site->where == SITE_IN_FINALISER ||
	       (!object->async && is_generator_exit(hit, exception_type(hit)));
}

/* Why the object starts to run, or is closed without running. */
static __always_inline u8 cause_of(const struct hit *hit, const struct thread *thread,
				   const struct object *object, u8 to)
{
	u8 via = VIA_UNKNOWN;

	if (hit->site->where == SITE_IN_EVAL) {
		if (hit->kind == KIND_GENERATOR && caller_opcode(hit) == OPCODE_FOR_ITER)
			return VIA_FOR;
		return via_of_send(hit, thread);
	}
	if (hit->site->where != SITE_IN_SLOT)
		via = pending_via(thread, hit);
	/* a traced 3.11 awaits by calling send() itself (SEND with c_tracefunc in Python/ceval.c) */
	if (via == VIA_SEND && !hit->image->layout.code_monitoring &&
	    caller_opcode(hit) == OPCODE_SEND)
		return via_of_send(hit, thread);
	/* throw() goes on by gen_send() when what it delegated to returned */
	if (via == VIA_SEND && object->delegated_via)
		return object->delegated_via;
	/* send() and throw() close nothing that did not run: they failed before, and are forgotten */
	if (via && (to != STATE_CLOSED || is_close(via)))
		return via;
	if (object->delegated_via)
		return object->delegated_via;
	if (is_delegating(hit, thread))
		return thread->delegated_via;
	if (to == STATE_CLOSED || is_thrown_by_finaliser(hit, object))
		return VIA_FINALIZE;
	return via_of_opcode(hit, thread);
}

/* Was the function at whose entry we stand called by a call of that very address? A method is called
 * through a pointer, so it is the interpreter itself then: of gen_close() the finaliser, or an outer
 * object that closes its inner one first. */
static __always_inline bool is_called_directly(const struct hit *hit, u64 return_address)
{
	struct {
		u8 opcode;
		s32 distance;
	} __attribute__((packed)) call;
	u64 entry;

	if (bpf_probe_read_user(&call, sizeof(call), (void *)(return_address - sizeof(call))) ||
	    call.opcode != OPCODE_CALL)
		return false;
	entry = return_address + (s64)call.distance;
	return hit->base + hit->site->address - entry < ENTRY_REACH;
}

static __always_inline void on_cause(const struct hit *hit, struct thread *thread)
{
	struct object_key key = { .process = hit->process, .gen = hit->gen };
	struct object *object;
	u8 via = hit->site->via;
	u64 slot, caller;

	count(STAT_CAUSES);
	if (via == VIA_ASEND || via == VIA_ATHROW || via == VIA_ACLOSE) {
		/* these make an awaitable; the object runs when that is awaited */
		object = bpf_map_lookup_elem(&objects, &key);
		if (object)
			object->async_via = via;
		thread->async_gen = object ? 0 : hit->gen;
		thread->async_via = via;
		return;
	}
	if (via == VIA_SEND && pending_via(thread, hit) == VIA_THROW)
		return; /* throw() calls gen_send() itself */
	slot = hit->stack_pointer + hit->site->stack;
	caller = read_pointer(slot);
	if (via == VIA_CLOSE && (thread->delegated_via == VIA_FINALIZE || is_finalized(hit) ||
				 (is_called_directly(hit, caller) && !is_delegating(hit, thread))))
		via = VIA_FINALIZE;
	thread->pending_gen = hit->gen;
	thread->pending_slot = slot;
	thread->pending_return = caller;
	thread->pending_caller = via == VIA_FINALIZE ? 0 : caller_instruction(hit);
	thread->pending_via = via;
}

#endif
