// SPDX-License-Identifier: MIT
#include "sink/ps_text.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sink/sink.h"

#define WIDTH_MAX 10000

static const char *const kinds[KIND_COUNT] = { "?", "gen", "coro", "agen" };
static const char *const states[STATE_COUNT] = { "-", "CREATED", "RUNNING", "SUSPENDED", "CLOSED" };
/* created blue, running green, suspended yellow, closed grey, as in a trace */
static const char *const colors[STATE_COUNT] = { "", "34", "32", "33", COLOR_FAINT };

static bool locale_is_utf8(void)
{
	locale_t locale = newlocale(LC_CTYPE_MASK, "", NULL);
	bool utf8;

	if (!locale)
		return false;
	utf8 = !strcmp(nl_langinfo_l(CODESET, locale), "UTF-8");
	freelocale(locale);
	return utf8;
}

void ps_style_detect(struct ps_style *style, int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size = {};

	style->utf8 = locale_is_utf8();
	style->width = 0;
	if (!isatty(fd))
		return;
	if (columns && atoi(columns) > 0 && atoi(columns) < WIDTH_MAX)
		style->width = (unsigned)atoi(columns);
	else if (!ioctl(fd, TIOCGWINSZ, &size))
		style->width = size.ws_col;
}

void ps_totals_add(struct ps_totals *totals, const struct snapshot_object *object, bool shown)
{
	totals->objects++;
	if (!shown)
		return;
	totals->shown++;
	totals->by_state[object->kind][object->state]++;
}

void ps_color(const struct ps_view *view, const char *color)
{
	if (view->style.color && *color)
		writer_printf(view->writer, "\033[%sm", color);
}

void ps_plain(const struct ps_view *view)
{
	if (view->style.color)
		writer_puts(view->writer, "\033[0m");
}

void ps_put_kind(const struct ps_view *view, uint8_t kind)
{
	writer_printf(view->writer, "%-*s", KIND_WIDTH, kinds[kind]);
}

void ps_put_state(const struct ps_view *view, uint8_t state)
{
	ps_color(view, colors[state]);
	writer_printf(view->writer, "%-*s", STATE_WIDTH, states[state]);
	ps_plain(view);
}

const char *ps_awaits(const struct snapshot *snapshot, const struct snapshot_object *object,
		      char *out, size_t size)
{
	if (object->awaits_kind == AWAITS_OBJECT && object->awaits < snapshot->object_count)
		return snapshot->objects[object->awaits].code->qualname;
	if (object->awaits_kind == AWAITS_TASK && object->awaits < snapshot->task_count)
		return ps_task_name(&snapshot->tasks[object->awaits], out, size);
	return object->awaits_kind == AWAITS_NOTHING ?
		       "" :
		       snapshot_awaits_repr(snapshot, object, out, size);
}

const char *ps_task_name(const struct snapshot_task *task, char *out, size_t size)
{
	if (*task->name)
		return task->name;
	snprintf(out, size, "<Task at 0x%llx>", (unsigned long long)task->address);
	return out;
}

void ps_put_heading(const struct ps_view *view)
{
	if (!view->show_pid)
		return;
	ps_color(view, COLOR_BOLD);
	writer_printf(view->writer, "pid %d", view->pid);
	ps_plain(view);
	writer_puts(view->writer, "\n");
}

void ps_put_local(const struct ps_view *view, const struct local *local)
{
	ps_color(view, COLOR_NAME);
	cell_put(view->writer, local->name, view->style.utf8);
	ps_plain(view);
	writer_puts(view->writer, " = ");
	if (local->redacted || !local->repr) {
		ps_color(view, COLOR_FAINT);
		writer_puts(view->writer, "(redacted)");
		ps_plain(view);
	} else {
		cell_put(view->writer, local->repr, view->style.utf8);
	}
	writer_puts(view->writer, "\n");
}

/* --- the last line --------------------------------------------------------------------------------- */

static void put_states(const struct ps_view *view, const struct ps_totals *totals)
{
	static const struct {
		uint8_t state;
		const char *word;
	} words[] = { { STATE_SUSPENDED, "suspended" },
		      { STATE_CREATED, "created" },
		      { STATE_RUNNING, "running" },
		      { STATE_CLOSED, "closed" } };
	const char *between = ": ";
	char number[COUNT_BYTES];

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		uint64_t count = 0;

		for (int kind = 0; kind < KIND_COUNT; kind++)
			count += totals->by_state[kind][words[i].state];
		if (!count)
			continue;
		writer_printf(view->writer, "%s%s %s", between, format_count(count, number),
			      words[i].word);
		between = ", ";
	}
}

static void put_bytes(struct writer *writer, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double number = (double)bytes;
	size_t unit = 0;

	/* what would be rounded up to 1024 is said in the next unit */
	for (; number >= (unit ? 1023.95 : 1024) && unit + 1 < sizeof(units) / sizeof(units[0]);
	     unit++)
		number /= 1024;
	writer_printf(writer, unit ? "%.1f %s" : "%.0f %s", number, units[unit]);
}

static void put_remark(const struct ps_view *view, uint64_t count, const char *one,
		       const char *many)
{
	char number[COUNT_BYTES];

	if (count)
		writer_printf(view->writer, "%s%s %s", view->style.utf8 ? " \xc2\xb7 " : " - ",
			      format_count(count, number), count == 1 ? one : many);
}

void ps_summary(const struct ps_view *view, const struct snapshot *snapshot,
		const struct ps_totals *totals)
{
	const struct snapshot_counts *counts = &snapshot->counts;
	const char *dot = view->style.utf8 ? " \xc2\xb7 " : " - ";
	char number[COUNT_BYTES], duration[24];

	if (view->show_pid)
		writer_printf(view->writer, "pid %d: ", view->pid);
	if (totals->shown != totals->objects)
		writer_printf(view->writer, "%s of ", format_count(totals->shown, number));
	writer_printf(view->writer, "%s object%s", format_count(totals->objects, number),
		      totals->objects == 1 ? "" : "s");
	put_states(view, totals);
	put_remark(view, snapshot->task_count, "task", "tasks");
	format_duration(counts->duration_ns, duration, sizeof(duration));
	writer_puts(view->writer, dot);
	put_bytes(view->writer, counts->memory_bytes);
	writer_printf(view->writer, " read in %s", duration);
	put_remark(view, counts->unreadable, "unreadable", "unreadable");
	put_remark(view, counts->heap.broken, "broken list", "broken lists");
	if (view->frozen) {
		format_duration(view->frozen_ns, duration, sizeof(duration));
		writer_printf(view->writer, "%sfrozen for %s", dot, duration);
	}
	writer_puts(view->writer, "\n");
}
