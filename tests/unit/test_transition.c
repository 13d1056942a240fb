/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "python_model.h"

/*
 * The transition logic over the little CPython of python_model.h: states, identity, parents. Every
 * test runs with 3.11, 3.13 and 3.15, and with probes after the store, on it, and on one from a
 * register; at its end the counts must close and `seq` must have no gap (see world.h).
 */

Test(transition, follows_a_generator_from_birth_to_free)
{
	EACH_WORLD
	{
		struct py_gen *gen = py_create(KIND_GENERATOR, py_code("f"));

		expect(gen, NONE, CREATED, VIA_CREATE, NULL);
		py_at(OPCODE_OTHER);
		py_next(gen);
		expect(gen, CREATED, RUNNING, VIA_NEXT, NULL);
		py_yield(gen);
		expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		for (int i = 0; i < 3; i++) {
			time_passes(12345);
			py_next(gen);
			expect(gen, SUSPENDED, RUNNING, VIA_NEXT, NULL);
			time_passes(54321);
			py_yield(gen);
			expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		}
		py_next(gen);
		expect(gen, SUSPENDED, RUNNING, VIA_NEXT, NULL);
		py_return(gen);
		expect(gen, RUNNING, CLOSED, VIA_RETURN, NULL);
		py_drop(gen);
		expect(gen, CLOSED, NONE, VIA_FREE, NULL);
		cr_assert_eq(expected()->seq, 12);
		cr_assert_eq(world_count(STAT_OBJECTS), 1);
		cr_assert_null(world_object(gen->address));
	}
}

Test(transition, follows_a_coroutine)
{
	EACH_WORLD
	{
		struct py_gen *coro = py_create(KIND_COROUTINE, py_code("main"));

		expect(coro, NONE, CREATED, VIA_CREATE, NULL);
		py_send(coro); /* as asyncio's tasks do */
		expect(coro, CREATED, RUNNING, VIA_SEND, NULL);
		py_await(coro, NULL);
		expect(coro, RUNNING, SUSPENDED, VIA_AWAIT, NULL);
		py_send(coro);
		expect(coro, SUSPENDED, RUNNING, VIA_SEND, NULL);
		py_raise(coro, EXC_VALUE_ERROR);
		expect(coro, RUNNING, CLOSED, VIA_RAISE, NULL);
		py_catch();
		py_drop(coro);
		expect(coro, CLOSED, NONE, VIA_FREE, NULL);
	}
}

Test(transition, tells_where_a_generator_stands)
{
	EACH_WORLD
	{
		struct py_gen *gen = py_create(KIND_GENERATOR, py_code("f"));

		expect(gen, NONE, CREATED, VIA_CREATE, NULL);
		py_next(gen);
		expect(gen, CREATED, RUNNING, VIA_NEXT, NULL);
		py_yield(gen);
		expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		/* YIELD_VALUE itself, or the RESUME right behind it: unit 8 or 9 of two bytes */
		cr_assert_eq(expected()->instruction, python_minor() >= 13 ? 18 : 16);
		py_next(gen);
		expect(gen, SUSPENDED, RUNNING, VIA_NEXT, NULL);
		cr_assert_eq(expected()->instruction, python_minor() >= 13 ? 18 : 16);
		py_return(gen);
		expect(gen, RUNNING, CLOSED, VIA_RETURN, NULL);
		cr_assert_eq(expected()->instruction, 10); /* RETURN_VALUE, unit 5 */
	}
}

/* A coroutine that awaits one that awaits one, resumed in the evaluation loop (3.12 on). */
Test(transition, knows_parents_three_deep)
{
	EACH_WORLD
	{
		struct py_gen *coros[3];
		struct py_code *code = py_code("chain");
		void (*resume)(struct py_gen *) = python_minor() == 11 ? py_am_send : py_resume;

		for (int i = 0; i < 3; i++) {
			coros[i] = py_create(KIND_COROUTINE, code);
			expect(coros[i], NONE, CREATED, VIA_CREATE, NULL);
		}
		for (int turn = 0; turn < 2; turn++) {
			uint8_t before = turn ? SUSPENDED : CREATED;

			py_send(coros[0]);
			expect(coros[0], before, RUNNING, VIA_SEND, NULL);
			for (int i = 1; i < 3; i++) {
				py_at(OPCODE_SEND);
				resume(coros[i]);
				expect(coros[i], before, RUNNING, VIA_AWAIT, coros[i - 1]);
			}
			for (int i = 2; i >= 0; i--) {
				py_await(coros[i], i < 2 ? coros[i + 1] : NULL);
				expect(coros[i], RUNNING, SUSPENDED, VIA_AWAIT,
				       i ? coros[i - 1] : NULL);
			}
		}
		py_send(coros[0]);
		expect(coros[0], SUSPENDED, RUNNING, VIA_SEND, NULL);
		py_at(OPCODE_SEND);
		resume(coros[1]);
		expect(coros[1], SUSPENDED, RUNNING, VIA_AWAIT, coros[0]);
		py_raise(coros[1], EXC_VALUE_ERROR);
		expect(coros[1], RUNNING, CLOSED, VIA_RAISE, coros[0]);
		py_raise(coros[0], EXC_VALUE_ERROR);
		expect(coros[0], RUNNING, CLOSED, VIA_RAISE, NULL);
	}
}

/* The one that drives changes with each step. */
Test(transition, forgets_a_parent_with_its_step)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *outer = py_create(KIND_GENERATOR, code);
		struct py_gen *inner = py_create(KIND_GENERATOR, code);

		expect(outer, NONE, CREATED, VIA_CREATE, NULL);
		expect(inner, NONE, CREATED, VIA_CREATE, NULL);
		py_next(outer);
		expect(outer, CREATED, RUNNING, VIA_NEXT, NULL);
		py_next(inner);
		expect(inner, CREATED, RUNNING, VIA_NEXT, outer);
		py_yield(inner);
		expect(inner, RUNNING, SUSPENDED, VIA_YIELD, outer);
		py_yield(outer);
		expect(outer, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		py_next(inner);
		expect(inner, SUSPENDED, RUNNING, VIA_NEXT, NULL);
		py_next(outer);
		expect(outer, SUSPENDED, RUNNING, VIA_NEXT, inner);
		py_return(outer);
		expect(outer, RUNNING, CLOSED, VIA_RETURN, inner);
		py_return(inner);
		expect(inner, RUNNING, CLOSED, VIA_RETURN, NULL);
	}
}

/* Created inside another: a birth is nobody's step. */
Test(transition, is_born_without_a_parent)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *outer = py_create(KIND_GENERATOR, code), *inner;

		expect(outer, NONE, CREATED, VIA_CREATE, NULL);
		py_next(outer);
		expect(outer, CREATED, RUNNING, VIA_NEXT, NULL);
		inner = py_create(KIND_COROUTINE, code);
		expect(inner, NONE, CREATED, VIA_CREATE, NULL);
		py_return(outer);
		expect(outer, RUNNING, CLOSED, VIA_RETURN, NULL);
		py_drop(inner); /* never awaited */
		expect(inner, CREATED, CLOSED, VIA_FINALIZE, NULL);
		expect(inner, CLOSED, NONE, VIA_FREE, NULL);
	}
}

Test(transition, keeps_threads_apart)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *mine = py_create(KIND_GENERATOR, code);
		struct py_gen *yours = py_create(KIND_GENERATOR, code);
		struct py_gen *wanderer = py_create(KIND_GENERATOR, code);

		expect(mine, NONE, CREATED, VIA_CREATE, NULL);
		expect(yours, NONE, CREATED, VIA_CREATE, NULL);
		expect(wanderer, NONE, CREATED, VIA_CREATE, NULL);
		py_next(mine);
		expect(mine, CREATED, RUNNING, VIA_NEXT, NULL);
		cr_assert_eq(expected()->head.tid, 1000);
		py_thread(1);
		py_next(yours);
		expect(yours, CREATED, RUNNING, VIA_NEXT, NULL);
		cr_assert_eq(expected()->head.tid, 1001);
		cr_assert_eq(expected()->head.pid, 1000);
		py_next(wanderer);
		expect(wanderer, CREATED, RUNNING, VIA_NEXT, yours);
		py_yield(wanderer);
		expect(wanderer, RUNNING, SUSPENDED, VIA_YIELD, yours);
		py_thread(0);
		py_next(wanderer);
		expect(wanderer, SUSPENDED, RUNNING, VIA_NEXT, mine);
		py_thread(1);
		py_yield(yours);
		expect(yours, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		py_thread(0);
		py_return(wanderer);
		expect(wanderer, RUNNING, CLOSED, VIA_RETURN, mine);
		py_yield(mine);
		expect(mine, RUNNING, SUSPENDED, VIA_YIELD, NULL);
	}
}

/* SQLAlchemy's asyncio: a coroutine switches to a greenlet, a generator there runs code that switches
 * back, and the coroutine awaits while that generator is still running. */
Test(transition, knows_parents_though_greenlets_switch)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *coro = py_create(KIND_COROUTINE, code);
		struct py_gen *task = py_create(KIND_COROUTINE, code);
		struct py_gen *rows = py_create(KIND_GENERATOR, code);

		expect(coro, NONE, CREATED, VIA_CREATE, NULL);
		expect(task, NONE, CREATED, VIA_CREATE, NULL);
		expect(rows, NONE, CREATED, VIA_CREATE, NULL);
		py_send(coro);
		expect(coro, CREATED, RUNNING, VIA_SEND, NULL);
		py_greenlet(1);
		py_next(rows);
		expect_any(rows, CREATED, RUNNING, VIA_NEXT, coro);
		py_greenlet(0);
		py_await(coro, NULL);
		expect(coro, RUNNING, SUSPENDED, VIA_AWAIT, NULL);
		py_send(task); /* by the event loop */
		expect(task, CREATED, RUNNING, VIA_SEND, NULL);
		py_await(task, NULL);
		expect(task, RUNNING, SUSPENDED, VIA_AWAIT, NULL);
		py_send(coro);
		expect(coro, SUSPENDED, RUNNING, VIA_SEND, NULL);
		py_greenlet(1);
		py_yield(rows);
		expect(rows, RUNNING, SUSPENDED, VIA_YIELD, coro);
		py_greenlet(0);
		py_await(coro, NULL);
		expect(coro, RUNNING, SUSPENDED, VIA_AWAIT, NULL);
		py_send(task);
		expect(task, SUSPENDED, RUNNING, VIA_SEND, NULL);
	}
}

Test(transition, keeps_processes_apart)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *gen = py_create(KIND_GENERATOR, code), *twin;

		expect(gen, NONE, CREATED, VIA_CREATE, NULL);
		py_thread(THREADS_MAX - 1);
		/* one of another process with the very same addresses */
		twin = py_create_at(gen->address, KIND_COROUTINE, code);
		expect(twin, NONE, CREATED, VIA_CREATE, NULL);
		cr_assert_eq(expected()->head.pid, 2000);
		cr_assert_neq(twin->id, gen->id);
		py_drop(twin);
		expect(twin, CREATED, CLOSED, VIA_FINALIZE, NULL);
		expect(twin, CLOSED, NONE, VIA_FREE, NULL);
		py_thread(0);
		cr_assert(world_object(gen->address));
	}
}

/* exec keeps pid and thread, and no generator. */
Test(transition, forgets_everything_at_exec)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *old = py_create(KIND_GENERATOR, code), *twin, *other;

		expect(old, NONE, CREATED, VIA_CREATE, NULL);
		py_next(old);
		expect(old, CREATED, RUNNING, VIA_NEXT, NULL);
		process_executes();
		cr_assert_null(world_object(old->address));
		other = py_create(KIND_COROUTINE, code);
		expect(other, NONE, CREATED, VIA_CREATE, NULL);
		py_at(OPCODE_OTHER);
		py_am_send(other);
		expect(other, CREATED, RUNNING, VIA_SEND, NULL);
		twin = py_create_at(old->address, KIND_GENERATOR, code);
		expect(twin, NONE, CREATED, VIA_CREATE, NULL);
		cr_assert_neq(twin->id, old->id);
	}
}

Test(transition, gives_a_new_id_to_a_used_address)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *gen = py_create(KIND_GENERATOR, code), *next;
		uint8_t kinds[] = { KIND_COROUTINE, KIND_ASYNC_GENERATOR, KIND_GENERATOR };

		expect(gen, NONE, CREATED, VIA_CREATE, NULL);
		py_next(gen);
		expect(gen, CREATED, RUNNING, VIA_NEXT, NULL);
		py_return(gen);
		expect(gen, RUNNING, CLOSED, VIA_RETURN, NULL);
		py_drop(gen);
		expect(gen, CLOSED, NONE, VIA_FREE, NULL);
		for (unsigned i = 0; i < 3; i++) {
			next = py_create_at(gen->address, kinds[i], code);
			expect(next, NONE, CREATED, VIA_CREATE, NULL);
			cr_assert_neq(next->id, gen->id);
			cr_assert_eq(expected()->seq, 1);
			py_drop(next);
			if (python_minor() == 11 && kinds[i] != KIND_COROUTINE) {
				/* gen_close() of 3.11 runs it, to let GeneratorExit out */
				expect(next, CREATED, RUNNING, VIA_FINALIZE, NULL);
				py_raise(next, EXC_GENERATOR_EXIT);
				expect(next, RUNNING, CLOSED, VIA_CLOSE, NULL);
			} else {
				expect(next, CREATED, CLOSED, VIA_FINALIZE, NULL);
			}
			expect(next, CLOSED, NONE, VIA_FREE, NULL);
			gen = next;
		}
	}
}

Test(transition, names_a_code_object_once)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("Class.method.<locals>.f");
		struct py_gen *first = py_create(KIND_GENERATOR, code);
		struct py_gen *second = py_create(KIND_COROUTINE, code);
		uint32_t bytes;

		expect(first, NONE, CREATED, VIA_CREATE, NULL);
		cr_assert_str_eq(told_qualname(expected()->code), "Class.method.<locals>.f");
		cr_assert_eq(told_code(expected()->code)->first_line, 10);
		cr_assert_eq(told_code(expected()->code)->address, code->address);
		cr_assert_eq(told_code(expected()->code)->code_flags, 0x20);
		cr_assert_eq(memcmp(told_lines(expected()->code, &bytes), "\xd8\x00\x01", 3), 0);
		cr_assert_eq(bytes, 3);
		expect(second, NONE, CREATED, VIA_CREATE, NULL);
		cr_assert_eq(told_codes(), 1);
	}
}

Test(transition, names_a_used_address_anew)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("old"), *fresh;
		struct py_gen *gen = py_create(KIND_GENERATOR, code), *next;
		uint32_t old_id;

		expect(gen, NONE, CREATED, VIA_CREATE, NULL);
		old_id = expected()->code;
		py_next(gen);
		expect(gen, CREATED, RUNNING, VIA_NEXT, NULL);
		py_return(gen);
		expect(gen, RUNNING, CLOSED, VIA_RETURN, NULL);
		py_drop(gen);
		expect(gen, CLOSED, NONE, VIA_FREE, NULL);
		py_code_free(code);
		fresh = py_code_at(code->address, "new");
		next = py_create(KIND_GENERATOR, fresh);
		expect(next, NONE, CREATED, VIA_CREATE, NULL);
		cr_assert_neq(expected()->code, old_id);
		cr_assert_str_eq(told_qualname(expected()->code), "new");
		cr_assert_eq(told_codes(), 2);
	}
}

Test(transition, sends_a_large_line_table_in_pieces)
{
	static uint8_t table[10000];

	for (size_t i = 0; i < sizeof(table); i++)
		table[i] = (uint8_t)(i * 31);
	EACH_WORLD
	{
		for (uint32_t size = 231; size < sizeof(table);
		     size = size < 234 ? size + 1 : size * 5 / 2) {
			struct py_code *code = py_code("large");
			struct py_gen *gen;
			uint32_t bytes;

			py_code_set_lines(code, table, size);
			gen = py_create(KIND_GENERATOR, code);
			expect(gen, NONE, CREATED, VIA_CREATE, NULL);
			cr_assert_eq(told_code(expected()->code)->line_bytes, size);
			cr_assert_eq(memcmp(told_lines(expected()->code, &bytes), table, size), 0);
			cr_assert_eq(bytes, size);
		}
	}
}

/* Other structures have bytes at the same place; only the three types are believed. */
Test(transition, ignores_strangers)
{
	EACH_WORLD
	{
		uint64_t stranger = memory_new(256), nothing = 0x10;

		memory_put64(stranger + PYOBJECT_TYPE, BASE + 0x9000);
		store_hit(0, SITE_FRAME_STATE, SITE_ANYWHERE, stranger, 0, stranger);
		store_hit(0, SITE_FRAME_STATE, SITE_IN_EVAL, stranger, 1, stranger);
		store_hit(0, SITE_RUNNING_ASYNC, SITE_ANYWHERE, stranger, 1, stranger);
		site_hit(site_index(&(struct site){ .role = SITE_FREE, .reg = GPR_RDI }), stranger,
			 0);
		site_hit(site_index(&(struct site){ .role = SITE_FREE, .reg = GPR_RDI }), nothing,
			 0);
		expect_nothing();
		cr_assert_eq(world_count(STAT_STRANGERS), 5);
		cr_assert_eq(world_count(STAT_OBJECTS), 0);
	}
}

Test(transition, counts_nothing_while_not_watched)
{
	EACH_WORLD
	{
		struct py_gen *gen;

		world_watch(false);
		gen = py_create(KIND_GENERATOR, py_code("f"));
		py_send(gen);
		py_yield(gen);
		for (int i = 0; i < STAT_COUNT; i++)
			cr_assert_eq(world_count((enum statistic)i) > 0, i == STAT_UNWATCHED,
				     "statistic %d", i);
		world_watch(true);
		py_next(gen);
		expect_first(gen, SUSPENDED, RUNNING, VIA_NEXT, NULL);
	}
}

Test(transition, counts_stepped_hits)
{
	EACH_WORLD
	{
		struct site site = {
			.role = SITE_CAUSE, .via = VIA_SEND, .reg = GPR_RDI, .stepped = 1
		};
		struct py_gen *gen = py_create(KIND_GENERATOR, py_code("f"));

		expect(gen, NONE, CREATED, VIA_CREATE, NULL);
		site_hit(site_index(&site), gen->address, 0);
		cr_assert_eq(world_count(STAT_STEPPED), 1);
		cr_assert_eq(world_count(STAT_CAUSES), 1);
	}
}
