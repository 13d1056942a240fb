/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_TUI_H
#define GENSCOPE_SINK_TUI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sink/canvas.h"

/*
 * The terminal: ncurses, and nothing that knows what is drawn. One at a time in a process. From tui_open() to
 * tui_close() standard output belongs to it, and the signals of a terminal: its size, Ctrl-Z and its end. A
 * process that dies of a signal (SIGKILL aside) leaves the terminal as it found it.
 */
struct tui;

/* Is there a terminal to draw on and to read keys from? 0, or -ENOTTY and -ENOTSUP with a reason in `why`.
 * Changes nothing. */
int tui_check(char *why, size_t size);

int tui_open(struct tui **out, bool color); /* -ENOTSUP, -ENOMEM */
void tui_close(struct tui *tui);            /* NULL is fine */

void tui_size(const struct tui *tui, unsigned *width, unsigned *height);
void tui_draw(struct tui *tui, const struct canvas *canvas);

/* The next key that waits, enum tui_key or a character; TUI_KEY_NONE. */
uint32_t tui_read_key(struct tui *tui);

/* Does what signals have asked for: takes a new size, stops the process on Ctrl-Z. True: draw again. */
bool tui_heed_signals(struct tui *tui);

#endif
