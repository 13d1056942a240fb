/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_CMD_RUN_H
#define GENSCOPE_CMD_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/options.h"
#include "session/budget.h"
#include "session/seed.h"
#include "session/session.h"
#include "sink/sink.h"

/*
 * The course of every command that attaches: targets from the options, probes, the word `attached`, a
 * seeded state map, records until it is over, a comparison with memory, and the counts. What is done
 * with the records is the command's.
 */

struct run_ops {
	/* One record; < 0 stops this poll. */
	int (*record)(void *ctx, const void *bytes, size_t size);
	/* Nothing more waits: a good moment to flush. May be NULL. */
	void (*idle)(void *ctx);
	/* About ten times a second. May be NULL. */
	void (*tick)(void *ctx, uint64_t now_ns);
	/* Losses since the last call. May be NULL. */
	void (*lost)(void *ctx, uint64_t now_ns, const struct loss *since);
	/* Which probes there are from now on, to keep --max-overhead: what was known of objects is forgotten. `took_ns`:
	 * so long ago their exchange began, in which not all is seen. May be NULL. */
	void (*duty)(void *ctx, uint64_t now_ns, uint64_t took_ns, enum budget_level level);
	/* A target came, went or was refused, as in session_options. May be NULL. */
	void (*target)(void *ctx, pid_t pid, enum session_target what, enum refusal refusal);
	/* Has the command had enough? May be NULL. */
	bool (*enough)(const void *ctx);
};

struct run {
	const struct options *options; /* borrowed */
	const struct run_ops *ops;
	void *ctx;
	struct session *session;
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC; end_ns 0: no limit */
	uint64_t next_tick_ns;
	struct loss told; /* losses already handed on */
	struct reconciliation reconciliation;
	unsigned tells; /* as in session_options */
	bool patient;   /* nobody waits for the records: fewer wake-ups. Set before run_open() */
	/* Over --max-overhead, the outermost steps alone tell enough to be tried first. Set before run_open() */
	bool has_outermost;
	bool seeds;
	struct budget budget; /* --max-overhead */
	bool partial; /* the map does not follow everything: it is not compared with memory */
};

/* What the reader made of the records, for the summary. */
struct run_reader {
	uint64_t events;   /* records that became output or entered a distribution */
	uint64_t filtered; /* by the reader */
	uint64_t bad;      /* that made no sense */
};

/* Which probes there are now: all, unless --max-overhead has taken some off. */
enum budget_level run_level(const struct run *run);

/* What a command wants that streams transitions: of the options. */
struct session_options run_wanted(const struct options *options);

/* Loads the programs and attaches. `wanted` has what the command wants of the session; kinds, filters of
 * duration, warnings and the callbacks are filled in from the run. 0, or the exit status after a line on
 * standard error. run->session is the caller's to close either way (NULL ok). */
int run_open(struct run *run, struct session_options wanted);

/* The interpreter that BPF knows by that index, for struct captured_options; `ctx` is the run. */
const struct interpreter *run_image(void *ctx, uint32_t index);

/* From `attached` to the end of the run. */
void run_loop(struct run *run);

/* Compares with memory, detaches, and takes what is still in the ring. */
void run_end(struct run *run);

/* The counts of a run that has ended; coverage is borrowed from the session. What the counts do not
 * explain is told on standard error. */
void run_summarise(const struct run *run, const struct run_reader *reader, struct summary *out);

/* -v: which sites were hit, how often, and which of them stood out. */
void run_print_sites(const struct run *run);

/* The exit status of a run that went well: a command that never ran a CPython is said to be one. */
int run_status(const struct run *run);

#endif
