// SPDX-License-Identifier: MIT
/*
 * `slow --json`: contract.md's lines of type "slow", "never_awaited", "unclosed" and "parked".
 */
#include "model/names.h"
#include "sink/json_event.h"
#include "sink/json_put.h"
#include "sink/slow.h"

/* The event of a step that has not ended is what a survey told: said in a transition's words. */
static struct transition_record as_transition(const struct slow_step *step)
{
	const struct living_record *living = step->event->living;

	return (struct transition_record){
		.head = { .flags = TRANSITION_HAS_RUN },
		.gen = living->gen,
		.id = living->id,
		.run_ns = step->run_ns,
		.seq = living->seq,
		.kind = living->kind,
		.from = STATE_RUNNING,
		.to = STATE_NONE,
	};
}

static void put_place(struct writer *writer, const struct slow_place *place)
{
	json_put_number(writer, "{\"id\":", place->id, !place->id);
	writer_printf(writer, ",\"gen\":\"0x%llx\",\"kind\":\"%s\",\"qualname\":",
		      (unsigned long long)place->gen, name_of_kind(place->kind));
	json_put_string(writer, place->code->qualname);
	writer_puts(writer, ",\"file\":");
	json_put_string(writer, place->code->file);
	json_put_number(writer, ",\"line\":", place->line, !place->line);
}

static void put_chain(struct writer *writer, const struct slow_place *at, size_t count)
{
	writer_puts(writer, ",\"chain\":[");
	for (size_t i = 0; i < count; i++) {
		writer_puts(writer, i ? "," : "");
		put_place(writer, &at[i]);
		writer_puts(writer, "}");
	}
	writer_puts(writer, "]");
}

static void put_inner(struct writer *writer, const struct slow_step *step)
{
	writer_puts(writer, ",\"inner\":[");
	for (size_t i = 0; i < step->inner_count; i++) {
		const struct slow_place *place = &step->inner[i];

		writer_puts(writer, i ? "," : "");
		put_place(writer, place);
		json_put_number(writer, ",\"run_ns\":", place->run_ns, false);
		writer_printf(writer, ",\"to\":\"%s\"}", name_of_state(place->kind, place->to));
	}
	json_put_number(writer, "],\"inner_left_out\":", step->inner_left, false);
}

static void put_reason(struct writer *writer, const struct reason *reason)
{
	static const char *const types[] = {
		[EVENT_GC] = "gc", [EVENT_IMPORT] = "import", [EVENT_AUDIT] = "audit"
	};

	writer_printf(writer, "{\"type\":\"%s\",\"name\":", types[reason->type]);
	if (reason->type != EVENT_GC)
		json_put_string(writer, reason->name);
	else if (reason->generation >= 0)
		writer_printf(writer, "\"generation %d\"", reason->generation);
	else
		writer_puts(writer, "\"generation unknown\"");
	if (reason->type == EVENT_GC) {
		json_put_number(writer, ",\"generation\":", (uint64_t)reason->generation,
				reason->generation < 0);
		json_put_number(writer, ",\"collected\":", (uint64_t)reason->value, false);
	}
	json_put_number(writer, ",\"ns\":", reason->ns, !reason->has_ns);
	json_put_number(writer, ",\"at_ns\":", reason->at_ns, false);
	json_put_number(writer, ",\"count\":", reason->count, false);
	writer_puts(writer, "}");
}

static void put_reasons(struct writer *writer, const struct reasons *reasons)
{
	writer_puts(writer, ",\"reasons\":[");
	for (size_t i = 0; i < reasons->count; i++) {
		writer_puts(writer, i ? "," : "");
		put_reason(writer, &reasons->at[i]);
	}
	json_put_number(writer, "],\"reasons_left_out\":", reasons->left, false);
	writer_puts(writer, reasons->forgotten ? ",\"reasons_forgotten\":true" :
						 ",\"reasons_forgotten\":false");
	json_put_number(writer, ",\"gc_ns\":", reasons->gc_ns, false);
	json_put_number(writer, ",\"import_ns\":", reasons->import_ns, false);
}

void slow_json_step(struct sink *sink, const struct slow_step *step, const char *thread)
{
	struct writer *writer = sink->writer;
	struct event event = *step->event;
	struct transition_record still;

	if (step->running) {
		still = as_transition(step);
		event.transition = &still;
		event.line = step->chain[0].line;
	}
	writer_puts(writer, "{\"type\":\"slow\",");
	json_put_transition(sink, &event);
	writer_puts(writer, step->running ? ",\"running\":true" : ",\"running\":false");
	writer_puts(writer, step->at_least ? ",\"at_least\":true" : ",\"at_least\":false");
	json_put_number(writer, ",\"begin_ns\":", step->begin_ns, false);
	writer_puts(writer, ",\"thread\":");
	json_put_string_or_null(writer, thread);
	put_chain(writer, step->chain, step->chain_count);
	put_inner(writer, step);
	put_reasons(writer, &step->reasons);
	writer_puts(writer, "}\n");
}

void slow_json_suspect(struct sink *sink, const struct suspect *suspect)
{
	const struct slow_place *self = &suspect->self;
	struct writer *writer = sink->writer;

	writer_printf(writer, "{\"type\":\"%s\",", name_of_suspect(suspect->type));
	json_put_moment(sink, suspect->event);
	writer_printf(writer, ",\"gen\":\"0x%llx\"", (unsigned long long)self->gen);
	json_put_number(writer, ",\"id\":", self->id, false);
	writer_printf(writer, ",\"kind\":\"%s\",", name_of_kind(self->kind));
	json_put_code(writer, self->code);
	json_put_number(writer, ",\"line\":", self->line, !self->line);
	json_put_number(writer, ",\"suspended_ns\":", suspect->suspended_ns,
			!suspect->has_suspended);
	writer_puts(writer, suspect->at_least ? ",\"at_least\":true" : ",\"at_least\":false");
	if (suspect->maker) {
		writer_puts(writer, ",\"created\":{\"qualname\":");
		json_put_string(writer, suspect->maker->qualname);
		writer_puts(writer, ",\"file\":");
		json_put_string(writer, suspect->maker->file);
		json_put_number(writer, ",\"line\":", suspect->maker_line, !suspect->maker_line);
		writer_puts(writer, "}");
	} else {
		writer_puts(writer, ",\"created\":null");
	}
	put_chain(writer, suspect->chain ? suspect->chain : self,
		  suspect->chain ? suspect->chain_count : 1);
	writer_puts(writer, "}\n");
}
