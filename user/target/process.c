/* SPDX-License-Identifier: MIT */
#include "target/process.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "target/proc_file.h"

#define STAT_STATE      3 /* fields of /proc/PID/stat, counted from one as proc(5) does */
#define STAT_START_TIME 22
#define COMM_MAX        64

static int read_proc(pid_t pid, const char *name, char **text, size_t *size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return proc_file_read(path, text, size);
}

static int parse_ticks(const char *text, const char *end, uint64_t *ticks)
{
	uint64_t value = 0;
	const char *at;

	for (at = text; at < end && *at >= '0' && *at <= '9'; at++) {
		unsigned int digit = *at - '0';

		if (value > (UINT64_MAX - digit) / 10)
			return -EINVAL;
		value = value * 10 + digit;
	}
	if (at == text || (at < end && *at != ' ' && *at != '\n'))
		return -EINVAL;
	*ticks = value;
	return 0;
}

int process_stat_parse(const char *text, size_t size, uint64_t *start_ticks, char *state)
{
	/* The name (field 2) may hold spaces and parentheses; the last one closes it. */
	const char *at = memrchr(text, ')', size);
	const char *end = text + size;
	uint64_t ticks;

	if (!at || end - at < 4 || at[1] != ' ' || at[3] != ' ')
		return -EINVAL;
	at += 2;
	if (state)
		*state = *at;
	for (int field = STAT_STATE; field < STAT_START_TIME; field++) {
		at = memchr(at, ' ', end - at);
		if (!at)
			return -EINVAL;
		at++;
	}
	if (parse_ticks(at, end, &ticks))
		return -EINVAL;
	if (start_ticks)
		*start_ticks = ticks;
	return 0;
}

static int read_stat(pid_t pid, uint64_t *start_ticks, char *state)
{
	char *text;
	size_t size;
	int err = read_proc(pid, "stat", &text, &size);

	if (err)
		return err;
	err = process_stat_parse(text, size, start_ticks, state);
	free(text);
	return err;
}

int process_identify(pid_t pid, struct process_id *out)
{
	out->pid = pid;
	return read_stat(pid, &out->start_ticks, NULL);
}

bool process_alive(const struct process_id *id)
{
	uint64_t start_ticks;
	char state;

	return !read_stat(id->pid, &start_ticks, &state) && start_ticks == id->start_ticks &&
	       state != 'Z' && state != 'X' && state != 'x';
}

ssize_t process_read(pid_t pid, uint64_t addr, void *buf, size_t size)
{
	struct iovec local = { .iov_base = buf, .iov_len = size };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)addr, .iov_len = size };
	ssize_t got;

	if (size > SSIZE_MAX)
		return -EINVAL;
	got = process_vm_readv(pid, &local, 1, &remote, 1, 0);
	if (got < 0)
		return -errno;
	return (size_t)got == size ? got : -EFAULT;
}

/* text on one line and cut to size; NULs between arguments become spaces, those behind go. */
static void copy_printable(const char *text, size_t length, char *out, size_t size)
{
	while (length && (!text[length - 1] || text[length - 1] == '\n'))
		length--;
	if (length > size - 1)
		length = size - 1;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = text[i];

		if (!c)
			c = ' ';
		out[i] = c < 0x20 || c > 0x7e ? '?' : (char)c;
	}
	out[length] = '\0';
}

int process_command(pid_t pid, char *out, size_t size)
{
	char name[COMM_MAX];
	char *text;
	size_t length;
	int err;

	if (!size)
		return -EINVAL;
	err = read_proc(pid, "cmdline", &text, &length);
	if (err)
		return err;
	copy_printable(text, length, out, size);
	free(text);
	if (*out)
		return 0;
	err = read_proc(pid, "comm", &text, &length);
	if (err)
		return err;
	copy_printable(text, length, name, sizeof(name));
	free(text);
	snprintf(out, size, "[%s]", name);
	return 0;
}

bool process_is_called(pid_t pid, const char *word)
{
	static const char *const files[] = { "comm", "cmdline" };
	bool called = false;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && !called; i++) {
		const char *name;
		size_t size;
		char *text;

		if (read_proc(pid, files[i], &text, &size))
			continue;
		name = strrchr(text, '/'); /* the text ends with the first argument */
		called = !strncmp(name ? name + 1 : text, word, strlen(word));
		free(text);
	}
	return called;
}

static int list_entries(const char *directory, pid_t **out, size_t *count)
{
	struct pid_list list = { 0 };
	int err = pid_list_add_entries(&list, directory);

	if (err) {
		free(list.pids);
		list = (struct pid_list){ 0 };
	}
	pid_list_sort(&list);
	*out = list.pids;
	*count = list.count;
	return err;
}

int process_list(pid_t **out, size_t *count)
{
	return list_entries("/proc", out, count);
}

int process_threads(pid_t pid, pid_t **tids, size_t *count)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	return list_entries(path, tids, count);
}

/* The number a thread has in the innermost pid namespace: the last one of its NSpid line. */
static pid_t inner_tid(pid_t pid, pid_t tid)
{
	char path[64], *text, *line, *last;
	size_t size;
	pid_t inner = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	if (proc_file_read(path, &text, &size))
		return 0;
	line = strstr(text, "\nNSpid:");
	if (line) {
		line[1 + strcspn(line + 1, "\n")] = 0;
		last = strrchr(line, '\t');
		inner = last ? pid_parse(last + 1, strlen(last + 1)) : 0;
	}
	free(text);
	return inner;
}

static pid_t outer_tid(pid_t pid, pid_t tid)
{
	pid_t *tids, outer = 0;
	size_t count;

	if (inner_tid(pid, pid) == pid || process_threads(pid, &tids, &count))
		return tid;
	for (size_t i = 0; i < count && !outer; i++)
		if (inner_tid(pid, tids[i]) == tid)
			outer = tids[i];
	free(tids);
	return outer ? outer : tid;
}

int process_thread_name(pid_t pid, pid_t tid, char *out, size_t size)
{
	char path[64], *text;
	size_t length;
	int err;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", pid, outer_tid(pid, tid));
	err = proc_file_read(path, &text, &length);
	if (err)
		return err;
	snprintf(out, size, "%.*s", (int)strcspn(text, "\n"), text);
	free(text);
	return 0;
}

bool process_is_older(pid_t pid, uint64_t ns)
{
	const uint64_t second_ns = 1000000000ull;
	struct process_id id;
	struct timespec now;
	uint64_t now_ns, start_ns;

	if (process_identify(pid, &id) || clock_gettime(CLOCK_BOOTTIME, &now))
		return false;
	now_ns = (uint64_t)now.tv_sec * second_ns + (uint64_t)now.tv_nsec;
	start_ns = id.start_ticks * (second_ns / (uint64_t)sysconf(_SC_CLK_TCK));
	return now_ns > start_ns + ns;
}
