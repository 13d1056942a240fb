/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_CMD_OPTIONS_H
#define GENSCOPE_CMD_OPTIONS_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "model/latency.h"
#include "python/locals.h"

/*
 * The options that commands share, as argp children: put the ones a command has into its
 * `struct argp.children` and hand `struct options` to each as input.
 */

#define PIDS_MAX 256

enum color { COLOR_AUTO = 0, COLOR_ALWAYS, COLOR_NEVER };

/* Of tables of distributions. */
struct table_options {
	enum latency_by by;
	struct latency_order order;
	bool metric_given, limit_given;
};

struct options {
	const char *command; /* "trace": for messages */
	/* targets */
	pid_t pids[PIDS_MAX];
	size_t pid_count;
	const char *exe, *cgroup;
	bool all;
	char **argv; /* after --, NULL-terminated; NULL: none */
	/* filters */
	unsigned kinds; /* bits 1 << enum object_kind; all by default */
	const char *function_glob, *file_glob;
	uint64_t min_run_ns, min_suspended_ns;
	/* limits */
	uint64_t duration_ns, max_events; /* 0: none */
	double max_overhead;              /* percent of the targets' processor time; 0: no limit */
	/* output */
	const char *output;
	bool json, quiet, verbose;
	enum color color;
	/* locals: argp_locals_limits takes any number, how many are too many is for the command to say */
	bool locals, no_redact;
	uint32_t locals_rate; /* --locals=RATE; 0: none was given */
	uint32_t max_depth, max_items, max_string;
	uint32_t max_names; /* 0: not given */
	/* streams */
	unsigned context; /* enum session_context */
	struct table_options table;
};

/* Targets to follow, and targets as they are now; variables of a stream, and of a snapshot. */
extern const struct argp argp_targets, argp_processes;
extern const struct argp argp_stream_locals, argp_snapshot_locals, argp_locals_limits;
extern const struct argp argp_filters, argp_durations, argp_limits, argp_output;
/* What the interpreter tells by USDT; the columns and rows of a table. */
extern const struct argp argp_context, argp_table;
/* argp_output of what is no text, and of what is drawn on the terminal. */
extern const struct argp argp_file, argp_screen;

/* Parses argv[0..argc) of a command (argv[0] is its name). The parser's input is `options`, or a
 * structure that begins with it. Prints its own one-line error. 0, or the exit status to end with. */
int options_parse(const struct argp *argp, int argc, char **argv, struct options *options);

/* A usage error inside a parser: prints one line, remembers that it did. */
error_t options_error(struct argp_state *state, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The value of an option as a duration or a positive number, or a usage error. */
error_t options_duration(struct argp_state *state, const char *option, const char *text,
			 uint64_t *ns);
error_t options_size(struct argp_state *state, const char *option, const char *text, size_t *value);

/* For commands that follow their targets. A word that is no option: the command after --, or an error. */
error_t options_take_command(struct argp_state *state, const char *word);
/* At the end: exactly one kind of target, or an error. */
error_t options_check_targets(struct argp_state *state);

/* At the end, for streams: fills in what was not given of the limits of locals, and refuses what BPF
 * cannot copy. */
error_t options_check_locals(struct argp_state *state);

/* How variables are to be read and shown. */
struct locals_options options_locals(const struct options *options);

/* "250us", "50ms", "1.5s", "2m"; also ns and h. 0, or -EINVAL. */
int parse_duration(const char *text, uint64_t *ns);

/* Whether fnmatch() can make sense of it: brackets close, it is not empty, no backslash at its end. */
bool glob_is_valid(const char *glob);

#endif
