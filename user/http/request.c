// SPDX-License-Identifier: MIT
/*
 * One request, from its headers to its answer. libmicrohttpd calls request_handle() once when the headers
 * are there, once more when the request is complete, and once more after a wait for a password.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/gzip.h"
#include "http/internal.h"
#include "http/negotiate.h"

#define GZIP_FROM_BYTES 1024 /* a shorter page fits into a packet anyway */
#define TEXT_TYPE       "text/plain; charset=utf-8"

#define STATUS_TOO_LARGE 413 /* the library has changed its name for it */

enum stage { STAGE_HEADERS, STAGE_COMPLETE, STAGE_WAITING, STAGE_JUDGED };

struct request {
	struct MHD_Connection *connection;
	enum stage stage;
	bool allowed; /* by the password, when judged */
	size_t bytes; /* of its answer, as counted in answers_bytes */
	const struct web_state
		*state; /* held while it is answered; NULL without a web configuration */
};

static struct connection *connection_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static const char *header_of(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static void enter(struct http_server *server, struct MHD_Connection *mhd,
		  enum connection_phase phase)
{
	struct connection *connection = connection_of(mhd);

	if (connection)
		connections_enter(&server->connections, connection, phase);
}

static void add_headers(struct MHD_Response *response, const struct request *request,
			const struct http_answer *answer)
{
	const struct web_pairs *more = request->state ? &request->state->config->headers : NULL;

	if (answer->content_type)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
					answer->content_type);
	if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (answer->status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
					"Basic realm=\"genscope\", charset=\"UTF-8\"");
	if (answer->status == MHD_HTTP_SERVICE_UNAVAILABLE)
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "5");
	for (size_t i = 0; more && i < more->count; i++)
		if (*more->at[i].value) /* blank: unset */
			MHD_add_response_header(response, more->at[i].name, more->at[i].value);
}

/* The answer's body becomes a smaller one, where the client can read it. */
static bool compress(struct MHD_Connection *connection, struct http_answer *answer)
{
	struct buffer smaller = {};

	if (answer->body.size < GZIP_FROM_BYTES ||
	    !negotiate_gzip(header_of(connection, MHD_HTTP_HEADER_ACCEPT_ENCODING)))
		return false;
	if (gzip_compress(&answer->body, &smaller)) {
		free(smaller.text);
		return false;
	}
	free(answer->body.text);
	answer->body = smaller;
	return true;
}

/* Sends it, and frees the body one way or another. */
static enum MHD_Result send_answer(struct http_server *server, struct request *request,
				   struct http_answer *answer)
{
	bool gzipped = compress(request->connection, answer);
	struct MHD_Response *response;
	enum MHD_Result sent;

	response = MHD_create_response_from_buffer(answer->body.size, answer->body.text,
						   MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(answer->body.text);
		return MHD_NO;
	}
	request->bytes = answer->body.size;
	atomic_fetch_add(&server->answers_bytes, request->bytes);
	add_headers(response, request, answer);
	MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding");
	if (gzipped)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
	sent = MHD_queue_response(request->connection, answer->status, response);
	MHD_destroy_response(response);
	return sent;
}

static enum MHD_Result send_word(struct http_server *server, struct request *request,
				 unsigned status, const char *word)
{
	struct http_answer answer = { .status = status, .content_type = TEXT_TYPE };

	buffer_puts(&answer.body, word);
	return send_answer(server, request, &answer);
}

static int render(struct http_server *server, const struct http_request *request,
		  struct http_answer *answer)
{
	int err;

	pthread_mutex_lock(&server->render_lock);
	err = server->handler.render(server->handler.ctx, request, answer);
	pthread_mutex_unlock(&server->render_lock);
	return answer->body.failed ? -1 : err;
}

static enum MHD_Result send_page(struct http_server *server, struct request *request,
				 const char *path)
{
	struct http_request asked = {
		.path = path,
		.accept = header_of(request->connection, MHD_HTTP_HEADER_ACCEPT),
	};
	struct http_answer answer = { .status = MHD_HTTP_OK };

	if (render(server, &asked, &answer)) {
		free(answer.body.text);
		return send_word(server, request, MHD_HTTP_INTERNAL_SERVER_ERROR,
				 "the page could not be made\n");
	}
	if (atomic_load(&server->answers_bytes) + answer.body.size > HTTP_ANSWERS_BYTES) {
		free(answer.body.text);
		return send_word(server, request, MHD_HTTP_SERVICE_UNAVAILABLE,
				 "too much is on its way to others\n");
	}
	return send_answer(server, request, &answer);
}

static void suspend(void *ctx)
{
	struct request *request = ctx;

	request->stage = STAGE_WAITING;
	MHD_suspend_connection(request->connection);
}

static void judged(void *ctx, bool allowed)
{
	struct request *request = ctx;

	request->allowed = allowed;
	request->stage = STAGE_JUDGED;
	MHD_resume_connection(request->connection);
}

static enum checker_verdict authenticate(struct http_server *server, struct request *request)
{
	if (request->stage == STAGE_JUDGED)
		return request->allowed ? CHECKER_ALLOWED : CHECKER_DENIED;
	if (!request->state)
		return CHECKER_ALLOWED;
	return checker_ask(server->checker, &request->state->config->users,
			   header_of(request->connection, MHD_HTTP_HEADER_AUTHORIZATION), suspend,
			   judged, request);
}

static enum MHD_Result answer(struct http_server *server, struct request *request, const char *path)
{
	switch (authenticate(server, request)) {
	case CHECKER_ALLOWED:
		return send_page(server, request, path);
	case CHECKER_DENIED:
		return send_word(server, request, MHD_HTTP_UNAUTHORIZED, "unauthorized\n");
	case CHECKER_FULL:
		return send_word(server, request, MHD_HTTP_SERVICE_UNAVAILABLE,
				 "too many passwords are being checked\n");
	case CHECKER_LATER:
		break;
	}
	return MHD_YES;
}

static bool has_body(struct MHD_Connection *connection)
{
	const char *length = header_of(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return (length && strspn(length, "0") != strlen(length)) ||
	       header_of(connection, MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

/* The headers are there: what can be refused before the rest is read is refused now. */
static enum MHD_Result begin(struct http_server *server, struct MHD_Connection *connection,
			     const char *method, void **context)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return MHD_NO;
	*context = request;
	request->connection = connection;
	request->state = web_watch_get(server->watch);
	enter(server, connection, CONNECTION_BUSY);
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return send_word(server, request, MHD_HTTP_METHOD_NOT_ALLOWED,
				 "only GET and HEAD are answered here\n");
	if (has_body(connection))
		return send_word(server, request, STATUS_TOO_LARGE, "a request has no body here\n");
	request->stage = STAGE_COMPLETE;
	return MHD_YES;
}

enum MHD_Result request_handle(void *cls, struct MHD_Connection *connection, const char *url,
			       const char *method, const char *version, const char *upload,
			       size_t *upload_size, void **context)
{
	struct http_server *server = cls;

	(void)version;
	(void)upload;
	if (!*context)
		return begin(server, connection, method, context);
	*upload_size = 0;
	return answer(server, *context, url);
}

void request_completed(void *cls, struct MHD_Connection *connection, void **context,
		       enum MHD_RequestTerminationCode code)
{
	struct http_server *server = cls;
	struct request *request = *context;

	(void)code;
	if (!request)
		return;
	atomic_fetch_sub(&server->answers_bytes, request->bytes);
	web_state_put(request->state);
	free(request);
	*context = NULL;
	enter(server, connection, CONNECTION_IDLE);
}
