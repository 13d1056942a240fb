/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "python_internal.h"

/*
 * Outermost steps alone: probes are on the stores of EXECUTING that C code makes, and behind the calls of
 * the evaluation loop. Whatever else happens to an object is not seen; unseen() stands around it.
 */

static void steps_begin(void)
{
	world_settings()->distributions = 1;
	world_settings()->steps = 1;
	world_settings()->forget_closed = 1;
	world_settings()->stream = 0;
	world_watch(true);
}

#define EACH_WORLD_OF_STEPS                                                                        \
	EACH_WORLD                                                                                 \
	for (bool once_ = (steps_begin(), true); once_; once_ = false)

#define unseen(...)                                                                                \
	do {                                                                                       \
		world_watch(false);                                                                \
		__VA_ARGS__;                                                                       \
		world_watch(true);                                                                 \
	} while (0)

static struct py_gen *create(uint8_t kind, const char *qualname)
{
	struct py_gen *gen;

	unseen(gen = py_create(kind, py_code(qualname)));
	return gen;
}

/* The evaluation loop has returned to the function that began a step of this object. */
static void come_back(struct py_gen *gen)
{
	struct site site = { .role = SITE_RETURN, .from = VALUE_MEMORY, .reg = GPR_RBX };

	site_hit(site_index(&site), gen->address, python.thread->sp);
}

/* The step ends: what it stored is in memory, except that 3.11 stores only after the return. */
static void step_yields(struct py_gen *gen)
{
	unseen(py_yield(gen));
	come_back(gen);
}

static void step_awaits(struct py_gen *gen, struct py_gen *yf)
{
	unseen(py_await(gen, yf));
	come_back(gen);
}

static void step_ends(struct py_gen *gen)
{
	if (python_minor() == 11) {
		cr_assert_eq(py_state(gen), STATE_RUNNING);
		come_back(gen);
		unseen(py_return(gen));
	} else {
		unseen(py_return(gen));
		come_back(gen);
	}
}

static void begin_inner(struct py_gen *gen)
{
	py_at(OPCODE_SEND);
	if (python_minor() == 11)
		py_am_send(gen); /* seen, and filtered */
	else
		unseen(py_resume(gen));
}

static void inner_awaits(struct py_gen *gen, struct py_gen *yf)
{
	unseen(py_await(gen, yf));
	if (python_minor() == 11)
		come_back(gen);
}

static void inner_ends(struct py_gen *gen)
{
	if (python_minor() == 11)
		come_back(gen);
	unseen(py_return(gen));
}

static const struct histogram *times_of(uint32_t code, enum metric metric)
{
	return &world_distributions(code)->metric[metric];
}

static uint32_t code_of_object(const struct py_gen *gen)
{
	cr_assert(world_object(gen->address), "3.%u: it is not in the map", python_minor());
	return world_object(gen->address)->code;
}

static void check_counts(uint32_t code, uint64_t run, uint64_t suspended)
{
	cr_assert_eq(times_of(code, METRIC_RUN)->count, run, "3.%u: %llu steps, not %lu",
		     python_minor(), times_of(code, METRIC_RUN)->count, run);
	cr_assert_eq(times_of(code, METRIC_SELF)->count, run);
	cr_assert_eq(times_of(code, METRIC_SUSPENDED)->count, suspended,
		     "3.%u: %llu waits, not %lu", python_minor(),
		     times_of(code, METRIC_SUSPENDED)->count, suspended);
	cr_assert_eq(times_of(code, METRIC_START)->count, 0);
	cr_assert_eq(times_of(code, METRIC_LIFETIME)->count, 0);
}

Test(transition_steps, of_one_object)
{
	EACH_WORLD_OF_STEPS
	{
		struct py_gen *coro = create(KIND_COROUTINE, "task");
		uint32_t code;

		py_am_send(coro);
		time_passes(30000);
		step_awaits(coro, NULL);
		code = code_of_object(coro);
		cr_assert_eq(times_of(code, METRIC_RUN)->sum_ns, 31000 + 1000);
		time_passes(700000);
		py_am_send(coro);
		time_passes(50000);
		step_ends(coro);
		check_counts(code, 2, 1);
		cr_assert_eq(times_of(code, METRIC_RUN)->max_ns,
			     50000 + 1000 + (python_minor() == 11 ? 0 : 1000));
		cr_assert_eq(times_of(code, METRIC_SUSPENDED)->sum_ns, 701000);
		cr_assert_null(world_object(coro->address)); /* its end was seen */
		cr_assert_eq(world_count(STAT_HITS), 4);
		cr_assert_eq(world_count(STAT_EVENTS), 4);
	}
}

Test(transition_steps, by_every_way_in)
{
	static void (*const ways[])(struct py_gen *) = { py_am_send, py_next, py_enter };

	EACH_WORLD_OF_STEPS
	{
		struct py_gen *gen = create(KIND_GENERATOR, "f");

		for (unsigned turn = 0; turn < 9; turn++) {
			ways[turn % 3](gen);
			step_yields(gen);
		}
		check_counts(code_of_object(gen), 9, 8);
		cr_assert_eq(world_count(STAT_EVENTS), 18);
	}
}

/* However deep it awaits, two events a step; what the inner ones run is the task's own. */
Test(transition_steps, of_a_chain)
{
	EACH_WORLD_OF_STEPS
	{
		struct py_gen *coros[6];
		uint64_t events = 0, run = 0;
		uint32_t code = 0;

		for (int i = 0; i < 6; i++)
			coros[i] = create(KIND_COROUTINE, i ? "inner" : "task");
		for (int turn = 0; turn < 3; turn++) {
			uint64_t begun;

			py_am_send(coros[0]);
			begun = world_now();
			for (int i = 1; i < 6; i++) {
				time_passes(10000);
				begin_inner(coros[i]);
			}
			for (int i = 5; i > 0; i--) {
				if (turn == 2)
					inner_ends(coros[i]);
				else
					inner_awaits(coros[i], i < 5 ? coros[i + 1] : NULL);
			}
			code = code_of_object(coros[0]);
			if (turn == 2)
				step_ends(coros[0]);
			else
				step_awaits(coros[0], coros[1]);
			run += world_now() - begun;
			if (turn == 2 && python_minor() == 11)
				run -= 2000; /* COMPLETED and CLEARED come behind */
			time_passes(60000);
			events += 2;
			cr_assert_eq(world_count(STAT_EVENTS), events);
		}
		check_counts(code, 3, 2);
		cr_assert_eq(times_of(code, METRIC_RUN)->sum_ns, run);
		cr_assert_eq(times_of(code, METRIC_SELF)->sum_ns, run);
		cr_assert_eq(world_count(STAT_OBJECTS), 1);
		for (int i = 1; i < 6; i++)
			cr_assert_null(world_object(coros[i]->address));
		/* 3.11 resumes what is awaited from C as well: a hit in and one out */
		cr_assert_eq(world_count(STAT_FILTERED), python_minor() == 11 ? 3 * 5 * 2 : 0);
	}
}

/* C code inside a step drives another object: next(), list(), a callback of asyncio. */
Test(transition_steps, filter_what_is_driven_inside)
{
	EACH_WORLD_OF_STEPS
	{
		struct py_gen *task = create(KIND_COROUTINE, "task");
		struct py_gen *inner = create(KIND_GENERATOR, "inner");

		py_am_send(task);
		for (int i = 0; i < 4; i++) {
			py_next(inner);
			step_yields(inner);
		}
		py_next(inner);
		step_ends(inner);
		step_awaits(task, NULL);
		check_counts(code_of_object(task), 1, 0);
		cr_assert_null(world_object(inner->address));
		cr_assert_eq(world_count(STAT_FILTERED), 10);
		cr_assert_eq(world_count(STAT_EVENTS), 2);
	}
}

Test(transition_steps, keep_threads_apart)
{
	EACH_WORLD_OF_STEPS
	{
		struct py_gen *mine = create(KIND_COROUTINE, "mine");
		struct py_gen *yours = create(KIND_COROUTINE, "yours");

		py_am_send(mine);
		py_thread(1);
		py_am_send(yours);
		py_thread(0);
		step_awaits(mine, NULL);
		py_thread(1);
		step_awaits(yours, NULL);
		check_counts(code_of_object(mine), 1, 0);
		check_counts(code_of_object(yours), 1, 0);
		cr_assert_eq(world_count(STAT_FILTERED), 0);
	}
}

/* A step that began before the probes came, or whose entry is not one of those with a probe. */
Test(transition_steps, filter_a_return_of_what_is_not_on_top)
{
	EACH_WORLD_OF_STEPS
	{
		struct py_gen *older = create(KIND_COROUTINE, "older");
		struct py_gen *task = create(KIND_COROUTINE, "task");

		unseen(py_am_send(older));
		step_awaits(older, NULL);
		cr_assert_null(world_object(older->address));
		cr_assert_eq(world_count(STAT_FILTERED), 1);
		py_am_send(task);
		come_back(older);
		cr_assert_eq(world_count(STAT_FILTERED), 2);
		step_awaits(task, NULL);
		check_counts(code_of_object(task), 1, 0);
		come_back(task); /* once more than it was entered */
		cr_assert_eq(world_count(STAT_FILTERED), 3);
		check_counts(code_of_object(task), 1, 0);
		cr_assert_eq(world_count(STAT_OBJECTS), 1);
	}
}

/* Between the two probes nothing is known of 3.11's ends but that the state is still EXECUTING. */
Test(transition_steps, end_where_executing_is_left_behind)
{
	EACH_WORLD_OF_STEPS
	{
		struct py_gen *coro = create(KIND_COROUTINE, "task");
		uint32_t code;

		py_am_send(coro);
		code = code_of_object(coro);
		come_back(
			coro); /* as 3.11 leaves it; no other version does, but it would mean the same */
		cr_assert_null(world_object(coro->address));
		cr_assert_eq(times_of(code, METRIC_RUN)->count, 1);
		unseen(py_return(coro));
		cr_assert_eq(world_count(STAT_EVENTS), 2);
	}
}

/* An exception ends a step as well. */
Test(transition_steps, end_with_an_exception)
{
	EACH_WORLD_OF_STEPS
	{
		struct py_gen *coro = create(KIND_COROUTINE, "task");
		uint32_t code;

		py_am_send(coro);
		code = code_of_object(coro);
		set_exception(EXC_VALUE_ERROR);
		if (python_minor() == 11)
			come_back(coro);
		unseen(py_raise(coro, EXC_VALUE_ERROR));
		if (python_minor() != 11)
			come_back(coro);
		check_counts(code, 1, 0);
		cr_assert_null(world_object(coro->address));
	}
}

/* --- what was not told --- */

/* A coroutine that waited is closed without a step, freed, and its address used again. */
static void check_reuse(uint8_t kind, const char *qualname)
{
	EACH_WORLD_OF_STEPS
	{
		struct py_code *code = py_code("task");
		struct py_gen *old, *fresh;
		uint64_t old_id;

		unseen(old = py_create(KIND_COROUTINE, code));
		py_am_send(old);
		step_awaits(old, NULL);
		old_id = world_object(old->address)->id;
		unseen(py_close(old); if (python_minor() == 11) py_raise(old, EXC_GENERATOR_EXIT));
		unseen(py_drop(old));
		time_passes(1000000000);
		unseen(fresh = py_create_at(old->address, kind,
					    qualname ? py_code(qualname) : code));
		py_am_send(fresh);
		cr_assert_neq(world_object(fresh->address)->id, old_id, "3.%u", python_minor());
		cr_assert_eq(world_object(fresh->address)->kind, kind, "3.%u", python_minor());
		step_awaits(fresh, NULL);
		/* the second that passed is nobody's wait */
		check_counts(world_object(fresh->address)->code, qualname ? 1 : 2, 0);
		cr_assert_eq(world_count(STAT_OBJECTS), 2);
	}
}

Test(transition_steps, do_not_mistake_another_of_the_same_function)
{
	check_reuse(KIND_COROUTINE, NULL);
}

Test(transition_steps, do_not_mistake_one_of_another_function)
{
	check_reuse(KIND_COROUTINE, "other");
}

Test(transition_steps, do_not_mistake_one_of_another_kind)
{
	check_reuse(KIND_GENERATOR, "other");
}

/* throw() into what it awaited: 3.11 has moved the outer one's frame on when that comes back. */
Test(transition_steps, know_one_that_is_thrown_into)
{
	EACH_WORLD_OF_STEPS
	{
		struct py_gen *task = create(KIND_COROUTINE, "task");
		uint32_t code;

		py_am_send(task);
		step_awaits(task, NULL);
		code = code_of_object(task);
		time_passes(90000);
		frame_stand_at(frame_of(task), UNIT_CALL);
		set_exception(EXC_VALUE_ERROR);
		py_enter(task);
		step_ends(task);
		check_counts(code, 2, 1);
		cr_assert_eq(world_count(STAT_OBJECTS), 1);
	}
}

/* A step that ended unseen (a jump over the return: greenlets, longjmp) leaves its object on the thread. Its
 * memory says that it does not run. */
Test(transition_steps, are_not_hidden_by_a_driver_that_left)
{
	EACH_WORLD_OF_STEPS
	{
		struct py_gen *gone = create(KIND_COROUTINE, "gone");
		struct py_gen *next = create(KIND_COROUTINE, "next");

		py_am_send(gone);
		unseen(py_await(gone, NULL));
		for (int i = 0; i < 3; i++) {
			py_am_send(next);
			step_awaits(next, NULL);
		}
		check_counts(code_of_object(next), 3, 2);
		cr_assert_eq(world_count(STAT_FILTERED), 0);
		cr_assert_eq(world_count(STAT_EVENTS), 1 + 6);
	}
}

/* The same, but its memory is gone as well: what cannot be read is not EXECUTING, though it reads as 0. */
Test(transition_steps, are_not_hidden_by_a_driver_that_is_freed)
{
	EACH_WORLD_OF_STEPS
	{
		struct py_gen *gone = create(KIND_COROUTINE, "gone");
		struct py_gen *next = create(KIND_COROUTINE, "next");

		py_am_send(gone);
		unseen(py_return(gone); py_drop(gone));
		memory_fault(gone->address, true);
		py_am_send(next);
		memory_fault(gone->address, false);
		step_awaits(next, NULL);
		check_counts(code_of_object(next), 1, 0);
	}
}

/* Whoever is really running hides what it drives, however often that is resumed. */
Test(transition_steps, are_hidden_by_a_driver_that_runs)
{
	EACH_WORLD_OF_STEPS
	{
		struct py_gen *task = create(KIND_COROUTINE, "task");
		struct py_gen *other = create(KIND_COROUTINE, "other");

		py_am_send(task);
		for (int i = 0; i < 5; i++) {
			py_am_send(other);
			step_awaits(other, NULL);
		}
		step_ends(task);
		cr_assert_eq(world_count(STAT_FILTERED), 10);
		py_am_send(other); /* on its own now */
		step_awaits(other, NULL);
		check_counts(code_of_object(other), 1, 0);
	}
}
