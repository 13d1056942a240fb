// SPDX-License-Identifier: MIT
#include "http/web_watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What tells one content of a file from another without reading it. */
struct stamp {
	long error; /* errno of stat(), 0 */
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};
_Static_assert(sizeof(struct stamp) == 4 * 8 + 2 * sizeof(struct timespec),
	       "no padding: stamps are compared as bytes");

enum { CONFIG_FILE, CERT_FILE, KEY_FILE, CLIENT_CA_FILE, FILES };

struct shared {
	struct web_state state;
	atomic_uint holders;
};

struct web_watch {
	char *path[FILES]; /* NULL: there is no such file */
	struct stamp stamp[FILES];
	web_report *report;
	void *ctx;
	pthread_mutex_t lock; /* of `current` */
	struct shared *current;
};

static struct stamp stamp_of(const char *path)
{
	struct stamp stamp;
	struct stat stat_of;

	memset(&stamp, 0, sizeof(stamp));
	if (!path)
		return stamp;
	if (stat(path, &stat_of)) {
		stamp.error = errno;
		return stamp;
	}
	stamp.device = stat_of.st_dev;
	stamp.inode = stat_of.st_ino;
	stamp.size = stat_of.st_size;
	stamp.modified = stat_of.st_mtim;
	stamp.changed = stat_of.st_ctim;
	return stamp;
}

static bool is_changed(const struct web_watch *watch)
{
	for (int i = 0; i < FILES; i++) {
		struct stamp now = stamp_of(watch->path[i]);

		if (memcmp(&now, &watch->stamp[i], sizeof(now)))
			return true;
	}
	return false;
}

static struct shared *shared_of(const struct web_state *state)
{
	return (struct shared *)(uintptr_t)state; /* its first member */
}

const struct web_state *web_state_hold(const struct web_state *state)
{
	if (state)
		atomic_fetch_add(&shared_of(state)->holders, 1);
	return state;
}

void web_state_put(const struct web_state *state)
{
	struct shared *shared = shared_of(state);

	if (!state || atomic_fetch_sub(&shared->holders, 1) != 1)
		return;
	tls_context_free(shared->state.tls);
	web_config_free(shared->state.config);
	free(shared);
}

/* The paths to watch from now on, and how the files are before they are read. */
static int watch_files(struct web_watch *watch, const struct web_tls *tls)
{
	const char *paths[FILES] = { [CERT_FILE] = tls->cert_file,
				     [KEY_FILE] = tls->key_file,
				     [CLIENT_CA_FILE] = tls->client_ca_file };

	for (int i = CERT_FILE; i < FILES; i++) {
		char *copy = paths[i] ? strdup(paths[i]) : NULL;

		if (paths[i] && !copy)
			return -ENOMEM;
		free(watch->path[i]);
		watch->path[i] = copy;
		watch->stamp[i] = stamp_of(copy);
	}
	return 0;
}

static int load(struct web_watch *watch, struct shared **out, char error[HTTP_ERROR_BYTES])
{
	struct shared *shared = calloc(1, sizeof(*shared));
	struct web_state *state;
	int err = -ENOMEM;

	snprintf(error, HTTP_ERROR_BYTES, "out of memory");
	if (!shared)
		return err;
	atomic_init(&shared->holders, 1);
	state = &shared->state;
	watch->stamp[CONFIG_FILE] = stamp_of(watch->path[CONFIG_FILE]);
	err = web_config_read(watch->path[CONFIG_FILE], &state->config, error);
	if (!err && state->config->tls.enabled) {
		err = watch_files(watch, &state->config->tls);
		if (!err)
			err = tls_context_new(&state->config->tls, &state->tls, error);
	}
	if (err)
		web_state_put(state);
	else
		*out = shared;
	return err;
}

int web_watch_new(const char *path, web_report *report, void *ctx, struct web_watch **out,
		  char error[HTTP_ERROR_BYTES])
{
	struct web_watch *watch = calloc(1, sizeof(*watch));
	int err = -ENOMEM;

	snprintf(error, HTTP_ERROR_BYTES, "out of memory");
	if (!watch)
		return err;
	watch->report = report;
	watch->ctx = ctx;
	pthread_mutex_init(&watch->lock, NULL);
	watch->path[CONFIG_FILE] = strdup(path);
	if (watch->path[CONFIG_FILE])
		err = load(watch, &watch->current, error);
	if (err)
		web_watch_free(watch);
	else
		*out = watch;
	return err;
}

void web_watch_free(struct web_watch *watch)
{
	if (!watch)
		return;
	if (watch->current)
		web_state_put(&watch->current->state);
	pthread_mutex_destroy(&watch->lock);
	for (int i = 0; i < FILES; i++)
		free(watch->path[i]);
	free(watch);
}

static void tell(struct web_watch *watch, const char *problem)
{
	char line[HTTP_ERROR_BYTES + 64];

	if (!watch->report)
		return;
	snprintf(line, sizeof(line), "%s: the configuration before stays in force", problem);
	watch->report(watch->ctx, line);
}

/* What the next one lacks that the current one protects by; NULL if nothing. */
static const char *opening(const struct web_state *now, const struct web_state *next)
{
	if (now->tls && !next->tls)
		return "TLS";
	if (now->config->users.count && !next->config->users.count)
		return "basic authentication";
	return NULL;
}

void web_watch_check(struct web_watch *watch)
{
	char error[HTTP_ERROR_BYTES];
	struct shared *next, *before = watch->current;
	const char *lost;

	if (!is_changed(watch))
		return;
	if (load(watch, &next, error)) {
		tell(watch, error);
		return;
	}
	lost = opening(&before->state, &next->state);
	if (lost) {
		snprintf(error, sizeof(error), "%.400s: no longer has %s: restart to go without it",
			 watch->path[CONFIG_FILE], lost);
		tell(watch, error);
		web_state_put(&next->state);
		return;
	}
	pthread_mutex_lock(&watch->lock);
	watch->current = next;
	pthread_mutex_unlock(&watch->lock);
	web_state_put(&before->state);
}

const struct web_state *web_watch_get(struct web_watch *watch)
{
	const struct web_state *state;

	if (!watch)
		return NULL;
	pthread_mutex_lock(&watch->lock);
	state = web_state_hold(&watch->current->state);
	pthread_mutex_unlock(&watch->lock);
	return state;
}
