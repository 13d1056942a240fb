/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SITES_CUT_H
#define GENSCOPE_SITES_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"
#include "site.h"
#include "sites/flow.h"
#include "sites/insn.h"
#include "sites/store.h"

/*
 * Moving a probe backward, from a store to where control must have come from: a few instructions that
 * the kernel emulates, of which exactly one is passed, once, each time before the store runs.
 *
 * A region is grown from the store's block: a block joins it when everything it leads to is in it
 * already, so that whoever enters the region comes to the store, and only once. No call, no store to
 * what BPF reads at a transition lies in it. The edges into the region are the cut. An edge is seen at
 * the jump that it leaves by: a conditional one together with its condition, unless both its ways lead
 * in; or at a push before it. Going back along every path from the store to an edge tells where the
 * object, and the value to be stored, are found there; all paths have to agree.
 */

#define CUT_MAX 3

/* Where a value is: in a register, plus `add`; or so at the address register + disp. */
struct whereabouts {
	bool loaded;
	uint8_t reg;
	int32_t disp;
	int32_t add;
};

struct place {
	size_t index;      /* of the instruction to probe */
	uint8_t condition; /* as in struct insn: must hold; 0: none */
	struct whereabouts object;
	struct whereabouts value; /* unless the store is of a constant; its low byte counts */
};

/* Why there is no cut. */
enum cut_obstacle {
	CUT_FOUND = 0,
	CUT_ENTERED,  /* control comes by a table, from another function, or is not known */
	CUT_CALL,     /* there is a call in between */
	CUT_FALLS,    /* control falls in from code without any instruction that is emulated */
	CUT_STATE,    /* something that BPF reads is written in between */
	CUT_LOST,     /* the object, or the value, is not at hand there */
	CUT_OCCUPIED, /* another probe sits there */
	CUT_MANY,     /* it would take more than CUT_MAX probes */
	CUT_BIRTH,    /* before the store the object is not one yet */
};

struct cut {
	struct place at[CUT_MAX];
	unsigned count;
	unsigned blocks; /* in the region */
	unsigned passed; /* instructions in the region that come before the store */
	bool in_block;   /* one push before the store in its own block */
	uint8_t obstacle;
};

struct cut_query {
	const struct insn_list *list; /* after joins_mark() */
	const struct flow *flow;
	const struct layout *layout;
	const struct store *store;
	const uint64_t *occupied; /* addresses that have a probe */
	size_t occupied_count;
};

/* Finds the cut with the fewest probes, and of those with the fewest conditions; the nearest of equals.
 * Returns whether there is one; out->obstacle says why not. */
bool cut_find(const struct cut_query *query, struct cut *out);

/* Gives a site what BPF needs to know: where the object and the value are, and the condition. */
void place_to_site(const struct place *place, bool constant, struct site *out);

const char *cut_obstacle_text(uint8_t obstacle);

#endif
