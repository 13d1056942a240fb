/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_EXPORTER_H
#define GENSCOPE_MODEL_EXPORTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <living.h> /* include/living.h; in quotes it would be this folder's */
#include "model/exponential.h"
#include "model/unseen.h"

/*
 * What `export` publishes: series of functions by service and kind, summed over processes, out of readings of
 * the histograms that BPF keeps for each code object. Counters only ever grow while a series lives. A series
 * lives as long as a process of its service holds the function, and until it has been scraped once more.
 *
 * Functions beyond max_series are one series, "other", of their service and kind. A function begins in
 * there. exporter_promote() gives those that are used most a series of their own, whose counters begin at
 * 0 then, unless nobody has seen them yet: what was published in "other" stays there.
 */

enum exporter_metric {
	EXPORTER_RUN = 0,
	EXPORTER_SUSPENDED = 1,
	EXPORTER_START = 2,
	EXPORTER_LIFETIME = 3,
	EXPORTER_METRICS = 4,
};

#define EXPORTER_OTHER "other"

/* Counters of one series. */
struct exporter_counts {
	struct exponential times[EXPORTER_METRICS];
	uint64_t to[STATE_COUNT]; /* transitions, by the state they led to; STATE_NONE: freed */
	uint64_t never_awaited, slow;
};

/* The last slow step of a function. */
struct exporter_slow {
	uint64_t id;            /* of the object; 0: there was none */
	uint64_t run_ns, at_ns; /* at_ns: CLOCK_MONOTONIC */
};

/* Objects of one series now. */
struct exporter_objects {
	uint64_t count[STATE_COUNT];
	uint64_t suspended_since_ns; /* CLOCK_MONOTONIC; 0: none is suspended */
};

struct exporter_series {
	const char *service, *function; /* owned by the exporter */
	uint8_t kind;                   /* enum object_kind */
	struct exporter_counts counts;
	struct exporter_objects objects;
	struct exporter_slow slow;
	uint64_t created_ns; /* when the counters began; CLOCK_MONOTONIC */
};

struct exporter;
int exporter_new(size_t max_series, struct exporter **out); /* -ENOMEM */
void exporter_free(struct exporter *exporter);              /* NULL is fine */

/* A code object of a process belongs to that service and is called "file:qualname". An id is given once. -ENOMEM;
 * -EINVAL: no such id or kind. */
int exporter_add(struct exporter *exporter, uint32_t id, uint32_t pid, const char *service,
		 uint8_t kind, const char *file, const char *qualname, uint64_t now_ns);

/* All that has been counted for a code object so far; `scale`: what that stands for which came since the last
 * reading. Of one that nobody has added nothing is taken. Id 0: of those that BPF had no room for; they are in
 * service "other". */
void exporter_read(struct exporter *exporter, uint32_t id, const struct distributions *now,
		   const struct unseen_scale *scale);

/* Is this count of transitions another one than when this was asked last? False for what nobody has added. */
bool exporter_is_news(struct exporter *exporter, uint32_t id, uint64_t transitions);

/* Its objects now. exporter_begin_objects() empties all. */
void exporter_begin_objects(struct exporter *exporter);
void exporter_set_objects(struct exporter *exporter, uint32_t id,
			  const struct survey_counts *counts);
/* The same for who has no code ids: objects read from memory. -ENOMEM. */
int exporter_add_objects(struct exporter *exporter, const char *service, uint8_t kind,
			 const char *file, const char *qualname, uint8_t state, uint64_t count,
			 uint64_t since_ns, uint64_t now_ns);

/* The process has gone: its last readings have been given. Calls `each` for its code ids. */
void exporter_remove(struct exporter *exporter, uint32_t pid,
		     void (*each)(void *ctx, uint32_t code), void *ctx);

/* Calls `each` for all code ids that are alive, with the process they are of; of one process (pid 0: of all). */
void exporter_each_code(const struct exporter *exporter, uint32_t pid,
			void (*each)(void *ctx, uint32_t code, uint32_t pid), void *ctx);

/* Gives series to the functions that were used most since the last call, as long as there are any left. */
void exporter_promote(struct exporter *exporter, uint64_t now_ns);

/* A collection of the garbage collector took so long in a process of that service. -ENOMEM. */
int exporter_add_gc(struct exporter *exporter, const char *service, uint64_t ns, uint64_t now_ns);

/* All series as they are now, by service and kind, "other" last of each. `at` is the caller's to free(); its text is
 * the exporter's, and valid until it is called again. -ENOMEM. */
struct exporter_page {
	struct exporter_series *at;
	size_t count;
	const struct exporter_gc *gc;
	size_t gc_count;
};
struct exporter_gc {
	const char *service;
	struct exponential pauses;
	uint64_t created_ns;
};
int exporter_collect(struct exporter *exporter, struct exporter_page *out);

/* Somebody has scraped: series that nothing holds any more are dropped. */
void exporter_scraped(struct exporter *exporter);

/* Functions that were refused a series of their own so far: they are in "other". */
uint64_t exporter_overflow(const struct exporter *exporter);

#endif
