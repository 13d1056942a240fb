/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "python_model.h"

/*
 * Async generators: what inspect.getasyncgenstate() of 3.12 would say. RUNNING for as long as an
 * asend(), athrow() or aclose() of it is (ag_running_async), its own awaits included; the frame's state
 * says the rest. See test_transition.c.
 */

static struct py_gen *born(void)
{
	struct py_gen *agen = py_create(KIND_ASYNC_GENERATOR, py_code("agen"));

	expect(agen, NONE, CREATED, VIA_CREATE, NULL);
	return agen;
}

static struct py_gen *suspended(void)
{
	struct py_gen *agen = born();

	py_at(OPCODE_SEND);
	py_agen_start(agen);
	expect(agen, CREATED, RUNNING, VIA_ANEXT, NULL);
	py_agen_yield(agen);
	expect(agen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
	return agen;
}

Test(agen, lives)
{
	EACH_WORLD
	{
		struct py_gen *agen = suspended();

		for (int i = 0; i < 3; i++) {
			py_agen_start(agen);
			expect(agen, SUSPENDED, RUNNING, VIA_ANEXT, NULL);
			py_agen_yield(agen);
			expect(agen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		}
		py_agen_start(agen);
		expect(agen, SUSPENDED, RUNNING, VIA_ANEXT, NULL);
		py_agen_return(agen);
		expect(agen, RUNNING, CLOSED, VIA_RETURN, NULL);
		py_drop(agen);
		expect(agen, CLOSED, NONE, VIA_FREE, NULL);
		cr_assert_eq(expected()->seq, 12);
	}
}

/* Its frame is suspended in an await, and a coroutine runs there: the object runs all the time. */
Test(agen, runs_while_it_awaits)
{
	EACH_WORLD
	{
		struct py_gen *agen = suspended();
		struct py_gen *coro = py_create(KIND_COROUTINE, py_code("sleep"));

		expect(coro, NONE, CREATED, VIA_CREATE, NULL);
		py_agen_start(agen);
		expect(agen, SUSPENDED, RUNNING, VIA_ANEXT, NULL);
		for (int turn = 0; turn < 3; turn++) {
			py_at(OPCODE_SEND);
			py_am_send(coro);
			expect(coro, turn ? SUSPENDED : CREATED, RUNNING, VIA_AWAIT, agen);
			py_await(coro, NULL);
			expect(coro, RUNNING, SUSPENDED, VIA_AWAIT, agen);
			py_await(agen, coro);
			expect_nothing();
			cr_assert_eq(py_state(agen), STATE_SUSPENDED); /* of the frame */
			time_passes(5000000);
			py_enter(agen);
			expect_nothing();
		}
		py_agen_yield(agen);
		expect(agen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		cr_assert_gt(expected()->run_ns, 15000000u); /* its awaits included */
	}
}

Test(agen, tells_asend_athrow_and_aclose)
{
	EACH_WORLD
	{
		struct py_gen *agen = suspended();

		py_agen_call(agen, VIA_ASEND);
		expect_nothing(); /* an awaitable was made */
		py_agen_start(agen);
		expect(agen, SUSPENDED, RUNNING, VIA_ASEND, NULL);
		py_agen_yield(agen);
		expect(agen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		py_agen_start(agen);
		expect(agen, SUSPENDED, RUNNING, VIA_ANEXT, NULL);
		py_agen_yield(agen);
		expect(agen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		py_agen_call(agen, VIA_ATHROW);
		py_agen_start(agen);
		expect(agen, SUSPENDED, RUNNING, VIA_ATHROW, NULL);
		py_catch();
		py_agen_yield(agen);
		expect(agen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		py_agen_call(agen, VIA_ACLOSE);
		py_agen_start(agen);
		expect(agen, SUSPENDED, RUNNING, VIA_ACLOSE, NULL);
		py_agen_raise(agen, EXC_GENERATOR_EXIT);
		expect(agen, RUNNING, CLOSED, VIA_CLOSE, NULL);
	}
}

Test(agen, ends_as_it_was_told_or_otherwise)
{
	EACH_WORLD
	{
		struct py_gen *thrown = suspended(), *returns = suspended(), *fresh = born();

		py_agen_call(thrown, VIA_ATHROW);
		py_agen_start(thrown);
		expect(thrown, SUSPENDED, RUNNING, VIA_ATHROW, NULL);
		py_agen_raise(thrown, EXC_VALUE_ERROR);
		expect(thrown, RUNNING, CLOSED, VIA_RAISE, NULL);
		py_catch();
		py_agen_call(returns, VIA_ACLOSE);
		py_agen_start(returns);
		expect(returns, SUSPENDED, RUNNING, VIA_ACLOSE, NULL);
		py_agen_return(returns);
		expect(returns, RUNNING, CLOSED, VIA_RETURN, NULL);
		py_agen_call(fresh, VIA_ACLOSE); /* it never ran */
		py_agen_start(fresh);
		expect(fresh, CREATED, RUNNING, VIA_ACLOSE, NULL);
		py_agen_raise(fresh, EXC_GENERATOR_EXIT);
		expect(fresh, RUNNING, CLOSED, VIA_CLOSE, NULL);
	}
}

/* asend(1) to one that has not begun raises TypeError: the flag goes up and down, no Python code runs,
 * and it is CREATED throughout. */
Test(agen, does_not_run_in_an_asend_that_fails)
{
	EACH_WORLD
	{
		struct py_gen *agen = born();

		py_agen_call(agen, VIA_ASEND);
		py_agen_start_fails(agen);
		expect_nothing();
		py_agen_start_fails(agen);
		expect_nothing();
	}
}

/* …and that asend() explains nothing that comes after it. */
Test(agen, forgets_an_asend_that_failed)
{
	EACH_WORLD
	{
		struct py_gen *agen = born();

		py_agen_call(agen, VIA_ASEND);
		py_agen_start_fails(agen);
		py_agen_start(agen);
		expect(agen, CREATED, RUNNING, VIA_ANEXT, NULL);
		py_agen_yield(agen);
		expect(agen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
	}
}

/* anext() of one that has ended: StopAsyncIteration, without a step. */
Test(agen, stays_closed)
{
	EACH_WORLD
	{
		struct py_gen *agen = suspended();

		py_agen_start(agen);
		expect(agen, SUSPENDED, RUNNING, VIA_ANEXT, NULL);
		py_agen_raise(agen, EXC_VALUE_ERROR);
		expect(agen, RUNNING, CLOSED, VIA_RAISE, NULL);
		py_catch();
		py_agen_start_fails(agen);
		py_agen_call(agen, VIA_ACLOSE);
		py_agen_start_fails(agen);
		expect_nothing();
		py_drop(agen);
		expect(agen, CLOSED, NONE, VIA_FREE, NULL);
	}
}

/* The asend() was thrown into while it awaited: throw() goes to the awaited coroutine. */
Test(agen, is_thrown_into_while_it_awaits)
{
	EACH_WORLD
	{
		struct py_gen *agen = suspended();
		struct py_gen *coro = py_create(KIND_COROUTINE, py_code("sleep"));

		expect(coro, NONE, CREATED, VIA_CREATE, NULL);
		py_agen_start(agen);
		expect(agen, SUSPENDED, RUNNING, VIA_ANEXT, NULL);
		py_at(OPCODE_SEND);
		py_am_send(coro);
		expect(coro, CREATED, RUNNING, VIA_AWAIT, agen);
		py_await(coro, NULL);
		expect(coro, RUNNING, SUSPENDED, VIA_AWAIT, agen);
		py_await(agen, coro);
		expect_nothing();
		py_at(OPCODE_OTHER);
		py_throw(agen, EXC_VALUE_ERROR); /* as async_gen_asend_throw() calls gen_throw() */
		expect(coro, SUSPENDED, RUNNING, VIA_THROW, agen);
		py_raise(coro, EXC_VALUE_ERROR);
		expect(coro, RUNNING, CLOSED, VIA_RAISE, agen);
		expect_nothing();
		py_catch();
		py_agen_yield(agen);
		expect(agen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
	}
}

/* Without a loop's hook the finaliser closes it as any generator: the frame runs, the flag is down.
 * inspect would fall through to AGEN_CREATED there; RUNNING is what it is. */
Test(agen, runs_in_its_finaliser)
{
	EACH_WORLD
	{
		struct py_gen *agen = suspended();

		agen->has_try = true;
		py_drop(agen);
		expect(agen, SUSPENDED, RUNNING, VIA_FINALIZE, NULL);
		py_raise(agen, EXC_GENERATOR_EXIT);
		expect(agen, RUNNING, CLOSED, VIA_CLOSE, NULL);
		expect(agen, CLOSED, NONE, VIA_FREE, NULL);
	}
}

Test(agen, may_die_suspended)
{
	EACH_WORLD
	{
		struct py_gen *agen = suspended();

		py_die_after_hook(agen);
		expect(agen, SUSPENDED, CLOSED, VIA_FINALIZE, NULL);
		expect(agen, CLOSED, NONE, VIA_FREE, NULL);
	}
}

/* One probe for two stores that always come together: the flag and the state are in memory. */
Test(agen, may_have_one_probe_for_both_bytes)
{
	EACH_WORLD
	{
		struct py_gen *agen;
		uint64_t both;
		uint8_t bytes[2];

		if (world_placement() != PLACED_AFTER)
			continue;
		agen = suspended();
		both = agen->address + world_image()->layout.gen_running_async;
		bytes[0] = 1;
		bytes[1] = (uint8_t)world_image()->layout.executing;
		memory_put(both, bytes, 2);
		store_hit(40, SITE_BOTH, SITE_ANYWHERE, agen->address,
			  world_image()->layout.executing, 0);
		expect(agen, SUSPENDED, RUNNING, VIA_ANEXT, NULL);
		bytes[0] = 0;
		bytes[1] = (uint8_t)world_image()->layout.suspended_first;
		memory_put(both, bytes, 2);
		store_hit(41, SITE_BOTH, SITE_IN_EVAL, agen->address,
			  world_image()->layout.suspended_first, 0);
		expect(agen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		/* and a hit that changes nothing is no anomaly: it covers a second store */
		store_hit(41, SITE_BOTH, SITE_IN_EVAL, agen->address,
			  world_image()->layout.suspended_first, 0);
		expect_nothing();
	}
}
