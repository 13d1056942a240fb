// SPDX-License-Identifier: MIT
#include "cmd/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEPT_MAX (64 << 10) /* bytes for the end: some hundred lines */
#define PREFIX   "genscope: "

static const char cut_line[] = "genscope: (earlier messages are left out)\n";

int aside_begin(struct aside *aside)
{
	int err = 0;

	*aside = (struct aside){ .saved = -1, .file = -1, .terminal = isatty(STDERR_FILENO) };
	aside->file = memfd_create("genscope-stderr", MFD_CLOEXEC);
	aside->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (aside->file < 0 || aside->saved < 0 || fcntl(aside->file, F_SETFL, O_APPEND) ||
	    dup2(aside->file, STDERR_FILENO) < 0)
		err = -errno;
	if (!err)
		return 0;
	if (aside->file >= 0)
		close(aside->file);
	if (aside->saved >= 0)
		close(aside->saved);
	aside->saved = aside->file = -1;
	return err;
}

static void put(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t count = write(fd, text, size);

		if (count < 0 && errno != EINTR)
			return; /* nobody is left to be told */
		if (count > 0) {
			text += count;
			size -= (size_t)count;
		}
	}
}

static void remember_last(struct aside *aside, const char *text, size_t size)
{
	size_t begin, prefix = strlen(PREFIX);

	while (size && text[size - 1] == '\n')
		size--;
	for (begin = size; begin && text[begin - 1] != '\n'; begin--)
		;
	text += begin;
	size -= begin;
	if (!size)
		return;
	if (size >= prefix && !memcmp(text, PREFIX, prefix)) {
		text += prefix;
		size -= prefix;
	}
	if (size >= sizeof(aside->last))
		size = sizeof(aside->last) - 1;
	memcpy(aside->last, text, size);
	aside->last[size] = 0;
}

/* Takes over `text`, which is malloc()ed. */
static void keep(struct aside *aside, char *text, size_t size)
{
	size_t old = aside->size + size > KEPT_MAX ?
			     KEPT_MAX - (size < KEPT_MAX ? size : KEPT_MAX) :
			     aside->size;
	char *all = malloc(old + size + 1);

	if (all) {
		if (old)
			memcpy(all, aside->kept + aside->size - old, old);
		memcpy(all + old, text, size);
		aside->cut |= old < aside->size;
		free(aside->kept);
		aside->kept = all;
		aside->size = old + size;
	}
	free(text);
}

void aside_step(struct aside *aside)
{
	struct stat status;
	ssize_t count;
	char *text;

	if (aside->file < 0 || fstat(aside->file, &status) || !status.st_size)
		return;
	text = malloc((size_t)status.st_size);
	count = text ? pread(aside->file, text, (size_t)status.st_size, 0) : 0;
	if (count <= 0 || ftruncate(aside->file, 0)) {
		free(text);
		return; /* next time */
	}
	remember_last(aside, text, (size_t)count);
	if (aside->terminal) {
		keep(aside, text, (size_t)count);
		return;
	}
	put(aside->saved, text, (size_t)count);
	free(text);
}

void aside_end(struct aside *aside)
{
	if (aside->file < 0)
		return;
	aside_step(aside);
	dup2(aside->saved, STDERR_FILENO);
	close(aside->saved);
	close(aside->file);
	aside->saved = aside->file = -1;
	if (aside->cut)
		put(STDERR_FILENO, cut_line, sizeof(cut_line) - 1);
	put(STDERR_FILENO, aside->kept, aside->size);
	free(aside->kept);
	aside->kept = NULL;
	aside->size = 0;
}
