// SPDX-License-Identifier: MIT
#include "sites/cut.h"

#include <string.h>

#define REGION_MAX 10 /* blocks */
#define PATHS_MAX  64
#define POINTER    8

struct search {
	const struct cut_query *query;
	uint32_t region[REGION_MAX]; /* the first is the store's own */
	unsigned region_count;
	unsigned paths;
	bool ways_only; /* never mind what lies on them */
	struct cut cut; /* of this region */
};

static bool refuse(struct search *search, uint8_t obstacle)
{
	search->cut.obstacle = obstacle;
	return false;
}

static bool in_region(const struct search *search, uint32_t block)
{
	for (unsigned i = 0; i < search->region_count; i++)
		if (search->region[i] == block)
			return true;
	return false;
}

static bool overlaps(int64_t a, int64_t a_size, int64_t b, int64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* Memory at `what` stays as it is: the instruction writes none, or beside it through the same register. */
static bool spares(const struct insn *insn, const struct whereabouts *what, int size)
{
	const struct insn_memory *memory = &insn->memory;

	if (!insn->writes_memory)
		return true;
	return memory->present && memory->stored && !memory->indexed && memory->size &&
	       memory->base == what->reg && !(insn->written >> what->reg & 1) &&
	       !overlaps(memory->disp, memory->size, what->disp, size);
}

static bool fits(int64_t value)
{
	return value == (int32_t)value;
}

/* From where it is after an instruction to where it is before it. */
static bool back_over_load(const struct insn *insn, struct whereabouts *what, int size)
{
	if (!spares(insn, what, size))
		return false;
	if (!(insn->written >> what->reg & 1))
		return true;
	if (insn->move_to != what->reg || insn->move_from == INSN_NO_REG ||
	    !fits(what->disp + insn->move_add))
		return false;
	what->reg = insn->move_from;
	what->disp += (int32_t)insn->move_add;
	return true;
}

static bool becomes_load(const struct insn *insn, struct whereabouts *what)
{
	if (insn->memory.base == INSN_NO_REG || insn->memory.indexed || !fits(insn->memory.disp))
		return false;
	what->loaded = true;
	what->reg = insn->memory.base;
	what->disp = (int32_t)insn->memory.disp;
	return true;
}

static bool object_before(const struct insn *insn, struct whereabouts *what)
{
	if (what->loaded)
		return back_over_load(insn, what, POINTER);
	if (!(insn->written >> what->reg & 1))
		return true;
	if (insn->load_to == what->reg)
		return becomes_load(insn, what);
	if (insn->move_to != what->reg || insn->move_from == INSN_NO_REG ||
	    !fits(what->add + insn->move_add))
		return false;
	what->reg = insn->move_from;
	what->add += (int32_t)insn->move_add;
	return true;
}

static bool value_before(const struct insn *insn, struct whereabouts *what)
{
	if (what->loaded)
		return back_over_load(insn, what, 1);
	if (!(insn->written >> what->reg & 1))
		return true;
	if (insn->low_to != what->reg)
		return false;
	if (insn->low_kind == LOW_LOAD)
		return becomes_load(insn, what);
	if (insn->low_kind != LOW_COPY)
		return false;
	what->reg = insn->low_from;
	what->add = (what->add + insn->low_add) & 0xff;
	return true;
}

static bool step_back(struct search *search, size_t index, struct place *place)
{
	const struct insn *insn = &search->query->list->at[index];

	if (insn->flow == FLOW_CALL || insn->flow == FLOW_CALL_INDIRECT)
		return refuse(search, CUT_CALL);
	place->index = index;
	if (search->ways_only)
		return true;
	if (insn->written == 0xffff ||
	    store_is_disturbed(search->query->layout, search->query->store, insn))
		return refuse(search, CUT_STATE);
	if (!object_before(insn, &place->object) ||
	    (!search->query->store->constant && !value_before(insn, &place->value)))
		return refuse(search, CUT_LOST);
	return true;
}

static bool same(const struct whereabouts *a, const struct whereabouts *b)
{
	return a->loaded == b->loaded && a->reg == b->reg && a->disp == b->disp && a->add == b->add;
}

static bool add_place(struct search *search, const struct place *place)
{
	const struct cut_query *query = search->query;
	struct cut *cut = &search->cut;

	for (unsigned i = 0; i < cut->count; i++) {
		struct place *known = &cut->at[i];

		if (known->index != place->index)
			continue;
		if (!search->ways_only &&
		    (!same(&known->object, &place->object) || !same(&known->value, &place->value)))
			return refuse(search, CUT_LOST);
		if (known->condition != place->condition)
			known->condition = 0; /* both ways lead in */
		return true;
	}
	for (size_t i = 0; i < query->occupied_count; i++)
		if (query->occupied[i] == query->list->at[place->index].address)
			return refuse(search, CUT_OCCUPIED);
	if (cut->count == CUT_MAX)
		return refuse(search, CUT_MANY);
	cut->at[cut->count++] = *place;
	return true;
}

static bool is_push(const struct insn *insn)
{
	return insn->emulated && insn->flow == FLOW_NEXT;
}

/* The last push of a block at or before `index`, when nothing from there to its end is in the way. */
static bool find_push(struct search *search, uint32_t block, long index, struct place *place)
{
	const struct insn_list *list = search->query->list;

	for (; index >= (long)search->query->flow->blocks[block].first; index--) {
		if (!step_back(search, (size_t)index, place))
			return false;
		if (is_push(&list->at[index]))
			return true;
	}
	return refuse(search, CUT_FALLS);
}

/* The place from which control takes this edge. */
static bool place_edge(struct search *search, const struct flow_edge *edge, struct place place)
{
	const struct flow_block *block = &search->query->flow->blocks[edge->from];
	const struct insn *last = &search->query->list->at[block->last];

	place.index = block->last;
	place.condition = 0;
	if (last->flow == FLOW_BRANCH) {
		if (!last->emulated || !last->condition)
			return refuse(search, CUT_FALLS); /* loop, jrcxz */
		place.condition = edge->kind == EDGE_TAKEN ? last->condition :
							     ((last->condition - 1) ^ 1) + 1;
	} else if (last->flow == FLOW_JUMP) {
		if (!last->emulated)
			return refuse(search, CUT_FALLS);
	} else if (!find_push(search, edge->from, block->last, &place)) {
		return false;
	}
	return add_place(search, &place);
}

/* Back from an instruction of the region, on every path, to the edges into it. */
static bool walk(struct search *search, uint32_t block, long index, struct place place)
{
	const struct flow *flow = search->query->flow;
	const struct flow_block *at = &flow->blocks[block];

	for (; index >= (long)at->first; index--)
		if (!step_back(search, (size_t)index, &place))
			return false;
	if (at->entered)
		return refuse(search, CUT_ENTERED);
	for (uint32_t i = 0; i < at->edge_count; i++) {
		const struct flow_edge *edge = &flow->edges[at->edges_from + i];
		bool inside = in_region(search, edge->from) && edge->from != search->region[0];

		if (inside ? !walk(search, edge->from, flow->blocks[edge->from].last, place) :
			     !place_edge(search, edge, place))
			return false;
		if (search->paths++ == PATHS_MAX)
			return refuse(search, CUT_MANY);
	}
	return true;
}

static struct place at_store(const struct cut_query *query)
{
	const struct store *store = query->store;

	return (struct place){ .index = store->index,
			       .object = { .reg = store->base, .add = store->addend },
			       .value = { .reg = store->constant ? 0 : store->value_reg } };
}

/* A block all of whose ways lead into the region, and nowhere else. */
static bool grow(struct search *search)
{
	const struct flow *flow = search->query->flow;

	if (search->region_count == REGION_MAX)
		return false;
	for (unsigned i = 0; i < search->region_count; i++) {
		const struct flow_block *block = &flow->blocks[search->region[i]];

		for (uint32_t e = 0; e < block->edge_count; e++) {
			uint32_t from = flow->edges[block->edges_from + e].from;
			unsigned ways = 0;

			if (in_region(search, from) || flow->blocks[from].leaves)
				continue;
			for (size_t k = 0; k < flow->edge_count; k++)
				ways += flow->edges[k].from == from &&
					in_region(search, flow->edges[k].to);
			if (ways != flow->blocks[from].ways_out)
				continue;
			search->region[search->region_count++] = from;
			return true;
		}
	}
	return false;
}

static unsigned cost(const struct cut *cut)
{
	unsigned conditions = 0;

	for (unsigned i = 0; i < cut->count; i++)
		conditions += cut->at[i].condition != 0;
	return cut->count * 16 + conditions;
}

static void count_passed(struct search *search)
{
	const struct flow_block *blocks = search->query->flow->blocks;

	search->cut.blocks = search->region_count;
	search->cut.passed =
		(unsigned)(search->query->store->index - blocks[search->region[0]].first);
	for (unsigned i = 1; i < search->region_count; i++)
		search->cut.passed +=
			blocks[search->region[i]].last - blocks[search->region[i]].first + 1;
}

static bool find_in_block(struct search *search, struct cut *out)
{
	const struct cut_query *query = search->query;
	struct place place = at_store(query);

	if (!find_push(search, search->region[0], (long)query->store->index - 1, &place) ||
	    !add_place(search, &place))
		return false;
	*out = search->cut;
	out->blocks = 1;
	out->passed = (unsigned)(query->store->index - place.index);
	out->in_block = true;
	return true;
}

static bool is_birth(const struct cut_query *query)
{
	return query->store->constant && query->store->role != SITE_RUNNING_ASYNC &&
	       query->store->value == query->layout->created;
}

/* Of all the regions' reasons: that something on a way forbids it says more than that one has no way. */
static void note_obstacle(struct cut *out, uint8_t obstacle)
{
	if (!out->obstacle || obstacle == CUT_STATE || obstacle == CUT_LOST ||
	    obstacle == CUT_OCCUPIED)
		out->obstacle = obstacle ? obstacle : CUT_ENTERED;
}

/* Tries region after region, each a block larger. */
static bool find_edges(struct search *search, struct cut *out)
{
	const struct cut_query *query = search->query;
	bool found = false;

	search->region_count = 1;
	do {
		memset(&search->cut, 0, sizeof(search->cut));
		search->paths = 0;
		if (!walk(search, search->region[0], (long)query->store->index - 1,
			  at_store(query)) ||
		    !search->cut.count) {
			if (!found)
				note_obstacle(out, search->cut.obstacle);
			continue;
		}
		count_passed(search);
		if (!found || cost(&search->cut) < cost(out))
			*out = search->cut;
		out->obstacle = CUT_FOUND;
		found = true;
	} while (grow(search));
	return found;
}

bool cut_find(const struct cut_query *query, struct cut *out)
{
	struct search search = { .query = query };
	struct cut ways = {};

	memset(out, 0, sizeof(*out));
	out->obstacle = CUT_BIRTH;
	if (is_birth(query))
		return false;
	search.region[0] = flow_block_of(query->flow, query->store->index);
	search.region_count = 1;
	if (find_in_block(&search, out))
		return true;
	memset(out, 0, sizeof(*out));
	if (find_edges(&search, out))
		return true;
	/* the stronger reason: there are no such instructions at all */
	search.ways_only = true;
	memset(&search.cut, 0, sizeof(search.cut));
	if (!find_in_block(&search, &ways) && !find_edges(&search, &ways))
		out->obstacle = ways.obstacle;
	out->count = 0;
	return false;
}

/* Intel manual, volume 1, appendix B: two codes a condition, the odd one its opposite. */
void place_to_site(const struct place *place, bool constant, struct site *out)
{
	static const uint16_t flags[] = {
		FLAG_OVERFLOW, FLAG_CARRY,  FLAG_ZERO, FLAG_CARRY | FLAG_ZERO,
		FLAG_SIGN,     FLAG_PARITY, 0,         FLAG_ZERO
	};

	out->reg = place->object.reg;
	out->addend = place->object.add;
	out->object_loaded = place->object.loaded;
	out->object_disp = place->object.disp;
	out->condition = place->condition;
	if (place->condition) {
		out->condition_flags = flags[(place->condition - 1) >> 1 & 7];
		out->condition_less = (place->condition - 1) >> 1 >= 6;
	}
	out->from = VALUE_CONSTANT;
	if (constant)
		return;
	out->from = place->value.loaded ? VALUE_LOADED : VALUE_REGISTER;
	out->value_reg = place->value.reg;
	out->value_disp = place->value.disp;
	out->value_add = (__s8)place->value.add;
}

const char *cut_obstacle_text(uint8_t obstacle)
{
	switch (obstacle) {
	case CUT_ENTERED:
		return "its block is entered by a computed jump or from elsewhere";
	case CUT_CALL:
		return "a call lies between";
	case CUT_FALLS:
		return "control falls in without a jump";
	case CUT_STATE:
		return "what a transition is read from is written between";
	case CUT_LOST:
		return "the object or the value is not at hand before";
	case CUT_OCCUPIED:
		return "another probe sits there";
	case CUT_BIRTH:
		return "the object is not finished";
	case CUT_MANY:
		return "control comes from too many places";
	}
	return "";
}
