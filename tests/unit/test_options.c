/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "records.h"

/*
 * Options as contract.md and each --help promise them. A wrong one ends with exit status 2 and one
 * line on standard error; that line is caught here.
 */

static const struct argp_child children[] = {
	{ .argp = &argp_targets }, { .argp = &argp_filters }, { .argp = &argp_durations },
	{ .argp = &argp_limits },  { .argp = &argp_output },  {},
};

/* A command of the test's own: every shared option, `--own N` and the command after --. */
static const struct argp_option own_options[] = {
	{ "own", 'w', "N", 0, "an option of this command alone", 0 },
	{},
};

static error_t parse_own(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		for (int i = 0; children[i].argp; i++)
			state->child_inputs[i] = options;
		return 0;
	case 'w':
		if (strcmp(arg, "1"))
			return options_error(state, "--own: '%s' is not 1", arg);
		options->context = 1;
		return 0;
	case ARGP_KEY_ARGS:
		options->argv = state->argv + state->next;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp_own = {
	own_options, parse_own, "[-- CMD ARG...]", "What it does.", children, NULL, NULL
};

struct run {
	struct options options;
	int status;
	char err[4096]; /* what was said on standard error */
};

#define ARGV_MAX 600

/* The words (NULL-terminated) behind the command's name. */
static void parse_words(struct run *run, char **words)
{
	static char *argv[ARGV_MAX];
	int argc = 0, saved = dup(STDERR_FILENO);
	FILE *said = tmpfile();
	size_t size;

	argv[argc++] = "own";
	for (; *words; words++)
		argv[argc++] = *words;
	argv[argc] = NULL;
	memset(run, 0, sizeof(*run));
	run->options.command = "own";
	fflush(stderr);
	dup2(fileno(said), STDERR_FILENO);
	run->status = options_parse(&argp_own, argc, argv, &run->options);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(said);
	size = fread(run->err, 1, sizeof(run->err) - 1, said);
	run->err[size] = 0;
	fclose(said);
}

#define PARSE(run, ...) parse_words(run, (char *[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

/* A wrong usage: exit status 2 and one line that begins as every error does and names the culprit. */
static void expect_refused(struct run *run, const char *culprit)
{
	size_t length = strlen(run->err);

	cr_assert_eq(run->status, EXIT_USAGE, "%s was accepted", culprit);
	cr_assert_eq(strncmp(run->err, "genscope: ", 10), 0, "said: %s", run->err);
	cr_assert(length && strchr(run->err, '\n') == run->err + length - 1, "not one line: %s",
		  run->err);
	cr_assert(strstr(run->err, culprit), "%s is not named in: %s", culprit, run->err);
	cr_assert(strstr(run->err, "genscope own --help"), "no advice in: %s", run->err);
}

#define REFUSED(culprit, ...)                                                                      \
	do {                                                                                       \
		struct run run_;                                                                   \
		PARSE(&run_, __VA_ARGS__);                                                         \
		expect_refused(&run_, culprit);                                                    \
	} while (0)

static void expect_accepted(const struct run *run)
{
	cr_assert_eq(run->status, 0, "refused: %s", run->err);
	cr_assert_str_eq(run->err, "");
}

Test(duration, knows_its_units)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} cases[] = {
		{ "1ns", 1 },
		{ "250us", 250000 },
		{ "50ms", 50000000 },
		{ "1.5s", 1500000000 },
		{ "2m", 120000000000 },
		{ "1h", 3600000000000 },
		{ "0s", 0 },
		{ "0.0001s", 100000 },
		{ "007ms", 7000000 },
		{ "1.s", 1000000000 },
		{ "0.5m", 30000000000 },
		{ "2562047h", 2562047ull * 3600 * 1000000000 }, /* the last whole hour in 63 bits */
		{ "9007199254740992ns", 9007199254740992 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t ns = 1;

		cr_assert_eq(parse_duration(cases[i].text, &ns), 0, "%s", cases[i].text);
		cr_assert_eq(ns, cases[i].ns, "%s is %lu ns", cases[i].text, (unsigned long)ns);
	}
}

/* Decimal fractions are not binary ones: 1.001 us are 1001 ns, not 1000. */
Test(duration, is_exact_in_decimals)
{
	static const struct {
		const char *unit;
		uint64_t factor;
		unsigned decimals;
	} units[] = { { "us", 1000, 3 }, { "ms", 1000000, 6 }, { "s", 1000000000, 9 } };

	for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
		for (uint64_t n = 1; n < 5000; n++) {
			uint64_t thousandths = n * (units[u].factor / 1000), ns;
			char text[32];

			snprintf(text, sizeof(text), "%lu.%03lu%s", (unsigned long)(n / 1000),
				 (unsigned long)(n % 1000), units[u].unit);
			cr_assert_eq(parse_duration(text, &ns), 0);
			cr_assert_eq(ns, thousandths, "%s is %lu ns", text, (unsigned long)ns);
		}
	}
}

Test(duration, refuses_what_is_none)
{
	static const char *const bad[] = {
		"",
		"5",
		"s",
		"ms",
		"-1s",
		"+1s",
		" 1s",
		"1 s",
		"1s ",
		"1.5.5s",
		"1,5s",
		"1sec",
		"1S",
		"1M",
		"1us1",
		"nan",
		"nans",
		"inf",
		"infs",
		"0x10s",
		"0x1p4s",
		"1e400s",
		".5s",
		"1d",
		"--",
		"1ss",
		"9223372036854775808ns",
		"99999999999h",
		"9e18s",
		"1\xc2\xb5s",
	};
	uint64_t ns;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(parse_duration(bad[i], &ns), -EINVAL, "'%s' was taken", bad[i]);
}

Test(glob, is_valid_where_fnmatch_can_match)
{
	static const struct {
		const char *glob, *match; /* something that fnmatch() says it matches */
	} good[] = {
		{ "*", "anything" },
		{ "handle_*", "handle_x" },
		{ "a?c", "abc" },
		{ "[abc]", "b" },
		{ "[!abc]", "d" },
		{ "[^abc]", "d" },
		{ "[]]", "]" },
		{ "[!]]", "x" },
		{ "[]a]", "a" },
		{ "[a-z]*", "x1" },
		{ "\\*", "*" },
		{ "[[:digit:]a]", "a" },
		{ "a]", "a]" },
		{ "[[]", "[" },
		{ "[\\]]", "]" },
		{ "Class.*.<locals>.f", "Class.g.<locals>.f" },
		{ "[[:alpha:]]", "q" },
		{ "[[:alpha:]_]x", "_x" },
		{ "*/site-packages/*", "/a/site-packages/b.py" },
		{ "\xc3\xa9*", "\xc3\xa9t\xc3\xa9" },
	};
	static const char *const bad[] = { "",    "[",  "[abc", "a[",  "[]", "[!]",
					   "[^]", "\\", "a\\",  "[\\", "*[", "[!" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_assert(glob_is_valid(good[i].glob), "%s", good[i].glob);
		cr_assert_eq(fnmatch(good[i].glob, good[i].match, 0), 0, "%s", good[i].glob);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_not(glob_is_valid(bad[i]), "%s", bad[i]);
}

Test(glob, may_escape_a_bracket)
{
	cr_assert_eq(fnmatch("\\[x\\]", "[x]", 0), 0);
	cr_assert(glob_is_valid("\\["));
	cr_assert(glob_is_valid("a\\[1\\]"));
	cr_assert_not(glob_is_valid("[a\\]"));
	cr_assert_not(glob_is_valid("[a\\"));
}

Test(glob, has_classes_that_close_too)
{
	cr_assert_not(glob_is_valid("[[:alpha:]")); /* its ] is the class's */
	cr_assert_not(glob_is_valid("[[:alpha:"));
}

Test(options, have_defaults)
{
	struct run run;

	PARSE(&run);
	expect_accepted(&run);
	cr_assert_eq(run.options.kinds,
		     1u << KIND_GENERATOR | 1u << KIND_COROUTINE | 1u << KIND_ASYNC_GENERATOR);
	cr_assert_eq(run.options.pid_count, 0);
	cr_assert_not(run.options.all || run.options.json || run.options.quiet ||
		      run.options.verbose);
	cr_assert_eq(run.options.color, COLOR_AUTO);
	cr_assert_null(run.options.output);
	cr_assert_eq(run.options.max_events, 0);
	cr_assert_eq(run.options.duration_ns, 0);
}

Test(options, are_all_understood)
{
	struct run run;

	PARSE(&run, "-p", "1", "--pid=2147483647", "-x", "/usr/bin/python3", "--cgroup", "/sys/x",
	      "-a", "-k", "generator,async_generator", "-f", "h*", "--file=*.py", "--min-run",
	      "250us", "--min-suspended=1.5s", "-d", "2m", "-n18446744073709551615", "-o", "-",
	      "--json", "--color=always", "-qv", "--own=1");
	expect_accepted(&run);
	cr_assert_eq(run.options.pid_count, 2);
	cr_assert_eq(run.options.pids[0], 1);
	cr_assert_eq(run.options.pids[1], 2147483647);
	cr_assert_str_eq(run.options.exe, "/usr/bin/python3");
	cr_assert_str_eq(run.options.cgroup, "/sys/x");
	cr_assert(run.options.all && run.options.json && run.options.quiet && run.options.verbose);
	cr_assert_eq(run.options.kinds, 1u << KIND_GENERATOR | 1u << KIND_ASYNC_GENERATOR);
	cr_assert_str_eq(run.options.function_glob, "h*");
	cr_assert_str_eq(run.options.file_glob, "*.py");
	cr_assert_eq(run.options.min_run_ns, 250000);
	cr_assert_eq(run.options.min_suspended_ns, 1500000000);
	cr_assert_eq(run.options.duration_ns, 120000000000);
	cr_assert_eq(run.options.max_events, UINT64_MAX);
	cr_assert_str_eq(run.options.output, "-");
	cr_assert_eq(run.options.color, COLOR_ALWAYS);
	cr_assert_eq(run.options.context, 1);
}

Test(options, end_where_the_command_begins)
{
	struct run run;

	PARSE(&run, "-q", "--", "python3", "-c", "pass", "--json", "-p", "nonsense");
	expect_accepted(&run);
	cr_assert_not(run.options.json);
	cr_assert_eq(run.options.pid_count, 0);
	cr_assert_str_eq(run.options.argv[0], "python3");
	cr_assert_str_eq(run.options.argv[5], "nonsense");
	cr_assert_null(run.options.argv[6]);
	PARSE(&run, "--", "python3", "--help"); /* the target's, not ours */
	expect_accepted(&run);
}

Test(options, refuse_wrong_numbers)
{
	static char *const bad[] = { "",
				     "0",
				     "-1",
				     "+1",
				     " 1",
				     "1 ",
				     "x",
				     "1x",
				     "0x1",
				     "1.0",
				     "1e3",
				     "18446744073709551616",
				     "99999999999999999999999" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		REFUSED("--pid", "-p", bad[i]);
		REFUSED("--max-events", "-n", bad[i]);
	}
	REFUSED("2147483648", "--pid", "2147483648");
	REFUSED("--own", "--own=2");
}

Test(options, refuse_wrong_words)
{
	REFUSED("--duration", "-d", "5");
	REFUSED("--duration", "-d", "0s");
	REFUSED("--min-run", "--min-run=-1s");
	REFUSED("--min-suspended", "--min-suspended", "soon");
	REFUSED("'gen'", "-k", "gen");
	REFUSED("'frog'", "-k", "generator,frog");
	REFUSED("--kind", "-k", "");
	REFUSED("--kind", "-k", ",");
	REFUSED("--color", "--color=blue");
	REFUSED("--function", "-f", "[a");
	REFUSED("--function", "-f", "");
	REFUSED("--file", "-F", "x\\");
	REFUSED("--nonsense", "--nonsense");
	REFUSED("-Z", "-Z");
	REFUSED("--pid", "-q", "--pid");
	REFUSED("-d", "-d");
	REFUSED("--json=1", "--json=1");
}

/* argp does not say where it stopped, when it stopped in the middle. */
Test(options, name_the_culprit_wherever_it_stands)
{
	REFUSED("'--nonsense'", "--json", "--nonsense", "-q");
	REFUSED("'--nonsense=3'", "--nonsense=3", "-p", "1");
	REFUSED("'-Z'", "-Z", "--json");
}

Test(options, take_a_kind_list_whole)
{
	char list[256] = "";
	struct run run;

	for (int i = 0; i < 7; i++)
		strcat(list, "async_generator,");
	strcat(list, "generator,coroutine,generator");
	PARSE(&run, "-k", list);
	expect_accepted(&run);
	cr_assert_eq(run.options.kinds,
		     1u << KIND_GENERATOR | 1u << KIND_COROUTINE | 1u << KIND_ASYNC_GENERATOR);
	strcpy(list + 7 * 16, "async_generatorbogus");
	REFUSED("bogus", "-k", list);
}

Test(options, bound_the_pids)
{
	char *words[2 * (PIDS_MAX + 1) + 1] = {};
	struct run run;

	for (int i = 0; i < 2 * PIDS_MAX; i += 2) {
		words[i] = "-p";
		words[i + 1] = "7";
	}
	parse_words(&run, words);
	expect_accepted(&run);
	cr_assert_eq(run.options.pid_count, PIDS_MAX);
	words[2 * PIDS_MAX] = "-p";
	words[2 * PIDS_MAX + 1] = "7";
	parse_words(&run, words);
	expect_refused(&run, "--pid");
}

/* Every option of the contract has its line in the help, and help is no error. */
Test(options, have_help, .exit_code = 0)
{
	FILE *out = tmpfile();
	char *text = NULL;
	size_t size = 0;

	argp_help(&argp_own, out, ARGP_HELP_LONG, "own");
	rewind(out);
	cr_assert(getdelim(&text, &size, 0, out) > 0);
	for (const char *const *option =
		     (const char *const[]){ "--pid", "--exe", "--cgroup", "--all", "--kind",
					    "--function", "--file", "--min-run", "--min-suspended",
					    "--duration", "--max-events", "--output", "--json",
					    "--color", "--quiet", "--verbose", NULL };
	     *option; option++)
		cr_assert(strstr(text, *option), "%s is not in the help", *option);
	free(text);
	fclose(out);
	fclose(stdout);
	PARSE(&(struct run){}, "--json", "--help", "-Z");
	cr_assert_fail("--help did not end the command");
}
