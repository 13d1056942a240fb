/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_HTTP_INTERNAL_H
#define GENSCOPE_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http/checker.h"
#include "http/front.h"
#include "http/server.h"
#include "http/web_watch.h"

/* What the files of the server share. */
struct http_server {
	struct http_handler handler;
	struct listeners listeners;
	struct connections connections;
	struct web_watch *watch;        /* NULL without a web configuration */
	struct MHD_Daemon *plain, *tls; /* tls: with a web configuration only */
	struct checker *checker;        /* with a web configuration only */
	struct front *front;
	pthread_mutex_t render_lock;
	atomic_size_t answers_bytes; /* on their way */
};

/* libmicrohttpd's callbacks; `cls` is the server. */
enum MHD_Result request_handle(void *cls, struct MHD_Connection *connection, const char *url,
			       const char *method, const char *version, const char *upload,
			       size_t *upload_size, void **context);
void request_completed(void *cls, struct MHD_Connection *connection, void **context,
		       enum MHD_RequestTerminationCode code);

#endif
