// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "cmd/options.h"
#include "session/session.h"

/* The options of commands that stream transitions: what else is told, and the limits of locals. */

#define NAMES_DEFAULT 16

enum { OPTION_CONTEXT = 0x200 };

static error_t take_context(struct argp_state *state, const char *list)
{
	struct options *options = state->input;
	char copy[64], *rest, *word;

	snprintf(copy, sizeof(copy), "%s", list);
	for (word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		if (!strcmp(word, "gc"))
			options->context |= CONTEXT_GC;
		else if (!strcmp(word, "import"))
			options->context |= CONTEXT_IMPORT;
		else if (!strcmp(word, "audit"))
			options->context |= CONTEXT_AUDITS;
		else
			return options_error(state, "--context: '%s' is not gc, import or audit",
					     word);
	}
	return 0;
}

static error_t parse_context(int key, char *arg, struct argp_state *state)
{
	return key == OPTION_CONTEXT ? take_context(state, arg) : ARGP_ERR_UNKNOWN;
}

static const struct argp_option context_options[] = {
	{ "context", OPTION_CONTEXT, "LIST", 0,
	  "also show, of gc,import,audit, what the interpreter tells by USDT", 2 },
	{ 0 },
};

const struct argp argp_context = { .options = context_options, .parser = parse_context };

/* What BPF can copy is limited: see LOCALS_…_MAX. */
error_t options_check_locals(struct argp_state *state)
{
	struct options *options = state->input;
	const struct {
		const char *option;
		uint32_t value, max;
	} limits[] = {
		{ "--max-depth", options->max_depth, LOCALS_DEPTH_MAX },
		{ "--max-items", options->max_items, LOCALS_ITEMS_MAX },
		{ "--max-string", options->max_string, LOCALS_STRING_MAX },
		{ "--max-names", options->max_names, LOCALS_NAMES_MAX },
	};

	if (!options->locals_rate)
		options->locals_rate = 1;
	if (!options->max_names)
		options->max_names = NAMES_DEFAULT;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (limits[i].value > limits[i].max)
			return options_error(state, "%s: %u is too much for a stream, at most %u",
					     limits[i].option, limits[i].value, limits[i].max);
	return 0;
}

struct locals_options options_locals(const struct options *options)
{
	return (struct locals_options){ .limits = { .depth = options->max_depth,
						    .items = options->max_items,
						    .string = options->max_string },
					.names_max = options->max_names,
					.redact = !options->no_redact };
}
