// SPDX-License-Identifier: MIT
#include "http/pages.h"

#include <string.h>

#include "http/negotiate.h"

#define STATUS_NOT_FOUND   404
#define STATUS_UNAVAILABLE 503
#define TEXT_TYPE          "text/plain; charset=utf-8"

static int render_landing(const struct pages *pages, struct http_answer *answer)
{
	answer->content_type = "text/html; charset=utf-8";
	buffer_puts(&answer->body,
		    "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
		    "<title>genscope</title></head>\n<body>\n<h1>genscope ");
	buffer_puts(&answer->body, pages->version);
	buffer_puts(&answer->body,
		    "</h1>\n<p>What the generators, coroutines and async generators of the running "
		    "Python programs do.</p>\n<ul>\n<li><a href=\"metrics\">/metrics</a>: for "
		    "Prometheus</li>\n<li><a href=\"healthz\">/healthz</a>: does it work?</li>\n"
		    "</ul>\n</body>\n</html>\n");
	return 0;
}

static int render_metrics(const struct pages *pages, const struct http_request *request,
			  struct http_answer *answer)
{
	enum exposition_format format = negotiate_exposition(request->accept);

	answer->content_type = exposition_content_type(format);
	return pages->metrics(pages->ctx, format, &answer->body);
}

static int render_health(const struct pages *pages, struct http_answer *answer)
{
	char reason[PAGES_REASON_BYTES] = "";

	answer->content_type = TEXT_TYPE;
	if (pages->healthy(pages->ctx, reason)) {
		buffer_puts(&answer->body, "ok\n");
		return 0;
	}
	answer->status = STATUS_UNAVAILABLE;
	buffer_puts(&answer->body, reason);
	buffer_puts(&answer->body, "\n");
	return 0;
}

int pages_render(void *ctx, const struct http_request *request, struct http_answer *answer)
{
	const struct pages *pages = ctx;

	if (!strcmp(request->path, "/metrics"))
		return render_metrics(pages, request, answer);
	if (!strcmp(request->path, "/healthz"))
		return render_health(pages, answer);
	if (!strcmp(request->path, "/"))
		return render_landing(pages, answer);
	answer->status = STATUS_NOT_FOUND;
	answer->content_type = TEXT_TYPE;
	buffer_puts(&answer->body, "there is /, /metrics and /healthz\n");
	return 0;
}
