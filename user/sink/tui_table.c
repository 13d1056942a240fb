// SPDX-License-Identifier: MIT
/*
 * The table of `top`: a row a function.
 */
#include <string.h>

#include "sink/tui_internal.h"

#define NAME_ENOUGH  24  /* columns of a name before others have to go for it */
#define WHERE_ENOUGH 16  /* and of its place, which goes first */
#define WIDE         110 /* columns of a terminal in which states are written out */

/* The numbers, which come first, stand as in enum top_sort. */
enum { LIVE, CREATED, RUNNING, SUSPENDED, CLOSED, RATE, P99, OLDEST, KIND, NAME, WHERE, COLUMNS };
#define NUMBERS KIND
_Static_assert((int)LIVE == (int)TOP_SORT_LIVE && (int)OLDEST == (int)TOP_SORT_OLDEST &&
		       (int)NUMBERS == (int)TOP_SORT_NAME,
	       "the column of what rows are sorted by");

typedef char numbers[NUMBERS][TUI_NUMBER_BYTES];

/* What stands out: the largest of a column, of the rows that pass the filter. */
struct worst {
	double value[NUMBERS];
};

struct table {
	struct canvas *canvas;
	const struct tui_data *data;
	const struct tui_state *state;
	struct column columns[COLUMNS];
	struct worst worst;
};

static uint64_t p99_of(const struct table *table, const struct top_row *row)
{
	return table->state->totals ? row->p99_ns : row->p99_now_ns;
}

static void fill_numbers(const struct table *table, const struct top_row *row, numbers out)
{
	tui_count(row->live, out[LIVE]);
	tui_count(row->objects[STATE_CREATED], out[CREATED]);
	tui_count(row->objects[STATE_RUNNING], out[RUNNING]);
	tui_count(row->objects[STATE_SUSPENDED], out[SUSPENDED]);
	tui_count(row->objects[STATE_CLOSED], out[CLOSED]);
	if (table->state->totals)
		tui_count(row->transitions, out[RATE]);
	else
		tui_rate(row->rate, out[RATE]);
	tui_duration(p99_of(table, row), out[P99]);
	tui_age(row->oldest_ns, row->oldest_is_more, out[OLDEST]);
}

static double value_of(const struct table *table, const struct top_row *row, int column)
{
	switch (column) {
	case LIVE:
		return (double)row->live;
	case RATE:
		return table->state->totals ? (double)row->transitions : row->rate;
	case P99:
		return (double)p99_of(table, row);
	case OLDEST:
		return (double)row->oldest_ns;
	}
	return 0; /* of states none is worse than another */
}

static void find_worst(struct table *table)
{
	const struct top_rows *rows = &table->data->rows;

	for (size_t i = 0; i < rows->count && rows->count > 1; i++)
		for (int column = 0; column < NUMBERS; column++) {
			double value = value_of(table, rows->at[i], column);

			if (value > table->worst.value[column])
				table->worst.value[column] = value;
		}
}

/* --- columns --------------------------------------------------------------------------------------- */

static void name_columns(struct table *table)
{
	static const struct column columns[COLUMNS] = {
		[LIVE] = { .title = "LIVE", .width = 5, .flags = CELL_RIGHT },
		[CREATED] = { .title = "CRE", .width = 3, .flags = CELL_RIGHT },
		[RUNNING] = { .title = "RUN", .width = 3, .flags = CELL_RIGHT },
		[SUSPENDED] = { .title = "SUSP", .width = 5, .flags = CELL_RIGHT },
		[CLOSED] = { .title = "CLO", .width = 3, .flags = CELL_RIGHT },
		[RATE] = { .title = "TRANS/S", .width = 7, .flags = CELL_RIGHT },
		[P99] = { .title = "RUN P99", .width = 7, .flags = CELL_RIGHT },
		[OLDEST] = { .title = "OLDEST", .width = 7, .flags = CELL_RIGHT },
		[KIND] = { .title = "KIND", .width = 4 },
		[NAME] = { .title = "FUNCTION", .least = 8 },
		[WHERE] = { .title = "WHERE", .least = 8 },
	};

	memcpy(table->columns, columns, sizeof(columns));
	if (table->state->totals)
		table->columns[RATE].title = "TRANS";
	if (canvas_width(table->canvas) < WIDE)
		return;
	table->columns[CREATED].title = "CREATED";
	table->columns[RUNNING].title = "RUNNING";
	table->columns[SUSPENDED].title = "SUSPENDED";
	table->columns[CLOSED].title = "CLOSED";
}

static void widen(struct column *column, unsigned width)
{
	if (column->width < width)
		column->width = width;
}

static void measure(struct table *table, const struct top_row *row)
{
	bool utf8 = canvas_utf8(table->canvas);
	numbers cells;

	fill_numbers(table, row, cells);
	for (int i = 0; i < NUMBERS; i++)
		widen(&table->columns[i], (unsigned)strlen(cells[i]));
	widen(&table->columns[NAME], cell_width(row->code.qualname, utf8));
	widen(&table->columns[WHERE], cell_place_width(row->code.file, row->code.first_line, utf8));
}

static unsigned width_needed(const struct column *columns)
{
	unsigned sum = 0;

	for (int i = 0; i < COLUMNS; i++) {
		unsigned width = columns[i].width, title = (unsigned)strlen(columns[i].title);
		unsigned enough = i == WHERE ? WHERE_ENOUGH : NAME_ENOUGH;

		if (!width)
			continue;
		if (columns[i].least && width > enough)
			width = enough;
		sum += (width > title ? width : title) + !!sum;
	}
	return sum;
}

/* Where there is no room for all some columns go, but never what the rows are sorted by. */
static void leave_out(struct table *table)
{
	static const uint8_t dispensable[] = { WHERE, KIND, CLOSED, CREATED, RUNNING };
	unsigned total = canvas_width(table->canvas);

	for (size_t i = 0; i < sizeof(dispensable) && width_needed(table->columns) > total; i++)
		if ((int)dispensable[i] != (int)table->state->sort)
			table->columns[dispensable[i]].width = 0;
}

/* --- lines ----------------------------------------------------------------------------------------- */

static void put_titles(const struct table *table)
{
	for (int i = 0; i < COLUMNS; i++) {
		const struct column *column = &table->columns[i];
		bool sorted =
			i == (table->state->sort == TOP_SORT_NAME ? NAME : (int)table->state->sort);

		if (!column->width)
			continue;
		if (i)
			canvas_blanks(table->canvas, 1);
		canvas_cell(table->canvas, sorted ? STYLE_SORTED : STYLE_TITLE, column->title,
			    column->width, column->flags);
	}
	canvas_end(table->canvas, STYLE_PLAIN);
}

static uint8_t style_of(const struct table *table, const struct top_row *row, int column)
{
	static const uint8_t styles[NUMBERS] = { [CREATED] = STYLE_CREATED,
						 [RUNNING] = STYLE_RUNNING,
						 [SUSPENDED] = STYLE_SUSPENDED,
						 [CLOSED] = STYLE_FAINT };
	double value = value_of(table, row, column), worst = table->worst.value[column];

	if (worst > 0 && value == worst)
		return STYLE_WORST;
	if (column >= CREATED && column <= CLOSED)
		return row->objects[STATE_CREATED + column - CREATED] ? styles[column] :
									STYLE_FAINT;
	return value > 0 ? STYLE_PLAIN : STYLE_FAINT;
}
_Static_assert(RUNNING - CREATED == STATE_RUNNING - STATE_CREATED &&
		       CLOSED - CREATED == STATE_CLOSED - STATE_CREATED,
	       "the states in their order");

static void put_row(const struct table *table, const struct top_row *row, bool selected)
{
	const struct column *columns = table->columns;
	numbers cells;

	fill_numbers(table, row, cells);
	for (int i = 0; i < NUMBERS; i++) {
		if (!columns[i].width)
			continue;
		if (i)
			canvas_blanks(table->canvas, 1);
		canvas_cell(table->canvas, style_of(table, row, i), cells[i], columns[i].width,
			    columns[i].flags);
	}
	if (columns[KIND].width) {
		canvas_blanks(table->canvas, 1);
		canvas_cell(table->canvas, STYLE_FAINT, tui_kind(row->code.kind),
			    columns[KIND].width, 0);
	}
	canvas_blanks(table->canvas, 1);
	canvas_cell(table->canvas, STYLE_NAME, row->code.qualname, columns[NAME].width,
		    CELL_CUT_LEFT);
	if (columns[WHERE].width) {
		canvas_blanks(table->canvas, 1);
		canvas_place(table->canvas, STYLE_FAINT, row->code.file, row->code.first_line,
			     columns[WHERE].width);
	}
	if (selected)
		canvas_to(table->canvas, canvas_width(table->canvas));
	canvas_end(table->canvas, selected ? STYLE_SELECTED : STYLE_PLAIN);
}

static void put_none(const struct table *table)
{
	canvas_end(table->canvas, STYLE_PLAIN);
	if (table->data->rows.all)
		canvas_printf(table->canvas, STYLE_FAINT,
			      "  none of %zu functions has '%s' in its name or file: Esc shows all",
			      table->data->rows.all, table->state->filter);
	else
		canvas_put(table->canvas, STYLE_FAINT,
			   "  nothing yet: no generator, coroutine or async generator has been "
			   "seen");
	canvas_end(table->canvas, STYLE_PLAIN);
}

void tui_table(struct canvas *canvas, const struct tui_data *data, const struct tui_state *state,
	       size_t height)
{
	struct table table = { .canvas = canvas, .data = data, .state = state };
	const struct top_rows *rows = &data->rows;
	size_t end = state->first + height < rows->count ? state->first + height : rows->count;

	name_columns(&table);
	for (size_t i = state->first; i < end; i++)
		measure(&table, rows->at[i]);
	find_worst(&table);
	leave_out(&table);
	columns_fit(table.columns, COLUMNS, canvas_width(canvas));
	put_titles(&table);
	for (size_t i = state->first; i < end; i++)
		put_row(&table, rows->at[i], i == state->cursor);
	if (!rows->count && height > 1)
		put_none(&table);
}
