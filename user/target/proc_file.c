/* SPDX-License-Identifier: MIT */
#include "target/proc_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE_FIRST 16384
#define SIZE_MOST  (64U << 20)

/* Doubles the buffer; one byte is always kept for the NUL. */
static int grow(char **text, size_t *room)
{
	size_t wanted = *room ? *room * 2 : SIZE_FIRST;
	char *grown;

	if (wanted > SIZE_MOST)
		return -EFBIG;
	grown = realloc(*text, wanted);
	if (!grown)
		return -ENOMEM;
	*text = grown;
	*room = wanted;
	return 0;
}

static int read_all(int fd, char **text, size_t *size)
{
	size_t room = 0;

	*text = NULL;
	*size = 0;
	for (;;) {
		ssize_t got;
		int err = 0;

		if (*size + 1 >= room)
			err = grow(text, &room);
		if (err)
			return err;
		got = read(fd, *text + *size, room - *size - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		*size += got;
	}
	(*text)[*size] = '\0';
	return 0;
}

int proc_file_read(const char *path, char **text, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	err = read_all(fd, text, size);
	close(fd);
	if (err) {
		free(*text);
		*text = NULL;
	}
	return err;
}

int pid_list_add(struct pid_list *list, pid_t pid)
{
	/* Grown whenever the count is a power of two. */
	if (!(list->count & (list->count - 1))) {
		size_t room = list->count ? list->count * 2 : 1;
		pid_t *grown = realloc(list->pids, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		list->pids = grown;
	}
	list->pids[list->count++] = pid;
	return 0;
}

static int compare_pids(const void *left, const void *right)
{
	pid_t a = *(const pid_t *)left, b = *(const pid_t *)right;

	return (a > b) - (a < b);
}

void pid_list_sort(struct pid_list *list)
{
	size_t kept = 0;

	if (!list->count)
		return;
	qsort(list->pids, list->count, sizeof(*list->pids), compare_pids);
	for (size_t i = 1; i < list->count; i++)
		if (list->pids[kept] != list->pids[i])
			list->pids[++kept] = list->pids[i];
	list->count = kept + 1;
}

int pid_list_add_entries(struct pid_list *list, const char *directory)
{
	DIR *stream = opendir(directory);
	struct dirent *entry;
	int err = 0;

	if (!stream)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!err) {
		pid_t pid;

		errno = 0;
		entry = readdir(stream);
		if (!entry) {
			err = errno == ENOENT ? -ESRCH : -errno;
			break;
		}
		pid = pid_parse(entry->d_name, strlen(entry->d_name));
		if (pid)
			err = pid_list_add(list, pid);
	}
	closedir(stream);
	return err;
}

pid_t pid_parse(const char *text, size_t size)
{
	pid_t value = 0;

	if (!size)
		return 0;
	for (size_t i = 0; i < size; i++) {
		int digit = text[i] - '0';

		if (digit < 0 || digit > 9 || value > (INT_MAX - digit) / 10)
			return 0;
		value = value * 10 + digit;
	}
	return value;
}
