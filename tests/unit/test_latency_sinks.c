/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/names.h"
#include "paper.h"
#include "records.h"
#include "samples.h"
#include "sink/latency.h"

/*
 * The views of `latency`: their layout line by line, their numbers against sorted values, JSON read back
 * by libjson-c.
 */

static const struct latency_code code_main = {
	.qualname = "main", .file = "/srv/app/main.py", .first_line = 10, .kind = KIND_COROUTINE
};
static const struct latency_code code_get = { .qualname = "Queue.get",
					      .file = "/srv/app/queue.py",
					      .first_line = 30,
					      .kind = KIND_COROUTINE };
static const struct latency_code code_numbers = {
	.qualname = "numbers", .file = "<string>", .first_line = 1, .kind = KIND_GENERATOR
};

struct sheet {
	struct paper paper;
	struct ps_view view;
	struct latency_page page;
	struct latency *latency;
	struct latency_rows rows;
};

static void sheet_open(struct sheet *sheet, enum latency_by by)
{
	memset(sheet, 0, sizeof(*sheet));
	paper_open(&sheet->paper, &sink_text, false);
	sheet->view = (struct ps_view){ .writer = &sheet->paper.writer, .style = { .utf8 = true } };
	sheet->page.duration_ns = 10000000000;
	cr_assert_eq(latency_new(&sheet->latency, by), 0);
}

static void sheet_close(struct sheet *sheet)
{
	latency_free(sheet->latency);
	paper_close(&sheet->paper);
}

static void add(struct sheet *sheet, const struct latency_code *code, enum metric metric,
		unsigned count, uint64_t ns)
{
	struct distributions distributions = {};

	while (count--)
		histogram_record(&distributions.metric[metric], ns);
	cr_assert_eq(latency_add(sheet->latency, code, &distributions), 0);
}

static void add_samples(struct sheet *sheet, const struct latency_code *code, enum metric metric,
			const struct samples *samples)
{
	struct distributions distributions = {};

	samples_record(samples, &distributions.metric[metric]);
	cr_assert_eq(latency_add(sheet->latency, code, &distributions), 0);
}

static void sort(struct sheet *sheet, enum metric metric, size_t limit)
{
	struct latency_order order = { .metric = metric,
				       .sort = LATENCY_SORT_TOTAL,
				       .limit = limit };

	latency_sort(sheet->latency, &order, &sheet->rows);
}

/* Sorted by total, on an empty paper. */
static const char *text_of(struct sheet *sheet, enum metric metric, size_t limit)
{
	sort(sheet, metric, limit);
	paper_clear(&sheet->paper);
	latency_text(&sheet->view, &sheet->page, &sheet->rows);
	return paper_text(&sheet->paper);
}

static void expect_text(struct sheet *sheet, enum metric metric, size_t limit, const char *expected)
{
	cr_expect_str_eq(text_of(sheet, metric, limit), expected, "%s", sheet->paper.text);
}

/* The next number, a duration in nanoseconds; *at moves behind it. */
static double read_number(const char **at)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = { { " ns", 1 }, { " us", 1e3 }, { " ms", 1e6 }, { " s", 1e9 } };
	char *end;
	double number = strtod(*at, &end);

	cr_assert_neq(end, *at, "no number: %s", *at);
	*at = end + (*end == '%');
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strncmp(end, units[i].unit, strlen(units[i].unit))) {
			*at = end + strlen(units[i].unit);
			return number * units[i].ns;
		}
	return number;
}

static void expect_within(double got, double exact, double error)
{
	cr_expect_leq(fabs(got - exact), exact * error + 1, "%g, not %g", got, exact);
}

/* What their buckets stand for: 250 ms is in [14, 15) * 2^24 ns, 243 ms; 750 ns in [11, 12) * 2^6 ns, 735 ns; of
 * 1 ms it would be more than the maximum. The last of 20 and of 3 is the maximum. */
static void fill(struct sheet *sheet)
{
	add(sheet, &code_main, METRIC_RUN, 1500, 1000000);
	add(sheet, &code_get, METRIC_RUN, 20, 250000000);
	add(sheet, &code_numbers, METRIC_RUN, 3, 750);
	add(sheet, &code_get, METRIC_SUSPENDED, 20, 2000000000);
}

Test(latency_text, aligns_its_columns)
{
	struct sheet sheet;

	sheet_open(&sheet, LATENCY_BY_FUNCTION);
	expect_text(&sheet, METRIC_RUN, 0, ""); /* no header over nothing */
	fill(&sheet);
	expect_text(
		&sheet, METRIC_RUN, 0,
		"run: from resumed until it leaves, with what it awaited inside; in 10.0 s\n"
		"COUNT   TOTAL SHARE     P50     P90     P99   P99.9     MAX KIND FUNCTION  WHERE\n"
		"   20  5.00 s 50.0%  243 ms  243 ms  250 ms  250 ms  250 ms coro Queue.get "
		"/srv/app/queue.py:30\n"
		"1 500  1.50 s 15.0% 1.00 ms 1.00 ms 1.00 ms 1.00 ms 1.00 ms coro main      "
		"/srv/app/main.py:10\n"
		"    3 2.25 us  0.0%  735 ns  750 ns  750 ns  750 ns  750 ns gen  numbers   "
		"<string>:1\n");
	sheet_close(&sheet);
}

/* P99.9 and P90, then the kind and the share; what the rows are sorted by stays. */
Test(latency_text, leaves_out_what_has_no_room)
{
	struct sheet sheet;

	sheet_open(&sheet, LATENCY_BY_FUNCTION);
	fill(&sheet);
	sheet.view.style.width = 80;
	expect_text(
		&sheet, METRIC_RUN, 2,
		"run: from resumed until it leaves, with what it awaited inside; in 10.0 s\n"
		"COUNT  TOTAL SHARE     P50     P99     MAX KIND FUNCTION  WHERE\n"
		"   20 5.00 s 50.0%  243 ms  250 ms  250 ms coro Queue.get /srv/app/queue.py:30\n"
		"1 500 1.50 s 15.0% 1.00 ms 1.00 ms 1.00 ms coro main      /srv/app/main.py:10\n"
		"… 1 more: count 3, total 2.25 us\n");
	sheet_close(&sheet);
}

Test(latency_text, says_which_metric_it_shows)
{
	static const char *const words[METRIC_COUNT] = { "run: ", "self: ", "suspended: ",
							 "start: ", "lifetime: " };
	struct sheet sheet;

	sheet_open(&sheet, LATENCY_BY_FUNCTION);
	for (unsigned i = 0; i < METRIC_COUNT; i++)
		add(&sheet, &code_main, (enum metric)i, i + 1, 1000);
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		const char *text = text_of(&sheet, (enum metric)i, 0);
		const char *row = strchr(strchr(text, '\n') + 1, '\n');

		cr_expect_eq(strncmp(text, words[i], strlen(words[i])), 0, "%s", text);
		cr_expect_eq(strtoul(row, NULL, 10), i + 1, "the count of another: %s", text);
	}
	sheet.page.duration_ns = 0;
	cr_expect_null(strstr(text_of(&sheet, METRIC_RUN, 0), "; in"));
	sheet_close(&sheet);
}

/* Every number of a row against the values themselves, in all shapes. */
Test(latency_text, shows_the_numbers_of_its_values)
{
	for (int shape = 0; shape < SHAPES; shape++) {
		struct samples samples;
		struct sheet sheet;
		double numbers[8];
		const char *at;

		sheet_open(&sheet, LATENCY_BY_FUNCTION);
		samples_open(&samples, (enum shape)shape, 999, 7);
		samples_sort(&samples);
		add_samples(&sheet, &code_main, METRIC_LIFETIME, &samples);
		at = text_of(&sheet, METRIC_LIFETIME, 0);
		at = strchr(strchr(at, '\n') + 1, '\n') + 1;
		for (int i = 0; i < 8; i++)
			numbers[i] = read_number(&at);
		cr_expect_eq(numbers[0], 999);
		expect_within(numbers[1], (double)samples_sum(&samples), 0.005);
		cr_expect_leq(fabs(numbers[2] - (double)samples_sum(&samples) / 1e8), 0.0501);
		expect_within(numbers[3], (double)samples_quantile(&samples, 500), 0.065);
		expect_within(numbers[4], (double)samples_quantile(&samples, 900), 0.065);
		expect_within(numbers[5], (double)samples_quantile(&samples, 990), 0.065);
		expect_within(numbers[6], (double)samples_quantile(&samples, 999), 0.065);
		expect_within(numbers[7], (double)samples.ns[998], 0.005);
		samples_close(&samples);
		sheet_close(&sheet);
	}
}

Test(latency_text, sums_up_files_and_tasks)
{
	struct latency_code code = code_get;
	struct sheet sheet;

	sheet_open(&sheet, LATENCY_BY_FILE);
	add(&sheet, &code, METRIC_RUN, 1, 1000000);
	code.kind = KIND_GENERATOR;
	add(&sheet, &code, METRIC_RUN, 1, 1000000);
	add(&sheet, &code_main, METRIC_RUN, 1, 1000000);
	cr_expect(strstr(text_of(&sheet, METRIC_RUN, 0), " KIND FILE\n"), "%s", sheet.paper.text);
	cr_expect(strstr(sheet.paper.text, " 1.00 ms -    /srv/app/queue.py\n"), "%s",
		  sheet.paper.text);
	cr_expect(strstr(sheet.paper.text, " 1.00 ms coro /srv/app/main.py\n"));
	sheet_close(&sheet);
	sheet_open(&sheet, LATENCY_BY_TASK);
	add(&sheet, &code, METRIC_RUN, 1, 1000000);
	code.task = "Task-1";
	add(&sheet, &code, METRIC_RUN, 1, 2000000);
	cr_expect(strstr(text_of(&sheet, METRIC_RUN, 0), " KIND TASK\n"), "%s", sheet.paper.text);
	cr_expect(strstr(sheet.paper.text, " 2.00 ms gen  Task-1\n"), "%s", sheet.paper.text);
	cr_expect(strstr(sheet.paper.text, " 1.00 ms gen  (no task)\n"));
	sheet_close(&sheet);
}

/* 100 values in few powers of two: their eighths. 4096 ns and the next power have bounds of 512 and
 * 1024 ns. */
Test(latency_text, draws_a_histogram_of_one_function)
{
	struct sheet sheet;
	const char *text;

	sheet_open(&sheet, LATENCY_BY_FUNCTION);
	add(&sheet, &code_main, METRIC_START, 10, 4096);
	add(&sheet, &code_main, METRIC_START, 40, 4700);
	add(&sheet, &code_main, METRIC_START, 30, 9215);
	add(&sheet, &code_main, METRIC_START, 20, 5ull << 42);
	text = strstr(text_of(&sheet, METRIC_START, 0), "\n\n");
	cr_assert(text, "%s", sheet.paper.text);
	cr_expect_str_eq(text + 2,
			 "  4.10 us - 4.61 us 10  10.0% ██████████\n"
			 "  4.61 us - 5.12 us 40  40.0% ████████████████████████████████████████\n"
			 "  …\n"
			 "  8.19 us - 9.22 us 30  30.0% ██████████████████████████████\n"
			 "  …\n"
			 "   4398 s -    more 20  20.0% ████████████████████\n",
			 "%s", text);
	sheet.view.style = (struct ps_style){ .width = 50 };
	text = strstr(text_of(&sheet, METRIC_START, 0), "\n\n");
	cr_assert(text, "%s", sheet.paper.text);
	cr_expect_str_eq(text + 2,
			 "  4.10 us - 4.61 us 10  10.0% #####\n"
			 "  4.61 us - 5.12 us 40  40.0% ####################\n"
			 "  ..\n"
			 "  8.19 us - 9.22 us 30  30.0% ###############\n"
			 "  ..\n"
			 "   4398 s -    more 20  20.0% ##########\n",
			 "%s", text);
	add(&sheet, &code_get, METRIC_START, 1, 100);
	cr_expect_null(strstr(text_of(&sheet, METRIC_START, 0), "\n\n"), "of two, unasked");
	cr_expect_null(strstr(text_of(&sheet, METRIC_START, 1), "\n\n"), "of one of two");
	sheet.page.bars = true;
	cr_expect(strstr(text_of(&sheet, METRIC_START, 0), "\n\nmain /srv/app/main.py:10\n  4.10"),
		  "%s", sheet.paper.text);
	cr_expect(strstr(sheet.paper.text, "\n\nQueue.get /srv/app/queue.py:30\n"
					   "     0 ns -  128 ns 1 100.0% #####################\n"),
		  "%s", sheet.paper.text);
	sheet_close(&sheet);
}

/* One of 100 000 has a mark too. */
Test(latency_text, shows_what_is_rare)
{
	struct sheet sheet;

	sheet_open(&sheet, LATENCY_BY_FUNCTION);
	add(&sheet, &code_main, METRIC_RUN, 99999, 1000000);
	add(&sheet, &code_main, METRIC_RUN, 1, 100);
	cr_expect(strstr(text_of(&sheet, METRIC_RUN, 0),
			 "     0 ns -  128 ns      1   0.0% \xe2\x96\x8f\n"),
		  "%s", sheet.paper.text);
	sheet.view.style.utf8 = false;
	cr_expect(strstr(text_of(&sheet, METRIC_RUN, 0), "     0 ns -  128 ns      1   0.0% #\n"),
		  "%s", sheet.paper.text);
	sheet_close(&sheet);
}

/* From 1 us to 1 h: powers of two from 512 ns on, each with as many as there are in it. */
Test(latency_text, draws_powers_of_two)
{
	struct samples samples;
	struct sheet sheet;
	const char *at;

	sheet_open(&sheet, LATENCY_BY_FUNCTION);
	samples_open(&samples, LOG_UNIFORM, 20000, 8);
	add_samples(&sheet, &code_main, METRIC_SUSPENDED, &samples);
	at = strstr(text_of(&sheet, METRIC_SUSPENDED, 0), "\n\n") + 2;
	for (unsigned power = 9; power < 42; power++) {
		uint64_t low = 1ull << power;
		unsigned count = 0;

		for (size_t i = 0; i < samples.count; i++)
			count += samples.ns[i] >= low && samples.ns[i] < low * 2;
		cr_assert_gt(count, 0);
		expect_within(read_number(&at), (double)low, 0.005);
		at = strchr(at, '-') + 1;
		expect_within(read_number(&at), (double)low * 2, 0.005);
		cr_expect_eq(read_number(&at), count);
		cr_expect_leq(fabs(read_number(&at) - count / 200.0), 0.0501);
		at = strchr(at, '\n') + 1;
	}
	cr_expect_str_eq(at, "");
	samples_close(&samples);
	sheet_close(&sheet);
}

Test(latency_text, fits_the_terminal)
{
	static const struct latency_code codes[] = {
		{ .qualname = "Application.<locals>.handler.<locals>.inner_function_of_it",
		  .file = "/usr/lib/python3/dist-packages/app/plugins/loader.py",
		  .task = "a task with a long name, as people give them, and longer than a line is",
		  .first_line = 123456,
		  .kind = KIND_ASYNC_GENERATOR },
		{ .qualname = "\xe6\x95\xb0\xe6\x8d\xae\xe5\xba\x93.\xe6\x9f\xa5\xe8\xaf\xa2",
		  .file = "/\xe6\x95\xb0\xe6\x8d\xae/\xe5\xba\x93.py",
		  .first_line = 2,
		  .kind = KIND_COROUTINE },
	};

	for (int by = LATENCY_BY_FUNCTION; by <= LATENCY_BY_TASK; by++) {
		struct sheet sheet;

		sheet_open(&sheet, (enum latency_by)by);
		sheet.page.bars = true;
		for (int i = 0; i < 2; i++) {
			add(&sheet, &codes[i], METRIC_RUN, 123456, 98765432);
			add(&sheet, &codes[i], METRIC_RUN, 12, 7);
		}
		for (unsigned width = 80; width <= 200; width++) {
			sheet.view.style.width = width;
			cr_expect_leq(widest_line(text_of(&sheet, METRIC_RUN, 0)), (int)width,
				      "in %u:\n%s", width, sheet.paper.text);
		}
		sheet_close(&sheet);
	}
}

/* Without its escape sequences a coloured page is the plain one. */
Test(latency_text, colours_without_moving_anything)
{
	struct sheet plain, coloured;

	sheet_open(&plain, LATENCY_BY_FUNCTION);
	sheet_open(&coloured, LATENCY_BY_FUNCTION);
	fill(&plain);
	fill(&coloured);
	plain.page.bars = coloured.page.bars = true;
	coloured.view.style.color = true;
	for (unsigned width = 0; width <= 200; width += 50) {
		plain.view.style.width = coloured.view.style.width = width;
		text_of(&coloured, METRIC_RUN, 2);
		cr_expect(strstr(coloured.paper.text, "\033[1m"), "a bold header");
		strip_colors(coloured.paper.text);
		cr_expect_str_eq(coloured.paper.text, text_of(&plain, METRIC_RUN, 2));
	}
	sheet_close(&plain);
	sheet_close(&coloured);
}

static const char evil[] = "e\033[2J\n\r\x9b"
			   "31m\xc2\x9b\xe2\x80\xae\"\\x";
static const struct latency_code code_evil = {
	.qualname = evil, .file = evil, .task = evil, .first_line = 1, .kind = KIND_COROUTINE
};

Test(latency_text, keeps_hostile_names_on_their_lines)
{
	for (int by = LATENCY_BY_FUNCTION; by <= LATENCY_BY_TASK; by++) {
		struct sheet sheet;

		sheet_open(&sheet, (enum latency_by)by);
		sheet.page.bars = true;
		add(&sheet, &code_evil, METRIC_RUN, 1, 1000000);
		add(&sheet, &code_main, METRIC_RUN, 1, 1000000);
		text_of(&sheet, METRIC_RUN, 0);
		/* words, header, two rows, and for each a blank, a title and a bar */
		cr_expect_eq(count_lines(sheet.paper.text), 10, "%s", sheet.paper.text);
		cr_expect_null(strpbrk(sheet.paper.text, "\033\r"), "a control came through");
		cr_expect_null(strstr(sheet.paper.text, "\xc2\x9b"));
		cr_expect_null(strstr(sheet.paper.text, "\xe2\x80\xae"));
		cr_expect_gt(widest_line(sheet.paper.text), 0); /* it is UTF-8 throughout */
		sheet_close(&sheet);
	}
}

/* --- JSON ------------------------------------------------------------------------------------------ */

static void json_of(struct sheet *sheet)
{
	sort(sheet, METRIC_RUN, 0);
	paper_clear(&sheet->paper);
	latency_json(&sheet->view, &sheet->page, &sheet->rows);
}

static void expect_near_member(struct json_object *object, const char *key, uint64_t exact)
{
	expect_near(json_object_get_uint64(member(object, key)), exact, key);
}

/* Upper bounds as arithmetic has them, and as many values below each as there are. */
static void expect_buckets(struct json_object *object, const struct samples *samples)
{
	struct json_object *buckets = member(object, "buckets");
	size_t seen = 0, below = 0;
	uint64_t last = 0;

	for (size_t i = 0; i < json_object_array_length(buckets); i++) {
		struct json_object *pair = json_object_array_get_idx(buckets, i);
		uint64_t bound = json_object_get_uint64(json_object_array_get_idx(pair, 0));
		uint64_t count = json_object_get_uint64(json_object_array_get_idx(pair, 1));
		uint64_t power = 128;

		cr_expect_eq(json_object_array_length(pair), 2);
		while (power * 2 < bound)
			power *= 2;
		cr_expect(bound == 128 || (bound - power) % (power / 8) == 0, "%" PRIu64, bound);
		cr_expect_gt(bound, last);
		cr_expect_gt(count, 0);
		last = bound;
		seen += count;
		while (below < samples->count && samples->ns[below] < bound)
			below++;
		cr_expect_eq(seen, below, "%" PRIu64 ": %zu, not %zu", bound, seen, below);
	}
	cr_expect_eq(seen, samples->count);
}

Test(latency_json, has_what_the_contract_says)
{
	struct samples samples[METRIC_COUNT];
	struct json_object *row, *part;
	struct sheet sheet;

	sheet_open(&sheet, LATENCY_BY_FUNCTION);
	sheet.page.buckets = true;
	for (int i = 0; i < METRIC_COUNT; i++) {
		samples_open(&samples[i], (enum shape)i, 1234, (uint64_t)i);
		samples_sort(&samples[i]);
		add_samples(&sheet, &code_get, (enum metric)i, &samples[i]);
	}
	json_of(&sheet);
	row = read_line(&sheet.paper);
	expect_string(row, "type", "function");
	expect_string(row, "qualname", "Queue.get");
	expect_string(row, "file", "/srv/app/queue.py");
	expect_number(row, "firstlineno", 30);
	expect_string(row, "kind", "coroutine");
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		part = member(row, name_of_metric(i));
		expect_number(part, "count", samples[i].count);
		expect_number(part, "sum_ns", samples_sum(&samples[i]));
		expect_number(part, "max_ns", samples[i].ns[samples[i].count - 1]);
		expect_near_member(part, "p50_ns", samples_quantile(&samples[i], 500));
		expect_near_member(part, "p90_ns", samples_quantile(&samples[i], 900));
		expect_near_member(part, "p99_ns", samples_quantile(&samples[i], 990));
		expect_near_member(part, "p999_ns", samples_quantile(&samples[i], 999));
		cr_expect_eq(json_object_object_length(part), 8);
		expect_buckets(part, &samples[i]);
		samples_close(&samples[i]);
	}
	json_object_put(row);
	sheet_close(&sheet);
}

Test(latency_json, has_a_line_for_every_row)
{
	static const enum latency_by kinds_of_rows[] = { LATENCY_BY_FILE, LATENCY_BY_TASK };
	struct json_object *row;
	struct sheet sheet;

	sheet_open(&sheet, LATENCY_BY_FUNCTION);
	fill(&sheet);
	json_of(&sheet);
	cr_expect_eq(count_lines(paper_text(&sheet.paper)), 3);
	row = line_at(&sheet.paper, 0);
	expect_string(row, "qualname", "Queue.get");
	expect_null(row, "self");
	expect_null(row, "start");
	expect_null(row, "lifetime");
	expect_number(member(row, "suspended"), "sum_ns", 40000000000);
	cr_expect_eq(json_object_object_length(member(row, "run")), 7, "no buckets unasked");
	json_object_put(row);
	row = line_at(&sheet.paper, 2);
	expect_string(row, "kind", "generator");
	expect_string(row, "file", "<string>");
	expect_null(row, "suspended");
	json_object_put(row);
	sheet_close(&sheet);
	for (int i = 0; i < 2; i++) {
		sheet_open(&sheet, kinds_of_rows[i]);
		fill(&sheet);
		json_of(&sheet);
		row = line_at(&sheet.paper, 0);
		expect_string(row, "type", i ? "task" : "file");
		expect_null(row, "qualname");
		expect_null(row, "firstlineno");
		expect_string(row, "file", i ? NULL : "/srv/app/queue.py");
		expect_string(row, "kind", i ? NULL : "coroutine");
		if (i)
			expect_null(row, "task");
		cr_expect_eq(json_object_object_length(row), 10 + i);
		json_object_put(row);
		sheet_close(&sheet);
	}
}

Test(latency_json, has_no_bound_above_the_longest)
{
	struct json_object *row, *pair;
	struct sheet sheet;

	sheet_open(&sheet, LATENCY_BY_TASK);
	sheet.page.buckets = true;
	add(&sheet, &code_evil, METRIC_RUN, 2, 9ull << 42);
	json_of(&sheet);
	row = read_line(&sheet.paper);
	cr_expect(strstr(json_object_get_string(member(row, "task")), "\xe2\x80\xae\"\\x"));
	pair = json_object_array_get_idx(member(member(row, "run"), "buckets"), 0);
	cr_expect_null(json_object_array_get_idx(pair, 0));
	cr_expect_eq(json_object_get_uint64(json_object_array_get_idx(pair, 1)), 2);
	json_object_put(row);
	sheet_close(&sheet);
}
