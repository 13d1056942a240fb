/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_HTTP_LISTENERS_H
#define GENSCOPE_HTTP_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "http/error.h"

/* Sockets that listen. Functions that fail return a negative errno and a line in `error`, which begins
 * with the address. */

#define LISTENERS_MAX       16
#define LISTENER_NAME_BYTES 128

struct listener {
	int fd; /* does not block, closed on exec */
	bool tcp;
	char name
		[LISTENER_NAME_BYTES]; /* where it is bound: "127.0.0.1:9964", "unix:/run/x.sock" */
	bool owns_path; /* the socket file is ours to remove, if it is still this one: */
	dev_t device;
	ino_t inode;
};

struct listeners {
	struct listener at[LISTENERS_MAX];
	size_t count;
};

/* Adds one: "host:port", "[v6]:port", ":port" (every interface), "unix:/path" ("unix:path" too). Port 0 is
 * one that is free. A socket file that nobody listens to any more is replaced. */
int listeners_open(struct listeners *listeners, const char *address, char error[HTTP_ERROR_BYTES]);

/* Adds those that systemd passed (LISTEN_FDS, LISTEN_PID), and takes the variables out of the environment.
 * 0 also if there are none. */
int listeners_inherit(struct listeners *listeners, char error[HTTP_ERROR_BYTES]);

/* Closes all, and removes the socket files. */
void listeners_close(struct listeners *listeners);

#endif
