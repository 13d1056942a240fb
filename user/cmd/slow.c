// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/run.h"
#include "model/living.h"
#include "model/repeats.h"
#include "model/select.h"
#include "model/slow.h"
#include "model/stream.h"
#include "model/suspects.h"
#include "session/awaited.h"
#include "session/survey.h"
#include "sink/slow.h"
#include "target/clock.h"
#include "target/process.h"

/* A survey looks at every bucket of the map: 2.5 ms for an empty one. It may take one in so many ns. */
#define SURVEY_SHARE      40
#define SURVEY_SHARE_LEFT 4 /* while there is more to tell than one survey does */
#define SURVEY_NS_MIN     100000000ull
#define SURVEY_NS_MAX     1000000000ull
#define TOLD_MAX          10000 /* objects that one survey tells of; the next one tells the rest */
#define REPEATS_NS        1000000000ull /* between two words about more of the same */

struct slow_run {
	struct options options; /* first: the shared parsers' input */
	uint64_t over_ns, parked_ns;
	struct selection selection;
	struct run run;
	struct stream *stream;
	struct slow *slow;
	struct living *living;
	struct repeats *repeats; /* of text */
	struct writer writer;
	struct sink sink;
	struct survey survey; /* the last one */
	bool looking;         /* what it tells has not been shown */
	uint64_t all_of_it;   /* stream_counts.living when all its records have come */
	uint64_t next_survey_ns, next_parked_ns, survey_took_ns;
	uint64_t next_repeats_ns, now_ns;
	uint64_t known_ns; /* what is older than this was read from memory; 0: than the run */
	bool parked_left;  /* the next survey goes on with what is parked */
	uint64_t steps, suspects[SUSPECT_COUNT], longest_ns, unselected;
	int err; /* -ENOMEM */
};

/* --- what is shown --- */

static bool is_selected(const struct slow_run *slow, const struct slow_place *place)
{
	return slow->options.kinds & 1u << place->kind &&
	       selection_has_code(&slow->selection, place->code->qualname, place->code->file);
}

static bool has_selected(const struct slow_run *slow, const struct slow_place *at, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_selected(slow, &at[i]))
			return true;
	return false;
}

static bool is_full(const struct slow_run *slow)
{
	uint64_t printed = slow->steps;

	for (int type = 0; type < SUSPECT_COUNT; type++)
		printed += slow->suspects[type];
	return slow->options.max_events && printed >= slow->options.max_events;
}

static int show_step(struct slow_run *slow, const struct slow_step *step)
{
	const struct event *event = step->event;
	char name[32];
	bool named;

	if (!has_selected(slow, step->chain, step->chain_count) &&
	    !has_selected(slow, step->inner, step->inner_count)) {
		slow->unselected++;
		return 0;
	}
	if (is_full(slow))
		return 0;
	/* the end will be told too, of one whose beginning was seen */
	slow->steps += !step->running || step->at_least;
	if (step->run_ns > slow->longest_ns)
		slow->longest_ns = step->run_ns;
	named = !process_thread_name((pid_t)event->pid, (pid_t)event->tid, name, sizeof(name));
	if (slow->options.json)
		slow_json_step(&slow->sink, step, named ? name : NULL);
	else
		slow_text_step(&slow->sink, step, named ? name : NULL);
	return 0;
}

/* Of a step whose awaits have no probes: the chain as it is in memory, a moment later. */
static int show_with_awaited(struct slow_run *slow, const struct slow_step *step)
{
	const struct transition_record *t = step->event->transition;
	struct code codes[AWAITED_MAX];
	struct slow_place chain[1 + AWAITED_MAX] = { step->chain[0] };
	struct slow_step whole = *step;
	struct awaited_chain awaited;
	int err;

	if (session_read_awaited(slow->run.session, (pid_t)step->event->pid, t->gen, t->instruction,
				 &awaited))
		return show_step(slow, step);
	for (size_t i = 0; i < awaited.count; i++) {
		struct awaited *at = &awaited.at[i];

		codes[i] = (struct code){ .name = at->code->name,
					  .qualname = at->code->qualname,
					  .file = at->code->file,
					  .first_line = at->code->first_line,
					  .kind = at->object.kind };
		chain[1 + i] = (struct slow_place){
			.gen = at->object.address,
			.code = &codes[i],
			.line = code_object_line(at->code, at->object.instruction),
			.kind = at->object.kind,
			.to = at->object.state,
		};
	}
	whole.chain = chain;
	whole.chain_count = 1 + awaited.count;
	err = show_step(slow, &whole);
	awaited_free(&awaited);
	return err;
}

static int on_step(void *ctx, const struct slow_step *step)
{
	struct slow_run *slow = ctx;

	if (run_level(&slow->run) == BUDGET_OUTERMOST && !step->running && step->chain_count == 1 &&
	    step->event->transition->to == STATE_SUSPENDED)
		return show_with_awaited(slow, step);
	return show_step(slow, step);
}

static void show_suspect(struct slow_run *slow, const struct suspect *suspect)
{
	const struct slow_place *at = suspect->chain ? suspect->chain : &suspect->self;
	int shown;

	if (!has_selected(slow, at, suspect->chain ? suspect->chain_count : 1)) {
		slow->unselected++;
		return;
	}
	if (is_full(slow))
		return;
	slow->suspects[suspect->type]++;
	if (slow->options.json) {
		slow_json_suspect(&slow->sink, suspect);
		return;
	}
	shown = repeats_add(slow->repeats, suspect);
	if (shown < 0)
		slow->err = shown;
	else if (shown)
		slow_text_suspect(&slow->sink, suspect);
}

static void show_repeat(void *ctx, const struct repeat *repeat)
{
	struct slow_run *slow = ctx;

	slow_text_repeat(&slow->sink, slow->now_ns, repeat);
}

static void show_repeats(struct slow_run *slow, uint64_t now_ns)
{
	slow->now_ns = now_ns;
	repeats_tell(slow->repeats, show_repeat, slow);
}

/* --- what the targets tell --- */

static int on_event(void *ctx, const struct event *event)
{
	struct slow_run *slow = ctx;
	struct suspect suspect;

	if (event->type == EVENT_LIVING)
		return living_add(slow->living, event);
	if (suspect_of_event(event, &suspect))
		show_suspect(slow, &suspect);
	return slow_event(slow->slow, event);
}

static int on_record(void *ctx, const void *bytes, size_t size)
{
	struct slow_run *slow = ctx;

	int err = stream_feed(slow->stream, bytes, size);

	if (err)
		slow->err = err; /* what a callback left there stays */
	return err;
}

/* --- what does not move --- */

static int on_running(void *ctx, const struct living_chain *chain)
{
	struct slow_run *slow = ctx;
	struct slow_step step = { .event = chain->event,
				  .running = true,
				  .at_least = chain->at_least,
				  .begin_ns = chain->since_ns,
				  .run_ns = chain->event->ts_ns - chain->since_ns,
				  .chain = chain->at,
				  .chain_count = chain->count };

	slow_reasons(slow->slow, chain->event->pid, chain->event->tid, chain->since_ns,
		     chain->event->ts_ns, &step.reasons);
	return on_step(slow, &step);
}

static int on_parked(void *ctx, const struct living_chain *chain)
{
	struct slow_run *slow = ctx;
	struct suspect suspect;

	suspect_of_parked(chain, &suspect);
	show_suspect(slow, &suspect);
	return 0;
}

static uint32_t on_line(void *ctx, uint32_t pid, const struct slow_place *place)
{
	struct slow_run *slow = ctx;
	uint32_t instruction;

	if (session_instruction(slow->run.session, (pid_t)pid, place->gen, &instruction))
		return 0;
	return code_line(place->code, instruction);
}

/* Steps over the limit have no end that would tell of them, and what is parked has no event at all. */
static int look(struct slow_run *slow, uint64_t now_ns)
{
	struct survey *survey = &slow->survey;
	int err;

	*survey =
		(struct survey){ .flags = SURVEY_RUNNING,
				 .limit = TOLD_MAX,
				 .begin_ns = slow->known_ns ? slow->known_ns : slow->run.start_ns };
	if (slow->parked_ns && now_ns >= slow->next_parked_ns) {
		survey->flags |= SURVEY_PARKED;
		survey->parked_ns = now_ns > slow->parked_ns ? now_ns - slow->parked_ns : 0;
	}
	living_begin(slow->living);
	err = session_survey(slow->run.session, survey);
	slow->survey_took_ns = clock_now_ns() - now_ns;
	if (err)
		return err;
	slow->all_of_it = stream_counts(slow->stream)->living + survey->records;
	slow->looking = true;
	return 0;
}

/* Shows what the survey told, as soon as all of it has come. That may be later: reading the ring stops where another
 * processor has begun a record and not finished it. A part says too little: its chains may be torn, and what was told
 * as parked is not told again. */
static int show_look(struct slow_run *slow)
{
	const struct survey *survey = &slow->survey;
	struct living_callbacks callbacks = {
		.begin_ns = survey->begin_ns, .chain = on_running, .line = on_line, .ctx = slow
	};
	const uint64_t *living = &stream_counts(slow->stream)->living;
	int err;

	while (*living < slow->all_of_it && session_poll(slow->run.session, 0) > 0)
		;
	if (*living < slow->all_of_it)
		return 0;
	slow->looking = false;
	err = living_running(slow->living, survey->now_ns - slow->over_ns, &callbacks);
	callbacks.chain = on_parked;
	if (!err && survey->flags & SURVEY_PARKED)
		err = living_parked(slow->living, &callbacks);
	if (survey->flags & SURVEY_PARKED) {
		slow->parked_left = survey->left;
		slow->next_parked_ns = survey->left ? 0 : survey->now_ns + SURVEY_NS_MAX;
	}
	return err;
}

static uint64_t survey_interval(const struct slow_run *slow)
{
	uint64_t over_ns = slow->over_ns;
	uint64_t wanted = over_ns < SURVEY_NS_MIN ? SURVEY_NS_MIN :
			  over_ns > SURVEY_NS_MAX ? SURVEY_NS_MAX :
						    over_ns;
	uint64_t paid =
		slow->survey_took_ns * (slow->parked_left ? SURVEY_SHARE_LEFT : SURVEY_SHARE);

	return paid > wanted ? paid : wanted;
}

static void keep_error(struct slow_run *slow, int err)
{
	if (err && !slow->err)
		slow->err = err;
}

static void on_tick(void *ctx, uint64_t now_ns)
{
	struct slow_run *slow = ctx;

	if (!slow->looking && now_ns >= slow->next_survey_ns &&
	    run_level(&slow->run) != BUDGET_NONE) {
		keep_error(slow, look(slow, now_ns));
		slow->next_survey_ns = now_ns + survey_interval(slow);
	}
	if (slow->looking)
		keep_error(slow, show_look(slow));
	if (now_ns >= slow->next_repeats_ns && !slow->parked_left) {
		show_repeats(slow, now_ns);
		slow->next_repeats_ns = now_ns + REPEATS_NS;
	}
	writer_flush(&slow->writer);
}

static void on_lost(void *ctx, uint64_t now_ns, const struct loss *since)
{
	struct slow_run *slow = ctx;

	slow->sink.ops->lost(&slow->sink, now_ns, since);
}

static void on_duty(void *ctx, uint64_t now_ns, uint64_t took_ns, enum budget_level level)
{
	struct slow_run *slow = ctx;

	slow->known_ns = now_ns;
	slow->sink.ops->duty(&slow->sink, now_ns, took_ns, level != BUDGET_NONE,
			     level == BUDGET_OUTERMOST);
}

static bool has_enough(const void *ctx)
{
	const struct slow_run *slow = ctx;

	return slow->writer.error || slow->err || is_full(slow);
}

static const struct run_ops slow_ops = {
	.record = on_record,
	.tick = on_tick,
	.lost = on_lost,
	.duty = on_duty,
	.enough = has_enough,
};

/* --- the run --- */

static void put_counts(struct slow_run *slow)
{
	char over[24], longest[24];

	format_duration_short(slow->over_ns, over, sizeof(over));
	format_duration_short(slow->longest_ns, longest, sizeof(longest));
	writer_printf(&slow->writer, "\n%llu steps over %s", (unsigned long long)slow->steps, over);
	if (slow->steps)
		writer_printf(&slow->writer, ", the longest %s", longest);
	writer_printf(&slow->writer, "; %llu never awaited, %llu not closed, %llu parked",
		      (unsigned long long)slow->suspects[SUSPECT_NEVER_AWAITED],
		      (unsigned long long)slow->suspects[SUSPECT_UNCLOSED],
		      (unsigned long long)slow->suspects[SUSPECT_PARKED]);
	if (slow->unselected)
		writer_printf(&slow->writer, "; %llu more not selected",
			      (unsigned long long)slow->unselected);
	writer_puts(&slow->writer, "\n");
}

static void finish(struct slow_run *slow)
{
	const struct stream_counts *counts = stream_counts(slow->stream);
	struct run_reader reader = { .bad = counts->bad };
	struct session_stats stats;
	struct summary summary;

	run_end(&slow->run);
	if (slow->looking)
		keep_error(slow, show_look(slow));
	session_stats(slow->run.session, &stats);
	reader.events = stats.value[STAT_EVENTS];
	run_summarise(&slow->run, &reader, &summary);
	if (!slow->options.json) {
		show_repeats(slow, clock_now_ns());
		put_counts(slow);
	}
	slow->sink.ops->end(&slow->sink, &summary);
}

static struct session_options wanted(const struct slow_run *slow)
{
	struct session_options wanted = run_wanted(&slow->options);

	wanted.filter_codes = false; /* what is selected is known when the whole chain is */
	wanted.context = CONTEXT_GC | CONTEXT_IMPORT | CONTEXT_AUDITS;
	wanted.survey = wanted.makers = wanted.chains = wanted.suspects = true;
	return wanted;
}

static int slow_main(struct slow_run *slow)
{
	int err = writer_open(&slow->writer, slow->options.output), status;
	unsigned kinds = slow->options.kinds;

	if (err) {
		complain("%s: %s", slow->options.output, strerror(-err));
		return EXIT_FAILED;
	}
	sink_init(&slow->sink, slow->options.json ? &sink_json : &sink_text, &slow->writer,
		  color_wanted(slow->options.color, slow->options.json, slow->options.output));
	slow->options.min_run_ns = slow->over_ns;
	slow->options.kinds = ~0u; /* as filter_codes */
	status = run_open(&slow->run, wanted(slow));
	slow->options.kinds = kinds;
	if (status)
		return status;
	run_loop(&slow->run);
	finish(slow);
	if (slow->options.verbose)
		run_print_sites(&slow->run);
	if (slow->err) {
		complain("%s", strerror(-slow->err));
		return EXIT_FAILED;
	}
	return run_status(&slow->run);
}

/* --- options --- */

enum {
	OPTION_OVER = 0x600,
	OPTION_PARKED,
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct slow_run *slow = state->input;
	error_t err;

	switch (key) {
	case ARGP_KEY_INIT:
		for (int i = 0; i < 6; i++)
			state->child_inputs[i] = state->input;
		return 0;
	case OPTION_OVER:
		return options_duration(state, "--over", arg, &slow->over_ns);
	case OPTION_PARKED:
		return options_duration(state, "--parked", arg, &slow->parked_ns);
	case ARGP_KEY_ARG:
		return options_take_command(state, arg);
	case ARGP_KEY_END:
		err = options_check_targets(state);
		return err ? err : options_check_locals(state);
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option slow_options[] = {
	{ 0, 0, 0, 0, "What is told:", 6 },
	{ "over", OPTION_OVER, "DUR", 0, "a step as long as that (default: 50ms)", 0 },
	{ "parked", OPTION_PARKED, "DUR", 0, "suspended for how long makes a suspect (default: 1h)",
	  0 },
	{ 0 },
};

static const struct argp_child children[] = {
	{ &argp_targets, 0, NULL, 0 },
	{ &argp_filters, 0, NULL, 0 },
	{ &argp_stream_locals, 0, NULL, 0 },
	{ &argp_locals_limits, 0, NULL, 0 },
	{ &argp_limits, 0, NULL, 0 },
	{ &argp_output, 0, NULL, 0 },
	{ 0 },
};

static const struct argp slow_argp = {
	.options = slow_options,
	.parser = parse,
	.args_doc = "[-- COMMAND [ARG...]]",
	.doc = "Steps that held their thread too long, and why; coroutines that were never "
	       "awaited, async "
	       "generators that nobody closed, objects that are parked.\v"
	       "A step goes from the resume of a generator by an event loop, or by whoever drives "
	       "it, to the "
	       "end of that: what it awaits runs inside. Told are the chain at its end with lines, "
	       "the steps "
	       "over the limit inside it, and what the interpreter reports of that time: garbage "
	       "collections, imports, calls that may block. A step that does not end is told while "
	       "it "
	       "runs. -f, -F and -k select by any object of the chain.\n"
	       "\n"
	       "Beside a busy service, --max-overhead 1 leaves the probes of what an event loop "
	       "drives "
	       "as long as they can be afforded: steps are told all the same, but for what ran "
	       "inside.\n"
	       "\n"
	       "  genscope slow --over 20ms -p 1234\n"
	       "  genscope slow --parked 10m -F '*/app.py' -p 1234\n"
	       "  genscope slow --max-overhead 1 -a",
	.children = children,
};

static int make_models(struct slow_run *slow)
{
	struct stream_callbacks callbacks = { .event = on_event, .ctx = slow };
	struct captured_options captured = { .image = run_image, .ctx = &slow->run };
	struct slow_options wanted = { .over_ns = slow->over_ns, .step = on_step, .ctx = slow };
	int err;

	if (slow->options.locals) {
		captured.locals = options_locals(&slow->options);
		callbacks.locals = &captured;
	}
	err = stream_new(&callbacks, &slow->stream);
	if (!err)
		err = slow_new(&wanted, &slow->slow);
	if (!err)
		err = living_new(&slow->living);
	return err ? err : repeats_new(&slow->repeats);
}

int cmd_slow(int argc, char **argv)
{
	struct slow_run slow = { .options = { .command = "slow" },
				 .over_ns = SLOW_OVER_NS,
				 .parked_ns = SUSPECT_PARKED_NS,
				 .writer = { .fd = -1 } };
	int status;

	argv[0] = "genscope slow";
	status = options_parse(&slow_argp, argc, argv, &slow.options);
	if (status)
		return status;
	slow.run = (struct run){
		.options = &slow.options, .ops = &slow_ops, .ctx = &slow, .has_outermost = true
	};
	slow.selection = (struct selection){ .function_glob = slow.options.function_glob,
					     .file_glob = slow.options.file_glob };
	if (make_models(&slow)) {
		complain("out of memory");
		status = EXIT_FAILED;
	} else {
		catch_signals();
		status = slow_main(&slow);
		status = close_output(&slow.writer, slow.options.output, status);
	}
	session_close(slow.run.session);
	repeats_free(slow.repeats);
	living_free(slow.living);
	slow_free(slow.slow);
	stream_free(slow.stream);
	return status;
}
