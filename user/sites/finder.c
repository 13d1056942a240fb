// SPDX-License-Identifier: MIT
/*
 * From a file to its sites, in six passes:
 *  1. every function's bytes are searched for the shape of a store: a handful remains;
 *  2. the joins into those few are collected from the whole file;
 *  3. each is decoded and its stores are recognised;
 *  4. each store's probe slides forward; two that meet become one;
 *  5. those that found nothing go back to the edges that lead to their store;
 *  6. the place of free, and the entries of methods, are added.
 */
#include "sites/finder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sites/cut.h"
#include "sites/flow.h"
#include "sites/insn.h"
#include "sites/joins.h"
#include "sites/returns.h"
#include "sites/slide.h"
#include "sites/store.h"

#define CANDIDATES_MAX 512
#define PYTHON_3_12    0x030c0000u /* PY_VERSION_HEX */
#define GUARD_REACH    24          /* instructions between a guard and the copy it guards */
#define EVAL_JUMPS_MIN                                                                             \
	3 /* so many jumps from the evaluation loop into it make a range its cold part */

struct finder {
	const struct elf_file *file;
	const struct interpreter *interpreter;
	struct site_table *out;
	struct elf_function *functions;
	size_t function_count;
	struct code_range ranges[CANDIDATES_MAX];
	bool constants[CANDIDATES_MAX]; /* it holds a store of a constant */
	size_t range_count;
	struct code_range eval;
	struct joins joins;
};

static const struct elf_function *function_at(const struct finder *finder, uint64_t address)
{
	size_t low = 0, high = finder->function_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (finder->functions[middle].addr + finder->functions[middle].size <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < finder->function_count && address >= finder->functions[low].addr)
		return &finder->functions[low];
	return NULL;
}

static void collect_candidates(struct finder *finder)
{
	for (size_t i = 0; i < finder->function_count; i++) {
		const struct elf_function *function = &finder->functions[i];
		const uint8_t *bytes = elf_file_bytes(finder->file, function->addr, function->size);
		bool constants, registers;

		if (!bytes || finder->range_count == CANDIDATES_MAX)
			continue;
		if (finder->range_count &&
		    function->addr < finder->ranges[finder->range_count - 1].end)
			continue; /* overlapping entries: a hostile file */
		constants = store_in_bytes(&finder->interpreter->layout, bytes, function->size,
					   &registers);
		if (!constants && !registers)
			continue;
		finder->constants[finder->range_count] = constants;
		finder->ranges[finder->range_count++] =
			(struct code_range){ .start = function->addr,
					     .end = function->addr + function->size };
	}
}

static bool in_eval(const struct finder *finder, const struct code_range *range)
{
	return (range->start <= finder->eval.start && finder->eval.start < range->end) ||
	       range->jumps_from >= EVAL_JUMPS_MIN;
}

/* What a function is that a type's slot names: it has a meaning of its own, and may have been copied. */
static uint8_t slot_where(const struct finder *finder, uint64_t address)
{
	const char *name = address ? interpreter_function_name(finder->interpreter, address) : NULL;

	if (!name)
		return SITE_ANYWHERE;
	if (!strcmp(name, "gen_iternext") || !strcmp(name, "PyGen_am_send"))
		return SITE_IN_SLOT;
	return strcmp(name, "_PyGen_Finalize") ? SITE_ANYWHERE : SITE_IN_FINALISER;
}

/* Which kind of function resumes here. A compiler that knows its profile copies gen_iternext() and
 * _PyGen_Finalize() into their callers, behind a comparison of the slot with its address. */
static uint8_t where(const struct finder *finder, const struct insn_list *list, size_t store,
		     const struct code_range *range)
{
	if (in_eval(finder, range))
		return SITE_IN_EVAL;
	if (slot_where(finder, range->start))
		return slot_where(finder, range->start);
	for (size_t i = store > GUARD_REACH ? store - GUARD_REACH : 0; i < store; i++) {
		const struct insn *insn = &list->at[i];
		uint8_t compared = slot_where(finder, insn->compared);

		if (!compared)
			compared = slot_where(finder, insn->memory.rip_target);
		if (compared)
			return compared;
	}
	return SITE_ANYWHERE;
}

static struct found_site *add_site(struct finder *finder, const struct insn *insn,
				   uint64_t function)
{
	struct found_site *found;

	if (finder->out->count == FOUND_SITES_MAX)
		return NULL;
	found = &finder->out->at[finder->out->count];
	memset(found, 0, sizeof(*found));
	if (elf_file_offset(finder->file, insn->address, &found->file_offset))
		return NULL;
	finder->out->count++;
	found->site.address = insn->address;
	found->site.stepped = !insn->emulated;
	found->function = function;
	found->store = insn->address;
	return found;
}

/* Two stores whose probes meet at one instruction, about one object: memory tells both. */
static bool merge(struct finder *finder, const struct insn *probe, const struct slide *slide,
		  uint8_t role, uint16_t tells)
{
	for (size_t i = 0; i < finder->out->count; i++) {
		struct found_site *found = &finder->out->at[i];

		if (found->site.address != probe->address || found->site.from != VALUE_MEMORY ||
		    found->site.role > SITE_BOTH || found->site.reg != slide->reg ||
		    found->site.addend != slide->addend)
			continue;
		if (found->site.role != role)
			found->site.role = SITE_BOTH;
		found->tells |= tells;
		found->merged++;
		return true;
	}
	return false;
}

/* By a register that the object was in before. That leads further than the store's own, so mind what is
 * written on the way. */
static void slide_further(const struct finder *finder, const struct insn_list *list,
			  const struct store *store, struct slide *slide)
{
	struct slide further = *slide;

	if (!slide_by_copies(list, store->index + 1, store->base, store->addend, &further))
		return;
	for (size_t i = store->index + 1; i < further.index; i++)
		if (store_is_disturbed(&finder->interpreter->layout, store, &list->at[i]))
			return;
	*slide = further;
}

static uint16_t tells_of(const struct layout *layout, const struct store *store)
{
	if (store->role == SITE_RUNNING_ASYNC)
		return TELLS_RUN | TELLS_SUSPEND;
	if (!store->constant)
		return TELLS_SUSPEND; /* YIELD_VALUE; and a state that is put back */
	if (store->value == layout->created)
		return TELLS_BIRTH;
	if (store->value == layout->executing)
		return TELLS_RUN;
	return store->value == layout->completed || store->value == layout->cleared ? TELLS_CLOSE :
										      TELLS_SUSPEND;
}

static void add_store(struct finder *finder, const struct insn_list *list,
		      const struct store *store, const struct code_range *range)
{
	const struct insn *insn = &list->at[store->index];
	struct slide slide = { .index = store->index, .reg = store->base, .addend = store->addend };
	uint16_t tells = tells_of(&finder->interpreter->layout, store);
	struct found_site *found;

	if (!slide_forward(list, store->index + 1, store->base, store->addend, &slide))
		slide_further(finder, list, store, &slide);
	if (slide.emulated && merge(finder, &list->at[slide.index], &slide, store->role, tells))
		return;
	found = add_site(finder, &list->at[slide.index], range->start);
	if (!found)
		return;
	found->store = insn->address;
	found->site.reg = slide.reg;
	found->site.addend = slide.addend;
	found->site.role = store->role;
	found->site.where = where(finder, list, store->index, range);
	found->tells = tells;
	if (slide.emulated)
		found->site.from = VALUE_MEMORY;
	else
		found->site.from = store->constant ? VALUE_CONSTANT : VALUE_REGISTER;
	found->proof.rule = slide.emulated ? PROOF_FORWARD : PROOF_STORE;
	found->proof.stop = slide.stop;
	found->proof.passed = (uint16_t)(slide.index - store->index);
	found->constant = store->constant;
	found->site.value = store->value;
	found->site.value_async = store->value_async;
	found->site.value_reg = store->value_reg;
}

/* What kind of transition a store makes, for the verdict. */
static void note_store(struct finder *finder, const struct store *store)
{
	const struct layout *layout = &finder->interpreter->layout;
	struct site_table *out = finder->out;

	if (store->role == SITE_RUNNING_ASYNC)
		return;
	if (!store->constant) {
		out->has_suspend = true; /* YIELD_VALUE stores SUSPENDED + oparg from 3.13 on */
		return;
	}
	out->has_create |= store->value == layout->created;
	out->has_run |= store->value == layout->executing;
	out->has_close |= store->value == layout->cleared || store->value == layout->completed;
	out->has_suspend |=
		store->value >= layout->suspended_first && store->value <= layout->suspended_last;
}

static void move_to_place(struct found_site *found, const struct cut *cut, unsigned part)
{
	place_to_site(&cut->at[part], found->constant, &found->site);
	found->proof = (struct site_proof){ .rule = cut->in_block ? PROOF_PUSH : PROOF_EDGES,
					    .part = (uint8_t)(part + 1),
					    .parts = (uint8_t)cut->count,
					    .blocks = (uint8_t)cut->blocks,
					    .passed = (uint16_t)cut->passed,
					    .stop = found->proof.stop };
}

/* Replaces a probe on a store by those before it. */
static void apply_cut(struct finder *finder, const struct insn_list *list, size_t index,
		      const struct cut *cut)
{
	struct found_site stepped = finder->out->at[index];

	if (finder->out->count + cut->count > FOUND_SITES_MAX)
		return;
	for (unsigned part = 0; part < cut->count; part++) {
		const struct insn *insn = &list->at[cut->at[part].index];
		struct found_site *found =
			part ? &finder->out->at[finder->out->count++] : &finder->out->at[index];

		*found = stepped;
		found->site.address = insn->address;
		found->site.stepped = false;
		found->file_offset = stepped.file_offset + (insn->address - stepped.site.address);
		move_to_place(found, cut, part);
	}
}

/* Whose probes still sit on their stores, in this function. */
static int cut_stores(struct finder *finder, const struct insn_list *list, size_t first)
{
	uint64_t occupied[FOUND_SITES_MAX];
	size_t count = finder->out->count;
	struct flow flow = {};
	int err = 0;

	for (size_t i = first; i < count && !err; i++) {
		struct found_site *found = &finder->out->at[i];
		struct cut_query query = { .list = list,
					   .flow = &flow,
					   .layout = &finder->interpreter->layout,
					   .occupied = occupied };
		struct store store;
		struct cut cut;
		long index = insn_find(list, found->store);

		if (!found->site.stepped || index < 0 ||
		    !store_decode(query.layout, list, (size_t)index, &store))
			continue;
		if (!flow.blocks)
			err = flow_build(list, &flow);
		if (err)
			break;
		for (size_t j = 0; j < finder->out->count; j++)
			occupied[j] = finder->out->at[j].site.address;
		query.occupied_count = finder->out->count;
		query.store = &store;
		found->proof.obstacle = 0;
		if (cut_find(&query, &cut))
			apply_cut(finder, list, i, &cut);
		else
			found->proof.obstacle = cut.obstacle;
	}
	flow_free(&flow);
	return err;
}

/* gen_send_ex2() of 3.11 (Objects/genobject.c), when the evaluation loop has returned: if the state is still
 * EXECUTING it stores COMPLETED; if it is SUSPENDED it returns; else it clears the frame and stores CLEARED.
 * The loop leaves no other state behind, so a CLEARED there always follows a COMPLETED, and inspect calls
 * both closed: one probe is enough. Nothing else of 3.11 stores COMPLETED, but compilers copy this function into
 * many; a CLEARED that stands alone is in gen_dealloc(). */
static bool completes_first(const struct finder *finder, const struct insn_list *list,
			    const struct code_range *range)
{
	const struct interpreter *interpreter = finder->interpreter;
	struct store store;

	if (interpreter->version_hex >= PYTHON_3_12 ||
	    (interpreter->dealloc >= range->start && interpreter->dealloc < range->end))
		return false;
	for (size_t i = 0; i < list->count; i++)
		if (store_decode(&interpreter->layout, list, i, &store) && store.constant &&
		    store.role == SITE_FRAME_STATE && store.value == interpreter->layout.completed)
			return true;
	return false;
}

static bool is_clearing(const struct layout *layout, const struct store *store)
{
	return store->constant && store->role == SITE_FRAME_STATE &&
	       store->value == layout->cleared;
}

/* Does this function surely handle generators? Then its lesser stores are believed too. */
static bool handles_generators(const struct layout *layout, const struct insn_list *list)
{
	struct store store;

	for (size_t i = 0; i < list->count; i++)
		if (store_decode(layout, list, i, &store) && store.constant &&
		    store.role != SITE_RUNNING_ASYNC && store_has_company(layout, list, &store))
			return true;
	return false;
}

/* Does control go from here to a function, directly or through the procedure linkage table? */
static bool goes_to(const struct finder *finder, const struct insn *insn, uint64_t address,
		    const char *symbol)
{
	const uint8_t *plt;
	const char *name;
	uint64_t at = insn->target;
	int32_t disp;

	if (insn->flow != FLOW_CALL && insn->flow != FLOW_JUMP)
		return false;
	if (at == address)
		return true;
	plt = elf_file_bytes(finder->file, at, 16);
	if (!plt)
		return false;
	if (!memcmp(plt, "\xf3\x0f\x1e\xfa", 4)) /* endbr64 */
		plt += 4, at += 4;
	if (plt[0] == 0xf2) /* bnd */
		plt++, at++;
	if (plt[0] != 0xff || plt[1] != 0x25) /* jmp *slot(%rip) */
		return false;
	memcpy(&disp, plt + 2, sizeof(disp));
	name = elf_file_import_at(finder->file, at + 6 + (uint64_t)(int64_t)disp);
	return name && !strcmp(name, symbol);
}

static bool is_eval_call(const void *ctx, const struct insn *insn)
{
	const struct finder *finder = ctx;

	return goes_to(finder, insn, finder->interpreter->eval, "_PyEval_EvalFrameDefault");
}

static bool begins_steps(const struct finder *finder, const struct store *store)
{
	return store->constant && store->role != SITE_RUNNING_ASYNC &&
	       store->value == finder->interpreter->layout.executing;
}

static void tell_entry(struct finder *finder, uint64_t store)
{
	for (size_t i = 0; i < finder->out->count; i++) {
		struct found_site *site = &finder->out->at[i];

		if (site->store != store || site->site.role == SITE_RETURN)
			continue;
		site->tells |= TELLS_ENTRY;
		site->site.entry = 1;
	}
}

static void add_return_sites(struct finder *finder, const struct insn_list *list,
			     const struct returns *returns, uint64_t function)
{
	for (size_t i = 0; i < returns->count; i++) {
		struct found_site *found =
			add_site(finder, &list->at[returns->at[i].index], function);

		if (!found)
			return;
		found->tells = TELLS_RETURN;
		found->site.role = SITE_RETURN;
		found->site.from = VALUE_MEMORY;
		found->site.reg = returns->at[i].reg;
		found->site.addend = returns->at[i].addend;
		found->proof.rule = PROOF_RETURN;
	}
}

/* Where the steps that this function begins come back to C. A store that leads to no call of the loop
 * delegates: no frame runs there. */
static void add_returns(struct finder *finder, const struct insn_list *list,
			const struct code_range *range)
{
	struct returns found[RETURNS_MAX];
	struct store store;
	size_t count = 0;

	if (in_eval(finder, range))
		return;
	for (size_t i = 0; i < list->count && count < RETURNS_MAX; i++)
		if (store_decode(&finder->interpreter->layout, list, i, &store) &&
		    begins_steps(finder, &store) &&
		    returns_find(list, &store, is_eval_call, finder, &found[count]))
			add_return_sites(finder, list, &found[count++], range->start);
	finder->out->has_returns |= count > 0;
	for (size_t i = 0; i < list->count && count; i++) {
		bool leads = false;

		if (!store_decode(&finder->interpreter->layout, list, i, &store) ||
		    !begins_steps(finder, &store))
			continue;
		for (size_t k = 0; k < count; k++)
			leads |= found[k].first == i || returns_are_of(list, &store, &found[k]);
		if (leads)
			tell_entry(finder, list->at[i].address);
	}
}

static int scan_candidate(struct finder *finder, size_t index)
{
	const struct code_range *range = &finder->ranges[index];
	const struct layout *layout = &finder->interpreter->layout;
	size_t size = range->end - range->start;
	const uint8_t *bytes = elf_file_bytes(finder->file, range->start, size);
	struct insn_list list;
	size_t first = finder->out->count;
	struct store store;
	bool sure, covered;
	int err;

	if (!finder->constants[index] && !in_eval(finder, range))
		return 0;
	err = insn_decode(bytes, size, range->start, &list);
	if (err)
		return err;
	joins_mark(&finder->joins, &list);
	sure = in_eval(finder, range) || handles_generators(layout, &list);
	covered = completes_first(finder, &list, range);
	for (size_t i = 0; i < list.count; i++) {
		if (!store_decode(layout, &list, i, &store))
			continue;
		if (!store.constant && !sure && !store_has_company(layout, &list, &store))
			continue; /* hexadecimal digits, say: strings are written byte by byte */
		if (store_is_initialisation(layout, &list, &store))
			continue;
		note_store(finder, &store);
		if (covered && is_clearing(layout, &store))
			finder->out->covered++;
		else
			add_store(finder, &list, &store, range);
	}
	err = cut_stores(finder, &list, first);
	add_returns(finder, &list, range);
	insn_list_free(&list);
	return err;
}

static int decode_function(const struct finder *finder, uint64_t address, struct insn_list *list)
{
	const struct elf_function *function = function_at(finder, address);
	const uint8_t *bytes;
	uint64_t end;

	if (!function)
		return -ENOENT;
	end = function->addr + function->size;
	bytes = elf_file_bytes(finder->file, address, end - address);
	return bytes ? insn_decode(bytes, end - address, address, list) : -ENOENT;
}

/* The call with which gen_dealloc() gives the memory back: its argument is the object. */
static int add_free(struct finder *finder)
{
	uint64_t dealloc = finder->interpreter->dealloc;
	struct insn_list list;
	int err = decode_function(finder, dealloc, &list);

	if (err)
		return err == -ENOENT ? 0 : err;
	for (size_t i = 0; i < list.count; i++) {
		struct found_site *found;

		if (!goes_to(finder, &list.at[i], finder->interpreter->gc_del, "PyObject_GC_Del"))
			continue;
		found = add_site(finder, &list.at[i], dealloc);
		if (!found)
			continue;
		found->site.role = SITE_FREE;
		found->tells = TELLS_FREE;
		found->site.reg = GPR_RDI;
		finder->out->has_free = true;
	}
	insn_list_free(&list);
	return 0;
}

static bool is_occupied(const struct finder *finder, uint64_t address)
{
	for (size_t i = 0; i < finder->out->count; i++)
		if (finder->out->at[i].site.address == address)
			return true;
	return false;
}

/* A probe on a function's entry, or a little further where that is cheaper. */
static int add_entry(struct finder *finder, uint64_t address, uint8_t role, uint8_t via)
{
	struct slide slide = { .reg = GPR_RDI };
	struct joins none = {};
	struct found_site *found;
	struct insn_list list;
	int err = decode_function(finder, address, &list);

	if (err || !list.count)
		return err == -ENOENT ? 0 : err;
	joins_mark(&none, &list);
	if (!list.at[0].join)
		slide_forward(&list, 0, GPR_RDI, 0, &slide);
	if (is_occupied(finder, list.at[slide.index].address))
		slide = (struct slide){ .reg = GPR_RDI };
	found = add_site(finder, &list.at[slide.index], address);
	if (found) {
		found->site.role = role;
		found->tells = role == SITE_CAUSE ? TELLS_CAUSE : TELLS_CODE_FREE;
		found->site.via = via;
		found->site.stack = (__u16)slide.stack;
		found->site.reg = slide.reg;
		found->site.addend = slide.addend;
	}
	insn_list_free(&list);
	return 0;
}

static int add_entries(struct finder *finder)
{
	const struct interpreter *interpreter = finder->interpreter;
	int err = 0;

	for (size_t i = 0; i < interpreter->function_count && !err; i++)
		if (interpreter->functions[i].via)
			err = add_entry(finder, interpreter->functions[i].address, SITE_CAUSE,
					interpreter->functions[i].via);
	if (!err && interpreter->code_dealloc)
		err = add_entry(finder, interpreter->code_dealloc, SITE_CODE_FREE, 0);
	return err;
}

static int find_all(struct finder *finder)
{
	const struct elf_function *eval;
	int err;

	err = elf_file_functions(finder->file, &finder->functions, &finder->function_count);
	if (err)
		return err;
	eval = function_at(finder, finder->interpreter->eval);
	if (eval)
		finder->eval = (struct code_range){ eval->addr, eval->addr + eval->size, 0 };
	collect_candidates(finder);
	err = joins_collect(finder->file, finder->ranges, finder->range_count, &finder->eval,
			    &finder->joins);
	for (size_t i = 0; i < finder->range_count && !err; i++)
		err = scan_candidate(finder, i);
	if (!err && !finder->out->count)
		err = -ENOENT;
	if (!err)
		err = add_free(finder);
	if (!err)
		err = add_entries(finder);
	return err;
}

int sites_find(const struct elf_file *file, const struct interpreter *interpreter,
	       struct site_table *out)
{
	struct finder *finder = calloc(1, sizeof(*finder));
	int err;

	memset(out, 0, sizeof(*out));
	if (!finder)
		return -ENOMEM;
	finder->file = file;
	finder->interpreter = interpreter;
	finder->out = out;
	err = find_all(finder);
	joins_free(&finder->joins);
	free(finder);
	return err;
}

size_t sites_telling(const struct site_table *table, unsigned tells)
{
	size_t count = 0;

	for (size_t i = 0; i < table->count; i++)
		count += (table->at[i].tells & tells) != 0;
	return count;
}

const char *sites_function_name(const struct elf_file *file, const struct interpreter *interpreter,
				const struct found_site *site)
{
	const char *name = interpreter_function_name(interpreter, site->function);
	uint64_t offset;

	if (name)
		return name;
	if (site->site.where == SITE_IN_EVAL)
		return "_PyEval_EvalFrameDefault";
	name = elf_file_symbol_at(file, site->store, &offset);
	return name ? name : "";
}
