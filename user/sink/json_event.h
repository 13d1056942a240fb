/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_JSON_EVENT_H
#define GENSCOPE_SINK_JSON_EVENT_H

#include "sink/sink.h"

/* Parts of JSON lines that other sinks than sink_json write too. */

/* The members of a transition, from "ts_ns" to "locals", without braces. */
void json_put_transition(struct sink *sink, const struct event *event);

/* "ts_ns", "time", "pid", "tid". */
void json_put_moment(struct sink *sink, const struct event *event);

/* "name", "qualname", "file". */
void json_put_code(struct writer *writer, struct code *code);

#endif
