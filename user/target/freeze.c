// SPDX-License-Identifier: MIT
#include "target/freeze.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "target/clock.h"
#include "target/proc_file.h"
#include "target/process.h"

#define ROUNDS_MAX   64 /* looks for threads born while we stop the others */
#define WAIT_STEP_NS 100000
/* For a thread to stop: on a busy machine it first has to get a processor. */
#define WAIT_NS      10000000000ull

static bool is_held(const struct freeze *freeze, pid_t tid)
{
	for (size_t i = 0; i < freeze->count; i++)
		if (freeze->tids[i] == tid)
			return true;
	return false;
}

static int remember(struct freeze *freeze, pid_t tid)
{
	if (freeze->count == freeze->room) {
		size_t room = freeze->room ? freeze->room * 2 : 32;
		pid_t *grown = realloc(freeze->tids, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		freeze->tids = grown;
		freeze->room = room;
	}
	freeze->tids[freeze->count++] = tid;
	return 0;
}

/* A signal that arrives in this very moment stops the thread first: it is delivered as it goes on. */
static int wait_for_stop(pid_t tid, const volatile sig_atomic_t *stop)
{
	struct timespec step = { .tv_nsec = WAIT_STEP_NS };
	uint64_t end = clock_now_ns() + WAIT_NS;
	bool late = false; /* who was off the processor himself looks once more */
	int status;

	while (!*stop) {
		pid_t got = waitpid(tid, &status, __WALL | WNOHANG);

		if (got < 0)
			return -errno;
		if (got && !WIFSTOPPED(status))
			return -ESRCH; /* it has ended */
		if (got && status >> 16 == PTRACE_EVENT_STOP)
			return 0;
		if (got)
			ptrace(PTRACE_CONT, tid, 0, WSTOPSIG(status));
		else if (late)
			return -ETIMEDOUT;
		else
			nanosleep(&step, NULL);
		late = clock_now_ns() > end;
	}
	return -EINTR;
}

/* PTRACE_SEIZE says EPERM of what it may not touch, of what another one traces, and of the dead. */
static int why_not(pid_t pid, pid_t tid)
{
	char path[64], *text, *line;
	size_t size;
	int err = -ESRCH;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	if (proc_file_read(path, &text, &size))
		return err;
	line = strstr(text, "\nState:\t");
	if (line && !strchr("ZX", line[8])) {
		line = strstr(text, "\nTracerPid:\t");
		err = line && line[12] != '0' ? -EBUSY : -EPERM;
	}
	free(text);
	return err;
}

static int stop_thread(struct freeze *freeze, pid_t pid, pid_t tid,
		       const volatile sig_atomic_t *stop)
{
	int err;

	if (ptrace(PTRACE_SEIZE, tid, 0, 0))
		return errno == EPERM ? why_not(pid, tid) : -ESRCH;
	err = remember(freeze, tid);
	if (!err && ptrace(PTRACE_INTERRUPT, tid, 0, 0))
		err = -errno;
	if (!err)
		err = wait_for_stop(tid, stop);
	if (err)
		ptrace(PTRACE_DETACH, tid, 0, 0);
	if (err && freeze->count && freeze->tids[freeze->count - 1] == tid)
		freeze->count--;
	return err;
}

/* Stops those that run; *fresh says how many there were. */
static int stop_round(pid_t pid, struct freeze *freeze, size_t *fresh,
		      const volatile sig_atomic_t *stop)
{
	pid_t *tids;
	size_t count;
	int err = process_threads(pid, &tids, &count);

	*fresh = 0;
	if (err)
		return err;
	for (size_t i = 0; !err && i < count; i++) {
		if (is_held(freeze, tids[i]))
			continue;
		err = stop_thread(freeze, pid, tids[i], stop);
		*fresh += !err;
		if (err == -ESRCH) /* it has just ended; the first one may long before the others */
			err = 0;
	}
	free(tids);
	return err;
}

int freeze_process(pid_t pid, const volatile sig_atomic_t *stop, struct freeze *out)
{
	size_t fresh = 1;
	int err = 0;

	*out = (struct freeze){};
	for (int round = 0; !err && fresh && round < ROUNDS_MAX; round++)
		err = stop_round(pid, out, &fresh, stop);
	if (!err && !out->count)
		err = -ESRCH;
	if (!err && fresh)
		err = -ETIMEDOUT; /* threads are born faster than they can be stopped */
	if (err)
		freeze_release(out);
	return err;
}

void freeze_release(struct freeze *freeze)
{
	for (size_t i = 0; i < freeze->count; i++)
		ptrace(PTRACE_DETACH, freeze->tids[i], 0, 0);
	free(freeze->tids);
	*freeze = (struct freeze){};
}
