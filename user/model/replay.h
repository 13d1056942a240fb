/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_REPLAY_H
#define GENSCOPE_MODEL_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/recording.h"

/*
 * Reads a recording, whoever damaged it: no size in it is believed, and what is handed out are the whole
 * blocks of its beginning, in order, as they were written.
 */

struct replay_callbacks {
	/* 0, or < 0 to stop (handed through by replay_run). All memory is valid during the call, and
	 * aligned as its structures are. */
	/* One record: its head.size is at most `size`. */
	int (*record)(void *ctx, const void *bytes, size_t size);
	/* May be NULL. At least as long as the struct of its kind; kinds may be unknown. Text at its
	 * end need not end with NUL. */
	int (*table)(void *ctx, uint32_t kind, const void *bytes, size_t size);
	/* May be NULL. The last call, if it comes. */
	int (*end)(void *ctx, const struct recording_summary *summary);
	void *ctx;
};

#define REPLAY_WHY_MAX 256

struct replay_state {
	bool complete; /* to its end block, and nothing behind it */
	uint64_t blocks, records;
	uint64_t bytes;           /* of the readable beginning */
	char why[REPLAY_WHY_MAX]; /* in words, what is wrong behind it; "" when complete */
};

struct replay;

/* `path` "-" is standard input. On refusal `why` (REPLAY_WHY_MAX bytes) says in words what. -EINVAL: not
 * a recording, or its header is cut or damaged; -ENOTSUP: of a newer genscope, another byte order or
 * other records; else -errno of reading. */
int replay_open(const char *path, struct replay **out, char *why);
void replay_close(struct replay *replay); /* NULL is fine */

const struct recording_about *replay_about(const struct replay *replay);

/* Hands out what there is, once. 0 also when that is not all (see replay_state); what a callback
 * returned to stop; -ENOMEM; -errno of reading. */
int replay_run(struct replay *replay, const struct replay_callbacks *callbacks);

const struct replay_state *replay_state(const struct replay *replay);

#endif
