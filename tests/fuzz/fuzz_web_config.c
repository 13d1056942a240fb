/* SPDX-License-Identifier: MIT */
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "http/negotiate.h"
#include "http/passwords.h"
#include "http/web_config.h"

/* A web configuration, and headers, that nobody vouches for. What must hold of any input is checked with
 * abort(). */

static void check(const struct web_config *config)
{
	gnutls_priority_t priorities;
	bool known;

	if (config->tls.enabled &&
	    (!(config->tls.cert || config->tls.cert_file) ||
	     !(config->tls.key || config->tls.key_file) || !config->tls.priorities))
		abort();
	if (config->tls.priorities) {
		/* TLS 1.0 with ciphers of 1.2 alone, say, is nothing; but never a wrong word */
		if (gnutls_priority_init(&priorities, config->tls.priorities, NULL) ==
		    GNUTLS_E_INVALID_REQUEST)
			abort();
		gnutls_priority_deinit(priorities);
	}
	for (size_t i = 0; i < config->users.count; i++)
		if (strlen(config->users.at[i].value) != 60 ||
		    passwords_hash(&config->users, config->users.at[i].name, &known) !=
			    config->users.at[i].value ||
		    !known)
			abort();
}

static void try_headers(const char *text)
{
	struct credentials credentials;

	negotiate_exposition(text);
	negotiate_gzip(text);
	if (credentials_parse(text, &credentials) &&
	    (strlen(credentials.user) >= CREDENTIALS_BYTES ||
	     strlen(credentials.password) >= CREDENTIALS_BYTES || strchr(credentials.user, ':')))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char error[HTTP_ERROR_BYTES];
	struct web_config *config;
	char *text = malloc(size + 1);

	memcpy(text, bytes, size);
	text[size] = 0;
	if (!web_config_parse(text, size, "/etc/web.yml", &config, error)) {
		check(config);
		web_config_free(config);
	} else if (!*error || !memchr(error, 0, sizeof(error))) {
		abort();
	}
	try_headers(text);
	free(text);
	return 0;
}
