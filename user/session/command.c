// SPDX-License-Identifier: MIT
/*
 * A command of ours, from its first instruction. Until an interpreter is found it is traced with
 * ptrace, with what it forks: each exec stops before anything of the new image runs, since a shell
 * script or `env` may stand between. A Python is let go at once; nothing of ptrace remains while it
 * runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session/internal.h"
#include "session/loader.h"

#define PTRACE_OPTIONS                                                                             \
	(PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL)
#define STOP_EVENT(status) ((status) >> 16)

/* Its standard streams, where they are a terminal: what is drawn there would be spoilt. */
static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
		if (isatty(fd))
			dup2(null, fd);
}

static void run_child(const struct session *session, char *const *argv, int failure)
{
	sigset_t none;
	int err;

	if (session->options.off_terminal)
		leave_terminal();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	execvp(argv[0], argv);
	err = errno;
	if (write(failure, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

/* Waits until the child stands before its exec, or says why it could not be made. */
static int await_child(struct command *command)
{
	int status;

	if (waitpid(command->pid, &status, __WALL) != command->pid || !WIFSTOPPED(status))
		return -ECHILD;
	if (ptrace(PTRACE_SETOPTIONS, command->pid, NULL, PTRACE_OPTIONS))
		return -errno;
	return ptrace(PTRACE_CONT, command->pid, NULL, NULL) ? -errno : 0;
}

static bool attach_now(struct session *session, pid_t pid, char *why)
{
	char executable[PATH_MAX], link[64];
	struct image_file *image;
	ssize_t size;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	size = readlink(link, executable, sizeof(executable) - 1);
	if (size < 0)
		return false;
	executable[size] = 0;
	/* the name may mean another file to us than to it (chroot); the link does not */
	if (images_of_executable(&session->images, link, &image, why) &&
	    images_of_executable(&session->images, executable, &image, why))
		return false;
	return !attach_image(session, image, pid, why) && !target_add(session, pid);
}

/* A traced process stopped: at an exec, after a fork, or for a signal on its way. */
static void on_stop(struct session *session, pid_t pid, int status)
{
	int event = STOP_EVENT(status), signal = WSTOPSIG(status);
	char why[IMAGE_WHY_MAX] = "";

	if (event == PTRACE_EVENT_EXEC && attach_now(session, pid, why)) {
		session->command.attached = true;
		if (pid == session->command.pid)
			session->command.traced = false;
		ptrace(PTRACE_DETACH, pid, NULL, NULL);
		return;
	}
	/* a new child begins with a SIGSTOP of ptrace's own */
	if (event || (signal == SIGSTOP && pid != session->command.pid))
		signal = 0;
	ptrace(PTRACE_CONT, pid, NULL, (void *)(long)signal);
}

void command_step(struct session *session)
{
	struct command *command = &session->command;
	int status;
	pid_t pid;

	if (!command->pid || command->ended)
		return;
	while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
		if (WIFSTOPPED(status)) {
			on_stop(session, pid, status);
			continue;
		}
		target_remove(session, pid);
		if (pid != command->pid)
			continue;
		command->ended = true;
		command->status = status;
	}
}

int session_start_command(struct session *session, char *const *argv, char *why)
{
	struct command *command = &session->command;
	int failure[2], err = 0, child_err = 0;

	if (pipe2(failure, O_CLOEXEC))
		return -errno;
	command->pid = fork();
	if (command->pid < 0) {
		err = -errno;
		command->pid = 0;
		close(failure[0]);
		close(failure[1]);
		return err;
	}
	if (!command->pid)
		run_child(session, argv, failure[1]);
	close(failure[1]);
	command->traced = true;
	target_follow(session, command->pid);
	err = await_child(command);
	if (!err)
		err = target_add(session, command->pid);
	if (!err && read(failure[0], &child_err, sizeof(child_err)) == sizeof(child_err)) {
		snprintf(why, IMAGE_WHY_MAX, "%.200s: %s", argv[0], strerror(child_err));
		err = -ENOENT;
	} else if (err) {
		snprintf(why, IMAGE_WHY_MAX, "%.200s: %s", argv[0], strerror(-err));
	}
	close(failure[0]);
	return err;
}

bool session_command_ended(const struct session *session, int *status)
{
	*status = session->command.status;
	return session->command.ended;
}

bool session_command_attached(const struct session *session)
{
	return session->command.attached;
}

void session_end_command(struct session *session)
{
	if (session->command.pid && !session->command.ended)
		kill(session->command.pid, SIGTERM);
}
