// SPDX-License-Identifier: MIT
#include "cmd/cmd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/options.h"
#include "sink/writer.h"

#ifndef GENSCOPE_REVISION
#define GENSCOPE_REVISION "release"
#endif

volatile sig_atomic_t stop_requested;

void complain(const char *format, ...)
{
	char message[8192];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	fprintf(stderr, "genscope: %s\n", message);
}

void program_version(const char **version, const char **revision)
{
	*version = GENSCOPE_VERSION;
	*revision = GENSCOPE_REVISION;
}

void print_version(void)
{
	printf("genscope %s (%s)\n", GENSCOPE_VERSION, GENSCOPE_REVISION);
}

int close_output(struct writer *writer, const char *path, int status)
{
	int err = writer_close(writer);

	if (!err || err == -EPIPE)
		return status;
	complain("%s: %s: the output is not complete", path ? path : "standard output",
		 strerror(-err));
	return EXIT_FAILED;
}

bool color_wanted(int when, bool json, const char *output)
{
	const char *none = getenv("NO_COLOR");

	if (json || when == COLOR_NEVER)
		return false;
	if (when == COLOR_ALWAYS)
		return true;
	return !(none && *none) && !output && isatty(STDOUT_FILENO);
}

int exit_status_of(int err)
{
	switch (err) {
	case 0:
		return EXIT_DONE;
	case -ESRCH:
	case -ENOENT:
		return EXIT_NO_TARGET;
	case -ENOTSUP:
		return EXIT_UNSUPPORTED;
	case -EPERM:
	case -EACCES:
		return EXIT_NOT_ALLOWED;
	}
	return EXIT_FAILED;
}

static void on_signal(int signal)
{
	(void)signal;
	stop_requested = 1;
}

void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}
