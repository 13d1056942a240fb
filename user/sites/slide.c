// SPDX-License-Identifier: MIT
#include "sites/slide.h"

#include "site.h"

#define REACH 48 /* instructions; a longer straight line is not worth the risk of missing a join */

/* Which registers hold the object, and how far off. */
struct aliases {
	uint16_t valid; /* bit 1 << register */
	int32_t addend[GPR_COUNT];
};

static void follow(struct aliases *aliases, const struct insn *insn)
{
	bool copies = insn->move_from != INSN_NO_REG && insn->move_to != INSN_NO_REG &&
		      insn->move_to != GPR_RSP && (aliases->valid >> insn->move_from & 1);
	int64_t addend = copies ? aliases->addend[insn->move_from] - insn->move_add : 0;

	aliases->valid &= (uint16_t)~insn->written;
	if (copies && addend == (int32_t)addend) {
		aliases->valid |= (uint16_t)(1u << insn->move_to);
		aliases->addend[insn->move_to] = (int32_t)addend;
	}
}

/* Registers as what other registers held where the straight line began. */
struct origins {
	uint8_t of[GPR_COUNT]; /* a register then, or a number that nothing else has */
	int64_t add[GPR_COUNT];
	uint8_t next;
};

static void trace(struct origins *origins, const struct insn *insn)
{
	bool copies = insn->move_from != INSN_NO_REG && insn->move_to != INSN_NO_REG;
	uint8_t of = copies ? origins->of[insn->move_from] : 0;
	int64_t add = copies ? origins->add[insn->move_from] + insn->move_add : 0;
	bool calls = insn->flow == FLOW_CALL || insn->flow == FLOW_CALL_INDIRECT;
	uint16_t written = calls ? 0xffff : insn->written; /* who knows what it keeps */

	for (unsigned reg = 0; reg < GPR_COUNT; reg++) {
		if (!(written >> reg & 1))
			continue;
		origins->of[reg] = origins->next++;
		origins->add[reg] = 0;
	}
	if (copies && !calls && add == (int32_t)add) {
		origins->of[insn->move_to] = of;
		origins->add[insn->move_to] = add;
	}
}

static bool falls_through(const struct insn_list *list, size_t index)
{
	uint8_t flow = list->at[index - 1].flow;

	return !list->at[index].join &&
	       list->at[index - 1].address + list->at[index - 1].size == list->at[index].address &&
	       (flow == FLOW_NEXT || flow == FLOW_CALL || flow == FLOW_CALL_INDIRECT ||
		flow == FLOW_BRANCH);
}

/* Which other registers hold the object already: control came here in one line from the last join, and
 * what was copied on it is known. */
static void find_copies(const struct insn_list *list, size_t from, struct aliases *aliases,
			uint8_t base)
{
	struct origins origins = { .next = GPR_COUNT };
	size_t first = from;

	while (first > 0 && from - first < REACH && falls_through(list, first))
		first--;
	for (unsigned reg = 0; reg < GPR_COUNT; reg++)
		origins.of[reg] = (uint8_t)reg;
	for (size_t i = first; i < from; i++) {
		if (origins.next > UINT8_MAX - GPR_COUNT)
			return;
		trace(&origins, &list->at[i]);
	}
	for (unsigned reg = 0; reg < GPR_COUNT; reg++) {
		int64_t addend = aliases->addend[base] + origins.add[base] - origins.add[reg];

		if (reg == base || reg == GPR_RSP || origins.of[reg] != origins.of[base] ||
		    addend != (int32_t)addend)
			continue;
		aliases->valid |= (uint16_t)(1u << reg);
		aliases->addend[reg] = (int32_t)addend;
	}
}

/* The register the object was in at first, if it still is, else any copy. */
static uint8_t choose(const struct aliases *aliases, uint8_t preferred)
{
	if (aliases->valid >> preferred & 1)
		return preferred;
	for (unsigned reg = 0; reg < GPR_COUNT; reg++)
		if (aliases->valid >> reg & 1)
			return (uint8_t)reg;
	return INSN_NO_REG;
}

static bool stop(struct slide *out, uint8_t why)
{
	out->stop = why;
	return false;
}

static bool slide(const struct insn_list *list, size_t from, uint8_t reg, struct aliases aliases,
		  struct slide *out)
{
	int32_t stack = 0;

	for (size_t i = from; i < list->count && i < from + REACH; i++) {
		const struct insn *insn = &list->at[i];
		uint8_t holder = choose(&aliases, reg);

		if (insn->join && i > 0)
			return stop(out, SLIDE_JOIN);
		if (holder == INSN_NO_REG)
			return stop(out, SLIDE_LOST);
		if (i > 0 && list->at[i - 1].address + list->at[i - 1].size != insn->address)
			return stop(out, SLIDE_FAR); /* bytes that could not be decoded */
		if (insn->emulated) {
			*out = (struct slide){ .index = i,
					       .reg = holder,
					       .addend = aliases.addend[holder],
					       .stack = stack,
					       .emulated = true };
			return true;
		}
		if (insn->flow != FLOW_NEXT)
			return stop(out, SLIDE_LEAVES);
		if ((insn->written >> GPR_RSP & 1) && !insn->stack_add)
			return stop(out, SLIDE_STACK);
		stack -= insn->stack_add;
		follow(&aliases, insn);
	}
	return stop(out, SLIDE_FAR);
}

bool slide_forward(const struct insn_list *list, size_t from, uint8_t reg, int32_t addend,
		   struct slide *out)
{
	struct aliases aliases = { .valid = (uint16_t)(1u << reg) };

	aliases.addend[reg] = addend;
	return slide(list, from, reg, aliases, out);
}

bool slide_by_copies(const struct insn_list *list, size_t from, uint8_t reg, int32_t addend,
		     struct slide *out)
{
	struct aliases aliases = { .valid = (uint16_t)(1u << reg) };

	aliases.addend[reg] = addend;
	if (from < list->count)
		find_copies(list, from, &aliases, reg);
	return slide(list, from, reg, aliases, out);
}

bool slide_find_copy(const struct insn_list *list, size_t from, uint8_t reg, int32_t addend,
		     uint16_t mask, uint8_t *out_reg, int32_t *out_addend)
{
	struct aliases aliases = { .valid = (uint16_t)(1u << reg) };

	aliases.addend[reg] = addend;
	if (from < list->count)
		find_copies(list, from, &aliases, reg);
	aliases.valid &= mask;
	*out_reg = choose(&aliases, reg);
	if (*out_reg == INSN_NO_REG)
		return false;
	*out_addend = aliases.addend[*out_reg];
	return true;
}

const char *slide_stop_text(uint8_t stop)
{
	switch (stop) {
	case SLIDE_JOIN:
		return "control joins from elsewhere";
	case SLIDE_LOST:
		return "the object is in no register any more";
	case SLIDE_LEAVES:
		return "control leaves by a return or an indirect jump";
	case SLIDE_STACK:
		return "the stack pointer is set anew";
	case SLIDE_FAR:
		return "nothing emulated is near";
	}
	return "";
}
