/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SITES_FLOW_H
#define GENSCOPE_SITES_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sites/insn.h"

/*
 * The control flow of one function: basic blocks and the edges between them. Where it is not known it is
 * said so, never guessed: a block that a table, another function or an unknown byte may lead to is
 * `entered`, one that may go on to somewhere outside `leaves`. Calls do not end a block.
 */

enum flow_edge_kind {
	EDGE_FALL,  /* into the next instruction */
	EDGE_TAKEN, /* by the jump that ends the block */
};

struct flow_edge {
	uint32_t from, to; /* blocks */
	uint8_t kind;      /* enum flow_edge_kind */
};

struct flow_block {
	uint32_t first, last; /* instructions, both of them in it */
	bool entered;
	bool leaves;
	uint8_t ways_out;    /* edges that are known */
	uint32_t edges_from; /* index of the first edge into it */
	uint32_t edge_count; /* edges into it */
};

struct flow {
	struct flow_block *blocks; /* in the order of the instructions */
	size_t block_count;
	struct flow_edge *edges; /* sorted by `to` */
	size_t edge_count;
};

/* `list` after joins_mark(). 0 or -ENOMEM. */
int flow_build(const struct insn_list *list, struct flow *out);
void flow_free(struct flow *flow);

/* The block that holds an instruction. */
uint32_t flow_block_of(const struct flow *flow, size_t insn);

#endif
