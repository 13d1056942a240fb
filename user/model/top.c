// SPDX-License-Identifier: MIT
#include "model/top.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "model/names.h"

#define FIRST_ROOM 64

/* A row, and what belongs to it alone. */
struct kept {
	struct top_row row; /* first: entries are found and compared as rows */
	uint32_t *ids;
	size_t id_room;
	uint64_t transitions_now;
	uint64_t suspended_ns; /* since when the oldest is, 0: none */
};

/* What the last reading had of a code object. */
struct reading {
	struct kept *entry; /* NULL: no such id */
	uint64_t live, transitions;
	struct histogram *run; /* NULL: no step yet */
};

struct top {
	void *tree; /* of tsearch() */
	struct kept **entries;
	const struct top_row **sorted;
	size_t count, room;
	struct reading *readings; /* by id */
	size_t reading_room;
	struct top_moment moment;
};

static const char *const sort_names[TOP_SORT_COUNT] = {
	[TOP_SORT_LIVE] = "live",       [TOP_SORT_CREATED] = "created",
	[TOP_SORT_RUNNING] = "running", [TOP_SORT_SUSPENDED] = "suspended",
	[TOP_SORT_CLOSED] = "closed",   [TOP_SORT_RATE] = "rate",
	[TOP_SORT_P99] = "p99",         [TOP_SORT_OLDEST] = "oldest",
	[TOP_SORT_NAME] = "name",
};

int top_sort_of_name(const char *name)
{
	return index_of_name(sort_names, TOP_SORT_COUNT, name);
}

const char *name_of_top_sort(enum top_sort sort)
{
	return sort_names[sort];
}

int top_new(struct top **out)
{
	struct top *top = calloc(1, sizeof(*top));

	if (!top)
		return -ENOMEM;
	*out = top;
	return 0;
}

static void keep(void *entry)
{
	(void)entry; /* freed from the list */
}

static void free_kept(struct kept *entry)
{
	free((char *)entry->row.code.qualname);
	free((char *)entry->row.code.file);
	free(entry->ids);
	free(entry);
}

void top_free(struct top *top)
{
	if (!top)
		return;
	tdestroy(top->tree, keep);
	for (size_t i = 0; i < top->count; i++)
		free_kept(top->entries[i]);
	for (size_t i = 0; i < top->reading_room; i++)
		free(top->readings[i].run);
	free(top->entries);
	free(top->sorted);
	free(top->readings);
	free(top);
}

/* --- which row ------------------------------------------------------------------------------------- */

/* Of struct top_code, or of entries, which begin with one. */
static int compare_codes(const void *left, const void *right)
{
	const struct top_code *a = left, *b = right;
	int order = strcmp(a->qualname, b->qualname);

	if (!order)
		order = strcmp(a->file, b->file);
	if (!order)
		order = (a->first_line > b->first_line) - (a->first_line < b->first_line);
	return order ? order : a->kind - b->kind;
}
_Static_assert(!offsetof(struct kept, row) && !offsetof(struct top_row, code),
	       "entries are compared as codes");

static int make_room(struct top *top)
{
	size_t room = top->room ? top->room * 2 : FIRST_ROOM;
	struct kept **entries;
	const struct top_row **sorted;

	if (top->count < top->room)
		return 0;
	entries = reallocarray(top->entries, room, sizeof(void *));
	if (!entries)
		return -ENOMEM;
	top->entries = entries;
	sorted = reallocarray(top->sorted, room, sizeof(void *));
	if (!sorted)
		return -ENOMEM;
	top->sorted = sorted;
	top->room = room;
	return 0;
}

static struct kept *make_kept(const struct top_code *code)
{
	struct kept *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->row.code = *code;
	entry->row.code.qualname = strdup(code->qualname);
	entry->row.code.file = strdup(code->file);
	if (entry->row.code.qualname && entry->row.code.file)
		return entry;
	free_kept(entry);
	return NULL;
}

static struct kept *add_kept(struct top *top, const struct top_code *code)
{
	struct kept *entry;

	if (make_room(top))
		return NULL;
	entry = make_kept(code);
	if (!entry)
		return NULL;
	if (!tsearch(entry, &top->tree, compare_codes)) {
		free_kept(entry);
		return NULL;
	}
	entry->row.number = (uint32_t)top->count;
	top->entries[top->count++] = entry;
	return entry;
}

static int add_id(struct kept *entry, uint32_t id)
{
	if (entry->row.id_count == entry->id_room) {
		size_t room = entry->id_room ? entry->id_room * 2 : 1;
		uint32_t *ids = reallocarray(entry->ids, room, sizeof(*ids));

		if (!ids)
			return -ENOMEM;
		entry->ids = ids;
		entry->id_room = room;
		entry->row.ids = ids;
	}
	entry->ids[entry->row.id_count++] = id;
	return 0;
}

/* Room for what is read of that id. */
static int make_reading_room(struct top *top, uint32_t id)
{
	size_t room = top->reading_room ? top->reading_room : FIRST_ROOM;
	struct reading *readings;

	if (id < top->reading_room)
		return 0;
	while (room <= id)
		room *= 2;
	readings = reallocarray(top->readings, room, sizeof(*readings));
	if (!readings)
		return -ENOMEM;
	memset(readings + top->reading_room, 0, (room - top->reading_room) * sizeof(*readings));
	top->readings = readings;
	top->reading_room = room;
	return 0;
}

int top_add_code(struct top *top, uint32_t id, const struct top_code *code)
{
	struct kept **found, *entry;
	int err = make_reading_room(top, id);

	if (err || top->readings[id].entry)
		return err;
	found = tfind(code, &top->tree, compare_codes);
	entry = found ? *found : add_kept(top, code);
	if (!entry || add_id(entry, id))
		return -ENOMEM;
	top->readings[id].entry = entry;
	return 0;
}

/* --- a reading ------------------------------------------------------------------------------------- */

void top_begin(struct top *top, const struct top_moment *moment)
{
	top->moment = *moment;
	for (size_t i = 0; i < top->count; i++) {
		struct kept *entry = top->entries[i];

		memset(entry->row.objects, 0, sizeof(entry->row.objects));
		memset(&entry->row.run_now, 0, sizeof(entry->row.run_now));
		entry->row.live = 0;
		entry->transitions_now = 0;
		entry->suspended_ns = 0;
	}
}

static struct reading *reading_of(struct top *top, uint32_t id)
{
	if (id >= top->reading_room || !top->readings[id].entry)
		return NULL;
	return &top->readings[id];
}

void top_count(struct top *top, uint32_t id, const struct survey_counts *counts)
{
	struct reading *reading = reading_of(top, id);
	struct kept *entry;

	if (!reading)
		return;
	entry = reading->entry;
	reading->live = (uint64_t)counts->objects[STATE_CREATED] + counts->objects[STATE_RUNNING] +
			counts->objects[STATE_SUSPENDED];
	for (int state = 0; state < STATE_COUNT; state++)
		entry->row.objects[state] += counts->objects[state];
	entry->row.live += reading->live;
	if (counts->suspended_ns &&
	    (!entry->suspended_ns || counts->suspended_ns < entry->suspended_ns))
		entry->suspended_ns = counts->suspended_ns;
}

bool top_transitions(struct top *top, uint32_t id, uint64_t transitions)
{
	struct reading *reading = reading_of(top, id);
	uint64_t grown;

	if (!reading || transitions <= reading->transitions)
		return false;
	grown = transitions - reading->transitions;
	reading->transitions = transitions;
	reading->entry->transitions_now += grown;
	reading->entry->row.transitions += grown;
	return true;
}

int top_run(struct top *top, uint32_t id, const struct histogram *run)
{
	struct reading *reading = reading_of(top, id);
	struct histogram grown = *run;
	struct top_row *row;

	if (!reading)
		return 0;
	if (reading->run)
		histogram_since(&grown, reading->run);
	else
		reading->run = malloc(sizeof(*reading->run));
	if (!reading->run)
		return -ENOMEM;
	*reading->run = *run;
	row = &reading->entry->row;
	histogram_add(&row->run_now, &grown);
	histogram_add(&row->run, &grown);
	if (run->max_ns > row->run.max_ns) /* that of `grown` may be an estimate */
		row->run.max_ns = run->max_ns;
	return 0;
}

void top_end(struct top *top)
{
	const struct top_moment *moment = &top->moment;

	for (size_t i = 0; i < top->count; i++) {
		struct kept *entry = top->entries[i];
		struct top_row *row = &entry->row;
		uint64_t since = entry->suspended_ns;

		row->rate = moment->watched_ns ? (double)entry->transitions_now * 1e9 /
							 (double)moment->watched_ns :
						 0;
		row->p99_now_ns = histogram_quantile(&row->run_now, QUANTILE_99);
		row->p99_ns = histogram_quantile(&row->run, QUANTILE_99);
		/* what has just been suspended is as old as can be told: not nothing */
		row->oldest_ns = !since ? 0 : since < moment->now_ns ? moment->now_ns - since : 1;
		row->oldest_is_more = since && since <= moment->begin_ns;
	}
}

uint64_t top_live(const struct top *top, uint32_t id)
{
	return id < top->reading_room ? top->readings[id].live : 0;
}

const struct top_row *top_row(const struct top *top, uint32_t number)
{
	return number < top->count ? &top->entries[number]->row : NULL;
}

/* --- which are shown, and in which order ------------------------------------------------------------ */

static double sort_value(const struct top_row *row, const struct top_order *order)
{
	switch (order->by) {
	case TOP_SORT_LIVE:
		return (double)row->live;
	case TOP_SORT_CREATED:
		return (double)row->objects[STATE_CREATED];
	case TOP_SORT_RUNNING:
		return (double)row->objects[STATE_RUNNING];
	case TOP_SORT_SUSPENDED:
		return (double)row->objects[STATE_SUSPENDED];
	case TOP_SORT_CLOSED:
		return (double)row->objects[STATE_CLOSED];
	case TOP_SORT_RATE:
		return order->totals ? (double)row->transitions : row->rate;
	case TOP_SORT_P99:
		return (double)(order->totals ? row->p99_ns : row->p99_now_ns);
	case TOP_SORT_OLDEST:
		return (double)row->oldest_ns;
	case TOP_SORT_NAME:
	case TOP_SORT_COUNT:
		break;
	}
	return 0;
}

static int compare_rows(const void *left, const void *right, void *ctx)
{
	const struct top_row *a = *(const struct top_row *const *)left,
			     *b = *(const struct top_row *const *)right;
	const struct top_order *order = ctx;
	double first = sort_value(a, order), second = sort_value(b, order);
	int sign = order->reverse ? -1 : 1;

	if (first != second)
		return first < second ? sign : -sign;
	return order->by == TOP_SORT_NAME ? sign * compare_codes(a, b) : compare_codes(a, b);
}

static bool has_been_seen(const struct top_row *row)
{
	return row->transitions || row->live || row->objects[STATE_CLOSED];
}

static bool passes(const struct top_row *row, const char *filter)
{
	return !filter || !*filter || strcasestr(row->code.qualname, filter) ||
	       strcasestr(row->code.file, filter);
}

static void add_totals(struct top_totals *totals, const struct top_row *row)
{
	for (int state = 0; state < STATE_COUNT; state++)
		totals->objects[state] += row->objects[state];
	totals->live += row->live;
	totals->transitions += row->transitions;
	totals->rate += row->rate;
}

void top_sort(struct top *top, const struct top_order *order, struct top_rows *out)
{
	*out = (struct top_rows){ .at = top->sorted };
	for (size_t i = 0; i < top->count; i++) {
		const struct top_row *row = &top->entries[i]->row;

		if (!has_been_seen(row))
			continue;
		out->all++;
		add_totals(&out->totals, row);
		if (passes(row, order->filter))
			top->sorted[out->count++] = row;
	}
	if (out->count)
		qsort_r(top->sorted, out->count, sizeof(void *), compare_rows, (void *)order);
}
