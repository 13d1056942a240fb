// SPDX-License-Identifier: MIT
#include "http/connections.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http/web_watch.h"

#define CLIENT_V6_BYTES 8 /* a /64 is one client: a host has as many addresses of it as it likes */

/* Prometheus asks every minute by default and keeps its connection in between. */
const struct http_limits http_limits_default = {
	.per_listener = 128,
	.per_client = 32,
	.phase_ms = { [CONNECTION_OPENED] = 10000,
		      [CONNECTION_READING] = 10000,
		      [CONNECTION_IDLE] = 90000,
		      [CONNECTION_BUSY] = 30000 },
};

uint64_t connections_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void connections_init(struct connections *connections, const struct http_limits *limits)
{
	*connections = (struct connections){ .limits = *limits };
	pthread_mutex_init(&connections->lock, NULL);
}

/* Takes the one that a list's link points to out, and frees it. */
static void drop(struct connection **link)
{
	struct connection *connection = *link;

	*link = connection->next;
	web_state_put(connection->state);
	free(connection);
}

void connections_clear(struct connections *connections)
{
	while (connections->first)
		drop(&connections->first);
	pthread_mutex_destroy(&connections->lock);
}

static void set_client(struct connection *connection, const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;

		memcpy(connection->client + 12, &v4->sin_addr, 4);
		connection->client[10] = connection->client[11] = 0xff;
	} else if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

		memcpy(connection->client, &v6->sin6_addr,
		       IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) ? 16 : CLIENT_V6_BYTES);
	} else {
		return;
	}
	connection->has_client = true;
}

static bool is_same_client(const struct connection *a, const struct connection *b)
{
	return a->has_client && b->has_client && !memcmp(a->client, b->client, sizeof(a->client));
}

struct census {
	unsigned alive, doomed;
	struct connection *oldest; /* that asks for nothing */
};

static void count(struct census *census, struct connection *connection)
{
	if (connection->doomed) {
		census->doomed++;
		return;
	}
	census->alive++;
	if (connection->phase != CONNECTION_BUSY && !connection->handed &&
	    (!census->oldest || connection->since_ms < census->oldest->since_ms))
		census->oldest = connection;
}

static void doom(struct connection *connection)
{
	connection->doomed = true;
	shutdown(connection->fd, SHUT_RDWR);
}

/* Room for one more where there are at most `limit`, by whoever has waited longest if need be. The
 * doomed hold their sockets for a moment yet: not more of them than of the others. */
static bool make_room(const struct census *census, unsigned limit)
{
	if (census->doomed >= limit)
		return false;
	if (census->alive < limit)
		return true;
	if (!census->oldest)
		return false;
	doom(census->oldest);
	return true;
}

static bool find_room(struct connections *connections, const struct connection *newcomer)
{
	struct census at_listener = {}, of_client = {};

	for (struct connection *at = connections->first; at; at = at->next) {
		if (at->listener == newcomer->listener)
			count(&at_listener, at);
		if (is_same_client(at, newcomer))
			count(&of_client, at);
	}
	if (of_client.alive >= connections->limits.per_client)
		return make_room(&of_client, connections->limits.per_client);
	return make_room(&at_listener, connections->limits.per_listener);
}

/* A record whose socket the library closed before it ever took it up (it was out of memory): the number
 * came back as another socket. */
static void forget_ghost(struct connections *connections, int fd)
{
	struct connection **link = &connections->first;

	while (*link && !((*link)->fd == fd && (*link)->handed))
		link = &(*link)->next;
	if (*link)
		drop(link);
}

struct connection *connections_admit(struct connections *connections, int fd, size_t listener,
				     const struct sockaddr *address)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return NULL;
	connection->fd = fd;
	connection->listener = listener;
	connection->since_ms = connections_now_ms();
	set_client(connection, address);
	pthread_mutex_lock(&connections->lock);
	forget_ghost(connections, fd);
	if (find_room(connections, connection)) {
		connection->next = connections->first;
		connections->first = connection;
	} else {
		free(connection);
		connection = NULL;
	}
	pthread_mutex_unlock(&connections->lock);
	return connection;
}

void connections_remove(struct connections *connections, struct connection *connection)
{
	struct connection **link = &connections->first;

	if (!connection)
		return;
	pthread_mutex_lock(&connections->lock);
	while (*link && *link != connection)
		link = &(*link)->next;
	if (*link)
		drop(link);
	pthread_mutex_unlock(&connections->lock);
}

static void enter(struct connection *connection, enum connection_phase phase)
{
	connection->phase = phase;
	connection->since_ms = connections_now_ms();
}

void connections_enter(struct connections *connections, struct connection *connection,
		       enum connection_phase phase)
{
	pthread_mutex_lock(&connections->lock);
	enter(connection, phase);
	pthread_mutex_unlock(&connections->lock);
}

void connections_hand(struct connections *connections, struct connection *connection,
		      const struct web_state *state)
{
	pthread_mutex_lock(&connections->lock);
	connection->handed = true;
	connection->state = web_state_hold(state);
	pthread_mutex_unlock(&connections->lock);
}

struct connection *connections_take(struct connections *connections, int fd)
{
	struct connection *at;

	pthread_mutex_lock(&connections->lock);
	for (at = connections->first; at; at = at->next)
		if (at->fd == fd && at->handed)
			break;
	if (at) {
		at->handed = false;
		enter(at, CONNECTION_READING);
	}
	pthread_mutex_unlock(&connections->lock);
	return at;
}

void connections_sweep(struct connections *connections)
{
	uint64_t now = connections_now_ms();

	pthread_mutex_lock(&connections->lock);
	for (struct connection *at = connections->first; at; at = at->next)
		if (!at->doomed && !at->handed &&
		    now - at->since_ms > connections->limits.phase_ms[at->phase])
			doom(at);
	pthread_mutex_unlock(&connections->lock);
}
