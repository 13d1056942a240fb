/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_HTTP_FRONT_H
#define GENSCOPE_HTTP_FRONT_H

#include "http/connections.h"
#include "http/web_watch.h"

/*
 * The thread at the door: accepts connections, waits for the first byte of each, and passes it on as a
 * plain or a TLS connection. Who speaks plain HTTP to TLS is told so in plain HTTP. It also keeps the
 * time: that of connections, and that of the web configuration.
 */
struct front;

struct front_options {
	const struct listeners *listeners;
	struct connections *connections;
	struct web_watch *watch; /* or NULL */
	/* Takes the socket over, and closes it also if it fails: then false. */
	bool (*pass)(void *ctx, int fd, bool tls, const struct sockaddr *address, socklen_t size);
	void *ctx;
};

/* What options point to must outlive the front. 0 or a negative errno. */
int front_start(const struct front_options *options, struct front **out);
void front_stop(struct front *front); /* closes who waits at the door; NULL is fine */

#endif
