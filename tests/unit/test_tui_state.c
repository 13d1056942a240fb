/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "sink/tui_state.h"

/* What keys do to what is seen. */

#define ROWS 100
#define SEEN 18

static struct top_row table[ROWS];
static const struct top_row *at[ROWS];

struct user {
	struct tui_state state;
	struct top_rows rows;
	struct tui_extent extent;
};

static struct user open_user(size_t count)
{
	for (size_t i = 0; i < ROWS; i++) {
		table[i].number = (uint32_t)(1000 + i);
		at[i] = &table[i];
	}
	return (struct user){ .rows = { .at = at, .count = count, .all = count },
			      .extent = { .rows = count, .rows_seen = SEEN, .lines_seen = 10 } };
}

static bool press(struct user *user, uint32_t key)
{
	return tui_on_key(&user->state, key, &user->rows, &user->extent);
}

static void type(struct user *user, const char *keys)
{
	for (; *keys; keys++)
		press(user, (unsigned char)*keys);
}

static void expect_at(const struct user *user, size_t cursor, size_t first)
{
	cr_expect_eq(user->state.cursor, cursor, "cursor at %zu, not %zu", user->state.cursor,
		     cursor);
	cr_expect_eq(user->state.first, first, "first is %zu, not %zu", user->state.first, first);
	cr_expect(user->state.cursor - user->state.first < SEEN, "out of sight");
}

Test(tui_state, moves_over_the_table)
{
	struct user user = open_user(ROWS);

	cr_expect(press(&user, TUI_KEY_UP));
	expect_at(&user, 0, 0);
	press(&user, TUI_KEY_DOWN);
	press(&user, 'j');
	expect_at(&user, 2, 0);
	press(&user, 'k');
	expect_at(&user, 1, 0);
	press(&user, TUI_KEY_PAGE_DOWN);
	expect_at(&user, 1 + SEEN, 2);
	press(&user, TUI_KEY_UP);
	expect_at(&user, SEEN, 2);
	press(&user, TUI_KEY_END);
	expect_at(&user, ROWS - 1, ROWS - SEEN);
	press(&user, TUI_KEY_DOWN);
	press(&user, TUI_KEY_PAGE_DOWN);
	expect_at(&user, ROWS - 1, ROWS - SEEN);
	press(&user, TUI_KEY_PAGE_UP);
	expect_at(&user, ROWS - 1 - SEEN, ROWS - 1 - SEEN);
	press(&user, 'G');
	press(&user, 'g');
	expect_at(&user, 0, 0);
	user = open_user(0);
	press(&user, TUI_KEY_DOWN);
	press(&user, TUI_KEY_PAGE_DOWN);
	press(&user, TUI_KEY_END);
	expect_at(&user, 0, 0);
	cr_expect_not(press(&user, TUI_KEY_ENTER), "there is nothing to look into");
	cr_expect_eq(user.state.page, TUI_TABLE);
}

Test(tui_state, follows_the_function_under_the_cursor)
{
	struct user user = open_user(ROWS);
	const struct top_row *moved;

	/* on the first row: whatever is first stays under the cursor */
	at[0] = &table[9];
	tui_settle(&user.state, &user.rows, &user.extent);
	expect_at(&user, 0, 0);
	press(&user, TUI_KEY_DOWN);
	press(&user, TUI_KEY_DOWN);
	moved = at[2];
	at[2] = at[50];
	at[50] = moved;
	tui_settle(&user.state, &user.rows, &user.extent);
	expect_at(&user, 50, 50 - SEEN + 1);
	/* it is gone, and so are most */
	user.rows.count = user.extent.rows = 5;
	tui_settle(&user.state, &user.rows, &user.extent);
	expect_at(&user, 4, 0);
	user.rows.count = user.extent.rows = 0;
	tui_settle(&user.state, &user.rows, &user.extent);
	expect_at(&user, 0, 0);
}

Test(tui_state, fits_into_a_smaller_window)
{
	struct user user = open_user(ROWS);

	for (int i = 0; i < 17; i++)
		press(&user, TUI_KEY_DOWN);
	user.extent.rows_seen = 5;
	tui_settle(&user.state, &user.rows, &user.extent);
	expect_at(&user, 17, 13);
	user.extent.rows_seen = 90;
	press(&user, TUI_KEY_END);
	cr_expect_eq(user.state.first, 10);
	user.extent.rows_seen = 200;
	tui_settle(&user.state, &user.rows, &user.extent);
	cr_expect_eq(user.state.first, 0, "no empty place below while rows are hidden above");
}

Test(tui_state, sorts)
{
	struct user user = open_user(ROWS);
	struct top_order order;

	for (int i = 0; i < TOP_SORT_COUNT; i++) {
		cr_expect_eq((int)user.state.sort, i);
		press(&user, i % 2 ? 's' : '>');
	}
	cr_expect_eq(user.state.sort, TOP_SORT_LIVE, "once around");
	press(&user, '<');
	cr_expect_eq(user.state.sort, TOP_SORT_NAME);
	press(&user, 'r');
	press(&user, 't');
	order = tui_order(&user.state);
	cr_expect(order.by == TOP_SORT_NAME && order.reverse && order.totals);
	press(&user, 'r');
	press(&user, 't');
	order = tui_order(&user.state);
	cr_expect(!order.reverse && !order.totals);
	cr_expect_str_eq(order.filter, "");
}

Test(tui_state, filters_while_one_types)
{
	struct user user = open_user(ROWS);

	press(&user, '/');
	type(&user, "qsr h");
	cr_expect(user.state.typing);
	cr_expect_not(user.state.quit, "letters are letters");
	cr_expect_str_eq(tui_order(&user.state).filter, "qsr h");
	press(&user, TUI_KEY_BACKSPACE);
	press(&user, 0x7f);
	cr_expect_str_eq(user.state.filter, "qsr");
	press(&user, TUI_KEY_DOWN);
	expect_at(&user, 1, 0);
	cr_expect_not(press(&user, 1), "Ctrl-A");
	press(&user, TUI_KEY_ENTER);
	cr_expect_not(user.state.typing);
	cr_expect_str_eq(user.state.filter, "qsr", "Enter keeps it");
	cr_expect_eq(user.state.page, TUI_TABLE);
	press(&user, TUI_KEY_ESCAPE);
	cr_expect_str_eq(user.state.filter, "", "Esc shows all again");
	press(&user, '/');
	type(&user, "abc");
	press(&user, TUI_KEY_ESCAPE);
	cr_expect(!user.state.typing && !*user.state.filter);
	press(&user, '/');
	type(&user, "abc");
	press(&user, 'u' & 0x1f);
	cr_expect(user.state.typing && !*user.state.filter);
	press(&user, TUI_KEY_BACKSPACE);
	cr_expect_str_eq(user.state.filter, "");
}

Test(tui_state, filters_by_any_character)
{
	struct user user = open_user(ROWS);

	press(&user, '/');
	press(&user, 0xe9);
	press(&user, 0x6f22);
	press(&user, 0x1f600);
	cr_expect_str_eq(user.state.filter, "é漢😀");
	press(&user, TUI_KEY_BACKSPACE);
	press(&user, TUI_KEY_BACKSPACE);
	cr_expect_str_eq(user.state.filter, "é");
	for (int i = 0; i < 100; i++)
		press(&user, 0x1f600);
	cr_expect_lt(strlen(user.state.filter), sizeof(user.state.filter));
	cr_expect_eq((strlen(user.state.filter) - 2) % 4, 0, "no half a character");
}

Test(tui_state, looks_into_a_function_and_comes_back)
{
	struct user user = open_user(ROWS);

	press(&user, TUI_KEY_DOWN);
	cr_expect(press(&user, TUI_KEY_ENTER));
	cr_expect_eq(user.state.page, TUI_FUNCTION);
	cr_expect_eq(user.state.function, 1001);
	user.extent.lines = 25;
	press(&user, TUI_KEY_DOWN);
	press(&user, TUI_KEY_PAGE_DOWN);
	cr_expect_eq(user.state.scrolled, 11);
	press(&user, TUI_KEY_PAGE_DOWN);
	cr_expect_eq(user.state.scrolled, 15, "the last ten lines");
	press(&user, TUI_KEY_HOME);
	cr_expect_eq(user.state.scrolled, 0);
	press(&user, TUI_KEY_END);
	user.extent.lines = 12;
	tui_settle(&user.state, &user.rows, &user.extent);
	cr_expect_eq(user.state.scrolled, 2);
	press(&user, 'l');
	cr_expect(user.state.locals);
	cr_expect_not(press(&user, 's'), "there is nothing to sort");
	cr_expect_not(press(&user, '/'));
	expect_at(&user, 1, 0);
	press(&user, TUI_KEY_ESCAPE);
	cr_expect_eq(user.state.page, TUI_TABLE);
	expect_at(&user, 1, 0);
	press(&user, '\r');
	cr_expect_eq(user.state.page, TUI_FUNCTION);
	cr_expect_eq(user.state.scrolled, 0, "from its beginning");
	press(&user, TUI_KEY_BACKSPACE);
	cr_expect_eq(user.state.page, TUI_TABLE);
	cr_expect_not(press(&user, TUI_KEY_BACKSPACE));
	cr_expect_not(press(&user, 'l'));
}

Test(tui_state, helps_on_every_page)
{
	struct user user = open_user(ROWS);

	press(&user, 'h');
	cr_expect_eq(user.state.page, TUI_HELP);
	press(&user, 'x');
	cr_expect_eq(user.state.page, TUI_TABLE);
	press(&user, TUI_KEY_ENTER);
	user.extent.lines = 30;
	press(&user, TUI_KEY_DOWN);
	press(&user, '?');
	press(&user, TUI_KEY_DOWN);
	cr_expect_eq(user.state.page, TUI_HELP, "a long page of help moves");
	cr_expect_eq(user.state.help_scrolled, 1);
	press(&user, TUI_KEY_ESCAPE);
	cr_expect_eq(user.state.page, TUI_FUNCTION);
	cr_expect_eq(user.state.scrolled, 1);
	cr_expect_not(user.state.quit);
	press(&user, 'h');
	press(&user, 'q');
	cr_expect(user.state.quit);
}

Test(tui_state, pauses_and_quits)
{
	struct user user = open_user(ROWS);

	press(&user, 'p');
	cr_expect(user.state.paused);
	press(&user, ' ');
	cr_expect_not(user.state.paused);
	cr_expect(press(&user, TUI_KEY_REDRAW));
	cr_expect_not(press(&user, 'z'));
	cr_expect_not(press(&user, TUI_KEY_NONE));
	cr_expect_not(user.state.quit);
	press(&user, 'q');
	cr_expect(user.state.quit);
}
