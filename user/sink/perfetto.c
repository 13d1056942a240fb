// SPDX-License-Identifier: MIT
#include "sink/perfetto.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/names.h"
#include "sink/perfetto_tracks.h"

#define TITLE_BYTES 256 /* of a process's or thread's name */

static struct perfetto *perfetto_of(struct sink *sink)
{
	return (struct perfetto *)sink; /* its first member */
}

static void put_text(struct writer *writer, const char *text)
{
	char out[6 * TITLE_BYTES + 1];

	*json_escape(out, text, strnlen(text, TITLE_BYTES)) = 0;
	writer_puts(writer, out);
}

static void put_title(struct perfetto *perfetto, const struct track *track, const char *what,
		      const char *title)
{
	struct writer *writer = perfetto->sink.writer;

	put_head(perfetto, 'M', 0, track->pid, track->tid);
	writer_printf(writer, ",\"name\":\"%s\",\"args\":{\"name\":\"", what);
	put_text(writer, title);
	writer_puts(writer, "\"}}");
}

/* The track of an event's thread. A new one is introduced, and its process again, which does no harm. */
static struct track *find_track(struct perfetto *perfetto, const struct event *event)
{
	const struct perfetto_options *options = &perfetto->options;
	const char *process = NULL, *thread = NULL;
	struct track *track;
	char number[32];
	bool fresh;

	track = track_of(perfetto, event->pid, event->tid, &fresh);
	if (!track || !fresh)
		return track;
	if (options->process_name)
		process = options->process_name(options->ctx, event->pid);
	if (options->thread_name)
		thread = options->thread_name(options->ctx, event->pid, event->tid);
	snprintf(number, sizeof(number), "process %u", event->pid);
	put_title(perfetto, track, "process_name", process ? process : number);
	snprintf(number, sizeof(number), "thread %u", event->tid);
	if (!thread && event->pid == event->tid)
		thread = "main thread";
	put_title(perfetto, track, "thread_name", thread ? thread : number);
	return track;
}

static void put_bar(struct perfetto *perfetto, const struct bar *bar, char phase, uint64_t ts_ns)
{
	struct writer *writer = perfetto->sink.writer;
	const struct label *label = label_of(perfetto, bar->code);

	put_head(perfetto, phase, ts_ns, bar->pid, bar->pid);
	put_name(perfetto, label->qualname);
	writer_printf(writer, ",\"cat\":\"object\",\"id\":\"0x%llx\"", (unsigned long long)bar->id);
	if (phase == 'b') {
		writer_printf(writer, ",\"args\":{\"id\":%llu,\"kind\":\"%s\",\"file\":\"",
			      (unsigned long long)bar->id, name_of_kind(bar->kind));
		writer_puts(writer, label->file);
		writer_puts(writer, "\"}");
	}
	writer_puts(writer, "}");
}

/* The bar of an object that is met for the first time; it begins where the object is known to have
 * been. */
static struct bar *new_bar(struct perfetto *perfetto, const struct event *event)
{
	const struct transition_record *t = event->transition;
	struct bar *bar;
	uint64_t known = 0;

	if (t->from == STATE_CLOSED || t->to == STATE_NONE)
		return NULL; /* it has had its end */
	bar = bar_add(perfetto, t->id);
	if (!bar)
		return NULL;
	if (t->head.flags & TRANSITION_HAS_RUN)
		known = t->run_ns;
	else if (t->head.flags & TRANSITION_HAS_SUSPENDED)
		known = t->suspended_ns;
	bar->since_ns = known < event->ts_ns ? event->ts_ns - known : 0;
	bar->pid = event->pid;
	bar->kind = t->kind;
	bar->code = event->code->id;
	put_bar(perfetto, bar, 'b', bar->since_ns);
	return bar;
}

static void end_bar(struct perfetto *perfetto, struct bar *bar, uint64_t ts_ns)
{
	put_bar(perfetto, bar, 'e', ts_ns > bar->since_ns ? ts_ns : bar->since_ns);
	bar_remove(perfetto, bar);
}

static bool is_step_open(const struct track *track, uint64_t step)
{
	for (size_t i = 1; i < track->level_count; i++)
		if (track->levels[i].step == step)
			return true;
	return false;
}

/* From where the object stood to its slice that has just been opened. Both ends are written now: of an
 * object that never goes on there is none. */
static void put_arrow(struct perfetto *perfetto, struct bar *bar)
{
	struct writer *writer = perfetto->sink.writer;
	struct track *from = bar->from;

	bar->from = NULL;
	if (!from || !bar->track || bar->from_ns > bar->track->last_ns)
		return;
	if (is_step_open(from, bar->from_step)) /* awaited where it was made: that can be seen */
		return;
	perfetto->arrows++;
	put_head(perfetto, 's', bar->from_ns, from->pid, from->tid);
	writer_printf(writer, ",\"name\":\"%s\",\"cat\":\"await\",\"id\":%llu}",
		      bar->from_step ? "created" : "await", (unsigned long long)perfetto->arrows);
	put_head(perfetto, 'f', bar->track->last_ns, bar->track->pid, bar->track->tid);
	writer_printf(writer, ",\"name\":\"%s\",\"cat\":\"await\",\"id\":%llu,\"bp\":\"e\"}",
		      bar->from_step ? "created" : "await", (unsigned long long)perfetto->arrows);
}

/* An arrow is bound to the slice around its beginning: that must lie before the slice's end. */
static void set_arrow(struct bar *bar, struct track *from, uint64_t begin_ns, uint64_t end_ns,
		      uint64_t step)
{
	bar->from = end_ns > begin_ns ? from : NULL;
	bar->from_ns = end_ns - 1;
	bar->from_step = step;
}

static void on_birth(struct bar *bar, struct track *track, uint64_t ts_ns)
{
	const struct level *level = &track->levels[track->level_count - 1];

	if (track->level_count < 2 || bar->kind == KIND_GENERATOR)
		return;
	track->last_ns = track_time(track, ts_ns); /* the slice cannot end before that */
	set_arrow(bar, track, level->begin_ns, track->last_ns, level->step);
}

/* What is open on the thread and not driving this step does not run: its frame is suspended, or its end
 * was lost. */
static void make_way(struct perfetto *perfetto, struct track *track, const struct event *event)
{
	struct bar *driver;

	if (!event->transition->parent) {
		track_unwind(perfetto, track, 0, event->ts_ns, NULL);
		return;
	}
	driver = bar_find(perfetto, event->transition->parent);
	if (driver && driver->track == track) /* else it is filtered out */
		track_unwind(perfetto, track, driver->level, event->ts_ns, driver);
}

static void on_enter(struct perfetto *perfetto, struct bar *bar, struct track *track,
		     const struct event *event)
{
	struct bar *inner;

	if (bar->track) /* the end of that step was lost */
		step_close(perfetto, bar, event->ts_ns, NULL);
	unpark(bar);
	make_way(perfetto, track, event);
	bar->running = true;
	step_open(perfetto, track, bar, event->ts_ns, event);
	put_arrow(perfetto, bar);
	while ((inner = bar->parked)) {
		unpark(inner);
		step_open(perfetto, track, inner, event->ts_ns, NULL);
	}
}

static void put_slow(struct perfetto *perfetto, const struct track *track,
		     const struct event *event)
{
	const struct transition_record *t = event->transition;
	struct writer *writer = perfetto->sink.writer;

	if (!perfetto->options.slow_ns || !(t->head.flags & TRANSITION_HAS_RUN) ||
	    t->run_ns < perfetto->options.slow_ns)
		return;
	put_head(perfetto, 'i', track_time(track, event->ts_ns), track->pid, track->tid);
	writer_printf(writer,
		      ",\"s\":\"t\",\"name\":\"slow step\",\"cat\":\"slow\",\"args\":{\"id\":%llu,"
		      "\"run_ns\":%llu,\"qualname\":\"",
		      (unsigned long long)t->id, (unsigned long long)t->run_ns);
	writer_puts(writer, label_of(perfetto, event->code->id)->qualname);
	writer_puts(writer, "\"}}");
}

/* A slice of which only the end is told; the caller goes on after the times. Returns its length. */
static uint64_t put_span(struct perfetto *perfetto, struct track *track, uint64_t ts_ns,
			 uint64_t ns)
{
	uint64_t end_ns = track_time(track, ts_ns);
	uint64_t begin_ns = span_place(track, ns < ts_ns ? ts_ns - ns : 0, end_ns);

	put_head(perfetto, 'X', begin_ns, track->pid, track->tid);
	writer_puts(perfetto->sink.writer, ",\"dur\":");
	put_ns(perfetto->sink.writer, end_ns - begin_ns);
	return end_ns - begin_ns;
}

/* A step whose beginning was filtered out, or found the ring full. */
static void put_whole_step(struct perfetto *perfetto, struct bar *bar, struct track *track,
			   const struct event *event)
{
	const struct label *label = label_of(perfetto, bar->code);
	struct writer *writer = perfetto->sink.writer;
	uint64_t length = put_span(perfetto, track, event->ts_ns, event->transition->run_ns);

	put_name(perfetto, label->qualname);
	writer_printf(writer, ",\"cat\":\"step\",\"args\":{\"id\":%llu,\"at\":\"",
		      (unsigned long long)bar->id);
	writer_puts(writer, label->file);
	writer_printf(writer, event->line ? ":%u\"," : "\",", event->line);
	writer_printf(writer, "\"end\":\"%s\"}}", name_of_via(event->transition->via));
	set_arrow(bar, track, track->last_ns - length, track->last_ns, 0);
}

static void on_leave(struct perfetto *perfetto, struct bar *bar, struct track *track,
		     const struct event *event)
{
	const struct transition_record *t = event->transition;

	bar->from = NULL;
	if (bar->track) {
		struct track *drawn = bar->track;
		uint64_t begin_ns = drawn->levels[bar->level].begin_ns;

		put_slow(perfetto, drawn, event);
		step_close(perfetto, bar, event->ts_ns, event);
		set_arrow(bar, drawn, begin_ns, drawn->last_ns, 0);
	} else {
		put_slow(perfetto, track, event);
		if (!bar->drawn && t->head.flags & TRANSITION_HAS_RUN)
			put_whole_step(perfetto, bar, track, event);
	}
	if (t->to != STATE_SUSPENDED || t->via != VIA_AWAIT)
		bar->from = NULL;
	unpark(bar);
	bar->running = bar->drawn = false;
}

static void on_transition(struct perfetto *perfetto, struct track *track, const struct event *event)
{
	const struct transition_record *t = event->transition;
	struct bar *bar = bar_find(perfetto, t->id);

	if (label_add(perfetto, event->code))
		return;
	if (!bar)
		bar = new_bar(perfetto, event);
	if (!bar)
		return;
	if (event->code->id)
		bar->code = event->code->id;
	if (t->to == STATE_RUNNING)
		on_enter(perfetto, bar, track, event);
	else if (t->from == STATE_RUNNING || bar->running)
		on_leave(perfetto, bar, track, event);
	else if (t->to == STATE_CREATED)
		on_birth(bar, track, event->ts_ns);
	if (t->to == STATE_CLOSED || t->to == STATE_NONE)
		end_bar(perfetto, bar, event->ts_ns);
}

static void on_context(struct perfetto *perfetto, struct track *track, const struct event *event)
{
	static const char *const words[] = {
		[EVENT_GC] = "gc", [EVENT_IMPORT] = "import", [EVENT_AUDIT] = "audit"
	};
	struct writer *writer = perfetto->sink.writer;

	if (event->has_ns) {
		put_span(perfetto, track, event->ts_ns, event->ns);
	} else {
		put_head(perfetto, 'i', event->ts_ns, track->pid, track->tid);
		writer_puts(writer, ",\"s\":\"t\"");
	}
	writer_printf(writer, ",\"cat\":\"%s\",\"name\":\"%s", words[event->type],
		      words[event->type]);
	if (event->type == EVENT_GC) {
		writer_printf(writer, "\",\"args\":{\"generation\":%d,\"collected\":%lld}}",
			      event->generation, (long long)event->value);
		return;
	}
	writer_puts(writer, " ");
	put_text(writer, event->name);
	writer_puts(writer, "\"}");
}

static void perfetto_begin(struct sink *sink)
{
	writer_puts(sink->writer, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n");
}

static void perfetto_event(struct sink *sink, const struct event *event)
{
	struct perfetto *perfetto = perfetto_of(sink);
	struct track *track = perfetto->error ? NULL : find_track(perfetto, event);

	if (!track)
		return;
	if (event->ts_ns > perfetto->last_ns)
		perfetto->last_ns = event->ts_ns;
	if (event->type == EVENT_TRANSITION)
		on_transition(perfetto, track, event);
	else
		on_context(perfetto, track, event);
}

static void perfetto_lost(struct sink *sink, uint64_t ts_ns, const struct loss *since)
{
	put_head(perfetto_of(sink), 'i', ts_ns, 0, 0);
	writer_printf(
		sink->writer,
		",\"s\":\"g\",\"cat\":\"lost\",\"name\":\"lost events\",\"args\":{\"ring\":%llu,"
		"\"map_full\":%llu,\"fault\":%llu}}",
		(unsigned long long)since->ring, (unsigned long long)since->map_full,
		(unsigned long long)since->fault);
}

static void end_all(struct perfetto *perfetto)
{
	for (size_t i = 0; i < perfetto->track_slots; i++)
		for (struct track *track = perfetto->tracks[i]; track; track = track->next)
			track_unwind(perfetto, track, 0, perfetto->last_ns, NULL);
	for (size_t i = 0; i < perfetto->bar_slots; i++)
		while (perfetto->bars[i])
			end_bar(perfetto, perfetto->bars[i], perfetto->last_ns);
}

static void perfetto_end(struct sink *sink, const struct summary *s)
{
	end_all(perfetto_of(sink));
	/* chrome://tracing doubts any clock that is not told to be a fine one, unless milliseconds are
	 * to be shown (catapult, tracing/model/model.html) */
	writer_puts(sink->writer, "\n],\"metadata\":{\"highres-ticks\":true},\"otherData\":{");
	writer_printf(
		sink->writer,
		"\"events\":%llu,\"lost\":%llu,\"anomalies\":%llu,"
		"\"objects\":%llu,\"duration_ns\":%llu,\"realtime_offset_ns\":%lld,\"coverage\":\"",
		(unsigned long long)s->events,
		(unsigned long long)s->lost.ring + s->lost.map_full + s->lost.fault,
		(unsigned long long)s->anomalies, (unsigned long long)s->objects,
		(unsigned long long)s->duration_ns, (long long)sink->realtime_offset_ns);
	put_text(sink->writer, s->coverage);
	writer_puts(sink->writer, "\"}}\n");
}

static const struct sink_ops perfetto_ops = {
	.begin = perfetto_begin,
	.event = perfetto_event,
	.lost = perfetto_lost,
	.end = perfetto_end,
};

int perfetto_new(const struct perfetto_options *options, struct writer *writer, struct sink **out)
{
	struct perfetto *perfetto = calloc(1, sizeof(*perfetto));

	if (!perfetto)
		return -ENOMEM;
	sink_init(&perfetto->sink, &perfetto_ops, writer, false);
	perfetto->options = *options;
	*out = &perfetto->sink;
	return 0;
}

int perfetto_free(struct sink *sink)
{
	struct perfetto *perfetto = perfetto_of(sink);
	int err;

	if (!sink)
		return 0;
	err = perfetto->error;
	tables_free(perfetto);
	free(perfetto);
	return err;
}
