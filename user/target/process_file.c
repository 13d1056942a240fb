/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "target/process.h"

/*
 * A mapping's path is a name in the target's mount namespace, at the time it was mapped. By now it
 * may name another file, or none, so every candidate is compared with the mapped inode itself. The
 * measure is /proc/PID/map_files/START-END, a link that leads to that inode whatever its name, but
 * that only a capable reader may follow. Without it the inode number of maps must do; the device
 * number there cannot be used, since on btrfs and overlayfs it is not the one that stat tells.
 */

struct wanted {
	bool exact; /* dev is known too */
	dev_t dev;
	ino_t inode;
};

static int map_file(pid_t pid, const struct mapping *m, char *path, size_t size)
{
	int length = snprintf(path, size, "/proc/%d/map_files/%llx-%llx", pid,
			      (unsigned long long)m->start, (unsigned long long)m->end);

	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

static bool is_wanted(const char *path, const struct wanted *wanted)
{
	struct stat status;

	return !stat(path, &status) && S_ISREG(status.st_mode) && status.st_ino == wanted->inode &&
	       (!wanted->exact || status.st_dev == wanted->dev);
}

/* 0 if prefix (with the pid in it) and name make a path to the wanted file. */
static int try_path(const char *prefix, const char *name, const struct wanted *wanted, char *path,
		    size_t size)
{
	int length = snprintf(path, size, "%s%s", prefix, name);

	if (length < 0 || (size_t)length >= size)
		return -ENAMETOOLONG;
	return is_wanted(path, wanted) ? 0 : -ENOENT;
}

int process_file_path(pid_t pid, const struct mapping *m, char *path, size_t size)
{
	struct wanted wanted = { .inode = m->inode };
	char link[96], prefix[32];
	struct stat status;
	int err, last;

	if (!m->inode || !m->path)
		return -ENOENT;
	err = map_file(pid, m, link, sizeof(link));
	if (err)
		return err;
	if (!stat(link, &status)) {
		wanted.exact = true;
		wanted.dev = status.st_dev;
		wanted.inode = status.st_ino;
	}
	/* Inside the target's root; by the name as it stands (maps tells a chroot's files from our
	 * root); the executable, which needs fewer rights; the link itself, which always fits. */
	snprintf(prefix, sizeof(prefix), "/proc/%d/root", pid);
	err = try_path(prefix, m->path, &wanted, path, size);
	if (!err)
		return 0;
	if (!try_path("", m->path, &wanted, path, size))
		return 0;
	snprintf(prefix, sizeof(prefix), "/proc/%d/exe", pid);
	if (!try_path(prefix, "", &wanted, path, size))
		return 0;
	last = try_path("", link, &wanted, path, size);
	return last == -ENOENT && err == -ENAMETOOLONG ? err : last;
}
