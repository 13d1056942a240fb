// SPDX-License-Identifier: MIT
/*
 * What `top` shows: all functions by a survey of the state map, and one from near, for which memory of the
 * target is read: of its oldest objects only, once a reading.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/top_internal.h"
#include "session/survey.h"
#include "target/clock.h"
#include "target/source.h"

#define TOLD_MAX    50000        /* objects that are told of one function: 5 MB of the ring */
#define SURVEYS_MAX 64           /* code objects of one function that are looked through */
#define CACHE_BYTES (256u << 10) /* of the target's memory, for ten objects */

static bool survey_all(struct top_run *top, struct survey *survey)
{
	*survey = (struct survey){ .begin_ns = top->begin_ns, .flags = SURVEY_COUNT };
	return !session_survey(top->run.session, survey);
}

/* What one code object does, and what it has done. */
static int read_code(struct top_run *top, uint32_t id, struct distributions *times)
{
	const struct session *session = top->run.session;
	struct survey_counts counts;

	if (session_survey_counts(session, id, &counts))
		return 0;
	top_count(top->model, id, &counts);
	if (!top_transitions(top->model, id, session_transitions(session, id)))
		return 0;
	if (session_distributions(session, id, times))
		return 0;
	return top_run(top->model, id, &times->metric[METRIC_RUN]);
}

static uint64_t watched_until(const struct top_run *top, uint64_t now_ns)
{
	return top->on_ns + (top->on_since_ns ? now_ns - top->on_since_ns : 0);
}

static void measure_rate(struct top_run *top, uint64_t watched_ns)
{
	struct session_stats stats;

	session_stats(top->run.session, &stats);
	top->event_rate = watched_ns ? (double)(stats.value[STAT_EVENTS] - top->events_before) *
					       1e9 / (double)watched_ns :
				       0;
	top->events_before = stats.value[STAT_EVENTS];
}

bool top_read(struct top_run *top)
{
	struct distributions *times = malloc(sizeof(*times));
	struct survey survey;
	struct top_moment moment = { .begin_ns = top->begin_ns };
	uint64_t watched;
	int err = times ? 0 : -ENOMEM;

	if (!err && !survey_all(top, &survey)) {
		free(times);
		return false;
	}
	if (!err) {
		watched = watched_until(top, survey.now_ns);
		moment.now_ns = survey.now_ns;
		moment.watched_ns = watched - top->watched_ns;
		top->watched_ns = watched;
		top->reading_ns = survey.now_ns;
		top_begin(top->model, &moment);
		for (uint32_t id = 0; id < top->code_end && !err; id++)
			err = read_code(top, id, times);
		top_end(top->model);
		measure_rate(top, moment.watched_ns);
	}
	free(times);
	top->out_of_memory |= err == -ENOMEM;
	return !err;
}

/* --- one function ------------------------------------------------------------------------------------- */

/* Counts its objects by place, and finds the oldest. */
static void survey_function(struct top_run *top, const struct top_row *row)
{
	uint32_t left = TOLD_MAX;
	unsigned surveys = 0;

	top->telling = true;
	for (size_t i = 0; i < row->id_count; i++) {
		struct survey survey = { .begin_ns = top->begin_ns,
					 .flags = SURVEY_CODE,
					 .code = row->ids[i],
					 .limit = left };
		uint64_t live = top_live(top->model, row->ids[i]);

		if (!live)
			continue;
		if (++surveys > SURVEYS_MAX || session_survey(top->run.session, &survey)) {
			top->detail.untold += live;
			continue;
		}
		top->detail.untold += survey.left;
		left -= survey.told < left ? survey.told : left;
		while (session_poll(top->run.session, 0) > 0)
			;
	}
	top->telling = false;
}

static void read_times(struct top_run *top, const struct top_row *row)
{
	struct distributions *times = malloc(sizeof(*times));

	for (size_t i = 0; times && i < row->id_count; i++)
		if (session_transitions(top->run.session, row->ids[i]) &&
		    !session_distributions(top->run.session, row->ids[i], times))
			distributions_add(&top->detail.times, times);
	top->out_of_memory |= !times;
	free(times);
}

static void read_source(struct top_run *top, const struct top_row *row)
{
	struct source_line lines[TOP_PLACES];
	struct top_detail *detail = &top->detail;

	if (!detail->oldest_count)
		return;
	for (size_t i = 0; i < detail->place_count; i++)
		lines[i] = (struct source_line){ .number = detail->places[i].line,
						 .text = detail->places[i].source,
						 .size = sizeof(detail->places[i].source) };
	/* where there is no such file there is no text */
	source_read((pid_t)detail->oldest[0].pid, row->code.file, lines, detail->place_count);
}

/* The objects of one process among the oldest, in their memory. */
static int read_memory(struct top_run *top, pid_t pid, const uint64_t *addresses, size_t count)
{
	const struct options *options = &top->options;
	const struct snapshot_options wanted = {
		.locals = top->state.locals,
		.name_awaited = true,
		.locals_options = options_locals(options),
	};
	char why[IMAGE_WHY_MAX];
	struct remote *remote = calloc(1, sizeof(*remote));
	struct memory *memory = NULL;
	struct image_file *image;
	uint64_t bias = 0;
	int err = remote ? images_of_process(session_images(top->run.session), pid, &image, why) :
			   -ENOMEM;

	if (!err)
		err = image_bias(image, pid, &bias);
	if (!err)
		err = memory_open_process(pid, CACHE_BYTES, &memory);
	if (!err)
		err = remote_open(remote, &image->interpreter, bias, memory, why);
	if (!err)
		err = snapshot_take_some(remote, pid, &wanted, addresses, count,
					 &top->snapshots[top->snapshot_count]);
	memory_close(memory);
	if (err) {
		if (remote)
			remote_close(remote);
		free(remote);
		return err;
	}
	top->remotes[top->snapshot_count++] = remote; /* it owns names of classes */
	return 0;
}

static void show_seen(struct top_detail *detail, const struct snapshot *snapshot)
{
	for (size_t i = 0; i < detail->oldest_count; i++)
		for (uint32_t k = 0; k < snapshot->object_count; k++)
			if (detail->oldest[i].pid == (uint32_t)snapshot->pid &&
			    detail->oldest[i].gen == snapshot->objects[k].gen)
				detail->oldest[i].seen = &snapshot->objects[k];
}

/* Process by process: each is opened once. */
static void read_oldest(struct top_run *top)
{
	struct top_detail *detail = &top->detail;

	for (size_t i = 0; i < detail->oldest_count; i++) {
		uint64_t addresses[TOP_OLDEST];
		uint32_t pid = detail->oldest[i].pid;
		size_t count = 0;
		bool done = false;

		for (size_t k = 0; k < i; k++)
			done |= detail->oldest[k].pid == pid;
		for (size_t k = i; k < detail->oldest_count; k++)
			if (detail->oldest[k].pid == pid)
				addresses[count++] = detail->oldest[k].gen;
		/* one that cannot be read, or has gone, shows no more than the survey told */
		if (!done && !read_memory(top, (pid_t)pid, addresses, count))
			show_seen(detail, top->snapshots[top->snapshot_count - 1]);
	}
}

void top_drop_detail(struct top_run *top)
{
	for (size_t i = 0; i < top->snapshot_count; i++) {
		snapshot_free(top->snapshots[i]);
		remote_close(top->remotes[i]);
		free(top->remotes[i]);
	}
	top->snapshot_count = 0;
	top->has_detail = false;
}

void top_read_detail(struct top_run *top)
{
	const struct top_row *row = top_row(top->model, top->state.function);

	top_drop_detail(top);
	if (top->state.page != TUI_FUNCTION || !row)
		return;
	top_detail_begin(&top->detail);
	survey_function(top, row);
	read_times(top, row);
	top_detail_end(&top->detail);
	read_source(top, row);
	read_oldest(top);
	top->has_detail = true;
}
