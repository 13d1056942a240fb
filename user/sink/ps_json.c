// SPDX-License-Identifier: MIT
/*
 * `ps --json`: contract.md's lines of type "object", "group" and "summary". What a code object contributes to
 * a line is kept for the next one: a leak is a million objects of one function.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/names.h"
#include "sink/json_put.h"
#include "sink/ps.h"
#include "sink/sink.h"

#define LINE_BYTES 1024 /* the beginning of a line: constants and four numbers or words */
#define CODES      1024 /* a power of two */

#define PUT(out, literal) (memcpy(out, literal, sizeof(literal) - 1), (out) + sizeof(literal) - 1)

struct code_piece {
	const struct code_object *code;
	char *json;
	size_t size;
};

struct json {
	const struct ps_view *view;
	const struct snapshot *snapshot;
	struct writer *writer;
	struct code_piece pieces[CODES];
};

/* --- pieces ---------------------------------------------------------------------------------------- */

static void put_gen(struct writer *writer, uint64_t gen)
{
	char *out = writer_room(writer, 32);

	out = put_hex(PUT(out, "\"0x"), gen);
	writer_used(writer, PUT(out, "\""));
}

static void put_names(struct writer *writer, const char *name, const char *qualname,
		      const char *file)
{
	writer_puts(writer, ",\"name\":");
	json_put_string(writer, name);
	writer_puts(writer, ",\"qualname\":");
	json_put_string(writer, qualname);
	writer_puts(writer, ",\"file\":");
	json_put_string(writer, file);
}

static char *put_text(char *out, const char *before, const char *text)
{
	return json_escape(stpcpy(out, before), text, strlen(text));
}

/* `,"name":…,"firstlineno":…`, made when it is first needed or another one has taken its place. */
static int make_piece(struct code_piece *piece, const struct code_object *code)
{
	size_t size = strlen(code->name) + strlen(code->qualname) + strlen(code->file);
	char *json = malloc(6 * size + 128), *out = json;

	if (!json)
		return -ENOMEM;
	out = put_text(out, ",\"name\":\"", code->name);
	out = put_text(out, "\",\"qualname\":\"", code->qualname);
	out = put_text(out, "\",\"file\":\"", code->file);
	out = put_u64(PUT(out, "\",\"firstlineno\":"), code->first_line);
	free(piece->json);
	piece->code = code;
	piece->json = json;
	piece->size = (size_t)(out - json);
	return 0;
}

static int put_code(struct json *json, const struct code_object *code)
{
	struct code_piece *piece = &json->pieces[((uintptr_t)code >> 4) & (CODES - 1)];

	if (piece->code != code && make_piece(piece, code))
		return -ENOMEM;
	writer_put(json->writer, piece->json, piece->size);
	return 0;
}

/* --- objects --------------------------------------------------------------------------------------- */

/* `{"type":…,"repr":…}`; of a task also the coroutine it drives. */
static void put_awaited(struct json *json, const struct snapshot_object *object)
{
	const struct snapshot *snapshot = json->snapshot;
	bool is_task = object->awaits_kind == AWAITS_TASK && object->awaits < snapshot->task_count;
	uint32_t coroutine = is_task ? snapshot->tasks[object->awaits].coroutine : SNAPSHOT_NONE;
	char repr[SNAPSHOT_REPR_SIZE];

	writer_puts(json->writer, "{\"type\":");
	json_put_string_or_null(json->writer, object->awaits_class);
	writer_puts(json->writer, ",\"repr\":");
	json_put_string(json->writer, snapshot_awaits_repr(snapshot, object, repr, sizeof(repr)));
	if (coroutine < snapshot->object_count) {
		writer_puts(json->writer, ",\"gen\":");
		put_gen(json->writer, snapshot->objects[coroutine].gen);
	}
	writer_puts(json->writer, "}");
}

static void put_gen_of(struct json *json, uint32_t index)
{
	if (index < json->snapshot->object_count)
		put_gen(json->writer, json->snapshot->objects[index].gen);
	else
		writer_puts(json->writer, "null");
}

static void put_links(struct json *json, const struct snapshot_object *object)
{
	const struct snapshot *snapshot = json->snapshot;

	writer_puts(json->writer, ",\"awaiting\":");
	if (object->awaits_kind == AWAITS_NOTHING)
		writer_puts(json->writer, "null");
	else if (object->awaits_kind == AWAITS_OBJECT && object->awaits < snapshot->object_count)
		put_gen_of(json, object->awaits);
	else
		put_awaited(json, object);
	writer_puts(json->writer, ",\"awaited_by\":");
	put_gen_of(json, object->awaited_by);
	writer_puts(json->writer, ",\"task\":");
	json_put_string_or_null(json->writer, object->task < snapshot->task_count ?
						      snapshot->tasks[object->task].name :
						      NULL);
}

static void put_thread(struct json *json, const struct snapshot_object *object)
{
	const struct ps_view *view = json->view;

	writer_puts(json->writer, ",\"thread\":");
	json_put_string_or_null(json->writer, object->tid && view->thread_name ?
						      view->thread_name(view->ctx, object->tid) :
						      NULL);
}

static void put_locals(struct json *json, const struct local_list *locals)
{
	writer_puts(json->writer, ",\"locals\":{");
	for (size_t i = 0; i < locals->count; i++) {
		const struct local *local = &locals->at[i];

		writer_puts(json->writer, i ? "," : "");
		json_put_string(json->writer, local->name);
		writer_puts(json->writer, ":{\"type\":");
		json_put_string_or_null(json->writer, local->type);
		if (local->redacted || !local->repr) {
			writer_puts(json->writer, ",\"redacted\":true");
		} else {
			writer_puts(json->writer, ",\"repr\":");
			json_put_string(json->writer, local->repr);
		}
		writer_puts(json->writer, local->truncated ? ",\"truncated\":true}" : "}");
	}
	writer_puts(json->writer, locals->truncated ? "},\"locals_truncated\":true" : "}");
}

static int put_object(struct json *json, uint32_t index)
{
	const struct snapshot_object *object = &json->snapshot->objects[index];
	char *out = writer_room(json->writer, LINE_BYTES);

	out = put_u64(PUT(out, "{\"type\":\"object\",\"pid\":"), (uint64_t)json->view->pid);
	out = stpcpy(PUT(out, ",\"kind\":\""), name_of_kind(object->kind));
	out = stpcpy(PUT(out, "\",\"state\":\""), name_of_state(object->kind, object->state));
	out = put_hex(PUT(out, "\",\"gen\":\"0x"), object->gen);
	out = put_u64(PUT(out, "\",\"id\":"), index + 1ull);
	writer_used(json->writer, out);
	if (put_code(json, object->code))
		return -ENOMEM;
	json_put_number(json->writer, ",\"line\":", object->line, !object->line);
	put_links(json, object);
	put_thread(json, object);
	writer_puts(json->writer, ",\"age_ns\":null"); /* no snapshot sees a birth */
	if (object->locals)
		put_locals(json, object->locals);
	writer_puts(json->writer, "}\n");
	return 0;
}

int ps_json(const struct ps_view *view, const struct snapshot *snapshot,
	    const struct selection *selection, struct ps_totals *totals)
{
	struct json *json = calloc(1, sizeof(*json));
	int err = 0;

	if (!json)
		return -ENOMEM;
	json->view = view;
	json->snapshot = snapshot;
	json->writer = view->writer;
	for (uint32_t i = 0; i < snapshot->object_count && !err; i++) {
		bool shown = selection_has(selection, &snapshot->objects[i]);

		ps_totals_add(totals, &snapshot->objects[i], shown);
		if (shown)
			err = put_object(json, i);
	}
	for (size_t i = 0; i < CODES; i++)
		free(json->pieces[i].json);
	free(json);
	return err;
}

/* --- groups and the summary ------------------------------------------------------------------------ */

int ps_group_json(const struct ps_view *view, struct group_table *groups)
{
	struct writer *writer = view->writer;
	size_t count;
	const struct group *group = group_table_sorted(groups, &count);

	if (!group)
		return -ENOMEM;
	for (const struct group *end = group + count; group < end; group++) {
		json_put_number(writer, "{\"type\":\"group\",\"pid\":", (uint64_t)view->pid, false);
		json_put_number(writer, ",\"count\":", group->count, false);
		writer_printf(writer, ",\"kind\":\"%s\",\"state\":\"%s\"",
			      name_of_kind(group->kind), name_of_state(group->kind, group->state));
		put_names(writer, group->name, group->qualname, group->file);
		json_put_number(writer, ",\"firstlineno\":", group->first_line, false);
		json_put_number(writer, ",\"line\":", group->line, !group->line);
		writer_puts(writer, ",\"awaiting\":");
		json_put_string_or_null(writer, group->awaits);
		writer_puts(writer, "}\n");
	}
	return 0;
}

static void put_states(struct writer *writer, const struct ps_totals *totals)
{
	const char *between = "";

	writer_puts(writer, ",\"by_state\":{");
	for (unsigned kind = KIND_GENERATOR; kind < KIND_COUNT; kind++) {
		for (unsigned state = STATE_CREATED; state < STATE_COUNT; state++) {
			writer_printf(writer, "%s\"%s\":%llu", between,
				      name_of_state((uint8_t)kind, (uint8_t)state),
				      (unsigned long long)totals->by_state[kind][state]);
			between = ",";
		}
	}
	writer_puts(writer, "}");
}

void ps_summary_json(const struct ps_view *view, const struct snapshot *snapshot,
		     const struct ps_totals *totals)
{
	const struct snapshot_counts *counts = &snapshot->counts;
	struct writer *writer = view->writer;

	json_put_number(writer, "{\"type\":\"summary\",\"pid\":", (uint64_t)view->pid, false);
	json_put_number(writer, ",\"objects\":", totals->objects, false);
	json_put_number(writer, ",\"shown\":", totals->shown, false);
	json_put_number(writer, ",\"tasks\":", snapshot->task_count, totals->streamed);
	put_states(writer, totals);
	json_put_number(writer, ",\"interpreters\":", counts->heap.interpreters, false);
	json_put_number(writer, ",\"unreadable\":", counts->unreadable, false);
	json_put_number(writer, ",\"retries\":", counts->retries + counts->heap.retries, false);
	json_put_number(writer, ",\"broken_lists\":", counts->heap.broken, false);
	json_put_number(writer, ",\"bytes_read\":", counts->memory_bytes, false);
	json_put_number(writer, ",\"duration_ns\":", counts->duration_ns, false);
	json_put_number(writer, ",\"frozen_ns\":", view->frozen_ns, !view->frozen);
	writer_puts(writer, "}\n");
}
