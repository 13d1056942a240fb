// SPDX-License-Identifier: MIT
#include "model/latency.h"

#include <errno.h>
#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "model/names.h"
#include "records.h"

#define FIRST_ROOM 64

struct latency {
	enum latency_by by;
	void *tree; /* of tsearch(): the same rows by their code */
	struct latency_row **rows;
	size_t count, room;
};

static const char *const by_names[] = { "function", "file", "task" };
static const char *const sort_names[] = { "count", "total", "share", "p50", "p90",
					  "p99",   "p999",  "max",   "name" };

int latency_by_of_name(const char *name)
{
	return index_of_name(by_names, sizeof(by_names) / sizeof(by_names[0]), name);
}

int latency_sort_of_name(const char *name)
{
	return index_of_name(sort_names, sizeof(sort_names) / sizeof(sort_names[0]), name);
}

const char *name_of_latency_by(enum latency_by by)
{
	return by_names[by];
}

int latency_new(struct latency **out, enum latency_by by)
{
	struct latency *latency = calloc(1, sizeof(*latency));

	if (!latency)
		return -ENOMEM;
	latency->by = by;
	*out = latency;
	return 0;
}

static void free_row(struct latency_row *row)
{
	if (!row)
		return;
	free((char *)row->code.qualname);
	free((char *)row->code.file);
	free((char *)row->code.task);
	free(row);
}

static void keep(void *row)
{
	(void)row; /* freed from the list */
}

void latency_free(struct latency *latency)
{
	if (!latency)
		return;
	tdestroy(latency->tree, keep);
	for (size_t i = 0; i < latency->count; i++)
		free_row(latency->rows[i]);
	free(latency->rows);
	free(latency);
}

/* What is missing comes last. */
static int compare_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) : !a - !b;
}

/* Of struct latency_code, or of rows, which begin with one. */
static int compare_codes(const void *left, const void *right)
{
	const struct latency_code *a = left, *b = right;
	int order = compare_text(a->qualname, b->qualname);

	if (!order)
		order = compare_text(a->file, b->file);
	if (!order)
		order = (a->first_line > b->first_line) - (a->first_line < b->first_line);
	if (!order)
		order = compare_text(a->task, b->task);
	if (!order && a->qualname) /* only functions differ by it */
		order = a->kind - b->kind;
	return order;
}
_Static_assert(!offsetof(struct latency_row, code), "rows are compared as codes");

/* What the row of that code is found by. */
static struct latency_code key_of(enum latency_by by, const struct latency_code *code)
{
	struct latency_code key = { .kind = code->kind };

	if (by == LATENCY_BY_FUNCTION) {
		key.qualname = code->qualname;
		key.first_line = code->first_line;
	}
	if (by == LATENCY_BY_TASK)
		key.task = code->task;
	else
		key.file = code->file;
	return key;
}

/* False when there is no memory for it. */
static bool copy_text(const char **text)
{
	if (!*text)
		return true;
	*text = strdup(*text);
	return *text;
}

static struct latency_row *make_row(const struct latency_code *key)
{
	struct latency_row *row = calloc(1, sizeof(*row));
	bool copied;

	if (!row)
		return NULL;
	row->code = *key;
	copied = copy_text(&row->code.qualname);
	copied = copy_text(&row->code.file) && copied;
	copied = copy_text(&row->code.task) && copied;
	if (copied)
		return row;
	free_row(row);
	return NULL;
}

static struct latency_row *add_row(struct latency *latency, const struct latency_code *key)
{
	struct latency_row *row;

	if (latency->count == latency->room) {
		size_t room = latency->room ? latency->room * 2 : FIRST_ROOM;
		struct latency_row **rows = reallocarray(latency->rows, room, sizeof(void *));

		if (!rows)
			return NULL;
		latency->rows = rows;
		latency->room = room;
	}
	row = make_row(key);
	if (row && !tsearch(row, &latency->tree, compare_codes)) {
		free_row(row);
		return NULL;
	}
	if (row)
		latency->rows[latency->count++] = row;
	return row;
}

static bool is_empty(const struct distributions *distributions)
{
	for (int i = 0; i < METRIC_COUNT; i++)
		if (distributions->metric[i].count)
			return false;
	return true;
}

int latency_add(struct latency *latency, const struct latency_code *code,
		const struct distributions *distributions)
{
	struct latency_code key = key_of(latency->by, code);
	struct latency_row **found, *row;

	if (is_empty(distributions))
		return 0;
	found = tfind(&key, &latency->tree, compare_codes);
	row = found ? *found : add_row(latency, &key);
	if (!row)
		return -ENOMEM;
	if (row->code.kind != key.kind)
		row->code.kind = KIND_NONE;
	distributions_add(&row->distributions, distributions);
	return 0;
}

static uint64_t sort_value(const struct histogram *histogram, enum latency_sort sort)
{
	switch (sort) {
	case LATENCY_SORT_COUNT:
		return histogram->count;
	case LATENCY_SORT_TOTAL:
	case LATENCY_SORT_SHARE:
		return histogram->sum_ns;
	case LATENCY_SORT_P50:
		return histogram_quantile(histogram, QUANTILE_50);
	case LATENCY_SORT_P90:
		return histogram_quantile(histogram, QUANTILE_90);
	case LATENCY_SORT_P99:
		return histogram_quantile(histogram, QUANTILE_99);
	case LATENCY_SORT_P999:
		return histogram_quantile(histogram, QUANTILE_999);
	case LATENCY_SORT_MAX:
		return histogram->max_ns;
	case LATENCY_SORT_NAME:
		break;
	}
	return 0;
}

static int compare_rows(const void *left, const void *right)
{
	const struct latency_row *a = *(struct latency_row *const *)left,
				 *b = *(struct latency_row *const *)right;

	if (a->order != b->order)
		return a->order < b->order ? 1 : -1;
	return compare_codes(a, b);
}

void latency_sort(struct latency *latency, const struct latency_order *order,
		  struct latency_rows *out)
{
	size_t shown = latency->count;

	for (size_t i = 0; i < latency->count; i++) {
		struct latency_row *row = latency->rows[i];
		const struct histogram *histogram = &row->distributions.metric[order->metric];
		uint64_t value = sort_value(histogram, order->sort);

		row->order = !histogram->count ? 0 : value ? value : 1;
	}
	if (latency->count)
		qsort(latency->rows, latency->count, sizeof(void *), compare_rows);
	if (order->limit && order->limit < shown)
		shown = order->limit;
	*out = (struct latency_rows){ .by = latency->by,
				      .order = *order,
				      .at = (const struct latency_row *const *)latency->rows,
				      .count = shown };
	for (size_t i = shown; i < latency->count && latency->rows[i]->order; i++) {
		const struct histogram *histogram =
			&latency->rows[i]->distributions.metric[order->metric];

		out->rest++;
		out->rest_count += histogram->count;
		out->rest_ns += histogram->sum_ns;
	}
}
