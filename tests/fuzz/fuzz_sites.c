/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "python/layouts.h"
#include "site.h"
#include "sites/cut.h"
#include "sites/flow.h"
#include "sites/insn.h"
#include "sites/joins.h"
#include "sites/slide.h"
#include "sites/store.h"

/*
 * Any bytes as a function: decoded, its joins marked, its stores looked for with every layout, and a
 * probe slid from each of them, forward and back to the edges that lead there. What must hold of any
 * input is checked with abort().
 */

#define ADDRESS  0x401000
#define VERSIONS 5

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_instructions(const struct insn_list *list, size_t size)
{
	uint64_t end = ADDRESS;

	for (size_t i = 0; i < list->count; i++) {
		const struct insn *insn = &list->at[i];

		check(insn->address >= end && insn->size >= 1 && insn->size <= 15);
		end = insn->address + insn->size;
		check(end <= ADDRESS + size);
		check(insn_find(list, insn->address) == (long)i);
		check(insn->flow <= FLOW_RETURN);
		check(!insn->emulated || insn->flow != FLOW_RETURN);
		check(insn->memory.base == INSN_NO_REG || insn->memory.base < GPR_COUNT);
		check(insn->move_to == INSN_NO_REG || insn->move_to < GPR_COUNT);
		check(insn->move_from == INSN_NO_REG || insn->move_from < GPR_COUNT);
		check(insn->value_reg == INSN_NO_REG || insn->value_reg < GPR_COUNT);
	}
}

/* Between where it began and where it ends a slide leaves nothing and lets nothing in. */
static void check_slide(const struct insn_list *list, size_t from, uint8_t reg, int32_t addend)
{
	struct slide slide = { .index = from };

	if (!slide_forward(list, from, reg, addend, &slide)) {
		check(slide.index == from && !slide.emulated);
		if (!slide_by_copies(list, from, reg, addend, &slide))
			return;
	}
	check(slide.emulated && slide.index >= from && slide.index < list->count);
	check(list->at[slide.index].emulated && slide.reg < GPR_COUNT && slide.reg != GPR_RSP);
	for (size_t i = from; i < slide.index; i++) {
		check(list->at[i].flow == FLOW_NEXT && (i == 0 || !list->at[i].join));
		check(list->at[i].address + list->at[i].size == list->at[i + 1].address);
	}
	check(slide.index == 0 || !list->at[slide.index].join);
}

static void check_flow(const struct insn_list *list, const struct flow *flow)
{
	for (size_t i = 0; i < flow->block_count; i++) {
		const struct flow_block *block = &flow->blocks[i];

		check(block->first <= block->last && block->last < list->count);
		check(block->first == (i ? flow->blocks[i - 1].last + 1 : 0));
		check(block->ways_out <= 2 && (block->ways_out || block->leaves));
		check(block->edge_count == 0 ||
		      block->edges_from + block->edge_count <= flow->edge_count);
		for (size_t j = block->first; j < block->last; j++)
			check(list->at[j].flow == FLOW_NEXT || list->at[j].flow == FLOW_CALL ||
			      list->at[j].flow == FLOW_CALL_INDIRECT);
	}
}

/* The places are instructions that the kernel emulates, none twice, and none a call. */
static void check_cut(const struct insn_list *list, const struct flow *flow,
		      const struct layout *layout, const struct store *store)
{
	struct cut_query query = { .list = list, .flow = flow, .layout = layout, .store = store };
	struct cut cut;

	if (!cut_find(&query, &cut)) {
		check(cut.count == 0 && cut.obstacle && *cut_obstacle_text(cut.obstacle));
		return;
	}
	check(cut.count >= 1 && cut.count <= CUT_MAX && cut.obstacle == CUT_FOUND);
	for (unsigned i = 0; i < cut.count; i++) {
		const struct place *place = &cut.at[i];
		const struct insn *insn;

		check(place->index < list->count && place->index != store->index);
		insn = &list->at[place->index];
		check(insn->emulated && insn->flow != FLOW_CALL);
		check(place->condition <= 16 && (!place->condition || insn->flow == FLOW_BRANCH));
		check(place->object.reg < GPR_COUNT);
		check(store->constant || place->value.reg < GPR_COUNT);
		for (unsigned j = 0; j < i; j++)
			check(cut.at[j].index != place->index);
	}
}

/* Has the instruction a displacement of 8 bits? Compilers give a store to the state no other. */
static bool is_short_form(const uint8_t *bytes, const struct insn *insn)
{
	size_t at = 0;

	bytes += insn->address - ADDRESS;
	while (at < insn->size && bytes[at] != 0x88 && bytes[at] != 0xc6 && bytes[at] != 0xc7)
		at++;
	return at + 1 < insn->size && bytes[at + 1] >> 6 == 1;
}

static void try_layout(const struct layout *layout, const struct insn_list *list,
		       const struct flow *flow, const uint8_t *bytes, size_t size)
{
	bool registers, constants = store_in_bytes(layout, bytes, size, &registers);
	struct store store;

	for (size_t i = 0; i < list->count; i++) {
		size_t end = list->at[i].address - ADDRESS + list->at[i].size;

		if (!store_decode(layout, list, i, &store))
			continue;
		check(store.index == i && store.base < GPR_COUNT && store.base != GPR_RSP);
		check(store.addend == 0 || store.addend == -layout->gen_iframe);
		check(store.role >= SITE_FRAME_STATE && store.role <= SITE_BOTH);
		check(store.constant || store.value_reg < GPR_COUNT);
		/* the cheap look must not miss it; only at the very end no function has one */
		if (is_short_form(bytes, &list->at[i]) && end + 2 <= size)
			check(store.constant ? constants : registers);
		(void)store_has_company(layout, list, &store);
		(void)store_is_initialisation(layout, list, &store);
		check_slide(list, i + 1, store.base, store.addend);
		check_cut(list, flow, layout, &store);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint64_t at[2] = { ADDRESS + (size ? bytes[0] : 0), ADDRESS + size / 2 };
	struct joins joins = { .at = at, .count = at[0] < at[1] ? 2 : 1 };
	struct insn_list list;
	struct flow flow;
	char text[160];

	check(!insn_decode(bytes, size, ADDRESS, &list));
	check_instructions(&list, size);
	joins_mark(&joins, &list);
	check(!flow_build(&list, &flow));
	check_flow(&list, &flow);
	for (uint32_t minor = 11; minor < 11 + VERSIONS; minor++) {
		struct layout layout;

		check(!layout_for_version(0x03000000u | minor << 16, &layout, NULL));
		try_layout(&layout, &list, &flow, bytes, size);
	}
	for (uint8_t reg = 0; reg < GPR_COUNT; reg++)
		if (reg != GPR_RSP)
			check_slide(&list, 0, reg, 0);
	insn_text(bytes, size, ADDRESS, text, sizeof(text));
	check(strlen(text) < sizeof(text));
	flow_free(&flow);
	insn_list_free(&list);
	return 0;
}
