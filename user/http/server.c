// SPDX-License-Identifier: MIT
#include "http/server.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/internal.h"

/* Must be there for libmicrohttpd to start with TLS; every session gets credentials of ours instead, and
 * so follows the web configuration of its time. */
static int no_certificate(gnutls_session_t session, const gnutls_datum_t *authorities,
			  int authority_count, const gnutls_pk_algorithm_t *algorithms,
			  int algorithm_count, gnutls_pcert_st **certificates,
			  unsigned int *certificate_count, gnutls_privkey_t *key)
{
	(void)session;
	(void)authorities;
	(void)authority_count;
	(void)algorithms;
	(void)algorithm_count;
	(void)certificates;
	(void)certificate_count;
	(void)key;
	return GNUTLS_E_CERTIFICATE_ERROR;
}

static int fd_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

static void apply_tls(struct MHD_Connection *connection, const struct web_state *state)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	if (!state || !info || tls_context_apply(state->tls, info->tls_session))
		shutdown(fd_of(connection), SHUT_RDWR);
}

/* When a connection begins, its TLS session exists and has not shaken hands; when it ends, its session
 * is gone and its socket is still open. (daemon.c of 0.9.75 and of 1.0.) */
static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct http_server *server = cls;
	struct connection *record = *context;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		connections_remove(&server->connections, record);
		return;
	}
	record = connections_take(&server->connections, fd_of(connection));
	*context = record;
	if (record && record->state)
		apply_tls(connection, record->state);
}

/* A path is compared as it was sent: none of ours needs an escape, and %00 would end it early. */
static size_t no_unescape(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls;
	(void)connection;
	return strlen(text);
}

static bool on_pass(void *ctx, int fd, bool tls, const struct sockaddr *address, socklen_t size)
{
	struct http_server *server = ctx;

	return MHD_add_connection(tls ? server->tls : server->plain, fd, address, size) == MHD_YES;
}

/* As many as may be there, and as many that are on their way out. */
static unsigned most_connections(const struct http_server *server)
{
	return 2 * (unsigned)server->listeners.count * server->connections.limits.per_listener;
}

static struct MHD_Daemon *start_daemon(struct http_server *server, bool tls)
{
	struct MHD_OptionItem options[] = {
		{ MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, server },
		{ MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)request_completed, server },
		{ MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)no_unescape, NULL },
		{ MHD_OPTION_CONNECTION_LIMIT, (intptr_t)most_connections(server), NULL },
		{ MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_REQUEST_BYTES, NULL },
		{ MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL },
		{ tls ? MHD_OPTION_HTTPS_CERT_CALLBACK : MHD_OPTION_END, 0, no_certificate },
		{ MHD_OPTION_END, 0, NULL },
	};
	unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
			 MHD_ALLOW_SUSPEND_RESUME | (tls ? MHD_USE_TLS : 0);

	return MHD_start_daemon(flags, 0, NULL, NULL, request_handle, server, MHD_OPTION_ARRAY,
				options, MHD_OPTION_END);
}

static int open_listeners(struct http_server *server, const struct http_options *options,
			  char *error)
{
	int err = options->inherit ? listeners_inherit(&server->listeners, error) : 0;

	for (size_t i = 0; !err && i < options->address_count; i++)
		err = listeners_open(&server->listeners, options->addresses[i], error);
	if (!err && !server->listeners.count) {
		snprintf(error, HTTP_ERROR_BYTES,
			 "no socket to listen at: give an address, or "
			 "start it by a systemd socket unit");
		err = -EINVAL;
	}
	return err;
}

static int start_threads(struct http_server *server, char *error)
{
	struct front_options front = {
		.listeners = &server->listeners,
		.connections = &server->connections,
		.watch = server->watch,
		.pass = on_pass,
		.ctx = server,
	};
	int err = 0;

	if (server->watch)
		err = checker_new(&server->checker);
	if (!err) {
		server->plain = start_daemon(server, false);
		if (server->watch)
			server->tls = start_daemon(server, true);
		if (!server->plain || (server->watch && !server->tls))
			err = -EAGAIN;
	}
	if (!err)
		err = front_start(&front, &server->front);
	if (err)
		snprintf(error, HTTP_ERROR_BYTES, "the HTTP server's threads cannot start: %s",
			 strerror(-err));
	return err;
}

static int start(struct http_server *server, const struct http_options *options, char *error)
{
	sigset_t all, before;
	int err = 0;

	if (options->web_config)
		err = web_watch_new(options->web_config, options->handler.report,
				    options->handler.ctx, &server->watch, error);
	if (!err)
		err = open_listeners(server, options, error);
	if (err)
		return err;
	sigfillset(&all); /* threads inherit it: signals are the caller's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = start_threads(server, error);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

int http_server_start(const struct http_options *options, struct http_server **out,
		      char error[HTTP_ERROR_BYTES])
{
	struct http_server *server = calloc(1, sizeof(*server));
	int err;

	snprintf(error, HTTP_ERROR_BYTES, "out of memory");
	if (!server)
		return -ENOMEM;
	server->handler = options->handler;
	pthread_mutex_init(&server->render_lock, NULL);
	connections_init(&server->connections,
			 options->limits ? options->limits : &http_limits_default);
	err = start(server, options, error);
	if (err)
		http_server_stop(server);
	else
		*out = server;
	return err;
}

const char *http_server_address(const struct http_server *server, size_t index)
{
	return index < server->listeners.count ? server->listeners.at[index].name : NULL;
}

/* In the order in which connections pass them: nobody comes in any more, nobody waits for a password,
 * then all are closed. */
void http_server_stop(struct http_server *server)
{
	if (!server)
		return;
	front_stop(server->front);
	if (server->checker)
		checker_stop(server->checker);
	if (server->plain)
		MHD_stop_daemon(server->plain);
	if (server->tls)
		MHD_stop_daemon(server->tls);
	checker_free(server->checker);
	listeners_close(&server->listeners);
	connections_clear(&server->connections);
	web_watch_free(server->watch);
	pthread_mutex_destroy(&server->render_lock);
	free(server);
}
