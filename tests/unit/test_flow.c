/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "assemble.h"
#include "sites/flow.h"
#include "sites/joins.h"

/* Basic blocks and the edges between them. */

static struct insn_list marked(const char *bytes, size_t size, const struct joins *outside)
{
	struct insn_list list = decode_bytes(bytes, size);
	struct joins none = {};

	joins_mark(outside ? outside : &none, &list);
	return list;
}

static bool has_edge(const struct flow *flow, uint32_t from, uint32_t to, uint8_t kind)
{
	for (uint32_t i = 0; i < flow->blocks[to].edge_count; i++) {
		const struct flow_edge *edge = &flow->edges[flow->blocks[to].edges_from + i];

		cr_assert_eq(edge->to, to);
		if (edge->from == from && edge->kind == kind)
			return true;
	}
	return false;
}

#define BYTES(literal) literal, sizeof(literal) - 1

Test(flow, knows_a_diamond)
{
	struct insn_list list = marked(BYTES("\x85\xc0"             /* 0: test %eax,%eax */
					     "\x75\x04"             /* jne 2f */
					     "\x31\xc0"             /* 1: xor %eax,%eax */
					     "\xeb\x02"             /* jmp 3f */
					     "\x31\xdb"             /* 2: xor %ebx,%ebx */
					     "\xe8\x00\x01\x00\x00" /* 3: call: no end */
					     "\xc3"),
				       NULL);
	struct flow flow;

	cr_assert_eq(flow_build(&list, &flow), 0);
	cr_assert_eq(flow.block_count, 4);
	cr_assert_eq(flow.edge_count, 4);
	cr_expect(has_edge(&flow, 0, 1, EDGE_FALL) && has_edge(&flow, 0, 2, EDGE_TAKEN));
	cr_expect(has_edge(&flow, 1, 3, EDGE_TAKEN) && has_edge(&flow, 2, 3, EDGE_FALL));
	cr_expect(flow.blocks[0].entered && !flow.blocks[1].entered && !flow.blocks[2].entered &&
		  !flow.blocks[3].entered);
	cr_expect(!flow.blocks[0].leaves && !flow.blocks[1].leaves && !flow.blocks[2].leaves &&
		  flow.blocks[3].leaves);
	cr_expect(flow.blocks[0].ways_out == 2 && flow.blocks[3].ways_out == 0);
	for (size_t i = 0; i < list.count; i++) {
		const struct flow_block *block = &flow.blocks[flow_block_of(&flow, i)];

		cr_expect(i >= block->first && i <= block->last);
	}
	flow_free(&flow);
	insn_list_free(&list);
}

/* A way that is not known is never taken for none. */
Test(flow, says_what_it_does_not_know)
{
	static const struct {
		const char *text, *bytes;
		size_t size;
		uint32_t block;
		bool entered, leaves;
	} cases[] = {
		{ "the entry", BYTES("\x90\xc3"), 0, true, true },
		{ "a jump out of the function", BYTES("\x75\x7e\x90\xc3"), 0, true, true },
		{ "a branch before the function", BYTES("\x90\x75\xee\xc3"), 0, true, true },
		{ "the end of what is known", BYTES("\x75\x00\x90"), 1, false, true },
		{ "an indirect jump", BYTES("\x75\x00\xff\xe0"), 1, false, true },
		{ "ud2", BYTES("\x75\x00\x0f\x0b"), 1, false, true },
		{ "before unknown bytes", BYTES("\x75\x00\x90\x06\x90\xc3"), 1, false, true },
		{ "behind unknown bytes", BYTES("\x75\x00\x90\x06\x90\xc3"), 2, true, true },
		/* jne into the middle of lock incq: that and the next one are entered */
		{ "half-way in", BYTES("\x75\x01\xf0\x48\xff\x01\x90\xc3"), 1, true, false },
		{ "behind half-way in", BYTES("\x75\x01\xf0\x48\xff\x01\x90\xc3"), 2, true, true },
		{ "loop", BYTES("\x90\xe2\x00\xc3"), 1, false, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct insn_list list = marked(cases[i].bytes, cases[i].size, NULL);
		struct flow flow;

		cr_assert_eq(flow_build(&list, &flow), 0);
		cr_assert_lt(cases[i].block, flow.block_count, "%s", cases[i].text);
		cr_expect_eq(flow.blocks[cases[i].block].entered, cases[i].entered, "%s",
			     cases[i].text);
		cr_expect_eq(flow.blocks[cases[i].block].leaves, cases[i].leaves, "%s",
			     cases[i].text);
		flow_free(&flow);
		insn_list_free(&list);
	}
}

/* A join that was seen among raw bytes is the function's own jump only if such a jump lies there. */
Test(flow, tells_own_jumps_from_others)
{
	static const char bytes[] = "\x90"                     /* nop */
				    "\x0f\x85\x01\x00\x00\x00" /* jne 1f */
				    "\x90"                     /* nop */
				    "\xc3";                    /* 1: ret */
	static const struct {
		uint64_t from;
		bool entered;
	} cases[] = {
		{ TEXT_ADDRESS + 1, false }, /* the jne itself */
		{ TEXT_ADDRESS + 2, true },  /* the middle of it */
		{ TEXT_ADDRESS, true },      /* no jump */
		{ TEXT_ADDRESS - 64, true }, /* another function */
		{ 0, true },                 /* a table */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t at = TEXT_ADDRESS + 8, from = cases[i].from;
		struct joins joins = { .at = &at, .from = &from, .count = 1 };
		struct insn_list list = marked(bytes, sizeof(bytes) - 1, &joins);
		struct flow flow;

		cr_assert_eq(flow_build(&list, &flow), 0);
		cr_assert_eq(flow.block_count, 3);
		cr_expect_eq(flow.blocks[2].entered, cases[i].entered, "case %zu", i);
		cr_expect_eq(flow.blocks[2].edge_count, 2);
		flow_free(&flow);
		insn_list_free(&list);
	}
}

Test(flow, of_nothing_is_nothing)
{
	struct insn_list list = {};
	struct flow flow;

	cr_assert_eq(flow_build(&list, &flow), 0);
	cr_assert_eq(flow.block_count, 0);
	flow_free(&flow);
}
