// SPDX-License-Identifier: MIT
/*
 * The HTTP server of `genscope export` with canned pages, for tests/http/run.py:
 *
 *     serve [--web-config FILE] [--inherit] [--hurry] [--per-client N] [--listen ADDRESS]...
 *
 * Says where it listens on standard output, a line each and then "ready"; reports of the server come on
 * standard error; ends when its input does, or by SIGTERM. --hurry makes every phase of a connection 1 s.
 * What /healthz says is taken from the environment at the start (UNHEALTHY).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/pages.h"
#include "http/server.h"
#include "model/exponential.h"
#include "sink/exposition.h"

#define HURRY_MS     1000
#define CREATED_NS   1700000000123000000ull
#define FUNCTIONS    200 /* as many as --max-series allows */
#define ADDRESSES    16
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct exposition_family objects = { "genscope_objects", EXPOSITION_GAUGE, NULL,
						  "Objects alive, by \"state\".\nOr \\ so." };
static const struct exposition_family transitions = { "genscope_transitions", EXPOSITION_COUNTER,
						      NULL, "Transitions." };
static const struct exposition_family probe = { "genscope_probe_seconds", EXPOSITION_COUNTER,
						"seconds", "Time spent in probes." };
static const struct exposition_family run = { "genscope_run_seconds", EXPOSITION_HISTOGRAM,
					      "seconds", "Time from a resume to the next stop." };

static void put_histogram(struct exposition *page, const char *function)
{
	const struct exposition_label labels[] = { { "service", "web" }, { "function", function } };
	const struct exposition_label causes[] = { { "gen_id", "4711" }, { "position", "0x1f" } };
	const struct exposition_exemplar slow = { .labels = { causes, COUNT(causes) },
						  .value_ns = 1500000000,
						  .time_ns = CREATED_NS + 1 };
	const struct exposition_exemplar *exemplars[EXPONENTIAL_BOUNDS + 1] = {};
	struct exponential times = {};
	uint64_t bounds[EXPONENTIAL_BOUNDS], cumulative[EXPONENTIAL_BOUNDS + 1];

	for (unsigned i = 0; i < EXPONENTIAL_BOUNDS; i++) {
		bounds[i] = exponential_bound(i);
		if (slow.value_ns < bounds[i] && (!i || slow.value_ns >= bounds[i - 1]))
			exemplars[i] = &slow;
	}
	exponential_record(&times, 5000);
	exponential_record(&times, slow.value_ns);
	exponential_record(&times, 7200ull * 1000000000);
	exponential_cumulate(&times, cumulative);
	exposition_histogram(page, &(struct exposition_labels){ labels, COUNT(labels) },
			     &(struct exposition_histogram){ .bounds = EXPONENTIAL_BOUNDS,
							     .bounds_ns = bounds,
							     .cumulative = cumulative,
							     .sum_ns = times.sum_ns,
							     .exemplars = exemplars },
			     CREATED_NS);
}

static int metrics(void *ctx, enum exposition_format format, struct buffer *body)
{
	static const char *const odd[] = { "a\"b\\c\nd", "caf\xc3\xa9", "cut \xe2\x80", "\xff" };
	struct exposition page;

	(void)ctx;
	exposition_begin(&page, format, body);
	exposition_family(&page, &objects);
	for (size_t i = 0; i < COUNT(odd); i++) {
		const struct exposition_label label = { "service", odd[i] };

		exposition_gauge(&page, &(struct exposition_labels){ &label, 1 }, (double)i + 0.1);
	}
	exposition_family(&page, &transitions);
	exposition_counter(&page, NULL, 18446744073709551615ull, CREATED_NS, NULL);
	exposition_family(&page, &probe);
	exposition_counter(&page, NULL, 1234567890123ull, CREATED_NS, NULL);
	exposition_family(&page, &run);
	for (int i = 0; i < FUNCTIONS; i++) {
		char function[64];

		snprintf(function, sizeof(function), "/srv/app/views.py:handler_%d.<locals>.step",
			 i);
		put_histogram(&page, function);
	}
	return exposition_end(&page);
}

static bool healthy(void *ctx, char reason[PAGES_REASON_BYTES])
{
	const char *problem = ctx;

	snprintf(reason, PAGES_REASON_BYTES, "%s", problem ? problem : "");
	return !problem;
}

static void report(void *ctx, const char *line)
{
	(void)ctx;
	fprintf(stderr, "%s\n", line);
}

struct words {
	struct http_options options;
	struct http_limits limits;
	const char *addresses[ADDRESSES];
};

static int read_words(struct words *words, char **argv)
{
	struct http_options *options = &words->options;

	words->limits = http_limits_default;
	options->limits = &words->limits;
	options->addresses = words->addresses;
	for (argv++; *argv; argv++) {
		if (!strcmp(*argv, "--inherit"))
			options->inherit = true;
		else if (!strcmp(*argv, "--hurry"))
			for (int i = 0; i < CONNECTION_PHASES; i++)
				words->limits.phase_ms[i] = HURRY_MS;
		else if (!strcmp(*argv, "--per-client") && argv[1])
			words->limits.per_client = (unsigned)atoi(*++argv);
		else if (!strcmp(*argv, "--web-config") && argv[1])
			options->web_config = *++argv;
		else if (!strcmp(*argv, "--listen") && argv[1] &&
			 options->address_count < ADDRESSES)
			words->addresses[options->address_count++] = *++argv;
		else
			return 2;
	}
	return 0;
}

static void on_signal(int number)
{
	(void)number; /* the read() is interrupted */
}

static void wait_for_end(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	char byte;

	sigaction(SIGTERM, &action, NULL);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	struct pages pages = { .version = "0.0-test",
			       .metrics = metrics,
			       .healthy = healthy,
			       .ctx = getenv("UNHEALTHY") };
	struct words words = {};
	struct http_server *server;
	char error[HTTP_ERROR_BYTES];

	(void)argc;
	if (read_words(&words, argv)) {
		fprintf(stderr, "serve: see the head of tests/http/serve.c\n");
		return 2;
	}
	words.options.handler = (struct http_handler){ pages_render, report, &pages };
	if (http_server_start(&words.options, &server, error)) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	for (size_t i = 0; http_server_address(server, i); i++)
		printf("%s\n", http_server_address(server, i));
	printf("ready\n");
	fflush(stdout);
	wait_for_end();
	http_server_stop(server);
	return 0;
}
