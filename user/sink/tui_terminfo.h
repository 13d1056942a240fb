/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_TUI_TERMINFO_H
#define GENSCOPE_SINK_TUI_TERMINFO_H

/*
 * The terminal after a crash: endwin() may not be called in a signal handler, so its modes and what has to be
 * written are prepared beforehand.
 */

/* Before its modes are changed; handles signals that end a process and that nobody handles yet. */
void tui_restore_prepare(int fd);

/* Those signals are the kernel's again. */
void tui_restore_forget(void);

#endif
