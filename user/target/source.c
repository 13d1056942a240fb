// SPDX-License-Identifier: MIT
#include "target/source.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_BYTES_MAX (16 << 20) /* longer ones are no source that somebody wrote */
#define LINE_BYTES_MAX 4096       /* of a line, what is behind is not looked at */

/* The file itself, without opening it: a device or a pipe would notice. */
static int find_file(pid_t pid, const char *path)
{
	bool absolute = path[0] == '/';
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS | (absolute ? RESOLVE_IN_ROOT : RESOLVE_BENEATH),
	};
	char directory[64];
	long found;
	int base, err;

	snprintf(directory, sizeof(directory), "/proc/%d/%s", pid, absolute ? "root" : "cwd");
	base = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (base < 0)
		return -errno;
	found = syscall(SYS_openat2, base, path, &how, sizeof(how));
	err = found < 0 ? -errno : 0;
	close(base);
	return err ? err : (int)found;
}

static int open_source(pid_t pid, const char *path)
{
	int found = find_file(pid, path), fd = -EINVAL;
	struct stat status;
	char link[64];

	if (found < 0)
		return found;
	if (!fstat(found, &status) && S_ISREG(status.st_mode) && status.st_size <= FILE_BYTES_MAX) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
		fd = open(link, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	close(found);
	return fd;
}

static void take_line(struct source_line *line, char *text)
{
	size_t length;

	text += strspn(text, " \t\f");
	length = strcspn(text, "\r\n");
	while (length && (text[length - 1] == ' ' || text[length - 1] == '\t'))
		length--;
	if (length >= line->size)
		length = line->size - 1;
	/* no half a character at the end */
	while (length && text[length] && ((unsigned char)text[length] & 0xc0) == 0x80)
		length--;
	memcpy(line->text, text, length);
	line->text[length] = 0;
}

/* What is left of a line that was longer than the buffer. */
static void skip_rest(FILE *file, const char *buffer)
{
	int c = strchr(buffer, '\n') ? '\n' : 0;

	while (c != '\n' && c != EOF)
		c = getc(file);
}

int source_read(pid_t pid, const char *path, struct source_line *lines, size_t count)
{
	char buffer[LINE_BYTES_MAX];
	uint32_t last = 0;
	FILE *file;
	int fd;

	for (size_t i = 0; i < count; i++) {
		lines[i].text[0] = 0;
		if (lines[i].number > last)
			last = lines[i].number;
	}
	fd = open_source(pid, path);
	if (fd < 0)
		return fd;
	file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	for (uint32_t at = 1; at <= last && fgets(buffer, sizeof(buffer), file); at++) {
		skip_rest(file, buffer);
		for (size_t i = 0; i < count; i++)
			if (lines[i].number == at)
				take_line(&lines[i], buffer);
	}
	fclose(file);
	return 0;
}
