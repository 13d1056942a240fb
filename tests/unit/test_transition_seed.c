/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "python_model.h"
#include "world.h"

/*
 * Objects that the user side entered into the state map from memory. Their first hit confirms them, or
 * shows that another object lives at the address now; neither is an anomaly.
 */

#define SEED_ID 4000

/* As user/session/seed.c enters it. */
static struct object *seed_as(struct py_gen *gen, uint8_t state, uint64_t code, unsigned number)
{
	struct object object = {
		.id = SEED_ID + number,
		.code_address = code,
		.kind = gen->kind,
		.visible = state,
		.frame = state,
		.origin = ORIGIN_SEEDED,
	};

	return world_enter(gen->address, &object);
}

static void seed(struct py_gen *gen, unsigned number)
{
	seed_as(gen, (uint8_t)py_state(gen), gen->code->address, number);
}

Test(seed, keeps_its_id_and_is_told_as_first_seen)
{
	EACH_WORLD
	{
		struct py_gen *gen = py_existing(KIND_GENERATOR, py_code("f"), STATE_SUSPENDED);

		seed(gen, 0);
		py_at(OPCODE_FOR_ITER);
		py_next(gen);
		expect_first(gen, SUSPENDED, RUNNING, VIA_FOR, NULL);
		cr_assert_eq(expected()->id, SEED_ID);
		cr_assert_eq(expected()->seq, 1);
		cr_assert_eq(world_object(gen->address)->origin, ORIGIN_FIRST_SEEN);
		py_yield(gen);
		expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
	}
}

Test(seed, of_every_state_goes_on_from_there)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *created = py_existing(KIND_COROUTINE, code, STATE_CREATED);
		struct py_gen *running = py_existing(KIND_GENERATOR, code, STATE_SUSPENDED);
		struct py_gen *ends = py_existing(KIND_GENERATOR, code, STATE_SUSPENDED);

		seed(created, 0);
		py_send(created);
		expect_first(created, CREATED, RUNNING, VIA_SEND, NULL);
		py_await(created, NULL);
		expect(created, RUNNING, SUSPENDED, VIA_AWAIT, NULL);

		py_existing_runs(running);
		seed(running, 1);
		py_yield(running);
		expect_first(running, RUNNING, SUSPENDED, VIA_YIELD, NULL);

		seed(ends, 2);
		py_next(ends);
		expect_first(ends, SUSPENDED, RUNNING, VIA_NEXT, NULL);
		py_return(ends);
		expect(ends, RUNNING, CLOSED, VIA_RETURN, NULL);
	}
}

/* Without the seed nothing would be told: no change of it was ever seen. */
Test(seed, of_a_closed_one_tells_that_it_is_freed)
{
	EACH_WORLD
	{
		struct py_gen *gen = py_create(KIND_GENERATOR, py_code("f"));

		expect(gen, NONE, CREATED, VIA_CREATE, NULL);
		py_send(gen);
		expect(gen, CREATED, RUNNING, VIA_SEND, NULL);
		py_return(gen);
		expect(gen, RUNNING, CLOSED, VIA_RETURN, NULL);
		seed(gen, 0); /* in the place of what was known */
		gen->told_ns = 0;
		gen->id = 0;
		py_drop(gen);
		expect_any(gen, CLOSED, NONE, VIA_FREE, NULL);
	}
}

/* It changed between the look at memory and the entry, and no probe was there yet. */
Test(seed, that_is_out_of_date_gives_way_to_memory)
{
	EACH_WORLD
	{
		struct py_gen *gen = py_existing(KIND_GENERATOR, py_code("f"), STATE_SUSPENDED);

		seed_as(gen, STATE_RUNNING, gen->code->address, 0);
		py_at(OPCODE_FOR_ITER);
		py_next(gen);
		expect_first(gen, SUSPENDED, RUNNING, VIA_FOR, NULL);
	}
}

/* The address has been freed and taken again: the new object is born as any other. */
Test(seed, of_the_one_that_lived_there_before_is_no_anomaly)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *old = py_existing(KIND_GENERATOR, code, STATE_SUSPENDED);
		struct py_gen *gen;

		seed(old, 0);
		gen = py_create_at(old->address, KIND_GENERATOR, code);
		expect(gen, NONE, CREATED, VIA_CREATE, NULL);
		cr_assert_neq(expected()->id, SEED_ID);
		cr_assert_eq(expected()->seq, 1);
	}
}

Test(seed, of_another_function_is_not_believed)
{
	EACH_WORLD
	{
		struct py_gen *gen = py_existing(KIND_GENERATOR, py_code("f"), STATE_SUSPENDED);

		seed_as(gen, STATE_SUSPENDED, py_code("g")->address, 0);
		py_at(OPCODE_FOR_ITER);
		py_next(gen);
		expect_first(gen, SUSPENDED, RUNNING, VIA_FOR, NULL);
		cr_assert_neq(expected()->id, SEED_ID);
	}
}
