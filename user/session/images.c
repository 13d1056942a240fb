// SPDX-License-Identifier: MIT
#include "session/images.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "session/loader.h"
#include "target/clock.h"
#include "target/maps.h"
#include "target/process.h"

static void image_free(struct image_file *image)
{
	elf_file_close(image->elf);
	if (image->fd >= 0)
		close(image->fd);
	free(image);
}

/* Older interpreters do not export their version; their file names tell it. */
static void name_version(const struct image_file *image, char *why)
{
	const char *name = strrchr(image->path, '/');
	unsigned major, minor;

	name = strstr(name ? name : image->path, "python");
	if (image->interpreter.version_hex || !name ||
	    sscanf(name, "python%u.%u", &major, &minor) != 2)
		return;
	snprintf(why, INTERPRETER_WHY_MAX, "CPython %u.%u is not supported: 3.11 to 3.15 are",
		 major, minor);
}

/* One that holds the same code: the linker's build-id says so. */
static struct image_file *find_same(const struct images *images, const struct image_file *image)
{
	for (size_t i = 0; i < images->count; i++) {
		struct image_file *other = images->at[i];

		if (*image->interpreter.build_id && !other->same && other->table.count &&
		    !strcmp(other->interpreter.build_id, image->interpreter.build_id))
			return other;
	}
	return NULL;
}

/* Opened, it is the file of something that runs: not being an ELF file of ours, it is one of another machine. */
static enum refusal refusal_of_opening(const char *path, int err)
{
	if (!refusal_names_python(path) || err == -ENOMEM)
		return REFUSAL_NONE;
	if (err == -EMFILE || err == -ENFILE)
		return REFUSAL_TOO_MANY;
	return err == -ENOEXEC ? REFUSAL_MACHINE : REFUSAL_UNREADABLE;
}

static int analyse(struct images *images, struct image_file *image, char *why)
{
	char reason[INTERPRETER_WHY_MAX] = "";
	uint64_t start = clock_now_ns();
	int err;

	err = elf_file_open(image->open_path, &image->elf);
	if (err) {
		snprintf(why, IMAGE_WHY_MAX, "%.200s: %s", image->path,
			 err == -ENOEXEC ? "not an x86-64 ELF file: give an interpreter" :
					   strerror(-err));
		images->refusal = refusal_of_opening(image->path, err);
		return err == -ENOEXEC ? -ENOENT : err;
	}
	err = interpreter_read(image->elf, &image->interpreter, reason);
	if (err == -ENOTSUP)
		name_version(image, reason);
	images->refusal = refusal_of_flaw(image->interpreter.flaw);
	if (images->only &&
	    strcmp(images->only->interpreter.build_id, image->interpreter.build_id) != 0) {
		snprintf(why, IMAGE_WHY_MAX, "%.200s: not the interpreter that was asked for",
			 image->path);
		return -EXDEV;
	}
	if (!err)
		image->same = find_same(images, image);
	if (!err && image->same) {
		image->table = image->same->table;
	} else if (!err && !images->without_sites) {
		err = sites_find(image->elf, &image->interpreter, &image->table);
		if (err == -ENOENT) {
			snprintf(reason, sizeof(reason),
				 "CPython %s, but none of its stores to gi_frame_state was found",
				 image->interpreter.version);
			err = -ENOTSUP;
			images->refusal = REFUSAL_CODE;
		}
	}
	if (err)
		snprintf(why, IMAGE_WHY_MAX, "%.200s: %s", image->path,
			 *reason ? reason : strerror(-err));
	image->analysis_ms = (double)(clock_now_ns() - start) / 1e6;
	return err;
}

static int open_image(const char *path, const char *shown, struct image_file **out, char *why)
{
	struct image_file *image = calloc(1, sizeof(*image));
	struct stat status = {};
	int err = 0;

	if (!image)
		return -ENOMEM;
	image->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (image->fd < 0 || fstat(image->fd, &status))
		err = errno ? -errno : -EIO;
	else if (!S_ISREG(status.st_mode))
		err = -EINVAL;
	if (err) {
		snprintf(why, IMAGE_WHY_MAX, "%.200s: %s", shown,
			 err == -EINVAL ? "not a file" : strerror(-err));
		image_free(image);
		return err;
	}
	image->device = status.st_dev;
	image->inode = status.st_ino;
	snprintf(image->path, sizeof(image->path), "%s", shown);
	snprintf(image->open_path, sizeof(image->open_path), "/proc/self/fd/%d", image->fd);
	*out = image;
	return 0;
}

int images_add(struct images *images, const char *path, const char *shown, struct image_file **out,
	       char *why)
{
	struct image_file *image;
	int err = open_image(path, shown, &image, why);

	images->refusal = err ? refusal_of_opening(shown, err) : REFUSAL_NONE;
	if (err)
		return err;
	for (size_t i = 0; i < images->count; i++) {
		if (images->at[i]->device == image->device &&
		    images->at[i]->inode == image->inode) {
			image_free(image);
			*out = images->at[i];
			return 0;
		}
	}
	err = analyse(images, image, why);
	if (!err && images->count == IMAGES_MAX) {
		snprintf(why, IMAGE_WHY_MAX, "more than %d different interpreters", IMAGES_MAX);
		err = -ENOSPC;
		images->refusal = REFUSAL_TOO_MANY;
	}
	if (err) {
		image_free(image);
		return err;
	}
	images->at[images->count++] = image;
	*out = image;
	return 0;
}

/* The more likely a mapping is to hold the interpreter, the earlier it is opened. */
static int likelihood(const struct mapping *m, bool executable)
{
	const char *name = m->path ? strrchr(m->path, '/') : NULL;

	if (!name || !m->executable || !m->inode)
		return 0;
	if (strstr(name, "libpython"))
		return 3;
	if (executable)
		return 2;
	return strstr(name, "python") ? 1 : 0;
}

static bool is_same(const struct mapping *a, const struct mapping *b)
{
	return a->inode == b->inode && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

static bool maps_musl(const struct mapping *maps, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (maps[i].path && strstr(maps[i].path, "/ld-musl-"))
			return true;
	return false;
}

static int try_mappings(struct images *images, pid_t pid, const struct mapping *maps, size_t count,
			struct image_file **out, char *why)
{
	const struct mapping *first = NULL;
	enum refusal refusal = REFUSAL_NONE; /* of a file called a Python, where no other is one */
	char path[PATH_MAX];
	int err = -ENOENT;

	for (size_t i = 0; i < count && !first; i++)
		if (maps[i].inode) /* the kernel maps the executable lowest, or first of its file */
			first = &maps[i];
	for (int wanted = 3; wanted > 0; wanted--) {
		for (size_t i = 0; i < count; i++) {
			if (likelihood(&maps[i], first && is_same(&maps[i], first)) != wanted)
				continue;
			if (process_file_path(pid, &maps[i], path, sizeof(path))) {
				if (!refusal)
					refusal = refusal_of_opening(maps[i].path, -ENOENT);
				continue;
			}
			err = images_add(images, path, maps[i].path, out, why);
			if (err != -ENOENT)
				return err;
			if (!refusal)
				refusal = images->refusal;
		}
	}
	images->refusal = refusal;
	return err;
}

int images_of_process(struct images *images, pid_t pid, struct image_file **out, char *why)
{
	struct mapping *maps;
	size_t count;
	int err = maps_read(pid, &maps, &count);

	images->refusal = REFUSAL_NONE;
	if (err == -ESRCH || err == -EACCES || err == -EPERM) {
		snprintf(why, IMAGE_WHY_MAX,
			 err == -ESRCH ? "no such process: it may have ended" :
					 "not allowed to look at it: needs CAP_SYS_PTRACE, and a "
					 "process that the kernel lets be looked at");
		if (err != -ESRCH && process_is_called(pid, "python"))
			images->refusal = REFUSAL_NO_RIGHT;
		return err == -EPERM ? -EACCES : err;
	}
	if (err && err != -ENOEXEC)
		return err;
	err = err ? -ENOENT : try_mappings(images, pid, maps, count, out, why);
	if (!err)
		(*out)->musl = maps_musl(maps, count);
	maps_free(maps, count);
	if (err == -ENOENT)
		snprintf(why, IMAGE_WHY_MAX, "not a CPython process: genscope doctor lists those");
	return err;
}

int images_of_executable(struct images *images, const char *path, struct image_file **out,
			 char *why)
{
	char library[PATH_MAX], absolute[PATH_MAX];
	int err;

	err = images_add(images, path, realpath(path, absolute) ? absolute : path, out, why);
	if (err != -ENOENT || access(path, F_OK))
		return err;
	if (loader_find_library(path, "libpython", library, sizeof(library)))
		return err;
	return images_add(images, library, library, out, why);
}

int image_bias(const struct image_file *image, pid_t pid, uint64_t *bias)
{
	struct mapping *maps;
	size_t count;
	int err = maps_read(pid, &maps, &count);

	if (err)
		return err == -ENOEXEC ? -ESRCH : err;
	err = -ENOENT;
	/* (the device of a mapping is not what stat() says on some file systems) */
	for (size_t i = 0; err && i < count; i++)
		if (maps[i].executable && maps[i].inode == image->inode)
			err = elf_file_bias(image->elf, maps[i].start, maps[i].offset, bias);
	maps_free(maps, count);
	return err ? -ENOENT : 0;
}

void images_free(struct images *images)
{
	for (size_t i = 0; i < images->count; i++)
		image_free(images->at[i]);
	images->count = 0;
}
