/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TARGET_FREEZE_H
#define GENSCOPE_TARGET_FREEZE_H

#include <signal.h>
#include <stddef.h>
#include <sys/types.h>

/* A process whose threads are all stopped by ptrace: no signal is sent, its parent is not told, and if
 * we die the kernel lets it run on. From one thread of ours only. */
struct freeze {
	pid_t *tids;
	size_t count, room;
};

/* Stops every thread of it. -ESRCH gone, -EPERM not allowed, -EBUSY somebody else traces it,
 * -ETIMEDOUT a thread does not stop within 10 s (it sleeps in the kernel uninterruptibly), -EINTR *stop was
 * set meanwhile, by a signal say; then none is left stopped, but for the one that was waited for: should it
 * stop later it stays so until we end. */
int freeze_process(pid_t pid, const volatile sig_atomic_t *stop, struct freeze *out);

/* Lets them run on and frees what `freeze` holds. */
void freeze_release(struct freeze *freeze);

#endif
