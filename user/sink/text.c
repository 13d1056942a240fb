// SPDX-License-Identifier: MIT
/*
 * For people: one aligned line a transition.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "model/names.h"
#include "sink/sink.h"
#include "sink/text.h"

#define SECOND_NS     1000000000ull
#define LOCALS_INDENT 18

static const char *const words[STATE_COUNT] = { "-", "CREATED", "RUNNING", "SUSPENDED", "CLOSED" };
static const char *const kinds[KIND_COUNT] = { "?", "gen", "coro", "agen" };
/* created blue, running green, suspended yellow, closed grey */
static const char *const colors[STATE_COUNT] = { "", "34", "32", "33", "90" };

void text_put_clock(struct sink *sink, uint64_t ts_ns)
{
	uint64_t at = ts_ns + (uint64_t)sink->realtime_offset_ns;
	time_t second = (time_t)(at / SECOND_NS);
	struct tm when;

	if (second != sink->second) {
		localtime_r(&second, &when);
		strftime(sink->second_text, sizeof(sink->second_text), "%H:%M:%S", &when);
		sink->second = second;
	}
	writer_printf(sink->writer, "%s.%06u ", sink->second_text,
		      (unsigned)(at % SECOND_NS / 1000));
}

static void put_state(struct sink *sink, uint8_t state, const char *none, int width)
{
	const char *word = state == STATE_NONE ? none : words[state];

	if (sink->color && *colors[state])
		writer_printf(sink->writer, "\033[%sm%-*s\033[0m", colors[state], width, word);
	else
		writer_printf(sink->writer, "%-*s", width, word);
}

void text_put_name(struct writer *writer, const char *name)
{
	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (c < 0x20 || c == 0x7f)
			writer_puts(writer, "?");
		else
			writer_put(writer, name, 1);
	}
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void text_begin(struct sink *sink)
{
	writer_printf(sink->writer, "%s%-15s %7s %6s %-4s %-9s   %-9s %-10s %-17s %s%s\n",
		      sink->color ? "\033[1m" : "", "TIME", "PID", "ID", "KIND", "FROM", "TO",
		      "VIA", "TOOK", "FUNCTION", sink->color ? "\033[0m" : "");
}

void text_put_locals(struct sink *sink, const struct event *event)
{
	const struct local_list *locals = event->locals;

	if (event->locals_state == EVENT_LOCALS_LOST)
		writer_printf(sink->writer, "%*sits locals were lost\n", LOCALS_INDENT, "");
	if (event->locals_state != EVENT_LOCALS_SHOWN)
		return;
	for (size_t i = 0; i < locals->count; i++) {
		const struct local *local = &locals->at[i];

		writer_printf(sink->writer, "%*s%s", LOCALS_INDENT, "",
			      sink->color ? "\033[90m" : "");
		text_put_name(sink->writer, local->name);
		writer_printf(sink->writer, " =%s ", sink->color ? "\033[0m" : "");
		text_put_name(sink->writer, local->redacted ? "(redacted)" : local->repr);
		writer_puts(sink->writer, "\n");
	}
	if (locals->truncated)
		writer_printf(sink->writer, "%*s\xe2\x80\xa6\n", LOCALS_INDENT, "");
}

static void text_transition(struct sink *sink, const struct event *event)
{
	const struct transition_record *t = event->transition;
	char took[32] = "", duration[24];

	if (t->head.flags & (TRANSITION_HAS_RUN | TRANSITION_HAS_SUSPENDED)) {
		bool ran = t->head.flags & TRANSITION_HAS_RUN;

		format_duration(ran ? t->run_ns : t->suspended_ns, duration, sizeof(duration));
		snprintf(took, sizeof(took), "%s %s", ran ? "ran" : "waited", duration);
	}
	text_put_clock(sink, event->ts_ns);
	writer_printf(sink->writer, "%7u %6llu %-4s ", event->pid, (unsigned long long)t->id,
		      kinds[t->kind]);
	put_state(sink, t->from, "born", 9);
	writer_puts(sink->writer, " \xe2\x86\x92 ");
	put_state(sink, t->to, "freed", 9);
	writer_printf(sink->writer, " %-10s %-17s ", name_of_via(t->via), took);
	text_put_name(sink->writer, event->code->qualname);
	if (event->line) {
		writer_printf(sink->writer, "  %s", sink->color ? "\033[90m" : "");
		text_put_name(sink->writer, base_name(event->code->file));
		writer_printf(sink->writer, ":%u%s", event->line, sink->color ? "\033[0m" : "");
	}
	writer_puts(sink->writer, "\n");
	text_put_locals(sink, event);
}

static void text_named(struct sink *sink, const char *what, const char *name, const char *duration,
		       const char *remark)
{
	writer_printf(sink->writer, "%6s %s ", "", what);
	text_put_name(sink->writer, name);
	if (duration)
		writer_printf(sink->writer, " took %s", duration);
	writer_printf(sink->writer, "%s\n", remark);
}

static void text_event(struct sink *sink, const struct event *event)
{
	char duration[24] = "?";

	if (event->type == EVENT_TRANSITION) {
		text_transition(sink, event);
		return;
	}
	text_put_clock(sink, event->ts_ns);
	writer_printf(sink->writer, "%7u ", event->pid);
	if (event->has_ns)
		format_duration(event->ns, duration, sizeof(duration));
	if (event->type == EVENT_GC)
		writer_printf(sink->writer, "%6s gc generation %d took %s, freed %lld\n", "",
			      event->generation, duration, (long long)event->value);
	else if (event->type == EVENT_IMPORT)
		text_named(sink, "import", event->name, duration,
			   event->value ? "" : " (not found)");
	else
		text_named(sink, "audit", event->name, NULL, "");
}

static void text_lost(struct sink *sink, uint64_t ts_ns, const struct loss *since)
{
	text_put_clock(sink, ts_ns);
	writer_printf(sink->writer,
		      "LOST %llu events (ring full %llu, map full %llu, faults %llu)\n",
		      (unsigned long long)since->ring + since->map_full + since->fault,
		      (unsigned long long)since->ring, (unsigned long long)since->map_full,
		      (unsigned long long)since->fault);
}

static void text_duty(struct sink *sink, uint64_t ts_ns, uint64_t took_ns, bool on, bool outermost)
{
	(void)took_ns;
	text_put_clock(sink, ts_ns);
	if (outermost)
		writer_puts(sink->writer,
			    "probes of outermost steps alone, to keep --max-overhead\n");
	else
		writer_puts(sink->writer, on ? "probes are on again\n" :
					       "probes are off, to keep --max-overhead\n");
}

static void text_end(struct sink *sink, const struct summary *s)
{
	uint64_t lost = s->lost.ring + s->lost.map_full + s->lost.fault;
	char duration[24];

	format_duration(s->duration_ns, duration, sizeof(duration));
	writer_printf(sink->writer, "\n%llu events of %llu objects in %s\n",
		      (unsigned long long)s->events, (unsigned long long)s->objects, duration);
	writer_printf(sink->writer,
		      "hits %llu = events %llu + filtered %llu + causes %llu + redundant %llu + "
		      "strangers %llu + lost %llu%s\n",
		      (unsigned long long)s->hits, (unsigned long long)s->events,
		      (unsigned long long)s->filtered, (unsigned long long)s->causes,
		      (unsigned long long)s->redundant, (unsigned long long)s->strangers,
		      (unsigned long long)lost, s->closes ? "" : "  DOES NOT CLOSE");
	writer_printf(sink->writer, "anomalies %llu, single-stepped hits %llu, coverage: %s\n",
		      (unsigned long long)s->anomalies, (unsigned long long)s->stepped_hits,
		      s->coverage);
	if (s->duty_ratio < 1)
		writer_printf(sink->writer, "probes were on %.1f %% of the time (--max-overhead)\n",
			      s->duty_ratio * 100);
	if (s->outermost_ratio > 0)
		writer_printf(
			sink->writer,
			"those of outermost steps alone %.1f %%: what ran inside of such a step "
			"is not told\n",
			s->outermost_ratio * 100);
	if (s->seeded || s->reconciled)
		writer_printf(
			sink->writer,
			"%llu objects known from memory at the start, %llu compared with it at "
			"the end: %llu differ\n",
			(unsigned long long)s->seeded, (unsigned long long)s->reconciled,
			(unsigned long long)s->disagreements);
	if (s->locals.asked)
		writer_printf(sink->writer,
			      "locals of %llu transitions, cut short in %llu; lost of %llu, "
			      "sampled out of %llu\n",
			      (unsigned long long)s->locals.captured,
			      (unsigned long long)s->locals.truncated,
			      (unsigned long long)s->locals.lost,
			      (unsigned long long)s->locals.sampled_out);
	if (lost)
		writer_printf(sink->writer, "lost: ring full %llu, map full %llu, faults %llu\n",
			      (unsigned long long)s->lost.ring,
			      (unsigned long long)s->lost.map_full,
			      (unsigned long long)s->lost.fault);
}

const struct sink_ops sink_text = {
	.begin = text_begin,
	.event = text_event,
	.lost = text_lost,
	.duty = text_duty,
	.end = text_end,
};
