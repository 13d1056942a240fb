/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_SLOW_H
#define GENSCOPE_MODEL_SLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/reasons.h"
#include "model/stream.h"

/*
 * Steps that held their thread too long, out of the events of a run: of all of them, in their order
 * (`report`), or of those alone that BPF thought worth telling (`slow`: ends of steps over the limit, and
 * TRANSITION_CHAIN before outermost ones).
 *
 * A step is what an event loop, or whoever drives a generator, sees: from the outermost object's resume
 * until it is suspended or ends. What it awaits runs inside it.
 */

#define SLOW_OVER_NS                                                                               \
	50000000ull /* what a user of a server begins to notice: the limit unless one is given */

struct slow_place {
	uint64_t id, gen;
	struct code *code; /* the stream's */
	uint32_t line;     /* 0: none */
	uint8_t kind;      /* enum object_kind */
	uint8_t to;        /* enum object_state that it left RUNNING for; RUNNING: it has not */
	uint64_t run_ns;   /* of its own step; 0: not known */
	uint64_t ts_ns;    /* when that ended */
};

#define SLOW_CHAIN_MAX 65 /* the step's object and CHAIN_MAX of bpf/company.bpf.h */
#define SLOW_INNER_MAX 16

struct slow_step {
	/* Its end, a transition; or what a survey told of it while it runs. Valid during the call. */
	const struct event *event;
	bool running;
	bool at_least; /* it ran already when the run began: since then it took run_ns */
	uint64_t begin_ns, run_ns; /* CLOCK_MONOTONIC, and how long it took, or takes so far */
	/* Where it stood at its end, or stands now: the object itself first, then what it awaits. */
	const struct slow_place *chain;
	size_t chain_count;
	/* Steps over the limit of objects that it drove, in the order of their ends. At most SLOW_INNER_MAX. */
	const struct slow_place *inner;
	size_t inner_count;
	uint64_t inner_left; /* earlier ones, for which there was no room */
	/* What the interpreter told of that time, on this thread. */
	struct reasons reasons;
};

struct slow_options {
	uint64_t over_ns;
	bool complete; /* the events are all that there are, not only what BPF thought worth telling */
	/* 0, or < 0 to stop (handed through by slow_event). */
	int (*step)(void *ctx, const struct slow_step *step);
	void *ctx;
};

struct slow;
int slow_new(const struct slow_options *options, struct slow **out); /* -ENOMEM */
void slow_free(struct slow *slow);                                   /* NULL is fine */

/* The next event of the run: transitions, gc, import, audit; others are ignored. -ENOMEM. */
int slow_event(struct slow *slow, const struct event *event);

/* What the interpreter told of a thread between two times. */
void slow_reasons(const struct slow *slow, uint32_t pid, uint32_t tid, uint64_t begin_ns,
		  uint64_t end_ns, struct reasons *out);

#endif
