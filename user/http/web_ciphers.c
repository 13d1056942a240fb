// SPDX-License-Identifier: MIT
/*
 * GnuTLS takes lists of key exchanges and of ciphers and allows every pair of the two; the configuration
 * names pairs. A list that would allow more than it names is refused: whoever writes such a list means
 * it. TLS 1.3 has no key exchange in its suites and takes the same ciphers.
 */
#include "http/web_ciphers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "python/buffer.h"

enum exchange { ECDHE_ECDSA, ECDHE_RSA, RSA, EXCHANGES };
enum cipher { AES_128_GCM, AES_256_GCM, CHACHA20, AES_128_CBC, AES_256_CBC, CIPHERS };

static const char *const exchanges[] = { "ECDHE-ECDSA", "ECDHE-RSA", "RSA" };
static const char *const cipher_names[] = { "AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305",
					    "AES-128-CBC", "AES-256-CBC" };

static const char *const suites[EXCHANGES][CIPHERS] = {
	[ECDHE_ECDSA] = { "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
			  "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
			  "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
			  "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
			  "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA" },
	[ECDHE_RSA] = { "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
			"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
			"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
			"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
			"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA" },
	[RSA] = { "TLS_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_256_GCM_SHA384", NULL,
		  "TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_256_CBC_SHA" },
};

/* Go lists them, and does not let anybody choose among them. */
static const char *const suites_of_13[] = { "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
					    "TLS_CHACHA20_POLY1305_SHA256" };

static const struct {
	const char *go, *gnutls;
} versions[] = { { "TLS10", "VERS-TLS1.0" },
		 { "TLS11", "VERS-TLS1.1" },
		 { "TLS12", "VERS-TLS1.2" },
		 { "TLS13", "VERS-TLS1.3" } },
  curves[] = { { "CurveP256", "GROUP-SECP256R1" },
	       { "CurveP384", "GROUP-SECP384R1" },
	       { "CurveP521", "GROUP-SECP521R1" },
	       { "X25519", "GROUP-X25519" } };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Index into `versions`, negative if there is no such one. */
static int find_version(const char *name)
{
	for (size_t i = 0; i < COUNT(versions); i++)
		if (!strcmp(versions[i].go, name))
			return (int)i;
	return -EINVAL;
}

static int put_versions(struct buffer *out, const struct web_ciphers *ciphers, char *error)
{
	const char *min_name = ciphers->min_version ? ciphers->min_version : "TLS12";
	const char *max_name = ciphers->max_version ? ciphers->max_version : "TLS13";
	int min = find_version(min_name), max = find_version(max_name);

	if (min < 0 || max < 0) {
		snprintf(error, HTTP_ERROR_BYTES,
			 "unknown TLS version %s: use TLS10, TLS11, TLS12 or TLS13",
			 min < 0 ? min_name : max_name);
		return -EINVAL;
	}
	if (min > max) {
		snprintf(error, HTTP_ERROR_BYTES, "min_version %s is above max_version %s",
			 min_name, max_name);
		return -EINVAL;
	}
	buffer_puts(out, ":-VERS-ALL");
	for (int i = max; i >= min; i--)
		buffer_printf(out, ":+%s", versions[i].gnutls);
	return 0;
}

struct chosen {
	bool suite[EXCHANGES][CIPHERS];
	bool exchange[EXCHANGES], cipher[CIPHERS];
	int exchange_order[EXCHANGES], cipher_order[CIPHERS];
	size_t exchanges, ciphers;
};

static bool choose(struct chosen *chosen, const char *name)
{
	for (int x = 0; x < EXCHANGES; x++)
		for (int c = 0; c < CIPHERS; c++) {
			if (!suites[x][c] || strcmp(suites[x][c], name))
				continue;
			chosen->suite[x][c] = true;
			if (!chosen->exchange[x])
				chosen->exchange_order[chosen->exchanges++] = x;
			if (!chosen->cipher[c])
				chosen->cipher_order[chosen->ciphers++] = c;
			chosen->exchange[x] = chosen->cipher[c] = true;
			return true;
		}
	for (size_t i = 0; i < COUNT(suites_of_13); i++)
		if (!strcmp(suites_of_13[i], name))
			return true;
	return false;
}

/* The first suite that would come with the chosen ones unasked; NULL if there is none. */
static const char *unasked(const struct chosen *chosen)
{
	for (int x = 0; x < EXCHANGES; x++)
		for (int c = 0; c < CIPHERS; c++)
			if (suites[x][c] && chosen->exchange[x] && chosen->cipher[c] &&
			    !chosen->suite[x][c])
				return suites[x][c];
	return NULL;
}

static int put_suites(struct buffer *out, const struct web_ciphers *ciphers, char *error)
{
	struct chosen chosen = {};
	const char *more;

	for (size_t i = 0; i < ciphers->suites.count; i++)
		if (!choose(&chosen, ciphers->suites.at[i])) {
			snprintf(error, HTTP_ERROR_BYTES, "unknown cipher suite %.100s",
				 ciphers->suites.at[i]);
			return -EINVAL;
		}
	if (!chosen.exchanges) {
		snprintf(error, HTTP_ERROR_BYTES,
			 "cipher_suites has none of TLS 1.2: write min_version: TLS13 instead");
		return -EINVAL;
	}
	more = unasked(&chosen);
	if (more) {
		snprintf(error, HTTP_ERROR_BYTES,
			 "cipher_suites cannot be had without %s here: add it, or name fewer",
			 more);
		return -EINVAL;
	}
	buffer_puts(out, ":-KX-ALL");
	for (size_t i = 0; i < chosen.exchanges; i++)
		buffer_printf(out, ":+%s", exchanges[chosen.exchange_order[i]]);
	buffer_puts(out, ":-CIPHER-ALL");
	for (size_t i = 0; i < chosen.ciphers; i++)
		buffer_printf(out, ":+%s", cipher_names[chosen.cipher_order[i]]);
	buffer_puts(out, ":-MAC-ALL:+AEAD:+SHA1"); /* SHA1 goes with CBC only */
	return 0;
}

static int put_curves(struct buffer *out, const struct web_ciphers *ciphers, char *error)
{
	buffer_puts(out, ":-GROUP-ALL");
	for (size_t i = 0; i < ciphers->curves.count; i++) {
		size_t at = 0;

		while (at < COUNT(curves) && strcmp(curves[at].go, ciphers->curves.at[i]))
			at++;
		if (at == COUNT(curves)) {
			snprintf(error, HTTP_ERROR_BYTES,
				 "unknown curve %.100s: use CurveP256, CurveP384, CurveP521 or "
				 "X25519",
				 ciphers->curves.at[i]);
			return -EINVAL;
		}
		buffer_printf(out, ":+%s", curves[at].gnutls);
	}
	return 0;
}

int web_ciphers_priorities(const struct web_ciphers *ciphers, char **priorities,
			   char error[HTTP_ERROR_BYTES])
{
	struct buffer out = {};
	int err;

	/* RSA and DHE: no forward secrecy, and slow; Go offers neither by itself. */
	buffer_puts(&out, "NORMAL:-RSA:-DHE-RSA");
	err = put_versions(&out, ciphers, error);
	if (!err && ciphers->suites.count)
		err = put_suites(&out, ciphers, error);
	if (!err && ciphers->curves.count)
		err = put_curves(&out, ciphers, error);
	if (!err && ciphers->server_order)
		buffer_puts(&out, ":%SERVER_PRECEDENCE");
	if (!err && out.failed) {
		snprintf(error, HTTP_ERROR_BYTES, "out of memory");
		err = -ENOMEM;
	}
	if (err)
		free(out.text);
	else
		*priorities = out.text;
	return err;
}
