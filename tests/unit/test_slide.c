/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "assemble.h"
#include "sites/joins.h"
#include "sites/slide.h"
#include "slides.h"

/* Where a probe goes from a store, function by function; test_slide_run.c executes such ones. */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void check(const struct known_slide *known, size_t count)
{
	for (size_t i = 0; i < count; i++, known++) {
		struct insn_list list = decode_bytes(known->bytes, known->size);
		struct joins outside = {};
		struct slide slide = { .index = 999, .reg = 99 };
		bool slid;

		joins_mark(&outside, &list);
		slid = slide_forward(&list, known->from, known->reg, known->addend, &slide);
		cr_expect_eq(slid, known->probe >= 0, "%s", known->name);
		if (!slid) {
			cr_expect(slide.index == 999 && slide.reg == 99, "%s: changed",
				  known->name);
		} else if (known->probe >= 0) {
			cr_expect_eq(slide.index, (size_t)known->probe, "%s: to %zu", known->name,
				     slide.index);
			cr_expect_eq(slide.reg, known->probe_reg, "%s", known->name);
			cr_expect_eq(slide.addend, known->probe_addend, "%s: %d", known->name,
				     slide.addend);
			cr_expect_eq(slide.stack, known->stack, "%s: %d", known->name, slide.stack);
			cr_expect(slide.emulated && list.at[slide.index].emulated, "%s",
				  known->name);
		}
		insn_list_free(&list);
	}
}

Test(slide, reaches)
{
	check(reaching, COUNT(reaching));
}

Test(slide, stays)
{
	check(staying, COUNT(staying));
}

Test(slide, follows_copies)
{
	check(copying, COUNT(copying));
}

Test(slide, begins_at_entries)
{
	check(entering, COUNT(entering));
}

/* Registers that an instruction writes without naming them. */
Test(slide, minds_implicit_writes)
{
	static const struct {
		uint8_t reg;
		const char *bytes;
		size_t size;
	} cases[] = {
		{ GPR_RAX,
		  INSNS("\xf0\x48\x0f\xb1\x11\xe8\x00\x01\x00\x00") }, /* lock cmpxchg %rdx,(%rcx) */
		{ GPR_RAX, INSNS("\x48\x0f\xb1\xd1\xe8\x00\x01\x00\x00") }, /* cmpxchg %rdx,%rcx */
		{ GPR_RAX, INSNS("\x0f\x05\xe8\x00\x01\x00\x00") },         /* syscall */
		{ GPR_RCX, INSNS("\x0f\x05\xe8\x00\x01\x00\x00") },
		{ GPR_R11, INSNS("\x0f\x05\xe8\x00\x01\x00\x00") },
		{ GPR_RDX, INSNS("\x48\xf7\xe3\xe8\x00\x01\x00\x00") }, /* mul %rbx */
		{ GPR_RDX, INSNS("\x48\x99\xe8\x00\x01\x00\x00") },     /* cqto */
		{ GPR_RDI, INSNS("\xf3\x48\xab\xe8\x00\x01\x00\x00") }, /* rep stosq */
		{ GPR_RCX, INSNS("\xf3\x48\xab\xe8\x00\x01\x00\x00") },
		{ GPR_RSI, INSNS("\xf3\x48\xa5\xe8\x00\x01\x00\x00") }, /* rep movsq */
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct insn_list list = decode_bytes(cases[i].bytes, cases[i].size);
		struct slide slide;

		cr_expect_not(slide_forward(&list, 0, cases[i].reg, 0, &slide), "case %zu", i);
		insn_list_free(&list);
	}
}

/* Joins that only the rest of the file knows of: tables, jumps from the cold part. */
Test(slide, minds_joins_from_outside)
{
	static const char bytes[] = "\xc6\x43\x43\x00"      /* movb $0,0x43(%rbx) */
				    "\x31\xc0"              /* xor %eax,%eax */
				    "\x31\xc9"              /* xor %ecx,%ecx */
				    "\xe8\x00\x01\x00\x00"; /* call */
	static const size_t starts[] = { 0, 4, 6, 8 };

	for (size_t i = 0; i < COUNT(starts); i++) {
		uint64_t at[] = { 1, TEXT_ADDRESS + starts[i], UINT64_MAX };
		struct joins outside = { .at = at, .count = 3 };
		struct insn_list list = decode_bytes(bytes, sizeof(bytes) - 1);
		struct slide slide;

		joins_mark(&outside, &list);
		for (size_t j = 0; j < list.count; j++)
			cr_assert_eq(list.at[j].join, j == i);
		/* into the store itself is no harm: it runs then, too */
		cr_assert_eq(slide_forward(&list, 1, GPR_RBX, 0, &slide), i == 0);
		insn_list_free(&list);
	}
}

/* An idiom of hand-written code jumps over a lock prefix: into the middle of an instruction. */
Test(slide, minds_a_join_in_the_middle_of_an_instruction)
{
	struct insn_list list = decode_bytes("\xc6\x43\x43\x00"     /* movb $0,0x43(%rbx) */
					     "\xf0\x48\xff\x01"     /* lock incq (%rcx) */
					     "\xe8\x00\x01\x00\x00" /* call */
					     "\x75\xf6", /* jne to the incq behind lock */
					     15);
	uint64_t middle = TEXT_ADDRESS + 5;
	struct joins none = {}, one = { .at = &middle, .count = 1 };
	struct slide slide;

	cr_assert_eq(list.count, 4);
	cr_assert_eq(list.at[3].target, middle);
	joins_mark(&none, &list);
	cr_expect_not(slide_forward(&list, 1, GPR_RBX, 0, &slide), "a jump of its own");
	insn_list_free(&list);
	list = decode_bytes("\xc6\x43\x43\x00\xf0\x48\xff\x01\xe8\x00\x01\x00\x00", 13);
	joins_mark(&one, &list);
	cr_expect_not(slide_forward(&list, 1, GPR_RBX, 0, &slide), "one from outside");
	insn_list_free(&list);
}

/* `loop` and `jrcxz` are jumps as well. */
Test(joins, come_from_every_kind_of_jump)
{
	static const struct {
		const char *bytes;
		size_t size;
	} jumps[] = { { INSNS("\x90\xeb\xfd") },
		      { INSNS("\x90\x75\xfd") },
		      { INSNS("\x90\xe2\xfd") },
		      { INSNS("\x90\xe3\xfd") },
		      { INSNS("\x90\xe9\xfa\xff\xff\xff") },
		      { INSNS("\x90\x0f\x84\xf9\xff\xff\xff") } };

	for (size_t i = 0; i < COUNT(jumps); i++) {
		struct insn_list list = decode_bytes(jumps[i].bytes, jumps[i].size);
		struct joins none = {};

		cr_assert_eq(list.count, 2);
		joins_mark(&none, &list);
		cr_expect(list.at[0].join, "case %zu", i);
		cr_expect_not(list.at[1].join, "case %zu", i);
		insn_list_free(&list);
	}
}
