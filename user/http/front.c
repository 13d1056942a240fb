// SPDX-License-Identifier: MIT
#include "http/front.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TICK_MS         500 /* how exactly time is kept */
#define ACCEPTS_A_ROUND 64  /* from one listener: the others want their turn */
#define PAUSE_MS        100 /* when sockets have run out */
#define TLS_HANDSHAKE   0x16
#define FIRST_GUESTS    64

/* Who has connected and not yet sent a byte. */
struct guest {
	struct connection *connection;
	int fd;
	struct sockaddr_storage address;
	socklen_t size;
};

struct front {
	struct front_options options;
	pthread_t thread;
	int wake; /* eventfd: written to once, to end */
	struct guest *guests;
	struct pollfd *polled; /* wake, listeners, guests */
	size_t count, room;    /* of guests; `polled` has room for the others, too */
	bool exhausted;        /* accept() found no more sockets in the system */
};

static const char too_many[] = "HTTP/1.1 503 Service Unavailable\r\n"
			       "Content-Type: text/plain; charset=utf-8\r\n"
			       "Connection: close\r\n\r\n"
			       "too many connections\n";
static const char not_plain[] = "HTTP/1.1 400 Bad Request\r\n"
				"Content-Type: text/plain; charset=utf-8\r\n"
				"Connection: close\r\n\r\n"
				"Client sent an HTTP request to an HTTPS server.\n";

/* Says a last word and closes, without ever waiting. What was sent to us is read first: closing with
 * something unread would take the word back. */
static void dismiss(int fd, const char *word)
{
	char unread[16 * 1024];

	if (word) {
		while (recv(fd, unread, sizeof(unread), MSG_DONTWAIT) == sizeof(unread))
			;
		send(fd, word, strlen(word), MSG_DONTWAIT | MSG_NOSIGNAL);
		shutdown(fd, SHUT_WR);
	}
	close(fd);
}

static bool grow(struct front *front)
{
	size_t room = front->room ? 2 * front->room : FIRST_GUESTS;
	struct guest *guests;
	struct pollfd *polled;

	if (front->count < front->room)
		return true;
	guests = reallocarray(front->guests, room, sizeof(*guests));
	if (!guests)
		return false;
	front->guests = guests;
	polled = reallocarray(front->polled, 1 + LISTENERS_MAX + room, sizeof(*polled));
	if (!polled)
		return false;
	front->polled = polled;
	front->room = room;
	return true;
}

static void welcome(struct front *front, struct guest *guest, size_t listener)
{
	const struct web_state *state;
	bool tls;

	if (grow(front))
		guest->connection =
			connections_admit(front->options.connections, guest->fd, listener,
					  (const struct sockaddr *)&guest->address);
	if (guest->connection) {
		front->guests[front->count++] = *guest;
		return;
	}
	state = web_watch_get(front->options.watch);
	tls = state && state->tls;
	web_state_put(state);
	dismiss(guest->fd, tls ? NULL : too_many);
}

static void accept_some(struct front *front, size_t listener)
{
	for (int i = 0; i < ACCEPTS_A_ROUND; i++) {
		struct guest guest = { .size = sizeof(guest.address) };

		guest.fd = accept4(front->options.listeners->at[listener].fd,
				   (struct sockaddr *)&guest.address, &guest.size,
				   SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (guest.fd >= 0)
			welcome(front, &guest, listener);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			front->exhausted = true;
		if (guest.fd < 0 && errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

static void see_off(struct front *front, const struct guest *guest, const char *word)
{
	connections_remove(front->options.connections, guest->connection);
	dismiss(guest->fd, word);
}

static void pass_on(struct front *front, const struct guest *guest, bool tls,
		    const struct web_state *state)
{
	/* from here on the record may go at any time: its socket has another owner */
	connections_hand(front->options.connections, guest->connection, tls ? state : NULL);
	if (!front->options.pass(front->options.ctx, guest->fd, tls,
				 (const struct sockaddr *)&guest->address, guest->size))
		connections_remove(front->options.connections, guest->connection);
}

/* False if there is still no byte of it. */
static bool look_at(struct front *front, const struct guest *guest)
{
	unsigned char first;
	ssize_t count = recv(guest->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
	const struct web_state *state;

	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (count <= 0) {
		see_off(front, guest, NULL);
		return true;
	}
	state = web_watch_get(front->options.watch);
	if (!state || !state->tls)
		pass_on(front, guest, false, state);
	else if (first == TLS_HANDSHAKE)
		pass_on(front, guest, true, state);
	else
		see_off(front, guest, not_plain);
	web_state_put(state);
	return true;
}

/* `polled` has the guests in their order. */
static void look_at_guests(struct front *front, const struct pollfd *polled)
{
	size_t kept = 0;

	for (size_t i = 0; i < front->count; i++) {
		if (polled[i].revents && look_at(front, &front->guests[i]))
			continue;
		front->guests[kept++] = front->guests[i];
	}
	front->count = kept;
}

static size_t prepare(struct front *front)
{
	size_t listeners = front->options.listeners->count, used = 0;

	front->polled[used++] = (struct pollfd){ .fd = front->wake, .events = POLLIN };
	for (size_t i = 0; i < listeners; i++) /* poll() passes over negative ones */
		front->polled[used++] = (struct pollfd){
			.fd = front->exhausted ? -1 : front->options.listeners->at[i].fd,
			.events = POLLIN,
		};
	for (size_t i = 0; i < front->count; i++)
		front->polled[used++] = (struct pollfd){ front->guests[i].fd, POLLIN, 0 };
	return used;
}

static void *run(void *ctx)
{
	struct front *front = ctx;
	size_t listeners = front->options.listeners->count;

	pthread_setname_np(pthread_self(), "http-front");
	for (;;) {
		size_t used = prepare(front);
		int ready = poll(front->polled, used, front->exhausted ? PAUSE_MS : TICK_MS);

		front->exhausted = false;
		if (front->options.watch)
			web_watch_check(front->options.watch);
		connections_sweep(front->options.connections);
		if (ready <= 0)
			continue;
		if (front->polled[0].revents)
			break;
		look_at_guests(front, front->polled + 1 + listeners);
		for (size_t i = 0; i < listeners; i++)
			if (front->polled[1 + i].revents)
				accept_some(front, i);
	}
	for (size_t i = 0; i < front->count; i++)
		see_off(front, &front->guests[i], NULL);
	return NULL;
}

static void front_free(struct front *front)
{
	if (front->wake >= 0)
		close(front->wake);
	free(front->guests);
	free(front->polled);
	free(front);
}

int front_start(const struct front_options *options, struct front **out)
{
	struct front *front = calloc(1, sizeof(*front));
	int err = -ENOMEM;

	if (!front)
		return err;
	front->options = *options;
	front->wake = eventfd(0, EFD_CLOEXEC);
	if (front->wake < 0)
		err = -errno;
	else if (grow(front))
		err = -pthread_create(&front->thread, NULL, run, front);
	if (err)
		front_free(front);
	else
		*out = front;
	return err;
}

void front_stop(struct front *front)
{
	if (!front)
		return;
	eventfd_write(front->wake, 1);
	pthread_join(front->thread, NULL);
	front_free(front);
}
