/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "assemble.h"
#include "cut_functions.h"
#include "python/layouts.h"
#include "sites/cut.h"
#include "sites/joins.h"
#include "sites/store.h"
#include "stepping.h"

/* What bpf/place.bpf.h wants of the kernel. */
typedef __u64 u64;
typedef __u8 u8;
typedef __s8 s8;
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
static long bpf_probe_read_user(void *out, uint32_t size, const void *from);
#include "place.bpf.h"

/*
 * The cut against the processor: random functions with branches, diamonds, loops, calls and stores to a
 * generator's state are really executed, instruction by instruction. Before each store that is executed
 * exactly one of its places must have been passed with its condition true, once, and what BPF computes
 * there must be the address that the store then writes to, and the byte that it writes.
 */

#define STORES_MAX 256
#define FUNCTIONS  200

struct probed {
	size_t store; /* offset */
	uint8_t base, value_reg;
	int32_t addend;
	bool constant;
	int8_t value;
	unsigned count;
	size_t places[CUT_MAX]; /* offsets */
	struct site sites[CUT_MAX];
	/* since the last store: */
	unsigned promises;
	uint64_t object;
	int8_t promised;
	uint64_t stores;
};

static struct run {
	uint8_t *text;
	size_t size;
	struct probed probed[STORES_MAX];
	unsigned count;
	uint8_t *objects;
	unsigned wrong_order, wrong_object, wrong_value;
	uint64_t steps, false_hits;
} run;

static long bpf_probe_read_user(void *out, uint32_t size, const void *from)
{
	if ((const uint8_t *)from < run.objects ||
	    (const uint8_t *)from + size > run.objects + 0x200)
		return -1;
	memcpy(out, from, size);
	return 0;
}

static struct pt_regs regs_of(const ucontext_t *context)
{
	return (struct pt_regs){
		.r15 = reg_of(context, GPR_R15),
		.r14 = reg_of(context, GPR_R14),
		.r13 = reg_of(context, GPR_R13),
		.r12 = reg_of(context, GPR_R12),
		.bp = reg_of(context, GPR_RBP),
		.bx = reg_of(context, GPR_RBX),
		.r11 = reg_of(context, GPR_R11),
		.r10 = reg_of(context, GPR_R10),
		.r9 = reg_of(context, GPR_R9),
		.r8 = reg_of(context, GPR_R8),
		.ax = reg_of(context, GPR_RAX),
		.cx = reg_of(context, GPR_RCX),
		.dx = reg_of(context, GPR_RDX),
		.si = reg_of(context, GPR_RSI),
		.di = reg_of(context, GPR_RDI),
		.sp = reg_of(context, GPR_RSP),
		.flags = (unsigned long)context->uc_mcontext.gregs[REG_EFL],
	};
}

static void on_place(struct probed *p, const struct site *site, const struct pt_regs *regs)
{
	if (!leads_to_store(site, regs)) {
		run.false_hits++;
		return;
	}
	p->promises++;
	p->object = object_address(site, regs);
	cr_assert(stored_value(site, regs, &p->promised));
}

/* Before each instruction. */
static void on_step(int number, siginfo_t *info, void *uc)
{
	const ucontext_t *context = uc;
	size_t at = (size_t)context->uc_mcontext.gregs[REG_RIP] - (size_t)run.text;
	struct pt_regs regs;

	(void)number;
	(void)info;
	if (at >= run.size)
		return;
	regs = regs_of(context);
	run.steps++;
	for (unsigned i = 0; i < run.count; i++) {
		struct probed *p = &run.probed[i];

		for (unsigned j = 0; j < p->count; j++)
			if (at == p->places[j])
				on_place(p, &p->sites[j], &regs);
		if (at != p->store)
			continue;
		run.wrong_order += p->promises != 1;
		run.wrong_object +=
			p->object != register_value(&regs, p->base) + (uint64_t)(int64_t)p->addend;
		run.wrong_value +=
			p->promised !=
			(p->constant ? p->value : (int8_t)register_value(&regs, p->value_reg));
		p->promises = 0;
		p->stores++;
	}
}

static void add_probed(const struct insn_list *list, const struct store *store,
		       const struct cut *cut)
{
	struct probed *p = &run.probed[run.count];

	cr_assert_lt(run.count++, (unsigned)STORES_MAX);
	*p = (struct probed){ .store = list->at[store->index].address - (uint64_t)run.text,
			      .base = store->base,
			      .addend = store->addend,
			      .constant = store->constant,
			      .value = store->value,
			      .value_reg = store->value_reg,
			      .count = cut->count };
	for (unsigned i = 0; i < cut->count; i++) {
		const struct insn *insn = &list->at[cut->at[i].index];

		cr_assert(insn->emulated && insn->flow != FLOW_CALL);
		p->places[i] = insn->address - (uint64_t)run.text;
		p->sites[i].value = store->value;
		place_to_site(&cut->at[i], store->constant, &p->sites[i]);
	}
}

/* Every store gets its cut, whether or not the probe could slide forward. */
static unsigned probe_function(unsigned *several, unsigned *conditional)
{
	uint64_t at[LABELS_MAX];
	struct joins joins = { .at = at, .count = gen.join_count };
	struct layout layout;
	struct insn_list list;
	unsigned stores = 0;
	struct flow flow;

	for (size_t i = 0; i < gen.join_count; i++) /* they were put in order */
		at[i] = (uint64_t)run.text + gen.joins[i];
	cr_assert_eq(layout_for_version(0x030d00f0, &layout, NULL), 0);
	cr_assert_eq(insn_decode(run.text, run.size, (uint64_t)run.text, &list), 0);
	joins_mark(&joins, &list);
	cr_assert_eq(flow_build(&list, &flow), 0);
	run.count = 0;
	for (size_t i = 0; i < list.count; i++) {
		struct store store;
		struct cut_query query = {
			.list = &list, .flow = &flow, .layout = &layout, .store = &store
		};
		struct cut cut;

		if (!store_decode(&layout, &list, i, &store))
			continue;
		stores++;
		if (!cut_find(&query, &cut))
			continue;
		*several += cut.count > 1;
		for (unsigned j = 0; j < cut.count; j++)
			*conditional += cut.at[j].condition != 0;
		add_probed(&list, &store, &cut);
	}
	flow_free(&flow);
	insn_list_free(&list);
	return stores;
}

static void run_function(void)
{
	for (uint64_t round = 0; round < 3; round++) {
		uint64_t object = (uint64_t)run.objects;

		memset(run.objects, 0, 0x200);
		memcpy(run.objects + POINTER_AT, &object, 8);
		run.objects[BYTE_AT] = (uint8_t)choose(256);
		execute(run.text + gen.blocks[0], run.objects,
			random_state ^ round * 0x9e3779b97f4a7c15);
	}
}

Test(cut_run, agrees_with_the_processor, .timeout = 240)
{
	struct sigaction action = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	static uint8_t objects[0x200] __attribute__((aligned(64)));
	unsigned found = 0, stores = 0, several = 0, conditional = 0;
	uint64_t executed = 0;

	sigaction(SIGTRAP, &action, NULL);
	run.objects = objects;
	run.text = mmap(NULL, sizeof(gen.code.at), PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert(run.text != MAP_FAILED);
	for (unsigned seed = 1; seed <= FUNCTIONS; seed++) {
		random_state = seed * 0x9e3779b97f4a7c15;
		generate();
		run.size = gen.code.size;
		memcpy(run.text, gen.code.at, run.size);
		stores += probe_function(&several, &conditional);
		found += run.count;
		run_function();
		cr_assert_eq(run.wrong_order, 0, "seed %u: not one place before a store", seed);
		cr_assert_eq(run.wrong_object, 0, "seed %u: another object", seed);
		cr_assert_eq(run.wrong_value, 0, "seed %u: another value", seed);
		for (unsigned i = 0; i < run.count; i++) {
			cr_assert_eq(run.probed[i].promises, 0, "seed %u: a hit without its store",
				     seed);
			executed += run.probed[i].stores;
		}
	}
	cr_log_info(
		"%u of %u stores, %u by several probes, %u conditions; executed %lu, %lu steps, "
		"%lu hits the other way",
		found, stores, several, conditional, (unsigned long)executed,
		(unsigned long)run.steps, (unsigned long)run.false_hits);
	cr_assert_gt(found, stores / 4); /* else the functions are not what they are meant to be */
	cr_assert_lt(found, stores);
	cr_assert_gt(several, FUNCTIONS / 25u);
	cr_assert_gt(conditional, 1u * FUNCTIONS);
	cr_assert_gt(executed, 6u * FUNCTIONS);
	munmap(run.text, sizeof(gen.code.at));
}
