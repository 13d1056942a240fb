// SPDX-License-Identifier: MIT
/*
 * What `export` answers when it is asked: everything is read at that moment.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/export.h"
#include "session/survey.h"
#include "target/clock.h"

#define DUTY_NS 1000000000ull /* summed over processes */

void export_read_code(struct export_run *export, uint32_t code, const struct unseen_scale *scale)
{
	struct distributions now;

	/* told before what has been counted is read: what comes in between is news the next time */
	if (code && !exporter_is_news(export->exporter, code,
				      session_transitions(export->run.session, code)))
		return;
	if (!session_distributions(export->run.session, code, &now))
		exporter_read(export->exporter, code, &now, scale);
}

struct scale {
	struct unseen_scale scale;
	bool waits; /* nothing is taken in this time */
};

struct reading {
	struct export_run *export;
	struct export_process *process; /* of the last code */
	struct scale *scales;           /* by index of process */
};

static void read_one(void *ctx, uint32_t code, uint32_t pid)
{
	struct reading *reading = ctx;
	struct export_run *export = reading->export;
	const struct scale none = { .scale = UNSEEN_NOTHING }, *scale = &none;
	struct survey_counts counts;

	if (!reading->process || (uint32_t)reading->process->pid != pid)
		reading->process = export_process_of(export, (pid_t)pid);
	if (reading->process)
		scale = &reading->scales[reading->process - export->processes];
	if (!scale->waits)
		export_read_code(export, code, &scale->scale);
	/* of a process whose probes are off its memory tells more */
	if (reading->process && export_sees_objects(reading->process) &&
	    !session_survey_counts(export->run.session, code, &counts))
		exporter_set_objects(export->exporter, code, &counts);
}

static int read_all(struct export_run *export, struct survey *survey)
{
	struct reading reading = { .export = export };
	int err;

	reading.scales = calloc(export->process_count + 1, sizeof(*reading.scales));
	if (!reading.scales)
		return -ENOMEM;
	for (size_t i = 0; i < export->process_count; i++)
		reading.scales[i].waits = !export_scale_of(export, &export->processes[i], false,
							   &reading.scales[i].scale);
	survey->flags = SURVEY_COUNT;
	err = session_survey(export->run.session, survey);
	exporter_begin_objects(export->exporter);
	if (!err) {
		export_read_code(export, 0, &UNSEEN_NOTHING);
		exporter_each_code(export->exporter, 0, read_one, &reading);
		export_add_memory(export, survey->now_ns);
	}
	free(reading.scales);
	return err;
}

/* Of the time since it was worked out last, if that is long enough to say something. */
static double duty_of(struct export_run *export)
{
	struct export_duty now = export->past;

	for (size_t i = 0; i < export->process_count; i++)
		export_add_duty(&export->processes[i], &now);
	if (export->no_probes)
		return 0;
	if (now.all_ns < export->told.all_ns + DUTY_NS)
		return export->duty;
	export->duty = (double)(now.full_ns - export->told.full_ns) /
		       (double)(now.all_ns - export->told.all_ns);
	export->told = now;
	return export->duty;
}

static void count_statuses(const struct export_run *export,
			   struct prometheus_status statuses[STATUS_COUNT])
{
	static const char *const words[] = {
		[STATUS_TRACED] = "traced",
		[STATUS_OUTERMOST] = "outermost",
		[STATUS_PAUSED] = "paused",
		[STATUS_UNPROBED] = "unprobed",
	};

	for (int status = 0; status < STATUS_COUNT; status++)
		statuses[status].status = status > STATUS_REFUSED ?
						  refusal_word(status - STATUS_REFUSED) :
						  words[status];
	for (size_t i = 0; i < export->process_count; i++)
		statuses[export->processes[i].status].targets++;
}

static void describe(struct export_run *export, const struct survey *survey,
		     struct prometheus_self *self)
{
	struct session_stats stats;

	session_stats(export->run.session, &stats);
	self->lost = (struct loss){ .ring = stats.value[STAT_LOST_RING],
				    .map_full = stats.value[STAT_LOST_MAP_FULL],
				    .fault = stats.value[STAT_LOST_FAULT] + stats.missed };
	self->anomalies = stats.value[STAT_ANOMALIES];
	self->hits = stats.value[STAT_HITS] + stats.value[STAT_UNWATCHED];
	self->probe_seconds =
		((double)self->hits * (double)export->costs.hit_ns +
		 (double)stats.value[STAT_STEPPED] * (double)export->costs.stepped_ns) /
		1e9;
	self->duty_ratio = duty_of(export);
	self->state_map_entries = survey->objects;
	self->overflow = exporter_overflow(export->exporter);
	self->up = !export->err;
	self->estimated = export->estimated;
	self->probes = !export->no_probes;
	self->now_ns = survey->now_ns;
	self->start_ns = export->run.start_ns;
	self->realtime_offset_ns = clock_realtime_offset_ns();
	program_version(&self->version, &self->revision);
}

int export_page(struct export_run *export, enum exposition_format format, struct buffer *body)
{
	struct prometheus_status statuses[STATUS_COUNT] = {};
	struct prometheus_self self = { .statuses = statuses, .status_count = STATUS_COUNT };
	struct exporter_page page = {};
	struct survey survey = {};
	int err;

	pthread_mutex_lock(&export->lock);
	err = read_all(export, &survey);
	if (!err) {
		exporter_promote(export->exporter, survey.now_ns);
		count_statuses(export, statuses);
		describe(export, &survey, &self);
		err = exporter_collect(export->exporter, &page);
	}
	if (!err)
		err = prometheus_page(format, &self, &page, body);
	if (!err)
		exporter_scraped(export->exporter);
	free(page.at);
	pthread_mutex_unlock(&export->lock);
	return err;
}
