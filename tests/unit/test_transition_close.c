/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "python_model.h"

/* close(), the finaliser, the cycle collector, dealloc. See test_transition.c. */

static bool closes_unrun(void)
{
	return python_minor() >= 12; /* a generator that has nothing to clean up is not resumed */
}

static struct py_gen *suspended_in(uint8_t kind, bool has_try)
{
	struct py_gen *gen = py_create(kind, py_code(has_try ? "careful" : "careless"));

	expect(gen, NONE, CREATED, VIA_CREATE, NULL);
	gen->has_try = has_try;
	py_at(OPCODE_OTHER);
	py_send(gen);
	expect(gen, CREATED, RUNNING, VIA_SEND, NULL);
	py_yield(gen);
	expect(gen, RUNNING, SUSPENDED, kind == KIND_COROUTINE ? VIA_AWAIT : VIA_YIELD, NULL);
	return gen;
}

/* It runs because of `via`, and lets GeneratorExit out. */
static void runs_to_its_end(struct py_gen *gen, uint8_t from, uint8_t via,
			    const struct py_gen *parent)
{
	expect(gen, from, RUNNING, via, parent);
	py_raise(gen, EXC_GENERATOR_EXIT);
	expect(gen, RUNNING, CLOSED, VIA_CLOSE, parent);
}

Test(close, ends_a_new_generator)
{
	EACH_WORLD
	{
		struct py_gen *gen = py_create(KIND_GENERATOR, py_code("f"));

		expect(gen, NONE, CREATED, VIA_CREATE, NULL);
		py_close(gen);
		if (closes_unrun())
			expect(gen, CREATED, CLOSED, VIA_CLOSE, NULL);
		else
			runs_to_its_end(gen, CREATED, VIA_CLOSE, NULL);
		py_close(gen); /* again: nothing to do */
		expect_nothing();
		py_drop(gen);
		expect(gen, CLOSED, NONE, VIA_FREE, NULL);
	}
}

/* 3.15 sets EXECUTING before it finds that it need not run anything. */
Test(close, ends_a_suspended_generator)
{
	EACH_WORLD
	{
		struct py_gen *gen = suspended_in(KIND_GENERATOR, false);

		py_close(gen);
		if (python_minor() == 11) {
			runs_to_its_end(gen, SUSPENDED, VIA_CLOSE, NULL);
		} else if (python_minor() == 13) {
			expect(gen, SUSPENDED, CLOSED, VIA_CLOSE, NULL);
		} else {
			expect(gen, SUSPENDED, RUNNING, VIA_CLOSE, NULL);
			expect(gen, RUNNING, CLOSED, VIA_CLOSE, NULL);
		}
	}
}

Test(close, runs_a_generator_that_cleans_up)
{
	EACH_WORLD
	{
		struct py_gen *gen = suspended_in(KIND_GENERATOR, true);
		struct py_gen *returns = suspended_in(KIND_GENERATOR, true);
		struct py_gen *raises = suspended_in(KIND_COROUTINE, true);

		py_close(gen);
		runs_to_its_end(gen, SUSPENDED, VIA_CLOSE, NULL);
		py_close(returns); /* catches GeneratorExit and returns */
		expect(returns, SUSPENDED, RUNNING, VIA_CLOSE, NULL);
		py_return(returns);
		expect(returns, RUNNING, CLOSED, VIA_RETURN, NULL);
		py_close(raises); /* another exception */
		expect(raises, SUSPENDED, RUNNING, VIA_CLOSE, NULL);
		py_raise(raises, EXC_VALUE_ERROR);
		expect(raises, RUNNING, CLOSED, VIA_RAISE, NULL);
	}
}

/* "generator ignored GeneratorExit" */
Test(close, may_be_ignored)
{
	EACH_WORLD
	{
		struct py_gen *gen = suspended_in(KIND_GENERATOR, true);

		py_close(gen);
		expect(gen, SUSPENDED, RUNNING, VIA_CLOSE, NULL);
		py_catch();
		py_yield(gen);
		expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		py_catch();
		py_at(OPCODE_FOR_ITER);
		py_enter(gen);
		expect(gen, SUSPENDED, RUNNING, VIA_FOR, NULL);
	}
}

/* A chain of `await`s, all of them in try, suspended. */
static void chain_of(struct py_gen **chain, unsigned count, uint8_t kind)
{
	for (unsigned i = 0; i < count; i++) {
		chain[i] = py_create(kind, py_code("link"));
		chain[i]->has_try = true;
		expect(chain[i], NONE, CREATED, VIA_CREATE, NULL);
	}
	py_at(OPCODE_OTHER);
	for (unsigned i = 0; i < count; i++) {
		py_send(chain[i]);
		expect(chain[i], CREATED, RUNNING, VIA_SEND, i ? chain[i - 1] : NULL);
	}
	for (unsigned i = count; i-- > 0;) {
		py_await(chain[i], i + 1 < count ? chain[i + 1] : NULL);
		expect(chain[i], RUNNING, SUSPENDED, kind == KIND_COROUTINE ? VIA_AWAIT : VIA_YIELD,
		       i ? chain[i - 1] : NULL);
	}
	py_at(OPCODE_OTHER);
}

/* gen_close_iter() first: the innermost ends before the outer ones are resumed. */
static void ends_from_within(struct py_gen **chain, unsigned count, uint8_t via)
{
	for (unsigned i = 0; i < count; i++)
		expect(chain[i], SUSPENDED, RUNNING, via, i ? chain[i - 1] : NULL);
	for (unsigned i = count; i-- > 0;) {
		const struct py_gen *parent = i ? chain[i - 1] : NULL;

		if (i + 1 < count && python_minor() < 15) {
			expect(chain[i], RUNNING, SUSPENDED,
			       chain[i]->kind == KIND_COROUTINE ? VIA_AWAIT : VIA_YIELD, parent);
			expect(chain[i], SUSPENDED, RUNNING, via, parent);
		}
		py_raise(chain[i], EXC_GENERATOR_EXIT);
		expect(chain[i], RUNNING, CLOSED, VIA_CLOSE, parent);
	}
}

Test(close, goes_through_a_chain)
{
	EACH_WORLD
	{
		struct py_gen *chain[3];

		for (uint8_t kind = KIND_GENERATOR; kind <= KIND_COROUTINE; kind++) {
			chain_of(chain, 3, kind);
			py_close(chain[0]);
			ends_from_within(chain, 3, VIA_CLOSE);
		}
	}
}

/* throw(GeneratorExit) closes what it delegates to, too; the outer one was thrown into. */
Test(close, is_what_throwing_generator_exit_does_below)
{
	EACH_WORLD
	{
		struct py_gen *chain[2];

		chain_of(chain, 2, KIND_GENERATOR);
		py_throw(chain[0], EXC_GENERATOR_EXIT);
		expect(chain[0], SUSPENDED, RUNNING, VIA_THROW, NULL);
		runs_to_its_end(chain[1], SUSPENDED, VIA_CLOSE, chain[0]);
		if (python_minor() < 15) {
			expect(chain[0], RUNNING, SUSPENDED, VIA_YIELD, NULL);
			expect(chain[0], SUSPENDED, RUNNING, VIA_THROW, NULL);
		}
		py_raise(chain[0], EXC_GENERATOR_EXIT);
		expect(chain[0], RUNNING, CLOSED, VIA_RAISE, NULL);
	}
}

/* What the inner one's clean-up does is its own. */
Test(close, explains_nothing_that_a_clean_up_does)
{
	EACH_WORLD
	{
		struct py_gen *chain[2], *other = suspended_in(KIND_GENERATOR, false);

		chain_of(chain, 2, KIND_GENERATOR);
		py_close(chain[0]);
		expect(chain[0], SUSPENDED, RUNNING, VIA_CLOSE, NULL);
		expect(chain[1], SUSPENDED, RUNNING, VIA_CLOSE, chain[0]);
		py_at(OPCODE_FOR_ITER);
		py_next(other);
		expect(other, SUSPENDED, RUNNING, VIA_FOR, chain[1]);
		py_yield(other);
		expect(other, RUNNING, SUSPENDED, VIA_YIELD, chain[1]);
		py_send(other);
		expect(other, SUSPENDED, RUNNING, VIA_SEND, chain[1]);
		py_yield(other);
		expect(other, RUNNING, SUSPENDED, VIA_YIELD, chain[1]);
		py_raise(chain[1], EXC_GENERATOR_EXIT);
		expect(chain[1], RUNNING, CLOSED, VIA_CLOSE, chain[0]);
		if (python_minor() < 15) {
			expect(chain[0], RUNNING, SUSPENDED, VIA_YIELD, NULL);
			expect(chain[0], SUSPENDED, RUNNING, VIA_CLOSE, NULL);
		}
		py_next(other); /* the outer one's clean-up */
		expect(other, SUSPENDED, RUNNING, VIA_NEXT, chain[0]);
		py_return(other);
		expect(other, RUNNING, CLOSED, VIA_RETURN, chain[0]);
		py_raise(chain[0], EXC_GENERATOR_EXIT);
		expect(chain[0], RUNNING, CLOSED, VIA_CLOSE, NULL);
	}
}

Test(finaliser, ends_what_is_dropped)
{
	EACH_WORLD
	{
		struct py_gen *gen = suspended_in(KIND_GENERATOR, false);
		struct py_gen *careful = suspended_in(KIND_GENERATOR, true);
		struct py_gen *coro = py_create(KIND_COROUTINE, py_code("never_awaited"));

		expect(coro, NONE, CREATED, VIA_CREATE, NULL);
		py_drop(gen);
		if (python_minor() == 11) {
			runs_to_its_end(gen, SUSPENDED, VIA_FINALIZE, NULL);
		} else if (python_minor() == 13) {
			expect(gen, SUSPENDED, CLOSED, VIA_FINALIZE, NULL);
		} else {
			expect(gen, SUSPENDED, RUNNING, VIA_FINALIZE, NULL);
			expect(gen, RUNNING, CLOSED, VIA_CLOSE, NULL);
		}
		expect(gen, CLOSED, NONE, VIA_FREE, NULL);
		py_drop(careful);
		runs_to_its_end(careful, SUSPENDED, VIA_FINALIZE, NULL);
		expect(careful, CLOSED, NONE, VIA_FREE, NULL);
		py_drop(coro);
		expect(coro, CREATED, CLOSED, VIA_FINALIZE, NULL);
		expect(coro, CLOSED, NONE, VIA_FREE, NULL);
	}
}

Test(finaliser, runs_from_the_collector)
{
	EACH_WORLD
	{
		struct py_gen *careful = suspended_in(KIND_COROUTINE, true);
		struct py_gen *coro = py_create(KIND_COROUTINE, py_code("never_awaited"));

		expect(coro, NONE, CREATED, VIA_CREATE, NULL);
		py_collect(careful);
		runs_to_its_end(careful, SUSPENDED, VIA_FINALIZE, NULL);
		expect(careful, CLOSED, NONE, VIA_FREE, NULL);
		py_collect(coro);
		expect(coro, CREATED, CLOSED, VIA_FINALIZE, NULL);
		expect(coro, CLOSED, NONE, VIA_FREE, NULL);
	}
}

/* The collector leaves its mark on an object before it calls the finaliser. */
Test(finaliser, is_known_by_the_collectors_mark)
{
	EACH_WORLD
	{
		struct py_gen *gen = suspended_in(KIND_GENERATOR, false);
		struct py_gen *careful = suspended_in(KIND_COROUTINE, true);

		py_close_is_inlined();
		py_collect(careful);
		runs_to_its_end(careful, SUSPENDED, VIA_FINALIZE, NULL);
		expect(careful, CLOSED, NONE, VIA_FREE, NULL);
		py_collect(gen);
		if (python_minor() == 13) {
			expect(gen, SUSPENDED, CLOSED, VIA_FINALIZE, NULL);
		} else {
			expect(gen, SUSPENDED, RUNNING, VIA_FINALIZE, NULL);
			if (python_minor() == 11)
				py_raise(gen, EXC_GENERATOR_EXIT);
			expect(gen, RUNNING, CLOSED, VIA_CLOSE, NULL);
		}
		expect(gen, CLOSED, NONE, VIA_FREE, NULL);
	}
}

/* Dealloc leaves no mark: there GeneratorExit, set in the thread before the step, tells. */
Test(finaliser, is_known_by_the_exception_where_close_is_inlined)
{
	EACH_WORLD
	{
		struct py_gen *careful = suspended_in(KIND_COROUTINE, true);

		if (python_minor() == 15) /* sets EXECUTING before the exception: by the site */
			continue;
		py_close_is_inlined();
		py_drop(careful);
		runs_to_its_end(careful, SUSPENDED, VIA_FINALIZE, NULL);
		expect(careful, CLOSED, NONE, VIA_FREE, NULL);
	}
}

Test(finaliser, goes_through_a_chain)
{
	EACH_WORLD
	{
		struct py_gen *chain[3];

		chain_of(chain, 3, KIND_COROUTINE);
		py_drop(chain[0]);
		ends_from_within(chain, 3, VIA_FINALIZE);
		expect(chain[0], CLOSED, NONE, VIA_FREE, NULL);
		py_drop(chain[1]);
		expect(chain[1], CLOSED, NONE, VIA_FREE, NULL);
	}
}

/* Somebody else's generator dies while one runs: that is no child's step. */
Test(finaliser, may_run_inside_another)
{
	EACH_WORLD
	{
		struct py_gen *gen = suspended_in(KIND_GENERATOR, true);
		struct py_gen *victim = suspended_in(KIND_GENERATOR, true);

		py_at(OPCODE_FOR_ITER);
		py_next(gen);
		expect(gen, SUSPENDED, RUNNING, VIA_FOR, NULL);
		py_at(OPCODE_FOR_ITER); /* whatever the instruction that dropped it looks like */
		py_drop(victim);
		runs_to_its_end(victim, SUSPENDED, VIA_FINALIZE, gen);
		expect(victim, CLOSED, NONE, VIA_FREE, NULL);
		py_yield(gen);
		expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
	}
}

/* An async generator whose loop has a finaliser hook is handed to that, and lives on. */
Test(finaliser, is_not_the_cause_of_what_comes_after_it)
{
	EACH_WORLD
	{
		struct py_gen *gen = suspended_in(KIND_ASYNC_GENERATOR, true);

		py_finalise_by_hook(gen);
		expect_nothing();
		py_agen_call(gen, VIA_ACLOSE);
		py_at(OPCODE_SEND);
		py_agen_start(gen);
		expect(gen, SUSPENDED, RUNNING, VIA_ACLOSE, NULL);
		py_agen_raise(gen, EXC_GENERATOR_EXIT);
		expect(gen, RUNNING, CLOSED, VIA_CLOSE, NULL);
		py_catch();
		py_drop(gen);
		expect(gen, CLOSED, NONE, VIA_FREE, NULL);
	}
}
