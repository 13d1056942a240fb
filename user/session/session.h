/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SESSION_SESSION_H
#define GENSCOPE_SESSION_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "histogram.h"
#include "session/features.h"
#include "session/images.h"
#include "site.h"

/*
 * A run: the BPF side loaded, probes attached, records coming. Probes are gone when the session is
 * closed, and when the process ends in any way (the kernel drops them with the links).
 */
struct session;

enum session_context { CONTEXT_GC = 1, CONTEXT_IMPORT = 2, CONTEXT_AUDITS = 4 };

/* Locals that are copied at transitions; limits as LOCALS_…_MAX of site.h allow. */
struct session_locals {
	uint32_t rate; /* of one transition in so many of each function; 0: no locals at all */
	uint32_t depth, names, items, string;
};

/* At an exec comes TARGET_REMOVED, whatever it was: a target, refused, or never told of. What was a target is added again
 * until it is known that it runs no CPython now. */
enum session_target { TARGET_ADDED, TARGET_REMOVED, TARGET_REFUSED };

struct session_options {
	unsigned kinds; /* bits 1 << enum object_kind */
	uint64_t min_run_ns, min_suspended_ns;
	bool filter_codes;          /* the reader gives verdicts (session_set_verdict) */
	bool seed;                  /* forked children too, as session_seed() has it */
	bool (*stopped)(void *ctx); /* asked while seeding: should it end? May be NULL */
	bool watch_exec;            /* later processes may become targets: --all, --cgroup */
	unsigned context;           /* enum session_context, or-ed */
	struct session_locals locals;
	bool distributions; /* keep times in histograms (session_distributions) and send no transitions */
	bool steps;         /* only outermost steps, whatever they await; goes with distributions */
	bool survey;        /* session_survey() will be used: where objects are suspended is kept */
	bool tasks;         /* distributions are of asyncio tasks, by row (struct task_record) */
	bool no_probes; /* find the targets, and attach nothing */
	bool own_probes; /* each process has probes of its own, and its hits are counted; --all too */
	bool fewer_probes; /* session_set_level() will be told BUDGET_OUTERMOST, too */
	/* Times of functions are kept as long as the reader wants (session_forget_distributions), not up to a number
	 * of functions. */
	bool distributions_live;
	uint64_t slow_ns;  /* outermost steps as long as that are counted; 0: none */
	bool makers;       /* keep which line made an object */
	bool chains;       /* tell of what a step awaits when it ends (TRANSITION_CHAIN) */
	bool off_terminal; /* session_start_command(): /dev/null is what it has for a terminal */
	bool suspects;     /* what was never awaited or never closed passes the filters */
	unsigned
		tells; /* only the sites that tell of these: enum site_tells of sites/finder.h; 0: all */
	/* File descriptors that are left to others in this process: no more processes become targets (-EMFILE) when only
	 * so many can be had. */
	unsigned spare_descriptors;
	size_t ring_bytes;                            /* 0: default; a power of two */
	size_t objects_max;                           /* 0: default */
	void (*warn)(void *ctx, const char *message); /* one line for people; may be NULL */
	/* A process is a target now, is none any more, or runs a CPython and cannot be one. May be NULL. */
	void (*target)(void *ctx, pid_t pid, enum session_target what, enum refusal refusal);
	int (*record)(void *ctx, const void *bytes,
		      size_t size); /* one record; < 0 stops the poll */
	void *ctx;
};

/* Loads and verifies. `why` (IMAGE_WHY_MAX bytes) says what failed. -EPERM: a privilege or kernel
 * feature is missing. */
int session_open(const struct session_options *options, struct session **out, char *why);
void session_close(struct session *session); /* NULL ok; detaches everything */

const struct features *session_features(const struct session *session);
struct images *session_images(const struct session *session);

/* Attaches to one process, its later forks and execs too. Errors of images_of_process(), -EPERM. */
int session_attach_process(struct session *session, pid_t pid, char *why);
/* Attaches to every process of an interpreter file, present and future. */
int session_attach_image(struct session *session, struct image_file *image, char *why);
/* Attaches to what every process on the machine runs, or every process of a cgroup (not NULL). It is
 * no error if there is none yet. */
int session_attach_all(struct session *session, const char *cgroup, char *why);

/* Starts a command of ours and attaches before its interpreter executes anything. `argv` ends with
 * NULL. Its exit is reaped by session_poll(). -ENOENT no such command. */
int session_start_command(struct session *session, char *const *argv, char *why);
/* Whether it has exited, and its wait status. */
bool session_command_ended(const struct session *session, int *status);
/* It ended, or may end, without having been a CPython. */
bool session_command_attached(const struct session *session);

/* Ends it with SIGTERM if it still runs. */
void session_end_command(struct session *session);

/* Handles what has come, waiting up to timeout_ms when nothing has. Returns the number of records, or
 * what `record` returned to stop, or -errno. -EINTR on a signal. */
int session_poll(struct session *session, int timeout_ms);

/* Targets alive. With --exe, --all and --cgroup a run goes on at 0. */
size_t session_targets(const struct session *session);
/* Detaches the probes; records already in the ring can still be polled. */
void session_detach(struct session *session);

/* The reader's word on a code object: struct code_entry.verdict. */
void session_set_verdict(struct session *session, uint64_t process, uint64_t address, uint32_t code,
			 uint32_t verdict);

/* The times of a code object so far, by the id of its record; id 0: of all that have no entry of their
 * own. -ENOENT when it has none. */
int session_distributions(const struct session *session, uint32_t code, struct distributions *out);
void session_forget_distributions(struct session *session, uint32_t code);
/* How many transitions they come from, also those that ended nothing: births, first steps, frees. No system
 * call: a look at this says whether the times have changed. 0 for ids without an entry of their own. With
 * distributions_live another one may be counted with it: a change may be the other's. */
uint64_t session_transitions(const struct session *session, uint32_t code);

struct session_stats {
	uint64_t value[STAT_COUNT]; /* enum statistic, summed over processors */
	uint64_t missed;            /* hits at which the kernel did not run our program */
};
void session_stats(const struct session *session, struct session_stats *out);
struct session_site_stats {
	uint64_t hits, strangers, anomalies;
};
/* Counts of one site: index in the BPF array (image->first_site + position). */
void session_site_stats(const struct session *session, uint32_t site,
			struct session_site_stats *out);
/* Coverage is not full: what is missing, in words. */
void session_lacks(struct session *session, const char *what);
/* What a full trace lacks, in words, "" for nothing. Borrowed. */
const char *session_coverage(const struct session *session);

#endif
