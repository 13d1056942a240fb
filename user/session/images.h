/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SESSION_IMAGES_H
#define GENSCOPE_SESSION_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "python/interpreter.h"
#include "session/refusal.h"
#include "sites/finder.h"

/*
 * The interpreter files of a run: each is analysed once, however many processes map it, and copies with the
 * same build-id (a container each) only once together.
 */

#define IMAGE_WHY_MAX 512

struct image_file {
	char path[4096]; /* as somebody would name it; for messages */
	char open_path
		[64]; /* /proc/self/fd/N: opens this very inode, whatever happens to the name */
	int fd;
	uint64_t device, inode;
	struct elf_file *elf;
	struct interpreter interpreter;
	struct site_table table;
	uint32_t first_site; /* index of its first site in the BPF array, once attached */
	bool in_bpf;
	struct image_file *same; /* an earlier one with the same build-id: BPF knows them as one */
	bool musl;    /* the C library that its process runs on; decides the thread-local storage */
	bool no_usdt; /* it was said that it has none */
	double analysis_ms;
};

struct images {
	struct image_file *at[IMAGES_MAX];
	size_t count;
	bool without_sites; /* who only reads memory needs none: that half of the analysis is left out */
	/* nothing else is wanted than this one and its copies: others are not kept (-EXDEV); NULL: all */
	const struct image_file *only;
	enum refusal refusal; /* of the last images_of_process() or images_add() that failed */
};

/* Opens and analyses a file, or finds it among those known (by device and inode). `shown` is the name
 * for messages. 0; -ENOENT no CPython in it; -ENOTSUP not a known one; else -errno. `why`
 * (IMAGE_WHY_MAX bytes) then says it in words. */
int images_add(struct images *images, const char *path, const char *shown, struct image_file **out,
	       char *why);

/* The interpreter file that a process maps. -ESRCH gone, -EACCES not allowed to look, -ENOENT no
 * CPython, -ENOTSUP as above. After a failure images->refusal says whether it is, or by its name must be taken for,
 * a CPython all the same, and why it cannot be used. */
int images_of_process(struct images *images, pid_t pid, struct image_file **out, char *why);

/* The interpreter file behind an executable that is not running: itself, or the libpython that its
 * loader would give it. Errors as images_add(). */
int images_of_executable(struct images *images, const char *path, struct image_file **out,
			 char *why);

/* The load bias of the image in a process that maps it: run-time minus link-time address. -ENOENT when it
 * does not, -ESRCH, -EACCES. */
int image_bias(const struct image_file *image, pid_t pid, uint64_t *bias);

/* What BPF is told of it. -ENOTSUP. */
int image_describe(const struct image_file *image, struct image *out);

void images_free(struct images *images);

#endif
