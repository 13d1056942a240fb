/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_UNSEEN_H
#define GENSCOPE_MODEL_UNSEEN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What was counted while probes were there stands for what went on while they were not. A process is seen in
 * windows: all of it, or its outermost steps alone, or nothing. How much it did is measured by its work, the
 * processor time that the probes did not take: a process that is slowed down while it is seen does less in
 * the same time, and one that waits for others does as much.
 *
 * A window makes up for the unseen work before it, which may be more than one reading ago.
 */

/* Work of a process since its beginning, in ns of processor time. */
struct unseen_work {
	uint64_t all_ns;       /* while everything was seen */
	uint64_t outermost_ns; /* while only outermost steps were */
	uint64_t none_ns;
};

struct unseen {
	struct unseen_work last;
	/* not yet made up for: of outermost steps, and of all that others drive */
	double outermost_ns, inner_ns;
	unsigned waits; /* calls in a row that had to wait */
};

/* What something that was counted since the last reading stands for: so many times itself. */
struct unseen_scale {
	double outermost; /* a step that nothing else drives */
	double inner;     /* any other, and what happens without a step: births and frees */
};
static const struct unseen_scale UNSEEN_NOTHING = { 1, 1 };

/* The scale of what was counted since the last call that said true. False: the window has just begun, and what it
 * has counted is not enough to stand for the rest; nothing is to be taken in now. That is said a few times at most, then
 * the rest is given up: a process that idles now says nothing about what it did before. `ends`: the window does,
 * so that what there is has to do. */
bool unseen_read(struct unseen *unseen, const struct unseen_work *now, bool ends,
		 struct unseen_scale *out);

#endif
