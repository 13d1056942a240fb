/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "python_internal.h"
#include "python_model.h"

/* What is told besides a step: the objects that it awaits, who made it, and what passes the filters as a suspect. */

/* As `genscope slow` has it: steps of that length, with all that belongs to them. */
static void slow_settings(uint64_t over_ns)
{
	world_settings()->min_run_ns = over_ns;
	world_settings()->places = world_settings()->makers = 1;
	world_settings()->chains = world_settings()->suspects = 1;
}

#define OVER 1000000

/* The next record is of the chain of a step that ended now. */
static void expect_link(const struct py_gen *gen, uint64_t id)
{
	const struct transition_record *t = take_transition();

	cr_assert(t, "3.%u: the chain ends before %s", python.minor, gen->code->qualname);
	cr_assert(t->head.flags & TRANSITION_CHAIN);
	cr_assert_eq(t->gen, gen->address, "3.%u: not %s", python.minor, gen->code->qualname);
	cr_assert_eq(t->id, id);
	cr_assert_eq(t->from, STATE_RUNNING);
	cr_assert_eq(t->to, STATE_SUSPENDED);
	cr_assert_eq(t->head.ts_ns, world_now());
	cr_assert_str_eq(told_qualname(t->code), gen->code->qualname);
}

static uint64_t id_of(const struct py_gen *gen)
{
	cr_assert(world_object(gen->address));
	return world_object(gen->address)->id;
}

static void expect_step(struct py_gen *gen, uint8_t to, uint8_t via, const struct py_gen *parent)
{
	const struct transition_record *t = take_transition();

	cr_assert(t, "3.%u: %s was not told", python.minor, gen->code->qualname);
	cr_assert_not(t->head.flags & TRANSITION_CHAIN, "3.%u: a link too many", python.minor);
	cr_assert_eq(t->gen, gen->address, "3.%u: not %s", python.minor, gen->code->qualname);
	cr_assert_eq(t->to, to);
	cr_assert_eq(t->via, via);
	cr_assert_eq(t->parent, parent ? id_of(parent) : 0);
}

Test(chain, is_what_was_suspended_inside)
{
	EACH_WORLD
	{
		struct py_gen *outer = py_create(KIND_COROUTINE, py_code("outer"));
		struct py_gen *middle = py_create(KIND_COROUTINE, py_code("middle"));
		struct py_gen *inner = py_create(KIND_COROUTINE, py_code("inner"));

		while (take_transition())
			;
		slow_settings(OVER);
		for (int turn = 0; turn < 3; turn++) {
			py_send(outer);
			py_at(OPCODE_SEND);
			py_am_send(middle);
			py_at(OPCODE_SEND);
			py_am_send(inner);
			py_await(inner, NULL);
			py_await(middle, inner);
			time_passes(turn == 1 ? 10 : OVER); /* of outer alone */
			py_await(outer, middle);
			if (turn == 1) {
				expect_nothing();
				continue;
			}
			expect_link(middle, id_of(middle));
			expect_link(inner, id_of(inner));
			expect_step(outer, SUSPENDED, VIA_AWAIT, NULL);
			expect_nothing();
		}
		py_send(outer);
		py_at(OPCODE_SEND);
		py_am_send(middle);
		py_return(middle); /* it is awaited no more: a future is */
		time_passes(OVER);
		py_await(outer, NULL);
		expect_step(outer, SUSPENDED, VIA_AWAIT, NULL);
		py_send(outer);
		time_passes(OVER);
		py_return(outer);
		expect_step(outer, CLOSED, VIA_RETURN, NULL);
	}
}

/* A loop goes over a generator, which is suspended when the coroutine awaits something else. */
Test(chain, leaves_out_what_is_only_iterated_over)
{
	EACH_WORLD
	{
		struct py_gen *outer = py_create(KIND_COROUTINE, py_code("outer"));
		struct py_gen *numbers = py_create(KIND_GENERATOR, py_code("numbers"));

		while (take_transition())
			;
		slow_settings(OVER);
		py_send(outer);
		py_at(OPCODE_FOR_ITER);
		py_next(numbers);
		time_passes(OVER);
		py_yield(numbers);
		expect_step(numbers, SUSPENDED, VIA_YIELD, outer);
		py_await(outer, NULL);
		expect_step(outer, SUSPENDED, VIA_AWAIT, NULL);
		expect_nothing();
	}
}

Test(chain, is_no_part_of_an_inner_step)
{
	EACH_WORLD
	{
		struct py_gen *outer = py_create(KIND_COROUTINE, py_code("outer"));
		struct py_gen *middle = py_create(KIND_COROUTINE, py_code("middle"));
		struct py_gen *inner = py_create(KIND_COROUTINE, py_code("inner"));

		while (take_transition())
			;
		slow_settings(OVER);
		py_send(outer);
		py_at(OPCODE_SEND);
		py_am_send(middle);
		py_at(OPCODE_SEND);
		py_am_send(inner);
		time_passes(OVER);
		py_await(inner, NULL);
		expect_step(inner, SUSPENDED, VIA_AWAIT, middle);
		py_await(middle, inner);
		expect_step(middle, SUSPENDED, VIA_AWAIT, outer);
		py_await(outer, middle);
		expect_link(middle, id_of(middle));
		expect_link(inner, id_of(inner));
		expect_step(outer, SUSPENDED, VIA_AWAIT, NULL);
		expect_nothing();
	}
}

/* It awaits for an hour, then holds its thread for a moment: that is no slow step. */
Test(chain, goes_through_async_generators_whose_waits_are_no_steps)
{
	EACH_WORLD
	{
		struct py_gen *outer = py_create(KIND_COROUTINE, py_code("outer"));
		struct py_gen *agen = py_create(KIND_ASYNC_GENERATOR, py_code("agen"));

		while (take_transition())
			;
		slow_settings(OVER);
		py_send(outer);
		py_at(OPCODE_SEND);
		py_agen_start(agen);
		py_await(agen, NULL);
		time_passes(OVER);
		py_await(outer, agen);
		expect_link(agen, id_of(agen));
		expect_step(outer, SUSPENDED, VIA_AWAIT, NULL);
		time_passes(3600000000000);
		py_send(outer);
		py_at(OPCODE_SEND);
		py_enter(agen);
		py_agen_yield(agen); /* told by nothing */
		py_await(outer, NULL);
		expect_nothing();
		py_send(outer);
		py_at(OPCODE_SEND);
		py_agen_start(agen);
		py_await(agen, NULL);
		py_await(outer, agen);
		time_passes(3600000000000);
		py_send(outer);
		py_at(OPCODE_SEND);
		py_enter(agen);
		time_passes(OVER);
		py_agen_yield(agen);
		expect_step(agen, SUSPENDED, VIA_YIELD, outer);
		py_await(outer, NULL); /* a future, not the generator, which has yielded */
		expect_step(outer, SUSPENDED, VIA_AWAIT, NULL);
		expect_nothing();
	}
}

/* The chain is told, or a part of it: what comes after it needs its room as well. */
Test(chain, may_find_the_ring_full)
{
	EACH_WORLD
	{
		struct py_gen *outer = py_create(KIND_COROUTINE, py_code("outer"));
		struct py_gen *inner = py_create(KIND_COROUTINE, py_code("inner"));

		while (take_transition())
			;
		slow_settings(OVER);
		py_send(outer);
		py_at(OPCODE_SEND);
		py_am_send(inner);
		py_await(inner, NULL);
		time_passes(OVER);
		world_ring_limit(sizeof(struct transition_record));
		py_await(outer, inner);
		expect_link(inner, id_of(inner));
		expect_nothing();
		cr_assert_eq(world_count(STAT_LOST_RING), 1);
	}
}

/* --- who made it --- */

static struct transition_record birth(struct py_gen *gen)
{
	const struct transition_record *t = take_transition();

	cr_assert(t && t->gen == gen->address && t->to == CREATED);
	return *t;
}

static uint32_t offset_now(void)
{
	return (uint32_t)(memory_get64(current_frame() + python.layout.frame_instr) -
			  frame_code_address(current_frame()) - python.layout.code_instructions);
}

static void expect_maker(struct py_gen *gen, const char *qualname, uint32_t instruction)
{
	struct transition_record t = birth(gen);

	cr_assert(t.maker_code, "3.%u: nobody made %s", python.minor, gen->code->qualname);
	cr_assert_str_eq(told_qualname(t.maker_code), qualname, "3.%u: not %s", python.minor,
			 told_qualname(t.maker_code));
	cr_assert_eq(t.maker_instruction, instruction);
}

Test(maker, is_the_function_that_calls)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("coro");
		struct py_gen *gen;

		slow_settings(0);
		py_call(py_code("plain"));
		gen = py_create(KIND_COROUTINE, code);
		expect_maker(gen, "plain", offset_now());
		py_call_end();
		py_call(py_code("other"));
		py_at(OPCODE_FOR_ITER);
		gen = py_create(KIND_COROUTINE, code);
		expect_maker(gen, "other", offset_now());
		py_call_end();
	}
}

/* At RETURN_GENERATOR the frame of the function itself is the current one. */
Test(maker, is_not_the_function_itself)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("coro");
		struct py_gen *gen;
		uint32_t offset;

		slow_settings(0);
		py_call(py_code("plain"));
		offset = offset_now();
		py_call(code);
		frame_stand_at(current_frame(), UNIT_MAKE + (python.minor >= 13));
		gen = py_create(KIND_COROUTINE, code);
		expect_maker(gen, "plain", offset);
		py_call_end();
		py_call_end();
	}
}

/* A coroutine that calls itself is made by itself, at another place than its beginning. */
Test(maker, may_be_another_object_of_the_function)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("recursive");
		struct py_gen *outer, *gen;

		slow_settings(0);
		outer = py_create(KIND_COROUTINE, code);
		birth(outer);
		py_send(outer);
		expect(outer, CREATED, RUNNING, VIA_SEND, NULL);
		py_at(OPCODE_SEND);
		gen = py_create(KIND_COROUTINE, code);
		expect_maker(gen, "recursive", 2 * UNIT_SEND);
	}
}

Test(maker, is_nobody_where_c_code_called)
{
	EACH_WORLD
	{
		uint64_t frame = current_frame();
		struct py_gen *gen;

		slow_settings(0);
		set_current_frame(0); /* no Python code is under way */
		gen = py_create(KIND_COROUTINE, py_code("coro"));
		cr_assert_eq(birth(gen).maker_code, 0);
		set_current_frame(frame);
	}
}

Test(maker, is_not_kept_unless_asked_for)
{
	EACH_WORLD
	{
		struct py_gen *gen;

		py_call(py_code("plain"));
		gen = py_create(KIND_COROUTINE, py_code("coro"));
		cr_assert_eq(birth(gen).maker_code, 0);
		py_call_end();
	}
}

/* --- suspects --- */

/* One record alone came of it, which says that nobody awaited it. */
static void expect_never_awaited(const struct py_gen *gen)
{
	const struct transition_record *t = take_transition();

	cr_assert(t, "3.%u: %s was not told", python.minor, gen->code->qualname);
	cr_assert_eq(t->gen, gen->address);
	cr_assert_eq(t->from, CREATED);
	cr_assert(t->to == NONE || (t->to == CLOSED && t->via == VIA_FINALIZE),
		  "3.%u: to %u via %u", python.minor, t->to, t->via);
	expect_nothing();
}

Test(suspect, passes_the_filter_of_length)
{
	EACH_WORLD
	{
		struct py_gen *dropped, *collected, *closed, *awaited;

		slow_settings(OVER);
		dropped = py_create(KIND_COROUTINE, py_code("dropped"));
		collected = py_create(KIND_COROUTINE, py_code("collected"));
		closed = py_create(KIND_COROUTINE, py_code("closed"));
		awaited = py_create(KIND_COROUTINE, py_code("awaited"));
		awaited->has_try = true;
		py_close(closed);
		py_drop(closed);
		py_send(awaited);
		py_await(awaited, NULL);
		py_drop(awaited);
		py_raise(awaited, EXC_GENERATOR_EXIT);
		expect_nothing();
		py_drop(dropped);
		expect_never_awaited(dropped);
		py_collect(collected);
		expect_never_awaited(collected);
	}
}

static struct py_gen *begun_agen(const char *qualname)
{
	struct py_gen *agen = py_create(KIND_ASYNC_GENERATOR, py_code(qualname));

	py_at(OPCODE_SEND);
	py_agen_start(agen);
	py_agen_yield(agen);
	expect_nothing();
	return agen;
}

Test(suspect, is_an_async_generator_that_nobody_closed)
{
	EACH_WORLD
	{
		struct py_gen *task, *closed, *dropped, *fresh;

		slow_settings(OVER);
		task = py_create(KIND_COROUTINE, py_code("task"));
		closed = begun_agen("closed");
		py_send(task);
		py_agen_call(closed, VIA_ACLOSE);
		py_at(OPCODE_SEND);
		py_agen_start(closed); /* `await agen.aclose()` */
		py_agen_raise(closed, EXC_GENERATOR_EXIT);
		py_catch();
		py_await(task, NULL);
		expect_nothing();
		dropped = begun_agen("dropped");
		py_agen_call(dropped, VIA_ACLOSE);
		py_agen_start(dropped); /* by the event loop, which got it from the hook */
		expect_step(dropped, RUNNING, VIA_ACLOSE, NULL);
		py_agen_raise(dropped, EXC_GENERATOR_EXIT);
		py_catch();
		expect_nothing();
		fresh = py_create(KIND_ASYNC_GENERATOR, py_code("fresh"));
		py_agen_call(fresh, VIA_ACLOSE);
		py_agen_start(fresh);
		py_agen_raise(fresh, EXC_GENERATOR_EXIT);
		py_catch();
		expect_nothing();
	}
}

Test(suspect, is_no_generator)
{
	EACH_WORLD
	{
		struct py_gen *fresh, *begun;

		slow_settings(OVER);
		fresh = py_create(KIND_GENERATOR, py_code("fresh"));
		begun = py_create(KIND_GENERATOR, py_code("begun"));
		py_next(begun);
		py_yield(begun);
		py_drop(fresh);
		py_drop(begun);
		expect_nothing();
	}
}
