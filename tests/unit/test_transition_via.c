/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "python_model.h"

/* Who resumed it, how did it end: each `via` by what gives it away. See test_transition.c. */

static struct py_gen *born(uint8_t kind, const char *name)
{
	struct py_gen *gen = py_create(kind, py_code(name));

	expect(gen, NONE, CREATED, VIA_CREATE, NULL);
	return gen;
}

/* Suspended at a plain yield (or await, of something that is no generator), inside try or not. */
static struct py_gen *suspended(uint8_t kind, bool has_try)
{
	struct py_gen *gen = born(kind, has_try ? "careful" : "careless");

	gen->has_try = has_try;
	py_at(OPCODE_OTHER);
	py_next(gen);
	expect(gen, CREATED, RUNNING, kind == KIND_GENERATOR ? VIA_NEXT : VIA_SEND, NULL);
	py_yield(gen);
	expect(gen, RUNNING, SUSPENDED, kind == KIND_GENERATOR ? VIA_YIELD : VIA_AWAIT, NULL);
	return gen;
}

/* chain[0] is suspended in yield from or await of chain[1], and so on; the last is in a plain one. */
static void delegating(struct py_gen **chain, unsigned count, uint8_t kind)
{
	uint8_t via = kind == KIND_GENERATOR ? VIA_YIELD_FROM : VIA_AWAIT;
	uint8_t out = kind == KIND_GENERATOR ? VIA_YIELD : VIA_AWAIT;

	for (unsigned i = 0; i < count; i++)
		chain[i] = born(kind, "link");
	py_at(OPCODE_OTHER);
	py_next(chain[0]);
	expect(chain[0], CREATED, RUNNING, kind == KIND_GENERATOR ? VIA_NEXT : VIA_SEND, NULL);
	for (unsigned i = 1; i < count; i++) {
		py_at(OPCODE_SEND);
		py_am_send(chain[i]);
		expect(chain[i], CREATED, RUNNING, via, chain[i - 1]);
	}
	for (unsigned i = count; i-- > 0;) {
		chain[i]->has_try = true;
		if (i + 1 < count)
			py_await(chain[i], chain[i + 1]);
		else
			py_yield(chain[i]);
		expect(chain[i], RUNNING, SUSPENDED, out, i ? chain[i - 1] : NULL);
	}
	py_at(OPCODE_OTHER);
}

static void expect_for(struct py_gen *gen, void (*resume)(struct py_gen *), uint8_t via)
{
	resume(gen);
	expect(gen, SUSPENDED, RUNNING, via, NULL);
	py_yield(gen);
	expect(gen, RUNNING, SUSPENDED, gen->kind == KIND_GENERATOR ? VIA_YIELD : VIA_AWAIT, NULL);
}

Test(via, is_the_instruction_of_the_caller)
{
	static const uint8_t classes[] = { OPCODE_FOR_ITER, OPCODE_SEND, OPCODE_OTHER };
	/* a SEND that no generator stands behind is an await */
	static const uint8_t vias[] = { VIA_FOR, VIA_AWAIT, VIA_NEXT };

	EACH_WORLD
	{
		struct py_gen *gen = suspended(KIND_GENERATOR, false);
		struct py_gen *coro = suspended(KIND_COROUTINE, false);

		for (int i = 0; i < 3; i++) {
			py_at(classes[i]);
			expect_for(gen, py_next, vias[i]);
			expect_for(gen, py_enter, vias[i]);
		}
		py_at(OPCODE_SEND);
		expect_for(coro, py_am_send, VIA_AWAIT);
		py_at(OPCODE_OTHER); /* by C code: asyncio's task_step() */
		expect_for(coro, py_am_send, VIA_SEND);
		if (python_minor() == 11)
			continue;
		py_at(OPCODE_FOR_ITER);
		expect_for(gen, py_resume, VIA_FOR);
		py_at(OPCODE_SEND);
		expect_for(coro, py_resume, VIA_AWAIT);
	}
}

/* The generic opcode, the specialised and the instrumented ones: whatever the layout names. */
Test(via, knows_every_form_of_an_instruction)
{
	EACH_WORLD
	{
		struct py_gen *gen = suspended(KIND_GENERATOR, false);
		const uint8_t *classes = world_image()->layout.opcode_class;

		for (unsigned opcode = 1; opcode < 256; opcode++) {
			if (classes[opcode] == OPCODE_LINE || classes[opcode] == OPCODE_INSTRUCTION)
				continue;
			py_at_opcode((uint8_t)opcode);
			expect_for(gen, py_next,
				   classes[opcode] == OPCODE_FOR_ITER ? VIA_FOR :
				   classes[opcode] == OPCODE_SEND     ? VIA_AWAIT :
									VIA_NEXT);
		}
	}
}

static void check_instrumented(struct py_gen *gen, uint8_t entry)
{
	static const uint8_t classes[] = { OPCODE_FOR_ITER, OPCODE_SEND, OPCODE_OTHER };
	static const uint8_t vias[] = { VIA_FOR, VIA_AWAIT, VIA_NEXT };

	for (int i = 0; i < 3; i++) {
		for (int how = 1; how < 4; how++) {
			py_at_instrumented(classes[i], how & 1, entry, how & 2);
			expect_for(gen, py_next, vias[i]);
			expect_for(gen, py_resume, vias[i] == VIA_NEXT ? VIA_AWAIT : vias[i]);
		}
	}
}

/* sys.monitoring, sys.settrace, coverage: the instruction lies behind INSTRUMENTED_LINE, whose table
 * had pairs of two bytes, and got a leading byte with the size of an entry in point releases of 3.13;
 * or behind INSTRUMENTED_INSTRUCTION; or behind both. */
Test(via, looks_behind_instrumentation)
{
	EACH_WORLD
	{
		struct py_gen *gen;

		if (python_minor() == 11)
			continue;
		gen = suspended(KIND_GENERATOR, false);
		if (python_minor() == 13)
			check_instrumented(gen, 0);
		for (uint8_t entry = 2; entry <= 6; entry++)
			check_instrumented(gen, entry);
	}
}

/* A table that cannot be read: then the instruction is not known, and nothing else breaks. */
Test(via, survives_unreadable_instrumentation)
{
	EACH_WORLD
	{
		struct py_gen *gen;

		if (python_minor() == 11)
			continue;
		gen = suspended(KIND_GENERATOR, false);
		memory_fault(py_at_instrumented(OPCODE_FOR_ITER, true, 2, false), true);
		expect_for(gen, py_next, VIA_NEXT);
	}
}

Test(via, is_yield_from_under_a_generator)
{
	EACH_WORLD
	{
		struct py_gen *chain[3];

		delegating(chain, 3, KIND_GENERATOR);
		if (python_minor() == 11)
			continue;
		py_at(OPCODE_FOR_ITER);
		py_resume(chain[0]);
		expect(chain[0], SUSPENDED, RUNNING, VIA_FOR, NULL);
		py_at(OPCODE_SEND);
		py_resume(chain[1]);
		expect(chain[1], SUSPENDED, RUNNING, VIA_YIELD_FROM, chain[0]);
		py_return(chain[1]);
		expect(chain[1], RUNNING, CLOSED, VIA_RETURN, chain[0]);
	}
}

Test(via, is_await_under_a_coroutine_and_an_async_generator)
{
	EACH_WORLD
	{
		struct py_gen *chain[2], *agen;

		delegating(chain, 2, KIND_COROUTINE);
		agen = born(KIND_ASYNC_GENERATOR, "agen");
		py_agen_start(agen);
		expect(agen, CREATED, RUNNING, VIA_ANEXT, NULL);
		py_at(OPCODE_SEND);
		py_am_send(chain[0]);
		expect(chain[0], SUSPENDED, RUNNING, VIA_AWAIT, agen);
	}
}

/* What was driven in between has another kind than who drives now. */
Test(via, goes_by_the_kind_of_the_driver)
{
	EACH_WORLD
	{
		struct py_gen *outer = suspended(KIND_GENERATOR, false);
		struct py_gen *coro = suspended(KIND_COROUTINE, false);
		struct py_gen *inner = suspended(KIND_GENERATOR, false);

		py_next(outer);
		expect(outer, SUSPENDED, RUNNING, VIA_NEXT, NULL);
		for (int i = 0; i < 2; i++) {
			py_at(OPCODE_OTHER);
			py_am_send(coro);
			expect(coro, SUSPENDED, RUNNING, VIA_SEND, outer);
			py_at(OPCODE_SEND);
			py_am_send(inner);
			expect(inner, SUSPENDED, RUNNING, VIA_AWAIT, coro);
			py_yield(inner);
			expect(inner, RUNNING, SUSPENDED, VIA_YIELD, coro);
			py_yield(coro);
			expect(coro, RUNNING, SUSPENDED, VIA_AWAIT, outer);
			py_at(OPCODE_SEND);
			py_am_send(inner);
			expect(inner, SUSPENDED, RUNNING, VIA_YIELD_FROM, outer);
			py_yield(inner);
			expect(inner, RUNNING, SUSPENDED, VIA_YIELD, outer);
		}
	}
}

Test(via, is_send_by_its_method)
{
	EACH_WORLD
	{
		struct py_gen *gen = suspended(KIND_GENERATOR, false);
		struct py_gen *other = suspended(KIND_GENERATOR, false);

		py_send(gen);
		expect(gen, SUSPENDED, RUNNING, VIA_SEND, NULL);
		py_at(OPCODE_FOR_ITER); /* its body has other things to do */
		py_next(other);
		expect(other, SUSPENDED, RUNNING, VIA_FOR, gen);
		py_yield(other);
		expect(other, RUNNING, SUSPENDED, VIA_YIELD, gen);
		py_send(other);
		expect(other, SUSPENDED, RUNNING, VIA_SEND, gen);
		py_yield(other);
		expect(other, RUNNING, SUSPENDED, VIA_YIELD, gen);
		py_yield(gen);
		expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		py_at(OPCODE_OTHER);
		expect_for(gen, py_next, VIA_NEXT);
	}
}

/* "generator already executing": the method returned, and explains nothing that comes later. */
Test(via, is_not_a_send_that_failed)
{
	EACH_WORLD
	{
		struct py_gen *gen = suspended(KIND_GENERATOR, false);

		py_send(gen);
		expect(gen, SUSPENDED, RUNNING, VIA_SEND, NULL);
		py_send_fails(gen);
		py_yield(gen);
		expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		py_at(OPCODE_FOR_ITER);
		expect_for(gen, py_enter, VIA_FOR);

		py_at(OPCODE_OTHER);
		py_send_fails(gen); /* "can't send non-None value …" */
		py_at(OPCODE_FOR_ITER);
		expect_for(gen, py_enter, VIA_FOR); /* as deep as that one was */
		py_at(OPCODE_OTHER);
		py_send_fails(gen);
		py_call(py_code("deeper"));
		expect_for(gen, py_enter, VIA_NEXT);
		py_call_end();
	}
}

/* The same instruction may call send(), which fails, and then next() of the same generator: what is
 * left of the first call must not explain the second. */
Test(via, is_not_what_left_its_traces_on_the_stack)
{
	EACH_WORLD
	{
		struct py_gen *gen = suspended(KIND_GENERATOR, false);

		py_at(OPCODE_OTHER);
		py_stack(0x400); /* deep down in C */
		py_send_fails(gen);
		py_stack(-0x400);
		expect_for(gen, py_enter, VIA_NEXT);
		py_send_fails(gen);
		py_stack_overwritten();
		expect_for(gen, py_enter, VIA_NEXT);
	}
}

/* Methods of others in between, of the same generator later. */
Test(via, survives_other_methods_in_between)
{
	EACH_WORLD
	{
		struct py_gen *gen = suspended(KIND_GENERATOR, true);
		struct py_gen *other = suspended(KIND_GENERATOR, true);

		py_send_fails(other);
		py_send(gen);
		expect(gen, SUSPENDED, RUNNING, VIA_SEND, NULL);
		py_throw(other, EXC_VALUE_ERROR);
		expect(other, SUSPENDED, RUNNING, VIA_THROW, gen);
		py_catch();
		py_yield(other);
		expect(other, RUNNING, SUSPENDED, VIA_YIELD, gen);
		py_yield(gen);
		expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		py_throw(gen, EXC_VALUE_ERROR);
		expect(gen, SUSPENDED, RUNNING, VIA_THROW, NULL);
		py_raise(gen, EXC_VALUE_ERROR);
		expect(gen, RUNNING, CLOSED, VIA_RAISE, NULL);
	}
}

Test(via, is_throw)
{
	EACH_WORLD
	{
		struct py_gen *gen = suspended(KIND_GENERATOR, true);
		struct py_gen *fresh = born(KIND_COROUTINE, "fresh");

		py_throw(gen, EXC_VALUE_ERROR);
		expect(gen, SUSPENDED, RUNNING, VIA_THROW, NULL);
		py_catch();
		py_yield(gen);
		expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		py_throw(gen, EXC_GENERATOR_EXIT); /* thrown, not closed: it ends as it was told */
		expect(gen, SUSPENDED, RUNNING, VIA_THROW, NULL);
		py_raise(gen, EXC_GENERATOR_EXIT);
		expect(gen, RUNNING, CLOSED, VIA_RAISE, NULL);
		py_catch();
		py_throw(fresh, EXC_VALUE_ERROR);
		expect(fresh, CREATED, RUNNING, VIA_THROW, NULL);
		py_raise(fresh, EXC_VALUE_ERROR);
		expect(fresh, RUNNING, CLOSED, VIA_RAISE, NULL);
	}
}

/* throw() goes down to the innermost; the outer ones count as running for so long. */
static void throw_down(struct py_gen **chain, unsigned count)
{
	py_throw(chain[0], EXC_VALUE_ERROR);
	for (unsigned i = 0; i < count; i++)
		expect(chain[i], SUSPENDED, RUNNING, VIA_THROW, i ? chain[i - 1] : NULL);
}

static uint8_t out_of(const struct py_gen *gen)
{
	return gen->kind == KIND_GENERATOR ? VIA_YIELD : VIA_AWAIT;
}

Test(via, is_throw_on_every_level_and_all_yield)
{
	EACH_WORLD
	{
		for (uint8_t kind = KIND_GENERATOR; kind <= KIND_COROUTINE; kind++) {
			struct py_gen *chain[3];

			delegating(chain, 3, kind);
			throw_down(chain, 3);
			py_catch();
			py_yield(chain[2]);
			for (int i = 2; i >= 0; i--)
				expect(chain[i], RUNNING, SUSPENDED, out_of(chain[i]),
				       i ? chain[i - 1] : NULL);
			py_at(OPCODE_OTHER); /* and the next resume is what it is */
			py_next(chain[0]);
			expect(chain[0], SUSPENDED, RUNNING,
			       kind == KIND_GENERATOR ? VIA_NEXT : VIA_SEND, NULL);
			py_at(OPCODE_SEND);
			py_am_send(chain[1]);
			expect(chain[1], SUSPENDED, RUNNING,
			       kind == KIND_GENERATOR ? VIA_YIELD_FROM : VIA_AWAIT, chain[0]);
			py_return(chain[1]);
			expect(chain[1], RUNNING, CLOSED, VIA_RETURN, chain[0]);
			py_return(chain[0]);
			expect(chain[0], RUNNING, CLOSED, VIA_RETURN, NULL);
		}
	}
}

/* The inner one ends: the outer one is put back as it was and resumed with what came out; 3.15 lets it
 * run on. */
static void expect_resumed(struct py_gen *gen, uint8_t via, const struct py_gen *parent)
{
	if (python_minor() >= 15)
		return;
	expect(gen, RUNNING, SUSPENDED, out_of(gen), parent);
	expect(gen, SUSPENDED, RUNNING, via, parent);
}

Test(via, is_throw_on_every_level_and_all_raise)
{
	EACH_WORLD
	{
		struct py_gen *chain[3];

		delegating(chain, 3, KIND_GENERATOR);
		throw_down(chain, 3);
		for (int i = 2; i >= 0; i--) {
			py_raise(chain[i], EXC_VALUE_ERROR);
			expect(chain[i], RUNNING, CLOSED, VIA_RAISE, i ? chain[i - 1] : NULL);
			if (i)
				expect_resumed(chain[i - 1], VIA_THROW,
					       i > 1 ? chain[i - 2] : NULL);
		}
	}
}

Test(via, is_throw_where_the_middle_one_catches)
{
	EACH_WORLD
	{
		struct py_gen *chain[3], *other;

		delegating(chain, 3, KIND_COROUTINE);
		other = suspended(KIND_GENERATOR, false);
		throw_down(chain, 3);
		py_raise(chain[2], EXC_VALUE_ERROR);
		expect(chain[2], RUNNING, CLOSED, VIA_RAISE, chain[1]);
		expect_resumed(chain[1], VIA_THROW, chain[0]);
		py_catch();
		py_at(OPCODE_FOR_ITER);
		py_next(other); /* while the outermost still delegates */
		expect(other, SUSPENDED, RUNNING, VIA_FOR, chain[1]);
		py_return(other);
		expect(other, RUNNING, CLOSED, VIA_RETURN, chain[1]);
		py_yield(chain[1]);
		expect(chain[1], RUNNING, SUSPENDED, VIA_AWAIT, chain[0]);
		expect(chain[0], RUNNING, SUSPENDED, VIA_AWAIT, NULL);
		py_at(OPCODE_OTHER);
		expect_for(chain[0], py_am_send, VIA_SEND);
	}
}

Test(via, is_throw_where_the_inner_one_returns)
{
	EACH_WORLD
	{
		struct py_gen *chain[2];

		delegating(chain, 2, KIND_GENERATOR);
		throw_down(chain, 2);
		py_return(chain[1]);
		expect(chain[1], RUNNING, CLOSED, VIA_RETURN, chain[0]);
		expect_resumed(chain[0], VIA_THROW, NULL);
		py_yield(chain[0]);
		expect(chain[0], RUNNING, SUSPENDED, VIA_YIELD, NULL);
		expect_for(chain[0], py_next, VIA_NEXT);
	}
}

/* `yield from` something with a throw() of its own, written in Python: what runs in there was not
 * thrown into. */
Test(via, is_not_throw_for_what_an_iterator_runs_in_its_throw)
{
	EACH_WORLD
	{
		struct py_gen *gen = born(KIND_GENERATOR, "outer");
		struct py_gen *other = suspended(KIND_GENERATOR, true);

		py_next(gen);
		expect(gen, CREATED, RUNNING, VIA_NEXT, NULL);
		py_await(gen, NULL);
		expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		py_throw_into_iterator(gen, EXC_VALUE_ERROR);
		expect(gen, SUSPENDED, RUNNING, VIA_THROW, NULL);
		py_call(py_code("Iterator.throw"));
		py_at(OPCODE_FOR_ITER);
		py_next(other);
		expect(other, SUSPENDED, RUNNING, VIA_FOR, gen);
		py_return(other);
		expect(other, RUNNING, CLOSED, VIA_RETURN, gen);
		py_call_end();
		py_iterator_done(gen, EXC_NONE); /* it yielded */
		expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		py_at(OPCODE_OTHER);
		expect_for(gen, py_next, VIA_NEXT);
	}
}
