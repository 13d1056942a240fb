/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_CMD_EXPORT_H
#define GENSCOPE_CMD_EXPORT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/options.h"
#include "cmd/run.h"
#include "model/exporter.h"
#include "model/group.h"
#include "model/select.h"
#include "model/stream.h"
#include "session/budget.h"
#include "sink/prometheus.h"
#include "target/process.h"
#include "target/service.h"

/*
 * What the files of `export` share. Two threads: the main one follows processes, records and budgets; the
 * server's makes pages when they are asked for. Whatever either of them changes below it changes with
 * the lock held; the main one does not hold it while it waits.
 */

#define EXPORT_LABELS_MAX    64
#define EXPORT_ADDRESSES_MAX 16

enum export_status {
	STATUS_TRACED = 0,    /* with probes */
	STATUS_OUTERMOST = 1, /* with those of outermost steps alone, to keep the budget */
	STATUS_PAUSED = 2,    /* without for a while, for the same reason */
	STATUS_UNPROBED = 3,  /* --no-probes */
	STATUS_REFUSED = 3,   /* from here on: by enum refusal, which begins at 1 */
	STATUS_COUNT = STATUS_REFUSED + REFUSAL_COUNT,
};

/* A process that runs CPython, or did at the last scrape. */
struct export_process {
	pid_t pid;
	uint8_t status;       /* enum export_status */
	struct process_id id; /* of one that was refused: nobody tells of its end */
	char service[SERVICE_BYTES];
	struct budget budget;
	uint64_t since_ns; /* when it got the probes that it has */
	uint64_t hits;     /* at the last look */
	struct unseen unseen;
	/* what its memory told, where probes do not tell what is alive */
	struct group_table *groups; /* NULL: nothing yet */
	uint64_t cpu_ns;            /* its processor time before they were counted */
	uint64_t counted_ns;        /* when that was done */
};

/* Time of processes. */
struct export_duty {
	uint64_t full_ns, all_ns; /* with all probes; altogether */
};

struct export_label {
	char name[SERVICE_BYTES];
	const char *glob;
};

struct export_run {
	struct options options; /* first: the shared parsers' input */
	const char *addresses[EXPORT_ADDRESSES_MAX];
	size_t address_count;
	const char *web_config, *user;
	struct export_label labels[EXPORT_LABELS_MAX];
	size_t label_count;
	size_t max_series;
	uint64_t over_ns, snapshot_ns;
	double max_overhead;
	bool no_probes, keep_privileges;

	struct run run;
	struct stream *stream;
	struct selection selection;
	const struct code *named; /* between on_code() and on_verdict() */
	struct budget_costs costs;

	pthread_mutex_t lock;
	struct exporter *exporter;
	struct export_process *processes;
	size_t process_count, process_room;
	uint64_t next_snapshot_ns, next_refused_ns;
	struct export_duty past; /* of processes that have gone */
	struct export_duty told; /* of all, when the duty ratio was worked out last */
	double duty;
	bool estimated;
	int err;
};

/* --- export_targets.c: with the lock held --- */

struct export_process *export_process_of(struct export_run *export, pid_t pid); /* NULL: unknown */
/* A target came, went or was refused: session_options.target. */
void export_on_target(void *ctx, pid_t pid, enum session_target what, enum refusal refusal);
/* Processes that were refused and have ended since are counted no more. */
void export_forget_refused(struct export_run *export, uint64_t now_ns);
/* Takes the probes of processes off, or puts them on again, so that each keeps the budget. True: one of them is
 * worth a look again soon. */
bool export_keep_budgets(struct export_run *export, uint64_t now_ns);
/* What that stands for which a process has counted since this was asked last; unseen_read(). */
bool export_scale_of(struct export_run *export, struct export_process *process, bool ends,
		     struct unseen_scale *out);
void export_add_duty(const struct export_process *process, struct export_duty *sum);
/* Do its probes tell what is alive in it? Its memory does, if not. */
bool export_sees_objects(const struct export_process *process);
/* It runs a CPython and cannot be watched. */
void export_refuse(struct export_process *process, enum refusal refusal);
void export_free_processes(struct export_run *export);

/* --- export_page.c --- */

/* The page; takes the lock. 0, -ENOMEM. */
int export_page(struct export_run *export, enum exposition_format format, struct buffer *body);
/* What a code object has counted since the last time is taken in, if it has; with the lock held. */
void export_read_code(struct export_run *export, uint32_t code, const struct unseen_scale *scale);

/* --- export_memory.c --- */

/* Counts the objects of processes whose probes do not tell of them, out of their memory. Main thread, without
 * the lock. */
void export_look_at_memory(struct export_run *export, uint64_t now_ns);
/* …and hands the counts to the exporter; with the lock held. */
void export_add_memory(struct export_run *export, uint64_t now_ns);

#endif
