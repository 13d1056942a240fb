/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_RECORDING_H
#define GENSCOPE_MODEL_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "site.h"

/*
 * The records of a run in a file, as they came from the ring, for `report` to replay: also elsewhere,
 * without root, and after a crash of the recorder, up to the last block that it wrote. A recording with
 * locals holds memory of the target as it was, secrets included: redaction is the reader's. So a new
 * file is for its owner only.
 */

/* Where and when. Of the machine only what explains the numbers; no host name. */
struct recording_about {
	int64_t realtime_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	uint64_t start_ns;          /* CLOCK_MONOTONIC */
	uint32_t processors, page_bytes;
	char version[32]; /* of the genscope that wrote it */
	char kernel[64];  /* uname -r */
	char machine[16]; /* uname -m */
};

/* Side tables: what a reader elsewhere cannot ask the target for. Text follows the struct. */
enum recording_table {
	TABLE_IMAGE = 1,   /* struct recording_image, then the interpreter's path */
	TABLE_PROCESS = 2, /* struct recording_process, then /proc/PID/cmdline */
	TABLE_LOSS = 3,    /* struct recording_loss */
	TABLE_WANTED = 4,  /* struct recording_wanted: the first of all */
};

struct recording_image {
	uint32_t index; /* as in a captured_record */
	uint32_t version_hex;
	char version[24];
	char build_id[48];
	struct image image;
};

struct recording_process {
	uint64_t process; /* as in the state map's keys */
	uint32_t pid;
	uint32_t image; /* index of its recording_image */
	char comm[16];
};

/* What was lost since the one before it. */
struct recording_loss {
	uint64_t ts_ns;
	uint64_t ring, map_full, fault;
};

/* What the run was asked for. */
struct recording_wanted {
	uint64_t min_run_ns, min_suspended_ns; /* 0: no such filter */
	uint32_t kinds;                        /* bits 1 << enum object_kind */
	uint32_t code_filters;                 /* 1: only some functions or files */
	uint32_t context;                      /* enum session_context, or-ed */
	uint32_t locals_rate;                  /* 0: no locals */
	uint32_t locals_depth, locals_names, locals_items, locals_string;
};

#define RECORDING_COVERAGE_BYTES 1024

/* How the run ended. A recording that has none was cut off, or is still being written. */
struct recording_summary {
	uint64_t value[STAT_COUNT]; /* enum statistic */
	uint64_t missed;            /* hits at which the kernel did not run the program */
	uint64_t duration_ns;
	uint64_t seeded, reconciled, disagreements;
	uint64_t on_ns; /* of duration_ns, with probes: less under --max-overhead */
	char coverage[RECORDING_COVERAGE_BYTES]; /* "full" or what is missing */
};

#define RECORDING_RECORD_MAX (64 * 1024)   /* bytes of a record: BPF's largest has 20 KiB */
#define RECORDING_TABLE_MAX  (128 * 1024)  /* bytes of a table: as the largest block of records */
#define RECORDING_FLUSH_NS   1000000000ull /* what a crash may cost */

struct recording_counts {
	uint64_t blocks, records, bytes; /* written or waiting to be */
	uint64_t bad;                    /* records that made no sense: left out */
};

/* Of this machine, now. */
void recording_about_now(struct recording_about *out);

struct recording;

/* Creates or empties the file; `path` "-" is standard output. -errno when it cannot be opened or
 * written. */
int recording_open(const char *path, const struct recording_about *about, struct recording **out);

/* All of these: 0, or the first error that writing met (-ENOSPC, -EPIPE …), for ever. */
int recording_append(struct recording *recording, const void *record, size_t size);
/* Also -E2BIG: nothing was written, the recording is as good as before. */
int recording_table(struct recording *recording, uint32_t kind, const void *bytes, size_t size);
int recording_flush(struct recording *recording); /* what waits is a block now */
/* Flushes when the oldest waiting record came more than RECORDING_FLUSH_NS before `now_ns`. */
int recording_tick(struct recording *recording, uint64_t now_ns);
/* Ends the file with the summary, NULL: none is known, and frees. */
int recording_close(struct recording *recording, const struct recording_summary *summary);

const struct recording_counts *recording_counts(const struct recording *recording);

#endif
