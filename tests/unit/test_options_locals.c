/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/options.h"

/* The options for locals, which commands share. */

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = state->child_inputs[1] = state->input;
	return 0;
}

static int parse_words(struct options *options, int count, const char *const *words)
{
	static const struct argp_child children[] = { { .argp = &argp_stream_locals },
						      { .argp = &argp_locals_limits },
						      {} };
	static const struct argp argp = { .parser = parse, .children = children };
	char copies[8][64], *argv[9] = {};

	memset(options, 0, sizeof(*options));
	options->command = "test";
	for (int i = 0; i < count; i++) {
		snprintf(copies[i], sizeof(copies[i]), "%s", words[i]);
		argv[i] = copies[i];
	}
	cr_assert_not_null(freopen("/dev/null", "w", stderr));
	return options_parse(&argp, count, argv, options);
}

#define PARSE(options, ...)                                                                        \
	parse_words(options, sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *),             \
		    (const char *[]){ __VA_ARGS__ })

Test(locals_options, have_defaults)
{
	struct options options;

	cr_assert_eq(PARSE(&options, "test"), 0);
	cr_assert(!options.locals && !options.no_redact);
	cr_assert_eq(options.locals_rate, 0);
	cr_assert_eq(options.max_depth, 2);
	cr_assert_eq(options.max_items, 16);
	cr_assert_eq(options.max_string, 128);
	cr_assert_eq(options.max_names, 0);
}

Test(locals_options, are_understood)
{
	struct options options;

	cr_assert_eq(PARSE(&options, "test", "--locals=7", "--no-redact", "--max-depth=3",
			   "--max-items", "40", "--max-string=4294967295"),
		     0);
	cr_assert(options.locals && options.no_redact);
	cr_assert_eq(options.locals_rate, 7);
	cr_assert_eq(options.max_depth, 3);
	cr_assert_eq(options.max_items, 40);
	cr_assert_eq(options.max_string, UINT32_MAX);
	cr_assert_eq(PARSE(&options, "test", "--locals", "--max-names=9"), 0);
	cr_assert(options.locals);
	cr_assert_eq(options.locals_rate, 0);
	cr_assert_eq(options.max_names, 9);
}

Test(locals_options, refuse_wrong_numbers)
{
	static const char *const wrong[] = { "--locals=0",    "--locals=",
					     "--locals=-1",   "--locals=x",
					     "--max-depth=0", "--max-items=4294967296",
					     "--max-string=", "--max-names=1x" };
	struct options options;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_eq(PARSE(&options, "test", wrong[i]), EXIT_USAGE, "%s", wrong[i]);
}
