/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/latency.h"
#include "records.h"
#include "samples.h"

/* Rows of latencies: what goes into which, and in which order they come. */

static const struct latency_code code_get = { .qualname = "Queue.get",
					      .file = "/srv/app/queue.py",
					      .first_line = 30,
					      .kind = KIND_COROUTINE };

static struct latency *open_latency(enum latency_by by)
{
	struct latency *latency;

	cr_assert_eq(latency_new(&latency, by), 0);
	return latency;
}

/* `count` runs of that length. */
static void add_runs(struct latency *latency, const struct latency_code *code, unsigned count,
		     uint64_t ns)
{
	struct distributions distributions = {};

	while (count--)
		histogram_record(&distributions.metric[METRIC_RUN], ns);
	cr_assert_eq(latency_add(latency, code, &distributions), 0);
}

static struct latency_rows sort(struct latency *latency, enum metric metric, enum latency_sort sort,
				size_t limit)
{
	struct latency_rows rows;

	latency_sort(latency,
		     &(struct latency_order){ .metric = metric, .sort = sort, .limit = limit },
		     &rows);
	return rows;
}

Test(latency, is_empty_at_first)
{
	struct latency *latency = open_latency(LATENCY_BY_FUNCTION);
	struct distributions nothing = {};
	struct latency_rows rows = sort(latency, METRIC_RUN, LATENCY_SORT_TOTAL, 0);

	cr_expect_eq(rows.count, 0);
	cr_expect_eq(rows.rest, 0);
	cr_assert_eq(latency_add(latency, &code_get, &nothing), 0);
	rows = sort(latency, METRIC_RUN, LATENCY_SORT_TOTAL, 0);
	cr_expect_eq(rows.count, 0, "no row of nothing");
	latency_free(latency);
	latency_free(NULL);
}

/* Of two processes, where the names belong to somebody who frees them. */
Test(latency, knows_functions_by_their_names)
{
	struct latency *latency = open_latency(LATENCY_BY_FUNCTION);
	struct latency_rows rows;

	for (int process = 0; process < 2; process++) {
		char *name = strdup("Queue.get"), *file = strdup("/srv/app/queue.py");
		struct latency_code code = { name, file, "Task-1", 30, KIND_COROUTINE }, other;

		add_runs(latency, &code, 1, 1000);
		code.task = NULL;
		add_runs(latency, &code, 2, 3000);
		other = code;
		other.first_line = 40;
		add_runs(latency, &other, 1, 100);
		other = code;
		other.kind = KIND_GENERATOR;
		add_runs(latency, &other, 1, 90);
		other = code;
		other.file = "/srv/app/other.py";
		add_runs(latency, &other, 1, 80);
		other = code;
		other.qualname = "Queue.put";
		add_runs(latency, &other, 1, 70);
		memset(name, '#', strlen(name));
		free(name);
		free(file);
	}
	rows = sort(latency, METRIC_RUN, LATENCY_SORT_TOTAL, 0);
	cr_assert_eq(rows.count, 5);
	cr_expect_eq(rows.by, LATENCY_BY_FUNCTION);
	cr_expect_str_eq(rows.at[0]->code.qualname, "Queue.get");
	cr_expect_str_eq(rows.at[0]->code.file, "/srv/app/queue.py");
	cr_expect_null(rows.at[0]->code.task);
	cr_expect_eq(rows.at[0]->code.first_line, 30);
	cr_expect_eq(rows.at[0]->code.kind, KIND_COROUTINE);
	cr_expect_eq(rows.at[0]->distributions.metric[METRIC_RUN].count, 6);
	cr_expect_eq(rows.at[0]->distributions.metric[METRIC_RUN].sum_ns, 14000);
	cr_expect_eq(rows.at[0]->distributions.metric[METRIC_SELF].count, 0);
	cr_expect_eq(rows.at[1]->code.first_line, 40);
	cr_expect_eq(rows.at[2]->code.kind, KIND_GENERATOR);
	cr_expect_str_eq(rows.at[3]->code.file, "/srv/app/other.py");
	cr_expect_str_eq(rows.at[4]->code.qualname, "Queue.put");
	for (size_t i = 1; i < rows.count; i++)
		cr_expect_eq(rows.at[i]->distributions.metric[METRIC_RUN].count, 2);
	latency_free(latency);
}

Test(latency, sums_up_files)
{
	struct latency *latency = open_latency(LATENCY_BY_FILE);
	struct latency_code code = code_get;
	struct latency_rows rows;

	add_runs(latency, &code, 1, 1000);
	code.qualname = "Queue.put";
	code.first_line = 50;
	add_runs(latency, &code, 1, 1000);
	code.file = "/srv/app/main.py";
	add_runs(latency, &code, 1, 100);
	code.kind = KIND_GENERATOR;
	add_runs(latency, &code, 1, 100);
	add_runs(latency, &code, 1, 100);
	rows = sort(latency, METRIC_RUN, LATENCY_SORT_TOTAL, 0);
	cr_assert_eq(rows.count, 2);
	cr_expect_str_eq(rows.at[0]->code.file, "/srv/app/queue.py");
	cr_expect_null(rows.at[0]->code.qualname);
	cr_expect_eq(rows.at[0]->code.first_line, 0);
	cr_expect_eq(rows.at[0]->code.kind, KIND_COROUTINE, "all of them are");
	cr_expect_eq(rows.at[0]->distributions.metric[METRIC_RUN].sum_ns, 2000);
	cr_expect_str_eq(rows.at[1]->code.file, "/srv/app/main.py");
	cr_expect_eq(rows.at[1]->code.kind, KIND_NONE, "they are of two");
	cr_expect_eq(rows.at[1]->distributions.metric[METRIC_RUN].count, 3);
	latency_free(latency);
}

Test(latency, sums_up_tasks)
{
	struct latency *latency = open_latency(LATENCY_BY_TASK);
	struct latency_code code = code_get;
	struct latency_rows rows;

	add_runs(latency, &code, 1, 100);
	code.task = "Task-2";
	add_runs(latency, &code, 1, 1000);
	code.qualname = "main";
	code.file = "/srv/app/main.py";
	add_runs(latency, &code, 1, 1000);
	code.task = NULL;
	add_runs(latency, &code, 1, 100);
	rows = sort(latency, METRIC_RUN, LATENCY_SORT_TOTAL, 0);
	cr_assert_eq(rows.count, 2);
	cr_expect_str_eq(rows.at[0]->code.task, "Task-2");
	cr_expect_null(rows.at[0]->code.qualname);
	cr_expect_null(rows.at[0]->code.file);
	cr_expect_eq(rows.at[0]->distributions.metric[METRIC_RUN].sum_ns, 2000);
	cr_expect_null(rows.at[1]->code.task);
	cr_expect_eq(rows.at[1]->distributions.metric[METRIC_RUN].sum_ns, 200);
	latency_free(latency);
}

/* Rows that differ in every sort: f<n>. */
static struct latency *fill(void)
{
	struct latency *latency = open_latency(LATENCY_BY_FUNCTION);
	struct latency_code code = code_get;

	code.qualname = "f1"; /* most, none long */
	add_runs(latency, &code, 5000, 2000);
	code.qualname = "f2"; /* the largest median */
	add_runs(latency, &code, 3, 400000);
	code.qualname = "f3"; /* largest p90 */
	add_runs(latency, &code, 80, 3000);
	add_runs(latency, &code, 20, 900000);
	code.qualname = "f4"; /* largest p99 */
	add_runs(latency, &code, 1950, 4000);
	add_runs(latency, &code, 50, 1500000);
	code.qualname = "f5"; /* largest p99.9 */
	add_runs(latency, &code, 1990, 1000);
	add_runs(latency, &code, 10, 2500000);
	code.qualname = "f6"; /* largest of all */
	add_runs(latency, &code, 1999, 500);
	add_runs(latency, &code, 1, 9000000);
	code.qualname = "f0"; /* as f2, but for the name */
	add_runs(latency, &code, 3, 400000);
	return latency;
}

Test(latency, sorts_by_what_is_asked)
{
	static const struct {
		const char *word;
		enum latency_sort sort;
		const char *expected;
	} orders[] = {
		/* 2000 of f4, f5, f6: by name */
		{ "count", LATENCY_SORT_COUNT, "f1 f4 f5 f6 f3 f0 f2" },
		/* 82.8, 27.0, 18.24, 10.0, 10.0 (9999.5 us), 1.2 ms twice */
		{ "total", LATENCY_SORT_TOTAL, "f4 f5 f3 f1 f6 f0 f2" },
		{ "share", LATENCY_SORT_SHARE, "f4 f5 f3 f1 f6 f0 f2" },
		{ "p50", LATENCY_SORT_P50, "f0 f2 f4 f3 f1 f5 f6" },
		{ "p90", LATENCY_SORT_P90, "f3 f0 f2 f4 f1 f5 f6" },
		{ "p99", LATENCY_SORT_P99, "f4 f3 f0 f2 f1 f5 f6" },
		{ "p999", LATENCY_SORT_P999, "f5 f4 f3 f0 f2 f1 f6" },
		{ "max", LATENCY_SORT_MAX, "f6 f5 f4 f3 f0 f2 f1" },
		{ "name", LATENCY_SORT_NAME, "f0 f1 f2 f3 f4 f5 f6" },
	};
	struct latency *latency = fill();

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct latency_rows rows = sort(latency, METRIC_RUN, orders[i].sort, 0);
		char names[64] = "";

		for (size_t k = 0; k < rows.count; k++) {
			strcat(names, k ? " " : "");
			strcat(names, rows.at[k]->code.qualname);
		}
		cr_expect_str_eq(names, orders[i].expected, "by %s: %s", orders[i].word, names);
		cr_expect_eq(latency_sort_of_name(orders[i].word), (int)orders[i].sort);
		cr_expect_eq(rows.order.sort, orders[i].sort);
	}
	cr_expect_eq(latency_sort_of_name("P50"), -EINVAL);
	cr_expect_eq(latency_sort_of_name(""), -EINVAL);
	latency_free(latency);
}

Test(latency, says_what_a_limit_left_out)
{
	struct latency *latency = fill();
	struct distributions started = {};
	struct latency_code code = code_get;
	struct latency_rows rows;

	histogram_record(&started.metric[METRIC_START], 77);
	code.qualname = "a"; /* first by name, but it never ran */
	cr_assert_eq(latency_add(latency, &code, &started), 0);
	rows = sort(latency, METRIC_RUN, LATENCY_SORT_NAME, 5);
	cr_assert_eq(rows.count, 5);
	cr_expect_str_eq(rows.at[4]->code.qualname, "f4");
	cr_expect_eq(rows.rest, 2);
	cr_expect_eq(rows.rest_count, 4000);
	cr_expect_eq(rows.rest_ns, (1990000 + 25000000) + (999500 + 9000000));
	rows = sort(latency, METRIC_RUN, LATENCY_SORT_NAME, 0);
	cr_assert_eq(rows.count, 8);
	cr_expect_eq(rows.rest, 0);
	cr_expect_str_eq(rows.at[7]->code.qualname, "a");
	rows = sort(latency, METRIC_START, LATENCY_SORT_P50, 100);
	cr_assert_eq(rows.count, 8);
	cr_expect_str_eq(rows.at[0]->code.qualname, "a");
	cr_expect_str_eq(rows.at[1]->code.qualname, "f0");
	latency_free(latency);
}

/* Function n comes n times, in an order by chance: every sum is known, and so is the order. */
Test(latency, holds_many_rows)
{
	enum { ROWS = 300 };
	struct latency *latency = open_latency(LATENCY_BY_FUNCTION);
	struct samples chance = { .chance = 3 };
	struct latency_code code = code_get;
	struct latency_rows rows;
	unsigned left[ROWS], total = 0;

	for (unsigned i = 0; i < ROWS; i++)
		total += left[i] = i + 1;
	while (total--) {
		unsigned i = by_chance(&chance) % ROWS;

		while (!left[i])
			i = (i + 1) % ROWS;
		left[i]--;
		code.first_line = i + 1;
		add_runs(latency, &code, 1, 1000);
	}
	rows = sort(latency, METRIC_RUN, LATENCY_SORT_COUNT, 0);
	cr_assert_eq(rows.count, ROWS);
	for (unsigned i = 0; i < ROWS; i++) {
		cr_assert_eq(rows.at[i]->code.first_line, ROWS - i);
		cr_assert_eq(rows.at[i]->distributions.metric[METRIC_RUN].count, ROWS - i);
	}
	latency_free(latency);
}

Test(latency, has_words_for_what_it_sums_up_by)
{
	static const char *const words[] = { "function", "file", "task" };

	for (int i = 0; i < 3; i++) {
		cr_expect_eq(latency_by_of_name(words[i]), i);
		cr_expect_str_eq(name_of_latency_by((enum latency_by)i), words[i]);
	}
	cr_expect_eq(latency_by_of_name("functions"), -EINVAL);
}
