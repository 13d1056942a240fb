/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "python_model.h"

/*
 * The distributions that BPF keeps of run, self, suspended, start and lifetime. What they must be is worked
 * out from the transitions of the same run: they go through the ring as well, but for the tests of a run that
 * sends none. Some numbers are also written down, so that the working out itself is held against something.
 */

#define CODES 16
#define LIVES 64
#define DEEP  16

struct life {
	uint64_t id, birth_ns, changed_ns;
	uint32_t code;
};

/* An object that runs on a thread, and what has run inside it. */
struct running {
	uint64_t id, inner_ns;
};

static struct known {
	struct distributions times[CODES];
	uint64_t transitions[CODES];
	struct life lives[LIVES];
	struct running stack[THREADS_MAX][DEEP];
	unsigned depth[THREADS_MAX];
	unsigned lives_count;
} known;

static void times_begin(void)
{
	memset(&known, 0, sizeof(known));
	world_settings()->distributions = 1;
}

/* Bucket 0 is all below 128 ns; then each power of two in eight. */
static unsigned bucket_of(uint64_t ns)
{
	unsigned power = 63 - (unsigned)__builtin_clzll(ns | 1);

	if (ns < 128)
		return 0;
	if (power >= HISTOGRAM_LAST_POWER)
		return HISTOGRAM_BUCKETS - 1;
	return 1 + (power - 7) * 8 + (unsigned)((ns - (1ull << power)) * 8 >> power);
}

static void note(uint32_t code, enum metric metric, uint64_t ns)
{
	struct histogram *histogram = &known.times[code].metric[metric];

	cr_assert_lt(code, CODES);
	histogram->count++;
	histogram->sum_ns += ns;
	histogram->max_ns = ns > histogram->max_ns ? ns : histogram->max_ns;
	histogram->buckets[bucket_of(ns)]++;
}

static struct life *life_of(const struct transition_record *t)
{
	struct life *life = known.lives;

	while (life < known.lives + known.lives_count && life->id != t->id)
		life++;
	if (life == known.lives + known.lives_count) {
		cr_assert_lt(known.lives_count++, LIVES);
		*life = (struct life){ .id = t->id, .code = t->code };
	}
	return life;
}

/* A step has ended: its own time is what did not run inside. */
static void note_step(const struct transition_record *t, const struct life *life)
{
	unsigned tid = t->head.tid % 1000, depth = known.depth[tid];
	uint64_t ran = t->head.ts_ns - life->changed_ns;
	struct running *top;

	if (!life->changed_ns)
		return;
	cr_assert(depth, "the test's own steps do not nest");
	top = &known.stack[tid][depth - 1];
	cr_assert_eq(top->id, t->id, "the test's own steps do not nest");
	note(t->code, METRIC_RUN, ran);
	note(t->code, METRIC_SELF, ran - top->inner_ns);
	known.depth[tid]--;
	if (depth > 1)
		top[-1].inner_ns += ran;
}

static void note_transition(const struct transition_record *t)
{
	struct life *life = life_of(t);
	unsigned tid = t->head.tid % 1000;

	if (t->from == NONE)
		life->birth_ns = t->head.ts_ns;
	if (t->from == RUNNING)
		note_step(t, life);
	if (t->from == SUSPENDED && life->changed_ns)
		note(t->code, METRIC_SUSPENDED, t->head.ts_ns - life->changed_ns);
	if (t->from == CREATED && t->to == RUNNING && life->birth_ns)
		note(t->code, METRIC_START, t->head.ts_ns - life->birth_ns);
	if (t->to == CLOSED && life->birth_ns)
		note(t->code, METRIC_LIFETIME, t->head.ts_ns - life->birth_ns);
	if (t->to == RUNNING)
		known.stack[tid][known.depth[tid]++] = (struct running){ .id = t->id };
	life->changed_ns = t->head.ts_ns;
}

static void check_histogram(const struct histogram *expected, const struct histogram *got,
			    uint32_t code, unsigned metric)
{
	cr_assert_eq(expected->count, got->count, "3.%u, code %u, metric %u: %llu, not %llu",
		     python_minor(), code, metric, got->count, expected->count);
	cr_assert_eq(expected->sum_ns, got->sum_ns, "3.%u, code %u, metric %u: sum %llu, not %llu",
		     python_minor(), code, metric, got->sum_ns, expected->sum_ns);
	cr_assert_eq(expected->max_ns, got->max_ns, "3.%u, code %u, metric %u: max %llu, not %llu",
		     python_minor(), code, metric, got->max_ns, expected->max_ns);
	cr_assert_eq(memcmp(expected->buckets, got->buckets, sizeof(got->buckets)), 0,
		     "3.%u, code %u, metric %u: buckets", python_minor(), code, metric);
}

/* All distributions are what the transitions so far make of them. */
static void times_end(void)
{
	const struct transition_record *t;

	while ((t = take_transition())) {
		note_transition(t);
		known.transitions[t->code]++;
	}
	for (uint32_t code = 0; code < CODES; code++) {
		cr_assert_eq(world_transitions(code), known.transitions[code],
			     "code %u: %llu transitions, not %llu", code,
			     (unsigned long long)world_transitions(code),
			     (unsigned long long)known.transitions[code]);
		for (unsigned metric = 0; metric < METRIC_COUNT; metric++)
			check_histogram(&known.times[code].metric[metric],
					world_times(code, metric), code, metric);
	}
}

#define EACH_WORLD_WITH_TIMES                                                                      \
	EACH_WORLD                                                                                 \
	for (bool once_ = (times_begin(), true); once_; times_end(), once_ = false)

static void resume_inner(struct py_gen *gen)
{
	if (python_minor() == 11)
		py_am_send(gen);
	else
		py_resume(gen);
}

/* When the last store was: 3.11 has COMPLETED and CLEARED of what ends, a hit each. */
static uint64_t end_ns(void)
{
	return world_now() - (python_minor() == 11 ? 1000 : 0);
}

Test(transition_times, of_one_generator_by_hand)
{
	EACH_WORLD
	{
		struct py_gen *gen;
		uint64_t birth, begun, left, again, ended;
		uint32_t code;

		times_begin();
		gen = py_create(KIND_GENERATOR, py_code("f"));
		birth = world_now();
		time_passes(5000000);
		py_next(gen);
		begun = world_now();
		time_passes(70000);
		py_yield(gen);
		left = world_now();
		time_passes(900);
		py_next(gen);
		again = world_now();
		time_passes(123456789);
		py_return(gen);
		ended = end_ns();
		cr_assert_eq(begun - birth, 5001000);
		cr_assert_eq(left - begun, 71000);
		cr_assert_eq(again - left, 1900);
		cr_assert_eq(ended - again, 123457789);
		times_end();
		code = world_object(gen->address)->code;
		cr_assert_eq(world_times(code, METRIC_RUN)->count, 2);
		cr_assert_eq(world_times(code, METRIC_RUN)->sum_ns, 71000 + 123457789);
		cr_assert_eq(world_times(code, METRIC_RUN)->max_ns, 123457789);
		/* 71000 is in [69632, 73728): the first of the eight parts from 2^16 on is [65536, 73728) */
		cr_assert_eq(world_times(code, METRIC_RUN)->buckets[1 + 9 * 8], 1);
		cr_assert_eq(world_times(code, METRIC_SELF)->sum_ns, 71000 + 123457789);
		cr_assert_eq(world_times(code, METRIC_SUSPENDED)->count, 1);
		cr_assert_eq(world_times(code, METRIC_SUSPENDED)->sum_ns, 1900);
		cr_assert_eq(world_times(code, METRIC_START)->sum_ns, 5001000);
		cr_assert_eq(world_times(code, METRIC_LIFETIME)->count, 1);
		cr_assert_eq(world_times(code, METRIC_LIFETIME)->sum_ns, ended - birth);
	}
}

/* Every length from nothing to more than a histogram goes. */
Test(transition_times, of_every_length)
{
	EACH_WORLD_WITH_TIMES
	{
		struct py_gen *gen = py_create(KIND_GENERATOR, py_code("f"));

		for (unsigned power = 0; power < 45; power++)
			for (int off = -1; off <= 1; off++) {
				py_next(gen);
				time_passes((1ull << power) + (uint64_t)off);
				py_yield(gen);
				time_passes((3ull << power) + (uint64_t)off);
			}
	}
}

/* Five coroutines, each awaiting the next; all are driven through again and again. */
Test(transition_times, of_a_chain)
{
	EACH_WORLD_WITH_TIMES
	{
		struct py_gen *coros[5];
		const struct histogram *self, *run;

		for (int i = 0; i < 5; i++)
			coros[i] = py_create(KIND_COROUTINE, py_code("coro"));
		for (int turn = 0; turn < 4; turn++) {
			py_send(coros[0]);
			for (int i = 1; i < 5; i++) {
				time_passes(1000u << i);
				py_at(OPCODE_SEND);
				resume_inner(coros[i]);
			}
			time_passes(7000);
			for (int i = 4; i >= 0; i--) {
				if (turn == 3)
					py_return(coros[i]);
				else
					py_await(coros[i], i < 4 ? coros[i + 1] : NULL);
				time_passes(300u << i);
			}
		}
		times_end();
		for (int i = 0; i < 5; i++) {
			uint32_t code = world_object(coros[i]->address)->code;

			run = world_times(code, METRIC_RUN);
			self = world_times(code, METRIC_SELF);
			cr_assert_eq(run->count, 4);
			cr_assert_eq(self->count, 4);
			if (i == 4)
				cr_assert_eq(run->sum_ns, self->sum_ns);
			else /* what is left when the inner one's run is taken out */
				cr_assert_eq(
					self->sum_ns,
					run->sum_ns -
						world_times(
							world_object(coros[i + 1]->address)->code,
							METRIC_RUN)
							->sum_ns);
		}
	}
}

/* One that drives several, one after the other, by every way in. */
Test(transition_times, of_many_inside_one)
{
	EACH_WORLD_WITH_TIMES
	{
		struct py_code *code = py_code("inner");
		struct py_gen *outer = py_create(KIND_COROUTINE, py_code("outer"));

		py_send(outer);
		for (unsigned i = 0; i < 6; i++) {
			struct py_gen *inner =
				py_create(i & 1 ? KIND_GENERATOR : KIND_COROUTINE, code);

			time_passes(11000 + i);
			if (i & 1)
				py_next(inner);
			else
				py_send(inner);
			time_passes(2000u << i);
			if (i % 3)
				py_return(inner);
			else
				py_yield(inner);
			time_passes(500);
		}
		py_yield(outer);
		time_passes(40000);
		py_send(outer); /* nothing is inside this time */
		time_passes(60000);
		py_return(outer);
	}
}

/* The same function inside itself: an entry is written for the inner one while the outer one runs. */
Test(transition_times, of_recursion)
{
	EACH_WORLD_WITH_TIMES
	{
		struct py_code *code = py_code("walk");
		struct py_gen *gens[8];

		for (int i = 0; i < 8; i++) {
			gens[i] = py_create(KIND_GENERATOR, code);
			time_passes(1500);
			py_next(gens[i]);
			time_passes(100u << i);
		}
		for (int i = 7; i >= 0; i--) {
			py_yield(gens[i]);
			time_passes(100u << i);
		}
	}
}

Test(transition_times, of_exceptions)
{
	EACH_WORLD_WITH_TIMES
	{
		struct py_gen *outer = py_create(KIND_COROUTINE, py_code("outer"));
		struct py_gen *inner = py_create(KIND_COROUTINE, py_code("inner"));

		py_send(outer);
		time_passes(3000);
		py_at(OPCODE_SEND);
		resume_inner(inner);
		time_passes(50000);
		py_raise(inner, EXC_VALUE_ERROR);
		time_passes(900);
		py_raise(outer, EXC_VALUE_ERROR);
		py_catch();
	}
}

/* throw() into an await chain: up to 3.14 the outer one counts as executing while the inner one runs. */
Test(transition_times, of_throws)
{
	EACH_WORLD_WITH_TIMES
	{
		struct py_gen *coros[3];

		for (int i = 0; i < 3; i++)
			coros[i] = py_create(KIND_COROUTINE, py_code("coro"));
		py_send(coros[0]);
		for (int i = 1; i < 3; i++) {
			py_at(OPCODE_SEND);
			resume_inner(coros[i]);
		}
		for (int i = 2; i >= 0; i--)
			py_await(coros[i], i < 2 ? coros[i + 1] : NULL);
		time_passes(80000);
		py_throw(coros[0], EXC_VALUE_ERROR);
		time_passes(9000);
		py_raise(coros[2], EXC_VALUE_ERROR);
		time_passes(7000);
		py_raise(coros[1], EXC_VALUE_ERROR);
		time_passes(5000);
		py_catch();
		py_return(coros[0]);
	}
}

Test(transition_times, of_what_is_closed_without_a_step)
{
	EACH_WORLD_WITH_TIMES
	{
		struct py_gen *unused = py_create(KIND_COROUTINE, py_code("unused"));
		struct py_gen *left = py_create(KIND_GENERATOR, py_code("left"));

		time_passes(30000);
		py_drop(unused);
		py_next(left);
		py_yield(left);
		time_passes(20000);
		py_drop(left);
		if (python_minor() == 11) /* GeneratorExit runs it out */
			py_raise(left, EXC_GENERATOR_EXIT);
	}
}

/* An async generator is RUNNING from the flag's rise to its fall, through its own awaits; its self is what its
 * frame ran, without what ran inside. */
Test(transition_times, of_an_async_generator)
{
	EACH_WORLD
	{
		struct py_gen *agen, *inner;
		uint64_t up, run = 0, self = 0, at;
		uint32_t code, inner_code;

		times_begin();
		agen = py_create(KIND_ASYNC_GENERATOR, py_code("agen"));
		inner = py_create(KIND_COROUTINE, py_code("inner"));
		py_agen_start(agen);
		/* the flag of one whose frame has not begun makes no difference: inspect says CREATED */
		up = at = world_now();
		time_passes(10000);
		self += world_now() - at;
		py_at(OPCODE_SEND);
		at = world_now();
		resume_inner(inner);
		self += world_now() - at;
		time_passes(200000);
		py_await(inner, NULL);
		at = world_now();
		time_passes(3000);
		py_await(agen, inner);
		self += world_now() - at;
		time_passes(4000000);
		py_enter(agen);
		at = world_now();
		py_at(OPCODE_SEND);
		resume_inner(inner);
		self += world_now() - at;
		time_passes(600000);
		py_return(inner);
		at = end_ns();
		time_passes(50000);
		py_agen_yield(agen);
		self += world_now() - 1000 - at;
		run = world_now() - up;
		code = world_object(agen->address)->code;
		inner_code = world_object(inner->address)->code;
		cr_assert_eq(world_times(code, METRIC_RUN)->count, 1);
		cr_assert_eq(world_times(code, METRIC_RUN)->sum_ns, run, "3.%u: %llu, not %lu",
			     python_minor(), world_times(code, METRIC_RUN)->sum_ns, run);
		cr_assert_eq(world_times(code, METRIC_SELF)->count, 1);
		cr_assert_eq(world_times(code, METRIC_SELF)->sum_ns, self, "3.%u: %llu, not %lu",
			     python_minor(), world_times(code, METRIC_SELF)->sum_ns, self);
		cr_assert_eq(world_times(code, METRIC_SUSPENDED)->count, 0);
		cr_assert_eq(world_times(code, METRIC_START)->count, 1);
		cr_assert_eq(world_times(inner_code, METRIC_RUN)->count, 2);
		cr_assert_eq(world_times(inner_code, METRIC_SUSPENDED)->count, 1);
		at = world_now();
		time_passes(7777);
		py_agen_start(
			agen); /* now it is RUNNING from the flag on, a hit before the frame */
		cr_assert_eq(world_times(code, METRIC_SUSPENDED)->sum_ns, 7777 + 1000);
		up = at + 7777 + 1000;
		time_passes(1234);
		py_agen_return(agen);
		run = world_now() - 1000 - (python_minor() == 11 ? 1000 : 0) - up;
		self = run - 1000;
		cr_assert_eq(world_times(code, METRIC_RUN)->count, 2);
		cr_assert_eq(world_times(code, METRIC_SELF)->count, 2);
		cr_assert_eq(run, 1000 + 1234 + 1000);
		cr_assert_eq(world_times(code, METRIC_RUN)->buckets[bucket_of(run)], 1);
		cr_assert_eq(world_times(code, METRIC_SELF)->buckets[bucket_of(self)], 1);
		cr_assert_eq(world_times(code, METRIC_LIFETIME)->count, 1);
		while (take_transition())
			;
	}
}

/* Nothing is known of a wait or a step that began before the tracer. */
Test(transition_times, of_what_is_older)
{
	EACH_WORLD_WITH_TIMES
	{
		struct py_gen *waiting =
			py_existing(KIND_GENERATOR, py_code("waiting"), STATE_SUSPENDED);
		struct py_gen *running =
			py_existing(KIND_COROUTINE, py_code("running"), STATE_SUSPENDED);
		uint32_t code;

		py_existing_runs(running);
		py_next(waiting);
		time_passes(5000);
		py_yield(waiting);
		time_passes(7000);
		py_await(running, NULL);
		time_passes(9000);
		py_send(running);
		py_return(running);
		times_end();
		code = world_object(running->address)->code;
		cr_assert_eq(world_times(code, METRIC_RUN)->count, 1);
		cr_assert_eq(world_times(code, METRIC_SUSPENDED)->count, 1);
		cr_assert_eq(world_times(code, METRIC_START)->count, 0);
		cr_assert_eq(world_times(code, METRIC_LIFETIME)->count, 0);
	}
}

Test(transition_times, of_threads)
{
	EACH_WORLD_WITH_TIMES
	{
		struct py_gen *mine = py_create(KIND_GENERATOR, py_code("mine"));
		struct py_gen *yours = py_create(KIND_GENERATOR, py_code("yours"));
		struct py_gen *inner = py_create(KIND_GENERATOR, py_code("inner"));

		py_next(mine);
		time_passes(1000);
		py_thread(1);
		py_next(yours);
		time_passes(2000);
		py_next(inner);
		time_passes(4000);
		py_thread(0);
		py_yield(mine); /* what ran on the other thread did not run inside */
		py_thread(1);
		time_passes(8000);
		py_yield(inner);
		py_yield(yours);
	}
}

/* --- what is sent, what is kept --- */
