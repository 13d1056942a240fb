/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "locals_world.h"

/* What is too much, what is no object at all, and what finds no room. */

Test(locals_bpf_bounds, no_more_names_than_asked_for)
{
	EACH_LOCALS_WORLD
	{
		uint64_t values[150];
		const struct local_list *locals;

		for (int i = 0; i < 150; i++)
			values[i] = i == 3 ? 0 : py_integer(i);
		locals_create(values, 150);
		locals = locals_first_taken();
		cr_assert_eq(locals->count, 16, "%zu", locals->count);
		SHOWS(locals, 15, "16"); /* one is unbound */
		cr_assert(locals->truncated);
	}
}

Test(locals_bpf_bounds, unbound_ones_behind_the_limit_cut_nothing)
{
	EACH_LOCALS_WORLD
	{
		uint64_t values[40] = {};
		const struct local_list *locals;

		for (int i = 0; i < 16; i++)
			values[i] = py_integer(i);
		locals_create(values, 40);
		locals = locals_first_taken();
		cr_assert_eq(locals->count, 16);
		cr_assert(!locals->truncated);
	}
}

/* 16 lists of 16: the pieces run out. */
Test(locals_bpf_bounds, too_many_values)
{
	EACH_LOCALS_WORLD
	{
		uint64_t outer[16], items[16];
		const struct captured_record *record;
		const struct local_list *locals;

		for (int i = 0; i < 16; i++) {
			for (int k = 0; k < 16; k++)
				items[k] = py_integer(k);
			outer[i] = py_list(items, 16);
		}
		locals_create(outer, 16);
		locals_feed(RECORD_VARIABLES);
		locals = locals_taken();
		cr_assert_eq(locals->count, 16, "the depths are cut, not the variables");
		cr_assert(!locals->at[0].truncated && locals->at[15].truncated);
		py_next(f.gen);
		record = take_captured(RECORD_LOCALS);
		cr_assert(record->head.flags & CAPTURED_CUT);
		cr_assert_eq(record->pieces, CAPTURED_PIECES_MAX);
	}
}

/* More text than a record holds: whole variables are left out. */
Test(locals_bpf_bounds, too_many_bytes)
{
	EACH_LOCALS_WORLD
	{
		uint32_t wide[1024];
		uint64_t values[16];
		const struct local_list *locals;

		for (int i = 0; i < 1024; i++)
			wide[i] = 0x10000u + (uint32_t)i;
		for (int i = 0; i < 16; i++)
			values[i] = py_str_of(wide, 1024, 4, false);
		world_settings()->locals_string = LOCALS_STRING_MAX;
		locals_create(values, 16);
		locals = locals_first_taken();
		cr_assert_eq(locals->count, 3, "%zu", locals->count);
		cr_assert(locals->truncated);
	}
}

Test(locals_bpf_bounds, an_int_of_any_size)
{
	EACH_LOCALS_WORLD
	{
		static uint32_t digits[4096];
		const struct local_list *locals;

		for (int i = 0; i < 4096; i++)
			digits[i] = 12345;
		locals_create((uint64_t[]){ py_int_of_digits(digits, 4096, true), py_integer(5) },
			      2);
		locals = locals_first_taken();
		cr_assert_eq(locals->count, 2);
		cr_assert(locals->at[0].truncated);
		SHOWS(locals, 1, "5");
	}
}

/* --- what is not what it seems --- */

static uint64_t nonsense(unsigned which)
{
	uint64_t address = 0x10, self;

	switch (which) {
	case 0: /* no memory at all */
		return address;
	case 1:
		return UINT64_MAX - 7;
	case 2: /* a list of more than there is, from nowhere */
		address = py_list((uint64_t[]){ 1 }, 1);
		memory_put64(address + PYVAROBJECT_SIZE, UINT64_MAX >> 1);
		memory_put64(address + LIST_ITEMS, 0x123456789000);
		return address;
	case 3: /* of itself */
		address = py_list((uint64_t[]){ 0 }, 1);
		memory_put64(memory_get64(address + LIST_ITEMS), address);
		return address;
	case 4:
		address = py_str("abc");
		memory_put64(address + UNICODE_LENGTH, UINT64_MAX);
		return address;
	case 5: /* a cell in a cell in … */
		address = py_cell(0);
		memory_put64(address + CELL_VALUE, address);
		return address;
	case 6: /* a dict whose keys are itself */
		address = py_dict((uint64_t[]){ 0, 0 }, 1);
		memory_put64(address + f.layout.dict_keys, address);
		return address;
	case 7: /* an index out of any proportion */
		address = py_dict((uint64_t[]){ 0, 0 }, 1);
		self = memory_get64(address + f.layout.dict_keys);
		memory_put(self + f.layout.keys_log2_index_bytes, &(uint8_t){ 0xff }, 1);
		memory_put64(self + f.layout.keys_nentries, UINT64_MAX);
		return address;
	case 8: /* a split table of many values */
		address = py_dict((uint64_t[]){ py_str("k"), py_str("v") }, 1);
		memory_put64(address + f.layout.dict_values, address);
		return address;
	case 9:
		address = py_set((uint64_t[]){ py_integer(1) }, 1);
		memory_put64(address + f.layout.set_mask, UINT64_MAX);
		return address;
	case 10:
		address = py_integer(1);
		memory_put64(address + f.layout.long_tag, UINT64_MAX);
		return address;
	case 11: /* its type is nowhere */
		address = py_object(STRANGER, 16);
		memory_put64(address + PYOBJECT_TYPE, 0x42);
		return address;
	case 12: /* a type like any memory */
		address = py_object(STRANGER, 16);
		self = locals_allot(2048);
		for (unsigned i = 0; i < 2048; i += 8)
			memory_put64(self + i, self);
		memory_put64(address + PYOBJECT_TYPE, self);
		return address;
	case 13:
		address = py_tuple((uint64_t[]){ 3, 5, 0 }, 3);
		memory_put64(address + PYVAROBJECT_SIZE, (uint64_t)-1);
		return address;
	case 14:
		address = py_bytes_of("x", 1);
		memory_put64(address + PYVAROBJECT_SIZE, UINT64_MAX);
		return address;
	}
	return 0;
}

Test(locals_bpf_bounds, nonsense_hurts_nobody)
{
	EACH_LOCALS_WORLD
	{
		for (unsigned which = 0; which < 15; which++) {
			const struct local_list *locals;

			locals_create((uint64_t[]){ py_integer(1), nonsense(which), py_integer(3) },
				      3);
			locals = locals_first_taken();
			cr_assert_eq(locals->count, 3, "%u: %zu", which, locals->count);
			SHOWS(locals, 0, "1");
			SHOWS(locals, 2, "3");
		}
	}
}

Test(locals_bpf_bounds, a_code_object_of_nonsense)
{
	EACH_LOCALS_WORLD
	{
		uint32_t count = UINT32_MAX;

		locals_create((uint64_t[]){ py_integer(1) }, 1);
		locals_first_taken();
		memory_put(f.code->address + f.layout.code_nlocalsplus, &count, sizeof(count));
		py_next(f.gen);
		cr_assert_leq(locals_taken()->count, 1);
		/* not sent yet: another one */
		locals_create((uint64_t[]){ py_integer(1) }, 1);
		locals_first_taken();
	}
}

/* --- no room --- */

Test(locals_bpf_bounds, a_full_ring_loses_locals_first)
{
	EACH_LOCALS_WORLD
	{
		const struct transition_record *transition;

		locals_create((uint64_t[]){ py_integer(1) }, 1);
		locals_first_taken();
		world_ring_limit(sizeof(struct transition_record));
		py_next(f.gen);
		transition = take_transition();
		cr_assert(transition, "the transition itself has room");
		cr_assert_eq(transition->head.flags & (TRANSITION_LOCALS | TRANSITION_LOCALS_LOST),
			     TRANSITION_LOCALS_LOST);
		cr_assert_eq(world_count(STAT_LOCALS_LOST), 1);
		cr_assert_eq(world_count(STAT_LOST_RING), 0);
		world_ring_limit(1 << 20);
		py_yield(f.gen);
		SHOWS(locals_taken(), 0, "1");
	}
}

Test(locals_bpf_bounds, a_part_of_the_ring_is_for_transitions)
{
	EACH_LOCALS_WORLD
	{
		world_settings()->locals_ring_bytes = sizeof(struct transition_record) + 1;
		locals_create((uint64_t[]){ py_integer(1) }, 1); /* its code waits in the ring */
		py_next(f.gen);
		cr_assert_eq(world_count(STAT_LOCALS_LOST), 2);
		take_transition();
		take_transition();
		py_yield(f.gen);
		SHOWS(locals_first_taken(), 0, "1");
	}
}

Test(locals_bpf_bounds, no_memory_to_work_in)
{
	EACH_LOCALS_WORLD
	{
		world_no_scratch();
		locals_create((uint64_t[]){ py_integer(1) }, 1);
		cr_assert(take_transition()->head.flags & TRANSITION_LOCALS_LOST);
	}
}

Test(locals_bpf_bounds, names_that_found_no_room_are_sent_again)
{
	EACH_LOCALS_WORLD
	{
		const struct transition_record *transition;

		/* the code object and its lines fit, the names do not */
		world_ring_limit(sizeof(struct code_record) + sizeof(struct lines_record) +
				 LINES_BYTES_SMALL + sizeof(struct process_record) +
				 sizeof(struct transition_record));
		locals_create((uint64_t[]){ py_integer(1) }, 1);
		transition = take_transition();
		cr_assert(transition->head.flags & TRANSITION_LOCALS_LOST);
		world_ring_limit(1 << 20);
		py_next(f.gen);
		SHOWS(locals_first_taken(), 0, "1");
	}
}

/* --- not always --- */

Test(locals_bpf_bounds, one_in_so_many)
{
	EACH_LOCALS_WORLD
	{
		unsigned shown = 0;

		world_settings()->locals_rate = 5;
		locals_create((uint64_t[]){ py_integer(1) }, 1);
		for (int i = 0; i < 50; i++) { /* 101 transitions with the birth */
			py_next(f.gen);
			py_yield(f.gen);
		}
		for (const struct transition_record *t; (t = take_transition());)
			shown += !!(t->head.flags & TRANSITION_LOCALS);
		cr_assert_eq(shown, 21, "%u", shown);
		cr_assert_eq(world_count(STAT_LOCALS_LOST), 0);
	}
}

Test(locals_bpf_bounds, what_filters_drop_has_none)
{
	EACH_LOCALS_WORLD
	{
		world_settings()->kinds = 1u << KIND_COROUTINE;
		locals_create((uint64_t[]){ py_integer(1) }, 1);
		py_next(f.gen);
		cr_assert_null(take_captured(RECORD_LOCALS));
	}
}

Test(locals_bpf_bounds, off)
{
	EACH_LOCALS_WORLD
	{
		world_settings()->locals = 0;
		locals_create((uint64_t[]){ py_integer(1) }, 1);
		py_next(f.gen);
		cr_assert_null(take_captured(RECORD_LOCALS));
	}
}

/* --- records that nobody vouches for --- */

static struct captured_record *copy_of(uint16_t type)
{
	const struct captured_record *record = take_captured(type);
	struct captured_record *copy = malloc(record->head.size);

	return memcpy(copy, record, record->head.size);
}

Test(locals_bpf_bounds, records_that_were_damaged)
{
	EACH_LOCALS_WORLD
	{
		uint64_t pair[] = { py_integer(1), py_str("two") };
		struct captured_record *variables, *locals;
		struct transition_record transition;

		locals_create((uint64_t[]){ py_list(pair, 2), py_dict(pair, 1), py_set(pair, 2),
					    py_object(STRANGER, 16) },
			      4);
		variables = copy_of(RECORD_VARIABLES);
		locals = copy_of(RECORD_LOCALS);
		transition = *take_transition();
		srand(world_);
		for (int round = 0; round < 1000; round++) {
			struct captured_record *all[2] = { variables, locals };
			struct captured_record *damaged;
			uint32_t size;

			for (int i = 0; i < 2; i++) {
				size = all[i]->head.size;
				if (round % 3 == 0)
					size -= (uint32_t)rand() % (size - sizeof(*damaged) + 1);
				damaged = malloc(size);
				memcpy(damaged, all[i], size);
				for (int k = rand() % 4; k--;)
					((uint8_t *)damaged)[(uint32_t)rand() % size] =
						(uint8_t)rand();
				damaged->head.type = all[i]->head.type;
				captured_add(f.captured, damaged, size);
				free(damaged);
			}
			captured_take(f.captured, &transition);
		}
		free(variables);
		free(locals);
	}
}
