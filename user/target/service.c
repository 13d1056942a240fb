// SPDX-License-Identifier: MIT
#include "target/service.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CGROUP_BYTES 8192
#define ID_SHOWN     12 /* characters of a container's id, as docker ps shows */
#define ID_LEAST     32 /* hexadecimal digits that make an id, and no name */
#define NONE         "none"
#define USER         "user"

/* Ends of a name that say nothing. */
static const char *const suffixes[] = { ".service", ".scope", ".slice", ".socket", ".mount" };

static size_t hex_digits(const char *text, size_t size)
{
	size_t digits = 0;

	while (digits < size && isxdigit((unsigned char)text[digits]))
		digits++;
	return digits;
}

static bool ends_with(const char *name, size_t size, const char *suffix)
{
	size_t length = strlen(suffix);

	return size > length && !strncmp(name + size - length, suffix, length);
}

static size_t without_suffix(const char *name, size_t size)
{
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (ends_with(name, size, suffixes[i]))
			return size - strlen(suffixes[i]);
	return size;
}

/* systemd escapes as "\x2d"; what cannot stand in a word of a label becomes `_`. */
static void copy_word(const char *name, size_t size, char *out)
{
	size_t used = 0;

	for (size_t i = 0; i < size && used < SERVICE_BYTES - 1; i++) {
		unsigned value;

		if (name[i] == '\\' && i + 3 < size && sscanf(name + i, "\\x%2x", &value) == 1) {
			out[used++] = (char)(value >= 0x20 && value < 0x7f ? value : '_');
			i += 3;
		} else {
			out[used++] =
				(unsigned char)name[i] >= 0x20 && name[i] != 0x7f ? name[i] : '_';
		}
	}
	out[used] = 0;
}

/* An id of a container at the end of a name is cut to what people use. */
static size_t shorten_id(const char *name, size_t size)
{
	size_t start = size;

	while (start && isxdigit((unsigned char)name[start - 1]))
		start--;
	return size - start >= ID_LEAST ? start + ID_SHOWN : size;
}

static const char *name_is(const char *name, char *out)
{
	snprintf(out, SERVICE_BYTES, "%s", name);
	return out;
}

/* Is it a group that only holds others: "system.slice", "user-1000.slice", "init.scope"? */
static bool is_holder(const char *name, size_t size)
{
	return ends_with(name, size, ".slice") || !strncmp(name, "init.scope", size) ||
	       !strncmp(name, "user@", 5);
}

static bool is_login(const char *name)
{
	return !strncmp(name, "session-", 8) || !strncmp(name, "user@", 5);
}

/* The last component that says something: a unit of systemd, or a container. */
static const char *of_path(const char *path, size_t size, char *out)
{
	bool login = false;

	for (size_t end = size; end;) {
		size_t start = end, length;

		while (start && path[start - 1] != '/')
			start--;
		length = end - start;
		end = start ? start - 1 : 0;
		if (!length)
			continue;
		login |= is_login(path + start);
		if (is_login(path + start) || is_holder(path + start, length))
			continue;
		/* what a container's own init, or a shell, made below the unit */
		if (end && !ends_with(path + start, length, ".service") &&
		    !ends_with(path + start, length, ".scope") &&
		    hex_digits(path + start, length) < ID_LEAST && strchr(path, '.'))
			continue;
		length = without_suffix(path + start, length);
		copy_word(path + start, shorten_id(path + start, length), out);
		return out;
	}
	return name_is(login ? USER : NONE, out);
}

/* How much the path of a line says: that of systemd's own hierarchy most, where there is one (version 1, and
 * both versions side by side), then that of version 2, "0::". */
static int rank_of(const char *line, const char *path, const char *end)
{
	static const char systemd[] = "name=systemd:";

	if (end - path < 2) /* "/" */
		return 0;
	if (path - line >= (ptrdiff_t)sizeof(systemd) &&
	    !strncmp(path - (sizeof(systemd) - 1), systemd, sizeof(systemd) - 1))
		return 3;
	return !strncmp(line, "0::", 3) ? 2 : 1;
}

const char *service_of_cgroup(const char *text, char *out)
{
	const char *best = NULL;
	size_t best_size = 0;
	int best_rank = 0;

	for (const char *line = text; *line;) { /* hierarchy:controllers:path */
		const char *end = strchrnul(line, '\n');
		const char *path = memchr(line, ':', (size_t)(end - line));
		int rank;

		path = path ? memchr(path + 1, ':', (size_t)(end - path - 1)) : NULL;
		rank = path ? rank_of(line, path + 1, end) : 0;
		if (rank > best_rank) {
			best = path + 1;
			best_size = (size_t)(end - best);
			best_rank = rank;
		}
		line = *end ? end + 1 : end;
	}
	return best ? of_path(best, best_size, out) : name_is(NONE, out);
}

static size_t read_file(pid_t pid, const char *name, char *out, size_t size)
{
	char path[64];
	size_t used;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	file = fopen(path, "re");
	used = file ? fread(out, 1, size - 1, file) : 0;
	if (file)
		fclose(file);
	out[used] = 0;
	return used;
}

const char *service_of_process(pid_t pid, char *out)
{
	char text[CGROUP_BYTES];

	read_file(pid, "cgroup", text, sizeof(text));
	return service_of_cgroup(text, out);
}

int service_parse_label(const char *rule, char *name, const char **glob)
{
	const char *sign = strchr(rule, '=');

	if (!sign || sign == rule || !sign[1])
		return -EINVAL;
	copy_word(rule, (size_t)(sign - rule), name);
	*glob = sign + 1;
	return 0;
}

const char *service_command_line(pid_t pid, char *out, size_t size)
{
	size_t used = read_file(pid, "cmdline", out, size);

	for (size_t i = 0; i + 1 < used; i++)
		if (!out[i])
			out[i] = ' ';
	return out;
}
