// SPDX-License-Identifier: MIT
#include "sink/tui_state.h"

#include <string.h>

#define CONTROL(letter) ((letter)&0x1f)
#define DELETE          0x7f

struct top_order tui_order(const struct tui_state *state)
{
	return (struct top_order){ .by = state->sort,
				   .reverse = state->reverse,
				   .totals = state->totals,
				   .filter = state->filter };
}

/* --- moving ---------------------------------------------------------------------------------------- */

/* Where `at` of `count` goes; false: the key is none for moving. */
static bool move(size_t *at, size_t count, size_t page, uint32_t key)
{
	size_t last = count ? count - 1 : 0;

	switch (key) {
	case TUI_KEY_UP:
		*at -= *at > 0;
		return true;
	case TUI_KEY_DOWN:
		*at += *at < last;
		return true;
	case TUI_KEY_PAGE_UP:
		*at -= *at < page ? *at : page;
		return true;
	case TUI_KEY_PAGE_DOWN:
		*at = last - *at < page ? last : *at + page;
		return true;
	case TUI_KEY_HOME:
		*at = 0;
		return true;
	case TUI_KEY_END:
		*at = last;
		return true;
	}
	return false;
}

/* Letters for who keeps the hands where they are. */
static uint32_t arrow_of(uint32_t key)
{
	switch (key) {
	case 'k':
		return TUI_KEY_UP;
	case 'j':
		return TUI_KEY_DOWN;
	case 'g':
		return TUI_KEY_HOME;
	case 'G':
		return TUI_KEY_END;
	case CONTROL('b'):
		return TUI_KEY_PAGE_UP;
	case CONTROL('f'):
		return TUI_KEY_PAGE_DOWN;
	}
	return key;
}

static void keep_cursor_seen(struct tui_state *state, const struct tui_extent *extent)
{
	if (state->cursor >= extent->rows)
		state->cursor = extent->rows ? extent->rows - 1 : 0;
	if (state->first > state->cursor)
		state->first = state->cursor;
	if (extent->rows_seen && state->cursor - state->first >= extent->rows_seen)
		state->first = state->cursor - extent->rows_seen + 1;
	/* no empty place at the end while rows are hidden above */
	if (state->first + extent->rows_seen > extent->rows)
		state->first =
			extent->rows > extent->rows_seen ? extent->rows - extent->rows_seen : 0;
}

static bool move_cursor(struct tui_state *state, uint32_t key, const struct top_rows *rows,
			const struct tui_extent *extent)
{
	if (!move(&state->cursor, rows->count, extent->rows_seen, key))
		return false;
	keep_cursor_seen(state, extent);
	if (state->cursor < rows->count)
		state->under_cursor = rows->at[state->cursor]->number;
	return true;
}

size_t *tui_scrolled(struct tui_state *state)
{
	return state->page == TUI_HELP ? &state->help_scrolled : &state->scrolled;
}

static size_t hidden_lines(const struct tui_extent *extent)
{
	return extent->lines > extent->lines_seen ? extent->lines - extent->lines_seen : 0;
}

static bool scroll(struct tui_state *state, uint32_t key, const struct tui_extent *extent)
{
	return move(tui_scrolled(state), hidden_lines(extent) + 1, extent->lines_seen, key);
}

void tui_settle(struct tui_state *state, const struct top_rows *rows,
		const struct tui_extent *extent)
{
	for (size_t i = 0; state->cursor && i < rows->count; i++)
		if (rows->at[i]->number == state->under_cursor) {
			state->cursor = i;
			break;
		}
	keep_cursor_seen(state, extent);
	if (state->cursor < rows->count)
		state->under_cursor = rows->at[state->cursor]->number;
	if (state->page != TUI_TABLE && *tui_scrolled(state) > hidden_lines(extent))
		*tui_scrolled(state) = hidden_lines(extent);
}

/* --- the filter ------------------------------------------------------------------------------------ */

static void append(struct tui_state *state, uint32_t point)
{
	size_t used = strlen(state->filter), size = 0;
	char utf8[4];

	if (point < 0x80) {
		utf8[size++] = (char)point;
	} else if (point < 0x800) {
		utf8[size++] = (char)(0xc0 | point >> 6);
		utf8[size++] = (char)(0x80 | (point & 0x3f));
	} else if (point < 0x10000) {
		utf8[size++] = (char)(0xe0 | point >> 12);
		utf8[size++] = (char)(0x80 | (point >> 6 & 0x3f));
		utf8[size++] = (char)(0x80 | (point & 0x3f));
	} else {
		utf8[size++] = (char)(0xf0 | point >> 18);
		utf8[size++] = (char)(0x80 | (point >> 12 & 0x3f));
		utf8[size++] = (char)(0x80 | (point >> 6 & 0x3f));
		utf8[size++] = (char)(0x80 | (point & 0x3f));
	}
	if (used + size >= sizeof(state->filter))
		return;
	memcpy(state->filter + used, utf8, size);
	state->filter[used + size] = 0;
}

static void take_back(struct tui_state *state)
{
	size_t used = strlen(state->filter);

	while (used && ((unsigned char)state->filter[used - 1] & 0xc0) == 0x80)
		used--;
	state->filter[used ? used - 1 : 0] = 0;
}

static bool is_backspace(uint32_t key)
{
	return key == TUI_KEY_BACKSPACE || key == DELETE || key == CONTROL('h');
}

static bool on_typing(struct tui_state *state, uint32_t key, const struct top_rows *rows,
		      const struct tui_extent *extent)
{
	if (key == TUI_KEY_ENTER || key == '\r') {
		state->typing = false;
	} else if (key == TUI_KEY_ESCAPE) {
		state->typing = false;
		state->filter[0] = 0;
	} else if (is_backspace(key)) {
		take_back(state);
	} else if (key == CONTROL('u')) {
		state->filter[0] = 0;
	} else if (key >= TUI_KEY_UP) {
		return move_cursor(state, key, rows, extent);
	} else if (key >= ' ' && (key < DELETE || key >= 0xa0)) {
		append(state, key);
	} else {
		return false;
	}
	return true;
}

/* --- pages ----------------------------------------------------------------------------------------- */

static void change_sort(struct tui_state *state, int step)
{
	state->sort = (enum top_sort)((state->sort + TOP_SORT_COUNT + step) % TOP_SORT_COUNT);
}

/* Leaves the page: back to the table, or there to all functions. */
static void go_back(struct tui_state *state)
{
	if (state->page == TUI_TABLE)
		state->filter[0] = 0;
	else
		state->page = TUI_TABLE;
}

static bool on_table(struct tui_state *state, uint32_t key, const struct top_rows *rows)
{
	switch (key) {
	case TUI_KEY_ENTER:
	case '\r':
		if (state->cursor >= rows->count)
			return false;
		state->function = rows->at[state->cursor]->number;
		state->under_cursor = state->function;
		state->scrolled = 0;
		state->page = TUI_FUNCTION;
		return true;
	case 's':
	case '>':
	case TUI_KEY_RIGHT:
		change_sort(state, 1);
		return true;
	case '<':
	case TUI_KEY_LEFT:
		change_sort(state, -1);
		return true;
	case 'r':
		state->reverse = !state->reverse;
		return true;
	case 't':
		state->totals = !state->totals;
		return true;
	case '/':
		state->typing = true;
		return true;
	}
	return false;
}

static bool on_any_page(struct tui_state *state, uint32_t key)
{
	switch (key) {
	case 'q':
	case 'Q':
		state->quit = true;
		return true;
	case 'p':
	case ' ':
		state->paused = !state->paused;
		return true;
	case 'h':
	case '?':
		state->behind_help = state->page;
		state->help_scrolled = 0;
		state->page = TUI_HELP;
		return true;
	case TUI_KEY_ESCAPE:
		go_back(state);
		return true;
	case TUI_KEY_REDRAW:
		return true;
	}
	if (!is_backspace(key) || state->page == TUI_TABLE)
		return false;
	go_back(state);
	return true;
}

bool tui_on_key(struct tui_state *state, uint32_t key, const struct top_rows *rows,
		const struct tui_extent *extent)
{
	if (state->typing)
		return on_typing(state, key, rows, extent);
	if (state->page == TUI_HELP && key != 'q' && key != 'Q') {
		if (!scroll(state, arrow_of(key), extent))
			state->page = state->behind_help; /* any key */
		return true;
	}
	if (state->page == TUI_FUNCTION) {
		if (key == 'l') {
			state->locals = !state->locals;
			return true;
		}
		return scroll(state, arrow_of(key), extent) || on_any_page(state, key);
	}
	return move_cursor(state, arrow_of(key), rows, extent) || on_table(state, key, rows) ||
	       on_any_page(state, key);
}
