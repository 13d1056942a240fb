/* SPDX-License-Identifier: MIT */
/*
 * What the bytes in memory mean as a state: the same for who sees them change and for who reads them.
 */
#ifndef GENSCOPE_STATE_H
#define GENSCOPE_STATE_H

#include "layout.h"
#include "records.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* enum object_state of a gi_frame_state; STATE_NONE: no state of CPython's. */
static __always_inline __u8 frame_state(const struct layout *layout, __s8 value)
{
	if (value == layout->executing)
		return STATE_RUNNING;
	if (value >= layout->suspended_first && value <= layout->suspended_last)
		return STATE_SUSPENDED;
	if (value == layout->created)
		return STATE_CREATED;
	if (value == layout->cleared || value == layout->completed)
		return STATE_CLOSED;
	return STATE_NONE;
}

/* FRAME_SUSPENDED_YIELD_FROM; 3.11 and 3.12 have one state for both, and it is 1 always. */
static __always_inline __u8 yields_from(const struct layout *layout, __s8 value)
{
	return layout->suspended_first == layout->suspended_last || value > layout->suspended_first;
}

/* What inspect.get…state() would answer (Lib/inspect.py of 3.12). An async generator is RUNNING for
 * as long as an asend() or athrow() of it is, its own awaits included. Where its frame has not begun
 * or has ended the flag is up only for moments in which no Python code runs (asend() that fails).
 * A frame that executes without the flag (the finaliser's close) is called RUNNING too, where
 * inspect falls through to AGEN_CREATED. */
static __always_inline __u8 visible_state(__u8 kind, __u8 frame, __u8 async)
{
	if (kind == KIND_ASYNC_GENERATOR && async && frame == STATE_SUSPENDED)
		return STATE_RUNNING;
	return frame;
}

#endif
