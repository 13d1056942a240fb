/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_TUI_VIEW_H
#define GENSCOPE_SINK_TUI_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "model/top.h"
#include "model/top_detail.h"
#include "sink/canvas.h"
#include "sink/tui_state.h"

/*
 * The pages of `top`, composed as lines. Pure: what is drawn on a terminal is exactly this.
 */

#define TUI_WIDTH_LEAST  60
#define TUI_HEIGHT_LEAST 10

/* The lines above every page: how the run goes. */
struct tui_head {
	const char *targets;  /* "pid 1234: python3 app.py" */
	size_t processes;     /* alive */
	uint64_t uptime_ns;   /* of the run */
	uint64_t interval_ns; /* between readings */
	double event_rate;    /* transitions a second, filtered ones included */
	uint64_t lost, anomalies;
	const char *coverage; /* "" is full */
	bool has_duty;        /* --max-overhead was given: the next two hold */
	double duty;          /* part of the time that probes were on */
	bool probes_off;      /* now */
	const char *warning;  /* the last one; "": none */
};

struct tui_data {
	struct tui_head head;
	struct top_rows rows;
	const struct top_row *function;  /* that of state->function; NULL: none is open */
	const struct top_detail *detail; /* of it; NULL: not read */
	uint64_t now_ns;                 /* of the reading, CLOCK_MONOTONIC */
	bool several;                    /* processes: say which */
};

/* Makes the page of `width` by `height`: never more lines, never wider. What the state asks for that is not
 * there is put right first (tui_settle()). *extent is for tui_on_key(). -ENOMEM. */
int tui_compose(const struct tui_data *data, struct tui_state *state, unsigned width,
		unsigned height, bool utf8, struct canvas **out, struct tui_extent *extent);

#endif
