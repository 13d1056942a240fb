/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_CMD_PRIVILEGES_H
#define GENSCOPE_CMD_PRIVILEGES_H

#include <stddef.h>

/*
 * What a program gives up that runs for months as a server. Five capabilities stay:
 *
 *   CAP_BPF              maps are read, probes attached to processes that come
 *   CAP_PERFMON          uprobes on other users' processes
 *   CAP_SYS_PTRACE       /proc/PID/maps and the memory of targets are read
 *   CAP_DAC_READ_SEARCH  interpreters behind directories of other users are read
 *   CAP_CHECKPOINT_RESTORE  interpreters that were deleted or replaced under running processes are read, by way of
 *                           /proc/PID/map_files; no error where it is not to be had
 *
 * Beyond that: another user, no new privileges, and a seccomp filter that refuses to start programs, to open
 * any file for writing, to write into other processes, and what changes the machine.
 */

#define PRIVILEGES_WHY_MAX 256

/* For the calling thread and those it starts later. `user` NULL: "genscope" if there is one, else "nobody"; only
 * root changes its user. 0; -errno, and `why` says in words what failed. */
int privileges_drop(const char *user, char *why);

#endif
