/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_STEPS_H
#define GENSCOPE_MODEL_STEPS_H

#include <stdbool.h>
#include <stdint.h>

#include "records.h"

/*
 * Who runs on whom, from transitions in their order. Each thread has a stack of the objects that run on
 * it; what passes between two transitions of the thread is the time of the object on top.
 *
 * An async generator stays RUNNING through its awaits, while it is not on any thread. It leaves the stack
 * with whoever drives it, and is back on it when that one goes on: its step is on the thread in several
 * stretches. Any other step is one stretch.
 */

/* An object on a thread's stack. */
struct stretch {
	uint64_t id; /* of the object */
	uint64_t begin_ns;
	uint64_t self_ns; /* without what ran on top of it */
	uint32_t depth;   /* 0: outermost */
	uint32_t pid, tid;
	uint32_t code;  /* id */
	uint32_t chain; /* the listener's; 0 until it says */
	uint8_t kind;
};

/* Memory is valid during the call. */
struct steps_listener {
	/* On top of its thread from now on; `under`: what it is on, NULL: nothing. Returns its `chain`. */
	uint32_t (*enter)(void *ctx, const struct stretch *stretch, const struct stretch *under);
	/* No longer on its thread. `end`: the transition that ended the step; NULL: it goes on elsewhere,
	 * or its end was lost. */
	void (*leave)(void *ctx, const struct stretch *stretch, uint64_t end_ns,
		      const struct transition_record *end);
	/* An await is over, and with it the waits of all who awaited one another: told once, of the
	 * innermost one's chain. */
	void (*waited)(void *ctx, uint32_t chain, uint64_t ns);
	void *ctx;
};

/* What else a transition says of its object. */
struct step_facts {
	uint64_t birth_ns; /* 0: not seen */
	bool has_self;     /* a step ended of which all was seen: */
	uint64_t self_ns;  /* … what it took without what ran inside */
};

struct steps;

/* `listener` NULL: none. -ENOMEM. */
int steps_new(const struct steps_listener *listener, struct steps **out);
void steps_free(struct steps *steps); /* NULL is fine */

/* The next transition, of which kind, states and via have been checked. -ENOMEM. */
int steps_add(struct steps *steps, const struct transition_record *transition,
	      struct step_facts *out);

/* What is still on a thread leaves it, as if its end was lost. */
void steps_end(struct steps *steps, uint64_t now_ns);

/* Objects that have been seen. */
uint64_t steps_objects(const struct steps *steps);

#endif
