/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "assemble.h"
#include "sites/joins.h"
#include "sites/returns.h"

/*
 * Where the evaluation loop comes back to a function that began a step: in functions put together here as
 * compilers lay gen_send_ex2() out. An instruction is meant by its label, the offset of its first byte.
 */

#define STATE_DISP 0x43
#define EVAL       (TEXT_ADDRESS + 0x10000)
#define OTHER      (TEXT_ADDRESS + 0x20000)

static bool is_eval(const void *ctx, const struct insn *insn)
{
	return insn->target == *(const uint64_t *)ctx;
}

static struct code_bytes code;
static struct insn_list list;
static struct returns found;

/* --- a few more instructions --- */

static size_t here(void)
{
	return code.size;
}

static void put_distance(size_t end, uint64_t target)
{
	int32_t distance = (int32_t)(target - (TEXT_ADDRESS + end));

	memcpy(code.at + end - 4, &distance, sizeof(distance));
}

static size_t call(uint64_t target)
{
	size_t at = here();

	PUT(&code, "\xe8----");
	put_distance(here(), target);
	return at;
}

/* Their target is set by meet(). */
static size_t jump(void)
{
	size_t at = here();

	PUT(&code, "\xe9----");
	return at;
}

static size_t branch(void)
{
	size_t at = here();

	PUT(&code, "\x0f\x84----"); /* je */
	return at;
}

static void meet(size_t from, size_t label)
{
	put_distance(from + (code.at[from] == 0xe9 ? 5 : 6), TEXT_ADDRESS + label);
}

static size_t call_pointer(void)
{
	size_t at = here();

	PUT(&code, "\xff\xd0"); /* call *%rax */
	return at;
}

static size_t test_result(void)
{
	size_t at = here();

	PUT(&code, "\x48\x85\xc0"); /* test %rax,%rax */
	return at;
}

static size_t store(uint8_t base)
{
	size_t at = here();

	put_store(&code, base, STATE_DISP, 0);
	return at;
}

static void filler(size_t count)
{
	while (count--)
		PUT(&code, "\x31\xc9"); /* xor %ecx,%ecx */
}

static void end(void)
{
	PUT(&code, "\xc3");
}

/* --- asking --- */

static size_t index_of(size_t label)
{
	long index = insn_find(&list, TEXT_ADDRESS + label);

	cr_assert_geq(index, 0);
	return (size_t)index;
}

static void begin(void)
{
	code.size = 0;
}

static struct store store_at(size_t label, uint8_t base, int32_t addend)
{
	return (struct store){ .index = index_of(label),
			       .base = base,
			       .addend = addend,
			       .role = SITE_FRAME_STATE,
			       .constant = true };
}

static bool find_from(size_t label, uint8_t base, int32_t addend)
{
	static const uint64_t eval = EVAL;
	struct joins none = {};
	struct store from;

	list = decode_bytes(code.at, code.size);
	joins_mark(&none, &list);
	from = store_at(label, base, addend);
	return returns_find(&list, &from, is_eval, &eval, &found);
}

static void done(void)
{
	insn_list_free(&list);
}

static void check_one(size_t label, uint8_t reg, int32_t addend)
{
	cr_assert_eq(found.count, 1, "%zu places", found.count);
	cr_assert_eq(found.at[0].index, index_of(label), "at instruction %zu, not %zu",
		     found.at[0].index, index_of(label));
	cr_assert_eq(found.at[0].reg, reg);
	cr_assert_eq(found.at[0].addend, addend);
	cr_assert(found.at[0].emulated && list.at[found.at[0].index].emulated);
}

Test(returns, are_behind_a_direct_call)
{
	static const uint8_t registers[] = { GPR_RBX, GPR_RBP, GPR_R12, GPR_R13, GPR_R14, GPR_R15 };

	for (size_t i = 0; i < sizeof(registers); i++) {
		size_t from, evaluates, back;

		begin();
		from = store(registers[i]);
		filler(3);
		evaluates = call(EVAL);
		test_result();
		back = branch();
		end();
		meet(back, 0);
		cr_assert(find_from(from, registers[i], 0));
		check_one(back, registers[i], 0);
		cr_assert_eq(found.first, index_of(from));
		cr_assert_eq(found.last, index_of(evaluates));
		done();
	}
}

/* The store may name the frame, or what lies anywhere near. */
Test(returns, keep_what_the_object_is_off_by)
{
	size_t from, back;

	begin();
	from = store(GPR_R12);
	call(EVAL);
	PUT(&code, "\x50"); /* push %rax */
	back = here() - 1;
	end();
	cr_assert(find_from(from, GPR_R12, -0x48));
	check_one(back, GPR_R12, -0x48);
	done();
}

/* _PyEval_EvalFrame(): the loop, or what the interpreter points to, which lies aside and jumps back. */
static void put_pointer_aside(size_t between, size_t *from, size_t *back)
{
	size_t aside, again, meeting;

	begin();
	*from = store(GPR_RBX);
	filler(2);
	aside = branch();
	call(EVAL);
	filler(between); /* the other call has its own instructions for this */
	meeting = here();
	test_result();
	*back = branch();
	meet(*back, 0);
	end();
	meet(aside, here());
	filler(1);
	call_pointer();
	filler(between);
	again = jump();
	meet(again, meeting);
}

Test(returns, are_where_a_pointer_call_aside_jumps_back)
{
	size_t from, back;

	for (size_t between = 0; between < 3; between++) {
		put_pointer_aside(between, &from, &back);
		cr_assert(find_from(from, GPR_RBX, 0));
		check_one(back, GPR_RBX, 0);
		done();
	}
}

/* The same where the compiler has put the pointer's call first and lets it fall to the meeting point. */
Test(returns, are_where_a_pointer_call_aside_falls)
{
	size_t from, direct, meeting, back, again;

	begin();
	from = store(GPR_RBP);
	direct = branch();
	filler(1);
	call_pointer();
	meeting = here();
	test_result();
	back = branch();
	meet(back, 0);
	end();
	meet(direct, here());
	call(EVAL);
	again = jump();
	meet(again, meeting);
	cr_assert(find_from(from, GPR_RBP, 0));
	check_one(back, GPR_RBP, 0);
	done();
}

/* Between the call and the meeting point something of its own is emulated: two places then. */
Test(returns, are_two_where_each_call_has_its_own)
{
	size_t from, aside, own, again;

	begin();
	from = store(GPR_RBX);
	aside = branch();
	call(EVAL);
	own = jump(); /* over the other one */
	meet(aside, here());
	call_pointer();
	test_result();
	again = branch();
	meet(again, 0);
	end();
	meet(own, here());
	end();
	cr_assert(find_from(from, GPR_RBX, 0));
	cr_assert_eq(found.count, 2);
	cr_assert((found.at[0].index == index_of(own) && found.at[1].index == index_of(again)) ||
		  (found.at[1].index == index_of(own) && found.at[0].index == index_of(again)));
	done();
}

/* --- the register --- */

Test(returns, are_none_in_a_register_that_a_call_does_not_keep)
{
	static const uint8_t registers[] = { GPR_RDI, GPR_RSI, GPR_RDX, GPR_RCX,
					     GPR_R8,  GPR_R9,  GPR_R10, GPR_R11 };

	for (size_t i = 0; i < sizeof(registers); i++) {
		size_t from;

		begin();
		from = store(registers[i]);
		call(EVAL);
		meet(branch(), 0);
		end();
		cr_assert_not(find_from(from, registers[i], 0));
		cr_assert_eq(found.count, 0);
		done();
	}
}

Test(returns, are_found_by_a_copy_that_is_kept)
{
	size_t from, back;

	begin();
	put_move(&code, GPR_RDI, GPR_R13);
	from = store(GPR_RDI);
	call(EVAL);
	back = branch();
	meet(back, 0);
	end();
	cr_assert(find_from(from, GPR_RDI, 0));
	check_one(back, GPR_R13, 0);
	done();
}

Test(returns, are_found_by_a_copy_of_another_address)
{
	size_t from, back;

	begin();
	put_lea(&code, GPR_RDI, 0x48, GPR_RBX); /* &gen->gi_iframe */
	from = store(GPR_RDI);
	call(EVAL);
	back = branch();
	meet(back, 0);
	end();
	cr_assert(find_from(from, GPR_RDI, 0));
	check_one(back, GPR_RBX, -0x48);
	done();
}

/* What looks like a copy was made before the source changed, or on one of two ways here. */
Test(returns, are_none_by_a_copy_that_is_none)
{
	size_t from, around;

	begin();
	put_move(&code, GPR_RDI, GPR_R13);
	put_move(&code, GPR_RSI, GPR_RDI);
	from = store(GPR_RDI);
	call(EVAL);
	meet(branch(), 0);
	end();
	cr_assert_not(find_from(from, GPR_RDI, 0));
	done();

	begin();
	around = branch();
	put_move(&code, GPR_RDI, GPR_R13);
	from = store(GPR_RDI);
	meet(around, from);
	call(EVAL);
	meet(branch(), 0);
	end();
	cr_assert_not(find_from(from, GPR_RDI, 0));
	done();
}

Test(returns, are_none_when_the_register_is_overwritten)
{
	size_t from;

	begin();
	from = store(GPR_RBX);
	put_move(&code, GPR_RSI, GPR_RBX);
	call(EVAL);
	meet(branch(), 0);
	end();
	cr_assert_not(find_from(from, GPR_RBX, 0), "before the call");
	done();

	begin();
	from = store(GPR_RBX);
	call(EVAL);
	PUT(&code, "\x5b"); /* pop %rbx */
	meet(branch(), 0);
	end();
	cr_assert_not(find_from(from, GPR_RBX, 0), "behind it");
	done();
}

/* --- which calls --- */

Test(returns, are_none_of_another_call)
{
	size_t from;

	begin();
	from = store(GPR_RBX);
	call(OTHER);
	meet(branch(), 0);
	end();
	cr_assert_not(find_from(from, GPR_RBX, 0), "direct");
	done();

	begin();
	from = store(GPR_RBX); /* _gen_throw(): the method of what it delegates to */
	call_pointer();
	meet(branch(), 0);
	end();
	cr_assert_not(find_from(from, GPR_RBX, 0), "through a pointer, with none of the loop near");
	cr_assert_eq(found.count, 0);
	done();
}

Test(returns, are_none_where_control_does_not_come)
{
	size_t from;

	begin();
	from = store(GPR_RBX);
	end();
	call(EVAL);
	meet(branch(), 0);
	cr_assert_not(find_from(from, GPR_RBX, 0), "behind a return");
	done();

	begin();
	from = store(GPR_RBX);
	filler(70);
	call(EVAL);
	meet(branch(), 0);
	cr_assert_not(find_from(from, GPR_RBX, 0), "too far");
	done();

	begin();
	from = store(GPR_RBX);
	call(EVAL);
	cr_assert_not(find_from(from, GPR_RBX, 0), "the function ends with the call");
	done();

	begin();
	from = store(GPR_RBX);
	meet(jump(), here() - 5); /* in circles */
	cr_assert_not(find_from(from, GPR_RBX, 0));
	done();
}

Test(returns, follow_a_jump_to_the_call)
{
	size_t from, to, back;

	begin();
	from = store(GPR_RBX);
	to = jump();
	filler(4);
	end();
	meet(to, here());
	call(EVAL);
	back = branch();
	meet(back, 0);
	end();
	cr_assert(find_from(from, GPR_RBX, 0));
	check_one(back, GPR_RBX, 0);
	done();
}

/* --- whose --- */

Test(returns, are_of_a_second_store_that_jumps_into_the_line)
{
	size_t first, second, calls, alone, line, way;
	struct store store_second;

	begin();
	first = store(GPR_RBX);
	filler(2);
	line = here();
	filler(1);
	call(EVAL);
	meet(branch(), 0);
	end();
	second = store(GPR_RBX);
	filler(1);
	way = jump();
	meet(way, line);
	calls = store(GPR_RBX); /* this one calls something before it comes there */
	call_pointer();
	meet(jump(), line);
	alone = store(GPR_RBX); /* and this one never does */
	end();
	/* `calls` jumps by the jump behind its call */
	cr_assert(find_from(first, GPR_RBX, 0));
	store_second = store_at(second, GPR_RBX, 0);
	cr_assert(returns_are_of(&list, &store_second, &found));
	store_second = store_at(calls, GPR_RBX, 0);
	cr_assert_not(returns_are_of(&list, &store_second, &found));
	store_second = store_at(alone, GPR_RBX, 0);
	cr_assert_not(returns_are_of(&list, &store_second, &found));
	done();
}

/* A jump to behind the call is no way to it. */
Test(returns, are_not_of_a_store_that_jumps_behind_the_call)
{
	size_t first, second, behind, way;
	struct store store_second;

	begin();
	first = store(GPR_RBX);
	call(EVAL);
	behind = here();
	test_result();
	meet(branch(), 0);
	end();
	second = store(GPR_RBX);
	way = jump();
	meet(way, behind);
	cr_assert(find_from(first, GPR_RBX, 0));
	store_second = store_at(second, GPR_RBX, 0);
	cr_assert_not(returns_are_of(&list, &store_second, &found));
	done();
}
