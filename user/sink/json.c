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
#include "sink/json_event.h"
#include "sink/sink.h"

#define SECOND_NS  1000000000ll
/* a transition without its code's piece: constants and at most 12 numbers */
#define LINE_BYTES 1024
#define TEXT_PART  1024 /* of a long text that is escaped at once */

#define PUT(out, literal) (memcpy(out, literal, sizeof(literal) - 1), (out) + sizeof(literal) - 1)

static char *put_word(char *out, const char *word)
{
	while (*word)
		*out++ = *word++;
	return out;
}

/* The length of the well-formed UTF-8 sequence at `text`, 0 if it is none (RFC 3629: shortest form, no
 * surrogates, nothing beyond U+10FFFF). */
static size_t utf8_length(const unsigned char *text, size_t left)
{
	unsigned char c = text[0], low = 0x80, high = 0xbf;
	size_t length = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : 4;

	if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || length > left)
		return 0;
	if (c == 0xe0 || c == 0xf0)
		low = c == 0xe0 ? 0xa0 : 0x90;
	if (c == 0xed || c == 0xf4)
		high = c == 0xed ? 0x9f : 0x8f;
	for (size_t i = 1; i < length; i++, low = 0x80, high = 0xbf)
		if (text[i] < low || text[i] > high)
			return 0;
	return length;
}

char *json_escape(char *out, const char *text, size_t size)
{
	const unsigned char *in = (const unsigned char *)text;

	for (size_t i = 0, length; i < size; i += length ? length : 1) {
		length = utf8_length(in + i, size - i);
		if (!length) {
			out = PUT(out, "\xef\xbf\xbd"); /* U+FFFD */
		} else if (in[i] == '"' || in[i] == '\\') {
			*out++ = '\\';
			*out++ = (char)in[i];
		} else if (in[i] < 0x20 || in[i] == 0x7f) {
			out += sprintf(out, "\\u%04x", in[i]);
		} else {
			for (size_t k = 0; k < length; k++)
				*out++ = (char)in[i + k];
		}
	}
	return out;
}

/* "2026-11-22T13:05:21.123456789Z" in quotes; the part up to seconds is kept for its second. */
static char *put_time(struct sink *sink, char *out, uint64_t ts_ns)
{
	uint64_t at =
		ts_ns + (uint64_t)sink->realtime_offset_ns; /* may wrap: then it is nonsense */
	time_t second = (time_t)(at / SECOND_NS);
	uint64_t fraction = at % SECOND_NS;
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

void json_put_code(struct writer *writer, struct code *code)
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

void json_put_moment(struct sink *sink, const struct event *event)
{
	char *out = writer_room(sink->writer, LINE_BYTES);

	out = put_u64(PUT(out, "\"ts_ns\":"), event->ts_ns);
	out = put_time(sink, PUT(out, ",\"time\":"), event->ts_ns);
	writer_used(sink->writer, put_where(out, event));
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

/* As the inside of a JSON string, however long it is. */
static void put_text(struct writer *writer, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		size_t part = left < TEXT_PART ? left : TEXT_PART;

		/* not within a character */
		while (part < left && part > 1 && ((unsigned char)text[part] & 0xc0) == 0x80)
			part--;
		writer_used(writer, json_escape(writer_room(writer, 6 * part), text, part));
		text += part;
		left -= part;
	}
}

static void put_local(struct writer *writer, const struct local *local)
{
	writer_puts(writer, "\"");
	put_text(writer, local->name);
	writer_puts(writer, "\":{\"type\":\"");
	put_text(writer, local->type);
	writer_puts(writer, "\"");
	if (local->redacted) {
		writer_puts(writer, ",\"redacted\":true");
	} else {
		writer_puts(writer, ",\"repr\":\"");
		put_text(writer, local->repr);
		writer_puts(writer, "\"");
	}
	writer_puts(writer, local->truncated ? ",\"truncated\":true}" : "}");
}

/* An object, also an empty one as inspect has it of what is closed; null where they are not known. */
static void put_locals(struct writer *writer, const struct event *event)
{
	const struct local_list *locals = event->locals;

	if (event->locals_state == EVENT_LOCALS_OFF)
		return;
	if (event->locals_state != EVENT_LOCALS_SHOWN) {
		writer_puts(writer, event->locals_state == EVENT_LOCALS_NONE ? ",\"locals\":{}" :
									       ",\"locals\":null");
		if (event->locals_state == EVENT_LOCALS_LOST)
			writer_puts(writer, ",\"locals_lost\":true");
		return;
	}
	writer_puts(writer, ",\"locals\":{");
	for (size_t i = 0; i < locals->count; i++) {
		if (i)
			writer_puts(writer, ",");
		put_local(writer, &locals->at[i]);
	}
	writer_puts(writer, locals->truncated ? "},\"locals_truncated\":true" : "}");
}

void json_put_transition(struct sink *sink, const struct event *event)
{
	const struct transition_record *t = event->transition;
	char *out = writer_room(sink->writer, LINE_BYTES);

	out = put_u64(PUT(out, "\"ts_ns\":"), event->ts_ns);
	out = put_time(sink, PUT(out, ",\"time\":"), event->ts_ns);
	out = put_where(out, event);
	out = put_hex(PUT(out, ",\"gen\":\"0x"), t->gen);
	out = put_u64(PUT(out, "\",\"id\":"), t->id);
	out = put_u64(PUT(out, ",\"seq\":"), t->seq);
	out = put_word(PUT(out, ",\"kind\":\""), name_of_kind(t->kind));
	out = PUT(out, "\",");
	writer_used(sink->writer, out);
	json_put_code(sink->writer, event->code);

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
	writer_used(sink->writer, out);
	put_locals(sink->writer, event);
}

static void write_transition(struct sink *sink, const struct event *event)
{
	static const char type[] = "{\"type\":\"transition\",";

	writer_put(sink->writer, type, sizeof(type) - 1);
	json_put_transition(sink, event);
	writer_put(sink->writer, "}\n", 2);
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

static void json_duty(struct sink *sink, uint64_t ts_ns, uint64_t took_ns, bool on, bool outermost)
{
	char *out = writer_room(sink->writer, LINE_BYTES);

	out = put_u64(PUT(out, "{\"type\":\"duty\",\"ts_ns\":"), ts_ns);
	out = put_time(sink, PUT(out, ",\"time\":"), ts_ns);
	out = put_word(PUT(out, ",\"probes\":"), on ? "true" : "false");
	out = put_word(PUT(out, ",\"outermost\":"), outermost ? "true" : "false");
	out = put_u64(PUT(out, ",\"took_ns\":"), took_ns);
	out = PUT(out, "}\n");
	writer_used(sink->writer, out);
}

static char *put_locals_counts(char *out, const struct locals_counts *counts)
{
	if (!counts->asked)
		return out;
	out = put_u64(PUT(out, ",\"locals\":{\"captured\":"), counts->captured);
	out = put_u64(PUT(out, ",\"truncated\":"), counts->truncated);
	out = put_u64(PUT(out, ",\"lost\":"), counts->lost);
	out = put_u64(PUT(out, ",\"sampled_out\":"), counts->sampled_out);
	return PUT(out, "}");
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
	out = put_u64(PUT(out, ",\"seeded\":"), s->seeded);
	out = put_u64(PUT(out, ",\"reconciled\":"), s->reconciled);
	out = put_u64(PUT(out, ",\"disagreements\":"), s->disagreements);
	out = put_u64(PUT(out, ",\"duration_ns\":"), s->duration_ns);
	out += sprintf(out, ",\"duty_ratio\":%.4f,\"outermost_ratio\":%.4f", s->duty_ratio,
		       s->outermost_ratio);
	out = put_word(PUT(out, ",\"closes\":"), s->closes ? "true" : "false");
	out = put_locals_counts(out, &s->locals);
	out = json_escape(PUT(out, ",\"coverage\":\""), s->coverage, strlen(s->coverage));
	out = PUT(out, "\"}\n");
	writer_used(sink->writer, out);
}

const struct sink_ops sink_json = {
	.begin = json_begin,
	.event = json_event,
	.lost = json_lost,
	.duty = json_duty,
	.end = json_end,
};
