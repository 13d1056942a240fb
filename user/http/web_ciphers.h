/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_HTTP_WEB_CIPHERS_H
#define GENSCOPE_HTTP_WEB_CIPHERS_H

#include <stdbool.h>

#include "http/web_config.h"

/* Go's names, as the web configuration has them, in GnuTLS's words. */
struct web_ciphers {
	char *min_version, *max_version; /* "TLS12"; NULL: TLS12 and TLS13 */
	struct web_texts suites;         /* of none: the library's choice, with forward secrecy */
	struct web_texts curves;
	bool server_order;
};

/* The priority string, the caller's to free(). An error has no place in the file: the caller adds it. */
int web_ciphers_priorities(const struct web_ciphers *ciphers, char **priorities,
			   char error[HTTP_ERROR_BYTES]);

#endif
