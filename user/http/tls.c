// SPDX-License-Identifier: MIT
#include "http/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAN_BYTES 256 /* a name is longer than a DNS name may be: nobody's */

struct tls_context {
	const struct web_tls *tls;
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priorities;
};

/* A file, or the text itself where there is none. The caller frees it. */
static int load(const char *path, const char *text, gnutls_datum_t *pem, char *error)
{
	char *bytes = NULL;
	size_t size = 0;
	int err = 0;

	if (path) {
		err = web_file_read(path, &bytes, &size, error);
	} else {
		bytes = strdup(text);
		size = strlen(text);
		if (!bytes)
			err = -ENOMEM;
	}
	if (!err)
		*pem = (gnutls_datum_t){ (unsigned char *)bytes, (unsigned)size };
	return err;
}

static void wipe(gnutls_datum_t *pem)
{
	web_file_free((char *)pem->data, pem->size);
}

static int load_certificate(struct tls_context *context, char *error)
{
	const struct web_tls *tls = context->tls;
	gnutls_datum_t cert = {}, key = {};
	int code, err = load(tls->cert_file, tls->cert, &cert, error);

	if (!err)
		err = load(tls->key_file, tls->key, &key, error);
	if (!err) {
		code = gnutls_certificate_set_x509_key_mem(context->credentials, &cert, &key,
							   GNUTLS_X509_FMT_PEM);
		if (code < 0) {
			snprintf(error, HTTP_ERROR_BYTES,
				 "%s and %s: no certificate with its key: %s",
				 tls->cert_file ? tls->cert_file : "cert",
				 tls->key_file ? tls->key_file : "key", gnutls_strerror(code));
			err = -EINVAL;
		}
	}
	wipe(&cert);
	wipe(&key);
	return err;
}

/* Without a CA of its own, whom the system trusts. */
static int load_client_ca(struct tls_context *context, char *error)
{
	const struct web_tls *tls = context->tls;
	gnutls_datum_t ca = {};
	int count, err;

	if (tls->client_auth != WEB_VERIFY_CLIENT_CERT_IF_GIVEN &&
	    tls->client_auth != WEB_REQUIRE_AND_VERIFY_CLIENT_CERT)
		return 0;
	if (!tls->client_ca_file && !tls->client_ca) {
		count = gnutls_certificate_set_x509_system_trust(context->credentials);
	} else {
		err = load(tls->client_ca_file, tls->client_ca, &ca, error);
		if (err)
			return err;
		count = gnutls_certificate_set_x509_trust_mem(context->credentials, &ca,
							      GNUTLS_X509_FMT_PEM);
		wipe(&ca);
	}
	if (count > 0)
		return 0;
	snprintf(error, HTTP_ERROR_BYTES, "%s: no CA certificate in it: %s",
		 tls->client_ca_file ? tls->client_ca_file : "client_ca",
		 count ? gnutls_strerror(count) : "no PEM block");
	return -EINVAL;
}

static bool is_allowed(const struct web_texts *sans, const char *name)
{
	for (size_t i = 0; i < sans->count; i++)
		if (!strcmp(sans->at[i], name))
			return true;
	return false;
}

/* One alternative name as Go writes it; false for kinds that it does not compare. */
static bool write_san(int type, const char *bytes, size_t size, char text[SAN_BYTES])
{
	if (type == GNUTLS_SAN_IPADDRESS)
		return (size == 4 && inet_ntop(AF_INET, bytes, text, SAN_BYTES)) ||
		       (size == 16 && inet_ntop(AF_INET6, bytes, text, SAN_BYTES));
	if (type != GNUTLS_SAN_DNSNAME && type != GNUTLS_SAN_RFC822NAME && type != GNUTLS_SAN_URI)
		return false;
	if (size >= SAN_BYTES || memchr(bytes, 0, size))
		return false;
	memcpy(text, bytes, size);
	text[size] = 0;
	return true;
}

static bool has_allowed_san(const struct web_texts *sans, gnutls_x509_crt_t cert)
{
	for (unsigned i = 0;; i++) {
		char bytes[SAN_BYTES], text[SAN_BYTES];
		size_t size = sizeof(bytes);
		int type = gnutls_x509_crt_get_subject_alt_name(cert, i, bytes, &size, NULL);

		if (type == GNUTLS_E_SHORT_MEMORY_BUFFER)
			continue;
		if (type < 0)
			return false;
		if (write_san(type, bytes, size, text) && is_allowed(sans, text))
			return true;
	}
}

static bool verify_san(const struct web_texts *sans, const gnutls_datum_t *der)
{
	gnutls_x509_crt_t cert;
	bool allowed;

	if (gnutls_x509_crt_init(&cert))
		return false;
	allowed = !gnutls_x509_crt_import(cert, der, GNUTLS_X509_FMT_DER) &&
		  has_allowed_san(sans, cert);
	gnutls_x509_crt_deinit(cert);
	return allowed;
}

/* Called in each handshake, also without a certificate; what is not 0 ends the handshake. */
static int verify_client(gnutls_session_t session)
{
	const struct tls_context *context = gnutls_db_get_ptr(session);
	const struct web_tls *tls = context->tls;
	gnutls_typed_vdata_st client = { .type = GNUTLS_DT_KEY_PURPOSE_OID,
					 .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT };
	const gnutls_datum_t *peers;
	unsigned count, status;

	peers = gnutls_certificate_get_peers(session, &count);
	if (!peers || !count)
		return tls->client_auth == WEB_REQUIRE_ANY_CLIENT_CERT ||
				       tls->client_auth == WEB_REQUIRE_AND_VERIFY_CLIENT_CERT ?
			       GNUTLS_E_CERTIFICATE_ERROR :
			       0;
	if (tls->client_auth == WEB_VERIFY_CLIENT_CERT_IF_GIVEN ||
	    tls->client_auth == WEB_REQUIRE_AND_VERIFY_CLIENT_CERT) {
		if (gnutls_certificate_verify_peers(session, &client, 1, &status) || status)
			return GNUTLS_E_CERTIFICATE_ERROR;
	}
	if (tls->client_allowed_sans.count && !verify_san(&tls->client_allowed_sans, &peers[0]))
		return GNUTLS_E_CERTIFICATE_ERROR;
	return 0;
}

int tls_context_new(const struct web_tls *tls, struct tls_context **out,
		    char error[HTTP_ERROR_BYTES])
{
	struct tls_context *context = calloc(1, sizeof(*context));
	const char *problem;
	int code, err = -ENOMEM;

	snprintf(error, HTTP_ERROR_BYTES, "out of memory");
	if (!context)
		return err;
	context->tls = tls;
	if (gnutls_certificate_allocate_credentials(&context->credentials))
		goto fail;
	code = gnutls_priority_init(&context->priorities, tls->priorities, &problem);
	if (code) {
		snprintf(error, HTTP_ERROR_BYTES, "tls_server_config: not with this GnuTLS: %s",
			 gnutls_strerror(code));
		err = -EINVAL;
		goto fail;
	}
	err = load_certificate(context, error);
	if (!err)
		err = load_client_ca(context, error);
	if (err)
		goto fail;
	*out = context;
	return 0;
fail:
	tls_context_free(context);
	return err;
}

void tls_context_free(struct tls_context *context)
{
	if (!context)
		return;
	if (context->credentials)
		gnutls_certificate_free_credentials(context->credentials);
	if (context->priorities)
		gnutls_priority_deinit(context->priorities);
	free(context);
}

int tls_context_apply(struct tls_context *context, gnutls_session_t session)
{
	enum web_client_auth auth = context->tls->client_auth;

	if (gnutls_priority_set(session, context->priorities) ||
	    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, context->credentials))
		return -EIO;
	if (auth == WEB_NO_CLIENT_CERT)
		return 0;
	/* the session's own pointer is the HTTP library's; there is no database of sessions */
	gnutls_db_set_ptr(session, context);
	gnutls_session_set_verify_function(session, verify_client);
	gnutls_certificate_server_set_request(
		session,
		auth == WEB_REQUIRE_ANY_CLIENT_CERT || auth == WEB_REQUIRE_AND_VERIFY_CLIENT_CERT ?
			GNUTLS_CERT_REQUIRE :
			GNUTLS_CERT_REQUEST);
	return 0;
}
