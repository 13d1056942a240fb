// SPDX-License-Identifier: MIT
#include "session/duty.h"

#include <errno.h>
#include <time.h>

#include "session/internal.h"
#include "session/seed.h"

void session_pause(struct session *session)
{
	session->paused = true;
	for (size_t i = 0; i < session->attachment_count; i++)
		attachment_detach(session, session->attachments[i]);
}

static void forget_objects(struct session *session)
{
	struct {
		__u64 process, forgotten;
	} all = {};
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &all, .ctx_size_in = sizeof(all));

	bpf_prog_test_run_opts(bpf_program__fd(session->skeleton->progs.forget_objects), &options);
	/* threads drop what they know of their stacks */
	__atomic_add_fetch(&session->skeleton->bss->watch_epoch, 1, __ATOMIC_SEQ_CST);
}

int session_resume(struct session *session, char *why)
{
	int err = 0;

	forget_objects(session);
	session->paused = false;
	for (size_t i = 0; i < session->attachment_count && !err; i++)
		err = attachment_attach(session, session->attachments[i], why);
	if (!err && session->options.seed)
		session_seed(session);
	return err;
}

uint64_t session_targets_cpu_ns(const struct session *session)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < session->target_count; i++) {
		struct timespec used;
		clockid_t clock;

		if (clock_getcpuclockid(session->targets[i], &clock) || clock_gettime(clock, &used))
			continue;
		sum += (uint64_t)used.tv_sec * 1000000000ull + (uint64_t)used.tv_nsec;
	}
	return sum;
}
