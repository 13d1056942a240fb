/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "model/repeats.h"
#include "model/suspects.h"

/* What makes an object a suspect, and what does not; and how many of the same are shown. */

static struct code code = { .qualname = "f" }, other = { .qualname = "g" };

static struct transition_record change(uint8_t kind, uint8_t from, uint8_t to, uint8_t via)
{
	return (struct transition_record){ .head = { .ts_ns = 5000 },
					   .gen = 0x1000,
					   .id = 7,
					   .kind = kind,
					   .from = from,
					   .to = to,
					   .via = via };
}

static uint8_t type_with(const struct transition_record *t, struct suspect *out)
{
	struct event event = { .type = EVENT_TRANSITION,
			       .ts_ns = t->head.ts_ns,
			       .transition = t,
			       .code = &code,
			       .line = 42,
			       .maker = &other,
			       .maker_line = 43 };

	memset(out, 0xa5, sizeof(*out));
	if (!suspect_of_event(&event, out))
		return SUSPECT_NONE;
	cr_assert_eq(out->self.id, 7);
	cr_assert_eq(out->self.code, &code);
	cr_assert_eq(out->maker, &other);
	cr_assert_eq(out->maker_line, 43u);
	cr_assert_null(out->chain);
	return out->type;
}

static uint8_t type_of(uint8_t kind, uint8_t from, uint8_t to, uint8_t via, uint64_t parent)
{
	struct transition_record t = change(kind, from, to, via);
	struct suspect suspect;

	t.parent = parent;
	return type_with(&t, &suspect);
}

#define GENERATOR KIND_GENERATOR
#define COROUTINE KIND_COROUTINE
#define AGEN      KIND_ASYNC_GENERATOR

Test(suspects, are_coroutines_that_were_never_awaited)
{
	cr_expect_eq(type_of(COROUTINE, STATE_CREATED, STATE_NONE, VIA_FREE, 0),
		     SUSPECT_NEVER_AWAITED);
	cr_expect_eq(type_of(COROUTINE, STATE_CREATED, STATE_CLOSED, VIA_FINALIZE, 0),
		     SUSPECT_NEVER_AWAITED, "by the cycle collector");
	cr_expect_eq(type_of(COROUTINE, STATE_CREATED, STATE_CLOSED, VIA_CLOSE, 0), SUSPECT_NONE);
	cr_expect_eq(type_of(COROUTINE, STATE_CREATED, STATE_RUNNING, VIA_SEND, 0), SUSPECT_NONE);
	cr_expect_eq(type_of(COROUTINE, STATE_CREATED, STATE_CLOSED, VIA_THROW, 0), SUSPECT_NONE);
	cr_expect_eq(type_of(COROUTINE, STATE_SUSPENDED, STATE_CLOSED, VIA_FINALIZE, 0),
		     SUSPECT_NONE, "it was begun");
	cr_expect_eq(type_of(COROUTINE, STATE_CLOSED, STATE_NONE, VIA_FREE, 0), SUSPECT_NONE);
	cr_expect_eq(type_of(COROUTINE, STATE_NONE, STATE_CREATED, VIA_CREATE, 0), SUSPECT_NONE);
}

Test(suspects, are_async_generators_that_were_dropped)
{
	cr_expect_eq(type_of(AGEN, STATE_SUSPENDED, STATE_RUNNING, VIA_ACLOSE, 0), SUSPECT_UNCLOSED,
		     "by the event loop");
	cr_expect_eq(type_of(AGEN, STATE_SUSPENDED, STATE_RUNNING, VIA_FINALIZE, 0),
		     SUSPECT_UNCLOSED);
	cr_expect_eq(type_of(AGEN, STATE_SUSPENDED, STATE_CLOSED, VIA_FINALIZE, 0),
		     SUSPECT_UNCLOSED);
	cr_expect_eq(type_of(AGEN, STATE_SUSPENDED, STATE_NONE, VIA_FREE, 0), SUSPECT_UNCLOSED);
	cr_expect_eq(type_of(AGEN, STATE_SUSPENDED, STATE_RUNNING, VIA_ACLOSE, 3), SUSPECT_NONE,
		     "a coroutine awaits it");
	cr_expect_eq(type_of(AGEN, STATE_CREATED, STATE_NONE, VIA_FREE, 0), SUSPECT_NONE);
	cr_expect_eq(type_of(AGEN, STATE_CREATED, STATE_CLOSED, VIA_ACLOSE, 0), SUSPECT_NONE,
		     "there was nothing to close");
	cr_expect_eq(type_of(AGEN, STATE_CLOSED, STATE_NONE, VIA_FREE, 0), SUSPECT_NONE);
	cr_expect_eq(type_of(AGEN, STATE_SUSPENDED, STATE_RUNNING, VIA_ANEXT, 0), SUSPECT_NONE);
	cr_expect_eq(type_of(AGEN, STATE_RUNNING, STATE_CLOSED, VIA_CLOSE, 0), SUSPECT_NONE);
}

Test(suspects, are_no_generators)
{
	for (uint8_t from = 0; from < STATE_COUNT; from++)
		for (uint8_t to = 0; to < STATE_COUNT; to++)
			for (uint8_t via = 0; via < VIA_COUNT; via++)
				cr_assert_eq(type_of(GENERATOR, from, to, via, 0), SUSPECT_NONE);
}

Test(suspects, are_told_once_with_what_is_known)
{
	struct transition_record t = change(AGEN, STATE_SUSPENDED, STATE_RUNNING, VIA_ACLOSE);
	struct suspect suspect;

	t.head.flags = TRANSITION_HAS_SUSPENDED;
	t.suspended_ns = 1234;
	cr_assert_eq(type_with(&t, &suspect), SUSPECT_UNCLOSED);
	cr_expect_eq(suspect.self.line, 42, "where it stood");
	cr_expect(suspect.has_suspended);
	cr_expect_eq(suspect.suspended_ns, 1234);
	cr_expect_not(suspect.at_least);
	t.head.flags = TRANSITION_CHAIN;
	cr_expect_eq(type_with(&t, &suspect), SUSPECT_NONE, "that is the company of a step");
	t = change(COROUTINE, STATE_CREATED, STATE_NONE, VIA_FREE);
	cr_assert_eq(type_with(&t, &suspect), SUSPECT_NEVER_AWAITED);
	cr_expect_eq(suspect.self.line, 0, "it stands nowhere");
	cr_expect_not(suspect.has_suspended);
}

Test(suspects, are_no_other_events)
{
	struct event event = { .type = EVENT_GC, .name = "" };
	struct suspect suspect;

	cr_expect_not(suspect_of_event(&event, &suspect));
	event.type = EVENT_LIVING;
	cr_expect_not(suspect_of_event(&event, &suspect));
}

Test(suspects, may_be_parked)
{
	struct living_record record = { .id = 9 };
	struct event event = { .type = EVENT_LIVING, .ts_ns = 9000, .living = &record };
	struct slow_place at[2] = { { .id = 9, .code = &code, .line = 1 },
				    { .id = 10, .code = &other, .line = 2 } };
	struct living_chain chain = { .event = &event,
				      .since_ns = 2000,
				      .at = at,
				      .count = 2,
				      .maker = &other,
				      .maker_line = 5 };
	struct suspect suspect;

	suspect_of_parked(&chain, &suspect);
	cr_expect_eq(suspect.type, SUSPECT_PARKED);
	cr_expect_eq(suspect.self.id, 9);
	cr_expect_eq(suspect.suspended_ns, 7000);
	cr_expect(suspect.has_suspended);
	cr_expect_not(suspect.at_least);
	cr_expect_eq(suspect.chain_count, 2);
	cr_expect_eq(suspect.maker_line, 5);
	chain.at_least = true;
	suspect_of_parked(&chain, &suspect);
	cr_expect(suspect.at_least);
}

Test(suspects, have_the_words_of_the_contract)
{
	cr_expect_str_eq(name_of_suspect(SUSPECT_NEVER_AWAITED), "never_awaited");
	cr_expect_str_eq(name_of_suspect(SUSPECT_UNCLOSED), "unclosed");
	cr_expect_str_eq(name_of_suspect(SUSPECT_PARKED), "parked");
	cr_expect_str_eq(name_of_suspect(SUSPECT_NONE), "");
	cr_expect_str_eq(name_of_suspect(200), "");
}

/* --- more of the same --- */

struct notes {
	struct repeat at[8];
	size_t count;
};

static void note(void *ctx, const struct repeat *repeat)
{
	struct notes *notes = ctx;

	cr_assert_lt(notes->count, 8u);
	notes->at[notes->count++] = *repeat;
}

static struct notes tell(struct repeats *repeats)
{
	struct notes notes = {};

	repeats_tell(repeats, note, &notes);
	return notes;
}

static struct suspect parked(const struct slow_place *at, size_t count)
{
	return (struct suspect){
		.type = SUSPECT_PARKED, .self = at[0], .chain = at, .chain_count = count
	};
}

Test(repeats, show_the_first_ones_and_count_the_rest)
{
	struct slow_place at = { .code = &code, .line = 7, .kind = COROUTINE };
	struct suspect suspect = parked(&at, 1);
	struct repeats *repeats;
	struct notes notes;
	unsigned shown = 0;

	cr_assert_eq(repeats_new(&repeats), 0);
	for (unsigned i = 0; i < 100000; i++)
		shown += repeats_add(repeats, &suspect) == 1;
	cr_expect_eq(shown, REPEATS_SHOWN);
	notes = tell(repeats);
	cr_assert_eq(notes.count, 1);
	cr_expect_eq(notes.at[0].type, SUSPECT_PARKED);
	cr_expect_eq(notes.at[0].kind, COROUTINE);
	cr_expect_eq(notes.at[0].code, &code);
	cr_expect_eq(notes.at[0].line, 7);
	cr_expect_null(notes.at[0].at);
	cr_expect_eq(notes.at[0].more, 100000 - REPEATS_SHOWN);
	cr_expect_eq(tell(repeats).count, 0, "that has been told");
	cr_expect_eq(repeats_add(repeats, &suspect), 0);
	notes = tell(repeats);
	cr_expect_eq(notes.at[0].more, 1);
	cr_expect_eq(notes.at[0].seen, 100001);
	repeats_free(repeats);
}

Test(repeats, keep_places_apart)
{
	struct slow_place at[2] = { { .code = &code, .line = 7, .kind = COROUTINE },
				    { .code = &other, .line = 9, .kind = COROUTINE } };
	struct suspect suspects[] = { parked(at, 1), parked(at, 2), parked(at + 1, 1), {}, {}, {} };
	struct repeats *repeats;
	struct notes notes;

	for (size_t i = 3; i < 6; i++) {
		suspects[i].type = i < 5 ? SUSPECT_NEVER_AWAITED : SUSPECT_UNCLOSED;
		suspects[i].self = at[0];
		suspects[i].maker = &other;
		suspects[i].maker_line = i == 3 ? 1 : 2;
	}
	cr_assert_eq(repeats_new(&repeats), 0);
	for (unsigned i = 0; i < REPEATS_SHOWN; i++)
		for (size_t k = 0; k < 6; k++)
			cr_assert_eq(repeats_add(repeats, &suspects[k]), 1);
	for (size_t k = 0; k < 6; k++)
		for (size_t i = 0; i <= k; i++)
			cr_assert_eq(repeats_add(repeats, &suspects[k]), 0);
	notes = tell(repeats);
	cr_assert_eq(notes.count, 6);
	for (size_t k = 0; k < 6; k++)
		cr_expect_eq(notes.at[k].more, k + 1);
	cr_expect_eq(notes.at[1].at, &other, "where the innermost one waits");
	cr_expect_eq(notes.at[1].at_line, 9);
	cr_expect_eq(notes.at[3].at, &other, "the maker");
	cr_expect_eq(notes.at[3].at_line, 1);
	repeats_free(repeats);
}

Test(repeats, take_thousands_of_places)
{
	struct slow_place at = { .code = &code };
	struct suspect suspect = parked(&at, 1);
	struct repeats *repeats;

	cr_assert_eq(repeats_new(&repeats), 0);
	for (int turn = 0; turn < REPEATS_SHOWN; turn++)
		for (uint32_t line = 1; line < 5000; line++) {
			suspect.self.line = line;
			cr_assert_eq(repeats_add(repeats, &suspect), 1);
		}
	cr_expect_eq(tell(repeats).count, 0);
	suspect.self.line = 77;
	cr_assert_eq(repeats_add(repeats, &suspect), 0);
	cr_expect_eq(tell(repeats).at[0].line, 77);
	repeats_free(repeats);
}
