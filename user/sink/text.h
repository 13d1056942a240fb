/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_TEXT_H
#define GENSCOPE_SINK_TEXT_H

#include "sink/sink.h"

/* Parts of lines for people that other sinks than sink_text write too. */

/* "21:38:11.306872 ", local time. */
void text_put_clock(struct sink *sink, uint64_t ts_ns);

/* A name from the target, on this line and without a word to the terminal. */
void text_put_name(struct writer *writer, const char *name);

/* The locals of an event below its line, a line each. */
void text_put_locals(struct sink *sink, const struct event *event);

#endif
