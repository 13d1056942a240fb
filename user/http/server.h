/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_HTTP_SERVER_H
#define GENSCOPE_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "http/connections.h"
#include "http/error.h"
#include "python/buffer.h"

/*
 * A small HTTP/1.1 server for pages that are made when they are asked for: GET and HEAD, no bodies, gzip,
 * TLS and passwords by a web configuration. It runs in threads of its own and never holds up who
 * started it; what it holds in memory and for how long is bounded (http/connections.h and below).
 *
 * The threads: one accepts, looks at the first byte and keeps the time; one each reads requests and
 * writes answers for plain and for TLS connections (libmicrohttpd); one checks passwords.
 */
struct http_request {
	const char *path;   /* as it was sent, without the query; not NULL */
	const char *accept; /* or NULL */
};

/* What a handler fills in. Starts as an empty page with status 200. */
struct http_answer {
	unsigned status;
	const char *content_type; /* must outlive the server */
	struct buffer body;       /* the server frees it */
};

/* Answers of more than this, all that are on their way together, are refused with 503. */
#define HTTP_ANSWERS_BYTES (64 * 1024 * 1024)
/* Of a request's line and headers: 414 and 431 beyond. Per connection. */
#define HTTP_REQUEST_BYTES (16 * 1024)

/*
 * `render` makes a page; what is not 0 (a negative errno) becomes status 500. It is called in the server's
 * threads, one call at a time: it must not take long, and must guard what it shares with others.
 * `report` gets what an operator should read, a line without an end, from the server's threads.
 */
struct http_handler {
	int (*render)(void *ctx, const struct http_request *request, struct http_answer *answer);
	void (*report)(void *ctx, const char *line);
	void *ctx;
};

struct http_options {
	const char *const *addresses; /* as listeners_open() takes them */
	size_t address_count;
	bool inherit;                     /* sockets from systemd, too */
	const char *web_config;           /* path; or NULL: plain, open to all */
	const struct http_limits *limits; /* or NULL: http_limits_default */
	struct http_handler handler;
};

struct http_server;

/* 0, or a negative errno and a line in `error`. All signals are blocked in its threads. */
int http_server_start(const struct http_options *options, struct http_server **out,
		      char error[HTTP_ERROR_BYTES]);

/* Where it listens ("127.0.0.1:9964"), one by one; NULL beyond the last. */
const char *http_server_address(const struct http_server *server, size_t index);

/* Closes all and frees it. Waits for a page that is being made and a password that is being checked. NULL
 * is fine. */
void http_server_stop(struct http_server *server);

#endif
