/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SESSION_VIEW_H
#define GENSCOPE_SESSION_VIEW_H

#include "python/remote.h"
#include "session/images.h"

/* A process whose memory can be read, and what its interpreter is. */
struct process_view {
	struct image_file *image; /* owned by the images */
	struct memory *memory;
	struct remote remote;
};

/* Reads through a cache of about cache_bytes. -ESRCH, -ENOENT: it is gone, or no CPython; errors as
 * images_of_process() and remote_open(), with `why` (IMAGE_WHY_MAX bytes) in words; then there is nothing to
 * close. */
int process_view_open(struct images *images, pid_t pid, size_t cache_bytes,
		      struct process_view *out, char *why);
void process_view_close(struct process_view *view);

#endif
