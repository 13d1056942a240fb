// SPDX-License-Identifier: MIT
/*
 * `ps --group` for people: sums by function, kind, state and place, largest first.
 */
#include <errno.h>
#include <string.h>

#include "sink/ps_text.h"

#define BAR_WIDTH      10
#define BAR_WIDTH_FROM 100 /* columns of a terminal that has room for bars */

enum { COUNT, SHARE, BAR, KIND, STATE, FUNCTION, WHERE, AWAITS, COLUMNS };

static void widen(struct column *column, unsigned width)
{
	if (column->width < width)
		column->width = width;
}

static void measure(struct column *columns, const struct group *group, bool utf8)
{
	char number[COUNT_BYTES];

	widen(&columns[COUNT], (unsigned)strlen(format_count(group->count, number)));
	widen(&columns[FUNCTION], cell_width(group->qualname, utf8));
	widen(&columns[WHERE], cell_place_width(group->file, group->line, utf8));
	if (group->awaits)
		widen(&columns[AWAITS], cell_width(group->awaits, utf8));
}

static void put_group(const struct ps_view *view, const struct column *columns,
		      const struct group *group, double share)
{
	const struct column *function = &columns[FUNCTION], *where = &columns[WHERE];
	bool utf8 = view->style.utf8;
	char number[COUNT_BYTES];
	unsigned owed;

	writer_printf(view->writer, "%*s %5.1f%% ", (int)columns[COUNT].width,
		      format_count(group->count, number), share * 100);
	if (columns[BAR].width) {
		owed = BAR_WIDTH - cell_put_bar(view->writer, share, BAR_WIDTH, utf8);
		cell_pad(view->writer, owed + 1);
	}
	ps_put_kind(view, group->kind);
	writer_puts(view->writer, " ");
	ps_put_state(view, group->state);
	writer_puts(view->writer, " ");
	cell_put_in(view->writer, group->qualname, function->width, function->flags | CELL_CUT_LEFT,
		    utf8);
	writer_puts(view->writer, " ");
	ps_color(view, COLOR_FAINT);
	owed = cell_put_place(view->writer, group->file, group->line, where->width,
			      where->flags | CELL_NO_PAD, utf8);
	ps_plain(view);
	if (group->awaits) {
		cell_pad(view->writer, owed + 1);
		cell_put_in(view->writer, group->awaits, columns[AWAITS].width,
			    columns[AWAITS].flags | CELL_CUT_LEFT | CELL_NO_PAD, utf8);
	}
	writer_puts(view->writer, "\n");
}

int ps_group(const struct ps_view *view, struct group_table *groups)
{
	struct column columns[COLUMNS] = {
		[COUNT] = { .title = "COUNT", .width = 1, .flags = CELL_RIGHT },
		[SHARE] = { .title = "SHARE", .width = 6, .flags = CELL_RIGHT },
		[BAR] = { .title = "" },
		[KIND] = { .title = "KIND", .width = KIND_WIDTH },
		[STATE] = { .title = "STATE", .width = STATE_WIDTH },
		[FUNCTION] = { .title = "FUNCTION", .width = 1, .least = 12 },
		[WHERE] = { .title = "WHERE", .width = 1, .least = 12 },
		[AWAITS] = { .title = "AWAITS", .least = 9 },
	};
	uint64_t objects = group_table_objects(groups);
	size_t count;
	const struct group *group = group_table_sorted(groups, &count);

	if (!group)
		return -ENOMEM;
	if (!count)
		return 0;
	if (!view->style.width || view->style.width >= BAR_WIDTH_FROM)
		columns[BAR].width = BAR_WIDTH;
	for (size_t i = 0; i < count; i++)
		measure(columns, &group[i], view->style.utf8);
	columns_fit(columns, COLUMNS, view->style.width);
	ps_put_heading(view);
	columns_put_header(view, columns, COLUMNS);
	for (size_t i = 0; i < count; i++)
		put_group(view, columns, &group[i], (double)group[i].count / (double)objects);
	writer_puts(view->writer, "\n");
	return 0;
}
