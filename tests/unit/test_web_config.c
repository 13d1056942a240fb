/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <crypt.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/passwords.h"
#include "http/web_ciphers.h"
#include "http/web_config.h"

/* The exporter toolkit's file, as its documentation has it. */

/* bcrypt's own words: vectors of Openwall's crypt_blowfish. */
#define HASH     "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"
#define HASH_2A  "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
#define PASSWORD "U*U" /* of HASH_2A */

static struct web_config *parse(const char *text)
{
	char error[HTTP_ERROR_BYTES] = "";
	struct web_config *config = NULL;

	cr_assert_eq(web_config_parse(text, strlen(text), "/etc/x/web.yml", &config, error), 0,
		     "%s", error);
	return config;
}

static void expect_error(const char *text, const char *expected)
{
	char error[HTTP_ERROR_BYTES] = "";
	struct web_config *config;
	int err = web_config_parse(text, strlen(text), "web.yml", &config, error);

	cr_expect_eq(err, -EINVAL, "%s: %d", text, err);
	cr_expect_str_eq(error, expected);
}

Test(web_config, may_be_empty)
{
	static const char *const empty[] = { "",
					     "# nothing\n",
					     "---\n",
					     "{}",
					     "null",
					     "tls_server_config:\nbasic_auth_users:\n",
					     "http_server_config:\n  headers:\n" };

	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		struct web_config *config = parse(empty[i]);

		cr_expect(!config->tls.enabled);
		cr_expect_eq(config->users.count, 0);
		cr_expect_eq(config->headers.count, 0);
		web_config_free(config);
	}
}

Test(web_config, is_read_whole)
{
	struct web_config *config =
		parse("tls_server_config:\n"
		      "  cert_file: server.crt\n"
		      "  key_file: /keys/server.key\n"
		      "  client_auth_type: RequireAndVerifyClientCert\n"
		      "  client_ca_file: ../ca.crt\n"
		      "  client_allowed_sans: [prometheus, 10.0.0.1]\n"
		      "  min_version: TLS13\n"
		      "  max_version: TLS13\n"
		      "  prefer_server_cipher_suites: no\n"
		      "  curve_preferences: [X25519, CurveP256]\n"
		      "http_server_config:\n"
		      "  http2: false\n"
		      "  headers:\n"
		      "    X-Frame-Options: deny\n"
		      "    Strict-Transport-Security: max-age=31536000; includeSubDomains\n"
		      "basic_auth_users:\n"
		      "  alice: " HASH "\n"
		      "  'bob:': '" HASH_2A "'\n");

	cr_expect(config->tls.enabled);
	cr_expect_str_eq(config->tls.cert_file, "/etc/x/server.crt");
	cr_expect_str_eq(config->tls.key_file, "/keys/server.key");
	cr_expect_str_eq(config->tls.client_ca_file, "/etc/x/../ca.crt");
	cr_expect_null(config->tls.cert);
	cr_expect_eq(config->tls.client_auth, WEB_REQUIRE_AND_VERIFY_CLIENT_CERT);
	cr_assert_eq(config->tls.client_allowed_sans.count, 2);
	cr_expect_str_eq(config->tls.client_allowed_sans.at[1], "10.0.0.1");
	cr_expect_str_eq(config->tls.priorities,
			 "NORMAL:-RSA:-DHE-RSA:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-X25519:"
			 "+GROUP-SECP256R1");
	cr_assert_eq(config->headers.count, 2);
	cr_expect_str_eq(config->headers.at[1].name, "Strict-Transport-Security");
	cr_expect_str_eq(config->headers.at[1].value, "max-age=31536000; includeSubDomains");
	cr_assert_eq(config->users.count, 2);
	cr_expect_str_eq(config->users.at[0].value, HASH);
	cr_expect_str_eq(config->users.at[1].name, "bob:");
	web_config_free(config);
}

Test(web_config, has_certificates_inside)
{
	struct web_config *config =
		parse("tls_server_config:\n  cert: |\n    A\n    B\n  key: K\n");

	cr_expect_str_eq(config->tls.cert, "A\nB\n");
	cr_expect_str_eq(config->tls.key, "K");
	cr_expect_eq(config->tls.client_auth, WEB_NO_CLIENT_CERT);
	web_config_free(config);
}

Test(web_config, says_what_is_wrong)
{
	static const char *const cases[][2] = {
		{ "a: [", "web.yml:2: not YAML: did not find expected node content" },
		{ "- a", "web.yml:1: the file is not a mapping of keys to values" },
		{ "\ntls_config: {}",
		  "web.yml:2: the file has no key tls_config: check its spelling" },
		{ "rate_limit: {burst: 1}", "web.yml:1: rate_limit is not supported: remove it" },
		{ "tls_server_config:\n  cert_fil: x\n",
		  "web.yml:2: tls_server_config has no key cert_fil: check its spelling" },
		{ "basic_auth_users: {}\nbasic_auth_users: {}\n",
		  "web.yml:2: the file has basic_auth_users twice" },
		{ "basic_auth_users:\n  a: " HASH "\n  a: " HASH "\n",
		  "web.yml:3: basic_auth_users has a twice" },
		{ "basic_auth_users: [a]",
		  "web.yml:1: basic_auth_users is not a mapping of keys to values" },
		{ "basic_auth_users: {a: [b]}",
		  "web.yml:1: a value of basic_auth_users is not a text" },
		{ "basic_auth_users: {a: secret}",
		  "web.yml:1: the password of a is not a bcrypt hash ($2y$...): make one with "
		  "htpasswd -nBC 10 ''" },
		{ "basic_auth_users: {a: }",
		  "web.yml:1: the password of a is not a bcrypt hash ($2y$...): make one with "
		  "htpasswd -nBC 10 ''" },
		{ "basic_auth_users: {a: "
		  "$2y$31$abcdefghijklmnopqrstuuE5YPO9kmyuRGyh0XouQYb4YMJKvyOeW}",
		  "web.yml:1: the password of a has a bcrypt cost that is not 4 to 16: 10 is "
		  "usual" },
		{ "tls_server_config: {cert_file: x}",
		  "web.yml:1: tls_server_config has neither key nor key_file" },
		{ "tls_server_config: {key_file: x}",
		  "web.yml:1: tls_server_config has neither cert nor cert_file" },
		{ "tls_server_config: {cert_file: a, key_file: b, client_ca_file: c}",
		  "web.yml:1: a client CA without client_auth_type checks nothing: set it to "
		  "RequireAndVerifyClientCert" },
		{ "tls_server_config: {cert_file: a, key_file: b, client_auth_type: Any}",
		  "web.yml:1: unknown client_auth_type Any" },
		{ "tls_server_config: {cert_file: a, key_file: b, client_allowed_sans: [x]}",
		  "web.yml:1: client_allowed_sans wants client_auth_type "
		  "RequireAndVerifyClientCert or "
		  "RequireAnyClientCert" },
		{ "tls_server_config: {min_version: SSL3}",
		  "web.yml:1: unknown TLS version SSL3: use TLS10, TLS11, TLS12 or TLS13" },
		{ "tls_server_config: {min_version: TLS13, max_version: TLS12}",
		  "web.yml:1: min_version TLS13 is above max_version TLS12" },
		{ "tls_server_config: {cipher_suites: [TLS_NULL]}",
		  "web.yml:1: unknown cipher suite TLS_NULL" },
		{ "tls_server_config: {cipher_suites: [TLS_AES_128_GCM_SHA256]}",
		  "web.yml:1: cipher_suites has none of TLS 1.2: write min_version: TLS13 "
		  "instead" },
		{ "tls_server_config: {curve_preferences: [P256]}",
		  "web.yml:1: unknown curve P256: use CurveP256, CurveP384, CurveP521 or X25519" },
		{ "tls_server_config: {prefer_server_cipher_suites: maybe}",
		  "web.yml:1: neither true nor false" },
		{ "http_server_config: {headers: {Server: x}}",
		  "web.yml:1: HTTP header Server cannot be configured" },
		{ "http_server_config: {headers: {X-Frame-Options: allow}}",
		  "web.yml:1: HTTP header X-Frame-Options is neither deny nor sameorigin" },
		{ "http_server_config: {headers: {X-Content-Type-Options: sniff}}",
		  "web.yml:1: HTTP header X-Content-Type-Options is not nosniff" },
		{ "http_server_config: {headers: {X-XSS-Protection: \"a\\r\\nb\"}}",
		  "web.yml:1: HTTP header X-XSS-Protection has a control character in its value" },
		{ "basic_auth_users: {\"a\\0b\": x}",
		  "web.yml:1: a key of basic_auth_users is not a word" },
		{ "? [a]\n: b\n", "web.yml:1: a key of the file is not a word" },
		{ "<<: {a: b}", "web.yml:1: the file has no key <<: check its spelling" },
		{ "&a a: *a", "web.yml:1: the file has no key a: check its spelling" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_error(cases[i][0], cases[i][1]);
}

static struct web_texts texts(char **at, size_t count)
{
	return (struct web_texts){ at, count };
}

static void expect_suites(char **names, size_t count, const char *expected)
{
	struct web_ciphers ciphers = { .suites = texts(names, count) };
	char error[HTTP_ERROR_BYTES] = "", *priorities = NULL;
	int err = web_ciphers_priorities(&ciphers, &priorities, error);

	cr_expect_str_eq(err ? error : priorities, expected);
	free(priorities);
}

Test(web_ciphers, allow_what_is_named_and_no_more)
{
	char *exact[] = { "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
			  "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA" };
	char *more[] = { "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
			 "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" };

	expect_suites(exact, 2,
		      "NORMAL:-RSA:-DHE-RSA:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-RSA:"
		      "-CIPHER-ALL:+AES-256-GCM:+AES-128-CBC:-MAC-ALL:+AEAD:+SHA1");
	expect_suites(more, 2,
		      "cipher_suites cannot be had without TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 "
		      "here: add it, or name fewer");
}

/* What GnuTLS makes of the priorities, in its own names: the first is TLS 1.3's. */
Test(web_ciphers, are_what_gnutls_understands)
{
	char *names[] = { "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
			  "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA" };
	struct web_ciphers ciphers = { .suites = texts(names, 2) };
	char error[HTTP_ERROR_BYTES], *priorities, found[256] = "";
	gnutls_priority_t cache;
	unsigned suite;

	cr_assert_eq(web_ciphers_priorities(&ciphers, &priorities, error), 0);
	cr_assert_eq(gnutls_priority_init(&cache, priorities, NULL), 0);
	for (unsigned i = 0; gnutls_priority_get_cipher_suite_index(cache, i, &suite) !=
			     GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
	     i++) {
		const char *name = gnutls_cipher_suite_info(suite, NULL, NULL, NULL, NULL, NULL);

		if (name)
			strcat(strcat(found, name), " ");
	}
	cr_expect_str_eq(found, "TLS_AES_256_GCM_SHA384 TLS_ECDHE_RSA_AES_256_GCM_SHA384 "
				"TLS_ECDHE_RSA_AES_128_CBC_SHA1 ");
	gnutls_priority_deinit(cache);
	free(priorities);
}

Test(passwords, are_parsed)
{
	static const struct {
		const char *header, *user, *password; /* user NULL: refused */
	} cases[] = {
		{ "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame" }, /* RFC 7617 */
		{ "Basic dGVzdDoxMjPCow==", "test", "123\u00a3" },                  /* RFC 7617 */
		{ "bAsIc   YTpiOmM=", "a", "b:c" },
		{ "Basic Og==", "", "" },
		{ "Basic YQ==", NULL, NULL },     /* no colon */
		{ "Basic YTpiAGM=", NULL, NULL }, /* a NUL */
		{ "Basic", NULL, NULL },
		{ "Basic ", NULL, NULL },
		{ "Basic !!!!", NULL, NULL },
		{ "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", NULL, NULL },
		{ "", NULL, NULL },
		{ NULL, NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct credentials got;
		bool valid = credentials_parse(cases[i].header, &got);

		cr_expect_eq(valid, cases[i].user != NULL, "%s", cases[i].header);
		if (!valid || !cases[i].user)
			continue;
		cr_expect_str_eq(got.user, cases[i].user);
		cr_expect_str_eq(got.password, cases[i].password);
	}
}

Test(passwords, that_are_long_are_nobodys)
{
	char header[4096] = "Basic ";
	struct credentials got;

	for (size_t size = 6; size < sizeof(header) - 1; size++) {
		header[size] = 'A';
		cr_expect(!credentials_parse(header, &got)); /* NULs, and then too much */
	}
	strcpy(header, "Basic ");
	for (int i = 0; i < 170; i++)
		strcat(header, "YWFh"); /* aaa */
	strcat(header, "OmFh");         /* :aa */
	cr_expect(credentials_parse(header, &got));
	cr_expect_eq(strlen(got.user), 510);
	strcpy(header, "Basic ");
	for (int i = 0; i < 171; i++)
		strcat(header, "YWFh");
	strcat(header, "OmFh");
	cr_expect(!credentials_parse(header, &got));
}

Test(passwords, match_by_bcrypt)
{
	cr_expect(password_matches(HASH_2A, PASSWORD));
	cr_expect(!password_matches(HASH_2A, "U*U*"));
	cr_expect(!password_matches(HASH_2A, ""));
	cr_expect(password_matches("$2y$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a",
				   "U*U*U"));
	cr_expect(password_matches("$2b$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a",
				   "U*U*U"));
}

Test(passwords, have_a_hash_for_strangers_too)
{
	struct web_pair at[] = {
		{ "alice", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
		{ "bob", "$2y$12$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
		{ "carol", "$2y$08$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
	};
	struct web_pairs users = { at, 3 };
	bool known;

	cr_expect_eq(passwords_hash(&users, "alice", &known), at[0].value);
	cr_expect(known);
	cr_expect_eq(passwords_hash(&users, "mallory", &known), at[1].value, "the costliest");
	cr_expect(!known);
}

Test(passwords, are_remembered_with_their_user_and_hash)
{
	struct credentials right = { "alice", PASSWORD }, other = { "alice", "x" },
			   shifted = { "aliceU", "*U" };
	struct passwords *passwords;

	cr_assert_eq(passwords_new(&passwords), 0);
	cr_expect(!passwords_recall(passwords, &right, HASH));
	cr_expect(passwords_remember(passwords, &right, HASH));
	cr_expect(passwords_recall(passwords, &right, HASH));
	cr_expect(!passwords_recall(passwords, &right, HASH_2A), "the hash has changed");
	cr_expect(!passwords_recall(passwords, &other, HASH));
	cr_expect(!passwords_recall(passwords, &shifted, HASH));
	for (int i = 0; i < 64; i++) {
		struct credentials another = { "x", "" };

		snprintf(another.password, sizeof(another.password), "%d", i);
		cr_expect(passwords_remember(passwords, &another, HASH));
	}
	cr_expect(!passwords_recall(passwords, &right, HASH), "the oldest makes room");
	passwords_free(passwords);
}
