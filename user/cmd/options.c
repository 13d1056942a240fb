// SPDX-License-Identifier: MIT
#include "cmd/options.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "model/names.h"
#include "python/value.h"
#include "records.h"

#define ALL_KINDS (1u << KIND_GENERATOR | 1u << KIND_COROUTINE | 1u << KIND_ASYNC_GENERATOR)

enum long_only {
	OPTION_CGROUP = 0x100,
	OPTION_MIN_RUN,
	OPTION_MIN_SUSPENDED,
	OPTION_JSON,
	OPTION_COLOR,
	OPTION_LOCALS,
	OPTION_NO_REDACT,
	OPTION_MAX_DEPTH,
	OPTION_MAX_ITEMS,
	OPTION_MAX_STRING,
	OPTION_MAX_NAMES,
	OPTION_MAX_OVERHEAD,
};

int parse_duration(const char *text, uint64_t *ns)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = { { "ns", 1 },  { "us", 1e3 }, { "ms", 1e6 },
		      { "s", 1e9 }, { "m", 60e9 }, { "h", 3600e9 } };
	double number;
	char *end;

	if (*text < '0' || *text > '9') /* no sign, no blank, no "nan" */
		return -EINVAL;
	number = strtod(text, &end);
	if (end == text || !isfinite(number) || strpbrk(text, "xXpP"))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit))
			continue;
		if (number * units[i].ns >= (double)INT64_MAX)
			return -EINVAL;
		*ns = (uint64_t)llround(number * units[i].ns);
		return 0;
	}
	return -EINVAL;
}

/* The ] that closes a bracket expression, classes like [:alpha:] inside it skipped; NULL: none. */
static const char *end_of_bracket(const char *c)
{
	c++;
	if (*c == '!' || *c == '^')
		c++;
	if (*c == ']')
		c++;
	for (; *c && *c != ']'; c++) {
		char kind = c[0] == '[' ? c[1] : 0;

		if (*c == '\\' && c[1])
			c++;
		if (kind != ':' && kind != '.' && kind != '=')
			continue;
		for (c += 2; *c && !(*c == kind && c[1] == ']'); c++)
			;
		if (!*c++)
			return NULL;
	}
	return *c ? c : NULL;
}

bool glob_is_valid(const char *glob)
{
	if (!*glob)
		return false;
	for (const char *c = glob; *c; c++) {
		if (*c == '\\') {
			if (!*++c)
				return false;
		} else if (*c == '[') {
			c = end_of_bracket(c);
			if (!c)
				return false;
		}
	}
	return true;
}

error_t options_error(struct argp_state *state, const char *format, ...)
{
	const struct options *options = state->input;
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	complain("%s: see genscope %s --help", message, options->command);
	return EEXIST; /* said already: see options_parse() */
}

error_t options_duration(struct argp_state *state, const char *option, const char *text,
			 uint64_t *ns)
{
	if (parse_duration(text, ns) || !*ns)
		return options_error(state, "%s: '%s' is no duration like 250us, 50ms, 1.5s or 2m",
				     option, text);
	return 0;
}

static error_t set_number(struct argp_state *state, const char *option, const char *text,
			  uint64_t max, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || !*value || *value > max)
		return options_error(state, "%s: '%s' is no number from 1 to %llu", option, text,
				     (unsigned long long)max);
	return 0;
}

error_t options_size(struct argp_state *state, const char *option, const char *text, size_t *value)
{
	uint64_t number;
	error_t err = set_number(state, option, text, SIZE_MAX, &number);

	if (!err)
		*value = number;
	return err;
}

static error_t add_pid(struct argp_state *state, const char *text)
{
	struct options *options = state->input;
	uint64_t pid;
	error_t err = set_number(state, "--pid", text, INT_MAX, &pid);

	if (err)
		return err;
	if (options->pid_count == PIDS_MAX)
		return options_error(state, "--pid: more than %d of them", PIDS_MAX);
	options->pids[options->pid_count++] = (pid_t)pid;
	return 0;
}

error_t options_take_command(struct argp_state *state, const char *word)
{
	struct options *options = state->input;

	if (!state->quoted || state->next - 1 < state->quoted)
		return options_error(state, "'%s': a command to start comes after --", word);
	options->argv = &state->argv[state->next - 1];
	state->next = state->argc;
	return 0;
}

error_t options_check_targets(struct argp_state *state)
{
	const struct options *options = state->input;
	int ways = (options->pid_count > 0) + !!options->exe + !!options->cgroup + options->all +
		   !!options->argv;

	if (ways == 0)
		return options_error(
			state, "no target: give -p PID, -x PATH, --cgroup PATH, -a or -- COMMAND");
	if (ways > 1)
		return options_error(state, "targets are named in more than one way: choose one");
	return 0;
}

static error_t parse_target(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'p':
		return add_pid(state, arg);
	case 'x':
		options->exe = arg;
		return 0;
	case OPTION_CGROUP:
		options->cgroup = arg;
		return 0;
	case 'a':
		options->all = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse_kinds(struct argp_state *state, const char *list)
{
	struct options *options = state->input;
	char word[32]; /* longer than any kind */

	options->kinds = 0;
	for (const char *end; *list; list = *end ? end + 1 : end) {
		end = list + strcspn(list, ",");
		snprintf(word, sizeof(word), "%.*s", (int)(end - list), list);
		if ((size_t)(end - list) >= sizeof(word) || !kind_of_name(word))
			return options_error(
				state,
				"--kind: '%.*s' is not generator, coroutine or async_generator",
				(int)(end - list), list);
		options->kinds |= kind_of_name(word);
	}
	return options->kinds ? 0 : options_error(state, "--kind: an empty list");
}

static error_t set_glob(struct argp_state *state, const char *option, const char *glob,
			const char **out)
{
	if (!glob_is_valid(glob))
		return options_error(state, "%s: '%s' is no glob", option, glob);
	*out = glob;
	return 0;
}

static error_t parse_filter(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'k':
		return parse_kinds(state, arg);
	case 'f':
		return set_glob(state, "--function", arg, &options->function_glob);
	case 'F':
		return set_glob(state, "--file", arg, &options->file_glob);
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse_duration_filter(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case OPTION_MIN_RUN:
		return options_duration(state, "--min-run", arg, &options->min_run_ns);
	case OPTION_MIN_SUSPENDED:
		return options_duration(state, "--min-suspended", arg, &options->min_suspended_ns);
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t set_percent(struct argp_state *state, const char *option, const char *text,
			   double *value)
{
	char *end;

	*value = strtod(text, &end);
	if (*end == '%')
		end++;
	if (*text < '0' || *text > '9' || *end || !isfinite(*value) || *value <= 0 || *value > 100)
		return options_error(state, "%s: '%s' is no percentage like 1 or 0.5", option,
				     text);
	return 0;
}

static error_t parse_limit(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'd':
		return options_duration(state, "--duration", arg, &options->duration_ns);
	case 'n':
		return set_number(state, "--max-events", arg, UINT64_MAX, &options->max_events);
	case OPTION_MAX_OVERHEAD:
		return set_percent(state, "--max-overhead", arg, &options->max_overhead);
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse_output(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'o':
		options->output = arg;
		return 0;
	case OPTION_JSON:
		options->json = true;
		return 0;
	case 'q':
		options->quiet = true;
		return 0;
	case 'v':
		options->verbose = true;
		return 0;
	case OPTION_COLOR:
		if (!strcmp(arg, "always"))
			options->color = COLOR_ALWAYS;
		else if (!strcmp(arg, "never"))
			options->color = COLOR_NEVER;
		else if (!strcmp(arg, "auto"))
			options->color = COLOR_AUTO;
		else
			return options_error(state, "--color: '%s' is not auto, always or never",
					     arg);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t set_u32(struct argp_state *state, const char *option, const char *text,
		       uint32_t *value)
{
	uint64_t number;
	error_t err = set_number(state, option, text, UINT32_MAX, &number);

	if (!err)
		*value = (uint32_t)number;
	return err;
}

static error_t parse_locals(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case OPTION_LOCALS:
		options->locals = true;
		return arg ? set_u32(state, "--locals", arg, &options->locals_rate) : 0;
	case OPTION_NO_REDACT:
		options->no_redact = true;
		return 0;
	case OPTION_MAX_DEPTH:
		return set_u32(state, "--max-depth", arg, &options->max_depth);
	case OPTION_MAX_ITEMS:
		return set_u32(state, "--max-items", arg, &options->max_items);
	case OPTION_MAX_STRING:
		return set_u32(state, "--max-string", arg, &options->max_string);
	case OPTION_MAX_NAMES:
		return set_u32(state, "--max-names", arg, &options->max_names);
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option target_options[] = {
	{ 0, 0, 0, 0, "Targets (one kind of them; or a command after --):", 1 },
	{ "pid", 'p', "PID", 0, "this process, and what it forks and executes; repeatable", 0 },
	{ "exe", 'x', "PATH", 0, "every process of this interpreter, now and later", 0 },
	{ "cgroup", OPTION_CGROUP, "PATH", 0, "every CPython in this cgroup, now and later", 0 },
	{ "all", 'a', 0, 0, "every CPython on the machine, now and later", 0 },
	{ 0 },
};

static const struct argp_option process_options[] = {
	{ 0, 0, 0, 0, "Targets (one kind of them):", 1 },
	{ "pid", 'p', "PID", 0, "this process; repeatable", 0 },
	{ "exe", 'x', "PATH", 0, "every process that runs this interpreter", 0 },
	{ "cgroup", OPTION_CGROUP, "PATH", 0, "every CPython in this cgroup", 0 },
	{ "all", 'a', 0, 0, "every CPython on the machine", 0 },
	{ 0 },
};

static const struct argp_option filter_options[] = {
	{ 0, 0, 0, 0, "Filters:", 2 },
	{ "kind", 'k', "LIST", 0, "of generator,coroutine,async_generator", 0 },
	{ "function", 'f', "GLOB", 0, "only functions whose qualname matches", 0 },
	{ "file", 'F', "GLOB", 0, "only code from files that match", 0 },
	{ 0 },
};

static const struct argp_option duration_options[] = {
	{ "min-run", OPTION_MIN_RUN, "DUR", 0, "only ends of steps that ran this long", 2 },
	{ "min-suspended", OPTION_MIN_SUSPENDED, "DUR", 0,
	  "only ends of waits that took this long (DUR: 250us, 50ms, 1.5s, 2m)", 0 },
	{ 0 },
};

static const struct argp_option stream_locals_options[] = {
	{ 0, 0, 0, 0, "Locals:", 3 },
	{ "locals", OPTION_LOCALS, "RATE", OPTION_ARG_OPTIONAL,
	  "show the variables too, of one transition in RATE of each function", 0 },
	{ 0 },
};

static const struct argp_option snapshot_locals_options[] = {
	{ 0, 0, 0, 0, "Locals:", 3 },
	{ "locals", OPTION_LOCALS, 0, 0, "show the variables too", 0 },
	{ 0 },
};

static const struct argp_option locals_limits_options[] = {
	{ 0, 0, 0, 0, 0, 3 },
	{ "no-redact", OPTION_NO_REDACT, 0, 0, "values of secret-looking names too", 0 },
	{ "max-depth", OPTION_MAX_DEPTH, "N", 0, "containers in containers (2)", 0 },
	{ "max-items", OPTION_MAX_ITEMS, "N", 0, "of each container (16)", 0 },
	{ "max-string", OPTION_MAX_STRING, "N", 0, "characters of each string (128)", 0 },
	{ "max-names", OPTION_MAX_NAMES, "N", 0, "variables of each frame", 0 },
	{ 0 },
};

static const struct argp_option limit_options[] = {
	{ 0, 0, 0, 0, "Limits:", 4 },
	{ "duration", 'd', "DUR", 0, "end after this time", 0 },
	{ "max-events", 'n', "N", 0, "end after this many transitions", 0 },
	{ "max-overhead", OPTION_MAX_OVERHEAD, "PERCENT", 0,
	  "of the targets' processor time; over it, probes come off for a while", 0 },
	{ 0 },
};

static const struct argp_option output_options[] = {
	{ 0, 0, 0, 0, "Output:", 5 },
	{ "output", 'o', "FILE", 0, "write there; - is standard output", 0 },
	{ "json", OPTION_JSON, 0, 0, "JSON Lines instead of text", 0 },
	{ "color", OPTION_COLOR, "WHEN", 0, "auto, always or never; NO_COLOR is honoured", 0 },
	{ "quiet", 'q', 0, 0, "no remarks on standard error but `genscope: attached`", 0 },
	{ "verbose", 'v', 0, 0, "more of them", 0 },
	{ 0 },
};

static const struct argp_option file_options[] = {
	{ 0, 0, 0, 0, "Output:", 5 },
	{ "output", 'o', "FILE", 0, "write there; - is standard output", 0 },
	{ "quiet", 'q', 0, 0, "no remarks on standard error but `genscope: attached`", 0 },
	{ "verbose", 'v', 0, 0, "more of them", 0 },
	{ 0 },
};

static const struct argp_option screen_options[] = {
	{ 0, 0, 0, 0, "Output:", 5 },
	{ "color", OPTION_COLOR, "WHEN", 0, "auto, always or never; NO_COLOR is honoured", 0 },
	{ "quiet", 'q', 0, 0, "no remarks on standard error but `genscope: attached`", 0 },
	{ "verbose", 'v', 0, 0, "more of them", 0 },
	{ 0 },
};

const struct argp argp_targets = { .options = target_options, .parser = parse_target };
const struct argp argp_processes = { .options = process_options, .parser = parse_target };
const struct argp argp_filters = { .options = filter_options, .parser = parse_filter };
const struct argp argp_durations = { .options = duration_options, .parser = parse_duration_filter };
const struct argp argp_limits = { .options = limit_options, .parser = parse_limit };
const struct argp argp_stream_locals = { .options = stream_locals_options, .parser = parse_locals };
const struct argp argp_snapshot_locals = { .options = snapshot_locals_options,
					   .parser = parse_locals };
const struct argp argp_locals_limits = { .options = locals_limits_options, .parser = parse_locals };
const struct argp argp_output = { .options = output_options, .parser = parse_output };

const struct argp argp_screen = { .options = screen_options, .parser = parse_output };
const struct argp argp_file = { .options = file_options, .parser = parse_output };

static const struct argp_option *find_long(const struct argp *argp, const char *name, size_t size)
{
	for (const struct argp_option *o = argp->options; o && (o->name || o->key || o->doc); o++)
		if (o->name && !strncmp(o->name, name, size))
			return o;
	for (const struct argp_child *c = argp->children; c && c->argp; c++) {
		const struct argp_option *found = find_long(c->argp, name, size);

		if (found)
			return found;
	}
	return NULL;
}

/* Is there such an option, and may it have the value that it was given? */
static bool knows_long(const struct argp *argp, const char *word)
{
	size_t size = strcspn(word, "=");
	const struct argp_option *option = find_long(argp, word, size);

	return option && (option->arg || !word[size]);
}

static bool knows_short(const struct argp *argp, char key)
{
	for (const struct argp_option *o = argp->options; o && (o->name || o->key || o->doc); o++)
		if (o->key == key)
			return true;
	for (const struct argp_child *c = argp->children; c && c->argp; c++)
		if (knows_short(c->argp, key))
			return true;
	return false;
}

/* argp does not say which word it stumbled over: the first option nobody knows, else the last one,
 * which lacks its value. */
static const char *find_culprit(const struct argp *argp, int argc, char **argv)
{
	const char *culprit = "";

	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (argv[i][0] != '-')
			continue;
		culprit = argv[i];
		if (argv[i][1] == '-' ? !knows_long(argp, argv[i] + 2) :
					!knows_short(argp, argv[i][1]))
			break;
	}
	return culprit;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h") || !strcmp(argv[i], "-?"))
			return true;
	return false;
}

int options_parse(const struct argp *argp, int argc, char **argv, struct options *options)
{
	error_t err;

	if (wants_help(argc, argv)) { /* ARGP_NO_ERRS would silence it */
		argp_help(argp, stdout, ARGP_HELP_STD_HELP & ~ARGP_HELP_EXIT_OK, argv[0]);
		exit(EXIT_DONE);
	}
	if (argc == 2 && (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))) {
		print_version();
		exit(EXIT_DONE);
	}
	options->kinds = ALL_KINDS;
	options->max_depth = VALUE_DEPTH_DEFAULT;
	options->max_items = VALUE_ITEMS_DEFAULT;
	options->max_string = VALUE_STRING_DEFAULT;
	/* argp would print two lines, and its own wording */
	err = argp_parse(argp, argc, argv, ARGP_IN_ORDER | ARGP_NO_ERRS, NULL, options);
	if (!err)
		return 0;
	if (err != EEXIST) {
		const char *culprit = find_culprit(argp, argc, argv);

		complain("'%s' is no option of %s, or lacks its value or takes none: see genscope "
			 "%s --help",
			 culprit, options->command, options->command);
	}
	return EXIT_USAGE;
}
