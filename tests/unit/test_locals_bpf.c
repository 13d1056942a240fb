/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "locals_world.h"

/* The copy that BPF makes of a frame at a transition, and what the user side reads out of it. */

Test(locals_bpf, scalars_in_every_state)
{
	EACH_LOCALS_WORLD
	{
		double number = 0.5;
		uint64_t real, none;

		real = py_object(VALUE_FLOAT, 24);
		memory_put(real + FLOAT_VALUE, &number, 8);
		none = py_object(VALUE_NONE, 16);
		locals_create((uint64_t[]){ py_integer(0), py_integer(-1000000000000), real, none,
					    0, py_str("it's") },
			      6);
		const struct local_list *locals = locals_first_taken();

		cr_assert_eq(locals->count, 5, "%zu", locals->count);
		SHOWS(locals, 0, "0");
		SHOWS(locals, 1, "-1000000000000");
		SHOWS(locals, 2, "0.5");
		SHOWS(locals, 3, "None");
		SHOWS(locals, 4, "\"it's\"");
		cr_assert_str_eq(locals->at[4].name, "f");
		cr_assert_str_eq(locals->at[1].type, "int");
		cr_assert_str_eq(locals->at[3].type, "NoneType");
		cr_assert(!locals->truncated);
		py_next(f.gen);
		SHOWS(locals_taken(), 0, "0");
		locals_set_slot(0, py_integer(7));
		py_yield(f.gen);
		SHOWS(locals_taken(), 0, "7");
		locals_set_slot(0, 0);
		py_next(f.gen);
		SHOWS(locals_taken(), 0, "-1000000000000");
		py_return(f.gen);
		cr_assert_null(take_captured(RECORD_LOCALS), "the frame has ended");
	}
}

Test(locals_bpf, closed_has_none)
{
	EACH_LOCALS_WORLD
	{
		locals_create((uint64_t[]){ py_integer(1) }, 1);
		locals_first_taken();
		py_next(f.gen);
		locals_taken();
		py_return(f.gen);
		const struct transition_record *transition = take_transition();

		cr_assert_eq(transition->to, STATE_CLOSED);
		cr_assert(!(transition->head.flags & (TRANSITION_LOCALS | TRANSITION_LOCALS_LOST)));
		cr_assert_null(captured_take(f.captured, transition));
	}
}

Test(locals_bpf, containers)
{
	EACH_LOCALS_WORLD
	{
		uint64_t one = py_integer(1), a = py_str("a"), two = py_integer(2);
		uint64_t pair = py_tuple((uint64_t[]){ one, a }, 2);
		uint64_t deep = py_list((uint64_t[]){ pair }, 1);
		uint64_t deeper = py_list((uint64_t[]){ deep }, 1);
		uint64_t table = py_dict((uint64_t[]){ a, one, two, pair }, 2);
		uint64_t numbers = py_set((uint64_t[]){ one, two, a }, 3);
		uint64_t stranger = py_object(STRANGER, 16);
		char text[64];

		locals_create((uint64_t[]){ pair, deep, deeper, table, numbers,
					    py_list((uint64_t[]){ 0 }, 0), stranger, py_cell(pair),
					    py_cell(0) },
			      9);
		const struct local_list *locals = locals_first_taken();

		cr_assert_eq(locals->count, 8);
		SHOWS(locals, 0, "(1, 'a')");
		SHOWS(locals, 1, "[(1, 'a')]");
		cr_assert(locals->at[2].truncated);
		SHOWS(locals, 3, "{'a': 1, 2: (1, 'a')}");
		SHOWS(locals, 4, "{1, 2, 'a'}");
		SHOWS(locals, 5, "[]");
		snprintf(text, sizeof(text), "<spam.Egg object at 0x%llx>",
			 (unsigned long long)stranger);
		SHOWS(locals, 6, text);
		SHOWS(locals, 7, "(1, 'a')");
		cr_assert(!locals->at[0].truncated && !locals->at[3].truncated);
	}
}

Test(locals_bpf, classes_are_told_once)
{
	EACH_LOCALS_WORLD
	{
		uint64_t stranger = py_object(STRANGER, 16);
		uint32_t pieces;

		locals_create((uint64_t[]){ stranger, py_integer(1) }, 2);
		locals_feed(RECORD_VARIABLES);
		pieces = take_captured(RECORD_LOCALS)->pieces;
		take_transition();
		py_next(f.gen);
		cr_assert_lt(take_captured(RECORD_LOCALS)->pieces, pieces);
		take_transition();
		/* another class in its place */
		memory_put(BASE + NAMES_AT + STRANGER * 64, "spam.Spam", 10);
		py_yield(f.gen);
		cr_assert_str_eq(locals_taken()->at[0].type, "spam.Spam");
		memory_put(BASE + NAMES_AT + STRANGER * 64, "spam.Egg", 9);
		py_next(f.gen);
		cr_assert_str_eq(locals_taken()->at[0].type, "spam.Egg");
	}
}

/* A page of its name is out: what has been told of it is not all, so it is told again, once a record. */
Test(locals_bpf, classes_are_told_again_when_a_part_could_not_be_read)
{
	EACH_LOCALS_WORLD
	{
		const unsigned types[] = { VALUE_INT, STRANGER };
		uint64_t one = py_integer(1), two = py_integer(2);
		uint64_t stranger = py_object(STRANGER, 16), other = py_object(STRANGER, 16);
		uint64_t names[2];
		uint32_t pieces;

		for (unsigned i = 0; i < 2; i++) {
			const char *name = i ? "spam.Egg" : "int";

			names[i] = memory_new(64);
			memory_put(names[i], name, strlen(name) + 1);
			memory_put64(locals_type_address(types[i]) + f.layout.type_name, names[i]);
			memory_fault(names[i], true);
		}
		locals_create((uint64_t[]){ one, stranger, two, other }, 4);
		locals_feed(RECORD_VARIABLES);
		pieces = take_captured(RECORD_LOCALS)->pieces;
		/* the variables, the four objects, and of two classes all but the name */
		cr_assert_eq(pieces, 1 + 4 + 2 * 3, "%u", pieces);
		take_transition();
		py_next(f.gen);
		cr_assert_eq(take_captured(RECORD_LOCALS)->pieces, pieces);
		take_transition();
		memory_fault(names[0], false);
		memory_fault(names[1], false);
		py_yield(f.gen);
		const struct local_list *locals = locals_taken();

		cr_assert_str_eq(locals->at[0].type, "int");
		cr_assert_str_eq(locals->at[1].type, "spam.Egg");
		cr_assert_str_eq(locals->at[3].type, "spam.Egg");
		py_next(f.gen);
		cr_assert_eq(take_captured(RECORD_LOCALS)->pieces, 1 + 4,
			     "told once they are whole");
		take_transition();
	}
}

Test(locals_bpf, strings_are_cut_where_they_are_long)
{
	EACH_LOCALS_WORLD
	{
		uint32_t wide[200];
		uint16_t two[3] = { 0x2603, 'x', 0x2603 };
		char narrow[200];

		for (int i = 0; i < 200; i++)
			wide[i] = 0x1f600;
		memset(narrow, 'n', sizeof(narrow));
		locals_create(
			(uint64_t[]){ py_str_of(wide, 200, 4, false), py_str_of(two, 3, 2, false),
				      py_str_of(narrow, 200, 1, true), py_bytes_of(narrow, 200),
				      py_str_of(narrow, 128, 1, false) },
			5);
		const struct local_list *locals = locals_first_taken();

		cr_assert(locals->at[0].truncated);
		cr_assert_eq(strlen(locals->at[0].repr), 128 * 4 + 3 + 2);
		SHOWS(locals, 1, "'\xe2\x98\x83x\xe2\x98\x83'");
		cr_assert(locals->at[2].truncated);
		cr_assert_eq(strlen(locals->at[2].repr), 128 + 3 + 2);
		cr_assert(locals->at[3].truncated);
		cr_assert(!locals->at[4].truncated);
	}
}
