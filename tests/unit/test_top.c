/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/top.h"
#include "model/top_detail.h"

/* Rows of functions: what goes into which, what the last while and the whole run are, and their order. */

#define SECOND 1000000000ull

static const struct top_code get = { "Queue.get", "/srv/app/queue.py", 30, KIND_COROUTINE };
static const struct top_code put = { "Queue.put", "/srv/app/queue.py", 40, KIND_COROUTINE };
static const struct top_code rows = { "rows", "/srv/app/Data.py", 7, KIND_ASYNC_GENERATOR };

static struct top *open_top(void)
{
	struct top *top;

	cr_assert_eq(top_new(&top), 0);
	cr_assert_eq(top_add_code(top, 1, &get), 0);
	cr_assert_eq(top_add_code(top, 2, &put), 0);
	cr_assert_eq(top_add_code(top, 300, &rows), 0);
	return top;
}

static void begin(struct top *top, uint64_t now_ns, uint64_t watched_ns)
{
	top_begin(top, &(struct top_moment){ .now_ns = now_ns,
					     .begin_ns = 10 * SECOND,
					     .watched_ns = watched_ns });
}

static void count(struct top *top, uint32_t id, uint32_t created, uint32_t running,
		  uint32_t suspended, uint32_t closed, uint64_t since_ns)
{
	const struct survey_counts counts = { .objects = { [STATE_CREATED] = created,
							   [STATE_RUNNING] = running,
							   [STATE_SUSPENDED] = suspended,
							   [STATE_CLOSED] = closed },
					      .suspended_ns = since_ns };

	top_count(top, id, &counts);
}

static struct top_rows sort(struct top *top, enum top_sort by, const char *filter)
{
	const struct top_order order = { .by = by, .filter = filter };
	struct top_rows out;

	top_sort(top, &order, &out);
	return out;
}

static const struct top_row *row_of(struct top *top, const char *qualname)
{
	struct top_rows out = sort(top, TOP_SORT_NAME, qualname);

	cr_assert_eq(out.count, 1, "%zu rows of %s", out.count, qualname);
	return out.at[0];
}

static void expect_names(const struct top_rows *got, const char *first, const char *second,
			 const char *third)
{
	const char *names[] = { first, second, third };

	cr_assert_eq(got->count, 3);
	for (int i = 0; i < 3; i++)
		cr_expect_str_eq(got->at[i]->code.qualname, names[i], "row %d", i);
}

Test(top, is_empty_until_something_is_seen)
{
	struct top *top = open_top();
	struct top_rows out = sort(top, TOP_SORT_LIVE, NULL);

	cr_expect(out.count == 0 && out.all == 0, "known, but nothing has been seen of them");
	begin(top, 12 * SECOND, SECOND);
	count(top, 1, 0, 0, 1, 0, 11 * SECOND);
	top_end(top);
	out = sort(top, TOP_SORT_LIVE, NULL);
	cr_expect(out.count == 1 && out.all == 1);
	top_free(top);
	top_free(NULL);
}

Test(top, counts_objects_by_state_and_age)
{
	struct top *top = open_top();
	const struct top_row *row;
	struct top_rows out;

	begin(top, 15 * SECOND, SECOND);
	count(top, 1, 1, 2, 30, 4, 10 * SECOND);
	count(top, 2, 0, 0, 1, 0, 15 * SECOND - 5000);
	count(top, 300, 0, 1, 0, 0, 0);
	count(top, 7, 9, 9, 9, 9, SECOND); /* of an id nobody knows */
	count(top, 1u << 20, 9, 9, 9, 9, SECOND);
	top_end(top);
	row = row_of(top, "Queue.get");
	cr_expect_eq(row->live, 33);
	cr_expect_eq(row->objects[STATE_CREATED], 1);
	cr_expect_eq(row->objects[STATE_RUNNING], 2);
	cr_expect_eq(row->objects[STATE_SUSPENDED], 30);
	cr_expect_eq(row->objects[STATE_CLOSED], 4);
	cr_expect_eq(row->oldest_ns, 5 * SECOND);
	cr_expect(row->oldest_is_more, "since the run began, or longer");
	row = row_of(top, "Queue.put");
	cr_expect_eq(row->oldest_ns, 5000);
	cr_expect_not(row->oldest_is_more);
	cr_expect_eq(row_of(top, "rows")->oldest_ns, 0, "none is suspended");
	out = sort(top, TOP_SORT_LIVE, "no such function");
	cr_expect_eq(out.count, 0);
	cr_expect_eq(out.all, 3);
	cr_expect_eq(out.totals.live, 35, "of all, whatever the filter");
	cr_expect_eq(out.totals.objects[STATE_SUSPENDED], 31);
	/* the next reading begins at nothing */
	begin(top, 16 * SECOND, SECOND);
	count(top, 1, 0, 0, 1, 0, 16 * SECOND + 7);
	top_end(top);
	row = row_of(top, "Queue.get");
	cr_expect_eq(row->live, 1);
	cr_expect_eq(row->oldest_ns, 1, "suspended since the survey began: not never");
	cr_expect_eq(top_live(top, 1), 1);
	cr_expect_eq(top_live(top, 99999), 0);
	top_free(top);
}

/* Of two processes, and of code that was compiled anew. */
Test(top, knows_functions_by_their_names)
{
	struct top *top = open_top();
	char name[] = "Queue.get";
	struct top_code same = { name, "/srv/app/queue.py", 30, KIND_COROUTINE }, other = same;
	const struct top_row *row;

	cr_assert_eq(top_add_code(top, 5000, &same), 0);
	cr_assert_eq(top_add_code(top, 5000, &put), 0, "an id is entered once");
	other.first_line = 31;
	cr_assert_eq(top_add_code(top, 8, &other), 0);
	other = same;
	other.kind = KIND_GENERATOR;
	cr_assert_eq(top_add_code(top, 9, &other), 0);
	memset(name, '#', sizeof(name) - 1);
	begin(top, 15 * SECOND, SECOND);
	count(top, 1, 0, 0, 2, 0, 14 * SECOND);
	count(top, 5000, 0, 0, 3, 0, 12 * SECOND);
	count(top, 8, 0, 0, 7, 0, 12 * SECOND);
	top_end(top);
	cr_assert_eq(sort(top, TOP_SORT_LIVE, "queue.GET").count, 2);
	row = sort(top, TOP_SORT_LIVE, "queue.GET").at[1];
	cr_expect_str_eq(row->code.qualname, "Queue.get");
	cr_expect_eq(row->code.first_line, 30);
	cr_expect_eq(row->live, 5);
	cr_expect_eq(row->oldest_ns, 3 * SECOND);
	cr_assert_eq(row->id_count, 2);
	cr_expect(row->ids[0] == 1 && row->ids[1] == 5000);
	cr_expect_eq(top_row(top, row->number), row);
	cr_expect_null(top_row(top, 1000));
	top_free(top);
}

static void run(struct top *top, uint32_t id, struct histogram *sum, uint64_t ns, unsigned times)
{
	while (times--)
		histogram_record(sum, ns);
	cr_assert_eq(top_run(top, id, sum), 0);
}

Test(top, tells_the_last_while_from_the_whole_run)
{
	struct top *top = open_top();
	struct histogram sum = {};
	const struct top_row *row;

	begin(top, 11 * SECOND, SECOND);
	cr_expect(top_transitions(top, 1, 200));
	run(top, 1, &sum, 8000000, 100);
	top_end(top);
	row = row_of(top, "Queue.get");
	cr_expect_float_eq(row->rate, 200, 1e-9);
	cr_expect_eq(row->p99_now_ns, 8000000);
	cr_expect_eq(row->p99_ns, 8000000);
	/* half a second in which the probes were on, of two */
	begin(top, 13 * SECOND, SECOND / 2);
	cr_expect(top_transitions(top, 1, 260));
	run(top, 1, &sum, 2000, 30);
	top_end(top);
	cr_expect_float_eq(row->rate, 120, 1e-9);
	cr_expect_eq(row->transitions, 260);
	cr_expect_eq(row->run_now.count, 30);
	cr_expect_eq(histogram_bucket(row->p99_now_ns), histogram_bucket(2000));
	cr_expect_eq(row->run.count, 130);
	cr_expect_eq(row->p99_ns, 8000000);
	/* nothing since */
	begin(top, 14 * SECOND, SECOND);
	cr_expect_not(top_transitions(top, 1, 260));
	cr_expect_not(top_transitions(top, 77, 260), "nobody knows that id");
	top_end(top);
	cr_expect_eq(row->rate, 0);
	cr_expect_eq(row->p99_now_ns, 0);
	cr_expect_eq(row->p99_ns, 8000000);
	begin(top, 14 * SECOND, 0);
	cr_expect(top_transitions(top, 1, 270));
	top_end(top);
	cr_expect_eq(row->rate, 0, "no time, no rate");
	top_free(top);
}

Test(top, sorts_by_every_column)
{
	struct top *top = open_top();
	struct histogram a = {}, b = {}, c = {};
	struct top_order order = { .by = TOP_SORT_RATE, .totals = true };
	struct top_rows out;

	begin(top, 20 * SECOND, SECOND);
	count(top, 1, 3, 1, 6, 1, 19 * SECOND);   /* get: 10 live */
	count(top, 2, 2, 3, 7, 9, 18 * SECOND);   /* put: 12 */
	count(top, 300, 1, 2, 8, 5, 17 * SECOND); /* rows: 11 */
	top_transitions(top, 1, 1000);
	top_transitions(top, 2, 10);
	top_transitions(top, 300, 100);
	run(top, 1, &a, 5000, 9);
	run(top, 2, &b, 700000, 9);
	run(top, 300, &c, 90000, 9);
	top_end(top);
	out = sort(top, TOP_SORT_LIVE, "");
	expect_names(&out, "Queue.put", "rows", "Queue.get");
	out = sort(top, TOP_SORT_CREATED, NULL);
	expect_names(&out, "Queue.get", "Queue.put", "rows");
	out = sort(top, TOP_SORT_RUNNING, NULL);
	expect_names(&out, "Queue.put", "rows", "Queue.get");
	out = sort(top, TOP_SORT_SUSPENDED, NULL);
	expect_names(&out, "rows", "Queue.put", "Queue.get");
	out = sort(top, TOP_SORT_CLOSED, NULL);
	expect_names(&out, "Queue.put", "rows", "Queue.get");
	out = sort(top, TOP_SORT_RATE, NULL);
	expect_names(&out, "Queue.get", "rows", "Queue.put");
	out = sort(top, TOP_SORT_P99, NULL);
	expect_names(&out, "Queue.put", "rows", "Queue.get");
	out = sort(top, TOP_SORT_OLDEST, NULL);
	expect_names(&out, "rows", "Queue.put", "Queue.get");
	out = sort(top, TOP_SORT_NAME, NULL);
	expect_names(&out, "Queue.get", "Queue.put", "rows");
	/* a second in which put alone does something: what it did before is another order */
	begin(top, 21 * SECOND, SECOND);
	top_transitions(top, 2, 20);
	top_end(top);
	out = sort(top, TOP_SORT_RATE, NULL);
	expect_names(&out, "Queue.put", "Queue.get", "rows");
	top_sort(top, &order, &out);
	expect_names(&out, "Queue.get", "rows", "Queue.put");
	order.reverse = true;
	top_sort(top, &order, &out);
	expect_names(&out, "Queue.put", "rows", "Queue.get");
	order.by = TOP_SORT_NAME;
	top_sort(top, &order, &out);
	expect_names(&out, "rows", "Queue.put", "Queue.get");
	top_free(top);
}

Test(top, filters_by_name_and_file_in_any_case)
{
	struct top *top = open_top();

	begin(top, 20 * SECOND, SECOND);
	for (uint32_t id = 1; id <= 300; id++)
		count(top, id, 1, 0, 0, 0, 0);
	top_end(top);
	cr_expect_eq(sort(top, TOP_SORT_LIVE, "QUEUE").count, 2);
	cr_expect_eq(sort(top, TOP_SORT_LIVE, "E.P").count, 2, "in queue.py, and in Queue.put");
	cr_expect_eq(sort(top, TOP_SORT_LIVE, "data.PY").count, 1);
	cr_expect_eq(sort(top, TOP_SORT_LIVE, "Queue.get ").count, 0);
	cr_expect_eq(sort(top, TOP_SORT_LIVE, "").count, 3);
	top_free(top);
}

Test(top, has_a_word_for_each_order)
{
	static const char *const words[] = { "live", "created", "running", "suspended", "closed",
					     "rate", "p99",     "oldest",  "name" };

	for (int sort_by = 0; sort_by < TOP_SORT_COUNT; sort_by++) {
		cr_expect_eq(top_sort_of_name(words[sort_by]), sort_by);
		cr_expect_str_eq(name_of_top_sort((enum top_sort)sort_by), words[sort_by]);
	}
	cr_expect_eq(top_sort_of_name("colour"), -EINVAL);
}

/* More functions than the first arrays have room for. */
Test(top, grows)
{
	struct top *top;
	struct top_rows out;
	char name[32];

	cr_assert_eq(top_new(&top), 0);
	for (uint32_t id = 0; id < 3000; id++) {
		struct top_code code = { name, "f.py", 1, KIND_GENERATOR };

		snprintf(name, sizeof(name), "f%u", id / 3);
		cr_assert_eq(top_add_code(top, id, &code), 0);
	}
	begin(top, 20 * SECOND, SECOND);
	for (uint32_t id = 0; id < 3000; id++)
		count(top, id, id / 3, 0, 0, 0, 0);
	top_end(top);
	out = sort(top, TOP_SORT_CREATED, NULL);
	cr_assert_eq(out.count, 999, "f0 has nothing");
	for (uint32_t i = 0; i < out.count; i++)
		cr_assert_eq(out.at[i]->live, 3 * (999 - i));
	top_free(top);
}

/* --- one function ------------------------------------------------------------------------------------- */

static void tell(struct top_detail *detail, uint64_t id, uint32_t line, uint64_t changed_ns)
{
	const struct living_record object = { .head = { .pid = 42 },
					      .id = id,
					      .gen = 0x1000 + id,
					      .changed_ns = changed_ns,
					      .kind = KIND_COROUTINE,
					      .state = STATE_SUSPENDED,
					      .frame = STATE_SUSPENDED };

	top_detail_add(detail, &object, line, 10 * SECOND);
}

Test(top_detail, counts_places_most_first)
{
	struct top_detail *detail = malloc(sizeof(*detail));

	top_detail_begin(detail);
	for (uint64_t i = 0; i < 30; i++)
		tell(detail, i, i % 10 == 0 ? 7 : i % 2 ? 12 : 9, 20 * SECOND + i);
	top_detail_end(detail);
	cr_expect_eq(detail->told, 30);
	cr_assert_eq(detail->place_count, 3);
	cr_expect(detail->places[0].line == 12 && detail->places[0].count == 15);
	cr_expect(detail->places[1].line == 9 && detail->places[1].count == 12);
	cr_expect(detail->places[2].line == 7 && detail->places[2].count == 3);
	cr_expect_eq(detail->elsewhere, 0);
	top_detail_begin(detail);
	for (uint32_t i = 0; i < TOP_PLACES + 5; i++)
		tell(detail, i, i + 1, 20 * SECOND);
	top_detail_end(detail);
	cr_expect_eq(detail->place_count, TOP_PLACES);
	cr_expect_eq(detail->elsewhere, 5);
	top_detail_begin(detail);
	top_detail_end(detail);
	cr_expect(!detail->place_count && !detail->told);
	free(detail);
}

Test(top_detail, keeps_the_oldest)
{
	struct top_detail *detail = malloc(sizeof(*detail));

	top_detail_begin(detail);
	for (uint64_t i = 0; i < 100; i++) /* 0, 37, 74, 11 …: each number below 100 once */
		tell(detail, i * 37 % 100, 1, 20 * SECOND + i * 37 % 100);
	top_detail_end(detail);
	cr_assert_eq(detail->oldest_count, TOP_OLDEST);
	for (uint64_t i = 0; i < TOP_OLDEST; i++) {
		cr_expect_eq(detail->oldest[i].id, i);
		cr_expect_eq(detail->oldest[i].gen, 0x1000 + i);
		cr_expect_eq(detail->oldest[i].since_ns, 20 * SECOND + i);
		cr_expect_eq(detail->oldest[i].pid, 42);
		cr_expect_not(detail->oldest[i].is_more);
	}
	free(detail);
}

Test(top_detail, knows_no_age_older_than_the_run)
{
	struct top_detail *detail = malloc(sizeof(*detail));
	struct living_record object = {
		.id = 5, .birth_ns = 11 * SECOND, .state = STATE_SUSPENDED, .frame = STATE_SUSPENDED
	};

	top_detail_begin(detail);
	tell(detail, 1, 3, 0);
	top_detail_add(detail, &object, 3, 10 * SECOND);
	cr_assert_eq(detail->oldest_count, 2);
	cr_expect(detail->oldest[0].since_ns == 10 * SECOND && detail->oldest[0].is_more);
	cr_expect(detail->oldest[1].since_ns == 11 * SECOND && !detail->oldest[1].is_more);
	/* awaits inside an async generator: inspect says RUNNING, but it stands on a line */
	object.state = STATE_RUNNING;
	top_detail_add(detail, &object, 4, 10 * SECOND);
	cr_expect_eq(detail->oldest_count, 2);
	cr_expect_eq(detail->place_count, 2);
	object.frame = STATE_RUNNING; /* and this one does not */
	top_detail_add(detail, &object, 5, 10 * SECOND);
	cr_expect_eq(detail->place_count, 2);
	cr_expect_eq(detail->told, 4);
	free(detail);
}
