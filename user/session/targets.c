// SPDX-License-Identifier: MIT
/*
 * Which processes are targets, and following them: fork, exec, exit.
 *
 * A process that was named (--pid, a command) gets probes of its own, so no bystander that runs the
 * same interpreter ever meets one. The price: a forked child gets its own some milliseconds after
 * its birth; what it did before is not seen, which is said. With --exe and --all the probes are on the
 * file, and a child is seen from its first instruction.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session/duty.h"
#include "session/internal.h"
#include "target/clock.h"
#include "target/maps.h"
#include "target/process.h"

#define LATER_FIRST_NS                                                                             \
	5000000ull /* a loader maps its libraries within milliseconds; doubled each time */

bool target_known(const struct session *session, pid_t pid)
{
	for (size_t i = 0; i < session->target_count; i++)
		if (session->targets[i] == pid)
			return true;
	return false;
}

static void tell(struct session *session, pid_t pid, enum session_target what, enum refusal refusal)
{
	if (session->options.target)
		session->options.target(session->options.ctx, pid, what, refusal);
}

int target_add(struct session *session, pid_t pid)
{
	if (target_known(session, pid))
		return 0;
	if (session->target_count == session->target_room) {
		size_t room = session->target_room ? session->target_room * 2 : 64;
		pid_t *grown = realloc(session->targets, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		session->targets = grown;
		session->target_room = room;
	}
	session->targets[session->target_count++] = pid;
	tell(session, pid, TARGET_ADDED, REFUSAL_NONE);
	return 0;
}

void target_remove(struct session *session, pid_t pid)
{
	for (size_t i = 0; i < session->target_count; i++)
		if (session->targets[i] == pid) {
			session->targets[i] = session->targets[--session->target_count];
			tell(session, pid, TARGET_REMOVED, REFUSAL_NONE);
			return;
		}
}

/* It was to become a target and did not: if it runs a CPython all the same, that is said. */
static void tell_refusal(struct session *session, pid_t pid)
{
	struct process_id id;

	if (!session->images.refusal || process_identify(pid, &id) || !process_alive(&id))
		return; /* what went wrong was its end */
	tell(session, pid, TARGET_REFUSED, session->images.refusal);
}

/* The same for people too; `err` as of session_attach_process(). */
static void refuse(struct session *session, pid_t pid, int err, const char *why)
{
	bool first_without_room = err == -EMFILE && !session->ran_out;

	session->ran_out |= err == -EMFILE;
	if (err == -ENOTSUP || err == -EACCES || first_without_room)
		session_warn(session, "pid %d: %s", pid, why);
	tell_refusal(session, pid);
}

/* attach_image(), with the reason of its failure where that of the image would be. */
static int put_probes(struct session *session, struct image_file *image, pid_t pid, char *why)
{
	int err = attach_image(session, image, pid, why);

	session->images.refusal = refusal_of_attaching(err);
	return err;
}

/* BPF follows forks, execs and the exit of the processes in this map. */
void target_follow(struct session *session, pid_t pid)
{
	__u32 key = (__u32)pid;
	__u64 unknown = 0; /* BPF fills in the identity */

	bpf_map__update_elem(session->skeleton->maps.processes, &key, sizeof(key), &unknown,
			     sizeof(unknown), BPF_NOEXIST);
}

static void unfollow(struct session *session, pid_t pid)
{
	__u32 key = (__u32)pid;

	bpf_map__delete_elem(session->skeleton->maps.processes, &key, sizeof(key), 0);
}

/* BPF alone knows it: it walks over the machine's tasks and fills in what we follow. */
int process_identity_of(struct session *session, pid_t pid, uint64_t *process)
{
	__u32 key = (__u32)pid;
	struct bpf_link *link;
	char none[64];
	int err = 0, fd;

	*process = 0;
	target_follow(session, pid);
	link = bpf_program__attach_iter(session->skeleton->progs.identify_processes, NULL);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		err = -errno;
	while (!err && read(fd, none, sizeof(none)) > 0) /* it prints nothing */
		;
	if (!err)
		err = bpf_map__lookup_elem(session->skeleton->maps.processes, &key, sizeof(key),
					   process, sizeof(*process), 0);
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	if (!err && !*process)
		err = -ESRCH;
	if (err) /* else a later one of that pid would be followed */
		unfollow(session, pid);
	return err == -ENOENT ? -ESRCH : err;
}

int session_attach_process(struct session *session, pid_t pid, char *why)
{
	struct process_id id;
	struct image_file *image;
	int err;

	if (process_identify(pid, &id)) {
		snprintf(why, IMAGE_WHY_MAX,
			 "no such process: genscope doctor lists those that run CPython");
		return -ESRCH;
	}
	err = images_of_process(&session->images, pid, &image, why);
	if (err)
		return err;
	target_follow(session, pid);
	err = put_probes(session, image, pid, why);
	if (!err && !process_alive(&id)) { /* before its exit could be told to us */
		snprintf(why, IMAGE_WHY_MAX, "it ended at this very moment");
		detach_process(session, pid);
		err = -ESRCH;
	}
	if (err) {
		unfollow(session, pid);
		return err;
	}
	return target_add(session, pid);
}

/* Do these two hold the same interpreter? */
static bool is_same_image(const struct image_file *a, const struct image_file *b)
{
	return a == b || (a->same ? a->same : a) == (b->same ? b->same : b);
}

int session_attach_image(struct session *session, struct image_file *image, char *why)
{
	pid_t *pids;
	size_t count;
	int err = 0;

	if (session->options.own_probes) {
		session->images.only = image;
		return session_attach_all(session, NULL, why);
	}
	err = attach_image(session, image, -1, why);
	if (err || process_list(&pids, &count))
		return err;
	for (size_t i = 0; i < count; i++) { /* those that run it already are targets now */
		uint64_t bias;

		if (image_bias(image, pids[i], &bias))
			continue;
		target_follow(session, pids[i]);
		target_add(session, pids[i]);
	}
	free(pids);
	return 0;
}

static int attach_found(struct session *session, pid_t pid, char *why)
{
	struct image_file *image;
	int err;

	session->images.refusal = REFUSAL_NONE;
	if (pid == getpid())
		return -ENOENT;
	if (session->images.only) {
		err = images_of_process(&session->images, pid, &image, why);
		session->images.refusal = REFUSAL_NONE; /* it was not asked for */
		if (err || !is_same_image(image, session->images.only))
			return -ENOENT;
	}
	if (session->cgroup || session->options.own_probes)
		return session_attach_process(session, pid, why);
	err = images_of_process(&session->images, pid, &image, why);
	if (err)
		return err;
	target_follow(session, pid);
	err = put_probes(session, image, -1, why);
	return err ? err : target_add(session, pid);
}

int session_attach_all(struct session *session, const char *cgroup, char *why)
{
	pid_t *pids;
	size_t count;
	int err;

	if (cgroup) {
		snprintf(session->cgroup_path, sizeof(session->cgroup_path), "%s", cgroup);
		session->cgroup = session->cgroup_path;
	}
	err = cgroup ? process_cgroup_members(cgroup, &pids, &count) : process_list(&pids, &count);
	if (err) {
		snprintf(why, IMAGE_WHY_MAX, "%s: %s", cgroup ? cgroup : "/proc",
			 cgroup && err == -ENOENT ?
				 "no such cgroup: give its directory below /sys/fs/cgroup" :
				 strerror(-err));
		return err;
	}
	for (size_t i = 0; i < count; i++) {
		err = attach_found(session, pids[i], why);
		if (err)
			refuse(session, pids[i], err, why);
		if (err == -EPERM || err == -ENOMEM)
			break;
		err = 0;
	}
	free(pids);
	return err;
}

/* What a process executes, by device and inode; 0: it is gone. */
static uint64_t executable_of(pid_t pid)
{
	struct stat status;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return stat(path, &status) ? 0 : (uint64_t)status.st_dev << 40 ^ (uint64_t)status.st_ino;
}

/* Executables that were looked at in vain are not looked at again: on a busy machine most are shells. */
static bool is_stranger(const struct session *session, uint64_t executable)
{
	return executable && session->strangers[executable % STRANGERS_MAX] == executable;
}

static void remember_stranger(struct session *session, uint64_t executable)
{
	session->strangers[executable % STRANGERS_MAX] = executable;
}

/* How often it is looked at: a loader may be kept from running, and nothing is known before it has done its work. */
static unsigned tries_of(pid_t pid, unsigned tries)
{
	struct mapping *maps;
	size_t count;
	bool loading;

	if (tries + 1 < LATER_TRIES || maps_read(pid, &maps, &count))
		return LATER_TRIES;
	loading = maps_are_loading(maps, count);
	maps_free(maps, count);
	return loading ? LATER_TRIES_LOADING : LATER_TRIES;
}

/* `executable` is what was looked at: by now it may run another one, which is no stranger for that. */
static void try_later(struct session *session, pid_t pid, unsigned tries, unsigned limit,
		      uint64_t executable)
{
	struct later *later;

	if (tries >= limit) {
		if (!session->images.refusal)
			remember_stranger(session, executable);
		return;
	}
	if (session->later_count == LATER_MAX) {
		session_lacks(session,
			      "too many processes started at once: some were not looked at");
		return;
	}
	later = &session->later[session->later_count++];
	later->pid = pid;
	later->tries = tries;
	later->executable = executable;
	later->when_ns = clock_now_ns() + (LATER_FIRST_NS << tries);
}

/* What its program may have lost by its budget before it executed this one. */
static void restore_probes(struct session *session, pid_t pid)
{
	const struct attachment *probes = attachment_of(session, pid);
	char why[IMAGE_WHY_MAX];

	if (probes && session->options.own_probes && probes->level != session->level &&
	    session_set_probes(session, pid, session->level, why))
		session_warn(session, "%s", why);
}

static void forked(struct session *session, pid_t pid, pid_t parent)
{
	char why[IMAGE_WHY_MAX];
	int err;

	if (!attachment_of(session,
			   parent)) { /* they are on the file: the child has them already */
		target_add(session, pid);
		if (session->options.seed) /* it has its parent's objects */
			seed_later(session, pid);
		return;
	}
	err = session_attach_process(session, pid, why);
	if (!err && session->options.seed)
		seed_later(session, pid);
	if (!err)
		session_lacks(session, "a forked child is not seen in its first milliseconds "
				       "(--exe does)");
	else if (err != -ESRCH && err != -ENOENT)
		session_warn(session, "pid %d, a child of %d: %s", pid, parent, why);
	else
		target_remove(session, pid);
	if (err)
		tell_refusal(session, pid);
}

/* The image is new, the pid is not. Probes on the same file stay: they belong to the task. */
static void executed(struct session *session, pid_t pid, unsigned tries, uint64_t executable)
{
	bool was_target = target_known(session, pid), own = attachment_of(session, pid);
	char why[IMAGE_WHY_MAX];
	struct image_file *image;
	unsigned limit;
	int err;

	if (!was_target && session->cgroup && !process_in_cgroup(pid, session->cgroup))
		return;
	if (!was_target && is_stranger(session, executable))
		return;
	err = images_of_process(&session->images, pid, &image, why);
	if (session->images.only) /* whatever it is, it was not asked for */
		session->images.refusal = REFUSAL_NONE;
	if (!err && is_attached(session, image, pid)) {
		restore_probes(session, pid);
		target_add(session, pid);
		return;
	}
	if (err == -EXDEV) { /* a Python, and not the one that was asked for */
		remember_stranger(session, executable);
		detach_process(session, pid);
		target_remove(session, pid);
		return;
	}
	if (err == -ENOENT) { /* not a Python, or its library is not mapped yet */
		limit = tries_of(pid, tries);
		try_later(session, pid, tries, limit, executable);
		if (tries + 1 >= limit)
			target_remove(session, pid);
		if (tries >= limit)
			tell_refusal(session, pid);
		return;
	}
	if (!own && !session->options.watch_exec) { /* --exe: it left that interpreter */
		target_remove(session, pid);
		return;
	}
	detach_process(session, pid);
	target_remove(session, pid); /* its hits are counted anew */
	if (!err)
		session_lacks(session, "a process that executes another interpreter is not seen in "
				       "its first milliseconds");
	if (!err)
		err = was_target && !session->options.watch_exec ?
			      session_attach_process(session, pid, why) :
			      attach_found(session, pid, why);
	if (!err && session->options.seed)
		seed_later(session, pid);
	if (err)
		refuse(session, pid, err, why);
}

void targets_retry_later(struct session *session)
{
	uint64_t now = clock_now_ns();

	for (size_t i = 0; i < session->later_count; i++) {
		struct later later = session->later[i];

		if (later.when_ns > now)
			continue;
		session->later[i--] = session->later[--session->later_count];
		if (executable_of(later.pid) == later.executable) /* else that is told by itself */
			executed(session, later.pid, later.tries + 1, later.executable);
	}
}

void session_forget(const struct bpf_program *program, uint64_t process)
{
	struct {
		__u64 process, forgotten;
	} context = { .process = process };
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &context, .ctx_size_in = sizeof(context));

	bpf_prog_test_run_opts(bpf_program__fd(program), &options);
}

/* What the image that it was has left in the maps: no exit will be told of it. */
static void forget_former(const struct session *session, const struct process_record *record)
{
	if (record->other)
		session_forget(session->skeleton->progs.forget_process,
			       (uint64_t)record->head.pid << 32 | record->other);
}

static void exited(struct session *session, pid_t pid, uint64_t process)
{
	detach_process(session, pid);
	target_remove(session, pid);
	/* the last one's entries go with the map */
	if (session->target_count || session->options.watch_exec)
		session_forget(session->skeleton->progs.forget_process, process);
}

void targets_on_event(struct session *session, const struct process_record *record)
{
	pid_t pid = (pid_t)record->head.pid;

	switch (record->event) {
	case PROCESS_FORK:
		forked(session, pid, (pid_t)record->other);
		break;
	case PROCESS_EXEC:
		forget_former(session, record);
		/* Another program: what was said of the former one, or why that was refused, is no longer so. */
		tell(session, pid, TARGET_REMOVED, REFUSAL_NONE);
		if (target_known(session, pid))
			tell(session, pid, TARGET_ADDED, REFUSAL_NONE);
		if (!session->command.traced) /* else ptrace has seen it */
			executed(session, pid, 0, executable_of(pid));
		break;
	case PROCESS_EXIT:
		exited(session, pid, record->process);
		break;
	case PROCESS_SEEN:
		target_add(session, pid);
		break;
	}
}

size_t session_targets(const struct session *session)
{
	return session->target_count;
}
