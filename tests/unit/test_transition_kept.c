/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "python_model.h"

/* Of which transitions BPF keeps the times, and which objects it keeps: when nothing is sent, under filters, when there is no
 * room, and when objects are forgotten as they close. */

/* After the one of all below 128 ns, eight for each power of two: 11000 is 2^13 and two eighths more. */
#define BUCKET_OF_11000 (1 + (13 - 7) * 8 + 2)

static uint32_t live_and_die(struct py_code *function)
{
	struct py_gen *gen = py_create(KIND_GENERATOR, function);
	uint32_t code;

	for (int i = 0; i < 3; i++) {
		py_next(gen);
		time_passes(10000);
		py_yield(gen);
	}
	code = world_object(gen->address)->code;
	py_next(gen);
	py_return(gen);
	return code;
}

Test(transition_times, are_kept_when_nothing_is_sent)
{
	EACH_WORLD
	{
		uint32_t code;

		world_settings()->distributions = 1;
		world_settings()->stream = 0;
		code = live_and_die(py_code("quiet"));
		cr_assert_null(take_transition());
		cr_assert_str_eq(told_qualname(code), "quiet"); /* a name is needed all the same */
		cr_assert_eq(world_count(STAT_EVENTS), 1 + 4 + 3 + 1);
		cr_assert_eq(world_times(code, METRIC_RUN)->count, 4);
		cr_assert_eq(world_times(code, METRIC_SELF)->count, 4);
		cr_assert_eq(world_times(code, METRIC_SUSPENDED)->count, 3);
		cr_assert_eq(world_times(code, METRIC_START)->count, 1);
		cr_assert_eq(world_times(code, METRIC_LIFETIME)->count, 1);
		for (unsigned metric = 0; metric < METRIC_COUNT; metric++)
			cr_assert_eq(world_times(0, metric)->count, 0);
	}
}

Test(transition_times, are_not_kept_unasked)
{
	EACH_WORLD
	{
		uint32_t code = live_and_die(py_code("f"));

		for (unsigned metric = 0; metric < METRIC_COUNT; metric++)
			cr_assert_eq(world_times(code, metric)->count, 0);
		while (take_transition())
			;
	}
}

/* No room in the ring is no loss of times. */
Test(transition_times, need_no_ring)
{
	EACH_WORLD
	{
		struct py_code *function = py_code("f");
		uint32_t code;

		world_settings()->distributions = 1;
		world_settings()->stream = 0;
		code = live_and_die(function);
		world_ring_limit(0);
		for (int i = 0; i < 5; i++)
			cr_assert_eq(live_and_die(function), code);
		live_and_die(
			py_code("unnamed")); /* one that cannot be named is one of the others */
		cr_assert_eq(world_count(STAT_LOST_RING), 0);
		cr_assert_eq(world_count(STAT_EVENTS), 7 * 9);
		cr_assert_eq(world_times(code, METRIC_RUN)->count, 6 * 4);
		cr_assert_eq(world_times(0, METRIC_RUN)->count, 4);
	}
}

Test(transition_times, are_filtered)
{
	EACH_WORLD
	{
		struct py_gen *gen, *coro;
		uint32_t code;

		world_settings()->distributions = 1;
		world_settings()->stream = 0;
		world_settings()->kinds = 1u << KIND_GENERATOR;
		world_settings()->min_run_ns = 50000;
		gen = py_create(KIND_GENERATOR, py_code("gen"));
		coro = py_create(KIND_COROUTINE, py_code("coro"));
		for (unsigned i = 1; i <= 4; i++) {
			py_next(gen);
			time_passes(20000 * i); /* 20, 40, 60, 80 */
			py_yield(gen);
			py_send(coro);
			time_passes(90000);
			py_yield(coro);
		}
		code = world_object(gen->address)->code;
		cr_assert_eq(world_times(code, METRIC_RUN)->count, 2);
		cr_assert_eq(world_times(code, METRIC_RUN)->sum_ns, 61000 + 81000);
		cr_assert_eq(world_count(STAT_EVENTS), 2);
		code = world_object(coro->address)->code;
		cr_assert_eq(world_times(code, METRIC_RUN)->count, 0);
	}
}

/* -f: by the verdict on a code object. */
Test(transition_times, are_filtered_by_function)
{
	EACH_WORLD
	{
		struct py_code *codes[] = { py_code("wanted"), py_code("unwanted") };
		uint32_t ids[2];

		world_settings()->distributions = 1;
		world_settings()->stream = 0;
		world_settings()->filter_codes = 1;
		for (int i = 0; i < 2; i++) {
			struct py_gen *gen = py_create(KIND_GENERATOR, codes[i]);

			world_verdict(codes[i]->address, i ? VERDICT_DROP : VERDICT_PASS);
			ids[i] = world_object(gen->address)->code;
			py_next(gen);
			py_yield(gen);
			py_next(gen);
			py_return(gen);
		}
		cr_assert_eq(world_times(ids[0], METRIC_RUN)->count, 2);
		for (unsigned metric = 0; metric < METRIC_COUNT; metric++)
			cr_assert_eq(world_times(ids[1], metric)->count, 0);
	}
}

/* Who comes late shares entry 0; the sums are right even so. */
Test(transition_times, are_shared_by_late_codes)
{
	EACH_WORLD
	{
		uint32_t last, codes[3];

		world_settings()->distributions = 1;
		world_settings()->stream = 0;
		world_codes_before(DISTRIBUTIONS_MAX - 2);
		last = live_and_die(py_code("last"));
		cr_assert_eq(last, DISTRIBUTIONS_MAX - 1);
		for (unsigned i = 0; i < 3; i++)
			codes[i] = live_and_die(py_code("late"));
		for (unsigned i = 0; i < 3; i++)
			cr_assert_eq(codes[i], DISTRIBUTIONS_MAX + i);
		cr_assert_eq(world_times(last, METRIC_RUN)->count, 4);
		cr_assert_eq(world_times(last, METRIC_LIFETIME)->count, 1);
		cr_assert_eq(world_times(0, METRIC_RUN)->count, 3 * 4);
		cr_assert_eq(world_times(0, METRIC_SUSPENDED)->count, 3 * 3);
		cr_assert_eq(world_times(0, METRIC_LIFETIME)->count, 3);
		cr_assert_eq(world_times(0, METRIC_RUN)->sum_ns,
			     3 * world_times(last, METRIC_RUN)->sum_ns);
		cr_assert_eq(world_times(0, METRIC_RUN)->buckets[BUCKET_OF_11000], 3 * 3);
		cr_assert_eq(world_times(0, METRIC_RUN)->max_ns,
			     world_times(last, METRIC_RUN)->max_ns);
	}
}

/* --- frees are not seen --- */

Test(transition_times, objects_are_forgotten_when_they_close)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *gens[4];

		world_settings()->distributions = 1;
		world_settings()->forget_closed = 1;
		for (int i = 0; i < 4; i++)
			gens[i] = py_create(i == 3 ? KIND_ASYNC_GENERATOR : KIND_GENERATOR, code);
		py_next(gens[0]);
		py_return(gens[0]);
		py_next(gens[1]);
		py_raise(gens[1], EXC_VALUE_ERROR);
		py_catch();
		cr_assert(world_object(gens[2]->address));
		py_close(gens[2]); /* never begun */
		if (python_minor() == 11)
			py_raise(gens[2], EXC_GENERATOR_EXIT);
		py_agen_start(gens[3]);
		py_agen_yield(gens[3]);
		cr_assert(world_object(gens[3]->address));
		py_agen_start(gens[3]);
		py_agen_return(gens[3]); /* the flag falls after the end */
		for (int i = 0; i < 4; i++)
			cr_assert_null(world_object(gens[i]->address), "3.%u: gens[%d]",
				       python_minor(), i);
		cr_assert_eq(world_count(STAT_OBJECTS), 4);
		while (take_transition())
			;
	}
}

/* Its address is free: what comes there is another one, born or not. */
Test(transition_times, a_forgotten_address_is_used_again)
{
	EACH_WORLD
	{
		struct py_code *code = py_code("f");
		struct py_gen *first = py_create(KIND_GENERATOR, code), *second;
		uint64_t first_id = world_object(first->address)->id;

		world_settings()->distributions = 1;
		world_settings()->forget_closed = 1;
		py_next(first);
		py_return(first);
		second = py_create_at(first->address, KIND_COROUTINE, py_code("g"));
		cr_assert_neq(world_object(second->address)->id, first_id);
		cr_assert_eq(world_object(second->address)->kind, KIND_COROUTINE);
		py_send(second);
		py_return(second);
		cr_assert_null(world_object(second->address));
		while (take_transition())
			;
	}
}

/* A CLOSED of what is not in the map (its end has been seen, or nothing has) enters nothing. */
Test(transition_times, nothing_enters_the_map_closed)
{
	EACH_WORLD
	{
		struct py_gen *gen = py_existing(KIND_GENERATOR, py_code("f"), STATE_SUSPENDED);

		world_settings()->distributions = 1;
		world_settings()->forget_closed = 1;
		world_watch(false);
		py_next(gen);
		world_watch(true);
		py_return(gen);
		cr_assert_null(world_object(gen->address));
		cr_assert_eq(world_count(STAT_OBJECTS), 0);
		cr_assert_eq(world_count(STAT_EVENTS), 0);
		cr_assert_eq(world_count(STAT_REDUNDANT), python_minor() == 11 ? 2 : 1);
	}
}
