// SPDX-License-Identifier: MIT
#include "sites/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool ends_block(const struct insn *insn)
{
	return insn->flow == FLOW_JUMP || insn->flow == FLOW_JUMP_INDIRECT ||
	       insn->flow == FLOW_BRANCH || insn->flow == FLOW_RETURN;
}

static bool follows(const struct insn_list *list, size_t index)
{
	return index > 0 &&
	       list->at[index - 1].address + list->at[index - 1].size == list->at[index].address;
}

static void make_blocks(const struct insn_list *list, struct flow *out)
{
	struct flow_block *block = NULL;

	for (size_t i = 0; i < list->count; i++) {
		const struct insn *insn = &list->at[i];

		if (!block || insn->join || insn->entered || ends_block(&list->at[i - 1]) ||
		    !follows(list, i)) {
			block = &out->blocks[out->block_count++];
			memset(block, 0, sizeof(*block));
			block->first = (uint32_t)i;
			/* what cannot be decoded may be anything, and come out here */
			block->entered = insn->entered || !follows(list, i);
		}
		block->last = (uint32_t)i;
	}
}

static void add_edge(struct flow *flow, size_t from, long to_insn, uint8_t kind)
{
	uint32_t to;

	if (to_insn < 0) {
		flow->blocks[from].leaves = true;
		return;
	}
	to = flow_block_of(flow, (size_t)to_insn);
	if (flow->blocks[to].first != (uint32_t)to_insn) { /* no join was marked there */
		flow->blocks[from].leaves = true;
		flow->blocks[to].entered = true;
		return;
	}
	flow->blocks[from].ways_out++;
	flow->edges[flow->edge_count++] =
		(struct flow_edge){ .from = (uint32_t)from, .to = to, .kind = kind };
}

static void make_edges(const struct insn_list *list, struct flow *out)
{
	for (size_t i = 0; i < out->block_count; i++) {
		const struct insn *last = &list->at[out->blocks[i].last];
		long next = (long)out->blocks[i].last + 1;

		if (last->flow == FLOW_JUMP_INDIRECT || last->flow == FLOW_RETURN) {
			out->blocks[i].leaves = true;
			continue;
		}
		if (last->flow == FLOW_JUMP || last->flow == FLOW_BRANCH)
			add_edge(out, i, insn_find(list, last->target), EDGE_TAKEN);
		if (last->flow == FLOW_JUMP)
			continue;
		if (next >= (long)list->count || !follows(list, (size_t)next))
			next = -1;
		add_edge(out, i, next, EDGE_FALL);
	}
}

static int compare(const void *a, const void *b)
{
	const struct flow_edge *x = a, *y = b;

	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return x->from < y->from ? -1 : x->from > y->from;
}

int flow_build(const struct insn_list *list, struct flow *out)
{
	memset(out, 0, sizeof(*out));
	if (!list->count)
		return 0;
	out->blocks = calloc(list->count, sizeof(*out->blocks));
	out->edges = calloc(2 * list->count, sizeof(*out->edges));
	if (!out->blocks || !out->edges) {
		flow_free(out);
		return -ENOMEM;
	}
	make_blocks(list, out);
	make_edges(list, out);
	if (out->edge_count)
		qsort(out->edges, out->edge_count, sizeof(*out->edges), compare);
	for (size_t i = out->edge_count; i-- > 0;) {
		out->blocks[out->edges[i].to].edges_from = (uint32_t)i;
		out->blocks[out->edges[i].to].edge_count++;
	}
	return 0;
}

void flow_free(struct flow *flow)
{
	free(flow->blocks);
	free(flow->edges);
	memset(flow, 0, sizeof(*flow));
}

uint32_t flow_block_of(const struct flow *flow, size_t insn)
{
	size_t low = 0, high = flow->block_count;

	while (low + 1 < high) {
		size_t middle = low + (high - low) / 2;

		if (flow->blocks[middle].first <= insn)
			low = middle;
		else
			high = middle;
	}
	return (uint32_t)low;
}
