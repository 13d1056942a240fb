// SPDX-License-Identifier: MIT
#include "http/listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG         128
#define FIRST_INHERITED 3 /* SD_LISTEN_FDS_START */
#define UNIX_PREFIX     "unix:"

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
	struct sockaddr_storage storage;
};

static const char *hint(int err)
{
	switch (err) {
	case -EADDRINUSE:
		return ": another exporter may be running: choose another with --listen";
	case -EACCES:
	case -EPERM:
		return ": choose a place that this user may listen at";
	case -EADDRNOTAVAIL:
		return ": no interface of this machine has it";
	default:
		return "";
	}
}

static int fail(char *error, const char *address, int err)
{
	char text[64];
	const char *what = strerrordesc_np(-err);

	snprintf(text, sizeof(text), "%s", what ? what : "unknown error");
	if (text[0] >= 'A' && text[0] <= 'Z')
		text[0] = (char)(text[0] - 'A' + 'a');
	snprintf(error, HTTP_ERROR_BYTES, "%.256s: %s%s", address, text, hint(err));
	return err;
}

static int complain(char *error, const char *address, const char *problem)
{
	snprintf(error, HTTP_ERROR_BYTES, "%.256s: %s", address, problem);
	return -EINVAL;
}

static void name_listener(struct listener *listener)
{
	union address bound = {};
	socklen_t size = sizeof(bound);
	char host[INET6_ADDRSTRLEN] = "?";

	getsockname(listener->fd, &bound.any, &size);
	listener->tcp = bound.any.sa_family != AF_UNIX;
	if (bound.any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &bound.v4.sin_addr, host, sizeof(host));
		snprintf(listener->name, sizeof(listener->name), "%s:%u", host,
			 ntohs(bound.v4.sin_port));
	} else if (bound.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &bound.v6.sin6_addr, host, sizeof(host));
		snprintf(listener->name, sizeof(listener->name), "[%s]:%u", host,
			 ntohs(bound.v6.sin6_port));
	} else if (bound.un.sun_path[0] || size <= offsetof(struct sockaddr_un, sun_path)) {
		snprintf(listener->name, sizeof(listener->name), UNIX_PREFIX "%.108s",
			 bound.un.sun_path);
	} else {
		snprintf(listener->name, sizeof(listener->name), UNIX_PREFIX "@%.*s",
			 (int)(size - offsetof(struct sockaddr_un, sun_path) - 1),
			 bound.un.sun_path + 1);
	}
}

static int bind_and_listen(int fd, const struct sockaddr *address, socklen_t size)
{
	return bind(fd, address, size) || listen(fd, BACKLOG) ? -errno : 0;
}

/* A socket bound to that address; negative errno. */
static int open_socket(const struct sockaddr *address, socklen_t size)
{
	int one = 1, zero = 0, err;
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (address->sa_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (address->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	err = bind_and_listen(fd, address, size);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* Is it a socket whose owner is gone? */
static bool is_stale(const struct sockaddr_un *address)
{
	struct stat stat;
	bool stale;
	int fd;

	if (lstat(address->sun_path, &stat) || !S_ISSOCK(stat.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)address, sizeof(*address)) &&
		errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int open_unix(struct listener *listener, const char *address, const char *path, char *error)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct stat stat;
	int fd;

	if (!*path || strlen(path) >= sizeof(un.sun_path))
		return complain(error, address, "the path of a socket has 1 to 107 bytes");
	memcpy(un.sun_path, path, strlen(path) + 1);
	fd = open_socket((struct sockaddr *)&un, sizeof(un));
	if (fd == -EADDRINUSE && is_stale(&un) && !unlink(path))
		fd = open_socket((struct sockaddr *)&un, sizeof(un));
	if (fd < 0)
		return fail(error, address, fd);
	listener->fd = fd;
	if (!lstat(path, &stat)) {
		listener->owns_path = true;
		listener->device = stat.st_dev;
		listener->inode = stat.st_ino;
	}
	return 0;
}

/* "host:port" in two; brackets around the host are dropped. False if it is none. */
static bool split_address(const char *address, char *host, size_t room, const char **port)
{
	const char *colon = strrchr(address, ':'), *begin = address, *end = colon;

	if (!colon)
		return false;
	if (*begin == '[') {
		begin++;
		end--;
		if (end < begin || *end != ']')
			return false;
	} else if (memchr(begin, ':', (size_t)(end - begin))) {
		return false; /* v6 without brackets */
	}
	if ((size_t)(end - begin) >= room)
		return false;
	memcpy(host, begin, (size_t)(end - begin));
	host[end - begin] = 0;
	*port = colon + 1;
	return true;
}

static bool is_port(const char *text)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	return *text >= '0' && *text <= '9' && !*end && port <= UINT16_MAX;
}

/* Every interface: by IPv6 and IPv4 alike, or by IPv4 where the kernel has no IPv6. */
static int open_everywhere(const char *port)
{
	uint16_t number = htons((uint16_t)strtoul(port, NULL, 10));
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = number };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = number };
	int fd = open_socket((struct sockaddr *)&v6, sizeof(v6));

	if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
		fd = open_socket((struct sockaddr *)&v4, sizeof(v4));
	return fd;
}

/* A name may have several addresses: IPv4 first, as Go's programs do, and the first that can be had. */
static int open_host(const char *address, const char *host, const char *port, char *error)
{
	struct addrinfo wanted = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	static const int families[] = { AF_INET, AF_INET6 };
	struct addrinfo *found;
	int fd = -EADDRNOTAVAIL, code = getaddrinfo(host, port, &wanted, &found);

	if (code)
		return complain(error, address,
				code == EAI_MEMORY ? "out of memory" : "no such host");
	for (int i = 0; i < 2 && fd < 0; i++)
		for (const struct addrinfo *at = found; at && fd < 0; at = at->ai_next)
			if (at->ai_family == families[i])
				fd = open_socket(at->ai_addr, at->ai_addrlen);
	freeaddrinfo(found);
	return fd < 0 ? fail(error, address, fd) : fd;
}

static int open_tcp(struct listener *listener, const char *address, char *error)
{
	char host[NI_MAXHOST];
	const char *port;
	int fd;

	if (!split_address(address, host, sizeof(host), &port) || !is_port(port))
		return complain(error, address,
				"not an address to listen at: write HOST:PORT, [IPV6]:PORT, :PORT "
				"or unix:PATH");
	if (*host) {
		fd = open_host(address, host, port, error);
	} else {
		fd = open_everywhere(port);
		if (fd < 0)
			fail(error, address, fd);
	}
	listener->fd = fd;
	return fd < 0 ? fd : 0;
}

int listeners_open(struct listeners *listeners, const char *address, char error[HTTP_ERROR_BYTES])
{
	struct listener *listener = &listeners->at[listeners->count];
	size_t prefix = strlen(UNIX_PREFIX);
	int err;

	if (listeners->count == LISTENERS_MAX)
		return complain(error, address, "more than 16 addresses to listen at");
	*listener = (struct listener){};
	err = strncmp(address, UNIX_PREFIX, prefix) ?
		      open_tcp(listener, address, error) :
		      open_unix(listener, address, address + prefix, error);
	if (err)
		return err;
	name_listener(listener);
	listeners->count++;
	return 0;
}

static int get_option(int fd, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) ? -1 : value;
}

static int inherit_one(struct listeners *listeners, int fd, char *error)
{
	struct listener *listener = &listeners->at[listeners->count];
	int family = get_option(fd, SO_DOMAIN);
	char name[32];

	snprintf(name, sizeof(name), "systemd socket %d", fd);
	if (listeners->count == LISTENERS_MAX)
		return complain(error, name, "more than 16 sockets to listen at");
	if ((family != AF_INET && family != AF_INET6 && family != AF_UNIX) ||
	    get_option(fd, SO_TYPE) != SOCK_STREAM || get_option(fd, SO_ACCEPTCONN) != 1)
		return complain(error, name,
				"not a listening stream socket: use ListenStream= and Accept=no");
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) || fcntl(fd, F_SETFL, O_NONBLOCK))
		return fail(error, name, -errno);
	*listener = (struct listener){ .fd = fd };
	name_listener(listener);
	listeners->count++;
	return 0;
}

int listeners_inherit(struct listeners *listeners, char error[HTTP_ERROR_BYTES])
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	int err = 0;

	if (pid && fds && strtol(pid, NULL, 10) == getpid()) {
		long count = strtol(fds, NULL, 10);

		for (int i = 0; !err && i < count; i++)
			err = inherit_one(listeners, FIRST_INHERITED + i, error);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return err;
}

static void remove_path(const struct listener *listener)
{
	const char *path = listener->name + strlen(UNIX_PREFIX);
	struct stat stat;

	if (!lstat(path, &stat) && stat.st_dev == listener->device &&
	    stat.st_ino == listener->inode)
		unlink(path);
}

void listeners_close(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++) {
		if (listeners->at[i].owns_path)
			remove_path(&listeners->at[i]);
		close(listeners->at[i].fd);
	}
	listeners->count = 0;
}
