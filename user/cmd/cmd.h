/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_CMD_CMD_H
#define GENSCOPE_CMD_CMD_H

#include <signal.h>
#include <stdbool.h>

/* What commands and main() share. */

enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1, /* while running */
	EXIT_USAGE = 2,
	EXIT_NO_TARGET = 3,   /* no such process, not CPython, or gone */
	EXIT_UNSUPPORTED = 4, /* a CPython that genscope does not know */
	EXIT_NOT_ALLOWED = 5, /* missing privilege or kernel feature */
};

/* One line on standard error, "genscope: what went wrong: what to do about it". */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

void print_version(void);
void program_version(const char **version, const char **revision); /* literals */

/* Closes the output, says what failed to be written, and returns the exit status: `status` if nothing
 * did. A reader that went away (`| head`) is a normal end. `path` NULL is standard output. */
struct writer;
int close_output(struct writer *writer, const char *path, int status);

/* Should the text be coloured? `when` is an enum color; NO_COLOR is honoured. */
bool color_wanted(int when, bool json, const char *output);

/* The exit status for a negative errno of user/session/. */
int exit_status_of(int err);

/* Set by SIGINT and SIGTERM; the one global. */
extern volatile sig_atomic_t stop_requested;
/* Installs the handlers, and ignores SIGPIPE and SIGXFSZ (a closed pipe, a file that may not grow, are seen at
 * the write). */
void catch_signals(void);

/* Commands: argv[0] is the command's name. They return the exit status. */
int cmd_trace(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_latency(int argc, char **argv);
int cmd_slow(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_report(int argc, char **argv);

#endif
