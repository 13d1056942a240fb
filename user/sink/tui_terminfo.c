// SPDX-License-Identifier: MIT
/*
 * What is asked of terminfo directly.
 */
#include <curses.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "sink/tui.h"
#include "sink/tui_terminfo.h"

#include <term.h> /* last: it defines words like `lines` */

static bool has_string(const char *capability)
{
	const char *text = tigetstr(capability);

	return text && text != (char *)-1;
}

int tui_check(char *why, size_t size)
{
	const char *name = getenv("TERM");
	int err;

	if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)) {
		snprintf(why, size, "standard %s is no terminal",
			 isatty(STDOUT_FILENO) ? "input" : "output");
		return -ENOTTY;
	}
	if (setupterm(NULL, STDOUT_FILENO, &err) != OK) {
		snprintf(why, size, "TERM is '%.100s', a terminal that nothing is known of",
			 name ? name : "");
		return -ENOTSUP;
	}
	err = has_string("cup") && has_string("clear") ? 0 : -ENOTSUP;
	if (err)
		snprintf(why, size, "TERM is '%.100s', which cannot move its cursor",
			 name ? name : "");
	del_curterm(cur_term);
	return err;
}

/* A handler has no argument: what it needs is here. */
static struct {
	int fd;
	bool has_modes;
	struct termios modes;
	char text[256];
	size_t size;
} restore = { .fd = -1 };

/* All that end a process by default and that genscope handles nowhere else. */
static const int fatal[] = { SIGSEGV, SIGBUS,  SIGFPE,  SIGILL,  SIGABRT,   SIGTRAP, SIGSYS,
			     SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGPROF, SIGXCPU };
#define FATALS (sizeof(fatal) / sizeof(fatal[0]))

static void on_fatal(int number)
{
	if (restore.has_modes)
		tcsetattr(restore.fd, TCSANOW, &restore.modes);
	if (write(restore.fd, restore.text, restore.size) < 0)
		restore.size = 0; /* nobody is left to be told */
	raise(number);            /* its handler is the default one by now */
}

static int keep_byte(int byte)
{
	if (restore.size < sizeof(restore.text))
		restore.text[restore.size++] = (char)byte;
	return byte;
}

static void keep_string(const char *capability)
{
	if (has_string(capability))
		tputs(tigetstr(capability), 1, keep_byte);
}

void tui_restore_prepare(int fd)
{
	struct sigaction action = { .sa_handler = on_fatal, .sa_flags = SA_RESETHAND | SA_NODEFER },
			 before;
	int err;

	restore.fd = fd;
	restore.size = 0;
	restore.has_modes = !tcgetattr(fd, &restore.modes);
	if (setupterm(NULL, fd, &err) == OK) {
		keep_string("rmkx");  /* keys as they were */
		keep_string("sgr0");  /* colours */
		keep_string("cnorm"); /* the cursor */
		keep_string("rmcup"); /* and the screen behind ours */
		del_curterm(cur_term);
	}
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < FATALS; i++)
		if (!sigaction(fatal[i], NULL, &before) && before.sa_handler == SIG_DFL)
			sigaction(fatal[i], &action, NULL);
}

void tui_restore_forget(void)
{
	struct sigaction now;

	for (size_t i = 0; i < FATALS; i++)
		if (!sigaction(fatal[i], NULL, &now) && now.sa_handler == on_fatal)
			signal(fatal[i], SIG_DFL);
	restore.fd = -1;
}
