// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/run.h"
#include "model/recording.h"
#include "model/select.h"
#include "model/stream.h"
#include "target/process.h"

#define COMMAND_BYTES 4096       /* of a command line */
#define CODE_ID_MAX   (1u << 24) /* as model/codes.c */
#define NO_IMAGE      UINT32_MAX

/*
 * Records go into the file as they come: a transition is copied, and looked at no further than its type,
 * unless --function or --file have to be decided for it.
 */
struct record {
	struct options options; /* first: the shared parsers' input */
	struct selection selection;
	struct run run;
	struct stream *stream; /* names functions, for verdicts; NULL: all are wanted */
	struct recording *recording;
	size_t images_told;
	uint64_t *told; /* processes */
	size_t told_count;
	uint8_t *dropped; /* by code id: its transitions are not wanted */
	uint32_t dropped_end;
	uint64_t transitions, events; /* written */
	uint64_t filtered;            /* not wanted, or after the limit */
	bool full;                    /* the limit is reached */
	int error;
};

/* --- side tables --- */

static int tell_image(struct record *record, size_t index)
{
	const struct image_file *image = session_images(record->run.session)->at[index];
	size_t path = strlen(image->path);
	struct {
		struct recording_image about;
		char path[sizeof(image->path)];
	} table = { .about = { .index = (uint32_t)index,
			       .version_hex = image->interpreter.version_hex } };

	memcpy(table.about.version, image->interpreter.version, sizeof(table.about.version));
	memcpy(table.about.build_id, image->interpreter.build_id, sizeof(table.about.build_id));
	if (image_describe(image, &table.about.image))
		return 0;
	memcpy(table.path, image->path, path);
	return recording_table(record->recording, TABLE_IMAGE, &table, sizeof(table.about) + path);
}

static int tell_images(struct record *record)
{
	int err = 0;

	while (record->images_told < session_images(record->run.session)->count && !err)
		err = tell_image(record, record->images_told++);
	return err;
}

static uint32_t image_of(const struct record *record, pid_t pid)
{
	const struct images *images = session_images(record->run.session);
	uint64_t bias;

	for (size_t i = 0; i < images->count; i++)
		if (!image_bias(images->at[i], pid, &bias))
			return (uint32_t)i;
	return NO_IMAGE;
}

/* A process before its first function. It may be gone: then of it is known what can be. */
static int tell_process(struct record *record, const struct code_record *code)
{
	const pid_t pid = (pid_t)code->head.pid;
	struct {
		struct recording_process about;
		char command[COMMAND_BYTES];
	} table = { .about = { .process = code->process, .pid = code->head.pid } };
	uint64_t *grown;
	int err;

	for (size_t i = record->told_count; i-- > 0;)
		if (record->told[i] == code->process)
			return 0;
	grown = realloc(record->told, (record->told_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	record->told = grown;
	record->told[record->told_count++] = code->process;
	err = tell_images(record);
	if (err)
		return err;
	table.about.image = image_of(record, pid);
	process_thread_name(pid, pid, table.about.comm, sizeof(table.about.comm));
	process_command(pid, table.command, sizeof(table.command));
	return recording_table(record->recording, TABLE_PROCESS, &table,
			       sizeof(table.about) + strlen(table.command));
}

/* It is called otherwise now. */
static void untell_process(struct record *record, uint64_t process)
{
	for (size_t i = 0; i < record->told_count; i++)
		if (record->told[i] == process)
			record->told[i--] = record->told[--record->told_count];
}

static int tell_wanted(struct record *record)
{
	const struct options *options = &record->options;
	struct recording_wanted wanted = {
		.min_run_ns = options->min_run_ns,
		.min_suspended_ns = options->min_suspended_ns,
		.kinds = options->kinds,
		.code_filters = options->function_glob || options->file_glob,
		.context = options->context,
	};

	if (options->locals) {
		wanted.locals_rate = options->locals_rate;
		wanted.locals_depth = options->max_depth;
		wanted.locals_names = options->max_names;
		wanted.locals_items = options->max_items;
		wanted.locals_string = options->max_string;
	}
	return recording_table(record->recording, TABLE_WANTED, &wanted, sizeof(wanted));
}

/* --- --function and --file --- */

static int on_event(void *ctx, const struct event *event)
{
	(void)ctx;
	(void)event;
	return 0;
}

static bool on_code(void *ctx, const struct code *code)
{
	const struct record *record = ctx;

	return selection_has_code(&record->selection, code->qualname, code->file);
}

static void on_verdict(void *ctx, const struct code_record *code, bool wanted)
{
	struct record *record = ctx;

	session_set_verdict(record->run.session, code->process, code->address, code->code,
			    wanted ? VERDICT_PASS : VERDICT_DROP);
	if (code->code < record->dropped_end)
		record->dropped[code->code] = !wanted;
}

/* The stream answers for ids that it knows: there is room for them before it does. */
static int judge(struct record *record, const struct code_record *code)
{
	uint32_t end = record->dropped_end ? record->dropped_end : 1024;
	uint8_t *grown;

	if (code->code >= CODE_ID_MAX)
		return 0;
	while (end <= code->code)
		end *= 2;
	if (end > record->dropped_end) {
		grown = realloc(record->dropped, end);
		if (!grown)
			return -ENOMEM;
		memset(grown + record->dropped_end, 0, end - record->dropped_end);
		record->dropped = grown;
		record->dropped_end = end;
	}
	return stream_feed(record->stream, code, code->head.size);
}

/* --- records --- */

/* Is it an event to be written? It is counted here. */
static bool take_event(struct record *record, bool wanted, bool transition)
{
	if (!wanted || record->full) {
		record->filtered++;
		return false;
	}
	record->events++;
	if (transition && ++record->transitions == record->options.max_events)
		record->full = true;
	return true;
}

static bool take_transition(struct record *record, const struct transition_record *t)
{
	return take_event(record, t->code >= record->dropped_end || !record->dropped[t->code],
			  true);
}

/* What only explains others is written as long as there are others. */
static bool take_context(struct record *record, const struct context_record *context)
{
	if (context->event == CONTEXT_GC_START || context->event == CONTEXT_IMPORT_START)
		return !record->full;
	return take_event(record, true, false);
}

static int take_code(struct record *record, const struct code_record *code)
{
	int err = tell_process(record, code);

	if (!err && record->stream)
		err = judge(record, code);
	return err;
}

static int on_record(void *ctx, const void *bytes, size_t size)
{
	const struct record_head *head = bytes;
	struct record *record = ctx;
	bool taken = !record->full;

	switch (head->type) {
	case RECORD_TRANSITION:
		taken = take_transition(record, bytes);
		break;
	case RECORD_CONTEXT:
		taken = take_context(record, bytes);
		break;
	case RECORD_CODE:
		record->error = take_code(record, bytes);
		break;
	case RECORD_PROCESS:
		if (((const struct process_record *)bytes)->event == PROCESS_EXEC)
			untell_process(record, ((const struct process_record *)bytes)->process);
		break;
	}
	if (!record->error && taken)
		record->error = recording_append(record->recording, bytes, size);
	return record->error;
}

static void on_tick(void *ctx, uint64_t now_ns)
{
	struct record *record = ctx;

	if (!record->error)
		record->error = recording_tick(record->recording, now_ns);
}

static void on_lost(void *ctx, uint64_t now_ns, const struct loss *since)
{
	const struct recording_loss loss = { now_ns, since->ring, since->map_full, since->fault };
	struct record *record = ctx;

	if (!record->error)
		record->error = recording_table(record->recording, TABLE_LOSS, &loss, sizeof(loss));
}

static bool has_enough(const void *ctx)
{
	const struct record *record = ctx;

	return record->full || record->error;
}

static const struct run_ops record_ops = {
	.record = on_record,
	.tick = on_tick,
	.lost = on_lost,
	.enough = has_enough,
};

/* --- the run --- */

/* The counts of BPF, and what this reader made of them. */
static void fill_in(const struct record *record, const struct summary *summary,
		    struct recording_summary *out)
{
	struct session_stats stats;

	session_stats(record->run.session, &stats);
	*out = (struct recording_summary){ .missed = stats.missed,
					   .duration_ns = summary->duration_ns,
					   .seeded = summary->seeded,
					   .reconciled = summary->reconciled,
					   .disagreements = summary->disagreements,
					   .on_ns = (uint64_t)((double)summary->duration_ns *
							       summary->duty_ratio) };
	memcpy(out->value, stats.value, sizeof(out->value));
	out->value[STAT_EVENTS] = summary->events;
	out->value[STAT_FILTERED] = summary->filtered;
	out->value[STAT_LOST_FAULT] = summary->lost.fault - stats.missed;
	snprintf(out->coverage, sizeof(out->coverage), "%s", summary->coverage);
}

static void say_what_was_recorded(const struct record *record, const struct summary *summary,
				  uint64_t bytes)
{
	const struct loss *lost = &summary->lost;
	char duration[24];

	format_duration(summary->duration_ns, duration, sizeof(duration));
	complain("%llu events of %llu objects in %s, %llu lost: %.1f MiB in %s",
		 (unsigned long long)summary->events, (unsigned long long)summary->objects,
		 duration, (unsigned long long)lost->ring + lost->map_full + lost->fault,
		 (double)bytes / (1 << 20),
		 strcmp(record->options.output, "-") ? record->options.output : "standard output");
}

/* The one line of a recording that cannot go on. A reader that went away is a normal end. */
static int say_why_not(const struct record *record, int err)
{
	if (err == -EPIPE)
		return EXIT_DONE;
	complain("%s: %s: the recording ends there; genscope report shows what it has",
		 record->options.output, strerror(-err));
	return EXIT_FAILED;
}

static int finish(struct record *record)
{
	struct run_reader reader;
	struct recording_summary counts;
	struct summary summary;
	uint64_t bytes;
	int err;

	run_end(&record->run);
	if (!record->error)
		record->error = recording_flush(record->recording);
	if (record->error)
		return say_why_not(record, record->error);
	reader = (struct run_reader){ .events = record->events, .filtered = record->filtered };
	run_summarise(&record->run, &reader, &summary);
	fill_in(record, &summary, &counts);
	bytes = recording_counts(record->recording)->bytes;
	err = recording_close(record->recording, &counts);
	record->recording = NULL;
	if (err)
		return say_why_not(record, err);
	if (!record->options.quiet)
		say_what_was_recorded(record, &summary, bytes);
	return EXIT_DONE;
}

static int record_main(struct record *record)
{
	struct session_options wanted = run_wanted(&record->options);
	struct recording_about about;
	int err, status;

	wanted.makers = true; /* who looks for a leak later asks where it was made */
	recording_about_now(&about);
	err = recording_open(record->options.output, &about, &record->recording);
	if (!err)
		err = tell_wanted(record);
	if (err) {
		complain("%s: %s: nothing is recorded", record->options.output, strerror(-err));
		return EXIT_FAILED;
	}
	status = run_open(&record->run, wanted);
	if (status)
		return status;
	record->error = tell_images(record);
	run_loop(&record->run);
	status = finish(record);
	if (record->options.verbose)
		run_print_sites(&record->run);
	return status ? status : run_status(&record->run);
}

/* --- options --- */

static error_t check_output(struct argp_state *state)
{
	const struct options *options = state->input;

	if (!options->output)
		return options_error(state, "no file to record into: give -o FILE");
	if (strcmp(options->output, "-"))
		return 0;
	if (options->argv)
		return options_error(state, "-o -: the command writes to standard output too: "
					    "give a file");
	if (isatty(STDOUT_FILENO))
		return options_error(state, "-o -: a recording is nothing for a terminal: give a "
					    "file or a pipe");
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const struct options *options = state->input;
	error_t err;

	switch (key) {
	case ARGP_KEY_INIT:
		for (int i = 0; i < 8; i++)
			state->child_inputs[i] = state->input;
		return 0;
	case ARGP_KEY_ARG:
		return options_take_command(state, arg);
	case ARGP_KEY_END:
		err = options_check_targets(state);
		if (!err)
			err = check_output(state);
		if (!err && options->no_redact)
			err = options_error(state, "--no-redact: a recording has all values, "
						   "report takes this option");
		return err ? err : options_check_locals(state);
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_child children[] = {
	{ &argp_targets, 0, NULL, 0 },
	{ &argp_filters, 0, NULL, 0 },
	{ &argp_durations, 0, NULL, 0 },
	{ &argp_context, 0, NULL, 0 },
	{ &argp_stream_locals, 0, NULL, 0 },
	{ &argp_locals_limits, 0, NULL, 0 },
	{ &argp_limits, 0, NULL, 0 },
	{ &argp_file, 0, NULL, 0 },
	{ 0 },
};

static const struct argp record_argp = {
	.parser = parse,
	.args_doc = "-o FILE [-- COMMAND [ARG...]]",
	.doc = "Write every state change of generators, coroutines and async generators into a "
	       "file, for genscope report.\v"
	       "It costs less than trace, which formats every line. With --locals the file holds "
	       "values of the target as they were, secrets included: it is readable for its owner "
	       "only, and report redacts what it shows.",
	.children = children,
};

int cmd_record(int argc, char **argv)
{
	struct record record = { .options = { .command = "record" } };
	const struct stream_callbacks callbacks = {
		.event = on_event, .wanted = on_code, .verdict = on_verdict, .ctx = &record
	};
	int status;

	argv[0] = "genscope record";
	status = options_parse(&record_argp, argc, argv, &record.options);
	if (status)
		return status;
	record.selection = (struct selection){ .function_glob = record.options.function_glob,
					       .file_glob = record.options.file_glob };
	if (!selection_is_all(&record.selection) && stream_new(&callbacks, &record.stream)) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	catch_signals();
	record.run = (struct run){
		.options = &record.options, .ops = &record_ops, .ctx = &record, .patient = true
	};
	status = record_main(&record);
	if (record.recording)
		recording_close(record.recording, NULL);
	session_close(record.run.session);
	stream_free(record.stream);
	free(record.told);
	free(record.dropped);
	return status;
}
