/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_HTTP_WEB_WATCH_H
#define GENSCOPE_HTTP_WEB_WATCH_H

#include "http/tls.h"
#include "http/web_config.h"

/*
 * A web configuration that is read again when its file, or a certificate that it names, has changed.
 * What cannot be used leaves the one before in force, and is told once. So is a file that would take TLS
 * or passwords away: a half-written file looks like that, and an open door must be meant (restart).
 */
struct web_watch;

/* What is in force, shared by those who hold it; unchanging. */
struct web_state {
	struct web_config *config;
	struct tls_context *tls; /* NULL: plain HTTP */
};

/* One line, without an end, from the thread that calls web_watch_check(). */
typedef void web_report(void *ctx, const char *line);

/* 0, or a negative errno and a line in `error`: the first time it must be right. */
int web_watch_new(const char *path, web_report *report, void *ctx, struct web_watch **out,
		  char error[HTTP_ERROR_BYTES]);
void web_watch_free(struct web_watch *watch); /* NULL is fine; states that are held live on */

/* Looks at the files (a few stat() calls). From one thread only. */
void web_watch_check(struct web_watch *watch);

/* From any thread. Of no watch NULL. Every state is given back by web_state_put(), which takes NULL. */
const struct web_state *web_watch_get(struct web_watch *watch);
const struct web_state *web_state_hold(const struct web_state *state);
void web_state_put(const struct web_state *state);

#endif
