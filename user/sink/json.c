// SPDX-License-Identifier: MIT
/*
 * JSON Lines. Written by hand into the writer's buffer: a line is put together from a few constant
 * pieces, a piece cached with the code object, and numbers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/names.h"
#include "sink/sink.h"

#define SECOND_NS 1000000000ll
#define LINE_BYTES                                                                                 \
	1024 /* a transition without its code's piece: constants and at most 12 numbers */

#define PUT(out, literal) (memcpy(out, literal, sizeof(literal) - 1), (out) + sizeof(literal) - 1)

static char *put_word(char *out, const char *word)
{
	size_t size = strlen(word);

	memcpy(out, word, size);
	return out + size;
}

char *json_escape(char *out, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\') {
			*out++ = '\\';
			*out++ = (char)c;
		} else if (c < 0x20 || c == 0x7f) {
			out += sprintf(out, "\\u%04x", c);
		} else {
			*out++ = (char)c;
		}
	}
	return out;
}

/* "2026-11-22T13:05:21.123456789Z" in quotes; the part up to seconds is kept for its second. */
static char *put_time(struct sink *sink, char *out, uint64_t ts_ns)
{
	int64_t at = (int64_t)ts_ns + sink->realtime_offset_ns;
	time_t second = at / SECOND_NS;
	uint64_t fraction = (uint64_t)(at % SECOND_NS);
	struct tm when;

	if (second != sink->second) {
		gmtime_r(&second, &when);
		strftime(sink->second_text, sizeof(sink->second_text), "\"%Y-%m-%dT%H:%M:%S.",
			 &when);
		sink->second = second;
	}
	out = put_word(out, sink->second_text);
	for (uint64_t digit = 100000000; digit; digit /= 10)
		*out++ = (char)('0' + fraction / digit % 10);
	return PUT(out, "Z\"");
}

/* `"name":"…","qualname":"…","file":"…"`, made once a code object. */
static void make_code_piece(struct code *code)
{
	size_t name = strlen(code->name), qualname = strlen(code->qualname),
	       file = strlen(code->file);
	char *out = malloc(6 * (name + qualname + file) + 64), *start = out;

	if (!out)
		return;
	out = json_escape(PUT(out, "\"name\":\""), code->name, name);
	out = json_escape(PUT(out, "\",\"qualname\":\""), code->qualname, qualname);
	out = json_escape(PUT(out, "\",\"file\":\""), code->file, file);
	out = PUT(out, "\"");
	code->json_size = (size_t)(out - start);
	code->json = start;
}

static void put_code(struct writer *writer, struct code *code)
{
	if (!code->json)
		make_code_piece(code);
	if (code->json)
		writer_put(writer, code->json, code->json_size);
	else
		writer_puts(writer, "\"name\":\"?\",\"qualname\":\"?\",\"file\":\"?\"");
}

static char *put_where(char *out, const struct event *event)
{
	out = put_u64(PUT(out, ",\"pid\":"), event->pid);
	return put_u64(PUT(out, ",\"tid\":"), event->tid);
}

static char *put_state(char *out, uint8_t kind, uint8_t state)
{
	if (state == STATE_NONE)
		return PUT(out, "null");
	*out++ = '"';
	out = put_word(out, name_of_state(kind, state));
	*out++ = '"';
	return out;
}

static char *put_or_null(char *out, bool present, uint64_t value)
{
	return present ? put_u64(out, value) : PUT(out, "null");
}

static void write_transition(struct sink *sink, const struct event *event)
{
	const struct transition_record *t = event->transition;
	char *out = writer_room(sink->writer, LINE_BYTES);

	out = put_u64(PUT(out, "{\"type\":\"transition\",\"ts_ns\":"), event->ts_ns);
	out = put_time(sink, PUT(out, ",\"time\":"), event->ts_ns);
	out = put_where(out, event);
	out = put_hex(PUT(out, ",\"gen\":\"0x"), t->gen);
	out = put_u64(PUT(out, "\",\"id\":"), t->id);
	out = put_u64(PUT(out, ",\"seq\":"), t->seq);
	out = put_word(PUT(out, ",\"kind\":\""), name_of_kind(t->kind));
	out = PUT(out, "\",");
	writer_used(sink->writer, out);
	put_code(sink->writer, event->code);

	out = writer_room(sink->writer, LINE_BYTES);
	out = put_or_null(PUT(out, ",\"line\":"), event->line, event->line);
	out = put_state(PUT(out, ",\"from\":"), t->kind, t->from);
	out = put_state(PUT(out, ",\"to\":"), t->kind, t->to);
	out = put_word(PUT(out, ",\"via\":\""), name_of_via(t->via));
	out = put_or_null(PUT(out, "\",\"run_ns\":"), t->head.flags & TRANSITION_HAS_RUN,
			  t->run_ns);
	out = put_or_null(PUT(out, ",\"suspended_ns\":"), t->head.flags & TRANSITION_HAS_SUSPENDED,
			  t->suspended_ns);
	out = put_or_null(PUT(out, ",\"parent\":"), t->parent, t->parent);
	out = PUT(out, "}\n");
	writer_used(sink->writer, out);
}

static char *put_name(char *out, const char *name)
{
	out = json_escape(PUT(out, ",\"name\":\""), name, strlen(name));
	return PUT(out, "\"");
}

static void write_context(struct sink *sink, const struct event *event)
{
	static const char *const types[] = {
		[EVENT_GC] = "gc", [EVENT_IMPORT] = "import", [EVENT_AUDIT] = "audit"
	};
	char *out = writer_room(sink->writer, LINE_BYTES);

	out = put_word(PUT(out, "{\"type\":\""), types[event->type]);
	out = put_u64(PUT(out, "\",\"ts_ns\":"), event->ts_ns);
	out = put_time(sink, PUT(out, ",\"time\":"), event->ts_ns);
	out = put_where(out, event);
	if (event->type == EVENT_GC) {
		out = put_or_null(PUT(out, ",\"generation\":"), event->generation >= 0,
				  (uint64_t)event->generation);
		out = put_u64(PUT(out, ",\"collected\":"), (uint64_t)event->value);
	} else {
		out = put_name(out, event->name);
	}
	if (event->type == EVENT_IMPORT)
		out = put_word(PUT(out, ",\"found\":"), event->value ? "true" : "false");
	if (event->type != EVENT_AUDIT)
		out = put_or_null(PUT(out, ",\"ns\":"), event->has_ns, event->ns);
	out = PUT(out, "}\n");
	writer_used(sink->writer, out);
}

static void json_begin(struct sink *sink)
{
	(void)sink;
}

static void json_event(struct sink *sink, const struct event *event)
{
	if (event->type == EVENT_TRANSITION)
		write_transition(sink, event);
	else
		write_context(sink, event);
}

static char *put_loss(char *out, const struct loss *loss)
{
	out = put_u64(PUT(out, "\"ring\":"), loss->ring);
	out = put_u64(PUT(out, ",\"map_full\":"), loss->map_full);
	return put_u64(PUT(out, ",\"fault\":"), loss->fault);
}

static void json_lost(struct sink *sink, uint64_t ts_ns, const struct loss *since)
{
	char *out = writer_room(sink->writer, LINE_BYTES);

	out = put_u64(PUT(out, "{\"type\":\"lost\",\"ts_ns\":"), ts_ns);
	out = put_time(sink, PUT(out, ",\"time\":"), ts_ns);
	*out++ = ',';
	out = put_loss(out, since);
	out = PUT(out, "}\n");
	writer_used(sink->writer, out);
}

static void json_end(struct sink *sink, const struct summary *s)
{
	char *out = writer_room(sink->writer, WRITER_ROOM);

	out = put_u64(PUT(out, "{\"type\":\"summary\",\"hits\":"), s->hits);
	out = put_u64(PUT(out, ",\"events\":"), s->events);
	out = put_u64(PUT(out, ",\"filtered\":"), s->filtered);
	out = put_u64(PUT(out, ",\"causes\":"), s->causes);
	out = put_u64(PUT(out, ",\"redundant\":"), s->redundant);
	out = put_u64(PUT(out, ",\"strangers\":"), s->strangers);
	out = put_loss(PUT(out, ",\"lost\":{"), &s->lost);
	out = put_u64(PUT(out, "},\"anomalies\":"), s->anomalies);
	out = put_u64(PUT(out, ",\"stepped_hits\":"), s->stepped_hits);
	out = put_u64(PUT(out, ",\"objects\":"), s->objects);
	out = put_u64(PUT(out, ",\"duration_ns\":"), s->duration_ns);
	out = put_word(PUT(out, ",\"closes\":"), s->closes ? "true" : "false");
	out = json_escape(PUT(out, ",\"coverage\":\""), s->coverage, strlen(s->coverage));
	out = PUT(out, "\"}\n");
	writer_used(sink->writer, out);
}

const struct sink_ops sink_json = {
	.begin = json_begin,
	.event = json_event,
	.lost = json_lost,
	.end = json_end,
};
