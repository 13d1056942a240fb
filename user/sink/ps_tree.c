// SPDX-License-Identifier: MIT
/*
 * `ps --tree`: the await trees, one line a branch. The walk keeps its own stack, and runs twice: to measure,
 * then to write.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/tree.h"
#include "sink/ps_text.h"

#define TEXT_BYTES  512
#define LEVEL_WIDTH 3
#define LEVELS_MAX  40  /* that are drawn, where the terminal sets no limit */
#define LABEL_MIN   8   /* columns */
#define LABEL_MAX   100 /* and no more than that are kept free for the longest */
#define RUN_MIN     3   /* repeated steps that are worth a line instead */
#define PERIOD_MAX  4   /* functions that call each other in turn */

enum { LABEL, KIND, STATE, WHERE, COLUMNS };

/* The branches of one node, or the only line below it. */
struct level {
	uint32_t next, end;           /* in tree->branches */
	const struct tree_node *leaf; /* says what it awaits */
	const struct tree_node *tail; /* of a run of `deeper` more nodes like its first */
	uint32_t deeper;
	bool merged; /* stands for several */
};

struct line {
	const struct tree_node *node; /* NULL: only a label */
	char label[3 * TEXT_BYTES];
	char count[COUNT_BYTES]; /* "": once */
	unsigned flags;          /* of the label's cell */
};

struct printer {
	const struct ps_view *view;
	const struct snapshot *snapshot;
	struct tree *tree;
	struct level *levels; /* the walk's stack; its depth is the line's */
	uint32_t depth, room, drawn;
	struct column columns[COLUMNS];
	bool measuring;
	struct line line;
};

static const char *mark(const struct printer *printer, const char *utf8, const char *ascii)
{
	return printer->view->style.utf8 ? utf8 : ascii;
}

/* --- the prefix ------------------------------------------------------------------------------------ */

static bool has_more(const struct level *level)
{
	return level->next < level->end;
}

/* Levels beyond what is drawn share the last one and say how deep they are. */
static unsigned prefix_width(const struct printer *printer, char *deep, size_t size)
{
	uint32_t level = printer->depth - 1; /* roots are level 0 */

	*deep = 0;
	if (level <= printer->drawn)
		return level * LEVEL_WIDTH;
	return printer->drawn * LEVEL_WIDTH + (unsigned)snprintf(deep, size, "(%u) ", level);
}

static void put_prefix(const struct printer *printer)
{
	uint32_t level = printer->depth - 1, end = level < printer->drawn ? level : printer->drawn;
	struct writer *writer = printer->view->writer;

	if (!end)
		return;
	ps_color(printer->view, COLOR_FAINT);
	for (uint32_t i = 1; i < end; i++)
		writer_puts(writer,
			    has_more(&printer->levels[i]) ? mark(printer, "│  ", "|  ") : "   ");
	writer_puts(writer, has_more(&printer->levels[level]) ? mark(printer, "├─ ", "|- ") :
								mark(printer, "└─ ", "`- "));
	ps_plain(printer->view);
}

/* --- lines ----------------------------------------------------------------------------------------- */

static unsigned suffix_width(const struct line *line)
{
	return *line->count ? (unsigned)strlen(line->count) + 4 : 0; /* "  × " */
}

static void widen(struct printer *printer, int column, unsigned width)
{
	if (printer->columns[column].width < width)
		printer->columns[column].width = width;
}

static void measure(struct printer *printer)
{
	const struct line *line = &printer->line;
	bool utf8 = printer->view->style.utf8;
	char deep[16];
	unsigned width = prefix_width(printer, deep, sizeof(deep)) + suffix_width(line) +
			 cell_width(line->label, utf8);

	widen(printer, LABEL, width < LABEL_MAX ? width : LABEL_MAX);
	if (line->node->what == TREE_OBJECT) {
		const struct snapshot_object *object =
			&printer->snapshot->objects[line->node->index];

		widen(printer, WHERE, cell_place_width(object->code->file, object->line, utf8));
	}
}

/* The columns for a label: what is left of its line or column, but enough to read something. */
static unsigned label_room(const struct printer *printer, bool alone, unsigned around)
{
	unsigned width = alone ? printer->view->style.width : printer->columns[LABEL].width;
	unsigned least = cell_width(printer->line.label, printer->view->style.utf8);

	if (least > LABEL_MIN)
		least = LABEL_MIN;
	return width > around + least ? width - around : least;
}

static void put_label(const struct printer *printer, bool alone)
{
	const struct line *line = &printer->line;
	const struct ps_view *view = printer->view;
	const struct column *column = &printer->columns[LABEL];
	char deep[16];
	unsigned around = prefix_width(printer, deep, sizeof(deep)) + suffix_width(line);
	unsigned room = label_room(printer, alone, around), left;

	put_prefix(printer);
	writer_puts(view->writer, deep);
	if (!line->node)
		ps_color(view, COLOR_FAINT);
	else if (line->node->what == TREE_TASK)
		ps_color(view, COLOR_BOLD);
	left = cell_put_in(view->writer, line->label, room,
			   line->flags | column->flags | CELL_NO_PAD, view->style.utf8);
	if (!line->node || line->node->what == TREE_TASK)
		ps_plain(view);
	if (*line->count) {
		ps_color(view, COLOR_BOLD);
		writer_printf(view->writer, "  %s %s", mark(printer, "×", "x"), line->count);
		ps_plain(view);
	}
	if (!alone)
		cell_pad(view->writer, left);
}

static void put_object(const struct printer *printer, const struct snapshot_object *object)
{
	const struct column *where = &printer->columns[WHERE];
	const struct ps_view *view = printer->view;

	ps_put_kind(view, object->kind);
	writer_puts(view->writer, " ");
	ps_put_state(view, object->state);
	writer_puts(view->writer, " ");
	ps_color(view, COLOR_FAINT);
	cell_put_place(view->writer, object->code->file, object->line, where->width,
		       where->flags | CELL_NO_PAD, view->style.utf8);
	ps_plain(view);
}

static void put_facts(const struct printer *printer)
{
	static const char *const task_states[] = { "", "cancelled", "finished" };
	const struct tree_node *node = printer->line.node;
	const struct ps_view *view = printer->view;
	uint8_t state;

	writer_puts(view->writer, " ");
	if (node->what == TREE_OBJECT) {
		put_object(printer, &printer->snapshot->objects[node->index]);
		return;
	}
	state = printer->snapshot->tasks[node->index].state;
	writer_puts(view->writer, "task");
	if (state && state < sizeof(task_states) / sizeof(task_states[0])) {
		ps_color(view, COLOR_FAINT);
		writer_printf(view->writer, " %s", task_states[state]);
		ps_plain(view);
	}
}

static void put_line(struct printer *printer)
{
	bool alone = !printer->line.node || printer->line.node->place != TREE_HERE;

	if (printer->measuring) {
		if (!alone)
			measure(printer);
		return;
	}
	put_label(printer, alone);
	if (!alone)
		put_facts(printer);
	writer_puts(printer->view->writer, "\n");
}

/* --- what a line says ------------------------------------------------------------------------------ */

static void say_task(struct printer *printer, const struct tree_branch *branch)
{
	const struct snapshot_task *tasks = printer->snapshot->tasks;
	char first[TEXT_BYTES], last[TEXT_BYTES];

	if (branch->count > 1 && branch->first_task != branch->last_task)
		snprintf(printer->line.label, sizeof(printer->line.label), "%.*s %s %.*s",
			 TEXT_BYTES - 1,
			 ps_task_name(&tasks[branch->first_task], first, sizeof(first)),
			 mark(printer, "…", ".."), TEXT_BYTES - 1,
			 ps_task_name(&tasks[branch->last_task], last, sizeof(last)));
	else
		snprintf(printer->line.label, sizeof(printer->line.label), "%.*s", TEXT_BYTES - 1,
			 ps_task_name(&tasks[branch->first_task], first, sizeof(first)));
}

static void say_branch(struct printer *printer, const struct tree_branch *branch)
{
	static const char *const places[] = { "", " (shown elsewhere)", " (cycle)" };
	const struct tree_node *node = &printer->tree->nodes[branch->node];
	struct line *line = &printer->line;
	size_t used;

	line->node = node;
	line->flags = node->what == TREE_OBJECT ? CELL_CUT_LEFT : 0;
	*line->count = 0;
	if (branch->count > 1)
		format_count(branch->count, line->count);
	if (node->what == TREE_TASK)
		say_task(printer, branch);
	else
		snprintf(line->label, sizeof(line->label), "%.*s", TEXT_BYTES - 1,
			 printer->snapshot->objects[node->index].code->qualname);
	used = strlen(line->label);
	snprintf(line->label + used, sizeof(line->label) - used, "%s", places[node->place]);
}

/* A line that is no node; its label is written into what is returned. */
static char *say_text(struct printer *printer)
{
	struct line *line = &printer->line;

	line->node = NULL;
	line->flags = 0;
	*line->count = 0;
	return line->label;
}

/* Addresses differ where a branch stands for several: "<app.Gate object>". */
static void drop_address(char *text)
{
	char *at = strstr(text, " at 0x"), *end;

	if (!at)
		return;
	end = at + 6 + strspn(at + 6, "0123456789abcdef");
	memmove(at, end, strlen(end) + 1);
}

static void say_leaf(struct printer *printer, const struct level *level)
{
	char *label = say_text(printer);

	snapshot_awaits_repr(printer->snapshot, &printer->snapshot->objects[level->leaf->index],
			     label, TEXT_BYTES);
	if (level->merged)
		drop_address(label);
}

static void say_deeper(struct printer *printer, uint32_t count)
{
	char number[COUNT_BYTES];

	snprintf(say_text(printer), TEXT_BYTES, "%s %s %s deeper", mark(printer, "…", ".."),
		 mark(printer, "×", "x"), format_count(count, number));
}

/* --- the walk -------------------------------------------------------------------------------------- */

static int push(struct printer *printer, const struct level *level)
{
	if (printer->depth == printer->room) {
		uint32_t room = printer->room ? printer->room * 2 : 64;
		struct level *levels = reallocarray(printer->levels, room, sizeof(*levels));

		if (!levels)
			return -ENOMEM;
		printer->levels = levels;
		printer->room = room;
	}
	printer->levels[printer->depth++] = *level;
	return 0;
}

/* The only node below another. */
static const struct tree_node *only_below(const struct tree *tree, const struct tree_node *node)
{
	const struct tree_branch *branch = &tree->branches[node->first_branch];

	return node->branch_count == 1 && branch->count == 1 ? &tree->nodes[branch->node] : NULL;
}

/* The node at which a level of the walk is; NULL where it is at a line that is none. */
static const struct tree_node *node_at(const struct printer *printer, uint32_t up)
{
	const struct level *level;

	if (up >= printer->depth)
		return NULL;
	level = &printer->levels[printer->depth - 1 - up];
	return level->next ? &printer->tree->nodes[printer->tree->branches[level->next - 1].node] :
			     NULL;
}

/* The last `period` nodes on the way to `node`, it included. */
static bool nodes_above(const struct printer *printer, const struct tree_node *node,
			uint32_t period, const struct tree_node **ring)
{
	ring[period - 1] = node;
	if (period > 1 && node_at(printer, 0) != node)
		return false; /* the end of a run, whose nodes are not on the stack */
	for (uint32_t i = 1; i < period; i++) {
		ring[period - 1 - i] = node_at(printer, i);
		if (!ring[period - 1 - i])
			return false;
	}
	return true;
}

/* How many nodes below go through the last `period` steps again; the last of them. */
static uint32_t count_run(const struct printer *printer, const struct tree_node *node,
			  uint32_t period, const struct tree_node **tail)
{
	const struct tree_node *ring[PERIOD_MAX], *next;
	uint32_t count = 0;

	*tail = node;
	if (!nodes_above(printer, node, period, ring))
		return 0;
	while ((next = only_below(printer->tree, *tail)) &&
	       tree_same_step(printer->tree, ring[count % period], next)) {
		ring[count++ % period] = next;
		*tail = next;
	}
	return count;
}

static int push_below(struct printer *printer, const struct tree_node *node, bool merged)
{
	struct level level = { .merged = merged };

	for (uint32_t period = 1; period <= PERIOD_MAX; period++) {
		level.deeper = count_run(printer, node, period, &level.tail);
		if (level.deeper >= RUN_MIN && level.deeper >= 2 * period)
			return push(printer, &level);
	}
	level.tail = NULL;
	level.next = node->first_branch;
	level.end = node->first_branch + node->branch_count;
	if (has_more(&level))
		return push(printer, &level);
	if (node->what != TREE_OBJECT || node->place != TREE_HERE ||
	    printer->snapshot->objects[node->index].awaits_kind == AWAITS_NOTHING)
		return 0;
	level.leaf = node;
	return push(printer, &level);
}

/* One line, and what is below it onto the stack; or off the stack when a level is done. */
static int step(struct printer *printer)
{
	struct level *level = &printer->levels[printer->depth - 1];
	bool merged = level->merged;

	if (level->tail) {
		const struct tree_node *tail = level->tail;

		say_deeper(printer, level->deeper);
		put_line(printer);
		level->tail = NULL;
		return push_below(printer, tail, merged);
	}
	if (level->leaf) {
		say_leaf(printer, level);
		put_line(printer);
		level->leaf = NULL;
	}
	if (has_more(level)) {
		const struct tree_branch *branch = &printer->tree->branches[level->next++];

		merged |= branch->count > 1;
		say_branch(printer, branch);
		put_line(printer);
		return push_below(printer, &printer->tree->nodes[branch->node], merged);
	}
	printer->depth--;
	return 0;
}

static int walk(struct printer *printer, bool measuring)
{
	uint32_t first = (uint32_t)(printer->tree->roots - printer->tree->branches);
	struct level roots = { .next = first, .end = first + printer->tree->root_count };
	int err;

	printer->measuring = measuring;
	err = push(printer, &roots);
	while (!err && printer->depth)
		err = step(printer);
	return err;
}

static void lay_out(struct printer *printer)
{
	unsigned width = printer->view->style.width;
	const struct column columns[COLUMNS] = {
		[LABEL] = { .title = "TREE", .width = 1, .least = width / 2 },
		[KIND] = { .title = "KIND", .width = KIND_WIDTH },
		[STATE] = { .title = "STATE", .width = STATE_WIDTH },
		[WHERE] = { .title = "WHERE", .width = 1, .least = 14 },
	};

	memcpy(printer->columns, columns, sizeof(columns));
	printer->drawn = width ? width / 3 / LEVEL_WIDTH : LEVELS_MAX;
	if (printer->drawn < 4)
		printer->drawn = 4;
}

int ps_tree(const struct ps_view *view, const struct snapshot *snapshot,
	    const struct selection *selection, struct ps_totals *totals)
{
	struct printer printer = { .view = view, .snapshot = snapshot };
	int err;

	err = tree_build(snapshot, selection, &printer.tree);
	if (err)
		return err;
	for (uint32_t i = 0; i < snapshot->object_count; i++)
		ps_totals_add(totals, &snapshot->objects[i], printer.tree->object_shown[i]);
	lay_out(&printer);
	err = walk(&printer, true);
	if (!err && printer.tree->root_count) {
		columns_fit(printer.columns, COLUMNS, view->style.width);
		ps_put_heading(view);
		columns_put_header(view, printer.columns, COLUMNS);
		err = walk(&printer, false);
		writer_puts(view->writer, "\n");
	}
	free(printer.levels);
	tree_free(printer.tree);
	return err;
}
