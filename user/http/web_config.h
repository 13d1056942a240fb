/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_HTTP_WEB_CONFIG_H
#define GENSCOPE_HTTP_WEB_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "http/error.h"

/*
 * The web configuration that Prometheus exporters share (the exporter toolkit's YAML file): TLS, basic
 * authentication, headers. Here are its words; http/tls.h and http/passwords.h live by them.
 *
 * Where it differs from the toolkit: what GnuTLS cannot honour exactly is refused, as are costs of bcrypt
 * that would keep a core busy for minutes, and rate_limit; http2 is read and ignored (this server speaks
 * HTTP/1.1).
 */
enum web_client_auth {
	WEB_NO_CLIENT_CERT,
	WEB_REQUEST_CLIENT_CERT,
	WEB_REQUIRE_ANY_CLIENT_CERT,
	WEB_VERIFY_CLIENT_CERT_IF_GIVEN,
	WEB_REQUIRE_AND_VERIFY_CLIENT_CERT,
};

struct web_texts {
	char **at;
	size_t count;
};

struct web_tls {
	bool enabled;
	char *cert, *key, *client_ca; /* PEM; NULL if in a file or absent */
	char *cert_file, *key_file,
		*client_ca_file; /* as seen from here; a file wins over a text */
	enum web_client_auth client_auth;
	struct web_texts client_allowed_sans;
	char *priorities; /* versions, ciphers and curves as a GnuTLS priority string */
};

struct web_pair {
	char *name, *value;
};
struct web_pairs {
	struct web_pair *at;
	size_t count;
};

struct web_config {
	struct web_tls tls;
	struct web_pairs users; /* names and bcrypt hashes; none: no authentication */
	struct web_pairs headers;
};

/* Costs of bcrypt that are accepted: each step doubles the time; 16 takes some 4 s. */
#define WEB_BCRYPT_COST_MIN 4
#define WEB_BCRYPT_COST_MAX 16

/* Parses the text of a file at `path`: paths inside are relative to its directory. Reads no file.
 * 0, or a negative errno and a line in `error`. web_config_free() takes NULL. */
int web_config_parse(const char *text, size_t size, const char *path, struct web_config **config,
		     char error[HTTP_ERROR_BYTES]);
int web_config_read(const char *path, struct web_config **config, char error[HTTP_ERROR_BYTES]);
void web_config_free(struct web_config *config);

/* A whole file of at most WEB_FILE_BYTES as a string, for web_file_free(). Errors as above. */
#define WEB_FILE_BYTES (1024 * 1024)
int web_file_read(const char *path, char **text, size_t *size, char error[HTTP_ERROR_BYTES]);
/* Leaves no key behind in memory. NULL is fine. */
void web_file_free(char *text, size_t size);

#endif
