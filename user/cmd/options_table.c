// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "cmd/options.h"

/* The options of commands that show distributions as tables. */

enum { OPTION_BY = 0x400, OPTION_METRIC, OPTION_SORT, OPTION_LIMIT };

static error_t parse_word(struct argp_state *state, const char *option, const char *word,
			  const char *choices, int value, int *out)
{
	if (value < 0)
		return options_error(state, "%s: '%s' is not %s", option, word, choices);
	*out = value;
	return 0;
}

static int metric_of_name(const char *name)
{
	static const char *const names[METRIC_COUNT] = { "run", "self", "suspended", "start",
							 "lifetime" };

	for (int metric = 0; metric < METRIC_COUNT; metric++)
		if (!strcmp(name, names[metric]))
			return metric;
	return -EINVAL;
}

static error_t parse_table(int key, char *arg, struct argp_state *state)
{
	struct table_options *table = &((struct options *)state->input)->table;
	error_t err;
	int value = 0;

	switch (key) {
	case ARGP_KEY_INIT:
		table->order.sort = LATENCY_SORT_TOTAL;
		return 0;
	case OPTION_BY:
		value = latency_by_of_name(arg);
		err = parse_word(state, "--by", arg, "function, file or task", value, &value);
		table->by = (enum latency_by)value;
		return err;
	case OPTION_METRIC:
		err = parse_word(state, "--metric", arg, "run, self, suspended, start or lifetime",
				 metric_of_name(arg), &value);
		table->order.metric = (enum metric)value;
		table->metric_given = true;
		return err;
	case OPTION_SORT:
		err = parse_word(state, "--sort", arg,
				 "count, total, share, p50, p90, p99, p999, max or name",
				 latency_sort_of_name(arg), &value);
		table->order.sort = (enum latency_sort)value;
		return err;
	case OPTION_LIMIT:
		table->limit_given = true;
		return options_size(state, "--limit", arg, &table->order.limit);
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option table_options[] = {
	{ 0, 0, 0, 0, "Table:", 3 },
	{ "metric", OPTION_METRIC, "WORD", 0,
	  "run (with what it awaits inside), self (without), suspended, start (birth to first "
	  "step) or lifetime",
	  0 },
	{ "by", OPTION_BY, "WORD", 0, "a row a function (the default), a file, or an asyncio task",
	  0 },
	{ "sort", OPTION_SORT, "WORD", 0,
	  "count, total, share, p50, p90, p99, p999, max or name; total", 0 },
	{ "limit", OPTION_LIMIT, "N", 0, "so many rows", 0 },
	{ 0 },
};

const struct argp argp_table = { .options = table_options, .parser = parse_table };
