/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "python_model.h"

/*
 * Objects that are older than the tracer: what they were is read from memory where the store is still
 * to come, and concluded from what happens where it is not. See test_transition.c.
 */

Test(first_sight, of_a_new_one_that_runs)
{
	EACH_WORLD
	{
		struct py_gen *gen = py_existing(KIND_GENERATOR, py_code("f"), STATE_CREATED);

		py_at(OPCODE_FOR_ITER);
		py_next(gen);
		expect_first(gen, CREATED, RUNNING, VIA_FOR, NULL);
		cr_assert_eq(expected()->seq, 1);
		py_yield(gen);
		expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
	}
}

Test(first_sight, of_a_suspended_one_that_runs)
{
	EACH_WORLD
	{
		struct py_gen *gen = py_existing(KIND_GENERATOR, py_code("f"), STATE_SUSPENDED);
		struct py_gen *coro = py_existing(KIND_COROUTINE, gen->code, STATE_SUSPENDED);

		py_send(gen);
		expect_first(gen, SUSPENDED, RUNNING, VIA_SEND, NULL);
		py_at(OPCODE_SEND);
		py_am_send(coro);
		expect_first(coro, SUSPENDED, RUNNING, VIA_YIELD_FROM, gen);
		py_await(coro, NULL);
		expect(coro, RUNNING, SUSPENDED, VIA_AWAIT, gen);
		py_return(gen);
		expect(gen, RUNNING, CLOSED, VIA_RETURN, NULL);
	}
}

Test(first_sight, of_a_suspended_one_in_the_evaluation_loop)
{
	EACH_WORLD
	{
		struct py_gen *gen;

		if (python_minor() == 11)
			continue;
		gen = py_existing(KIND_GENERATOR, py_code("f"), STATE_SUSPENDED);
		py_at(OPCODE_FOR_ITER);
		py_resume(gen);
		expect_first(gen, SUSPENDED, RUNNING, VIA_FOR, NULL);
		py_yield(gen);
		expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
	}
}

/* It was running when the tracer came: how long is not known. */
Test(first_sight, of_a_running_one_that_yields)
{
	EACH_WORLD
	{
		struct py_gen *gen = py_existing(KIND_GENERATOR, py_code("f"), STATE_SUSPENDED);

		py_existing_runs(gen);
		py_yield(gen);
		expect_first(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		py_at(OPCODE_FOR_ITER);
		py_next(gen);
		expect(gen, SUSPENDED, RUNNING, VIA_FOR, NULL);
	}
}

Test(first_sight, of_a_running_one_that_ends)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *returns = py_existing(KIND_GENERATOR, code, STATE_SUSPENDED);
		struct py_gen *raises = py_existing(KIND_COROUTINE, code, STATE_SUSPENDED);

		py_existing_runs(returns);
		py_return(returns);
		expect_first(returns, RUNNING, CLOSED, VIA_RETURN, NULL);
		py_existing_runs(raises);
		py_raise(raises, EXC_VALUE_ERROR);
		expect_first(raises, RUNNING, CLOSED, VIA_RAISE, NULL);
	}
}

/* Under one that is known already, and under one that is not. */
Test(first_sight, of_a_driver_that_was_running)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *outer = py_existing(KIND_COROUTINE, code, STATE_SUSPENDED);
		struct py_gen *inner = py_existing(KIND_COROUTINE, code, STATE_SUSPENDED);

		py_existing_runs(outer);
		py_at(OPCODE_SEND);
		py_am_send(inner);
		expect_first(inner, SUSPENDED, RUNNING, VIA_AWAIT, NULL);
		py_await(inner, NULL);
		expect(inner, RUNNING, SUSPENDED, VIA_AWAIT, NULL);
		py_await(outer, inner);
		expect_first(outer, RUNNING, SUSPENDED, VIA_AWAIT, NULL);
		py_send(outer);
		expect(outer, SUSPENDED, RUNNING, VIA_SEND, NULL);
		py_at(OPCODE_SEND);
		py_am_send(inner);
		expect(inner, SUSPENDED, RUNNING, VIA_AWAIT, outer);
	}
}

/* A generator that SEND resumes stands in a `yield from`, though its driver was never seen. */
Test(first_sight, of_a_yield_from_whose_driver_is_unknown)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *outer = py_existing(KIND_GENERATOR, code, STATE_SUSPENDED);
		struct py_gen *inner = py_existing(KIND_GENERATOR, code, STATE_SUSPENDED);

		py_existing_runs(outer);
		py_at(OPCODE_SEND);
		py_am_send(inner);
		expect_first(inner, SUSPENDED, RUNNING, VIA_YIELD_FROM, NULL);
	}
}

Test(first_sight, of_one_that_is_closed)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *fresh = py_existing(KIND_GENERATOR, code, STATE_CREATED);
		struct py_gen *gen = py_existing(KIND_GENERATOR, code, STATE_SUSPENDED);
		struct py_gen *careful = py_existing(KIND_GENERATOR, code, STATE_SUSPENDED);

		careful->has_try = true;
		py_close(fresh);
		if (python_minor() >= 12) {
			expect_first(fresh, CREATED, CLOSED, VIA_CLOSE, NULL);
		} else {
			expect_first(fresh, CREATED, RUNNING, VIA_CLOSE, NULL);
			py_raise(fresh, EXC_GENERATOR_EXIT);
			expect(fresh, RUNNING, CLOSED, VIA_CLOSE, NULL);
		}
		py_close(gen);
		if (python_minor() == 13) {
			expect_first(gen, SUSPENDED, CLOSED, VIA_CLOSE, NULL);
		} else {
			expect_first(gen, SUSPENDED, RUNNING, VIA_CLOSE, NULL);
			if (python_minor() == 11)
				py_raise(gen, EXC_GENERATOR_EXIT);
			expect(gen, RUNNING, CLOSED, VIA_CLOSE, NULL);
		}
		py_close(careful);
		expect_first(careful, SUSPENDED, RUNNING, VIA_CLOSE, NULL);
		py_return(careful);
		expect(careful, RUNNING, CLOSED, VIA_RETURN, NULL);
	}
}

Test(first_sight, of_one_that_is_dropped)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *coro = py_existing(KIND_COROUTINE, code, STATE_CREATED);
		struct py_gen *gen = py_existing(KIND_GENERATOR, code, STATE_SUSPENDED);
		struct py_gen *ended = py_existing(KIND_GENERATOR, code, STATE_CLOSED);

		py_drop(coro); /* never awaited: dealloc itself ends it */
		expect_first(coro, CREATED, CLOSED, VIA_FINALIZE, NULL);
		expect(coro, CLOSED, NONE, VIA_FREE, NULL);
		gen->has_try = true;
		py_drop(gen);
		expect_first(gen, SUSPENDED, RUNNING, VIA_FINALIZE, NULL);
		py_raise(gen, EXC_GENERATOR_EXIT);
		expect(gen, RUNNING, CLOSED, VIA_CLOSE, NULL);
		expect(gen, CLOSED, NONE, VIA_FREE, NULL);
		py_drop(ended); /* nothing was ever known of it */
		expect_nothing();
		cr_assert_eq(world_count(STAT_OBJECTS), 2);
	}
}

/* Handed to the loop's hook, which let it die: it was suspended to its end. */
Test(first_sight, of_an_async_generator_that_dies_suspended)
{
	EACH_WORLD
	{
		struct py_gen *agen =
			py_existing(KIND_ASYNC_GENERATOR, py_code("a"), STATE_SUSPENDED);

		py_die_after_hook(agen);
		expect_first(agen, SUSPENDED, CLOSED, VIA_FINALIZE, NULL);
		expect(agen, CLOSED, NONE, VIA_FREE, NULL);
	}
}

Test(first_sight, of_an_async_generator_that_is_iterated)
{
	EACH_WORLD
	{
		struct py_gen *agen =
			py_existing(KIND_ASYNC_GENERATOR, py_code("a"), STATE_SUSPENDED);
		struct py_gen *fresh = py_existing(KIND_ASYNC_GENERATOR, agen->code, STATE_CREATED);

		py_at(OPCODE_SEND);
		py_agen_start(agen);
		expect_first(agen, SUSPENDED, RUNNING, VIA_ANEXT, NULL);
		py_agen_yield(agen);
		expect(agen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		py_agen_start(fresh);
		expect_any(fresh, CREATED, RUNNING, VIA_ANEXT, NULL); /* its flag was first */
		py_agen_return(fresh);
		expect(fresh, RUNNING, CLOSED, VIA_RETURN, NULL);
	}
}

/* asend() makes an awaitable of an object that no store was seen of yet. */
Test(first_sight, of_an_async_generator_by_its_asend)
{
	EACH_WORLD
	{
		struct py_gen *agen =
			py_existing(KIND_ASYNC_GENERATOR, py_code("a"), STATE_SUSPENDED);

		py_agen_call(agen, VIA_ASEND);
		py_at(OPCODE_SEND);
		py_agen_start(agen);
		expect_first(agen, SUSPENDED, RUNNING, VIA_ASEND, NULL);
	}
}

/* In the middle of an asend(): its frame runs, or is suspended in an await; it RUNS either way. */
Test(first_sight, of_an_async_generator_under_way)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("a");
		struct py_gen *runs = py_existing(KIND_ASYNC_GENERATOR, code, STATE_SUSPENDED);
		struct py_gen *awaits = py_existing(KIND_ASYNC_GENERATOR, code, STATE_SUSPENDED);
		uint16_t flag = world_image()->layout.gen_running_async;

		memory_put(runs->address + flag, "\1", 1);
		py_existing_runs(runs);
		py_agen_yield(runs);
		expect_any(runs, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		memory_put(awaits->address + flag, "\1", 1);
		py_enter(awaits);
		expect_nothing(); /* RUNNING it was and is */
		py_agen_return(awaits);
		expect_any(awaits, RUNNING, CLOSED, VIA_RETURN, NULL);
	}
}
