/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_PS_TEXT_H
#define GENSCOPE_SINK_PS_TEXT_H

#include "sink/cells.h"
#include "sink/ps.h"

/*
 * What the text views of `ps` have in common.
 */

#define COLOR_FAINT "90"
#define COLOR_BOLD  "1"
#define COLOR_NAME  "36"

#define KIND_WIDTH  4
#define STATE_WIDTH 9

/* Between these two everything has that colour, if there are colours. */
void ps_color(const struct ps_view *view, const char *color);
void ps_plain(const struct ps_view *view);

void ps_put_kind(const struct ps_view *view, uint8_t kind);
void ps_put_state(const struct ps_view *view, uint8_t state);

/* What the object awaits, in a few words; "" when nothing. Returns out, or a text of the snapshot. */
const char *ps_awaits(const struct snapshot *snapshot, const struct snapshot_object *object,
		      char *out, size_t size);

/* The task's name, or its address when the name is not known. */
const char *ps_task_name(const struct snapshot_task *task, char *out, size_t size);

/* Where several processes are shown, which one follows. */
void ps_put_heading(const struct ps_view *view);

/* `name = value`, without indentation and with the end of the line. */
void ps_put_local(const struct ps_view *view, const struct local *local);

#endif
