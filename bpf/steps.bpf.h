/* SPDX-License-Identifier: MIT */
/*
 * Outermost steps alone (--steps): their entries from C and returns to it are all that has probes, so
 * births, frees and what goes on inside are not seen.
 */
#ifndef GENSCOPE_STEPS_BPF_H
#define GENSCOPE_STEPS_BPF_H

#include "cpython.bpf.h"
#include "state.bpf.h"

/* Only outermost steps are wanted: is this hit one of an object that something else drives? What ran on
 * the thread when its probes came, or left it without returning, is no driver: its memory says so. */
static __always_inline bool is_driven(const struct hit *hit, struct thread *thread)
{
	s8 value = 0;

	if (hit->site->role == SITE_RETURN)
		return thread->top_gen != hit->gen;
	if (!thread->top_gen || thread->top_gen == hit->gen)
		return false;
	if (!bpf_probe_read_user(&value, sizeof(value),
				 (void *)(thread->top_gen + hit->image->layout.gen_frame_state)) &&
	    value == hit->image->layout.executing)
		return true;
	thread->top_gen = 0;
	return false;
}

/* The map was not told of an end that took no step (close() of what need not run): does another object live
 * at this address now? One that was suspended stands where it was left, but for throw(), which
 * in 3.11 moves an outer one behind its await before it resumes it (_gen_throw() of Objects/genobject.c). */
static __always_inline bool is_another_object(const struct hit *hit, const struct object *object)
{
	u64 code;

	if (hit->site->role == SITE_RETURN || object->frame == STATE_RUNNING)
		return false;
	code = code_of(hit);
	return code != object->code_address ||
	       (instruction_of(hit, code) != object->instruction && !exception_type(hit));
}

#endif
