/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "python_model.h"

/* What is lost, left out or wrong is counted, and the rest goes on. See test_transition.c. */

static struct py_gen *born(uint8_t kind, struct py_code *code)
{
	struct py_gen *gen = py_create(kind, code);

	expect(gen, NONE, CREATED, VIA_CREATE, NULL);
	return gen;
}

Test(loss, of_objects_when_the_map_is_full)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *known = born(KIND_GENERATOR, code), *late;
		uint64_t hits;

		world_objects_limit(1);
		late = py_create(KIND_GENERATOR, code);
		cr_assert_eq(world_count(STAT_LOST_MAP_FULL), 1);
		py_next(late);
		py_next(known); /* those that are known lose nothing */
		expect(known, CREATED, RUNNING, VIA_NEXT, NULL);
		py_yield(known);
		expect(known, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		hits = world_count(STAT_LOST_MAP_FULL);
		cr_assert_eq(hits, 2);
		py_yield(late);
		cr_assert_eq(world_count(STAT_LOST_MAP_FULL), 3);
		expect_nothing();
		world_objects_limit(2); /* room again */
		py_next(late);
		expect_first(late, SUSPENDED, RUNNING, VIA_NEXT, NULL);
		py_return(late);
		expect(late, RUNNING, CLOSED, VIA_RETURN, NULL);
		py_drop(late);
		expect(late, CLOSED, NONE, VIA_FREE, NULL);
	}
}

/* Freed entries make room: a full map is not full for ever. */
Test(loss, ends_when_objects_are_freed)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");

		world_objects_limit(1);
		for (int i = 0; i < 10; i++) {
			struct py_gen *coro = born(KIND_COROUTINE, code);

			py_drop(coro);
			expect(coro, CREATED, CLOSED, VIA_FINALIZE, NULL);
			expect(coro, CLOSED, NONE, VIA_FREE, NULL);
		}
		cr_assert_eq(world_count(STAT_LOST_MAP_FULL), 0);
	}
}

Test(loss, of_events_when_the_ring_is_full)
{
	EACH_WORLD
	{
		struct py_gen *gen = born(KIND_GENERATOR, py_code("f"));
		uint32_t seq = expected()->seq;

		world_ring_limit(0);
		for (int i = 0; i < 5; i++) {
			py_next(gen);
			py_yield(gen);
		}
		cr_assert_eq(world_count(STAT_LOST_RING), 10);
		world_ring_limit(1 << 20);
		gen->told_ns = expected()->head.ts_ns;
		py_next(gen);
		gen->told_ns = 0; /* its times are right, but from an event nobody saw */
		{
			const struct transition_record *t = take_transition();

			cr_assert(t);
			cr_assert_eq(t->from, STATE_SUSPENDED);
			cr_assert_eq(t->to, STATE_RUNNING);
			cr_assert_eq(t->seq, seq + 11, "a gap is a loss");
			cr_assert(t->head.flags & TRANSITION_HAS_SUSPENDED);
			gen->told_ns = t->head.ts_ns;
		}
		py_yield(gen);
		expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
	}
}

/* A name that found no room comes later. */
Test(loss, of_a_name_is_made_good)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("late");
		struct py_gen *gen;

		/* room for the process and a transition, not for a code record */
		world_ring_limit(sizeof(struct transition_record) + sizeof(struct process_record) +
				 8);
		gen = py_create(KIND_GENERATOR, code);
		expect(gen, NONE, CREATED, VIA_CREATE, NULL);
		cr_assert_eq(expected()->code, 0);
		cr_assert_geq(world_count(STAT_CODES_LOST), 1u);
		cr_assert_eq(told_codes(), 0);
		world_ring_limit(1 << 20);
		py_next(gen);
		expect(gen, CREATED, RUNNING, VIA_NEXT, NULL);
		cr_assert_str_eq(told_qualname(expected()->code), "late");
		py_yield(gen);
		expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		cr_assert_eq(told_codes(), 1);
	}
}

/* …and so does its line table (site.h: STAT_CODES_LOST are "tried again later"). */
Test(loss, of_a_line_table_is_made_good)
{
	static uint8_t table[5000];

	memset(table, 0xd8, sizeof(table));
	EACH_WORLD
	{
		struct py_code *code = py_code("long");
		struct py_gen *gen;
		uint32_t bytes, id;

		py_code_set_lines(code, table, sizeof(table));
		/* room for the code and one piece of the two */
		world_ring_limit(sizeof(struct code_record) + 5000);
		gen = py_create(KIND_GENERATOR, code);
		expect(gen, NONE, CREATED, VIA_CREATE, NULL);
		id = expected()->code;
		cr_assert(id && told_qualname(id));
		cr_assert_geq(world_count(STAT_CODES_LOST), 1u);
		world_ring_limit(1 << 20);
		for (int i = 0; i < 3; i++) {
			py_next(gen);
			expect(gen, i ? SUSPENDED : CREATED, RUNNING, VIA_NEXT, NULL);
			py_yield(gen);
			expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		}
		told_lines(expected()->code, &bytes);
		cr_assert_eq(bytes, sizeof(table), "%u bytes of the line table came", bytes);
	}
}

/* More code objects than the map holds: what cannot be kept is not told again with every event. */
Test(loss, of_code_entries_floods_nobody)
{
	EACH_WORLD
	{
		struct py_gen *gen;

		world_codes_limit(0);
		gen = born(KIND_GENERATOR, py_code("f"));
		for (int i = 0; i < 10; i++) {
			py_next(gen);
			expect(gen, i ? SUSPENDED : CREATED, RUNNING, VIA_NEXT, NULL);
			py_yield(gen);
			expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		}
		cr_assert_leq(told_codes(), 1u, "%u code records for 21 events", told_codes());
	}
}

/* The same where every event asks for the verdict of its code. */
Test(loss, of_code_entries_floods_no_filter)
{
	EACH_WORLD
	{
		struct py_gen *gen;

		world_settings()->filter_codes = 1;
		world_codes_limit(0);
		gen = born(KIND_GENERATOR, py_code("f"));
		for (int i = 0; i < 10; i++) {
			py_next(gen);
			expect(gen, i ? SUSPENDED : CREATED, RUNNING, VIA_NEXT, NULL);
			py_yield(gen);
			expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		}
		cr_assert_leq(told_codes(), 2u, "%u code records for 21 events", told_codes());
	}
}

/* The state's page cannot be read at a hit: that hit is lost, and said to be. */
Test(loss, of_what_cannot_be_read)
{
	EACH_WORLD
	{
		struct py_gen *gen = born(KIND_GENERATOR, py_code("f"));

		memory_fault(gen->address, true);
		py_next(gen);
		expect_nothing();
		cr_assert_eq(world_count(STAT_LOST_FAULT) + world_count(STAT_STRANGERS), 1);
		memory_fault(gen->address, false);
	}
}

/* Neither name nor frame nor thread state can be read: the states still come. */
Test(loss, of_everything_but_the_state)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *gen;

		memory_fault(code->address, true);
		gen = py_create(KIND_GENERATOR, code);
		cr_assert(take_transition());
		memory_fault(python_thread_state(), true);
		py_next(gen);
		cr_assert(take_transition());
		py_yield(gen);
		cr_assert(take_transition());
		py_next(gen);
		cr_assert(take_transition());
		py_return(gen);
		cr_assert(take_transition());
	}
}

/* A generator's end was missed: the next one at its address is another one. */
Test(anomaly, of_a_free_that_was_missed)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *gen = born(KIND_GENERATOR, code), *next;

		py_next(gen);
		expect(gen, CREATED, RUNNING, VIA_NEXT, NULL);
		py_yield(gen);
		expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		next = py_create_at(gen->address, KIND_GENERATOR, code);
		expect(next, NONE, CREATED, VIA_CREATE, NULL);
		cr_assert_neq(next->id, gen->id);
		cr_assert_eq(expected()->seq, 1);
		expect_anomalies(1);
	}
}

/* Hits that were missed: RUNNING to RUNNING, SUSPENDED to SUSPENDED, CREATED to SUSPENDED. */
Test(anomaly, of_a_hit_that_was_missed)
{
	EACH_WORLD
	{
		struct py_gen *gen = born(KIND_GENERATOR, py_code("f"));
		const struct layout *layout = &world_image()->layout;

		store_hit(50, SITE_FRAME_STATE, SITE_IN_EVAL, gen->address, layout->suspended_first,
			  0);
		cr_assert_eq(world_count(STAT_ANOMALIES), 1); /* and what memory says is believed */
		expect(gen, CREATED, SUSPENDED, VIA_UNKNOWN, NULL);
		store_hit(50, SITE_FRAME_STATE, SITE_IN_EVAL, gen->address, layout->suspended_first,
			  0);
		cr_assert_eq(world_count(STAT_ANOMALIES), 2);
		expect_nothing();
		py_next(gen);
		expect(gen, SUSPENDED, RUNNING, VIA_NEXT, NULL);
		store_hit(51, SITE_FRAME_STATE, SITE_IN_SLOT, gen->address, layout->executing, 0);
		cr_assert_eq(world_count(STAT_ANOMALIES), 3);
		expect_nothing();
		py_return(gen);
		expect(gen, RUNNING, CLOSED, VIA_RETURN, NULL);
		expect_anomalies(3);
	}
}

/* Once missed must not be wrong for ever: what runs later has no parent that does not run. */
Test(anomaly, does_not_leave_a_parent_behind)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *outer = born(KIND_GENERATOR, code),
			      *inner = born(KIND_GENERATOR, code);
		struct py_gen *later = born(KIND_GENERATOR, code);

		py_next(outer);
		expect(outer, CREATED, RUNNING, VIA_NEXT, NULL);
		py_next(inner);
		expect(inner, CREATED, RUNNING, VIA_NEXT, outer);
		world_watch(false); /* as if this hit did not come */
		py_yield(inner);
		world_watch(true);
		py_yield(outer);
		expect(outer, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		py_next(later);
		expect(later, CREATED, RUNNING, VIA_NEXT, NULL);
	}
}

/* A value that is no state of this version: the store was to something else. */
Test(anomaly, of_a_state_that_does_not_exist)
{
	EACH_WORLD
	{
		struct py_gen *gen = born(KIND_GENERATOR, py_code("f"));
		uint64_t before = world_count(STAT_REDUNDANT);

		store_hit(52, SITE_FRAME_STATE, SITE_ANYWHERE, gen->address, 77, 0);
		expect_nothing();
		cr_assert_eq(world_count(STAT_REDUNDANT), before + 1);
		expect_anomalies(1);
	}
}

Test(anomaly, of_a_free_while_it_runs)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *gen = born(KIND_GENERATOR, code), *other;
		struct site site = { .role = SITE_FREE, .reg = GPR_RDI };

		py_next(gen);
		expect(gen, CREATED, RUNNING, VIA_NEXT, NULL);
		site_hit(site_index(&site), gen->address, 0);
		expect(gen, RUNNING, NONE, VIA_FREE, NULL);
		expect_anomalies(1);
		gen = py_create_at(gen->address, KIND_GENERATOR, code);
		expect(gen, NONE, CREATED, VIA_CREATE, NULL);
		py_enter(gen);
		expect(gen, CREATED, RUNNING, VIA_NEXT, NULL);
		py_yield(gen);
		expect(gen, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		other = born(KIND_GENERATOR, code);
		py_enter(other);
		expect(other, CREATED, RUNNING, VIA_NEXT, NULL);
	}
}

Test(filter, drops_kinds)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *coro, *gen;

		world_settings()->kinds = 1u << KIND_COROUTINE;
		gen = py_create(KIND_GENERATOR, code);
		py_next(gen);
		coro = py_create(KIND_COROUTINE, code);
		expect(coro, NONE, CREATED, VIA_CREATE, NULL);
		py_at(OPCODE_SEND);
		py_am_send(coro);
		gen->id = world_object(gen->address)->id; /* what was not told can be a parent */
		expect(coro, CREATED, RUNNING, VIA_YIELD_FROM, gen);
		py_return(coro);
		expect(coro, RUNNING, CLOSED, VIA_RETURN, gen);
		py_return(gen);
		py_drop(gen);
		expect_nothing();
		cr_assert_eq(world_count(STAT_FILTERED), 4);
	}
}

/* Ends of steps that ran that long, counted in seq all the same. */
Test(filter, drops_short_runs)
{
	EACH_WORLD
	{
		struct py_gen *gen;

		world_settings()->min_run_ns = 50000;
		gen = py_create(KIND_GENERATOR, py_code("f"));
		for (int i = 0; i < 4; i++) {
			py_next(gen);
			time_passes(i & 1 ? 49000 - 1 : 49000); /* and 1 us for the hit */
			py_yield(gen);
			if (i & 1)
				continue;
			gen->told_ns = 0;
			cr_assert_eq(take_transition()->run_ns, 50000);
		}
		expect_nothing();
		cr_assert_eq(world_count(STAT_FILTERED), 1 + 4 + 2);
		cr_assert_eq(world_object(gen->address)->seq, 9);
	}
}

Test(filter, drops_short_waits)
{
	EACH_WORLD
	{
		struct py_gen *gen;

		world_settings()->min_suspended_ns = 1000000;
		gen = py_create(KIND_GENERATOR, py_code("f"));
		for (int i = 0; i < 4; i++) {
			const struct transition_record *t;

			py_next(gen);
			py_yield(gen);
			time_passes(i & 1 ? 999000 : 999000 - 1);
			if (!(i & 1))
				continue;
			py_next(gen);
			t = take_transition();
			cr_assert(t && t->to == STATE_RUNNING);
			cr_assert_eq(t->suspended_ns, 1000000);
			py_yield(gen);
		}
		expect_nothing();
	}
}

/* Both at once: either will do. */
Test(filter, lets_pass_what_one_of_two_lets_pass)
{
	EACH_WORLD
	{
		struct py_gen *gen;

		world_settings()->min_run_ns = 50000;
		world_settings()->min_suspended_ns = 1000000;
		gen = py_create(KIND_GENERATOR, py_code("f"));
		py_next(gen);
		time_passes(60000);
		py_yield(gen);
		cr_assert_eq(take_transition()->to, STATE_SUSPENDED);
		time_passes(60000); /* long for a run, short for a wait */
		py_next(gen);
		expect_nothing();
		py_yield(gen);
		time_passes(2000000);
		py_next(gen);
		cr_assert_eq(take_transition()->to, STATE_RUNNING);
	}
}

/* The reader says which code is wanted; until it has, everything passes and it filters itself. */
Test(filter, drops_code_by_verdict)
{
	EACH_WORLD
	{
		struct py_code *yes = py_code("yes"), *no = py_code("no");
		struct py_gen *wanted, *unwanted;

		world_settings()->filter_codes = 1;
		wanted = born(KIND_GENERATOR, yes);
		unwanted = born(KIND_GENERATOR, no);
		world_verdict(yes->address, VERDICT_PASS);
		world_verdict(no->address, VERDICT_DROP);
		for (int i = 0; i < 3; i++) {
			py_next(wanted);
			expect(wanted, i ? SUSPENDED : CREATED, RUNNING, VIA_NEXT, NULL);
			py_next(unwanted);
			py_yield(unwanted);
			py_yield(wanted);
			expect(wanted, RUNNING, SUSPENDED, VIA_YIELD, NULL);
		}
		cr_assert_eq(world_count(STAT_FILTERED), 6);
		cr_assert_eq(world_object(unwanted->address)->seq, 7);
	}
}
