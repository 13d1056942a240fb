/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_HTTP_PAGES_H
#define GENSCOPE_HTTP_PAGES_H

#include "http/server.h"
#include "sink/exposition.h"

/* The pages of the exporter: "/", "/metrics" and "/healthz". All else is 404. */

#define PAGES_REASON_BYTES 256

struct pages {
	const char *version; /* as the landing page shows it */
	/* Writes the metrics into `body`. 0 or a negative errno. */
	int (*metrics)(void *ctx, enum exposition_format format, struct buffer *body);
	/* True, or false and why in a line without an end. */
	bool (*healthy)(void *ctx, char reason[PAGES_REASON_BYTES]);
	void *ctx;
};

/* A `render` for struct http_handler; `ctx` is a struct pages. */
int pages_render(void *ctx, const struct http_request *request, struct http_answer *answer);

#endif
