/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_PS_H
#define GENSCOPE_SINK_PS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "model/group.h"
#include "model/select.h"
#include "model/snapshot.h"
#include "records.h"
#include "sink/writer.h"

/*
 * The views of `ps`: each writes one snapshot; the summary comes after it.
 */

struct ps_style {
	bool color;
	bool utf8;      /* lines and dots beyond ASCII may be drawn */
	unsigned width; /* columns of the terminal; 0: as wide as it needs */
};

struct ps_view {
	struct writer *writer; /* borrowed */
	struct ps_style style; /* of text */
	pid_t pid;
	bool show_pid; /* several processes are shown: say which */
	/* The name of a thread, valid until the next call; NULL when it is not known, or as a whole. */
	const char *(*thread_name)(void *ctx, int32_t tid);
	void *ctx;
	bool frozen; /* the target was stopped, for frozen_ns */
	uint64_t frozen_ns;
};

struct ps_totals {
	uint64_t objects;                           /* in the target */
	uint64_t shown;                             /* of them */
	uint64_t by_state[KIND_COUNT][STATE_COUNT]; /* of those shown */
	bool streamed; /* by snapshot_options.each, which sees no tasks */
};

/* Fills in colour-independent facts of the terminal behind fd: width (0 when it is none) and whether
 * UTF-8 can be written. */
void ps_style_detect(struct ps_style *style, int fd);

void ps_totals_add(struct ps_totals *totals, const struct snapshot_object *object, bool shown);

/* A line an object, its locals below it; await trees; JSON Lines. They add to the totals. -ENOMEM. */
int ps_table(const struct ps_view *view, const struct snapshot *snapshot,
	     const struct selection *selection, struct ps_totals *totals);
int ps_tree(const struct ps_view *view, const struct snapshot *snapshot,
	    const struct selection *selection, struct ps_totals *totals);
int ps_json(const struct ps_view *view, const struct snapshot *snapshot,
	    const struct selection *selection, struct ps_totals *totals);

/* A line a group, largest first. -ENOMEM. */
int ps_group(const struct ps_view *view, struct group_table *groups);
int ps_group_json(const struct ps_view *view, struct group_table *groups);

/* Of the snapshot only `counts` and `task_count` are looked at. */
void ps_summary(const struct ps_view *view, const struct snapshot *snapshot,
		const struct ps_totals *totals);
void ps_summary_json(const struct ps_view *view, const struct snapshot *snapshot,
		     const struct ps_totals *totals);

#endif
