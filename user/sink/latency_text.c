// SPDX-License-Identifier: MIT
/*
 * `latency` for people: a table of one metric, and histograms.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sink/latency.h"
#include "sink/ps_text.h"
#include "sink/sink.h"

#define NAME_ENOUGH    20 /* columns of a name before numbers have to go for it */
#define BAR_WIDTH      40 /* where the terminal sets no limit */
#define BAR_LEAST      10
#define FEW_RANGES     8 /* so many lines of a histogram are cut finer */
#define DURATION_WIDTH 7 /* "1.23 ms" */

/* The numbers, which come first, stand as in enum latency_sort. */
enum { COUNT, TOTAL, SHARE, P50, P90, P99, P999, MAX, KIND, NAME, WHERE, COLUMNS };
#define NUMBERS KIND
_Static_assert((int)COUNT == (int)LATENCY_SORT_COUNT && (int)MAX == (int)LATENCY_SORT_MAX &&
		       (int)NUMBERS == (int)LATENCY_SORT_NAME,
	       "the column of what it is sorted by");

static const char *const metric_words[METRIC_COUNT] = {
	[METRIC_RUN] = "run: from resumed until it leaves, with what it awaited inside",
	[METRIC_SELF] = "self: run without what it awaited inside",
	[METRIC_SUSPENDED] = "suspended: from leaving until resumed or closed",
	[METRIC_START] = "start: from creation until the first step",
	[METRIC_LIFETIME] = "lifetime: from creation until closed",
};

/* --- the table ------------------------------------------------------------------------------------- */

typedef char numbers[NUMBERS][COUNT_BYTES]; /* the longest of them is a count */

static const struct histogram *histogram_of(const struct latency_rows *rows,
					    const struct latency_row *row)
{
	return &row->distributions.metric[rows->order.metric];
}

static void fill_numbers(numbers out, const struct histogram *histogram, uint64_t duration_ns)
{
	static const unsigned quantiles[] = {
		[P50] = QUANTILE_50, [P90] = QUANTILE_90, [P99] = QUANTILE_99, [P999] = QUANTILE_999
	};

	format_count(histogram->count, out[COUNT]);
	format_duration_short(histogram->sum_ns, out[TOTAL], COUNT_BYTES);
	if (duration_ns)
		snprintf(out[SHARE], COUNT_BYTES, "%.1f%%",
			 (double)histogram->sum_ns / (double)duration_ns * 100);
	else
		strcpy(out[SHARE], "-");
	for (int i = P50; i <= P999; i++)
		format_duration_short(histogram_quantile(histogram, quantiles[i]), out[i],
				      COUNT_BYTES);
	format_duration_short(histogram->max_ns, out[MAX], COUNT_BYTES);
}

static const char *name_of(const struct latency_rows *rows, const struct latency_row *row)
{
	if (rows->by == LATENCY_BY_TASK)
		return row->code.task ? row->code.task : "(no task)";
	return row->code.qualname;
}

static void widen(struct column *column, unsigned width)
{
	if (column->width < width)
		column->width = width;
}

static void measure(struct column *columns, const struct latency_rows *rows,
		    const struct latency_row *row, uint64_t duration_ns, bool utf8)
{
	numbers cells;

	fill_numbers(cells, histogram_of(rows, row), duration_ns);
	for (int i = 0; i < NUMBERS; i++)
		widen(&columns[i], (unsigned)strlen(cells[i]));
	if (name_of(rows, row))
		widen(&columns[NAME], cell_width(name_of(rows, row), utf8));
	if (row->code.file)
		widen(&columns[WHERE],
		      cell_place_width(row->code.file, row->code.first_line, utf8));
}

static unsigned width_needed(const struct column *columns)
{
	unsigned sum = 0;

	for (int i = 0; i < COLUMNS; i++) {
		unsigned width = columns[i].width, title = (unsigned)strlen(columns[i].title);

		if (!width)
			continue;
		if (columns[i].least && width > NAME_ENOUGH)
			width = NAME_ENOUGH;
		sum += (width > title ? width : title) + !!sum;
	}
	return sum;
}

/* Numbers go first where there is no room for all, but never what the rows are sorted by. */
static void leave_out(struct column *columns, const struct latency_rows *rows, unsigned total)
{
	static const uint8_t dispensable[] = { P999, P90, KIND, SHARE, TOTAL, P50 };
	const struct column *sorted =
		rows->order.sort < LATENCY_SORT_NAME ? &columns[rows->order.sort] : NULL;

	for (size_t i = 0; i < sizeof(dispensable) && total && width_needed(columns) > total; i++)
		if (&columns[dispensable[i]] != sorted)
			columns[dispensable[i]].width = 0;
}

static void put_place(const struct ps_view *view, const struct column *where,
		      const struct latency_code *code)
{
	ps_color(view, COLOR_FAINT);
	cell_put_place(view->writer, code->file, code->first_line, where->width,
		       where->flags | CELL_NO_PAD, view->style.utf8);
	ps_plain(view);
}

static void put_row(const struct ps_view *view, const struct column *columns,
		    const struct latency_rows *rows, const struct latency_row *row,
		    uint64_t duration_ns)
{
	const struct column *name = &columns[NAME];
	unsigned owed = 0; /* blanks, once something follows */
	numbers cells;

	fill_numbers(cells, histogram_of(rows, row), duration_ns);
	for (int i = 0; i < NUMBERS; i++) {
		if (!columns[i].width)
			continue;
		cell_pad(view->writer, owed);
		cell_put_in(view->writer, cells[i], columns[i].width, columns[i].flags, true);
		owed = 1;
	}
	if (columns[KIND].width) {
		cell_pad(view->writer, owed);
		if (row->code.kind == KIND_NONE) /* several */
			cell_put_in(view->writer, "-", KIND_WIDTH, 0, true);
		else
			ps_put_kind(view, row->code.kind);
	}
	if (name->width) {
		cell_pad(view->writer, 1);
		owed = 1 + cell_put_in(view->writer, name_of(rows, row), name->width,
				       name->flags | CELL_CUT_LEFT | CELL_NO_PAD, view->style.utf8);
	}
	if (columns[WHERE].width) {
		cell_pad(view->writer, owed);
		put_place(view, &columns[WHERE], &row->code);
	}
	writer_puts(view->writer, "\n");
}

static void put_rest(const struct ps_view *view, const struct latency_rows *rows)
{
	char number[COUNT_BYTES], count[COUNT_BYTES], total[16];

	if (!rows->rest)
		return;
	format_duration_short(rows->rest_ns, total, sizeof(total));
	writer_printf(view->writer, "%s %s more: count %s, total %s\n",
		      view->style.utf8 ? "\xe2\x80\xa6" : "..", format_count(rows->rest, number),
		      format_count(rows->rest_count, count), total);
}

static void put_table(const struct ps_view *view, const struct latency_rows *rows, size_t count,
		      uint64_t duration_ns)
{
	struct column columns[COLUMNS] = {
		[COUNT] = { .title = "COUNT", .flags = CELL_RIGHT },
		[TOTAL] = { .title = "TOTAL", .flags = CELL_RIGHT },
		[SHARE] = { .title = "SHARE", .flags = CELL_RIGHT },
		[P50] = { .title = "P50", .flags = CELL_RIGHT },
		[P90] = { .title = "P90", .flags = CELL_RIGHT },
		[P99] = { .title = "P99", .flags = CELL_RIGHT },
		[P999] = { .title = "P99.9", .flags = CELL_RIGHT },
		[MAX] = { .title = "MAX", .flags = CELL_RIGHT },
		[KIND] = { .title = "KIND", .width = KIND_WIDTH },
		[NAME] = { .title = "FUNCTION", .least = 12 },
		[WHERE] = { .title = "WHERE", .least = 12 },
	};

	if (rows->by == LATENCY_BY_TASK)
		columns[NAME].title = "TASK";
	else if (rows->by == LATENCY_BY_FILE)
		columns[WHERE].title = "FILE";
	for (size_t i = 0; i < count; i++)
		measure(columns, rows, rows->at[i], duration_ns, view->style.utf8);
	leave_out(columns, rows, view->style.width);
	columns_fit(columns, COLUMNS, view->style.width);
	columns_put_header(view, columns, COLUMNS);
	for (size_t i = 0; i < count; i++)
		put_row(view, columns, rows, rows->at[i], duration_ns);
	put_rest(view, rows);
}

/* --- histograms ------------------------------------------------------------------------------------ */

/* The buckets of one line: [first, end). */
struct range {
	uint32_t first, end;
	uint64_t count;
};

/* The range that follows, of `size` buckets within a power of two; false behind the last. */
static bool next_range(struct range *range, const struct histogram *histogram, uint32_t size)
{
	uint32_t first = range->end;

	if (first == HISTOGRAM_BUCKETS)
		return false;
	*range = (struct range){ .first = first, .end = first + size };
	if (!first || first == HISTOGRAM_BUCKETS - 1) /* these two are no parts of a power */
		range->end = first + 1;
	for (uint32_t i = first; i < range->end; i++)
		range->count += histogram->buckets[i];
	return true;
}

static unsigned count_ranges(const struct histogram *histogram, uint32_t size)
{
	struct range range = {};
	unsigned count = 0;

	while (next_range(&range, histogram, size))
		count += !!range.count;
	return count;
}

/* Powers of two, or parts of them where these would be few. */
static uint32_t choose_size(const struct histogram *histogram)
{
	uint32_t size = HISTOGRAM_CUTS;

	while (size > 1 && count_ranges(histogram, size) < FEW_RANGES)
		size /= 2;
	return size;
}

static unsigned bar_width(const struct ps_view *view, unsigned count_width)
{
	unsigned used = 2 + DURATION_WIDTH + 3 + DURATION_WIDTH + 1 + count_width + 1 + 6 + 1;
	unsigned total = view->style.width;

	if (!total || total >= used + BAR_WIDTH)
		return BAR_WIDTH;
	return total > used + BAR_LEAST ? total - used : BAR_LEAST;
}

static void put_range(const struct ps_view *view, const struct range *range, uint64_t total,
		      uint64_t most)
{
	char low[16], high[16] = "more", number[COUNT_BYTES];
	unsigned count_width = (unsigned)strlen(format_count(most, number));
	unsigned width = bar_width(view, count_width);
	/* what is there has the smallest mark at least */
	double least = 1.0 / (view->style.utf8 ? width * 8 : width);
	double share = (double)range->count / (double)most;

	format_duration_short(histogram_bound(range->first), low, sizeof(low));
	if (range->end < HISTOGRAM_BUCKETS)
		format_duration_short(histogram_bound(range->end), high, sizeof(high));
	writer_printf(view->writer, "  %*s - %*s %*s %5.1f%% ", DURATION_WIDTH, low, DURATION_WIDTH,
		      high, (int)count_width, format_count(range->count, number),
		      (double)range->count / (double)total * 100);
	cell_put_bar(view->writer, fmax(share, least), width, view->style.utf8);
	writer_puts(view->writer, "\n");
}

static void put_histogram(const struct ps_view *view, const struct histogram *histogram)
{
	uint32_t size = choose_size(histogram);
	uint64_t total = 0, most = 0;
	struct range range = {};
	bool gap = false;

	while (next_range(&range, histogram, size)) {
		total += range.count;
		if (range.count > most)
			most = range.count;
	}
	range = (struct range){};
	for (uint64_t seen = 0; seen < total; seen += range.count) {
		next_range(&range, histogram, size);
		if (range.count && gap && seen)
			writer_puts(view->writer, view->style.utf8 ? "  \xe2\x80\xa6\n" : "  ..\n");
		gap = !range.count;
		if (range.count)
			put_range(view, &range, total, most);
	}
}

static void put_title(const struct ps_view *view, const struct latency_rows *rows,
		      const struct latency_row *row)
{
	const char *name = name_of(rows, row);
	unsigned width = view->style.width, flags = CELL_NO_PAD | (width ? 0 : CELL_WHOLE);

	if (name && row->code.file && width)
		width = (width - 1) / 2;
	if (name)
		cell_put_in(view->writer, name, width, flags | CELL_CUT_LEFT, view->style.utf8);
	if (name && row->code.file)
		writer_puts(view->writer, " ");
	if (row->code.file)
		put_place(view, &(struct column){ .width = width, .flags = flags }, &row->code);
	writer_puts(view->writer, "\n");
}

void latency_text(const struct ps_view *view, const struct latency_page *page,
		  const struct latency_rows *rows)
{
	char duration[16];
	size_t count = 0;

	while (count < rows->count && rows->at[count]->order)
		count++;
	if (!count)
		return;
	ps_color(view, COLOR_FAINT);
	writer_puts(view->writer, metric_words[rows->order.metric]);
	if (page->duration_ns) {
		format_duration_short(page->duration_ns, duration, sizeof(duration));
		writer_printf(view->writer, "; in %s", duration);
	}
	ps_plain(view);
	writer_puts(view->writer, "\n");
	put_table(view, rows, count, page->duration_ns);
	if (!page->bars && (count > 1 || rows->rest))
		return;
	for (size_t i = 0; i < count; i++) {
		writer_puts(view->writer, "\n");
		if (count > 1)
			put_title(view, rows, rows->at[i]);
		put_histogram(view, histogram_of(rows, rows->at[i]));
	}
}
