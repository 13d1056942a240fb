// SPDX-License-Identifier: MIT
/*
 * A command of ours, from its first instruction. Until the interpreter is found it is traced with
 * ptrace, which stops it at each exec before anything of the new image runs: a shell script or
 * `env` may stand between. Then it is let go; nothing of ptrace remains while Python runs.
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

static void run_child(char *const *argv, int failure)
{
	sigset_t none;
	int err;

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
	if (ptrace(PTRACE_SETOPTIONS, command->pid, NULL, PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL))
		return -errno;
	return ptrace(PTRACE_CONT, command->pid, NULL, NULL) ? -errno : 0;
}

static bool attach_now(struct session *session, char *why)
{
	char executable[PATH_MAX], link[64];
	struct image_file *image;
	ssize_t size;

	snprintf(link, sizeof(link), "/proc/%d/exe", session->command.pid);
	size = readlink(link, executable, sizeof(executable) - 1);
	if (size < 0)
		return false;
	executable[size] = 0;
	if (images_of_executable(&session->images, executable, &image, why))
		return false;
	return !attach_image(session, image, session->command.pid, why);
}

static void let_go(struct command *command, int signal)
{
	ptrace(PTRACE_DETACH, command->pid, NULL, (void *)(long)signal);
	command->traced = false;
}

static void on_stop(struct session *session, int status)
{
	struct command *command = &session->command;
	bool at_exec = status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8);
	char why[IMAGE_WHY_MAX] = "";

	if (!at_exec) { /* a signal on its way */
		ptrace(PTRACE_CONT, command->pid, NULL, (void *)(long)WSTOPSIG(status));
		return;
	}
	if (attach_now(session, why)) {
		command->attached = true;
		let_go(command, 0);
		return;
	}
	ptrace(PTRACE_CONT, command->pid, NULL, NULL);
}

void command_step(struct session *session)
{
	struct command *command = &session->command;
	int status;

	while (command->pid && !command->ended &&
	       waitpid(command->pid, &status, WNOHANG | __WALL) == command->pid) {
		if (WIFSTOPPED(status)) {
			on_stop(session, status);
			continue;
		}
		command->ended = true;
		command->status = status;
		target_remove(session, command->pid);
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
		run_child(argv, failure[1]);
	close(failure[1]);
	command->traced = true;
	{
		__u32 key = (__u32)command->pid;
		__u64 unknown = 0;

		bpf_map__update_elem(session->skeleton->maps.processes, &key, sizeof(key), &unknown,
				     sizeof(unknown), BPF_NOEXIST);
	}
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
