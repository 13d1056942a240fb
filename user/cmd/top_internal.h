/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_CMD_TOP_INTERNAL_H
#define GENSCOPE_CMD_TOP_INTERNAL_H

/* What the top*.c files share; nobody else includes it. */

#include "cmd/aside.h"
#include "cmd/options.h"
#include "cmd/run.h"
#include "model/select.h"
#include "model/stream.h"
#include "model/top.h"
#include "sink/tui.h"
#include "sink/tui_view.h"

#define TOP_TARGETS_BYTES 256

struct top_run {
	struct options options; /* first: the shared parsers' input */
	uint64_t interval_ns;
	struct selection selection;
	struct run run;
	struct stream *stream;
	bool out_of_memory;
	bool full; /* --max-events */
	/* what is known */
	struct top *model;
	uint32_t code_end; /* ids of functions are below */
	struct top_detail detail;
	bool has_detail;                        /* of state.function, as of the last reading */
	struct snapshot *snapshots[TOP_OLDEST]; /* what the detail's objects are borrowed from */
	struct remote *remotes[TOP_OLDEST];     /* and what these borrow from */
	size_t snapshot_count;
	bool telling; /* a survey's objects are for the detail */
	/* when */
	uint64_t next_ns;       /* reading */
	uint64_t next_head_ns;  /* drawing of the head alone */
	uint64_t begin_ns;      /* since when everything has been followed without a gap */
	uint64_t on_since_ns;   /* probes; 0: they are off */
	uint64_t on_ns;         /* and before that, in all */
	uint64_t watched_ns;    /* of that, at the last reading */
	uint64_t reading_ns;    /* the last reading */
	uint64_t events_before; /* at that */
	double event_rate;
	/* what is seen */
	struct tui *tui; /* NULL: no screen yet, or no more */
	struct aside aside;
	struct tui_state state;
	struct tui_extent extent;
	struct top_rows rows;
	char targets[TOP_TARGETS_BYTES];
	bool color, utf8;
};

/* Takes in a survey, and what has come of distributions. False: it could not be made. */
bool top_read(struct top_run *top);

/* Looks at the function that the screen shows from near; nothing where it shows none. */
void top_read_detail(struct top_run *top);
void top_drop_detail(struct top_run *top);

#endif
