/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "python_model.h"

/* The state map looked through: what is counted, and what is told. Entries are made as they come to be in a run. */

#define HOUR 3600000000000ull

static struct object entry(uint64_t id, uint8_t kind, uint8_t state, uint32_t code,
			   uint64_t changed_ns)
{
	return (struct object){ .id = id,
				.kind = kind,
				.visible = state,
				.frame = state,
				.code = code,
				.seq = 3,
				.tid = 1001,
				.instruction = (uint32_t)id,
				.changed_ns = changed_ns };
}

static uint64_t address(uint64_t id)
{
	return 0x10000 + id * 0x100;
}

static struct object *put(uint64_t id, uint8_t state, uint64_t changed_ns)
{
	struct object object = entry(id, KIND_COROUTINE, state, 1, changed_ns);

	return world_enter(address(id), &object);
}

static struct object *put_awaiting(uint64_t id, uint64_t inner, uint64_t changed_ns)
{
	struct object *object = put(id, SUSPENDED, changed_ns);

	object->inner_gen = address(inner);
	return object;
}

static void world(void)
{
	python_begin(0);
	time_passes(10 * HOUR);
}

/* The next one told is that, for that reason. */
static const struct living_record *told(uint64_t id, uint8_t asked)
{
	const struct living_record *record = take_living();

	cr_assert(record, "%llu was not told", (unsigned long long)id);
	cr_assert_eq(record->id, id, "%llu was told, not %llu", (unsigned long long)record->id,
		     (unsigned long long)id);
	cr_assert_eq(record->asked, asked, "%llu was told for %u", (unsigned long long)id,
		     record->asked);
	cr_assert_eq(record->gen, address(id));
	return record;
}

static void no_more(void)
{
	cr_assert_null(take_living(), "one more was told");
}

static struct survey parked(void)
{
	return (struct survey){
		.flags = SURVEY_PARKED, .limit = 100, .begin_ns = 5, .parked_ns = 2 * HOUR
	};
}

Test(survey, counts_by_function_and_state)
{
	struct survey survey = { .flags = SURVEY_COUNT, .begin_ns = 77 };
	struct object object;
	const struct survey_counts *counts;

	world();
	for (uint64_t id = 1; id <= 4; id++)
		put(id, SUSPENDED, 1000 + id);
	put(5, RUNNING, 10);
	put(6, CLOSED, 10);
	put(7, CREATED, 10);
	object = entry(8, KIND_GENERATOR, SUSPENDED, 2, 0);
	object.birth_ns = 500;
	world_enter(address(8), &object);
	object = entry(9, KIND_GENERATOR, SUSPENDED, 3, 0); /* older than the run */
	world_enter(address(9), &object);
	object = entry(10, KIND_GENERATOR, SUSPENDED, DISTRIBUTIONS_MAX, 300);
	world_enter(address(10), &object);
	object = entry(11, KIND_GENERATOR, CREATED, 0, 300);
	world_enter(address(11), &object);
	world_survey(&survey);
	cr_expect_eq(survey.objects, 11);
	cr_expect_eq(survey.told + survey.left + survey.records, 0);
	counts = world_counts(1);
	cr_expect_eq(counts->objects[SUSPENDED], 4);
	cr_expect_eq(counts->objects[RUNNING], 1);
	cr_expect_eq(counts->objects[CLOSED], 1);
	cr_expect_eq(counts->objects[CREATED], 1);
	cr_expect_eq(counts->objects[NONE], 0);
	cr_expect_eq(counts->suspended_ns, 1001, "the oldest of those that are suspended");
	cr_expect_eq(world_counts(2)->suspended_ns, 500, "since its birth");
	cr_expect_eq(world_counts(3)->suspended_ns, 77, "since the run began, at least");
	cr_expect_eq(world_counts(DISTRIBUTIONS_MAX)->objects[SUSPENDED], 1, "ids of any size");
	cr_expect_eq(world_counts(DISTRIBUTIONS_MAX)->suspended_ns, 300);
	cr_expect_eq(world_counts(0)->objects[CREATED], 1, "of a function that is not known");
	cr_expect_eq(world_counts(0)->objects[SUSPENDED], 0);
	world_survey(&survey);
	cr_expect_eq(world_counts(1)->objects[SUSPENDED], 4, "counted anew");
	no_more();
	python_end();
}

Test(survey, tells_what_runs)
{
	struct survey survey = { .flags = SURVEY_RUNNING, .limit = 0, .begin_ns = 5 };
	const struct living_record *record;
	struct object *object, agen;

	world();
	put(1, SUSPENDED, 10);
	object = put(2, RUNNING, 20);
	object->entered_ns = 30;
	object->driver_id = 9;
	object->maker_code = 4;
	object->maker_instruction = 6;
	agen = entry(3, KIND_ASYNC_GENERATOR, RUNNING, 1, 20);
	agen.frame = SUSPENDED; /* it awaits */
	agen.async = 1;
	world_enter(address(3), &agen);
	agen.frame = RUNNING;
	agen.entered_ns = 40;
	agen.id = 4;
	world_enter(address(4), &agen);
	world_survey(&survey);
	record = told(2, SURVEY_RUNNING);
	cr_expect_eq(record->head.pid, 1000);
	cr_expect_eq(record->head.tid, 1001);
	cr_expect_eq(record->head.ts_ns, survey.now_ns);
	cr_expect_eq(record->changed_ns, 30, "its frame's step");
	cr_expect_eq(record->driver, 9);
	cr_expect_eq(record->seq, 3);
	cr_expect_eq(record->code, 1);
	cr_expect_eq(record->maker_code, 4);
	cr_expect_eq(record->maker_instruction, 6);
	cr_expect_eq(record->kind, KIND_COROUTINE);
	cr_expect_eq(record->state, STATE_RUNNING);
	cr_expect_eq(record->frame, STATE_RUNNING);
	record = told(4, SURVEY_RUNNING);
	cr_expect_eq(record->changed_ns, 40, "not since its asend(), which had waits in it");
	no_more();
	cr_expect_eq(survey.told, 2, "whatever the limit is");
	cr_expect_eq(survey.records, 2);
	cr_expect_eq(survey.left, 0);
	world_survey(&survey);
	told(2, SURVEY_RUNNING); /* each time: the user side knows which it has shown */
	told(4, SURVEY_RUNNING);
	python_end();
}

Test(survey, tells_what_is_parked_once_a_suspension)
{
	struct survey survey = parked();
	struct object *object;
	struct object older;

	world();
	object = put(1, SUSPENDED, 2 * HOUR);
	put(2, SUSPENDED, 2 * HOUR + 1);
	put(3, CREATED, 10);
	put(4, CLOSED, 10);
	put(5, RUNNING, 10);
	older = entry(6, KIND_GENERATOR, SUSPENDED, 1, 0);
	older.seq = 0;
	world_enter(address(6), &older);
	world_survey(&survey);
	cr_expect_eq(told(1, SURVEY_PARKED)->changed_ns, 2 * HOUR);
	cr_expect_eq(told(6, SURVEY_PARKED)->changed_ns, 0, "when is not known");
	no_more();
	cr_expect_eq(survey.told, 2);
	survey = parked();
	world_survey(&survey);
	no_more();
	cr_expect_eq(survey.told + survey.left, 0);
	object->seq += 2; /* it ran, and is suspended again */
	world_survey(&survey);
	told(1, SURVEY_PARKED);
	no_more();
	python_end();
}

Test(survey, tells_of_each_no_more_than_asked)
{
	struct survey survey = parked();

	world();
	for (uint64_t id = 1; id <= 10; id++)
		put(id, SUSPENDED, id);
	survey.limit = 4;
	for (uint64_t first = 1; first <= 10; first += 4) {
		survey.told = survey.records = 0;
		survey.left = 0;
		world_survey(&survey);
		cr_expect_eq(survey.told, first < 9 ? 4 : 2);
		cr_expect_eq(survey.left, first < 9 ? 10 - first - 3 : 0);
		for (uint64_t id = first; id < first + survey.told; id++)
			told(id, SURVEY_PARKED);
		no_more();
	}
	python_end();
}

Test(survey, goes_on_where_the_ring_was_full)
{
	struct survey survey = parked();

	world();
	for (uint64_t id = 1; id <= 5; id++)
		put(id, SUSPENDED, id);
	world_ring_limit(3 * sizeof(struct living_record));
	world_survey(&survey);
	cr_expect_eq(survey.told, 3);
	cr_expect_eq(survey.records, 3);
	cr_expect_eq(survey.left, 2);
	for (uint64_t id = 1; id <= 3; id++)
		told(id, SURVEY_PARKED);
	survey = parked();
	world_survey(&survey);
	cr_expect_eq(survey.told, 2);
	told(4, SURVEY_PARKED);
	told(5, SURVEY_PARKED);
	no_more();
	python_end();
}

/* Whatever the order of the map, and however many are told at once. */
Test(survey, tells_what_is_awaited_with_what_awaits_it)
{
	struct survey survey = parked();

	world();
	put(3, SUSPENDED, 103); /* the innermost is suspended first */
	put_awaiting(2, 3, 104);
	put_awaiting(1, 2, 105);
	put(7, SUSPENDED, 107);
	survey.limit = 1;
	world_survey(&survey);
	told(1, SURVEY_PARKED);
	told(2, SURVEY_AWAITED);
	told(3, SURVEY_AWAITED);
	no_more();
	cr_expect_eq(survey.told, 1);
	cr_expect_eq(survey.records, 3);
	cr_expect_eq(survey.left, 1);
	survey = parked();
	world_survey(&survey);
	told(7, SURVEY_PARKED);
	no_more();
	python_end();
}

/* Between the suspension of an inner one and of the one that awaits it lies the limit. */
Test(survey, waits_for_the_outermost)
{
	struct survey survey = parked();

	world();
	put(2, SUSPENDED, 2 * HOUR - 1);
	put_awaiting(1, 2, 2 * HOUR + 1);
	world_survey(&survey);
	no_more();
	survey = parked();
	survey.parked_ns += 1;
	world_survey(&survey);
	told(1, SURVEY_PARKED);
	told(2, SURVEY_AWAITED);
	no_more();
	python_end();
}

/* An async generator that awaits is RUNNING, but a link like any other. */
Test(survey, goes_through_async_generators)
{
	struct survey survey = parked();
	struct object agen = entry(2, KIND_ASYNC_GENERATOR, RUNNING, 1, 100);
	const struct living_record *record;

	world();
	agen.frame = SUSPENDED;
	agen.async = 1;
	agen.inner_gen = address(3);
	world_enter(address(2), &agen);
	put(3, SUSPENDED, 103);
	put_awaiting(1, 2, 105);
	world_survey(&survey);
	told(1, SURVEY_PARKED);
	record = told(2, SURVEY_AWAITED);
	cr_expect_eq(record->state, STATE_RUNNING);
	cr_expect_eq(record->frame, STATE_SUSPENDED);
	told(3, SURVEY_AWAITED);
	no_more();
	python_end();
}

/* What awaited it may go first: at the end of a process all of its objects do, in no order. */
Test(survey, tells_what_was_awaited_once)
{
	struct survey survey = parked();

	world();
	put(3, SUSPENDED, 103);
	put_awaiting(2, 3, 104);
	put_awaiting(1, 2, 105);
	world_survey(&survey);
	told(1, SURVEY_PARKED);
	told(2, SURVEY_AWAITED);
	told(3, SURVEY_AWAITED);
	no_more();
	world_object(address(1))->frame = CLOSED;
	survey = parked();
	world_survey(&survey);
	no_more();
	cr_expect_eq(survey.told + survey.left, 0);
	world_object(address(2))->seq += 2; /* it ran, and is suspended again */
	survey = parked();
	world_survey(&survey);
	told(2, SURVEY_PARKED);
	told(3, SURVEY_AWAITED);
	no_more();
	python_end();
}

/* What was awaited may be gone, or run again; who awaited may be gone. */
Test(survey, believes_no_link_that_is_broken)
{
	struct survey survey = parked();

	world();
	put_awaiting(1, 9, 101); /* 9 is not there */
	put(2, RUNNING, 102);
	put_awaiting(3, 2, 103);
	world_survey(&survey);
	told(1, SURVEY_PARKED);
	told(3, SURVEY_PARKED);
	no_more();
	put(5, SUSPENDED, 105);
	put_awaiting(4, 5, 104)->frame = CLOSED; /* its word of then does not count */
	survey = parked();
	world_survey(&survey);
	told(5, SURVEY_PARKED);
	no_more();
	python_end();
}

/* So long a chain is cut, one that closes is not followed for ever. */
Test(survey, follows_a_chain_so_far)
{
	struct survey survey = parked();

	world();
	for (uint64_t id = 1; id <= 100; id++)
		put_awaiting(id, id + 1, 10);
	world_survey(&survey);
	told(1, SURVEY_PARKED);
	for (uint64_t id = 2; id <= 65; id++)
		told(id, SURVEY_AWAITED);
	no_more();
	put_awaiting(201, 202, 10);
	put_awaiting(202, 203, 10);
	put_awaiting(203, 202, 10);
	survey = parked();
	world_survey(&survey);
	told(201, SURVEY_PARKED);
	cr_expect_leq(survey.records, 65u);
	while (take_living())
		;
	python_end();
}

Test(survey, tells_those_of_a_function)
{
	struct survey survey = { .flags = SURVEY_CODE, .code = 2, .limit = 10 };
	struct object object;

	world();
	put(1, SUSPENDED, 10);
	for (uint8_t state = CREATED; state <= CLOSED; state++) {
		object = entry(1u + state, KIND_GENERATOR, state, 2, 10);
		world_enter(address(1u + state), &object);
	}
	world_survey(&survey);
	told(1 + CREATED, SURVEY_CODE);
	told(1 + RUNNING, SURVEY_CODE);
	told(1 + SUSPENDED, SURVEY_CODE);
	no_more();
	world_survey(&survey);
	told(1 + CREATED, SURVEY_CODE); /* each time */
	while (take_living())
		;
	python_end();
}
