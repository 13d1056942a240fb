// SPDX-License-Identifier: MIT
#define NCURSES_WIDECHAR 1
#include "sink/tui.h"

#include <curses.h>
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sink/tui_terminfo.h"
#include "sink/tui_state.h"

#define ESCAPE_MS     25 /* in which the rest of a key's sequence comes, or it was Esc alone */
#define BRIGHT_COLORS 16 /* a terminal with so many has a grey */
#define GREY          8
#define REDRAW        ('L' & 0x1f) /* Ctrl-L */

enum { SIGNALS = 3 };
static const int signals[SIGNALS] = { SIGWINCH, SIGTSTP, SIGCONT };

/* What has come of them; handlers have no argument. */
static volatile sig_atomic_t resized, stopped, continued;

struct tui {
	SCREEN *screen;
	unsigned width, height;
	attr_t attributes[STYLE_COUNT];
	struct sigaction before[SIGNALS];
};

/* --- colours ----------------------------------------------------------------------------------------- */

static void choose_attributes(struct tui *tui, bool color)
{
	enum { CYAN = 1, BLUE, GREEN, YELLOW, RED, FAINT };
	attr_t *attributes = tui->attributes;
	attr_t faint = A_DIM;

	attributes[STYLE_BOLD] = A_BOLD;
	attributes[STYLE_TITLE] = A_BOLD;
	attributes[STYLE_SORTED] = A_BOLD | A_UNDERLINE;
	attributes[STYLE_WORST] = A_BOLD;
	attributes[STYLE_ALARM] = A_BOLD | A_REVERSE;
	attributes[STYLE_SELECTED] = A_REVERSE;
	attributes[STYLE_BAR] = A_REVERSE;
	if (color && has_colors() && start_color() == OK && use_default_colors() == OK) {
		init_pair(CYAN, COLOR_CYAN, -1);
		init_pair(BLUE, COLOR_BLUE, -1);
		init_pair(GREEN, COLOR_GREEN, -1);
		init_pair(YELLOW, COLOR_YELLOW, -1);
		init_pair(RED, COLOR_RED, -1);
		if (COLORS >= BRIGHT_COLORS && init_pair(FAINT, GREY, -1) == OK)
			faint = COLOR_PAIR(FAINT);
		attributes[STYLE_NAME] = COLOR_PAIR(CYAN);
		attributes[STYLE_CREATED] = COLOR_PAIR(BLUE);
		attributes[STYLE_RUNNING] = COLOR_PAIR(GREEN);
		attributes[STYLE_SUSPENDED] = COLOR_PAIR(YELLOW);
		attributes[STYLE_SORTED] |= COLOR_PAIR(CYAN);
		attributes[STYLE_WORST] |= COLOR_PAIR(RED);
		attributes[STYLE_ALARM] |= COLOR_PAIR(RED);
	}
	attributes[STYLE_FAINT] = faint;
}

/* --- signals ----------------------------------------------------------------------------------------- */

static void on_signal(int number)
{
	if (number == SIGWINCH)
		resized = 1;
	else if (number == SIGTSTP)
		stopped = 1;
	else
		continued = 1;
}

/* After newterm(), whose own handlers do far more than a handler may. */
static void take_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigemptyset(&action.sa_mask);
	resized = stopped = continued = 0;
	for (int i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &action, NULL);
}

static void take_size(struct tui *tui)
{
	struct winsize size = {};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col || !size.ws_row)
		size = (struct winsize){ .ws_col = (unsigned short)COLS,
					 .ws_row = (unsigned short)LINES };
	resizeterm(size.ws_row, size.ws_col);
	tui->width = size.ws_col;
	tui->height = size.ws_row;
}

/* Ctrl-Z: the shell gets its terminal, and we stop here until it says to go on. */
static void stop(void)
{
	struct sigaction action;

	endwin();
	sigaction(SIGTSTP, NULL, &action);
	signal(SIGTSTP, SIG_DFL);
	raise(SIGTSTP);
	sigaction(SIGTSTP, &action, NULL);
}

bool tui_heed_signals(struct tui *tui)
{
	if (stopped) {
		stopped = 0;
		stop();
		continued = 1;
	}
	if (!resized && !continued)
		return false;
	if (continued) {
		endwin(); /* who stopped us by other means has not seen that */
		clearok(curscr, TRUE);
	}
	resized = continued = 0;
	take_size(tui);
	return true;
}

/* --- the screen -------------------------------------------------------------------------------------- */

int tui_open(struct tui **out, bool color)
{
	struct tui *tui = calloc(1, sizeof(*tui));

	if (!tui)
		return -ENOMEM;
	for (int i = 0; i < SIGNALS; i++)
		sigaction(signals[i], NULL, &tui->before[i]);
	setlocale(LC_CTYPE, "");
	tui_restore_prepare(STDOUT_FILENO);
	tui->screen = newterm(NULL, stdout, stdin);
	if (!tui->screen) {
		tui_restore_forget();
		free(tui);
		return -ENOTSUP;
	}
	take_signals();
	cbreak(); /* Ctrl-C and Ctrl-Z stay signals */
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(ESCAPE_MS);
	choose_attributes(tui, color);
	take_size(tui);
	*out = tui;
	return 0;
}

void tui_close(struct tui *tui)
{
	if (!tui)
		return;
	endwin();
	delscreen(tui->screen);
	for (int i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &tui->before[i], NULL);
	tui_restore_forget();
	free(tui);
}

void tui_size(const struct tui *tui, unsigned *width, unsigned *height)
{
	*width = tui->width;
	*height = tui->height;
}

static void draw_line(const struct tui *tui, int row, const struct canvas_line *line)
{
	size_t end = strlen(line->text);

	for (unsigned i = 0; i < line->piece_count; i++) {
		const struct canvas_piece *piece = &line->pieces[i];
		size_t next = i + 1 < line->piece_count ? line->pieces[i + 1].begin : end;

		attrset((int)tui->attributes[line->style ? line->style : piece->style]);
		mvaddnstr(row, (int)piece->column, line->text + piece->begin,
			  (int)(next - piece->begin));
	}
}

void tui_draw(struct tui *tui, const struct canvas *canvas)
{
	erase();
	for (size_t i = 0; i < canvas_count(canvas) && i < tui->height; i++)
		draw_line(tui, (int)i, canvas_line(canvas, i));
	attrset(A_NORMAL);
	refresh();
}

/* --- keys -------------------------------------------------------------------------------------------- */

static uint32_t key_of_code(wint_t code)
{
	static const struct {
		wint_t code;
		uint32_t key;
	} keys[] = {
		{ KEY_UP, TUI_KEY_UP },         { KEY_DOWN, TUI_KEY_DOWN },
		{ KEY_LEFT, TUI_KEY_LEFT },     { KEY_RIGHT, TUI_KEY_RIGHT },
		{ KEY_PPAGE, TUI_KEY_PAGE_UP }, { KEY_NPAGE, TUI_KEY_PAGE_DOWN },
		{ KEY_HOME, TUI_KEY_HOME },     { KEY_END, TUI_KEY_END },
		{ KEY_ENTER, TUI_KEY_ENTER },   { KEY_BACKSPACE, TUI_KEY_BACKSPACE },
		{ KEY_DC, TUI_KEY_BACKSPACE },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].code == code)
			return keys[i].key;
	return TUI_KEY_NONE;
}

/* Who asks for it does not trust what is there. */
static uint32_t redraw(void)
{
	clearok(curscr, TRUE);
	return TUI_KEY_REDRAW;
}

uint32_t tui_read_key(struct tui *tui)
{
	wint_t code;
	int kind;

	(void)tui;
	do {
		kind = get_wch(&code);
		if (kind == ERR)
			return TUI_KEY_NONE;
		if (kind == OK)
			return code == REDRAW ? redraw() : (uint32_t)code;
	} while (key_of_code(code) == TUI_KEY_NONE); /* KEY_RESIZE, F1 … */
	return key_of_code(code);
}
