/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http/connections.h"
#include "http/listeners.h"
#include "http/pages.h"
#include "http/server.h"
#include "http/web_watch.h"

/* Sockets, places and files; tests/http/ talks to the whole server as its clients do. */

#define HASH_A "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
#define HASH_B "$2y$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"

static char directory[] = "/tmp/genscope-http-XXXXXX";
static char path[64];

static void make_directory(void)
{
	cr_assert_not_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/file", directory);
}

static void remove_directory(void)
{
	unlink(path);
	cr_expect_eq(rmdir(directory), 0, "something was left behind");
}

static void expect_refused(const char *address, const char *expected)
{
	struct listeners listeners = {};
	char error[HTTP_ERROR_BYTES] = "";

	cr_expect_lt(listeners_open(&listeners, address, error), 0, "%s", address);
	cr_expect_str_eq(error, expected);
	cr_expect_eq(listeners.count, 0);
}

static const char *open_one(struct listeners *listeners, const char *address)
{
	char error[HTTP_ERROR_BYTES] = "";

	cr_assert_eq(listeners_open(listeners, address, error), 0, "%s", error);
	return listeners->at[listeners->count - 1].name;
}

Test(listeners, refuse_what_is_no_address)
{
	static const char *const bad[] = {
		"",   "9964", "localhost", "::1:9964", "[::1]", "[::1:1", "[]x:1",
		"a:", "a:x",  "a:65536",   "a:-1",     "a: 80", ":",      "127.0.0.1:80x"
	};
	char expected[HTTP_ERROR_BYTES];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(expected, sizeof(expected),
			 "%s: not an address to listen at: write HOST:PORT, [IPV6]:PORT, :PORT or "
			 "unix:PATH",
			 bad[i]);
		expect_refused(bad[i], expected);
	}
	expect_refused("unix:", "unix:: the path of a socket has 1 to 107 bytes");
	expect_refused("unix:/nonexistent/x", "unix:/nonexistent/x: no such file or directory");
	expect_refused("192.0.2.1:0",
		       "192.0.2.1:0: cannot assign requested address: no interface of "
		       "this machine has it");
}

Test(listeners, bind_where_they_say)
{
	struct listeners listeners = {};
	const char *name = open_one(&listeners, "127.0.0.1:0");
	struct sockaddr_in address = { .sin_family = AF_INET };
	char expected[HTTP_ERROR_BYTES];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_expect_eq(strncmp(name, "127.0.0.1:", 10), 0);
	cr_expect(listeners.at[0].tcp);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons((uint16_t)atoi(name + 10));
	cr_expect_neq(address.sin_port, 0);
	cr_expect_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	snprintf(expected, sizeof(expected),
		 "%s: address already in use: another exporter may be running: choose another with "
		 "--listen",
		 name);
	expect_refused(name, expected);
	close(fd);
	name = open_one(&listeners, "localhost:0");
	cr_expect_eq(strncmp(name, "127.0.0.1:", 10), 0, "IPv4 first: %s", name);
	open_one(&listeners, ":0");
	listeners_close(&listeners);
}

static int connect_unix(const char *at)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, at);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -errno;
	}
	return fd;
}

Test(listeners, replace_a_socket_file_that_nobody_listens_at, .init = make_directory,
     .fini = remove_directory)
{
	struct listeners listeners = {}, second = {};
	char address[80], expected[256], error[HTTP_ERROR_BYTES];
	int fd;

	snprintf(address, sizeof(address), "unix:%s", path);
	cr_expect_str_eq(open_one(&listeners, address), address);
	snprintf(expected, sizeof(expected),
		 "%s: address already in use: another exporter may be running: choose another with "
		 "--listen",
		 address);
	expect_refused(address, expected); /* somebody listens */
	close(listeners.at[0].fd);         /* as if killed */
	cr_expect_eq(listeners_open(&second, address, error), 0, "%s", error);
	fd = connect_unix(path);
	cr_expect_geq(fd, 0);
	close(fd);
	listeners_close(&second);
	cr_expect_neq(access(path, F_OK), 0);
	fd = open(path, O_CREAT | O_WRONLY, 0600); /* not a socket at all */
	close(fd);
	expect_refused(address, expected);
	cr_expect_eq(access(path, F_OK), 0);
}

Test(listeners, leave_the_socket_file_of_another, .init = make_directory, .fini = remove_directory)
{
	struct listeners first = {}, second = {};
	char address[80];

	snprintf(address, sizeof(address), "unix:%s", path);
	open_one(&first, address);
	unlink(path);
	open_one(&second, address);
	listeners_close(&first);
	cr_expect_eq(access(path, F_OK), 0);
	listeners_close(&second);
	cr_expect_neq(access(path, F_OK), 0);
}

struct inherited {
	int err;
	size_t count;
	bool prepared; /* closed on exec, does not block, and the environment is clean */
	char name[LISTENER_NAME_BYTES], error[HTTP_ERROR_BYTES];
};

/* In a process of its own: systemd passes sockets from 3 on, where the tests' runner has one. */
static struct inherited inherit(int fd, bool meant)
{
	struct inherited got = {};
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	if (!fork()) {
		struct listeners listeners = {};
		char pid[16];

		snprintf(pid, sizeof(pid), "%d", meant ? getpid() : getppid());
		setenv("LISTEN_PID", pid, 1);
		setenv("LISTEN_FDS", "1", 1);
		dup2(ends[1], 4);
		dup2(fd, 3);
		got.err = listeners_inherit(&listeners, got.error);
		got.count = listeners.count;
		got.prepared = (fcntl(3, F_GETFD) & FD_CLOEXEC) &&
			       (fcntl(3, F_GETFL) & O_NONBLOCK) && !getenv("LISTEN_FDS");
		if (listeners.count)
			memcpy(got.name, listeners.at[0].name, sizeof(got.name));
		_exit(write(4, &got, sizeof(got)) != sizeof(got));
	}
	cr_assert_eq(read(ends[0], &got, sizeof(got)), (ssize_t)sizeof(got));
	wait(NULL);
	close(ends[0]);
	close(ends[1]);
	return got;
}

Test(listeners, are_inherited)
{
	struct listeners listeners = {};
	const char *name = open_one(&listeners, "127.0.0.1:0");
	int fd = dup(listeners.at[0].fd);
	struct inherited got = inherit(fd, true);

	cr_expect_eq(got.err, 0);
	cr_expect_eq(got.count, 1);
	cr_expect(got.prepared);
	cr_expect_str_eq(got.name, name);
	got = inherit(fd, false);
	cr_expect_eq(got.err, 0);
	cr_expect_eq(got.count, 0, "meant for another process");
	got = inherit(socket(AF_INET, SOCK_STREAM, 0), true);
	cr_expect_eq(got.err, -EINVAL);
	cr_expect_str_eq(got.error, "systemd socket 3: not a listening stream socket: use "
				    "ListenStream= and Accept=no");
	close(fd);
	listeners_close(&listeners);
}

static const struct http_limits small = {
	.per_listener = 4,
	.per_client = 2,
	.phase_ms = { 60000, 60000, 60000, 60000 },
};

/* A connected socket of that client; `*peer` is its other end. */
static struct connection *admit(struct connections *connections, uint32_t client, int *peer)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct connection *connection;
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	address.sin_addr.s_addr = htonl(client);
	connection = connections_admit(connections, ends[0], 0, (struct sockaddr *)&address);
	*peer = ends[1];
	return connection;
}

static bool is_shut(int peer)
{
	char byte;

	return recv(peer, &byte, 1, MSG_DONTWAIT) == 0;
}

Test(connections, make_room_by_the_one_that_waits_longest)
{
	struct connections connections;
	struct connection *at[3];
	int peer[3];

	connections_init(&connections, &small);
	for (int i = 0; i < 2; i++) {
		at[i] = admit(&connections, 1, &peer[i]);
		cr_assert_not_null(at[i]);
	}
	at[0]->since_ms -= 1000;
	connections_enter(&connections, at[0], CONNECTION_BUSY);
	at[0]->since_ms -= 1000;
	at[2] = admit(&connections, 1, &peer[2]);
	cr_expect_not_null(at[2]);
	cr_expect(!is_shut(peer[0]), "it is being answered");
	cr_expect(is_shut(peer[1]));
	connections_clear(&connections);
}

Test(connections, refuse_where_all_are_being_answered)
{
	struct connections connections;
	struct connection *at;
	int peer;

	connections_init(&connections, &small);
	for (int i = 0; i < 2; i++)
		connections_enter(&connections, admit(&connections, 1, &peer), CONNECTION_BUSY);
	cr_expect_null(admit(&connections, 1, &peer));
	for (int i = 0; i < 2; i++) { /* other clients, up to the listener's limit */
		at = admit(&connections, 2 + (uint32_t)i, &peer);
		cr_assert_not_null(at);
		connections_enter(&connections, at, CONNECTION_BUSY);
	}
	cr_expect_null(admit(&connections, 9, &peer));
	connections_remove(&connections, at);
	cr_expect_not_null(admit(&connections, 9, &peer));
	connections_clear(&connections);
}

/* A flood of idle connections: each new one ends an old one, but no more are there than twice the limit. */
Test(connections, are_bounded_also_while_they_close)
{
	struct connections connections;
	int peer, admitted = 0;

	connections_init(&connections, &small);
	for (int i = 0; i < 20; i++)
		admitted += admit(&connections, 1, &peer) != NULL;
	cr_expect_eq(admitted, 4);
	connections_clear(&connections);
}

Test(connections, end_when_their_phase_does)
{
	struct connections connections;
	struct connection *at;
	int peer[2];

	connections_init(&connections, &small);
	at = admit(&connections, 1, &peer[0]);
	cr_assert_not_null(admit(&connections, 2, &peer[1]));
	connections_sweep(&connections);
	cr_expect(!is_shut(peer[0]));
	at->since_ms -= 60001;
	connections_sweep(&connections);
	cr_expect(is_shut(peer[0]));
	cr_expect(!is_shut(peer[1]));
	connections_clear(&connections);
}

Test(connections, are_one_client_in_a_network_of_ipv6)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
	struct connections connections;
	static const char *const hosts[] = { "2001:db8::1", "2001:db8::2", "2001:db8::3" };
	int ends[2];

	connections_init(&connections, &small);
	for (int i = 0; i < 3; i++) {
		struct connection *at;

		inet_pton(AF_INET6, hosts[i], &address.sin6_addr);
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
		at = connections_admit(&connections, ends[0], 0, (struct sockaddr *)&address);
		cr_expect_eq(at == NULL, i == 2);
		if (at)
			connections_enter(&connections, at, CONNECTION_BUSY);
	}
	connections_clear(&connections);
}

static void write_file(const char *text)
{
	char other[80];
	FILE *file;

	/* a new inode each time, as editors and Kubernetes do it */
	snprintf(other, sizeof(other), "%s.new", path);
	file = fopen(other, "w");
	fputs(text, file);
	fclose(file);
	cr_assert_eq(rename(other, path), 0);
}

struct told {
	int lines;
	char last[HTTP_ERROR_BYTES + 64];
};

static void on_report(void *ctx, const char *line)
{
	struct told *told = ctx;

	told->lines++;
	snprintf(told->last, sizeof(told->last), "%s", line);
}

static size_t users_of(struct web_watch *watch, const char *first_hash)
{
	const struct web_state *state = web_watch_get(watch);
	size_t count = state->config->users.count;

	cr_expect_str_eq(state->config->users.at[0].value, first_hash);
	web_state_put(state);
	return count;
}

Test(web_watch, follows_its_file, .init = make_directory, .fini = remove_directory)
{
	char error[HTTP_ERROR_BYTES], expected[HTTP_ERROR_BYTES];
	const struct web_state *held;
	struct web_watch *watch;
	struct told told = {};

	cr_expect_eq(web_watch_new(path, on_report, &told, &watch, error), -ENOENT);
	write_file("basic_auth_users: {a: " HASH_A "}\n");
	cr_assert_eq(web_watch_new(path, on_report, &told, &watch, error), 0, "%s", error);
	held = web_watch_get(watch);
	write_file("basic_auth_users: {a: " HASH_B ", b: " HASH_A "}\n");
	web_watch_check(watch);
	cr_expect_eq(users_of(watch, HASH_B), 2);
	cr_expect_str_eq(held->config->users.at[0].value, HASH_A, "who holds it keeps it");
	write_file("nonsense: 1\n");
	web_watch_check(watch);
	web_watch_check(watch);
	cr_expect_eq(told.lines, 1, "told once");
	snprintf(expected, sizeof(expected),
		 "%s:1: the file has no key nonsense: check its spelling: the configuration before "
		 "stays in force",
		 path);
	cr_expect_str_eq(told.last, expected);
	cr_expect_eq(users_of(watch, HASH_B), 2);
	unlink(path);
	web_watch_check(watch);
	cr_expect_eq(told.lines, 2);
	write_file(""); /* half-written: it must not open the door */
	web_watch_check(watch);
	cr_expect_eq(told.lines, 3);
	snprintf(expected, sizeof(expected),
		 "%s: no longer has basic authentication: restart to go without it: the "
		 "configuration before stays in force",
		 path);
	cr_expect_str_eq(told.last, expected);
	cr_expect_eq(users_of(watch, HASH_B), 2);
	write_file("basic_auth_users: {a: " HASH_A "}\n");
	web_watch_check(watch);
	cr_expect_eq(users_of(watch, HASH_A), 1);
	cr_expect_eq(told.lines, 3);
	web_watch_free(watch);
	web_state_put(held);
}

static int metrics(void *ctx, enum exposition_format format, struct buffer *body)
{
	(void)ctx;
	buffer_puts(body, format == EXPOSITION_OPENMETRICS ? "open\n" : "text\n");
	return 0;
}

static int no_metrics(void *ctx, enum exposition_format format, struct buffer *body)
{
	(void)ctx;
	(void)format;
	buffer_puts(body, "half of it");
	return -EIO;
}

static bool unwell(void *ctx, char reason[PAGES_REASON_BYTES])
{
	(void)ctx;
	strcpy(reason, "no probes");
	return false;
}

/* Sends a request and reads until the server closes. */
static void ask(const char *request, char *answer, size_t room)
{
	int fd = connect_unix(path);
	size_t used = 0;
	ssize_t count;

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, request, strlen(request)), (ssize_t)strlen(request));
	while (used < room - 1 && (count = read(fd, answer + used, room - 1 - used)) > 0)
		used += (size_t)count;
	answer[used] = 0;
	close(fd);
}

static void expect_answer(const char *request, const char *first, const char *last)
{
	char answer[4096];
	size_t size;

	ask(request, answer, sizeof(answer));
	size = strlen(answer);
	cr_expect_eq(strncmp(answer, first, strlen(first)), 0, "%s: %s", request, answer);
	cr_assert_geq(size, strlen(last));
	cr_expect_str_eq(answer + size - strlen(last), last, "%s: %s", request, answer);
}

static struct http_server *start(struct pages *pages)
{
	char address[80], error[HTTP_ERROR_BYTES] = "";
	const char *const addresses[] = { address };
	struct http_options options = { .addresses = addresses,
					.address_count = 1,
					.handler = { pages_render, NULL, pages } };
	struct http_server *server;

	snprintf(address, sizeof(address), "unix:%s", path);
	cr_assert_eq(http_server_start(&options, &server, error), 0, "%s", error);
	cr_expect_str_eq(http_server_address(server, 0), address);
	cr_expect_null(http_server_address(server, 1));
	return server;
}

#define END " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"

Test(http_server, serves_pages, .init = make_directory, .fini = remove_directory)
{
	struct pages pages = { "1.2.3", metrics, unwell, NULL };
	struct http_server *server = start(&pages);

	expect_answer("GET /metrics" END "\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\ntext\n");
	expect_answer("GET /metrics?a=b" END "Accept: application/openmetrics-text\r\n\r\n",
		      "HTTP/1.1 200 OK\r\n", "\r\n\r\nopen\n");
	expect_answer("HEAD /metrics" END "\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\n");
	expect_answer("GET /healthz" END "\r\n", "HTTP/1.1 503 Service Unavailable\r\n",
		      "\r\n\r\nno probes\n");
	expect_answer("GET /x" END "\r\n", "HTTP/1.1 404 Not Found\r\n",
		      "\r\n\r\nthere is /, /metrics and /healthz\n");
	expect_answer("DELETE /metrics" END "\r\n", "HTTP/1.1 405 Method Not Allowed\r\n",
		      "\r\n\r\nonly GET and HEAD are answered here\n");
	expect_answer("GET /metrics" END "Content-Length: 3\r\n\r\nabc", "HTTP/1.1 413 ",
		      "\r\n\r\na request has no body here\n");
	http_server_stop(server);
}

Test(http_server, says_when_a_page_cannot_be_made, .init = make_directory, .fini = remove_directory)
{
	struct pages pages = { "1.2.3", no_metrics, unwell, NULL };
	struct http_server *server = start(&pages);

	expect_answer("GET /metrics" END "\r\n", "HTTP/1.1 500 Internal Server Error\r\n",
		      "\r\n\r\nthe page could not be made\n");
	http_server_stop(server);
}

/* With somebody in each state, and a request half sent. */
Test(http_server, stops_whoever_is_there, .init = make_directory, .fini = remove_directory)
{
	struct pages pages = { "1.2.3", metrics, unwell, NULL };
	struct http_server *server = start(&pages);
	int silent = connect_unix(path), slow = connect_unix(path), idle = connect_unix(path);
	char answer[1024];

	cr_assert(silent >= 0 && slow >= 0 && idle >= 0);
	cr_expect_eq(write(slow, "GET /met", 8), 8);
	cr_expect_eq(write(idle, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27), 27);
	cr_expect_gt(read(idle, answer, sizeof(answer)), 0);
	http_server_stop(server);
	cr_expect_leq(read(silent, answer, sizeof(answer)), 0);
	cr_expect_leq(read(slow, answer, sizeof(answer)), 0);
	close(silent);
	close(slow);
	close(idle);
}

Test(http_server, wants_an_address)
{
	struct http_options options = { .handler = { pages_render, NULL, NULL } };
	char error[HTTP_ERROR_BYTES];
	struct http_server *server;

	cr_expect_eq(http_server_start(&options, &server, error), -EINVAL);
	cr_expect_str_eq(error, "no socket to listen at: give an address, or start it by a systemd "
				"socket unit");
}
