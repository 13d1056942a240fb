/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TARGET_PROCESS_H
#define GENSCOPE_TARGET_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "target/maps.h"

/* Pids are reused; a pid and its start time (clock ticks since boot) are not. Every int below is 0
 * or a negative errno. Where a process is gone that is -ESRCH, and without privilege -EACCES or
 * -EPERM, as the kernel says. Arrays handed out are sorted and are the caller's to free(). */
struct process_id {
	pid_t pid;
	uint64_t start_ticks;
};

/* Who pid is now; a zombie still is somebody. */
int process_identify(pid_t pid, struct process_id *out);

/* Whether that very process still runs: same start time, and neither zombie nor dead. */
bool process_alive(const struct process_id *id);

/* Has the process been there for that long? False also when it is gone. */
bool process_is_older(pid_t pid, uint64_t ns);

/* Start time and state letter out of the text of /proc/PID/stat; either may be NULL. -EINVAL. */
int process_stat_parse(const char *text, size_t size, uint64_t *start_ticks, char *state);

/* Copies size bytes at addr of the process's memory; returns size. All or nothing: a range that is
 * not wholly mapped is -EFAULT (buf may then be partly written). */
ssize_t process_read(pid_t pid, uint64_t addr, void *buf, size_t size);

/* A path that from our own mount namespace opens the very file that is mapped, be it in a
 * container, replaced or deleted. -ENOENT if there is no such path (or no right to it),
 * -ENAMETOOLONG if it does not fit in size bytes. */
int process_file_path(pid_t pid, const struct mapping *m, char *path, size_t size);

/* The command line on one line, cut to size, unprintable bytes as '?'; "[name]" for a process
 * without one (a kernel thread). */
int process_command(pid_t pid, char *out, size_t size);

/* Whether its own name, or the base name of its first argument, begins with that word: both can be read of every
 * process, and both can be anything. */
bool process_is_called(pid_t pid, const char *word);

/* Every process that /proc shows. */
int process_list(pid_t **out, size_t *count);

/* The process's thread ids. */
int process_threads(pid_t pid, pid_t **tids, size_t *count);

/* The name that a thread has given itself (its comm, 15 bytes at most), cut to size. `tid` is what the
 * thread itself is told: of its own pid namespace. */
int process_thread_name(pid_t pid, pid_t tid, char *out, size_t size);

/* The processes in a cgroup and all below it, cgroup v1 or v2. The path is a directory, or is
 * taken below /sys/fs/cgroup or its unified/ and systemd/ (so what /proc/PID/cgroup prints works).
 * -ENOENT if there is no such cgroup; an empty one is 0 with *count 0. */
int process_cgroup_members(const char *cgroup_path, pid_t **out, size_t *count);

/* Whether the process is in that cgroup or below it; paths as above, but only by their names: no
 * directory is opened. False for a process that is gone. */
bool process_in_cgroup(pid_t pid, const char *cgroup_path);

/* The pure half of it: whether the text of a /proc/PID/cgroup says so. */
bool process_cgroup_match(const char *text, size_t size, const char *cgroup_path);

#endif
