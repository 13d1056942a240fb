/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assemble.h"
#include "python/layouts.h"
#include "sites/store.h"

/*
 * What stands around a store: whether it is a generator's (company), and whether it makes one
 * (initialisation). Offsets as in Include/cpython/genobject.h of 3.13: gi_weakreflist 0x10, gi_exc_state
 * 0x28 (exc_value) and 0x30 (previous_item), ag_hooks_inited 0x40, ag_running_async 0x42,
 * gi_frame_state 0x43, gi_iframe 0x48.
 */

#define WEAKREFS 0x10
#define EXC      0x28
#define PREVIOUS 0x30
#define HOOKS    0x40
#define ASYNC    0x42
#define STATE    0x43
#define FRAME    0x48
#define CLEARED  4

static struct layout layout;

static void get_layout(void)
{
	cr_assert_eq(layout_for_version(0x030d00f0, &layout, NULL), 0);
}

TestSuite(company, .init = get_layout);
TestSuite(initialisation, .init = get_layout);

/* Asks about the instruction at byte `at`. */
static bool ask(const struct code_bytes *code, size_t at,
		bool (*question)(const struct layout *, const struct insn_list *,
				 const struct store *))
{
	struct insn_list list = decode_bytes(code->at, code->size);
	long index = insn_find(&list, TEXT_ADDRESS + at);
	struct store store;
	bool answer;

	cr_assert(index >= 0 && store_decode(&layout, &list, (size_t)index, &store));
	answer = question(&layout, &list, &store);
	insn_list_free(&list);
	return answer;
}

/* cmpb $imm, disp(base) */
static void put_compare(struct code_bytes *code, uint8_t base, int32_t disp, int imm)
{
	put_memory(code, 0, 0x80, 7, base, disp);
	put_byte(code, (unsigned)imm);
}

/* mov disp(base), %rax */
static void put_load(struct code_bytes *code, uint8_t base, int32_t disp)
{
	put_memory(code, REX_W, 0x8b, 0, base, disp);
}

/* Each with the store before and after what keeps it company. */
static void expect_company(void (*put)(struct code_bytes *code), int32_t through, bool expected,
			   const char *what)
{
	struct code_bytes before = {}, after = {};
	size_t at;

	put(&before);
	at = before.size;
	put_store(&before, GPR_RBX, STATE - through, 0);
	cr_expect_eq(ask(&before, at, store_has_company), expected, "%s, then the store", what);
	put_store(&after, GPR_RBX, STATE - through, 0);
	put(&after);
	cr_expect_eq(ask(&after, 0, store_has_company), expected, "the store, then %s", what);
}

static void nothing(struct code_bytes *code)
{
	PUT(code, "\x31\xc0"); /* xor %eax,%eax */
}

static void reads_the_state(struct code_bytes *code)
{
	put_compare(code, GPR_RBX, STATE, 0);
}

static void reads_the_state_through_the_frame(struct code_bytes *code)
{
	put_compare(code, GPR_RBX, STATE - FRAME, 0);
}

static void reads_the_flag(struct code_bytes *code)
{
	put_compare(code, GPR_RBX, ASYNC, 0);
}

static void links_its_exception_state(struct code_bytes *code)
{
	put_memory(code, REX_W, 0x89, 0, GPR_RBX, PREVIOUS); /* mov %rax, */
}

static void reads_its_exception(struct code_bytes *code)
{
	put_load(code, GPR_RBX, EXC);
}

static void takes_its_frame(struct code_bytes *code)
{
	put_lea(code, GPR_RBX, FRAME, GPR_RDI);
}

static void writes_the_state(struct code_bytes *code)
{
	put_store(code, GPR_RBX, STATE, 1);
}

static void reads_the_frame(struct code_bytes *code)
{
	put_load(code, GPR_RBX, FRAME);
}

static void reads_the_state_of_another(struct code_bytes *code)
{
	put_compare(code, GPR_RBP, STATE, 0);
}

static void reads_at_an_index(struct code_bytes *code)
{
	PUT(code, "\x80\x7c\x0b\x43\x00"); /* cmpb $0,0x43(%rbx,%rcx,1) */
}

static void reads_the_stack(struct code_bytes *code)
{
	PUT(code, "\x48\x8b\x44\x24\x30"); /* mov 0x30(%rsp),%rax */
}

Test(company, is_what_only_generators_have)
{
	expect_company(reads_the_state, 0, true, "cmpb 0x43");
	expect_company(reads_the_flag, 0, true, "cmpb 0x42");
	expect_company(links_its_exception_state, 0, true, "mov ,0x30");
	expect_company(reads_its_exception, 0, true, "mov 0x28");
	expect_company(takes_its_frame, 0, true, "lea 0x48");
	expect_company(reads_the_state_through_the_frame, FRAME, true, "cmpb -5");
}

Test(company, is_not_what_anybody_does)
{
	expect_company(nothing, 0, false, "nothing");
	expect_company(writes_the_state, 0, false, "another store");
	expect_company(reads_the_frame, 0, false, "mov 0x48");
	expect_company(reads_the_state_of_another, 0, false, "cmpb of rbp");
	expect_company(reads_at_an_index, 0, false, "cmpb indexed");
	expect_company(reads_the_stack, 0, false, "mov of rsp");
	/* the same displacement from the frame is another field than from the object */
	expect_company(reads_the_state, FRAME, false, "cmpb 0x43 of the frame");
	expect_company(reads_the_state_through_the_frame, 0, false, "cmpb -5 of the object");
}

/* make_gen() of Objects/genobject.c: gi_frame_state = FRAME_CLEARED; gi_weakreflist = NULL; … */
Test(initialisation, clears_the_weak_references)
{
	for (int weakrefs_first = 0; weakrefs_first < 2; weakrefs_first++) {
		struct code_bytes code = {};
		size_t at = 0;

		if (weakrefs_first)
			put_store_wide(&code, 8, GPR_RBX, WEAKREFS, 0);
		at = code.size;
		put_store(&code, GPR_RBX, STATE, CLEARED);
		if (!weakrefs_first)
			put_store_wide(&code, 8, GPR_RBX, WEAKREFS, 0);
		cr_assert(ask(&code, at, store_is_initialisation));
	}
}

/* gen_dealloc() reads the list, and clears the frame; make_gen()'s neighbour may do it to another. */
Test(initialisation, is_not_an_end)
{
	struct code_bytes code = {};

	put_store(&code, GPR_RBX, STATE, CLEARED);
	put_load(&code, GPR_RBX, WEAKREFS);
	cr_assert_not(ask(&code, 0, store_is_initialisation));
	put_store_wide(&code, 8, GPR_RBP, WEAKREFS, 0);
	cr_assert_not(ask(&code, 0, store_is_initialisation));
	PUT(&code, "\x48\xc7\x44\x0b\x10\x00\x00\x00\x00"); /* movq $0,0x10(%rbx,%rcx,1) */
	cr_assert_not(ask(&code, 0, store_is_initialisation));

	code.size = 0; /* RETURN_GENERATOR: FRAME_CREATED is what makes it known */
	put_store(&code, GPR_RBX, STATE, -3);
	put_store_wide(&code, 8, GPR_RBX, WEAKREFS, 0);
	cr_assert_not(ask(&code, 0, store_is_initialisation));
	code.size = 0;
	put_store(&code, GPR_RBX, STATE, 0);
	put_store_wide(&code, 8, GPR_RBX, WEAKREFS, 0);
	cr_assert_not(ask(&code, 0, store_is_initialisation));
	code.size = 0; /* a state that is computed */
	put_store_register(&code, GPR_RBX, STATE, GPR_RAX);
	put_store_wide(&code, 8, GPR_RBX, WEAKREFS, 0);
	cr_assert_not(ask(&code, 0, store_is_initialisation));
}

/* _Py_MakeCoro(): ag_hooks_inited = 0; ag_closed = 0; ag_running_async = 0 */
Test(initialisation, clears_the_hooks)
{
	struct code_bytes code = {};

	put_store(&code, GPR_RBX, ASYNC, 0);
	put_store(&code, GPR_RBX, HOOKS, 0);
	cr_assert(ask(&code, 0, store_is_initialisation));
	code.size = 0; /* asend sets the flag, and async_gen_init_hooks() ag_hooks_inited */
	put_store(&code, GPR_RBX, ASYNC, 1);
	put_store(&code, GPR_RBX, HOOKS, 1);
	cr_assert_not(ask(&code, 0, store_is_initialisation));
	code.size = 0;
	put_store(&code, GPR_RBX, ASYNC, 0);
	put_store(&code, GPR_RBP, HOOKS, 0);
	cr_assert_not(ask(&code, 0, store_is_initialisation));
}

Test(initialisation, may_go_through_the_frame)
{
	struct code_bytes code = {};

	put_store(&code, GPR_RBX, STATE - FRAME, CLEARED);
	put_store_wide(&code, 8, GPR_RBX, WEAKREFS - FRAME, 0);
	cr_assert(ask(&code, 0, store_is_initialisation));
	code.size = 0; /* 0x10 from the frame is something else */
	put_store(&code, GPR_RBX, STATE - FRAME, CLEARED);
	put_store_wide(&code, 8, GPR_RBX, WEAKREFS, 0);
	cr_assert_not(ask(&code, 0, store_is_initialisation));
}
