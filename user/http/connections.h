/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_HTTP_CONNECTIONS_H
#define GENSCOPE_HTTP_CONNECTIONS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "http/listeners.h"

/*
 * Everybody who is connected, so that nobody stays too long and nobody takes all places. Each connection is
 * in a phase, and each phase has an end; whoever is past it has its socket shut down, which the thread
 * that reads it notices. Where all places are taken, the one that has waited longest without asking for
 * anything makes room: idle connections cannot keep a scrape out.
 *
 * All functions may be called from any thread.
 */
enum connection_phase {
	CONNECTION_OPENED,  /* has not sent a byte */
	CONNECTION_READING, /* the handshake, the first request */
	CONNECTION_IDLE,    /* has had an answer; the next request */
	CONNECTION_BUSY,    /* its request is being answered */
	CONNECTION_PHASES,
};

struct http_limits {
	unsigned per_listener, per_client;    /* connections */
	unsigned phase_ms[CONNECTION_PHASES]; /* how long each may last */
};
extern const struct http_limits http_limits_default;

struct web_state;

struct connection {
	struct connection *next;
	int fd;
	size_t listener; /* index */
	uint8_t client[16];
	bool has_client; /* false on unix sockets: all are one machine's */
	bool doomed;     /* shut down; still to be closed */
	bool handed;     /* given to the HTTP library, not yet taken up by it */
	enum connection_phase phase;
	uint64_t since_ms;             /* in this phase; monotonic */
	const struct web_state *state; /* what its TLS session lives by; held */
};

struct connections {
	pthread_mutex_t lock;
	struct connection *first;
	struct http_limits limits;
};

void connections_init(struct connections *connections, const struct http_limits *limits);
/* Forgets all, closes none. */
void connections_clear(struct connections *connections);

/* A place for an accepted socket; NULL if there is none, and the caller closes it. */
struct connection *connections_admit(struct connections *connections, int fd, size_t listener,
				     const struct sockaddr *address);

/* Forgets it; before its socket is closed. NULL is fine. */
void connections_remove(struct connections *connections, struct connection *connection);

void connections_enter(struct connections *connections, struct connection *connection,
		       enum connection_phase phase);

/* Hands a connection to the HTTP library, which closes the socket from then on; and the one of that
 * socket, when it takes it up: NULL if there is none. */
void connections_hand(struct connections *connections, struct connection *connection,
		      const struct web_state *state);
struct connection *connections_take(struct connections *connections, int fd);

/* Shuts down those that are past the end of their phase. */
void connections_sweep(struct connections *connections);

uint64_t connections_now_ms(void);

#endif
