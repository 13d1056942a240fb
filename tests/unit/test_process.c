/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/process.h"

#define STAT_TAIL " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21\n"

/* In CI nothing may be skipped. */
static void skip(const char *why)
{
	cr_assert_null(getenv("CI"), "%s", why);
	cr_skip_test("%s", why);
}

static int stat_of(const char *text, uint64_t *ticks, char *state)
{
	return process_stat_parse(text, strlen(text), ticks, state);
}

Test(process, parses_stat_whatever_the_name_holds)
{
	static const char *const names[] = { "python3", "a b", "a) R 1 (b", ")", "", ") Z 1 2" };
	char text[256];
	uint64_t ticks;
	char state;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(text, sizeof(text), "12 (%s) S" STAT_TAIL, names[i]);
		cr_assert_eq(stat_of(text, &ticks, &state), 0, "%s", names[i]);
		cr_assert_eq(ticks, 4711);
		cr_assert_eq(state, 'S');
	}
	cr_assert_eq(stat_of("1 (x) S" STAT_TAIL, NULL, NULL), 0);
}

Test(process, refuses_a_stat_that_is_none)
{
	static const char whole[] = "12 (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711";
	uint64_t ticks;
	char state;

	for (size_t size = 0; size <= sizeof(whole) - 6; size++)
		cr_assert_eq(process_stat_parse(whole, size, &ticks, &state), -EINVAL, "%zu", size);
	cr_assert_eq(process_stat_parse(whole, sizeof(whole) - 1, &ticks, &state), 0);
	cr_assert_eq(
		stat_of("1 (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 x 1", &ticks, &state),
		-EINVAL);
	cr_assert_eq(stat_of("1 (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 "
			     "99999999999999999999 1",
			     &ticks, &state),
		     -EINVAL);
}

Test(process, knows_the_living_from_the_dead)
{
	struct process_id self, child_id, reused;
	siginfo_t info;
	pid_t child;

	cr_assert_eq(process_identify(getpid(), &self), 0);
	cr_assert(self.pid == getpid() && self.start_ticks && process_alive(&self));
	reused = self;
	reused.start_ticks--;
	cr_assert_not(process_alive(&reused));

	child = fork();
	if (!child) {
		prctl(PR_SET_NAME, "x) Z 1 (");
		pause();
	}
	cr_assert_eq(process_identify(child, &child_id), 0);
	cr_assert(process_alive(&child_id));
	kill(child, SIGKILL);
	cr_assert_eq(waitid(P_PID, child, &info, WEXITED | WNOWAIT), 0);
	cr_assert_not(process_alive(&child_id)); /* a zombie */
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cr_assert_not(process_alive(&child_id));
	cr_assert_eq(process_identify(child, &child_id), -ESRCH);
}

Test(process, reads_memory_or_says_why_not)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t at = (uint64_t)(uintptr_t)pages;
	char buffer[64];

	cr_assert_neq(pages, MAP_FAILED);
	memcpy(pages + 4000, "generator", 10);
	cr_assert_eq(process_read(getpid(), at + 4000, buffer, 10), 10);
	cr_assert_str_eq(buffer, "generator");
	cr_assert_eq(process_read(getpid(), at, buffer, 0), 0);
	munmap(pages + 4096, 4096);
	cr_assert_eq(process_read(getpid(), at + 4090, buffer, 10), -EFAULT);
	cr_assert_eq(process_read(getpid(), 0, buffer, 10), -EFAULT);
	cr_assert_eq(process_read(getpid(), UINT64_MAX - 4, buffer, 10), -EFAULT);
	cr_assert_eq(process_read(getpid(), at, buffer, SIZE_MAX), -EINVAL);
	cr_assert_eq(process_read(INT_MAX, at, buffer, 10), -ESRCH);
	munmap(pages, 4096);
}

Test(process, tells_the_command)
{
	char line[64], small[8];
	int ready[2];
	pid_t child;
	char byte;

	cr_assert_eq(pipe(ready), 0);
	child = fork();
	if (!child) {
		dup2(ready[1], STDOUT_FILENO);
		execl("/bin/sh", "sh", "-c", "echo; sleep 60; :", "two words", "\t\x7f",
		      (char *)NULL);
		_exit(1);
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	cr_assert_eq(process_command(child, line, sizeof(line)), 0);
	cr_assert_str_eq(line, "sh -c echo; sleep 60; : two words ??");
	cr_assert_eq(process_command(child, small, sizeof(small)), 0);
	cr_assert_str_eq(small, "sh -c e");
	kill(child, SIGKILL);
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cr_assert_eq(process_command(child, line, sizeof(line)), -ESRCH);
}

static bool contains(const pid_t *pids, size_t count, pid_t pid)
{
	for (size_t i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

static void *tell_tid(void *pipes)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);
	char byte;

	if (write(((int *)pipes)[1], &tid, sizeof(tid)) == sizeof(tid))
		(void)!read(((int *)pipes)[2], &byte, 1);
	return NULL;
}

Test(process, tells_what_a_thread_calls_itself)
{
	char name[32], cut[4];

	cr_assert_eq(prctl(PR_SET_NAME, "a thread"), 0);
	cr_assert_eq(process_thread_name(getpid(), gettid(), name, sizeof(name)), 0);
	cr_expect_str_eq(name, "a thread");
	cr_assert_eq(process_thread_name(getpid(), gettid(), cut, sizeof(cut)), 0);
	cr_expect_str_eq(cut, "a t");
	cr_expect_eq(process_thread_name(getpid(), 1, name, sizeof(name)), -ESRCH);
}

Test(process, lists_processes_and_threads)
{
	int pipes[4];
	pthread_t thread;
	pid_t *pids, tid;
	size_t count;

	cr_assert_eq(process_list(&pids, &count), 0);
	cr_assert(contains(pids, count, getpid()) && contains(pids, count, 1));
	for (size_t i = 1; i < count; i++)
		cr_assert_lt(pids[i - 1], pids[i]);
	free(pids);

	cr_assert(!pipe(pipes) && !pipe(pipes + 2));
	cr_assert_eq(pthread_create(&thread, NULL, tell_tid, pipes), 0);
	cr_assert_eq(read(pipes[0], &tid, sizeof(tid)), sizeof(tid));
	cr_assert_eq(process_threads(getpid(), &pids, &count), 0);
	cr_assert(contains(pids, count, getpid()) && contains(pids, count, tid));
	free(pids);
	cr_assert_eq(write(pipes[3], "", 1), 1);
	pthread_join(thread, NULL);
	cr_assert_eq(process_threads(INT_MAX, &pids, &count), -ESRCH);
	cr_assert_null(pids);
}

static void make_file(const char *path, char content)
{
	char page[4096];
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	memset(page, content, sizeof(page));
	cr_assert_eq(write(fd, page, sizeof(page)), sizeof(page));
	close(fd);
}

static char first_byte(const char *path)
{
	int fd = open(path, O_RDONLY);
	char byte = 0;

	cr_assert_geq(fd, 0, "%s", path);
	cr_assert_eq(read(fd, &byte, 1), 1);
	close(fd);
	return byte;
}

/* The path found for what pid maps at addr. */
static int path_of(pid_t pid, const void *addr, char *path, size_t size)
{
	struct mapping *maps;
	const struct mapping *found;
	size_t count;
	int err;

	cr_assert_eq(maps_read(pid, &maps, &count), 0);
	found = maps_find(maps, count, (uint64_t)(uintptr_t)addr);
	cr_assert_not_null(found);
	err = process_file_path(pid, found, path, size);
	maps_free(maps, count);
	return err;
}

static void *map_page(const char *path)
{
	int fd = open(path, O_RDONLY);
	void *at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	close(fd);
	return at;
}

Test(process, opens_the_mapped_file_though_it_was_replaced_or_deleted)
{
	char directory[] = "/tmp/genscope-path-XXXXXX";
	char file[64], other[64], path[PATH_MAX], small[8];
	void *at;

	cr_assert_not_null(mkdtemp(directory));
	snprintf(file, sizeof(file), "%s/file", directory);
	snprintf(other, sizeof(other), "%s/other", directory);
	make_file(file, 'a');
	at = map_page(file);
	cr_assert_neq(at, MAP_FAILED);
	cr_assert_eq(path_of(getpid(), at, path, sizeof(path)), 0);
	cr_assert_eq(first_byte(path), 'a');
	cr_assert_eq(path_of(getpid(), at, small, sizeof(small)), -ENAMETOOLONG);
	if (geteuid()) {
		unlink(file);
		rmdir(directory);
		skip("following /proc/PID/map_files needs root");
	}

	make_file(other, 'b');
	cr_assert_eq(rename(other, file), 0);
	cr_assert_eq(path_of(getpid(), at, path, sizeof(path)), 0);
	cr_assert_eq(first_byte(path), 'a');
	unlink(file);
	cr_assert_eq(path_of(getpid(), at, path, sizeof(path)), 0);
	cr_assert_eq(first_byte(path), 'a');
	munmap(at, 4096);
	rmdir(directory);
}

/* Maps a file of a tmpfs that only this child's mount namespace has, over a name that ours has. */
static void map_in_namespace(const char *directory, const char *file, int ready)
{
	void *at = NULL;

	if (!unshare(CLONE_NEWNS) && !mount("", "/", "", MS_REC | MS_PRIVATE, "") &&
	    !mount("tmpfs", directory, "tmpfs", 0, "")) {
		make_file(file, 'c');
		at = map_page(file);
	}
	if (write(ready, &at, sizeof(at)) == sizeof(at))
		pause();
	_exit(0);
}

Test(process, opens_the_file_of_another_mount_namespace)
{
	char directory[] = "/tmp/genscope-path-XXXXXX";
	char file[64], path[PATH_MAX];
	int ready[2];
	pid_t child;
	void *at;

	if (geteuid())
		skip("a mount namespace needs root");
	cr_assert(mkdtemp(directory) && !pipe(ready));
	snprintf(file, sizeof(file), "%s/file", directory);
	make_file(file, 'a');
	child = fork();
	if (!child)
		map_in_namespace(directory, file, ready[1]);
	cr_assert_eq(read(ready[0], &at, sizeof(at)), sizeof(at));
	if (at) {
		cr_expect_eq(path_of(child, at, path, sizeof(path)), 0);
		cr_expect_eq(first_byte(path), 'c');
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	unlink(file);
	rmdir(directory);
	if (!at)
		skip("no right to make a mount namespace here");
}

static bool matches(const char *text, const char *cgroup)
{
	return process_cgroup_match(text, strlen(text), cgroup);
}

Test(process, matches_cgroups_by_whole_names)
{
	static const char v2[] = "0::/system.slice/web.service/worker\n";
	static const char v1[] =
		"12:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n0::/other\n";

	cr_assert(matches(v2, "/system.slice/web.service"));
	cr_assert(matches(v2, "system.slice/web.service/"));
	cr_assert(matches(v2, "/sys/fs/cgroup/system.slice"));
	cr_assert(matches(v2, "/sys/fs/cgroup/unified/system.slice/web.service/worker"));
	cr_assert(matches(v2, "/"));
	cr_assert_not(matches(v2, "system.slice/web"));
	cr_assert_not(matches(v2, "web.service"));
	cr_assert_not(matches(v2, "system.slice/web.service/worker/deeper"));
	cr_assert(matches(v1, "cpu,cpuacct/docker"));
	cr_assert(matches(v1, "/sys/fs/cgroup/systemd/docker/abc"));
	cr_assert(matches(v1, "unified/other"));
	cr_assert_not(matches(v1, "memory/docker"));
	cr_assert_not(matches("", "x"));
	cr_assert_not(matches("0:\n::\n0::", "x"));
}

/* The first writable place for a cgroup of our own, v2 or any v1 hierarchy. */
static bool make_cgroup(char *path, size_t size)
{
	static const char *const bases[] = {
		"", "/unified", "/systemd", "/pids", "/memory", "/cpu"
	};

	for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
		snprintf(path, size, "/sys/fs/cgroup%s/cgroup.procs", bases[i]);
		if (access(path, F_OK))
			continue;
		snprintf(path, size, "/sys/fs/cgroup%s/genscope-test-%d", bases[i], getpid());
		if (!mkdir(path, 0755))
			return true;
	}
	return false;
}

Test(process, lists_a_cgroup_and_all_below_it)
{
	char top[96], below[128], procs[160];
	size_t count = 0;
	pid_t *pids, child;
	FILE *stream;

	cr_assert_eq(process_cgroup_members("no/such/cgroup", &pids, &count), -ENOENT);
	if (!make_cgroup(top, sizeof(top)))
		skip("no right to make a cgroup here");
	snprintf(below, sizeof(below), "%s/below", top);
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", below);
	cr_assert_eq(mkdir(below, 0755), 0);
	cr_expect_eq(process_cgroup_members(top, &pids, &count), 0);
	cr_expect_eq(count, 0);
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	stream = fopen(procs, "w");
	cr_expect(stream && fprintf(stream, "%d", child) > 0 && !fclose(stream));
	cr_expect_eq(process_cgroup_members(top + strlen("/sys/fs/cgroup"), &pids, &count), 0);
	cr_expect(count == 1 && pids[0] == child);
	free(pids);
	cr_expect(process_in_cgroup(child, top));
	cr_expect_not(process_in_cgroup(getpid(), top));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	rmdir(below);
	rmdir(top);
}
