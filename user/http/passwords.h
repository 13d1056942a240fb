/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_HTTP_PASSWORDS_H
#define GENSCOPE_HTTP_PASSWORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "http/web_config.h"

/*
 * Who may see the pages: HTTP's Basic authentication against bcrypt hashes. A hash takes 70 ms by design
 * (cost 10), so a password that was right is remembered, as an HMAC under a key that lives and dies with
 * the program. A wrong one is computed each time, and takes as long for a user that does not exist.
 */

/* The name and password of an Authorization header. Longer ones are nobody's. */
#define CREDENTIALS_BYTES 512
struct credentials {
	char user[CREDENTIALS_BYTES];
	char password[CREDENTIALS_BYTES];
};

/* False if the header (which may be NULL) has none, or malformed ones. */
bool credentials_parse(const char *header, struct credentials *credentials);
void credentials_wipe(struct credentials *credentials);

/* What to compare with: the hash of that user, or with `*known` false one that costs the same. NULL if
 * there are no users. */
const char *passwords_hash(const struct web_pairs *users, const char *user, bool *known);

/* Does the password belong to the hash? Takes as long as bcrypt takes. */
bool password_matches(const char *hash, const char *password);

/* What was right before; safe to use from several threads. passwords_free() takes NULL. */
struct passwords;
int passwords_new(struct passwords **out);
void passwords_free(struct passwords *passwords);
bool passwords_remember(struct passwords *passwords, const struct credentials *credentials,
			const char *hash);
bool passwords_recall(struct passwords *passwords, const struct credentials *credentials,
		      const char *hash);

#endif
