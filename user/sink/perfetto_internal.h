/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_PERFETTO_INTERNAL_H
#define GENSCOPE_SINK_PERFETTO_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sink/perfetto.h"

/* What perfetto_tables.c keeps, perfetto_tracks.c draws, and perfetto.c decides on. */

/* The text of a code object, escaped: the inside of JSON strings. */
struct label {
	char *qualname, *file;
};

struct bar {
	uint64_t id; /* of the object */
	uint64_t since_ns;
	uint32_t pid;
	uint32_t code;
	uint8_t kind;
	bool running; /* as far as its transitions tell */
	bool drawn;   /* the step under way has, or had, a slice */
	/* its open slice, NULL: it has none */
	struct track *track;
	size_t level;
	/* async generators that were running inside its step when that ended, outermost first */
	struct bar *parked;
	struct bar *parked_under, *next_parked;
	/* where the next arrow to it begins; NULL: nowhere */
	struct track *from;
	uint64_t from_ns, from_step;
	struct bar *next; /* in the table */
};

struct span {
	uint64_t begin_ns, end_ns;
};

/* Spans of which only the end is told (collections, imports) must not cross a slice that began before
 * and ended within. So many of the last slices at a level are remembered; the span is shortened to end
 * where memory does. */
#define CHILDREN_MAX 16

/* An open slice. Level 0 is the track itself. */
struct level {
	struct bar *bar;
	uint64_t begin_ns;
	uint64_t step; /* its number in the trace */
	uint64_t forgotten_ns;
	size_t child_count;
	struct span children[CHILDREN_MAX]; /* slices inside that have ended, in order */
};

struct track {
	uint32_t pid, tid;
	uint64_t last_ns; /* nothing on it may begin or end before */
	struct level *levels;
	size_t level_count, level_room; /* at least level 0 */
	struct track *next;             /* in the table */
};

struct perfetto {
	struct sink sink; /* first: a sink is one of these */
	struct perfetto_options options;
	int error;  /* -ENOMEM once: nothing more is taken in */
	bool begun; /* something was written, what follows needs a comma */
	uint64_t last_ns;
	uint64_t steps, arrows;
	struct label *labels; /* by code id */
	size_t label_count;
	struct bar **bars; /* chains, by id */
	size_t bar_slots, bar_count;
	struct track **tracks; /* chains, by pid and tid */
	size_t track_slots, track_count;
};

/* tables: NULL is -ENOMEM, which is remembered in `error` */
struct bar *bar_find(struct perfetto *perfetto, uint64_t id); /* NULL also: none */
struct bar *bar_add(struct perfetto *perfetto, uint64_t id);
void bar_remove(struct perfetto *perfetto, struct bar *bar); /* frees it; it has no open slice */
struct track *track_of(struct perfetto *perfetto, uint32_t pid, uint32_t tid, bool *fresh);
int label_add(struct perfetto *perfetto, const struct code *code);
const struct label *label_of(const struct perfetto *perfetto, uint32_t code); /* never NULL */
void tables_free(struct perfetto *perfetto);

#endif
