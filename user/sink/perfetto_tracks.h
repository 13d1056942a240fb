/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_PERFETTO_TRACKS_H
#define GENSCOPE_SINK_PERFETTO_TRACKS_H

#include "sink/perfetto_internal.h"

/* Opens `{"ph":"…","ts":…,"pid":…,"tid":…`, with the comma before it; the caller goes on from there. */
void put_head(struct perfetto *perfetto, char phase, uint64_t ts_ns, uint32_t pid, uint32_t tid);
void put_name(struct perfetto *perfetto, const char *escaped); /* `,"name":"…"` */
void put_ns(struct writer *writer, uint64_t ns);               /* microseconds, exactly */

/* What is on a thread's track nests, whatever the order of events. */

/* `ts_ns`, or where the track already is: then an event came late. */
uint64_t track_time(const struct track *track, uint64_t ts_ns);
/* Opens a slice for the step of `bar`, its transition told by `event`, NULL: the step goes on, having
 * been parked. */
void step_open(struct perfetto *perfetto, struct track *track, struct bar *bar, uint64_t ts_ns,
	       const struct event *event);
/* Ends the open slice of `bar`, and what is open inside; async generators among that are parked. */
void step_close(struct perfetto *perfetto, struct bar *bar, uint64_t ts_ns,
		const struct event *event);
/* Ends what is open above a level, parked under `under` (may be NULL). */
void track_unwind(struct perfetto *perfetto, struct track *track, size_t level, uint64_t ts_ns,
		  struct bar *under);
/* Where a slice from `begin_ns` to `end_ns` may begin, taking the place of what it holds. */
uint64_t span_place(struct track *track, uint64_t begin_ns, uint64_t end_ns);
void unpark(struct bar *bar);

#endif
