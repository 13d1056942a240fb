// SPDX-License-Identifier: MIT
/*
 * `ps` for people: one aligned line an object, its locals below it.
 */
#include <stdio.h>
#include <string.h>

#include "sink/ps_text.h"

#define TEXT_BYTES 512

enum { ID, PID, KIND, STATE, FUNCTION, WHERE, AWAITS, TASK, THREAD, COLUMNS };

struct table {
	const struct ps_view *view;
	const struct snapshot *snapshot;
	struct column columns[COLUMNS];
	unsigned owed; /* blanks, once something follows on the line */
};

static unsigned digits(uint64_t number)
{
	char out[24];

	return (unsigned)(put_u64(out, number) - out);
}

static const char *task_of(const struct table *table, const struct snapshot_object *object,
			   char *out)
{
	if (object->task >= table->snapshot->task_count)
		return "";
	return ps_task_name(&table->snapshot->tasks[object->task], out, TEXT_BYTES);
}

static const char *thread_of(const struct table *table, const struct snapshot_object *object,
			     char *out)
{
	const struct ps_view *view = table->view;
	const char *name;

	if (!object->tid)
		return "";
	name = view->thread_name ? view->thread_name(view->ctx, object->tid) : NULL;
	if (name)
		return name;
	snprintf(out, TEXT_BYTES, "%d", object->tid);
	return out;
}

static void widen(struct table *table, int column, unsigned width)
{
	if (table->columns[column].width < width)
		table->columns[column].width = width;
}

static void measure(struct table *table, uint32_t index)
{
	const struct snapshot_object *object = &table->snapshot->objects[index];
	bool utf8 = table->view->style.utf8;
	char text[TEXT_BYTES];

	widen(table, ID, digits(index + 1ull));
	widen(table, FUNCTION, cell_width(object->code->qualname, utf8));
	widen(table, WHERE, cell_place_width(object->code->file, object->line, utf8));
	widen(table, AWAITS,
	      cell_width(ps_awaits(table->snapshot, object, text, sizeof(text)), utf8));
	widen(table, TASK, cell_width(task_of(table, object, text), utf8));
	widen(table, THREAD, cell_width(thread_of(table, object, text), utf8));
}

static void put_text(struct table *table, int column, const char *text, unsigned flags)
{
	const struct column *c = &table->columns[column];

	if (!c->width)
		return;
	if (!*text) {
		table->owed += 1 + c->width;
		return;
	}
	cell_pad(table->view->writer, 1 + table->owed);
	table->owed = cell_put_in(table->view->writer, text, c->width,
				  c->flags | flags | CELL_NO_PAD, table->view->style.utf8);
}

static void put_where(struct table *table, const struct snapshot_object *object)
{
	const struct column *where = &table->columns[WHERE];
	const struct ps_view *view = table->view;

	cell_pad(view->writer, 1 + table->owed);
	ps_color(view, COLOR_FAINT);
	table->owed = cell_put_place(view->writer, object->code->file, object->line, where->width,
				     where->flags | CELL_NO_PAD, view->style.utf8);
	ps_plain(view);
}

static void put_row(struct table *table, uint32_t index)
{
	const struct snapshot_object *object = &table->snapshot->objects[index];
	const struct ps_view *view = table->view;
	char text[TEXT_BYTES];

	writer_printf(view->writer, "%*u ", (int)table->columns[ID].width, index + 1);
	if (view->show_pid)
		writer_printf(view->writer, "%*d ", (int)table->columns[PID].width, view->pid);
	ps_put_kind(view, object->kind);
	writer_puts(view->writer, " ");
	ps_put_state(view, object->state);
	table->owed = 0;
	put_text(table, FUNCTION, object->code->qualname, CELL_CUT_LEFT);
	put_where(table, object);
	put_text(table, AWAITS, ps_awaits(table->snapshot, object, text, sizeof(text)),
		 object->awaits_kind == AWAITS_OBJECT ? CELL_CUT_LEFT : 0);
	put_text(table, TASK, task_of(table, object, text), 0);
	put_text(table, THREAD, thread_of(table, object, text), 0);
	writer_puts(view->writer, "\n");
}

static void put_locals(const struct table *table, const struct local_list *locals)
{
	unsigned indent = table->columns[ID].width + 3;

	for (size_t i = 0; i < locals->count; i++) {
		cell_pad(table->view->writer, indent);
		ps_put_local(table->view, &locals->at[i]);
	}
	if (!locals->truncated)
		return;
	cell_pad(table->view->writer, indent);
	writer_puts(table->view->writer, table->view->style.utf8 ? "\xe2\x80\xa6\n" : "..\n");
}

static void lay_out(struct table *table)
{
	static const struct column columns[COLUMNS] = {
		[ID] = { .title = "ID", .flags = CELL_RIGHT },
		[PID] = { .title = "PID", .flags = CELL_RIGHT },
		[KIND] = { .title = "KIND", .width = KIND_WIDTH },
		[STATE] = { .title = "STATE", .width = STATE_WIDTH },
		[FUNCTION] = { .title = "FUNCTION", .width = 1, .least = 12 },
		[WHERE] = { .title = "WHERE", .width = 1, .least = 12 },
		[AWAITS] = { .title = "AWAITS", .least = 9 },
		[TASK] = { .title = "TASK", .least = 6 },
		[THREAD] = { .title = "THREAD", .least = 6 },
	};

	memcpy(table->columns, columns, sizeof(columns));
	if (table->view->show_pid)
		table->columns[PID].width = digits((uint64_t)table->view->pid);
}

int ps_table(const struct ps_view *view, const struct snapshot *snapshot,
	     const struct selection *selection, struct ps_totals *totals)
{
	struct table table = { .view = view, .snapshot = snapshot };
	uint64_t before = totals->shown;

	lay_out(&table);
	for (uint32_t i = 0; i < snapshot->object_count; i++) {
		bool shown = selection_has(selection, &snapshot->objects[i]);

		ps_totals_add(totals, &snapshot->objects[i], shown);
		if (shown)
			measure(&table, i);
	}
	if (totals->shown == before)
		return 0;
	columns_fit(table.columns, COLUMNS, view->style.width);
	columns_put_header(view, table.columns, COLUMNS);
	for (uint32_t i = 0; i < snapshot->object_count; i++) {
		const struct snapshot_object *object = &snapshot->objects[i];

		if (!selection_has(selection, object))
			continue;
		put_row(&table, i);
		if (object->locals)
			put_locals(&table, object->locals);
	}
	writer_puts(view->writer, "\n");
	return 0;
}
