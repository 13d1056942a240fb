/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "sink/tui_view.h"

/*
 * Pages of `top` at every size: never wider or longer than the terminal, and the numbers where their titles
 * say.
 */

#define SECOND 1000000000ull
#define ROWS   300

static const struct top_code names[] = {
	{ "Api.handle", "/srv/app/api.py", 8, KIND_COROUTINE },
	{ "rows", "/srv/app/data.py", 3, KIND_ASYNC_GENERATOR },
	{ "Pool.<locals>.worker", "/usr/lib/python3/dist-packages/pool/worker.py", 1234,
	  KIND_GENERATOR },
};

struct page {
	struct top_row rows[ROWS];
	const struct top_row *at[ROWS];
	struct top_detail detail;
	struct tui_data data;
	struct tui_state state;
	struct tui_extent extent;
	struct canvas *canvas;
};

static struct page *open_page(size_t count)
{
	struct page *page = calloc(1, sizeof(*page));

	for (size_t i = 0; i < count; i++) {
		struct top_row *row = &page->rows[i];

		row->code = names[i % 3];
		row->number = (uint32_t)i;
		row->objects[STATE_CREATED] = i;
		row->objects[STATE_SUSPENDED] = 50;
		row->live = 50 + i;
		row->rate = (double)(count - i) * 3;
		row->transitions = 700000 + i;
		row->p99_now_ns = 1500000;
		row->p99_ns = 2500000;
		row->oldest_ns = 17 * SECOND;
		row->oldest_is_more = i == 0;
		page->at[i] = row;
	}
	page->data = (struct tui_data){
		.head = { .targets = "pid 4711: python3 /srv/app/main.py",
			  .processes = 1,
			  .uptime_ns = 75 * SECOND,
			  .interval_ns = SECOND,
			  .event_rate = 1234,
			  .coverage = "",
			  .warning = "" },
		.rows = { .at = page->at, .count = count, .all = count },
		.now_ns = 100 * SECOND,
	};
	return page;
}

static void close_page(struct page *page)
{
	canvas_free(page->canvas);
	free(page);
}

static const char *line(const struct page *page, size_t at)
{
	cr_assert_lt(at, canvas_count(page->canvas));
	return canvas_line(page->canvas, at)->text;
}

static int columns_of(const char *text)
{
	wchar_t wide[1024];
	size_t count;

	cr_assert(setlocale(LC_CTYPE, "C.UTF-8"));
	count = mbstowcs(wide, text, 1024);
	cr_assert_neq(count, (size_t)-1, "no UTF-8: %s", text);
	return wcswidth(wide, count);
}

static void compose_as(struct page *page, unsigned width, unsigned height, bool utf8)
{
	canvas_free(page->canvas);
	page->canvas = NULL;
	cr_assert_eq(tui_compose(&page->data, &page->state, width, height, utf8, &page->canvas,
				 &page->extent),
		     0);
	cr_assert_leq(canvas_count(page->canvas), height, "%ux%u", width, height);
	for (size_t i = 0; i < canvas_count(page->canvas); i++) {
		int columns = columns_of(line(page, i));

		cr_assert(columns >= 0 && columns <= (int)width, "%ux%u: %d columns in '%s'", width,
			  height, columns, line(page, i));
		for (const char *c = line(page, i); *c; c++)
			cr_assert((unsigned char)*c >= ' ' && (utf8 || (unsigned char)*c < 0x7f));
	}
}

static void compose(struct page *page, unsigned width, unsigned height)
{
	compose_as(page, width, height, true);
}

static bool has(const struct page *page, const char *text)
{
	for (size_t i = 0; i < canvas_count(page->canvas); i++)
		if (strstr(line(page, i), text))
			return true;
	return false;
}

static void press(struct page *page, uint32_t key)
{
	tui_on_key(&page->state, key, &page->data.rows, &page->extent);
	if (page->state.page == TUI_FUNCTION)
		page->data.function = &page->rows[page->state.function];
}

/* Does the cell that ends where the title ends hold that text? */
static void expect_cell(const struct page *page, size_t row, const char *title, const char *cell)
{
	const char *titles = line(page, 4), *found = strstr(titles, title);
	size_t end;

	cr_assert(found, "no %s in '%s'", title, titles);
	end = (size_t)(found - titles) + strlen(title);
	cr_assert_geq(strlen(line(page, 5 + row)), end);
	cr_assert_geq(end, strlen(cell));
	cr_expect(
		!strncmp(line(page, 5 + row) + end - strlen(cell), cell, strlen(cell)) &&
			(end == strlen(cell) || line(page, 5 + row)[end - strlen(cell) - 1] == ' '),
		"%s of row %zu is not '%s': '%s'", title, row, cell, line(page, 5 + row));
}

Test(tui_view, has_a_table_at_80_by_24)
{
	struct page *page = open_page(3);

	compose(page, 80, 24);
	cr_assert_eq(canvas_count(page->canvas), 24);
	cr_expect_eq(page->extent.rows_seen, 18);
	cr_expect(strstr(line(page, 0), "pid 4711: python3 /srv/app/main.py"));
	cr_expect(strstr(line(page, 0), "every 1.00 s"));
	cr_expect(strstr(line(page, 0), "75.0 s"));
	cr_expect(strstr(line(page, 2), "1 234 transitions/s"));
	cr_expect(strstr(line(page, 2), "coverage full"));
	cr_expect(strstr(line(page, 3), "3 of 3 functions by live"));
	expect_cell(page, 1, "LIVE", "51");
	expect_cell(page, 1, "CRE", "1");
	expect_cell(page, 1, "RUN", "0");
	expect_cell(page, 1, "SUSP", "50");
	expect_cell(page, 1, "TRANS/S", "6.0");
	expect_cell(page, 1, "RUN P99", "1.50 ms");
	expect_cell(page, 1, "OLDEST", "17.0 s");
	expect_cell(page, 0, "OLDEST", ">17.0 s");
	cr_expect(strstr(line(page, 5), " Api.handle "), "%s", line(page, 5));
	cr_expect(strstr(line(page, 6), " agen rows "));
	cr_expect(strstr(line(page, 7), "Pool.<locals>.worker"));
	cr_expect(strstr(line(page, 23), "q quit"));
	cr_expect(strstr(line(page, 23), "h help"));
	cr_expect_eq(canvas_line(page->canvas, 5)->style, STYLE_SELECTED);
	cr_expect_eq(canvas_line(page->canvas, 5)->columns, 80, "all of the line is marked");
	cr_expect_eq(canvas_line(page->canvas, 6)->style, STYLE_PLAIN);
	close_page(page);
}

Test(tui_view, writes_words_out_where_there_is_room)
{
	struct page *page = open_page(3);

	compose(page, 120, 40);
	cr_assert_eq(canvas_count(page->canvas), 40);
	expect_cell(page, 2, "CREATED", "2");
	expect_cell(page, 2, "SUSPENDED", "50");
	cr_expect(strstr(line(page, 5), "/srv/app/api.py:8"));
	cr_expect(strstr(line(page, 7), "worker.py:1234"));
	cr_expect(strstr(line(page, 39), "r reverse"));
	close_page(page);
}

Test(tui_view, says_that_a_terminal_is_too_small)
{
	static const unsigned sizes[][2] = { { 40, 10 }, { 59, 24 }, { 80, 9 }, { 1, 1 } };
	struct page *page = open_page(3);

	for (size_t i = 0; i < 4; i++) {
		compose(page, sizes[i][0], sizes[i][1]);
		cr_assert_eq(canvas_count(page->canvas), 1);
		if (sizes[i][0] > 1)
			cr_expect_str_eq(line(page, 0), "terminal too small: 60×10 or more");
	}
	compose_as(page, 40, 10, false);
	cr_expect_str_eq(line(page, 0), "terminal too small: 60x10 or more");
	press(page, TUI_KEY_DOWN); /* with nothing to be seen */
	compose(page, 60, 10);
	cr_assert_eq(canvas_count(page->canvas), 10);
	expect_cell(page, 0, "LIVE", "50");
	expect_cell(page, 0, "OLDEST", ">17.0 s");
	cr_expect(has(page, "Api.handle"));
	close_page(page);
}

Test(tui_view, fits_every_size)
{
	struct page *page = open_page(ROWS);
	static const uint32_t keys[] = {
		TUI_KEY_END, TUI_KEY_ENTER, 'l', 'h', 'x', TUI_KEY_ESCAPE
	};

	page->data.detail = &page->detail;
	for (unsigned width = 1; width < 200; width += 7)
		for (unsigned height = 1; height < 60; height += 5)
			for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
				compose_as(page, width, height, i % 2);
				press(page, keys[i]);
			}
	close_page(page);
}

Test(tui_view, keeps_the_column_it_is_sorted_by)
{
	static const char *const titles[] = { "LIVE",    "CRE",     "RUN",    "SUSP",    "CLO",
					      "TRANS/S", "RUN P99", "OLDEST", "FUNCTION" };
	struct page *page = open_page(3);

	for (int sort = 0; sort < TOP_SORT_COUNT; sort++) {
		page->state.sort = (enum top_sort)sort;
		compose(page, 60, 10);
		cr_expect(strstr(line(page, 4), titles[sort]), "%s: %s", titles[sort],
			  line(page, 4));
	}
	close_page(page);
}

Test(tui_view, shows_the_part_that_the_cursor_is_in)
{
	struct page *page = open_page(ROWS);

	compose(page, 80, 24);
	press(page, TUI_KEY_END);
	compose(page, 80, 24);
	expect_cell(page, 0, "LIVE", "332"); /* 50 + 282, the first of the last 18 */
	expect_cell(page, 17, "LIVE", "349");
	cr_expect_eq(canvas_line(page->canvas, 22)->style, STYLE_SELECTED);
	compose(page, 80, 12);
	expect_cell(page, 5, "LIVE", "349");
	cr_expect_eq(canvas_line(page->canvas, 10)->style, STYLE_SELECTED);
	close_page(page);
}

Test(tui_view, says_in_which_state_it_is)
{
	struct page *page = open_page(3);

	page->state.paused = true;
	strcpy(page->state.filter, "api");
	page->data.rows.count = 1;
	page->data.head.warning = "pid 9: it cannot be read";
	page->data.head.lost = 7;
	page->data.head.anomalies = 2;
	page->data.head.coverage = "no USDT";
	page->data.head.has_duty = true;
	page->data.head.duty = 0.43;
	compose(page, 100, 24);
	cr_expect(strstr(line(page, 3), "PAUSED filter: api "), "%s", line(page, 3));
	cr_expect(strstr(line(page, 3), "pid 9: it cannot be read"), "%s", line(page, 3));
	cr_expect(strstr(line(page, 3), "1 of 3 functions"));
	cr_expect(strstr(line(page, 2), "lost 7"));
	cr_expect(strstr(line(page, 2), "anomalies 2"));
	cr_expect(strstr(line(page, 2), "probes on 43%"));
	cr_expect(strstr(line(page, 2), "coverage no USDT"));
	page->data.head.probes_off = true;
	page->state.typing = true;
	compose(page, 100, 24);
	cr_expect(strstr(line(page, 2), "probes off now, on 43%"));
	cr_expect(strstr(line(page, 3), "filter: api_"));
	cr_expect(strstr(line(page, 23), "Enter keep"));
	page->data.rows.count = 0;
	compose(page, 80, 24);
	cr_expect(has(page, "none of 3 functions has 'api'"));
	page->data.rows.all = 0;
	compose(page, 80, 24);
	cr_expect(has(page, "nothing yet"));
	close_page(page);
}

Test(tui_view, tells_totals_on_request)
{
	struct page *page = open_page(3);

	page->state.totals = true;
	compose(page, 80, 24);
	cr_expect_null(strstr(line(page, 4), "TRANS/S"));
	expect_cell(page, 0, "TRANS", "700k");
	expect_cell(page, 0, "RUN P99", "2.50 ms");
	close_page(page);
}

Test(tui_view, marks_what_is_worst)
{
	struct page *page = open_page(3);
	const struct canvas_line *last, *first;
	unsigned worst = 0;

	compose(page, 80, 24);
	first = canvas_line(page->canvas, 5);
	last = canvas_line(page->canvas, 7); /* most live; the first has the highest rate */
	cr_expect_eq(last->pieces[0].style, STYLE_WORST);
	for (unsigned i = 0; i < first->piece_count; i++)
		worst += first->pieces[i].style == STYLE_WORST;
	cr_expect_gt(worst, 0);
	cr_expect_neq(first->pieces[0].style, STYLE_WORST);
	page->data.rows.count = 1;
	compose(page, 80, 24);
	first = canvas_line(page->canvas, 5);
	for (unsigned i = 0; i < first->piece_count; i++)
		cr_expect_neq(first->pieces[i].style, STYLE_WORST, "of one none is worst");
	close_page(page);
}

/* Numbers that fill their columns, names in wide letters, names that would command the terminal. */
Test(tui_view, bears_whatever_a_target_says)
{
	struct page *page = open_page(3);
	char many[1024];

	for (int i = 0; i < 340; i++)
		memcpy(many + 3 * i, "漢", 3);
	many[1020] = 0;
	page->rows[0].code.qualname = many;
	page->rows[0].code.file = many;
	page->rows[1].code.qualname = "evil\033[2J\n\t\xff";
	page->rows[1].code.file = "/\033]0;title\007.py";
	page->rows[2].live = UINT64_MAX;
	page->rows[2].objects[STATE_SUSPENDED] = UINT64_MAX;
	page->rows[2].rate = 1e18;
	page->rows[2].oldest_ns = UINT64_MAX;
	page->rows[2].p99_now_ns = UINT64_MAX;
	page->data.head.targets = many;
	page->data.head.warning = "a\nwarning\033[31m";
	for (unsigned width = 60; width < 180; width += 3)
		compose(page, width, 24);
	cr_expect(has(page, "evil?[2J???"));
	close_page(page);
}

/* --- one function ------------------------------------------------------------------------------------- */

static struct local locals[] = {
	{ .name = "n", .type = "int", .repr = "42" },
	{ .name = "password", .type = "str", .redacted = true },
};
static struct local_list list = { .at = locals, .count = 2 };
static const struct snapshot_object seen = {
	.awaits_address = 0x7000, .awaits_class = "Event.wait", .line = 12, .locals = &list
};

static struct page *open_function(void)
{
	struct page *page = open_page(3);

	page->detail.place_count = 2;
	page->detail.places[0] = (struct top_place){ 12, 40, "await event.wait()" };
	page->detail.places[1] = (struct top_place){ 15, 10, "" };
	page->detail.oldest_count = 2;
	page->detail.oldest[0] = (struct top_object){ .id = 77,
						      .since_ns = 20 * SECOND,
						      .is_more = true,
						      .pid = 4711,
						      .line = 11,
						      .seen = &seen };
	page->detail.oldest[1] =
		(struct top_object){ .id = 78, .since_ns = 70 * SECOND, .pid = 4711, .line = 15 };
	for (int i = 0; i < 100; i++) {
		histogram_record(&page->detail.times.metric[METRIC_RUN], 3000);
		histogram_record(&page->detail.times.metric[METRIC_SUSPENDED], 1000000u << i % 5);
	}
	page->data.detail = &page->detail;
	compose(page, 80, 24);
	press(page, TUI_KEY_ENTER);
	return page;
}

Test(tui_view, shows_a_function_from_near)
{
	struct page *page = open_function();

	compose(page, 80, 50);
	cr_expect(has(page, "coro Api.handle /srv/app/api.py:8"));
	cr_expect(has(page, "0 created, 0 running, 50 suspended, 0 closed"));
	cr_expect(has(page, "    12     40 ██████████ await event.wait()"));
	cr_expect(has(page, "    15     10 ██▌"));
	cr_expect(has(page, "RAN 100 · p50 2.9"), "of 3 us, to 6 %%");
	cr_expect(has(page, "WAITED 100 · p50 4.0"), "the third of five, to 6 %%");
	cr_expect(has(page, ">80.0 s     12       77 Event.wait"), "where it was read");
	cr_expect(has(page, " 30.0 s     15       78 (it went on, or cannot be read)"));
	cr_expect_not(has(page, "password"));
	press(page, 'l');
	compose(page, 80, 50);
	cr_expect(has(page, "      n = 42"));
	cr_expect(has(page, "      password = (redacted)"));
	page->data.several = true;
	compose(page, 80, 50);
	cr_expect(has(page, "   4711       77 Event.wait"));
	page->data.detail = NULL;
	compose(page, 80, 50);
	cr_expect(has(page, "not been looked at yet"));
	page->data.function = NULL;
	compose(page, 80, 50);
	cr_expect_eq(page->state.page, TUI_TABLE);
	close_page(page);
}

Test(tui_view, scrolls_what_is_longer_than_the_screen)
{
	struct page *page = open_function();
	size_t lines;

	compose(page, 60, 10);
	lines = page->extent.lines;
	cr_expect_eq(page->extent.lines_seen, 5);
	cr_expect_gt(lines, 20);
	cr_expect(has(page, "Api.handle"));
	cr_expect_not(has(page, "(it went on"));
	press(page, TUI_KEY_END);
	compose(page, 60, 10);
	cr_expect(has(page, "(it went on"));
	cr_expect_not(has(page, "Api.handle"));
	compose(page, 100, 24); /* a larger window: no empty lines while others are hidden */
	cr_expect_eq(page->state.scrolled + page->extent.lines_seen,
		     page->extent.lines > page->extent.lines_seen ? page->extent.lines :
								    page->extent.lines_seen);
	close_page(page);
}

/* As many values in the lines as were recorded. */
Test(tui_view, draws_histograms_side_by_side_or_below_each_other)
{
	static const struct {
		unsigned width;
		bool together;
	} sizes[] = { { 80, true }, { 60, false } };
	struct page *page = open_function();

	for (int i = 0; i < 2; i++) {
		bool together = false;
		unsigned sum = 0;

		compose(page, sizes[i].width, 60);
		for (size_t at = 0; at < canvas_count(page->canvas); at++) {
			const char *text = line(page, at);
			char copy[512], *range;

			together |= strstr(text, "RAN 100") && strstr(text, "WAITED 100");
			snprintf(copy, sizeof(copy), "%s", text);
			for (range = strstr(copy, " - "); range; range = strstr(range + 3, " - ")) {
				unsigned count;
				char unit[8];
				double high;

				if (sscanf(range, " - %lf %7s %u", &high, unit, &count) == 3)
					sum += count;
			}
		}
		cr_expect_eq(together, sizes[i].together);
		cr_expect_eq(sum, 200, "%u of 200 at %u columns", sum, sizes[i].width);
	}
	close_page(page);
}

Test(tui_view, helps)
{
	struct page *page = open_page(3);

	compose(page, 80, 24);
	press(page, '?');
	page->data.head.targets = "pid 1";
	compose(page, 60, 24);
	cr_expect(has(page, "Ctrl-C"));
	cr_expect(has(page, "OLDEST"));
	cr_expect_eq(page->extent.lines <= page->extent.lines_seen, true, "on one screen");
	cr_expect_not(has(page, "\xe2\x80\xa6"), "nothing of it is cut");
	compose(page, 60, 10);
	press(page, TUI_KEY_END);
	compose(page, 60, 10);
	cr_expect(has(page, "OLDEST"));
	close_page(page);
}
