/* SPDX-License-Identifier: MIT */
#include "target/maps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/proc_file.h"

#define DELETED " (deleted)"

/* A place in one line of the text. */
struct cursor {
	const char *at, *end;
};

static bool take_number(struct cursor *cursor, unsigned int base, uint64_t *value)
{
	const char *start = cursor->at;
	uint64_t number = 0;

	for (; cursor->at < cursor->end; cursor->at++) {
		unsigned int c = (unsigned char)*cursor->at;
		unsigned int digit = c - '0';

		if (digit > 9)
			digit = c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
		if (digit >= base)
			break;
		if (number > (UINT64_MAX - digit) / base)
			return false;
		number = number * base + digit;
	}
	*value = number;
	return cursor->at > start;
}

static bool take_char(struct cursor *cursor, char c)
{
	if (cursor->at == cursor->end || *cursor->at != c)
		return false;
	cursor->at++;
	return true;
}

static bool take_permissions(struct cursor *cursor, struct mapping *out)
{
	const char *at = cursor->at;

	if (cursor->end - at < 4)
		return false;
	out->readable = at[0] == 'r';
	out->writable = at[1] == 'w';
	out->executable = at[2] == 'x';
	cursor->at += 4;
	return (out->readable || at[0] == '-') && (out->writable || at[1] == '-') &&
	       (out->executable || at[2] == '-') && (at[3] == 'p' || at[3] == 's');
}

/* The kernel escapes a newline and nothing else, a backslash least of all. */
static char *copy_path(const char *text, size_t length)
{
	char *path = malloc(length + 1);
	size_t used = 0;

	if (!path)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		if (length - i >= 4 && !memcmp(text + i, "\\012", 4)) {
			path[used++] = '\n';
			i += 3;
		} else {
			path[used++] = text[i];
		}
	}
	path[used] = '\0';
	return path;
}

static int parse_path(struct cursor *cursor, struct mapping *out)
{
	size_t cut = sizeof(DELETED) - 1;
	size_t length;

	while (take_char(cursor, ' '))
		;
	length = cursor->end - cursor->at;
	if (length >= cut && !memcmp(cursor->end - cut, DELETED, cut)) {
		out->deleted = true;
		length -= cut;
	}
	if (!length || memchr(cursor->at, 0, length))
		return 0;
	out->path = copy_path(cursor->at, length);
	return out->path ? 0 : -ENOMEM;
}

/* "start-end perms offset major:minor inode   path". -EINVAL for a line that is none. */
static int parse_line(const char *line, size_t size, struct mapping *out)
{
	struct cursor cursor = { .at = line, .end = line + size };
	uint64_t major, minor;

	memset(out, 0, sizeof(*out));
	if (!take_number(&cursor, 16, &out->start) || !take_char(&cursor, '-') ||
	    !take_number(&cursor, 16, &out->end) || !take_char(&cursor, ' ') ||
	    !take_permissions(&cursor, out) || !take_char(&cursor, ' ') ||
	    !take_number(&cursor, 16, &out->offset) || !take_char(&cursor, ' ') ||
	    !take_number(&cursor, 16, &major) || !take_char(&cursor, ':') ||
	    !take_number(&cursor, 16, &minor) || !take_char(&cursor, ' ') ||
	    !take_number(&cursor, 10, &out->inode))
		return -EINVAL;
	if (out->start >= out->end || major > UINT32_MAX || minor > UINT32_MAX)
		return -EINVAL;
	if (cursor.at < cursor.end && *cursor.at != ' ')
		return -EINVAL;
	out->dev_major = major;
	out->dev_minor = minor;
	return parse_path(&cursor, out);
}

static int append(struct mapping **maps, size_t *count, const struct mapping *mapping)
{
	/* Grown whenever the count is a power of two. */
	if (!(*count & (*count - 1))) {
		size_t room = *count ? *count * 2 : 1;
		struct mapping *grown = realloc(*maps, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		*maps = grown;
	}
	(*maps)[(*count)++] = *mapping;
	return 0;
}

int maps_parse(const char *text, size_t size, struct mapping **out, size_t *count)
{
	const char *end = text + size;
	struct mapping *maps = NULL;
	size_t found = 0;
	int err;

	*out = NULL;
	*count = 0;
	while (text < end) {
		const char *stop = memchr(text, '\n', end - text);
		size_t length = (stop ? stop : end) - text;
		struct mapping mapping;

		err = parse_line(text, length, &mapping);
		text += length + (stop ? 1 : 0);
		if (err == -EINVAL)
			continue;
		if (!err)
			err = append(&maps, &found, &mapping);
		if (err) {
			free(mapping.path);
			maps_free(maps, found);
			return err;
		}
	}
	*out = maps;
	*count = found;
	return 0;
}

void maps_free(struct mapping *maps, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(maps[i].path);
	free(maps);
}

int maps_read(pid_t pid, struct mapping **out, size_t *count)
{
	char path[64];
	char *text;
	size_t size;
	int err;

	*out = NULL;
	*count = 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	err = proc_file_read(path, &text, &size);
	if (err)
		return err;
	err = size ? maps_parse(text, size, out, count) : -ENOEXEC;
	free(text);
	return err;
}

static bool has_file(const struct mapping *maps, size_t count, const char *prefix)
{
	for (size_t i = 0; i < count; i++) {
		const char *slash = maps[i].inode ? strrchr(maps[i].path, '/') : NULL;

		if (slash && !strncmp(slash + 1, prefix, strlen(prefix)))
			return true;
	}
	return false;
}

bool maps_are_loading(const struct mapping *maps, size_t count)
{
	/* ld-linux-x86-64.so.2 and libc.so.6; before glibc 2.34 ld-2.31.so and libc-2.31.so */
	return has_file(maps, count, "ld-") && !has_file(maps, count, "ld-musl") &&
	       !has_file(maps, count, "libc.so") && !has_file(maps, count, "libc-");
}

const struct mapping *maps_find(const struct mapping *maps, size_t count, uint64_t addr)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (addr < maps[middle].start)
			high = middle;
		else if (addr >= maps[middle].end)
			low = middle + 1;
		else
			return &maps[middle];
	}
	return NULL;
}
