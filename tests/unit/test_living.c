/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <living.h>
#include <stdlib.h>
#include <string.h>

#include "model/living.h"

/* What surveys told, put together. Who drives or awaits whom is written down in each test. */

#define CHAINS_MAX 8
#define BEGIN_NS   1000 /* of the run */
#define NOW_NS     900000

struct told {
	uint64_t id, since_ns;
	bool at_least;
	uint32_t maker_line;
	uint64_t ids[SLOW_CHAIN_MAX];
	uint32_t lines[SLOW_CHAIN_MAX];
	uint8_t to[SLOW_CHAIN_MAX];
	size_t count;
};

struct seen {
	struct living *living;
	struct told told[CHAINS_MAX];
	size_t count, total;
	int answer;
};

static struct code code, maker;

static int keep(void *ctx, const struct living_chain *chain)
{
	struct seen *seen = ctx;
	struct told *told = &seen->told[seen->count % CHAINS_MAX];

	*told = (struct told){ .id = chain->event->living->id,
			       .since_ns = chain->since_ns,
			       .at_least = chain->at_least,
			       .maker_line = chain->maker ? chain->maker_line : 0,
			       .count = chain->count };
	cr_assert_leq(chain->count, (size_t)SLOW_CHAIN_MAX);
	cr_assert_eq(chain->at[0].id, told->id);
	for (size_t i = 0; i < chain->count; i++) {
		told->ids[i] = chain->at[i].id;
		told->lines[i] = chain->at[i].line;
		told->to[i] = chain->at[i].to;
	}
	seen->count++;
	seen->total += chain->count;
	return seen->answer;
}

/* As if memory had been read. */
static uint32_t line_now(void *ctx, uint32_t pid, const struct slow_place *place)
{
	(void)ctx;
	return pid == 10 ? (uint32_t)place->id + 500 : 0;
}

static struct seen *begin(void)
{
	struct seen *seen = calloc(1, sizeof(*seen));

	cr_assert_eq(living_new(&seen->living), 0);
	return seen;
}

static void end(struct seen *seen)
{
	living_free(seen->living);
	free(seen);
}

static struct living_record object(uint64_t id, uint8_t asked, uint64_t changed_ns)
{
	return (struct living_record){
		.head = { .pid = 10, .tid = 11, .ts_ns = NOW_NS },
		.gen = 0x7f0000000000 + id * 0x100,
		.id = id,
		.changed_ns = changed_ns,
		.seq = 3,
		.kind = KIND_COROUTINE,
		.state = asked == SURVEY_RUNNING ? STATE_RUNNING : STATE_SUSPENDED,
		.frame = asked == SURVEY_RUNNING ? STATE_RUNNING : STATE_SUSPENDED,
		.asked = asked,
	};
}

static void add(struct seen *seen, const struct living_record *record)
{
	struct event event = { .type = EVENT_LIVING,
			       .ts_ns = NOW_NS,
			       .pid = record->head.pid,
			       .tid = record->head.tid,
			       .living = record,
			       .code = &code,
			       .line = (uint32_t)record->id,
			       .maker = &maker,
			       .maker_line = (uint32_t)record->id + 900 };

	cr_assert_eq(living_add(seen->living, &event), 0);
}

static void add_running(struct seen *seen, uint64_t id, uint64_t driver, uint32_t seq,
			uint64_t since_ns)
{
	struct living_record record = object(id, SURVEY_RUNNING, since_ns);

	record.driver = driver;
	record.seq = seq;
	add(seen, &record);
}

static void add_waiting(struct seen *seen, uint64_t id, uint64_t awaits, uint8_t asked)
{
	struct living_record record = object(id, asked, 2000 + id);

	record.inner_gen = awaits ? 0x7f0000000000 + awaits * 0x100 : 0;
	add(seen, &record);
}

static size_t tell(struct seen *seen, bool parked, uint64_t before_ns)
{
	struct living_callbacks callbacks = {
		.begin_ns = BEGIN_NS, .chain = keep, .line = line_now, .ctx = seen
	};

	seen->count = seen->total = 0;
	cr_assert_eq(parked ? living_parked(seen->living, &callbacks) :
			      living_running(seen->living, before_ns, &callbacks),
		     0);
	return seen->count;
}

#define RUNNING_SINCE(seen, ns) tell(seen, false, ns)
#define PARKED(seen)            tell(seen, true, 0)

#define EXPECT_IDS(chain_, ...)                                                                    \
	do {                                                                                       \
		const uint64_t ids_[] = { __VA_ARGS__ };                                           \
		const struct told *told_ = &(chain_);                                              \
		cr_assert_eq(told_->count, sizeof(ids_) / sizeof(ids_[0]), "%zu in the chain",     \
			     told_->count);                                                        \
		cr_assert_arr_eq(told_->ids, ids_, sizeof(ids_));                                  \
	} while (0)

Test(living, hangs_running_ones_on_their_drivers)
{
	struct seen *seen = begin();

	add_running(seen, 3, 2, 1, 50000); /* in any order: the map has none */
	add_running(seen, 1, 0, 1, 40000);
	add_running(seen, 7, 0, 1, 41000); /* another thread's */
	add_running(seen, 2, 1, 1, 45000);
	cr_assert_eq(RUNNING_SINCE(seen, 60000), 2);
	EXPECT_IDS(seen->told[0], 1, 2, 3);
	EXPECT_IDS(seen->told[1], 7);
	cr_expect_eq(seen->told[0].since_ns, 40000);
	cr_expect_not(seen->told[0].at_least);
	for (size_t i = 0; i < 3; i++) {
		cr_expect_eq(seen->told[0].lines[i], 501 + i, "where it stands now");
		cr_expect_eq(seen->told[0].to[i], STATE_RUNNING);
	}
	end(seen);
}

Test(living, tells_long_steps_only)
{
	struct seen *seen = begin();

	add_running(seen, 1, 0, 1, 50000);
	add_running(seen, 2, 0, 1, 50001);
	add_running(seen, 3, 2, 1, 1000); /* not outermost, whatever its time says */
	cr_assert_eq(RUNNING_SINCE(seen, 50000), 1);
	cr_assert_eq(seen->told[0].id, 1);
	end(seen);
}

Test(living, tells_a_step_once)
{
	struct seen *seen = begin();

	for (int survey = 0; survey < 3; survey++) {
		living_begin(seen->living);
		add_running(seen, 1, 0, 5, 50000);
		cr_assert_eq(RUNNING_SINCE(seen, 60000), survey ? 0 : 1);
	}
	living_begin(seen->living);
	add_running(seen, 1, 0, 7, 70000); /* another step of it */
	cr_assert_eq(RUNNING_SINCE(seen, 80000), 1);
	living_begin(seen->living); /* it does not run now */
	cr_assert_eq(RUNNING_SINCE(seen, 90000), 0);
	living_begin(seen->living);
	add_running(seen, 1, 0, 9, 85000);
	add_running(seen, 2, 0, 1, 85000);
	cr_assert_eq(RUNNING_SINCE(seen, 90000), 2);
	end(seen);
}

/* A survey may miss an object: its step is told once all the same. It is not remembered for ever, either. */
Test(living, tells_a_step_once_though_surveys_miss_it)
{
	struct seen *seen = begin();

	add_running(seen, 1, 0, 5, 50000);
	cr_assert_eq(RUNNING_SINCE(seen, 60000), 1);
	for (int misses = 1; misses <= LIVING_MISSES; misses++) {
		for (int survey = 0; survey < misses; survey++) {
			living_begin(seen->living);
			add_running(seen, 2, 0, 5, 70000); /* another one, not long enough */
			cr_assert_eq(RUNNING_SINCE(seen, 60000), 0);
		}
		living_begin(seen->living);
		add_running(seen, 1, 0, 5, 50000);
		cr_assert_eq(RUNNING_SINCE(seen, 60000), misses == LIVING_MISSES, "after %d misses",
			     misses);
	}
	end(seen);
}

/* Attached to a process that hangs: how long it has done so is not known, but where is. */
Test(living, tells_what_ran_before_the_run)
{
	struct seen *seen = begin();

	add_running(seen, 1, 0, 0, 0);
	add_running(seen, 2, 1, 0, 0);
	cr_assert_eq(RUNNING_SINCE(seen, BEGIN_NS - 1), 0, "not long enough");
	cr_assert_eq(RUNNING_SINCE(seen, BEGIN_NS), 1);
	EXPECT_IDS(seen->told[0], 1, 2);
	cr_expect(seen->told[0].at_least);
	cr_expect_eq(seen->told[0].since_ns, BEGIN_NS);
	end(seen);
}

Test(living, tells_parked_ones_with_what_they_await)
{
	struct seen *seen = begin();

	add_waiting(seen, 4, 5, SURVEY_PARKED);
	add_waiting(seen, 5, 6, SURVEY_AWAITED);
	add_waiting(seen, 6, 0, SURVEY_AWAITED);
	add_waiting(seen, 8, 99, SURVEY_PARKED); /* what it awaits was not told */
	add_running(seen, 1, 0, 1, 50000);
	cr_assert_eq(PARKED(seen), 2);
	EXPECT_IDS(seen->told[0], 4, 5, 6);
	EXPECT_IDS(seen->told[1], 8);
	cr_expect_eq(seen->told[0].since_ns, 2004);
	cr_expect_eq(seen->told[0].maker_line, 904);
	cr_expect_eq(seen->told[0].lines[2], 6, "where it was left");
	end(seen);
}

Test(living, drops_inner_ones_that_were_told_for_themselves)
{
	struct seen *seen = begin();

	add_waiting(seen, 3, 0, SURVEY_PARKED);
	add_waiting(seen, 2, 3, SURVEY_PARKED);
	add_waiting(seen, 1, 2, SURVEY_PARKED);
	cr_assert_eq(PARKED(seen), 1);
	EXPECT_IDS(seen->told[0], 1, 2, 3);
	end(seen);
}

/* The same address in two processes is two objects. */
Test(living, keeps_processes_apart)
{
	struct seen *seen = begin();
	struct living_record other = object(2, SURVEY_PARKED, 0);

	other.head.pid = 20;
	other.id = 77;
	add_waiting(seen, 1, 2, SURVEY_PARKED);
	add(seen, &other);
	cr_assert_eq(PARKED(seen), 2);
	EXPECT_IDS(seen->told[0], 1);
	EXPECT_IDS(seen->told[1], 77);
	cr_expect(seen->told[1].at_least);
	cr_expect_eq(seen->told[1].since_ns, BEGIN_NS);
	end(seen);
}

/* Read while it changed, two may seem to await each other. */
Test(living, ends_where_a_circle_closes)
{
	struct seen *seen = begin();

	add_waiting(seen, 1, 2, SURVEY_PARKED);
	add_waiting(seen, 2, 3, SURVEY_AWAITED);
	add_waiting(seen, 3, 2, SURVEY_AWAITED);
	add_waiting(seen, 8, 8, SURVEY_PARKED);
	cr_assert_eq(PARKED(seen), 1);
	cr_expect_eq(seen->told[0].id, 1);
	cr_expect_eq(seen->told[0].ids[2], 3);
	cr_expect_leq(seen->told[0].count, (size_t)SLOW_CHAIN_MAX);
	end(seen);
}

Test(living, has_no_state_left_from_the_last_survey)
{
	struct seen *seen = begin();

	add_waiting(seen, 1, 2, SURVEY_PARKED);
	add_waiting(seen, 2, 0, SURVEY_AWAITED);
	cr_assert_eq(PARKED(seen), 1);
	living_begin(seen->living);
	cr_assert_eq(PARKED(seen), 0);
	add_waiting(seen, 2, 0, SURVEY_PARKED);
	cr_assert_eq(PARKED(seen), 1);
	EXPECT_IDS(seen->told[0], 2);
	end(seen);
}

Test(living, takes_thousands)
{
	struct seen *seen = begin();
	const uint64_t chains = 20000;

	for (uint64_t i = 0; i < chains; i++) {
		add_waiting(seen, 3 * i + 2, 3 * i + 3, SURVEY_AWAITED);
		add_waiting(seen, 3 * i + 1, 3 * i + 2, SURVEY_PARKED);
		add_waiting(seen, 3 * i + 3, 0, SURVEY_AWAITED);
	}
	cr_assert_eq(PARKED(seen), chains);
	cr_assert_eq(seen->total, 3 * chains);
	end(seen);
}

Test(living, stops_where_the_callback_says_so)
{
	struct seen *seen = begin();
	struct living_callbacks callbacks = { .chain = keep, .ctx = seen };

	seen->answer = -77;
	add_running(seen, 1, 0, 1, 50000);
	add_running(seen, 2, 0, 1, 50000);
	add_waiting(seen, 3, 0, SURVEY_PARKED);
	add_waiting(seen, 4, 0, SURVEY_PARKED);
	cr_assert_eq(living_running(seen->living, 60000, &callbacks), -77);
	cr_assert_eq(seen->count, 1);
	cr_expect_eq(seen->told[0].lines[0], 0, "nobody says where it stands");
	cr_assert_eq(living_parked(seen->living, &callbacks), -77);
	cr_assert_eq(seen->count, 2);
	end(seen);
}
