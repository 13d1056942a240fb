// SPDX-License-Identifier: MIT
#include "model/stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "python/text.h"

#define OPEN_MAX 64 /* collections and imports under way at once: threads times import depth */

/* A gc or import that has begun. */
struct open_span {
	uint32_t tid;
	uint32_t event;
	uint64_t ts_ns;
	int64_t value;
	char name[CONTEXT_NAME_BYTES];
};

struct stream {
	struct stream_callbacks callbacks;
	struct stream_counts counts;
	struct codes *codes;
	struct captured *captured; /* NULL: no locals */
	struct open_span open[OPEN_MAX];
	size_t open_count;
};

int stream_new(const struct stream_callbacks *callbacks, struct stream **out)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	int err;

	if (!stream)
		return -ENOMEM;
	stream->callbacks = *callbacks;
	err = codes_new(&stream->codes);
	if (!err && callbacks->locals)
		err = captured_new(callbacks->locals, &stream->captured);
	if (err) {
		stream_free(stream);
		return err;
	}
	stream->callbacks.locals = NULL;
	*out = stream;
	return 0;
}

void stream_free(struct stream *stream)
{
	if (!stream)
		return;
	captured_free(stream->captured);
	codes_free(stream->codes);
	free(stream);
}

const struct stream_counts *stream_counts(const struct stream *stream)
{
	return &stream->counts;
}

static int bad(struct stream *stream)
{
	stream->counts.bad++;
	return 0;
}

void stream_forget_codes(struct stream *stream, uint32_t pid)
{
	codes_forget(stream->codes, pid);
}

static bool is_truncated(const struct local_list *locals)
{
	bool truncated = locals->truncated;

	for (size_t i = 0; i < locals->count; i++)
		truncated |= locals->at[i].truncated;
	return truncated;
}

static void find_locals(struct stream *stream, struct event *event)
{
	const struct transition_record *t = event->transition;

	if (!stream->captured)
		return;
	event->locals = captured_take(stream->captured, t);
	if (t->to == STATE_CLOSED || t->to == STATE_NONE) {
		event->locals = NULL;
		event->locals_state = t->to == STATE_NONE ? EVENT_LOCALS_FREED : EVENT_LOCALS_NONE;
	} else if (event->locals) {
		event->locals_state = EVENT_LOCALS_SHOWN;
		stream->counts.locals_captured++;
		stream->counts.locals_truncated += is_truncated(event->locals);
	} else if (t->head.flags & (TRANSITION_LOCALS | TRANSITION_LOCALS_LOST)) {
		event->locals_state = EVENT_LOCALS_LOST;
		stream->counts.locals_lost++;
	} else {
		event->locals_state = EVENT_LOCALS_SKIPPED;
		stream->counts.locals_skipped++;
	}
}

static void find_maker(const struct stream *stream, struct event *event, uint32_t code,
		       uint32_t instruction)
{
	if (!code)
		return;
	event->maker = codes_find(stream->codes, code);
	event->maker_line = code_line(event->maker, instruction);
}

static int feed_living(struct stream *stream, const struct living_record *record)
{
	struct event event = { .type = EVENT_LIVING,
			       .living = record,
			       .ts_ns = record->head.ts_ns,
			       .pid = record->head.pid,
			       .tid = record->head.tid };

	stream->counts.living++; /* in any case: it tells whether all that a survey sent is here */
	if (record->kind == KIND_NONE || record->kind >= KIND_COUNT ||
	    record->state >= STATE_COUNT || record->frame >= STATE_COUNT)
		return bad(stream);
	event.code = codes_find(stream->codes, record->code);
	event.line = code_line(event.code, record->instruction);
	find_maker(stream, &event, record->maker_code, record->maker_instruction);
	return stream->callbacks.event(stream->callbacks.ctx, &event);
}

static int feed_transition(struct stream *stream, const struct transition_record *record)
{
	struct event event = { .type = EVENT_TRANSITION, .transition = record };

	if (record->kind == KIND_NONE || record->kind >= KIND_COUNT ||
	    record->from >= STATE_COUNT || record->to >= STATE_COUNT || record->via >= VIA_COUNT)
		return bad(stream);
	event.code = codes_find(stream->codes, record->code);
	if (!event.code->wanted) { /* it came before BPF had the verdict */
		stream->counts.filtered++;
		return 0;
	}
	event.ts_ns = record->head.ts_ns;
	event.pid = record->head.pid;
	event.tid = record->head.tid;
	event.line = code_line(event.code, record->instruction);
	find_maker(stream, &event, record->maker_code, record->maker_instruction);
	find_locals(stream, &event);
	stream->counts.transitions++;
	return stream->callbacks.event(stream->callbacks.ctx, &event);
}

static int feed_code(struct stream *stream, const struct code_record *record)
{
	struct code *code;
	int err = codes_add(stream->codes, record);

	if (err == -EINVAL)
		return bad(stream);
	if (err || !stream->callbacks.wanted)
		return err;
	code = codes_find(stream->codes, record->code);
	code->wanted = stream->callbacks.wanted(stream->callbacks.ctx, code);
	if (stream->callbacks.verdict)
		stream->callbacks.verdict(stream->callbacks.ctx, record, code->wanted);
	return 0;
}

static void open_span(struct stream *stream, const struct context_record *record)
{
	struct open_span *span;

	if (stream->open_count == OPEN_MAX) /* ends were lost: forget the oldest */
		memmove(stream->open, stream->open + 1,
			--stream->open_count * sizeof(stream->open[0]));
	span = &stream->open[stream->open_count++];
	span->tid = record->head.tid;
	span->event = record->event;
	span->ts_ns = record->head.ts_ns;
	span->value = record->value;
	memcpy(span->name, record->name, sizeof(span->name));
}

/* The innermost one of that thread, taken out. */
static bool close_span(struct stream *stream, const struct context_record *record, uint32_t event,
		       struct open_span *out)
{
	for (size_t i = stream->open_count; i-- > 0;) {
		struct open_span *span = &stream->open[i];

		if (span->tid != record->head.tid || span->event != event)
			continue;
		*out = *span;
		memmove(span, span + 1, (--stream->open_count - i) * sizeof(*span));
		return true;
	}
	return false;
}

static int feed_context(struct stream *stream, const struct context_record *record)
{
	struct event event = { .ts_ns = record->head.ts_ns,
			       .pid = record->head.pid,
			       .tid = record->head.tid,
			       .name = record->name,
			       .value = record->value };
	struct open_span span = {};

	if (!memchr(record->name, 0, sizeof(record->name)))
		return bad(stream);
	switch (record->event) {
	case CONTEXT_GC_START:
	case CONTEXT_IMPORT_START:
		open_span(stream, record);
		return 0;
	case CONTEXT_GC_DONE:
		event.type = EVENT_GC;
		event.has_ns = close_span(stream, record, CONTEXT_GC_START, &span);
		event.generation = event.has_ns ? (int)span.value : -1;
		break;
	case CONTEXT_IMPORT_DONE:
		event.type = EVENT_IMPORT;
		event.has_ns = close_span(stream, record, CONTEXT_IMPORT_START, &span);
		break;
	case CONTEXT_AUDIT:
		event.type = EVENT_AUDIT;
		break;
	default:
		return bad(stream);
	}
	event.ns = event.has_ns ? event.ts_ns - span.ts_ns : 0;
	stream->counts.contexts++;
	return stream->callbacks.event(stream->callbacks.ctx, &event);
}

/* The session has acted on it. */
static int feed_process(struct stream *stream, const struct process_record *record)
{
	if (record->event < PROCESS_FORK || record->event > PROCESS_SEEN)
		return bad(stream);
	if (stream->captured && (record->event == PROCESS_EXIT || record->event == PROCESS_EXEC))
		captured_forget(stream->captured, record->head.pid);
	return 0;
}

static int feed_task(struct stream *stream, const struct task_record *record)
{
	char number[32], *name;

	if (!stream->callbacks.task)
		return 0;
	if (record->number) {
		snprintf(number, sizeof(number), "Task-%llu", (unsigned long long)record->number);
		stream->callbacks.task(stream->callbacks.ctx, record->row, number);
		return 0;
	}
	name = text_to_utf8(&record->name_text, record->name, sizeof(record->name));
	if (!name)
		return -ENOMEM;
	stream->callbacks.task(stream->callbacks.ctx, record->row, name);
	free(name);
	return 0;
}

static int feed_captured(struct stream *stream, const struct captured_record *record)
{
	int err;

	if (!stream->captured || record->head.size < sizeof(*record))
		return bad(stream);
	err = captured_add(stream->captured, record, record->head.size);
	return err == -ENOMEM ? err : err ? bad(stream) : 0;
}

int stream_feed(struct stream *stream, const void *bytes, size_t size)
{
	const struct record_head *head = bytes;

	if (size < sizeof(*head) || head->size > size || head->size < sizeof(*head))
		return bad(stream);
	switch (head->type) {
	case RECORD_TRANSITION:
		return head->size == sizeof(struct transition_record) ?
			       feed_transition(stream, bytes) :
			       bad(stream);
	case RECORD_CODE:
		return head->size == sizeof(struct code_record) ? feed_code(stream, bytes) :
								  bad(stream);
	case RECORD_LINES:
		if (head->size < sizeof(struct lines_record) ||
		    codes_add_lines(stream->codes, bytes, head->size - sizeof(struct lines_record)))
			return bad(stream);
		return 0;
	case RECORD_LOCALS:
	case RECORD_VARIABLES:
		return feed_captured(stream, bytes);
	case RECORD_TASK:
		return head->size == sizeof(struct task_record) ? feed_task(stream, bytes) :
								  bad(stream);
	case RECORD_LIVING:
		return head->size == sizeof(struct living_record) ? feed_living(stream, bytes) :
								    bad(stream);
	case RECORD_CONTEXT:
		return head->size == sizeof(struct context_record) ? feed_context(stream, bytes) :
								     bad(stream);
	case RECORD_PROCESS:
		return head->size == sizeof(struct process_record) ? feed_process(stream, bytes) :
								     bad(stream);
	}
	return bad(stream);
}
