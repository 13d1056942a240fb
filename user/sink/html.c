// SPDX-License-Identifier: MIT
#include "sink/html.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink/html_internal.h"
#include "sink/page_text.h"

#define CODE_ID_MAX (1u << 24) /* far more code objects than a program has */

static struct html *html_of(struct sink *sink)
{
	return (struct html *)sink; /* its first member */
}

/* --- steps --- */

/* The function of a code id, as far as an event has told. */
static uint32_t function_of(const struct html *html, uint32_t code)
{
	return html->by_code[code < html->by_code_room ? code : 0].function;
}

static uint32_t on_enter(void *ctx, const struct stretch *stretch, const struct stretch *under)
{
	struct html *html = ctx;
	uint32_t chain = FLAME_ROOT;
	int err = flame_find(html->flame, under ? under->chain : FLAME_ROOT,
			     function_of(html, stretch->code), &chain);

	if (err)
		html->error = err;
	return chain;
}

static void on_leave(void *ctx, const struct stretch *stretch, uint64_t end_ns,
		     const struct transition_record *end)
{
	struct html *html = ctx;
	const struct timeline_track *track =
		timeline_track(html->timeline, stretch->pid, stretch->tid);
	struct timeline_step step = { .begin_ns = stretch->begin_ns,
				      .end_ns = end_ns,
				      .self_ns = stretch->self_ns,
				      .id = stretch->id,
				      .function = function_of(html, stretch->code),
				      .chain = stretch->chain,
				      .unfinished = !end,
				      .depth = stretch->depth < TIMELINE_DEPTH_MAX ?
						       (uint8_t)stretch->depth :
						       TIMELINE_DEPTH_MAX };

	flame_run(html->flame, stretch->chain, stretch->self_ns);
	if (end) {
		flame_step(html->flame, stretch->chain);
		step.line = html->event->line;
		step.via = end->via;
	}
	if (track)
		step.track = track->index;
	if (!track || timeline_step(html->timeline, &step))
		html->error = -ENOMEM;
}

static void on_waited(void *ctx, uint32_t chain, uint64_t ns)
{
	struct html *html = ctx;

	flame_wait(html->flame, chain, ns);
}

/* --- events --- */

static int make_room_for(struct html *html, uint32_t code)
{
	uint32_t room = html->by_code_room ? html->by_code_room : 256;
	struct by_code *grown;

	if (code < html->by_code_room)
		return 0;
	while (room <= code)
		room *= 2;
	grown = realloc(html->by_code, room * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	memset(grown + html->by_code_room, 0, (room - html->by_code_room) * sizeof(*grown));
	html->by_code = grown;
	html->by_code_room = room;
	return 0;
}

/* So that steps of that code have a name; one that is lost may come later. */
static int name_code(struct html *html, const struct event *event)
{
	const struct code *code = event->code;
	uint32_t id = event->transition->code < CODE_ID_MAX ? event->transition->code : 0;
	struct by_code *by_code;
	int err = make_room_for(html, id);

	if (err)
		return err;
	by_code = &html->by_code[id];
	if (by_code->named || (by_code->seen && !code->id))
		return 0;
	by_code->seen = true;
	by_code->named = code->id != 0;
	return functions_find(html, code->qualname, code->file, code->first_line,
			      id ? event->transition->kind : KIND_NONE, &by_code->function);
}

static int take_transition(struct html *html, const struct event *event)
{
	struct step_facts facts;
	int err = name_code(html, event);

	if (err)
		return err;
	timeline_transition(html->timeline, event->ts_ns);
	return steps_add(html->steps, event->transition, &facts);
}

static int take_context(struct html *html, const struct event *event)
{
	const struct timeline_track *track = timeline_track(html->timeline, event->pid, event->tid);
	struct timeline_mark mark = { .ns = event->has_ns ? event->ns : 0, .value = event->value };
	const char *name = event->name;
	char generation[32];
	int err;

	if (event->type == EVENT_GC) {
		snprintf(generation, sizeof(generation), "generation %d", event->generation);
		name = generation;
	}
	mark.type = event->type == EVENT_GC     ? MARK_GC :
		    event->type == EVENT_IMPORT ? MARK_IMPORT :
						  MARK_AUDIT;
	html->context[mark.type]++;
	err = track ? texts_find(&html->texts, name, &mark.name) : -ENOMEM;
	if (err)
		return err;
	mark.track = track->index;
	mark.begin_ns = event->ts_ns > mark.ns ? event->ts_ns - mark.ns : 0;
	if (mark.begin_ns < html->first_ns) {
		mark.begin_ns = html->first_ns;
		mark.ns = event->ts_ns > mark.begin_ns ? event->ts_ns - mark.begin_ns : 0;
	}
	return timeline_mark(html->timeline, &mark);
}

/* What is known of the page only at the end is written then. */
static void page_begin(struct sink *sink)
{
	(void)sink;
}

static void page_event(struct sink *sink, const struct event *event)
{
	struct html *html = html_of(sink);
	int err;

	if (html->error)
		return;
	if (!html->begun) {
		html->begun = true;
		html->first_ns = event->ts_ns;
		timeline_begin(html->timeline, event->ts_ns);
	}
	if (event->ts_ns > html->last_ns)
		html->last_ns = event->ts_ns;
	html->event = event;
	err = event->type == EVENT_TRANSITION ? take_transition(html, event) :
						take_context(html, event);
	html->event = NULL;
	if (err)
		html->error = err;
}

static void page_lost(struct sink *sink, uint64_t ts_ns, const struct loss *since)
{
	struct html *html = html_of(sink);
	uint64_t count = since->ring + since->map_full + since->fault;

	if (!count)
		return;
	if (html->loss_count < LOSSES_MAX)
		html->losses[html->loss_count++] = (struct page_loss){ ts_ns, count };
	else
		html->losses[LOSSES_MAX - 1].count += count;
}

static void page_end(struct sink *sink, const struct summary *summary)
{
	struct html *html = html_of(sink);
	struct page_text page;
	int err;

	steps_end(html->steps, html->last_ns);
	page_text(&page);
	writer_put(sink->writer, page.head, page.head_bytes);
	err = put_page_data(html, summary);
	writer_put(sink->writer, page.tail, page.tail_bytes);
	if (err)
		html->error = err;
}

/* --- life --- */

static const struct sink_ops html_ops = {
	.begin = page_begin,
	.event = page_event,
	.lost = page_lost,
	.end = page_end,
};

int html_new(const struct html_options *options, struct writer *writer, struct sink **out)
{
	struct html *html = calloc(1, sizeof(*html));
	const struct steps_listener listener = {
		.enter = on_enter, .leave = on_leave, .waited = on_waited, .ctx = html
	};

	if (!html)
		return -ENOMEM;
	sink_init(&html->sink, &html_ops, writer, false);
	html->sink.realtime_offset_ns = options->about.realtime_offset_ns;
	html->options = *options;
	html->slow.limit = HTML_SLOW;
	html->suspects.limit = HTML_SUSPECTS;
	if (steps_new(&listener, &html->steps) || flame_new(0, &html->flame) ||
	    timeline_new(NULL, &html->timeline) || make_room_for(html, 0)) {
		html_free(&html->sink);
		return -ENOMEM;
	}
	*out = &html->sink;
	return 0;
}

int html_free(struct sink *sink)
{
	struct html *html = html_of(sink);
	int err;

	if (!sink)
		return 0;
	err = html->error;
	steps_free(html->steps);
	flame_free(html->flame);
	timeline_free(html->timeline);
	texts_free(&html->texts);
	functions_free(&html->functions);
	notes_free(&html->slow);
	notes_free(&html->suspects);
	free(html->processes);
	free(html->by_code);
	free(html);
	return err;
}

void html_functions(struct sink *sink, const struct latency_rows *rows)
{
	html_of(sink)->rows = rows;
}
