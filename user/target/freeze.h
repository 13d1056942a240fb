/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TARGET_FREEZE_H
#define GENSCOPE_TARGET_FREEZE_H

#include <stddef.h>
#include <sys/types.h>

/* A process whose threads are all stopped by ptrace: no signal is sent, its parent is not told, and if
 * we die the kernel lets it run on. From one thread of ours only. */
struct freeze {
	pid_t *tids;
	size_t count, room;
};

/* Stops every thread of it. -ESRCH gone, -EPERM not allowed, -EBUSY somebody else traces it,
 * -ETIMEDOUT a thread does not stop (it sleeps in the kernel uninterruptibly); then none is left
 * stopped. */
int freeze_process(pid_t pid, struct freeze *out);

/* Lets them run on and frees what `freeze` holds. */
void freeze_release(struct freeze *freeze);

#endif
