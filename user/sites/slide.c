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

bool slide_forward(const struct insn_list *list, size_t from, uint8_t reg, int32_t addend,
		   struct slide *out)
{
	struct aliases aliases = { .valid = (uint16_t)(1u << reg) };
	int32_t stack = 0;

	aliases.addend[reg] = addend;
	for (size_t i = from; i < list->count && i < from + REACH; i++) {
		const struct insn *insn = &list->at[i];
		uint8_t holder = choose(&aliases, reg);

		if (holder == INSN_NO_REG || (insn->join && i > 0))
			return false;
		if (i > 0 && list->at[i - 1].address + list->at[i - 1].size != insn->address)
			return false; /* bytes that could not be decoded */
		if (insn->emulated) {
			*out = (struct slide){ .index = i,
					       .reg = holder,
					       .addend = aliases.addend[holder],
					       .stack = stack,
					       .emulated = true };
			return true;
		}
		if (insn->flow != FLOW_NEXT)
			return false;
		if ((insn->written >> GPR_RSP & 1) && !insn->stack_add)
			return false; /* the stack goes somewhere unknown */
		stack -= insn->stack_add;
		follow(&aliases, insn);
	}
	return false;
}
