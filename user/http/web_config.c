// SPDX-License-Identifier: MIT
#include "http/web_config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/web_ciphers.h"
#include "http/web_yaml.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What is read before it is looked at as a whole. */
struct draft {
	struct web_config config;
	struct web_ciphers ciphers;
	char *client_auth;
	bool http2;
};

static int texts_add(struct web_texts *texts, const char *value)
{
	char **at = reallocarray(texts->at, texts->count + 1, sizeof(*at));

	if (!at)
		return -ENOMEM;
	texts->at = at;
	at[texts->count] = strdup(value);
	if (!at[texts->count])
		return -ENOMEM;
	texts->count++;
	return 0;
}

static int pairs_add(struct web_pairs *pairs, const char *name, const char *value)
{
	struct web_pair *at = reallocarray(pairs->at, pairs->count + 1, sizeof(*at));

	if (!at)
		return -ENOMEM;
	pairs->at = at;
	at += pairs->count;
	*at = (struct web_pair){ strdup(name), strdup(value) };
	if (!at->name || !at->value) {
		free(at->name);
		free(at->value);
		return -ENOMEM;
	}
	pairs->count++;
	return 0;
}

static void texts_free(struct web_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->at[i]);
	free(texts->at);
}

static void pairs_free(struct web_pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		free(pairs->at[i].name);
		free(pairs->at[i].value);
	}
	free(pairs->at);
}

static void config_clear(struct web_config *config)
{
	struct web_tls *tls = &config->tls;

	free(tls->cert);
	web_file_free(tls->key, tls->key ? strlen(tls->key) : 0);
	free(tls->client_ca);
	free(tls->cert_file);
	free(tls->key_file);
	free(tls->client_ca_file);
	free(tls->priorities);
	texts_free(&tls->client_allowed_sans);
	pairs_free(&config->users);
	pairs_free(&config->headers);
}

static void draft_clear(struct draft *draft)
{
	free(draft->client_auth);
	free(draft->ciphers.min_version);
	free(draft->ciphers.max_version);
	texts_free(&draft->ciphers.suites);
	texts_free(&draft->ciphers.curves);
}

void web_config_free(struct web_config *config)
{
	if (!config)
		return;
	config_clear(config);
	free(config);
}

static int add_text(void *to, const char *name, const char *value)
{
	(void)name;
	return texts_add(to, value);
}

static int add_pair(void *to, const char *name, const char *value)
{
	return pairs_add(to, name, value);
}

static int take_texts(struct web_yaml *yaml, yaml_node_t *value, void *to)
{
	return web_yaml_texts(yaml, value, "this", YAML_SEQUENCE_NODE, add_text, to);
}

/* $2y$10$ and 53 characters of bcrypt's own base64. */
static const char *hash_problem(const char *hash)
{
	int cost;

	if (strlen(hash) != 60 || strncmp(hash, "$2", 2) || !strchr("aby", hash[2]) ||
	    hash[3] != '$' || !isdigit((unsigned char)hash[4]) ||
	    !isdigit((unsigned char)hash[5]) || hash[6] != '$')
		return "is not a bcrypt hash ($2y$...): make one with htpasswd -nBC 10 ''";
	for (const char *at = hash + 7; *at; at++)
		if (!isalnum((unsigned char)*at) && *at != '.' && *at != '/')
			return "is not a bcrypt hash ($2y$...): make one with htpasswd -nBC 10 ''";
	cost = (hash[4] - '0') * 10 + hash[5] - '0';
	if (cost < WEB_BCRYPT_COST_MIN || cost > WEB_BCRYPT_COST_MAX)
		return "has a bcrypt cost that is not 4 to 16: 10 is usual";
	return NULL;
}

static int take_users(struct web_yaml *yaml, yaml_node_t *value, void *to)
{
	struct web_pairs *users = to;
	int err =
		web_yaml_texts(yaml, value, "basic_auth_users", YAML_MAPPING_NODE, add_pair, users);

	for (size_t i = 0; !err && i < users->count; i++) {
		const char *problem = hash_problem(users->at[i].value);

		if (problem)
			err = web_yaml_fail(yaml, value, "the password of %.64s %s",
					    users->at[i].name, problem);
	}
	return err;
}

/* Those that the toolkit lets be set, and the values of those that have few. */
static const struct {
	const char *name;
	const char *values[2];
} header_words[] = {
	{ "Content-Security-Policy", {} },
	{ "Strict-Transport-Security", {} },
	{ "X-Content-Type-Options", { "nosniff" } },
	{ "X-Frame-Options", { "deny", "sameorigin" } },
	{ "X-XSS-Protection", {} },
};

static const char *header_problem(const struct web_pair *header)
{
	size_t at = 0;

	while (at < COUNT(header_words) && strcmp(header_words[at].name, header->name))
		at++;
	if (at == COUNT(header_words))
		return "cannot be configured";
	for (const char *c = header->value; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return "has a control character in its value";
	if (!header_words[at].values[0] || !*header->value)
		return NULL;
	for (int i = 0; i < 2 && header_words[at].values[i]; i++)
		if (!strcmp(header_words[at].values[i], header->value))
			return NULL;
	return header_words[at].values[1] ? "is neither deny nor sameorigin" : "is not nosniff";
}

static int take_headers(struct web_yaml *yaml, yaml_node_t *value, void *to)
{
	struct web_pairs *headers = to;
	int err = web_yaml_texts(yaml, value, "headers", YAML_MAPPING_NODE, add_pair, headers);

	for (size_t i = 0; !err && i < headers->count; i++) {
		const char *problem = header_problem(&headers->at[i]);

		if (problem)
			err = web_yaml_fail(yaml, value, "HTTP header %.64s %s",
					    headers->at[i].name, problem);
	}
	return err;
}

static int take_http(struct web_yaml *yaml, yaml_node_t *value, void *to)
{
	static const struct web_yaml_key keys[] = {
		{ "http2", web_yaml_bool, offsetof(struct draft, http2) },
		{ "headers", take_headers, offsetof(struct draft, config.headers) },
	};

	return web_yaml_mapping(yaml, value, "http_server_config", keys, COUNT(keys), to);
}

static const struct {
	const char *word;
	enum web_client_auth auth;
} client_auths[] = {
	{ "NoClientCert", WEB_NO_CLIENT_CERT },
	{ "RequestClientCert", WEB_REQUEST_CLIENT_CERT },
	{ "RequireClientCert", WEB_REQUIRE_ANY_CLIENT_CERT }, /* an old name */
	{ "RequireAnyClientCert", WEB_REQUIRE_ANY_CLIENT_CERT },
	{ "VerifyClientCertIfGiven", WEB_VERIFY_CLIENT_CERT_IF_GIVEN },
	{ "RequireAndVerifyClientCert", WEB_REQUIRE_AND_VERIFY_CLIENT_CERT },
};

static int check_client_auth(struct web_yaml *yaml, const yaml_node_t *at, struct draft *draft)
{
	struct web_tls *tls = &draft->config.tls;
	const char *word =
		draft->client_auth && *draft->client_auth ? draft->client_auth : "NoClientCert";
	size_t i = 0;

	while (i < COUNT(client_auths) && strcmp(client_auths[i].word, word))
		i++;
	if (i == COUNT(client_auths))
		return web_yaml_fail(yaml, at, "unknown client_auth_type %.64s", word);
	tls->client_auth = client_auths[i].auth;
	if ((tls->client_ca || tls->client_ca_file) && tls->client_auth == WEB_NO_CLIENT_CERT)
		return web_yaml_fail(yaml, at,
				     "a client CA without client_auth_type checks nothing: set it "
				     "to RequireAndVerifyClientCert");
	if (tls->client_allowed_sans.count && tls->client_auth != WEB_REQUIRE_ANY_CLIENT_CERT &&
	    tls->client_auth != WEB_REQUIRE_AND_VERIFY_CLIENT_CERT)
		return web_yaml_fail(yaml, at,
				     "client_allowed_sans wants client_auth_type "
				     "RequireAndVerifyClientCert or RequireAnyClientCert");
	return 0;
}

/* An empty text is as good as none. */
static void drop_empty(char **text)
{
	if (*text && !**text) {
		free(*text);
		*text = NULL;
	}
}

static int check_tls(struct web_yaml *yaml, const yaml_node_t *at, struct draft *draft)
{
	struct web_tls *tls = &draft->config.tls;
	char **texts[] = { &tls->cert,      &tls->key,      &tls->client_ca,
			   &tls->cert_file, &tls->key_file, &tls->client_ca_file };
	char problem[HTTP_ERROR_BYTES];
	int err;

	for (size_t i = 0; i < COUNT(texts); i++) {
		drop_empty(texts[i]);
		tls->enabled |= *texts[i] != NULL;
	}
	tls->enabled |= draft->client_auth && *draft->client_auth;
	err = web_ciphers_priorities(&draft->ciphers, &tls->priorities, problem);
	if (err)
		return web_yaml_fail(yaml, at, "%s", problem);
	if (!tls->enabled)
		return 0;
	if (!tls->cert && !tls->cert_file)
		return web_yaml_fail(yaml, at, "tls_server_config has neither cert nor cert_file");
	if (!tls->key && !tls->key_file)
		return web_yaml_fail(yaml, at, "tls_server_config has neither key nor key_file");
	return check_client_auth(yaml, at, draft);
}

static int take_tls(struct web_yaml *yaml, yaml_node_t *value, void *to)
{
#define KEY(name, take, field)                                                                     \
	{                                                                                          \
		name, take, offsetof(struct draft, field)                                          \
	}
	static const struct web_yaml_key keys[] = {
		KEY("cert", web_yaml_text, config.tls.cert),
		KEY("key", web_yaml_text, config.tls.key),
		KEY("client_ca", web_yaml_text, config.tls.client_ca),
		KEY("cert_file", web_yaml_text, config.tls.cert_file),
		KEY("key_file", web_yaml_text, config.tls.key_file),
		KEY("client_ca_file", web_yaml_text, config.tls.client_ca_file),
		KEY("client_auth_type", web_yaml_text, client_auth),
		KEY("client_allowed_sans", take_texts, config.tls.client_allowed_sans),
		KEY("min_version", web_yaml_text, ciphers.min_version),
		KEY("max_version", web_yaml_text, ciphers.max_version),
		KEY("cipher_suites", take_texts, ciphers.suites),
		KEY("curve_preferences", take_texts, ciphers.curves),
		KEY("prefer_server_cipher_suites", web_yaml_bool, ciphers.server_order),
	};
#undef KEY
	int err = web_yaml_mapping(yaml, value, "tls_server_config", keys, COUNT(keys), to);

	return err ? err : check_tls(yaml, value, to);
}

static int parse(struct web_yaml *yaml, struct draft *draft)
{
	static const struct web_yaml_key keys[] = {
		{ "tls_server_config", take_tls, 0 },
		{ "http_server_config", take_http, 0 },
		{ "basic_auth_users", take_users, offsetof(struct draft, config.users) },
		{ "rate_limit", NULL, 0 },
	};
	yaml_node_t *root = web_yaml_root(yaml);

	draft->http2 = true;
	draft->ciphers.server_order = true;
	return root ? web_yaml_mapping(yaml, root, "the file", keys, COUNT(keys), draft) : 0;
}

/* Relative paths begin at the directory of the file that names them. */
static int join_directory(const char *config_path, char **path)
{
	const char *slash = strrchr(config_path, '/');
	char *joined;

	if (!*path || **path == '/' || !slash)
		return 0;
	if (asprintf(&joined, "%.*s/%s", (int)(slash - config_path), config_path, *path) < 0)
		return -ENOMEM;
	free(*path);
	*path = joined;
	return 0;
}

static int settle(const struct draft *draft, const char *path, struct web_config **config)
{
	*config = malloc(sizeof(**config));
	if (!*config)
		return -ENOMEM;
	**config = draft->config;
	if (join_directory(path, &(*config)->tls.cert_file) ||
	    join_directory(path, &(*config)->tls.key_file) ||
	    join_directory(path, &(*config)->tls.client_ca_file)) {
		web_config_free(*config);
		return -ENOMEM;
	}
	return 0;
}

int web_config_parse(const char *text, size_t size, const char *path, struct web_config **config,
		     char error[HTTP_ERROR_BYTES])
{
	struct draft draft = {};
	struct web_yaml yaml;
	int err;

	snprintf(error, HTTP_ERROR_BYTES, "%s: out of memory", path);
	err = web_yaml_open(&yaml, text, size, path, error);
	if (err)
		return err;
	err = parse(&yaml, &draft);
	if (err)
		config_clear(&draft.config);
	else
		err = settle(&draft, path, config);
	draft_clear(&draft);
	web_yaml_close(&yaml);
	return err;
}

/* A file that grows under our eyes is read up to the limit and refused. */
static int read_all(int fd, char **text, size_t *size)
{
	char *bytes = malloc(WEB_FILE_BYTES + 1);
	size_t used = 0;
	ssize_t count = 1;

	if (!bytes)
		return -ENOMEM;
	while (count > 0 && used < WEB_FILE_BYTES + 1) {
		count = read(fd, bytes + used, WEB_FILE_BYTES + 1 - used);
		if (count > 0)
			used += (size_t)count;
		else if (count < 0 && errno == EINTR)
			count = 1;
	}
	if (count < 0 || used > WEB_FILE_BYTES) {
		int err = count < 0 ? -errno : -EFBIG;

		free(bytes);
		return err;
	}
	bytes[used] = 0;
	*text = bytes;
	*size = used;
	return 0;
}

int web_file_read(const char *path, char **text, size_t *size, char error[HTTP_ERROR_BYTES])
{
	struct stat stat;
	int err, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		err = -errno;
	} else {
		if (fstat(fd, &stat))
			err = -errno;
		else if (!S_ISREG(stat.st_mode))
			err = S_ISDIR(stat.st_mode) ? -EISDIR : -EINVAL;
		else
			err = read_all(fd, text, size);
		close(fd);
	}
	if (err)
		snprintf(error, HTTP_ERROR_BYTES, "%s: cannot be read: %s", path, strerror(-err));
	return err;
}

void web_file_free(char *text, size_t size)
{
	if (text)
		explicit_bzero(text, size);
	free(text);
}

int web_config_read(const char *path, struct web_config **config, char error[HTTP_ERROR_BYTES])
{
	size_t size = 0;
	char *text = NULL;
	int err = web_file_read(path, &text, &size, error);

	if (err)
		return err;
	err = web_config_parse(text, size, path, config, error);
	web_file_free(text, size);
	return err;
}
