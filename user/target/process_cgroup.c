/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target/proc_file.h"
#include "target/process.h"

#define CGROUP_ROOT "/sys/fs/cgroup"

static int add_members(struct pid_list *list, const char *directory)
{
	char path[PATH_MAX];
	char *text, *at, *end;
	size_t size;
	int err;

	if (snprintf(path, sizeof(path), "%s/cgroup.procs", directory) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	err = proc_file_read(path, &text, &size);
	if (err) /* gone meanwhile, or threaded: then the domain above it lists the process */
		return err == -ESRCH || err == -ENODEV || err == -EOPNOTSUPP ? 0 : err;
	for (at = text; !err && at < text + size; at = end + 1) {
		pid_t pid;

		end = strchrnul(at, '\n');
		pid = pid_parse(at, end - at); /* 0: of a pid namespace that we do not see */
		if (pid)
			err = pid_list_add(list, pid);
	}
	free(text);
	return err;
}

static int add_tree(struct pid_list *list, char *directory)
{
	char *roots[] = { directory, NULL };
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
	FTSENT *entry;
	int err = 0;

	if (!tree)
		return -errno;
	while (!err && (entry = fts_read(tree)))
		if (entry->fts_info == FTS_D)
			err = add_members(list, entry->fts_path);
	fts_close(tree);
	return err;
}

static int find_directory(const char *cgroup_path, char *directory, size_t size)
{
	static const char *const bases[] = {
		"",
		CGROUP_ROOT "/",
		CGROUP_ROOT "/unified/",
		CGROUP_ROOT "/systemd/",
	};
	char file[PATH_MAX];

	for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
		if (snprintf(directory, size, "%s%s", bases[i], cgroup_path) >= (int)size ||
		    snprintf(file, sizeof(file), "%s/cgroup.procs", directory) >= (int)sizeof(file))
			return -ENAMETOOLONG;
		if (!access(file, F_OK))
			return 0;
	}
	return -ENOENT;
}

int process_cgroup_members(const char *cgroup_path, pid_t **out, size_t *count)
{
	struct pid_list list = { 0 };
	char directory[PATH_MAX];
	int err;

	*out = NULL;
	*count = 0;
	err = find_directory(cgroup_path, directory, sizeof(directory));
	if (!err)
		err = add_tree(&list, directory);
	if (err) {
		free(list.pids);
		return err;
	}
	pid_list_sort(&list);
	*out = list.pids;
	*count = list.count;
	return 0;
}

static const char *skip_slashes(const char *path)
{
	while (*path == '/')
		path++;
	return path;
}

/* Whether path, which has path_size bytes, is wanted or lies below it. */
static bool is_below(const char *path, size_t path_size, const char *wanted, size_t size)
{
	return !size || (path_size >= size && !memcmp(path, wanted, size) &&
			 (path_size == size || path[size] == '/'));
}

/* "7:memory:/some/path": matches as some/path and as memory/some/path; a line of v2 ("0::") is
 * mounted as unified/ beside v1, and the named hierarchy "name=systemd" as systemd/. */
static bool line_matches(const char *line, size_t size, const char *wanted, size_t wanted_size)
{
	const char *end = line + size;
	const char *names = memchr(line, ':', size);
	const char *path = names ? memchr(names + 1, ':', end - names - 1) : NULL;
	size_t names_size;

	if (!path || path + 1 == end || path[1] != '/')
		return false;
	names++;
	names_size = path - names;
	path += 2;
	if (is_below(path, end - path, wanted, wanted_size))
		return true;
	if (!names_size) {
		names = "unified";
		names_size = strlen(names);
	} else if (names_size > 5 && !memcmp(names, "name=", 5)) {
		names += 5;
		names_size -= 5;
	}
	if (!is_below(wanted, wanted_size, names, names_size))
		return false;
	wanted += names_size;
	wanted_size -= names_size;
	if (wanted_size) { /* the slash */
		wanted++;
		wanted_size--;
	}
	return is_below(path, end - path, wanted, wanted_size);
}

bool process_cgroup_match(const char *text, size_t size, const char *cgroup_path)
{
	static const char root[] = CGROUP_ROOT;
	const char *end = text + size;
	const char *wanted = cgroup_path;
	size_t wanted_size;

	if (is_below(wanted, strlen(wanted), root, sizeof(root) - 1))
		wanted += sizeof(root) - 1;
	wanted = skip_slashes(wanted);
	wanted_size = strlen(wanted);
	while (wanted_size && wanted[wanted_size - 1] == '/')
		wanted_size--;
	while (text < end) {
		const char *stop = memchr(text, '\n', end - text);
		size_t length = (stop ? stop : end) - text;

		if (line_matches(text, length, wanted, wanted_size))
			return true;
		text += length + (stop ? 1 : 0);
	}
	return false;
}

bool process_in_cgroup(pid_t pid, const char *cgroup_path)
{
	char path[64];
	char *text;
	size_t size;
	bool inside;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	if (proc_file_read(path, &text, &size))
		return false;
	inside = process_cgroup_match(text, size, cgroup_path);
	free(text);
	return inside;
}
