/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "assemble.h"
#include "python/layouts.h"
#include "sites/joins.h"
#include "sites/slide.h"
#include "sites/store.h"
#include "stepping.h"

/*
 * The slide against the processor: random functions with stores to a generator's state are really
 * executed, single-stepped by this very thread (the trap flag). Each store that is executed must be
 * followed by exactly one visit to the place its probe was moved to, before it is executed again, and
 * there the register plus the addend must be the object.
 *
 * In the functions rbx is the object, rbp its frame, r12 the object too, r15 the object but never
 * told, r13 random bits for the branches, r14 fuel for the loops; the others are anything.
 */

#define STATE 0x43 /* gi_frame_state, gi_iframe of 3.13 */
#define FRAME 0x48

#define BLOCKS_MAX 12
#define FIXUPS_MAX 64
#define STORES_MAX 128

static uint64_t random_state;

static unsigned choose(unsigned count)
{
	random_state = random_state * 6364136223846793005 + 1442695040888963407;
	return (unsigned)(random_state >> 33) % count;
}

struct function {
	struct code_bytes code;
	size_t blocks[BLOCKS_MAX];
	unsigned block_count;
	struct {
		size_t at; /* of a 32-bit displacement, or of an absolute address */
		unsigned block;
		bool absolute;
	} fixups[FIXUPS_MAX];
	unsigned fixup_count;
	size_t stub; /* a function to call: it ruins every register that a callee may ruin */
	uint64_t joins[FIXUPS_MAX];
	size_t join_count;
};

static void put_fixup(struct function *f, bool absolute, unsigned block)
{
	cr_assert_lt(f->fixup_count, (unsigned)FIXUPS_MAX);
	f->fixups[f->fixup_count].at = f->code.size;
	f->fixups[f->fixup_count].block = block;
	f->fixups[f->fixup_count++].absolute = absolute;
	put_bytes(&f->code, "\0\0\0\0\0\0\0", absolute ? 8 : 4);
}

static void put_call_stub(struct function *f)
{
	int32_t disp;

	PUT(&f->code, "\xe8");
	disp = (int32_t)(f->stub - f->code.size - 4);
	put_bytes(&f->code, &disp, 4);
}

#define INSNS(bytes) bytes, sizeof(bytes) - 1

struct piece {
	const char *bytes;
	size_t size;
};

/* What may stand between a store and its probe: nothing that ends a block or changes rbx, rbp, r12. */
static const struct piece junk[] = {
	{ INSNS("\x31\xc0") },                         /* xor %eax,%eax */
	{ INSNS("\x48\x89\xc1") },                     /* mov %rax,%rcx */
	{ INSNS("\x90") },                             /* nop */
	{ INSNS("\x0f\x1f\x44\x00\x00") },             /* nopl 0(%rax,%rax,1) */
	{ INSNS("\x48\x8b\x43\x10") },                 /* mov 0x10(%rbx),%rax */
	{ INSNS("\x48\x89\x45\x08") },                 /* mov %rax,8(%rbp) */
	{ INSNS("\x48\x8d\x43\x48") },                 /* lea 0x48(%rbx),%rax */
	{ INSNS("\x80\x7b\x43\x00") },                 /* cmpb $0,0x43(%rbx) */
	{ INSNS("\x48\x0f\x44\xf8") },                 /* cmove %rax,%rdi */
	{ INSNS("\x48\x83\xec\x10\x48\x83\xc4\x10") }, /* sub, add $16,%rsp */
	{ INSNS("\x48\xf7\xe1") },                     /* mul %rcx */
	{ INSNS("\x48\x89\xde") },                     /* mov %rbx,%rsi */
	{ INSNS("\x48\x8d\x7d\xb8") },                 /* lea -0x48(%rbp),%rdi */
	{ INSNS("\x40\x88\xc7") },                     /* mov %al,%dil */
	{ INSNS("\x4d\x89\xe0") },                     /* mov %r12,%r8 */
	{ INSNS("\x48\x87\xf7") },                     /* xchg %rsi,%rdi */
};

static void put_junk(struct function *f)
{
	const struct piece *piece = &junk[choose(sizeof(junk) / sizeof(junk[0]))];

	put_bytes(&f->code, piece->bytes, piece->size);
}

static void put_a_store(struct function *f)
{
	uint8_t base = (uint8_t[]){ GPR_RBX, GPR_RBP, GPR_R12 }[choose(3)];
	int32_t disp = base == GPR_RBP ? STATE - FRAME : STATE;

	if (choose(4))
		put_store(&f->code, base, disp, (int)choose(7) - 3 < 2 ? (int)choose(5) - 3 : 4);
	else
		put_store_register(&f->code, base, disp, GPR_RAX);
}

/* Ends a straight line in the middle of a block. */
static const struct piece anchors[] = {
	{ INSNS("\x50\x59") },                       /* push %rax; pop %rcx */
	{ INSNS("\x53\x41\x58") },                   /* push %rbx; pop %r8 */
	{ INSNS("\xeb\x01\x06") },                   /* jmp over a byte that is no code */
	{ INSNS("\x48\x8d\x05\x02\0\0\0\xff\xe0") }, /* lea 2(%rip),%rax; jmp *%rax: a join */
};

static void put_anchor(struct function *f)
{
	unsigned kind = choose(6);

	if (kind >= sizeof(anchors) / sizeof(anchors[0])) {
		put_call_stub(f);
		return;
	}
	put_bytes(&f->code, anchors[kind].bytes, anchors[kind].size);
	if (kind == 3) {
		cr_assert_lt(f->join_count, (size_t)FIXUPS_MAX);
		f->joins[f->join_count++] = f->code.size;
	}
}

/* The registers that hold the object are lost for a while, copies of it may be left. */
static void put_kill(struct function *f)
{
	unsigned kind = choose(4);

	for (unsigned i = choose(3); i > 0; i--)
		put_junk(f);
	PUT(&f->code, "\x4c\x8b\x63\x10"); /* mov 0x10(%rbx),%r12: something else */
	if (kind == 0)
		PUT(&f->code, "\x48\x89\xdf\x31\xdb\x31\xed"); /* mov %rbx,%rdi; clear both */
	else if (kind == 1)
		PUT(&f->code, "\x48\x8d\x75\xb8\x31\xdb\x31\xed"); /* lea -0x48(%rbp),%rsi; clear */
	else if (kind == 2)
		PUT(&f->code, "\x48\x87\xdf\x31\xed"); /* xchg %rbx,%rdi */
	else
		PUT(&f->code, "\x88\xc3\x40\x88\xc5"); /* mov %al,%bl; mov %al,%bpl */
	put_anchor(f);
	PUT(&f->code, "\x4c\x89\xfb\x49\x8d\x6f\x48\x4d\x89\xfc"); /* from r15: rbx, rbp, r12 */
}

/* Leaves the block: forward freely, backward only while there is fuel. */
static void put_end(struct function *f, unsigned block, unsigned count)
{
	unsigned target = choose(count);

	if (!choose(3))
		return;                /* straight on, into what others jump to */
	PUT(&f->code, "\x49\xd1\xcd"); /* ror $1,%r13: the next bit is in the carry flag */
	if (target <= block) {
		PUT(&f->code, "\x49\xff\xce\x0f\x89"); /* dec %r14; jns */
		put_fixup(f, false, target);
		return;
	}
	switch (choose(4)) {
	case 0:
		PUT(&f->code, "\xe9");
		put_fixup(f, false, target);
		break;
	case 1:
		PUT(&f->code, "\x48\xb8"); /* movabs, jmp *%rax */
		put_fixup(f, true, target);
		PUT(&f->code, "\xff\xe0");
		break;
	default:
		PUT(&f->code, "\x0f\x82"); /* jc, or on into the next block */
		put_fixup(f, false, target);
		break;
	}
}

static void generate(struct function *f)
{
	unsigned count = 2 + choose(BLOCKS_MAX - 2);

	memset(f, 0, sizeof(*f));
	/* the stub: clears rax, rcx, rdx, rsi, rdi, r8 to r11 */
	PUT(&f->code, "\x31\xc0\x31\xc9\x31\xd2\x31\xf6\x31\xff\x4d\x31\xc0\x4d\x31\xc9\x4d\x31\xd2"
		      "\x4d\x31\xdb\xc3");
	for (f->block_count = 0; f->block_count < count; f->block_count++) {
		f->blocks[f->block_count] = f->code.size;
		for (unsigned i = choose(7); i > 0; i--) {
			unsigned kind = choose(8);

			if (kind < 3)
				put_a_store(f);
			else if (kind < 6)
				put_junk(f);
			else if (kind == 6)
				put_anchor(f);
			else
				put_kill(f);
		}
		if (f->block_count + 1 < count)
			put_end(f, f->block_count, count);
	}
	PUT(&f->code, "\xc3");
	for (unsigned i = 0; i < f->fixup_count; i++) {
		size_t at = f->fixups[i].at, target = f->blocks[f->fixups[i].block];
		int32_t disp = (int32_t)(target - at - 4);

		if (!f->fixups[i].absolute) {
			memcpy(f->code.at + at, &disp, 4);
			continue;
		}
		f->joins[f->join_count++] = target;
	}
}

struct probed {
	size_t store, probe; /* offsets */
	uint8_t base, reg;
	int32_t base_addend, addend;
	uint64_t owed; /* stores whose probe has not come yet */
	uint64_t visits;
};

static struct run {
	uint8_t *text;
	size_t size;
	uint64_t object;
	struct probed probed[STORES_MAX];
	unsigned count;
	unsigned wrong_object, wrong_order;
	uint64_t steps;
} run;

/* Before each instruction. */
static void on_step(int number, siginfo_t *info, void *uc)
{
	const ucontext_t *context = uc;
	size_t at = (size_t)context->uc_mcontext.gregs[REG_RIP] - (size_t)run.text;

	(void)number;
	(void)info;
	if (at >= run.size)
		return;
	run.steps++;
	for (unsigned i = 0; i < run.count; i++) {
		struct probed *p = &run.probed[i];

		if (at == p->probe) {
			run.wrong_order += p->owed != 1;
			run.wrong_object +=
				reg_of(context, p->reg) + (uint64_t)(int64_t)p->addend !=
				run.object;
			p->owed = 0;
			p->visits++;
		}
		if (at == p->store) {
			run.wrong_order += p->owed != 0;
			run.wrong_object +=
				reg_of(context, p->base) + (uint64_t)(int64_t)p->base_addend !=
				run.object;
			p->owed = 1;
		}
	}
}

/* Finds the stores and where their probes go, as the finder would. */
static void probe_function(const struct function *f)
{
	uint64_t at[FIXUPS_MAX];
	struct joins joins = { .at = at, .count = f->join_count };
	struct layout layout;
	struct insn_list list;

	cr_assert_eq(layout_for_version(0x030d00f0, &layout, NULL), 0);
	for (size_t i = 0; i < f->join_count; i++) { /* sorted */
		size_t j = i;

		for (; j > 0 && at[j - 1] > (uint64_t)run.text + f->joins[i]; j--)
			at[j] = at[j - 1];
		at[j] = (uint64_t)run.text + f->joins[i];
	}
	cr_assert_eq(insn_decode(run.text, run.size, (uint64_t)run.text, &list), 0);
	joins_mark(&joins, &list);
	run.count = 0;
	for (size_t i = 0; i < list.count; i++) {
		struct probed *p = &run.probed[run.count];
		struct store store;
		struct slide slide;

		if (!store_decode(&layout, &list, i, &store) ||
		    !slide_forward(&list, i + 1, store.base, store.addend, &slide))
			continue;
		cr_assert_lt(run.count++, (unsigned)STORES_MAX);
		*p = (struct probed){ .store = list.at[i].address - (uint64_t)run.text,
				      .probe = list.at[slide.index].address - (uint64_t)run.text,
				      .base = store.base,
				      .base_addend = store.addend,
				      .reg = slide.reg,
				      .addend = slide.addend };
	}
	insn_list_free(&list);
}

static void run_function(const struct function *f, void *object)
{
	memcpy(run.text, f->code.at, f->code.size);
	run.size = f->code.size;
	for (unsigned i = 0; i < f->fixup_count; i++) {
		uint64_t target = (uint64_t)run.text + f->blocks[f->fixups[i].block];

		if (f->fixups[i].absolute)
			memcpy(run.text + f->fixups[i].at, &target, 8);
	}
	probe_function(f);
	memset(object, 0, 256);
	run.object = (uint64_t)object;
	for (int round = 0; round < 2; round++)
		execute(run.text + f->blocks[0], object, random_state ^ (uint64_t)round << 40);
}

Test(slide_run, agrees_with_the_processor, .timeout = 120)
{
	struct sigaction action = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	static uint8_t object[256] __attribute__((aligned(16)));
	struct function *f = malloc(sizeof(*f));
	uint64_t probed = 0, visits = 0;

	sigaction(SIGTRAP, &action, NULL);
	run.text = mmap(NULL, sizeof(f->code.at), PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert(run.text != MAP_FAILED);
	for (unsigned seed = 1; seed <= 200; seed++) {
		random_state = seed * 0x9e3779b97f4a7c15;
		generate(f);
		run_function(f, object);
		cr_assert_eq(run.wrong_order, 0, "seed %u: a probe is not hit as its store is",
			     seed);
		cr_assert_eq(run.wrong_object, 0, "seed %u: a probe sees another object", seed);
		for (unsigned i = 0; i < run.count; i++) {
			cr_assert_eq(run.probed[i].owed, 0, "seed %u: a store without a hit", seed);
			visits += run.probed[i].visits;
		}
		probed += run.count;
	}
	cr_assert_gt(probed, 500u); /* else the functions are not what they are meant to be */
	cr_assert_gt(visits, 1000u);
	cr_log_info("%lu stores moved, %lu visits, %lu steps", (unsigned long)probed,
		    (unsigned long)visits, (unsigned long)run.steps);
	munmap(run.text, sizeof(f->code.at));
	free(f);
}
