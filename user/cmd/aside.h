/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_CMD_ASIDE_H
#define GENSCOPE_CMD_ASIDE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Standard error while a screen is drawn: whoever writes there, libraries too, would spoil it. What comes is
 * caught; where standard error is a terminal it is printed at the end, else handed on at each step.
 */
#define ASIDE_LAST_BYTES 512

struct aside {
	int saved, file; /* standard error as it was; what stands in for it. -1: not begun */
	bool terminal;
	char *kept; /* for the end: the last of it when it is much */
	size_t size;
	bool cut;                    /* something before it was dropped */
	char last[ASIDE_LAST_BYTES]; /* the last line, without "genscope: "; "": none yet */
};

int aside_begin(struct aside *aside); /* -errno: nothing has changed */
void aside_step(struct aside *aside);
/* Standard error is what it was; says what was kept. Nothing if it has not begun, or has ended. */
void aside_end(struct aside *aside);

#endif
