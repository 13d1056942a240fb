/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/recording.h"
#include "model/replay.h"
#include "model/stream.h"
#include "model/times.h"

/*
 * Times out of transitions, the hard way round: written into a recording, replayed, and fed by the stream. Times
 * are chosen so that each sum has only one explanation.
 */

enum { OUTER = 1, INNER = 2, AGEN = 3 };

struct film {
	struct recording *recording;
	struct times *times;
	struct stream *stream;
	int fd;
	char path[64];
	uint32_t tid;
	uint64_t since[16]; /* when each object came into its state */
};

static int on_event(void *ctx, const struct event *event)
{
	struct film *film = ctx;

	return times_add(film->times, event->transition);
}

static int on_record(void *ctx, const void *bytes, size_t size)
{
	struct film *film = ctx;

	return stream_feed(film->stream, bytes, size);
}

static struct film *film_open(void)
{
	struct film *film = calloc(1, sizeof(*film));
	struct stream_callbacks callbacks = { .event = on_event, .ctx = film };
	struct recording_about about;

	film->fd = memfd_create("film", MFD_CLOEXEC);
	film->tid = 7;
	snprintf(film->path, sizeof(film->path), "/proc/self/fd/%d", film->fd);
	recording_about_now(&about);
	cr_assert_eq(recording_open(film->path, &about, &film->recording), 0);
	cr_assert_eq(times_new(&film->times), 0);
	cr_assert_eq(stream_new(&callbacks, &film->stream), 0);
	return film;
}

/* An object of that function goes from one state to another; ids above 10 are other objects of id % 10. */
static void shoot(struct film *film, uint64_t ts_ns, uint64_t id, uint8_t from, uint8_t to,
		  uint64_t parent)
{
	struct transition_record t = {
		.head = { .size = sizeof(t),
			  .type = RECORD_TRANSITION,
			  .pid = 7,
			  .tid = film->tid },
		.gen = 0x1000 * id,
		.id = id,
		.parent = parent,
		.code = (uint32_t)id % 10,
		.kind = id % 10 == AGEN ? KIND_ASYNC_GENERATOR : KIND_COROUTINE,
		.from = from,
		.to = to,
	};

	t.head.ts_ns = ts_ns;
	if (from == STATE_RUNNING && film->since[id]) {
		t.head.flags |= TRANSITION_HAS_RUN;
		t.run_ns = ts_ns - film->since[id];
	}
	if (from == STATE_SUSPENDED && film->since[id]) {
		t.head.flags |= TRANSITION_HAS_SUSPENDED;
		t.suspended_ns = ts_ns - film->since[id];
	}
	film->since[id] = ts_ns;
	cr_assert_eq(recording_append(film->recording, &t, sizeof(t)), 0);
}

static void film_show(struct film *film)
{
	const struct replay_callbacks callbacks = { .record = on_record, .ctx = film };
	struct recording_summary summary = { .coverage = "full" };
	struct replay *replay;
	char why[REPLAY_WHY_MAX];

	cr_assert_eq(recording_close(film->recording, &summary), 0);
	cr_assert_eq(replay_open(film->path, &replay, why), 0, "%s", why);
	cr_assert_eq(replay_run(replay, &callbacks), 0);
	cr_assert(replay_state(replay)->complete);
	cr_assert_eq(stream_counts(film->stream)->bad, 0);
	replay_close(replay);
}

static void film_close(struct film *film)
{
	times_free(film->times);
	stream_free(film->stream);
	close(film->fd);
	free(film);
}

static void expect(const struct film *film, uint32_t code, enum metric metric, uint64_t count,
		   uint64_t sum_ns)
{
	uint8_t kind;
	const struct distributions *times = times_of(film->times, code, &kind);

	cr_assert(times, "function %u", code);
	cr_expect_eq(times->metric[metric].count, count, "function %u, metric %d: %llu values",
		     code, metric, (unsigned long long)times->metric[metric].count);
	cr_expect_eq(times->metric[metric].sum_ns, sum_ns, "function %u, metric %d: sum %llu", code,
		     metric, (unsigned long long)times->metric[metric].sum_ns);
}

Test(times, are_those_of_the_states)
{
	struct film *film = film_open();
	uint8_t kind;

	shoot(film, 1000, OUTER, STATE_NONE, STATE_CREATED, 0);
	shoot(film, 1010, OUTER, STATE_CREATED, STATE_RUNNING, 0);
	shoot(film, 1110, OUTER, STATE_RUNNING, STATE_SUSPENDED, 0);
	shoot(film, 2110, OUTER, STATE_SUSPENDED, STATE_RUNNING, 0);
	shoot(film, 2160, OUTER, STATE_RUNNING, STATE_CLOSED, 0);
	shoot(film, 2170, OUTER, STATE_CLOSED, STATE_NONE, 0);
	film_show(film);
	expect(film, OUTER, METRIC_RUN, 2, 150);
	expect(film, OUTER, METRIC_SELF, 2, 150);
	expect(film, OUTER, METRIC_SUSPENDED, 1, 1000);
	expect(film, OUTER, METRIC_START, 1, 10);
	expect(film, OUTER, METRIC_LIFETIME, 1, 1160);
	cr_expect_eq(times_objects(film->times), 1);
	cr_expect_null(times_of(film->times, INNER, &kind));
	cr_expect_null(times_of(film->times, times_end(film->times), &kind));
	film_close(film);
}

/* Three deep: each has what passed while it was on top. */
Test(times, of_their_own_are_without_what_ran_inside)
{
	struct film *film = film_open();

	shoot(film, 1000, OUTER, STATE_CREATED, STATE_RUNNING, 0);
	shoot(film, 1001, INNER, STATE_CREATED, STATE_RUNNING, OUTER);
	shoot(film, 1011, 12, STATE_CREATED, STATE_RUNNING, INNER);
	shoot(film, 1111, 12, STATE_RUNNING, STATE_CLOSED, INNER);
	shoot(film, 1131, INNER, STATE_RUNNING, STATE_SUSPENDED, OUTER);
	shoot(film, 1331, OUTER, STATE_RUNNING, STATE_SUSPENDED, 0);
	film_show(film);
	expect(film, OUTER, METRIC_RUN, 1, 331);
	expect(film, OUTER, METRIC_SELF, 1, 201);
	expect(film, INNER, METRIC_RUN, 2, 230);
	expect(film, INNER, METRIC_SELF, 2, 130);
	film_close(film);
}

/* Objects of two threads, whose transitions come in turns. */
Test(times, of_threads_are_apart)
{
	struct film *film = film_open();

	shoot(film, 1000, OUTER, STATE_CREATED, STATE_RUNNING, 0);
	film->tid = 8;
	shoot(film, 1100, INNER, STATE_CREATED, STATE_RUNNING, 0);
	film->tid = 7;
	shoot(film, 1200, OUTER, STATE_RUNNING, STATE_SUSPENDED, 0);
	film->tid = 8;
	shoot(film, 1400, INNER, STATE_RUNNING, STATE_CLOSED, 0);
	film_show(film);
	expect(film, OUTER, METRIC_SELF, 1, 200);
	expect(film, INNER, METRIC_SELF, 1, 300);
	film_close(film);
}

/* An async generator is RUNNING while it waits; that is nobody's own time. */
Test(times, of_waiting_async_generators_are_not_their_own)
{
	struct film *film = film_open();

	shoot(film, 1000, OUTER, STATE_CREATED, STATE_RUNNING, 0);
	shoot(film, 1001, AGEN, STATE_CREATED, STATE_RUNNING, OUTER);
	shoot(film, 1011, INNER, STATE_CREATED, STATE_RUNNING, AGEN);
	shoot(film, 1021, INNER, STATE_RUNNING, STATE_SUSPENDED, AGEN);
	shoot(film, 1022, OUTER, STATE_RUNNING, STATE_SUSPENDED, 0);
	/* something else meanwhile */
	shoot(film, 5000, 12, STATE_CREATED, STATE_RUNNING, 0);
	shoot(film, 6000, 12, STATE_RUNNING, STATE_CLOSED, 0);
	shoot(film, 9000, OUTER, STATE_SUSPENDED, STATE_RUNNING, 0);
	shoot(film, 9002, INNER, STATE_SUSPENDED, STATE_RUNNING, AGEN);
	shoot(film, 9102, INNER, STATE_RUNNING, STATE_CLOSED, AGEN);
	shoot(film, 9106, AGEN, STATE_RUNNING, STATE_SUSPENDED, OUTER);
	shoot(film, 9206, OUTER, STATE_RUNNING, STATE_CLOSED, 0);
	film_show(film);
	expect(film, AGEN, METRIC_RUN, 1, 8105);
	expect(film, AGEN, METRIC_SELF, 1, 10 + 1 + 2 + 4);
	expect(film, OUTER, METRIC_SELF, 2, 1 + 100);
	expect(film, INNER, METRIC_SELF, 3, 10 + 1000 + 100);
	film_close(film);
}

/* Where records were lost, what is not known is left out. */
Test(times, with_gaps_are_only_what_is_known)
{
	struct film *film = film_open();

	/* older than the run: neither birth nor beginning */
	shoot(film, 1000, OUTER, STATE_RUNNING, STATE_SUSPENDED, 0);
	/* the end of 12's step is missing, and that of INNER's under it */
	shoot(film, 2000, INNER, STATE_CREATED, STATE_RUNNING, 0);
	shoot(film, 2010, 12, STATE_CREATED, STATE_RUNNING, INNER);
	shoot(film, 3000, OUTER, STATE_SUSPENDED, STATE_RUNNING, 0);
	shoot(film, 3100, OUTER, STATE_RUNNING, STATE_CLOSED, 0);
	shoot(film, 3200, 12, STATE_RUNNING, STATE_CLOSED, 0);
	film_show(film);
	expect(film, OUTER, METRIC_RUN, 1, 100);
	expect(film, OUTER, METRIC_SELF, 1, 100);
	expect(film, OUTER, METRIC_LIFETIME, 0, 0);
	expect(film, INNER, METRIC_SELF, 0, 0);
	film_close(film);
}

/* Hundreds of thousands of objects that come and go: tables grow, and what was freed is not remembered. */
Test(times, of_many_objects)
{
	struct times *times;
	uint8_t kind;

	cr_assert_eq(times_new(&times), 0);
	for (uint64_t id = 1; id <= 200000; id++) {
		static const uint8_t states[] = { STATE_NONE, STATE_CREATED, STATE_CLOSED,
						  STATE_NONE };
		uint64_t late = id > 1000 ? id - 1000 : 0;
		struct transition_record t = { .head = { .tid = 1, .ts_ns = 10 * id },
					       .code = 1 + (uint32_t)(id % 3000),
					       .kind = KIND_GENERATOR };

		t.id = id;
		t.from = states[0], t.to = states[1];
		cr_assert_eq(times_add(times, &t), 0);
		t.id = late;
		t.code = 1 + (uint32_t)(late % 3000);
		for (int i = 1; i < 3 && late; i++) {
			t.from = states[i], t.to = states[i + 1];
			cr_assert_eq(times_add(times, &t), 0);
		}
	}
	cr_expect_eq(times_objects(times), 200000);
	for (uint32_t code = 1; code <= 3000; code++) {
		const struct distributions *of = times_of(times, code, &kind);
		uint64_t count = of->metric[METRIC_LIFETIME].count;

		cr_expect_eq(of->metric[METRIC_LIFETIME].sum_ns, count * 10000);
		cr_expect(count == 66 || count == 67, "function %u: %llu", code,
			  (unsigned long long)count);
		cr_expect_eq(kind, KIND_GENERATOR);
	}
	times_free(times);
	times_free(NULL);
}
