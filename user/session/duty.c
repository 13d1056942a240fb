// SPDX-License-Identifier: MIT
#include "session/duty.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "session/internal.h"
#include "session/seed.h"

int session_set_level(struct session *session, enum budget_level level, char *why)
{
	int err = 0;

	session->level = level;
	session->unseeded_count = 0;
	for (size_t i = 0; i < session->attachment_count; i++)
		attachment_detach(session, session->attachments[i]);
	if (level == BUDGET_NONE)
		return 0;
	session_forget(session->skeleton->progs.forget_objects, 0);
	for (size_t i = 0; i < session->attachment_count && !err; i++)
		err = attachment_attach_at(session, session->attachments[i], level, why);
	if (!err && session->options.seed && level == BUDGET_ALL)
		session_seed(session);
	return err;
}

int session_set_probes(struct session *session, pid_t pid, enum budget_level level, char *why)
{
	struct attachment *attachment = attachment_of(session, pid);
	uint64_t process;
	int err = attachment ? 0 : -ESRCH;

	if (!err) {
		attachment_detach(session, attachment);
		attachment->level = level;
		if (level == BUDGET_NONE)
			return 0;
		err = process_identity_of(session, pid, &process);
	}
	if (err) {
		snprintf(why, IMAGE_WHY_MAX, "pid %d: it is gone", pid);
		return err;
	}
	session_forget(session->skeleton->progs.forget_objects_of, process);
	err = attachment_attach_at(session, attachment, level, why);
	if (!err && session->options.seed && !attachment->outermost)
		seed_later(session, pid);
	return err;
}

bool session_sees_outermost(const struct session *session, pid_t pid)
{
	const struct attachment *attachment = attachment_of(session, pid);

	return attachment && attachment->image->table.has_returns;
}

bool session_all_see_outermost(const struct session *session)
{
	for (size_t i = 0; i < session->attachment_count; i++)
		if (!session->attachments[i]->image->table.has_returns)
			return false;
	return true;
}

uint64_t session_process_cpu_ns(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used))
		return 0;
	return (uint64_t)used.tv_sec * 1000000000ull + (uint64_t)used.tv_nsec;
}

int session_read_hits(const struct session *session, pid_t pid, struct process_reading *out)
{
	const struct attachment *attachment = attachment_of(session, pid);
	const struct genscope_bpf__bss *bss = session->skeleton->bss;

	if (!attachment)
		return -ESRCH;
	*out = (struct process_reading){
		.hits = __atomic_load_n(&bss->attachment_hits[attachment->number],
					__ATOMIC_RELAXED),
		.stepped = __atomic_load_n(&bss->attachment_stepped[attachment->number],
					   __ATOMIC_RELAXED),
	};
	return 0;
}

int session_read_process(const struct session *session, pid_t pid, struct process_reading *out)
{
	int err = session_read_hits(session, pid, out);

	if (!err)
		out->cpu_ns = session_process_cpu_ns(pid);
	return err;
}

uint64_t session_targets_cpu_ns(const struct session *session)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < session->target_count; i++)
		sum += session_process_cpu_ns(session->targets[i]);
	return sum;
}
