// SPDX-License-Identifier: MIT
/*
 * `slow` for people: a block a step, its reasons last.
 */
#include <stdio.h>
#include <string.h>

#include "model/names.h"
#include "sink/slow.h"
#include "sink/text.h"

#define LABEL "%16s  " /* what a line of a block is about */

static void put_color(struct sink *sink, const char *color)
{
	if (sink->color)
		writer_printf(sink->writer, "\033[%sm", color);
}

static void put_place(struct sink *sink, const struct code *code, uint32_t line)
{
	text_put_name(sink->writer, code->qualname);
	if (!*code->file)
		return;
	put_color(sink, "90");
	writer_puts(sink->writer, "  ");
	text_put_name(sink->writer, code->file);
	if (line)
		writer_printf(sink->writer, ":%u", line);
	put_color(sink, "0");
}

static void put_duration(struct sink *sink, uint64_t ns)
{
	char text[24];

	format_duration_short(ns, text, sizeof(text));
	writer_puts(sink->writer, text);
}

/* How old something is: hours where a duration would be thousands of seconds. */
static void put_age(struct sink *sink, uint64_t ns)
{
	unsigned long long minutes = ns / 60000000000ull;

	if (minutes < 2)
		put_duration(sink, ns);
	else if (minutes < 120)
		writer_printf(sink->writer, "%llu min", minutes);
	else if (minutes < 48 * 60)
		writer_printf(sink->writer, "%llu h %llu min", minutes / 60, minutes % 60);
	else
		writer_printf(sink->writer, "%llu d %llu h", minutes / 1440, minutes / 60 % 24);
}

static void put_label(struct sink *sink, const char *label)
{
	writer_printf(sink->writer, LABEL, label);
}

/* One below the other, each a little further in. */
static void put_chain(struct sink *sink, const char *label, const struct slow_place *at,
		      size_t count)
{
	for (size_t i = 0; i < count; i++) {
		put_label(sink, i ? "" : label);
		for (size_t k = 0; k < i && k < 16; k++)
			writer_puts(sink->writer, "  ");
		put_place(sink, at[i].code, at[i].line);
		writer_puts(sink->writer, "\n");
	}
}

static const char *how_it_ended(const struct slow_step *step)
{
	if (step->running)
		return "it still runs";
	switch (step->event->transition->via) {
	case VIA_AWAIT:
		return "then it awaited";
	case VIA_YIELD:
		return "then it yielded";
	case VIA_RETURN:
		return "then it returned";
	case VIA_RAISE:
		return "then it raised";
	default:
		return "then it was closed";
	}
}

static void put_inner(struct sink *sink, const struct slow_step *step)
{
	for (size_t i = 0; i < step->inner_count; i++) {
		const struct slow_place *place = &step->inner[i];

		put_label(sink, i ? "" : "of that inside");
		put_duration(sink, place->run_ns);
		writer_puts(sink->writer, "  ");
		put_place(sink, place->code, place->line);
		writer_puts(sink->writer, place->to == STATE_CLOSED ? "  (ended)\n" : "\n");
	}
	if (step->inner_left) {
		put_label(sink, "");
		writer_printf(sink->writer, "and %llu before\n",
			      (unsigned long long)step->inner_left);
	}
}

static void put_reason(struct sink *sink, const struct reason *reason)
{
	struct writer *writer = sink->writer;

	switch (reason->type) {
	case EVENT_GC:
		writer_puts(writer, "garbage collection");
		if (reason->generation >= 0)
			writer_printf(writer, " of generation %d", reason->generation);
		break;
	case EVENT_IMPORT:
		writer_puts(writer, "import of ");
		text_put_name(writer, reason->name);
		break;
	default:
		text_put_name(writer, reason->name);
	}
	if (reason->count > 1)
		writer_printf(writer, ", %u times", reason->count);
	if (reason->has_ns) {
		writer_puts(writer, ", took ");
		put_duration(sink, reason->ns);
	}
	if (reason->type == EVENT_GC)
		writer_printf(writer, ", freed %lld", (long long)reason->value);
	writer_puts(writer, reason->count > 1 ? ", first after " : ", after ");
	put_duration(sink, reason->at_ns);
	writer_puts(writer, "\n");
}

static void put_reasons(struct sink *sink, const struct reasons *reasons)
{
	for (size_t i = 0; i < reasons->count; i++) {
		put_label(sink, i ? "" : "meanwhile");
		put_reason(sink, &reasons->at[i]);
	}
	if (reasons->left) {
		put_label(sink, "");
		writer_printf(sink->writer, "and %llu more\n", (unsigned long long)reasons->left);
	}
	if (reasons->forgotten) {
		put_label(sink, "");
		writer_puts(sink->writer, "and earlier ones, more than are kept\n");
	}
}

void slow_text_step(struct sink *sink, const struct slow_step *step, const char *thread)
{
	const struct event *event = step->event;

	text_put_clock(sink, event->ts_ns);
	put_color(sink, "1;31");
	writer_puts(sink->writer, step->at_least ? "over " : "");
	put_duration(sink, step->run_ns);
	put_color(sink, "0");
	writer_printf(sink->writer, "  %s ", name_of_kind(step->chain[0].kind));
	put_color(sink, "1");
	text_put_name(sink->writer, step->chain[0].code->qualname);
	put_color(sink, "0");
	writer_printf(sink->writer, " held thread %u", event->tid);
	if (thread) {
		writer_puts(sink->writer, " (");
		text_put_name(sink->writer, thread);
		writer_puts(sink->writer, ")");
	}
	writer_printf(sink->writer, " of pid %u, %s\n", event->pid, how_it_ended(step));
	put_chain(sink, step->running ? "now at" : "at its end", step->chain, step->chain_count);
	put_inner(sink, step);
	put_reasons(sink, &step->reasons);
	text_put_locals(sink, event);
}

static const char *const suspect_words[SUSPECT_COUNT] = { "", "never awaited",
							  "dropped, not closed", "parked" };

void slow_text_suspect(struct sink *sink, const struct suspect *suspect)
{
	struct writer *writer = sink->writer;

	text_put_clock(sink, suspect->event->ts_ns);
	put_color(sink, "1;33");
	writer_puts(writer, suspect_words[suspect->type]);
	put_color(sink, "0");
	writer_printf(writer, ": %s ", name_of_kind(suspect->self.kind));
	put_color(sink, "1");
	text_put_name(writer, suspect->self.code->qualname);
	put_color(sink, "0");
	writer_printf(writer, " of pid %u", suspect->event->pid);
	if (suspect->has_suspended) {
		writer_puts(writer,
			    suspect->at_least ? ", suspended for at least " : ", suspended for ");
		put_age(sink, suspect->suspended_ns);
	}
	writer_puts(writer, "\n");
	if (suspect->chain)
		put_chain(sink, "waits at", suspect->chain, suspect->chain_count);
	else if (suspect->self.line)
		put_chain(sink, "stood at", &suspect->self, 1);
	if (!suspect->maker)
		return;
	put_label(sink, "made in");
	put_place(sink, suspect->maker, suspect->maker_line);
	writer_puts(writer, "\n");
}

void slow_text_repeat(struct sink *sink, uint64_t ts_ns, const struct repeat *repeat)
{
	struct writer *writer = sink->writer;

	text_put_clock(sink, ts_ns);
	writer_printf(writer, "and %llu more ", (unsigned long long)repeat->more);
	put_color(sink, "1;33");
	writer_puts(writer, suspect_words[repeat->type]);
	put_color(sink, "0");
	writer_printf(writer, ": %s ", name_of_kind(repeat->kind));
	put_place(sink, repeat->code, repeat->line);
	if (repeat->at) {
		writer_puts(writer, repeat->type == SUSPECT_PARKED ? ", waits in " : ", made in ");
		put_place(sink, repeat->at, repeat->at_line);
	}
	writer_puts(writer, "\n");
}
