/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "assemble.h"
#include "python/layouts.h"
#include "sites/cut.h"
#include "sites/joins.h"

/* Which places stand for a store, function by function; test_cut_run.c executes such ones. Each begins
 * with two pushes and a call, so that nothing but the cut can be meant by a push. */

#define JE  5 /* 1 + condition code */
#define JNE 6
#define JS  9
#define JNS 10

struct expected {
	unsigned index;
	uint8_t condition;
	struct whereabouts object, value;
};

struct known_cut {
	const char *name;
	const char *bytes;
	size_t size;
	unsigned store;
	uint64_t entered; /* another way in goes to this offset; 0: none */
	uint8_t obstacle;
	unsigned count;
	struct expected at[CUT_MAX];
};

#define INSNS(bytes) bytes, sizeof(bytes) - 1
#define IN(name, plus)                                                                             \
	{                                                                                          \
		.reg = GPR_##name, .add = plus                                                     \
	}
#define AT(name, displacement, plus)                                                               \
	{                                                                                          \
		.loaded = true, .reg = GPR_##name, .disp = displacement, .add = plus               \
	}

static const struct known_cut found[] = {
	{ "the branch that guards it",
	  INSNS("\xe8\x00\x01\x00\x00" /* call */
		"\x80\x7b\x43\x00"     /* cmpb $0,0x43(%rbx) */
		"\x79\x07"             /* jns 1f */
		"\x31\xc0"             /* xor %eax,%eax */
		"\xc6\x43\x43\x00"     /* movb $0,0x43(%rbx) */
		"\xc3"                 /* ret */
		"\xc3" /* 1: ret */),
	  4,
	  0,
	  0,
	  1,
	  { { 2, JS, IN(RBX, 0), IN(R15, 0) } } },
	{ "the branch that goes there",
	  INSNS("\xe8\x00\x01\x00\x00" /* call */
		"\x85\xc0"             /* test %eax,%eax */
		"\x74\x01"             /* je 1f */
		"\xc3"                 /* ret */
		"\xc6\x43\x43\x00"     /* 1: movb $0,0x43(%rbx) */
		"\xc3" /* ret */),
	  4,
	  0,
	  0,
	  1,
	  { { 2, JE, IN(RBX, 0), IN(R15, 0) } } },
	{ "a jump",
	  INSNS("\xe8\x00\x01\x00\x00" /* call */
		"\xeb\x01"             /* jmp 1f */
		"\xc3"                 /* ret */
		"\xc6\x43\x43\x00"     /* 1: movb $0,0x43(%rbx) */
		"\xc3" /* ret */),
	  3,
	  0,
	  0,
	  1,
	  { { 1, 0, IN(RBX, 0), IN(R15, 0) } } },
	{ "before a diamond, where both ways lead in",
	  INSNS("\xe8\x00\x01\x00\x00" /* call */
		"\x85\xc0"             /* test %eax,%eax */
		"\x75\x02"             /* jne 1f */
		"\x31\xc9"             /* xor %ecx,%ecx */
		"\xc6\x43\x43\x00"     /* 1: movb */
		"\xc3" /* ret */),
	  4,
	  0,
	  0,
	  1,
	  { { 2, 0, IN(RBX, 0), IN(R15, 0) } } },
	{ "a branch and a jump",
	  INSNS("\xe8\x00\x01\x00\x00" /* call */
		"\x85\xc0"             /* test %eax,%eax */
		"\x75\x07"             /* jne 1f */
		"\xe8\x00\x01\x00\x00" /* call */
		"\xeb\x00"             /* jmp 1f */
		"\xc6\x43\x43\x00"     /* 1: movb $0,0x43(%rbx) */
		"\xc3" /* ret */),
	  5,
	  0,
	  0,
	  2,
	  { { 2, JNE, IN(RBX, 0), IN(R15, 0) }, { 4, 0, IN(RBX, 0), IN(R15, 0) } } },
	{ "a push",
	  INSNS("\xe8\x00\x01\x00\x00" /* call */
		"\x53"                 /* push %rbx */
		"\x31\xc0"             /* xor %eax,%eax */
		"\xc6\x43\x43\x00"     /* movb $0,0x43(%rbx) */
		"\xc3" /* ret */),
	  3,
	  0,
	  0,
	  1,
	  { { 1, 0, IN(RBX, 0), IN(R15, 0) } } },
	{ "the object read from memory",
	  INSNS("\xe8\x00\x01\x00\x00" /* call */
		"\x48\x85\xc0"         /* test %rax,%rax */
		"\x75\x09"             /* jne 1f */
		"\x48\x8b\x53\x10"     /* mov 0x10(%rbx),%rdx */
		"\xc6\x42\x43\x00"     /* movb $0,0x43(%rdx) */
		"\xc3"                 /* ret */
		"\xc3" /* 1: ret */),
	  4,
	  0,
	  0,
	  1,
	  { { 2, JE, AT(RBX, 0x10, 0), IN(R15, 0) } } },
	{ "the frame's address of a copy",
	  INSNS("\xe8\x00\x01\x00\x00" /* call */
		"\x48\x85\xc0"         /* test %rax,%rax */
		"\x75\x09"             /* jne 1f */
		"\x48\x8d\x57\x48"     /* lea 0x48(%rdi),%rdx */
		"\xc6\x42\xfb\x00"     /* movb $0,-5(%rdx) */
		"\xc3"                 /* ret */
		"\xc3" /* 1: ret */),
	  4,
	  0,
	  0,
	  1,
	  { { 2, JE, IN(RDI, 0), IN(R15, 0) } } },
	{ "the value read from memory, and more",
	  INSNS("\xe8\x00\x01\x00\x00" /* call */
		"\x48\x85\xc0"         /* test %rax,%rax */
		"\x75\x0f"             /* jne 1f */
		"\x0f\xb6\x85\x68\xfe\xff\xff"
		/* movzbl -0x198(%rbp),%eax */
		"\x83\xc0\x01" /* add $1,%eax */
		"\x88\x43\xfb" /* mov %al,-5(%rbx) */
		"\xc3"         /* ret */
		"\xc3" /* 1: ret */),
	  5,
	  0,
	  0,
	  1,
	  { { 2, JE, IN(RBX, -0x48), AT(RBP, -0x198, 1) } } },
};

static const struct known_cut refused[] = {
	{ "a table leads there",
	  INSNS("\xe8\x00\x01\x00\x00\x85\xc0\x75\x01\xc3\xc6\x43\x43\x00\xc3"),
	  4,
	  10,
	  CUT_ENTERED,
	  0,
	  { { 0 } } },
	{ "a call is between",
	  INSNS("\x85\xc0\x75\x0a\xe8\x00\x01\x00\x00\xc6\x43\x43\x00\xc3\xc3"),
	  3,
	  0,
	  CUT_CALL,
	  0,
	  { { 0 } } },
	{ "control falls in behind a call",
	  INSNS("\x75\x05\xe8\x00\x01\x00\x00\xc6\x43\x43\x00\xc3"),
	  2,
	  0,
	  CUT_CALL,
	  0,
	  { { 0 } } },
	{ "the frame's instruction is set between",
	  INSNS("\x85\xc0\x75\x09" /* jne */
		"\x48\x89\x43\x38" /* mov,0x38(%rbx) */
		"\xc6\x43\x43\x00\xc3\xc3"),
	  3,
	  0,
	  CUT_STATE,
	  0,
	  { { 0 } } },
	{ "another store is between",
	  INSNS("\x85\xc0\x75\x09\xc6\x43\x43\xff\xc6\x43\x43\x00\xc3\xc3"),
	  3,
	  0,
	  CUT_STATE,
	  0,
	  { { 0 } } },
	{ "the object is computed between",
	  INSNS("\x85\xc0\x75\x08" /* jne */
		"\x48\x01\xcb"     /* add %rcx,%rbx */
		"\xc6\x43\x43\x00\xc3\xc3"),
	  3,
	  0,
	  CUT_LOST,
	  0,
	  { { 0 } } },
	{ "what is read may be written between",
	  INSNS("\x85\xc0\x75\x11"
		"\x48\x89\x41\x10" /* mov,0x10(%rcx) */
		"\x48\x8b\x53\x10" /* mov 0x10(%rbx),%rdx */
		"\x48\x89\x41\x18" /* mov,0x18(%rcx) */
		"\xc6\x42\x43\x00\xc3\xc3"),
	  5,
	  0,
	  CUT_LOST,
	  0,
	  { { 0 } } },
	{ "the ways bring different objects",
	  INSNS("\x85\xc0\x75\x03\x48\x89\xcb" /* mov %rcx,%rbx */
		"\xc6\x43\x43\x00\xc3"),
	  3,
	  0,
	  CUT_LOST,
	  0,
	  { { 0 } } },
	{ "a birth",
	  INSNS("\x85\xc0\x75\x05\xc6\x43\x43\xfd\xc3\xc3"),
	  2,
	  0,
	  CUT_BIRTH,
	  0,
	  { { 0 } } },
	{ "a branch out of the function",
	  INSNS("\xe3\x02\xc3\x90\xc6\x43\x43\x00\xc3"),
	  3,
	  0,
	  CUT_FALLS,
	  0,
	  { { 0 } } }, /* jrcxz is no branch that the kernel emulates */
};

static bool same(const struct whereabouts *a, const struct whereabouts *b)
{
	return a->loaded == b->loaded && a->reg == b->reg && a->disp == b->disp && a->add == b->add;
}

static bool find(const struct known_cut *known, const uint64_t *occupied, struct cut *cut)
{
	uint64_t at = TEXT_ADDRESS + known->entered;
	struct joins joins = { .at = &at, .count = known->entered ? 1 : 0 };
	struct insn_list list = decode_bytes(known->bytes, known->size);
	struct layout layout;
	struct flow flow;
	struct store store;
	struct cut_query query = { .list = &list,
				   .flow = &flow,
				   .layout = &layout,
				   .store = &store,
				   .occupied = occupied,
				   .occupied_count = occupied ? 1 : 0 };
	bool result;

	cr_assert_eq(layout_for_version(0x030d00f0, &layout, NULL), 0);
	joins_mark(&joins, &list);
	cr_assert_eq(flow_build(&list, &flow), 0);
	cr_assert(store_decode(&layout, &list, known->store, &store), "%s", known->name);
	result = cut_find(&query, cut);
	for (unsigned i = 0; result && i < cut->count; i++)
		cr_expect(list.at[cut->at[i].index].emulated, "%s", known->name);
	flow_free(&flow);
	insn_list_free(&list);
	return result;
}

Test(cut, finds_the_places)
{
	for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
		const struct known_cut *known = &found[i];
		struct cut cut;

		cr_assert(find(known, NULL, &cut), "%s: %s", known->name,
			  cut_obstacle_text(cut.obstacle));
		cr_assert_eq(cut.obstacle, CUT_FOUND);
		cr_assert_eq(cut.count, known->count, "%s: %u", known->name, cut.count);
		for (unsigned j = 0; j < cut.count; j++) {
			const struct expected *expected = NULL;

			for (unsigned k = 0; k < cut.count; k++)
				if (known->at[k].index == cut.at[j].index)
					expected = &known->at[k];
			cr_assert(expected, "%s: at %zu", known->name, cut.at[j].index);
			cr_expect_eq(cut.at[j].condition, expected->condition, "%s: %d",
				     known->name, cut.at[j].condition);
			cr_expect(same(&cut.at[j].object, &expected->object), "%s", known->name);
			cr_expect(expected->value.reg == GPR_R15 ||
					  same(&cut.at[j].value, &expected->value),
				  "%s", known->name);
		}
	}
}

Test(cut, refuses_what_is_not_proven)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct cut cut;

		cr_expect_not(find(&refused[i], NULL, &cut), "%s", refused[i].name);
		cr_expect_eq(cut.obstacle, refused[i].obstacle, "%s: %s", refused[i].name,
			     cut_obstacle_text(cut.obstacle));
		cr_expect_eq(cut.count, 0);
		cr_expect_neq(*cut_obstacle_text(cut.obstacle), 0);
	}
}

/* Two probes at one instruction would not know who is first. */
Test(cut, leaves_other_probes_alone)
{
	uint64_t guard = TEXT_ADDRESS + 9;
	struct cut cut;

	cr_assert(find(&found[0], NULL, &cut));
	cr_expect_not(find(&found[0], &guard, &cut));
	cr_expect_eq(cut.obstacle, CUT_OCCUPIED);
}
