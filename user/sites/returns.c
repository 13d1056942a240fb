// SPDX-License-Identifier: MIT
#include "sites/returns.h"

#include "site.h"

#define CALL_REACH  64 /* instructions from the store to the call */
#define OTHER_REACH 10 /* from a jump aside to the call through the interpreter's pointer */

/* System V ABI for x86-64, figure 3.4: preserved across calls. */
#define PRESERVED                                                                                  \
	(1u << GPR_RBX | 1u << GPR_RBP | 1u << GPR_R12 | 1u << GPR_R13 | 1u << GPR_R14 |           \
	 1u << GPR_R15)

struct search {
	const struct insn_list *list;
	returns_is_eval *is_eval;
	const void *ctx;
	uint8_t reg; /* holds the object from the store to behind the calls */
	int32_t addend;
	struct returns *out;
	bool certain; /* one of the calls names the evaluation loop */
};

/* Through a pointer it may be any call; one that names the loop has to be near. */
static bool may_be_eval(const struct search *search, const struct insn *insn)
{
	return insn->flow == FLOW_CALL_INDIRECT ||
	       (insn->flow == FLOW_CALL && search->is_eval(search->ctx, insn));
}

/* Do others of the calls come back to just here, by a jump? Then what is found here stands for them, too. */
static bool forget_those_that_meet(struct search *search, uint64_t address)
{
	struct returns *out = search->out;
	bool meet = false;

	for (size_t i = 0; i < out->count; i++) {
		const struct insn *insn = &search->list->at[out->at[i].index];

		if (insn->flow != FLOW_JUMP || insn->target != address)
			continue;
		out->at[i--] = out->at[--out->count];
		meet = true;
	}
	return meet;
}

/* Behind the call at `index`. Where the other call joins, it has returned, too. */
static void add_return(struct search *search, size_t index)
{
	const struct insn_list *list = search->list;
	size_t first = index + 1;
	struct insn_list rest;
	struct slide slide;

	if (first < list->count && list->at[first].join)
		forget_those_that_meet(search, list->at[first].address);
	for (size_t i = first; i + 1 < list->count && list->at[i].flow == FLOW_NEXT &&
			       !(list->at[i].written >> search->reg & 1);
	     i++)
		if (list->at[i + 1].join && forget_those_that_meet(search, list->at[i + 1].address))
			first = i + 1;
	if (first >= list->count || search->out->count == RETURNS_MAX)
		return;
	/* a list of its own, so that a join at its very beginning does not end the slide */
	rest = (struct insn_list){ .at = list->at + first, .count = list->count - first };
	if (!slide_forward(&rest, 0, search->reg, search->addend, &slide))
		return;
	slide.index += first;
	for (size_t i = 0; i < search->out->count; i++)
		if (search->out->at[i].index == slide.index)
			return;
	search->out->at[search->out->count++] = slide;
}

/* The instruction that control comes to next in a straight line, unconditional jumps followed; -1: none. */
static long next_of(const struct insn_list *list, size_t index)
{
	const struct insn *insn = &list->at[index];

	if (insn->flow == FLOW_JUMP)
		return insn_find(list, insn->target);
	if (insn->flow == FLOW_RETURN || insn->flow == FLOW_JUMP_INDIRECT)
		return -1;
	return index + 1 < list->count ? (long)index + 1 : -1;
}

/* Adds the first call from `first` on that may be one of the loop; false: there is none, or something is
 * in the way. */
static bool look(struct search *search, size_t first, size_t reach, bool aside)
{
	const struct insn_list *list = search->list;
	long i = (long)first;

	for (size_t steps = 0; i >= 0 && steps < reach; steps++, i = next_of(list, (size_t)i)) {
		const struct insn *insn = &list->at[i];

		if (may_be_eval(search, insn)) {
			search->certain |= insn->flow == FLOW_CALL;
			if (!aside)
				search->out->last = (size_t)i;
			add_return(search, (size_t)i);
			return true;
		}
		if (insn->flow == FLOW_BRANCH && !aside) {
			long target = insn_find(list, insn->target);

			if (target >= 0)
				look(search, (size_t)target, OTHER_REACH, true);
		}
		if (insn->written >> search->reg & 1)
			return false;
	}
	return false;
}

bool returns_find(const struct insn_list *list, const struct store *store, returns_is_eval *is_eval,
		  const void *ctx, struct returns *out)
{
	struct search search = { .list = list, .is_eval = is_eval, .ctx = ctx, .out = out };

	*out = (struct returns){ .first = store->index };
	if (!slide_find_copy(list, store->index + 1, store->base, store->addend, PRESERVED,
			     &search.reg, &search.addend))
		return false;
	if (!look(&search, store->index + 1, CALL_REACH, false) || !search.certain)
		out->count = 0;
	return out->count > 0;
}

bool returns_are_of(const struct insn_list *list, const struct store *store,
		    const struct returns *others)
{
	long i = next_of(list, store->index);

	for (size_t steps = 0; i >= 0 && steps < CALL_REACH; steps++) {
		if ((size_t)i > others->first && (size_t)i <= others->last)
			return true;
		if (list->at[i].flow == FLOW_CALL || list->at[i].flow == FLOW_CALL_INDIRECT)
			return false;
		i = next_of(list, (size_t)i);
	}
	return false;
}
