// SPDX-License-Identifier: MIT
#include "http/passwords.h"

#include <crypt.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEY_BYTES    32
#define DIGEST_BYTES 32 /* SHA-256 */
#define REMEMBERED   64 /* right passwords; the oldest makes room */

struct passwords {
	pthread_mutex_t lock;
	uint8_t key[KEY_BYTES];
	uint8_t digests[REMEMBERED][DIGEST_BYTES];
	size_t count, next;
};

void credentials_wipe(struct credentials *credentials)
{
	explicit_bzero(credentials, sizeof(*credentials));
}

/* "user:password"; neither may hold a NUL, which would end it early for the comparison. */
static bool split(const gnutls_datum_t *decoded, struct credentials *credentials)
{
	const char *text = (const char *)decoded->data, *colon = memchr(text, ':', decoded->size);
	size_t user, password;

	if (!colon || memchr(text, 0, decoded->size))
		return false;
	user = (size_t)(colon - text);
	password = decoded->size - user - 1;
	if (user >= CREDENTIALS_BYTES || password >= CREDENTIALS_BYTES)
		return false;
	memcpy(credentials->user, text, user);
	memcpy(credentials->password, colon + 1, password);
	credentials->user[user] = credentials->password[password] = 0;
	return true;
}

bool credentials_parse(const char *header, struct credentials *credentials)
{
	static const char scheme[] = "Basic ";
	gnutls_datum_t encoded, decoded = {};
	bool valid;

	if (!header || strncasecmp(header, scheme, strlen(scheme)))
		return false;
	header += strlen(scheme);
	header += strspn(header, " ");
	encoded = (gnutls_datum_t){ (unsigned char *)(uintptr_t)header, (unsigned)strlen(header) };
	/* its limit: as much as both parts may have, and base64's third */
	if (!encoded.size || encoded.size > 3 * CREDENTIALS_BYTES ||
	    gnutls_base64_decode2(&encoded, &decoded))
		return false;
	valid = decoded.size && split(&decoded, credentials);
	if (decoded.data)
		explicit_bzero(decoded.data, decoded.size);
	gnutls_free(decoded.data);
	return valid;
}

/* The two digits of the cost decide how long a hash takes. */
static bool is_costlier(const char *hash, const char *than)
{
	return strncmp(hash + 4, than + 4, 2) > 0;
}

const char *passwords_hash(const struct web_pairs *users, const char *user, bool *known)
{
	const char *decoy = NULL;

	*known = false;
	for (size_t i = 0; i < users->count; i++) {
		const char *hash = users->at[i].value;

		if (!strcmp(users->at[i].name, user)) {
			*known = true;
			return hash;
		}
		if (!decoy || is_costlier(hash, decoy))
			decoy = hash;
	}
	return decoy;
}

static bool is_same(const void *a, const void *b, size_t size)
{
	return !gnutls_memcmp(a, b, size);
}

bool password_matches(const char *hash, const char *password)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	const char *computed;
	bool same;

	if (!data)
		return false;
	computed = crypt_r(password, hash, data);
	same = computed && strlen(computed) == strlen(hash) &&
	       is_same(computed, hash, strlen(hash));
	explicit_bzero(data, sizeof(*data));
	free(data);
	return same;
}

int passwords_new(struct passwords **out)
{
	struct passwords *passwords = calloc(1, sizeof(*passwords));

	if (!passwords)
		return -ENOMEM;
	if (gnutls_rnd(GNUTLS_RND_KEY, passwords->key, sizeof(passwords->key))) {
		free(passwords);
		return -EIO;
	}
	pthread_mutex_init(&passwords->lock, NULL);
	*out = passwords;
	return 0;
}

void passwords_free(struct passwords *passwords)
{
	if (!passwords)
		return;
	pthread_mutex_destroy(&passwords->lock);
	explicit_bzero(passwords, sizeof(*passwords));
	free(passwords);
}

/* Over all three, each with its NUL. */
static bool digest(const struct passwords *passwords, const struct credentials *credentials,
		   const char *hash, uint8_t out[DIGEST_BYTES])
{
	const char *parts[] = { credentials->user, hash, credentials->password };
	gnutls_hmac_hd_t hmac;
	bool failed = false;

	if (gnutls_hmac_init(&hmac, GNUTLS_MAC_SHA256, passwords->key, sizeof(passwords->key)))
		return false;
	for (int i = 0; i < 3; i++)
		failed |= gnutls_hmac(hmac, parts[i], strlen(parts[i]) + 1) != 0;
	gnutls_hmac_deinit(hmac, out);
	return !failed;
}

bool passwords_remember(struct passwords *passwords, const struct credentials *credentials,
			const char *hash)
{
	uint8_t mine[DIGEST_BYTES];

	if (passwords_recall(passwords, credentials, hash))
		return true;
	if (!digest(passwords, credentials, hash, mine))
		return false;
	pthread_mutex_lock(&passwords->lock);
	memcpy(passwords->digests[passwords->next], mine, DIGEST_BYTES);
	passwords->next = (passwords->next + 1) % REMEMBERED;
	if (passwords->count < REMEMBERED)
		passwords->count++;
	pthread_mutex_unlock(&passwords->lock);
	return true;
}

bool passwords_recall(struct passwords *passwords, const struct credentials *credentials,
		      const char *hash)
{
	uint8_t mine[DIGEST_BYTES];
	bool found = false;

	if (!digest(passwords, credentials, hash, mine))
		return false;
	pthread_mutex_lock(&passwords->lock);
	for (size_t i = 0; i < passwords->count; i++)
		found |= is_same(passwords->digests[i], mine, DIGEST_BYTES);
	pthread_mutex_unlock(&passwords->lock);
	return found;
}
