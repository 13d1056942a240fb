// SPDX-License-Identifier: MIT
#include "cmd/report_slow.h"

#include <errno.h>
#include <stdlib.h>

#include "model/names.h"
#include "model/suspects.h"
#include "sink/html.h"
#include "sink/slow.h"

/* An outermost object that is suspended. */
struct waiting {
	uint64_t id;
	struct event event; /* its last transition; only what suspects need of it is kept */
	struct transition_record transition;
};

static bool is_wanted(const struct report_slow *report)
{
	return report->listed || report->page;
}

static bool is_selected(const struct report_slow *report, const struct slow_place *at, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (report->options->kinds & 1u << at[i].kind &&
		    selection_has_code(report->selection, at[i].code->qualname, at[i].code->file))
			return true;
	return false;
}

/* --- the page --- */

static struct html_frame frame_of(const struct slow_place *place)
{
	return (struct html_frame){ .id = place->id,
				    .qualname = place->code->qualname,
				    .file = place->code->file,
				    .line = place->line };
}

/* The way to where the time went: by the steps over the limit inside, which end from the inside out; without any
 * it went in the step's own object, or in many short ones: then it is where the step ended. */
static size_t path_of(const struct slow_step *step, struct html_frame *path)
{
	size_t count = 0;

	if (!step->inner_count) {
		for (; count < step->chain_count; count++)
			path[count] = frame_of(&step->chain[count]);
		return count;
	}
	path[count++] = frame_of(&step->chain[0]);
	for (size_t i = step->inner_count; i-- > 0;)
		path[count++] = frame_of(&step->inner[i]);
	return count;
}

static void put_on_page(struct report_slow *report, const struct slow_step *step)
{
	static const char *const types[] = {
		[EVENT_GC] = "gc", [EVENT_IMPORT] = "import", [EVENT_AUDIT] = "audit"
	};
	struct html_frame path[SLOW_CHAIN_MAX + SLOW_INNER_MAX];
	struct html_reason reasons[REASONS_MAX];
	struct html_slow slow = { .chain = path,
				  .chain_count = path_of(step, path),
				  .reasons = reasons,
				  .reason_count = step->reasons.count,
				  .pid = step->event->pid,
				  .tid = step->event->tid,
				  .begin_ns = step->begin_ns,
				  .run_ns = step->run_ns,
				  .self_ns = step->inner_count ? step->inner[0].run_ns :
								 step->run_ns };

	for (size_t i = 0; i < step->reasons.count; i++) {
		const struct reason *reason = &step->reasons.at[i];

		reasons[i] = (struct html_reason){ .type = types[reason->type],
						   .name = reason->name,
						   .ns = reason->ns };
	}
	html_slow(report->page, &slow);
}

static void put_suspect_on_page(struct report_slow *report, const struct suspect *suspect,
				uint64_t since_ns)
{
	struct html_frame created = {};
	struct html_suspect html = { .what = name_of_suspect(suspect->type),
				     .kind = name_of_kind(suspect->self.kind),
				     .object = frame_of(&suspect->self),
				     .created = &created,
				     .pid = suspect->event->pid,
				     .since_ns = since_ns };

	if (suspect->maker) {
		created = (struct html_frame){ .qualname = suspect->maker->qualname,
					       .file = suspect->maker->file,
					       .line = suspect->maker_line };
		html.created_count = 1;
	}
	html_suspect(report->page, &html);
}

/* --- what the models find --- */

static int on_step(void *ctx, const struct slow_step *step)
{
	struct report_slow *report = ctx;

	if (!is_selected(report, step->chain, step->chain_count) &&
	    !is_selected(report, step->inner, step->inner_count))
		return 0;
	report->steps++;
	if (report->page)
		put_on_page(report, step);
	if (report->listed && report->options->json)
		slow_json_step(report->sink, step, NULL);
	else if (report->listed)
		slow_text_step(report->sink, step, NULL);
	return 0;
}

static void show_suspect(struct report_slow *report, const struct suspect *suspect,
			 uint64_t since_ns)
{
	if (!is_selected(report, &suspect->self, 1))
		return;
	report->suspects++;
	if (report->page)
		put_suspect_on_page(report, suspect, since_ns);
	if (report->listed && report->options->json)
		slow_json_suspect(report->sink, suspect);
	else if (report->listed)
		slow_text_suspect(report->sink, suspect);
}

/* What somebody awaits waits with him. */
static int follow_waiting(struct report_slow *report, const struct event *event)
{
	const struct transition_record *t = event->transition;
	struct waiting *waiting = table_find(&report->waiting, t->id);

	if (t->to != STATE_SUSPENDED || t->parent) {
		if (waiting) {
			table_take(&report->waiting, t->id);
			free(waiting);
		}
		return 0;
	}
	waiting = table_have(&report->waiting, t->id, sizeof(*waiting));
	if (!waiting)
		return -ENOMEM;
	waiting->event = *event;
	waiting->event.locals = NULL;
	waiting->transition = *t;
	return 0;
}

int report_slow_open(struct report_slow *report)
{
	const struct slow_options options = {
		.over_ns = report->over_ns, .complete = true, .step = on_step, .ctx = report
	};

	return is_wanted(report) ? slow_new(&options, &report->slow) : 0;
}

int report_slow_event(struct report_slow *report, const struct event *event)
{
	struct suspect suspect;
	int err = 0;

	if (!is_wanted(report))
		return 0;
	if (event->type == EVENT_TRANSITION) {
		if (suspect_of_event(event, &suspect))
			show_suspect(report, &suspect, event->ts_ns - suspect.suspended_ns);
		err = follow_waiting(report, event);
	}
	return err ? err : slow_event(report->slow, event);
}

static void show_parked(struct report_slow *report, struct waiting *waiting, uint64_t now_ns)
{
	const struct event *event = &waiting->event;
	struct suspect suspect = { .type = SUSPECT_PARKED,
				   .event = event,
				   .self = { .id = waiting->id,
					     .gen = waiting->transition.gen,
					     .code = event->code,
					     .line = event->line,
					     .kind = waiting->transition.kind,
					     .to = STATE_SUSPENDED,
					     .ts_ns = event->ts_ns },
				   .has_suspended = true,
				   .suspended_ns = now_ns - event->ts_ns,
				   .maker = event->maker,
				   .maker_line = event->maker_line };

	waiting->event.transition = &waiting->transition;
	show_suspect(report, &suspect, event->ts_ns);
}

void report_slow_end(struct report_slow *report, uint64_t now_ns)
{
	for (size_t i = 0; is_wanted(report) && i < report->waiting.room; i++) {
		struct waiting *waiting = (struct waiting *)report->waiting.slots[i];

		if (waiting && waiting->event.ts_ns + report->parked_ns <= now_ns)
			show_parked(report, waiting, now_ns);
	}
}

void report_slow_close(struct report_slow *report)
{
	slow_free(report->slow);
	table_clear(&report->waiting);
}
