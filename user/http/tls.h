/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_HTTP_TLS_H
#define GENSCOPE_HTTP_TLS_H

#include <gnutls/gnutls.h>

#include "http/web_config.h"

/* Certificates and rules for the sessions of a server. */
struct tls_context;

/* Reads the files that `tls` names. 0, or a negative errno and a line in `error`. `tls` must outlive the
 * context. tls_context_free() takes NULL. */
int tls_context_new(const struct web_tls *tls, struct tls_context **out,
		    char error[HTTP_ERROR_BYTES]);
void tls_context_free(struct tls_context *context);

/* Makes a session live by the rules, before its handshake. The context must outlive the session, whose
 * gnutls_db_get_ptr() becomes ours. 0 or a negative errno. */
int tls_context_apply(struct tls_context *context, gnutls_session_t session);

#endif
