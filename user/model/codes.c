// SPDX-License-Identifier: MIT
#include "model/codes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"
#include "model/by_id.h"
#include "python/linetable.h"
#include "python/text.h"

#define LINE_BYTES_MAX (LINES_PIECES_MAX * LINES_BYTES_LARGE)

struct codes {
	struct by_id table;
	struct code unknown;
};

static char unknown_name[] = "?";

int codes_new(struct codes **out)
{
	struct codes *codes = calloc(1, sizeof(*codes));

	if (!codes)
		return -ENOMEM;
	codes->unknown.name = codes->unknown.qualname = codes->unknown.file = unknown_name;
	codes->unknown.wanted = true;
	codes->unknown.cached_instruction = NO_INSTRUCTION;
	*out = codes;
	return 0;
}

static void code_free(struct code *code)
{
	while (code) {
		struct code *replaced = code->replaced;

		free(code->name);
		free(code->qualname);
		free(code->file);
		free(code->lines);
		free(code->json);
		free(code);
		code = replaced;
	}
}

/* Those of a process; without one all. */
static bool goes(void *ctx, uint32_t id, void *value)
{
	const uint32_t *pid = ctx;
	struct code *code = value;

	(void)id;
	if (pid && code->process_hint != *pid)
		return false;
	code_free(code);
	return true;
}

void codes_free(struct codes *codes)
{
	if (!codes)
		return;
	by_id_filter(&codes->table, goes, NULL);
	by_id_free(&codes->table);
	free(codes->unknown.json);
	free(codes);
}

static uint8_t kind_of_flags(uint32_t flags)
{
	if (flags & CODE_COROUTINE)
		return KIND_COROUTINE;
	if (flags & CODE_ASYNC_GENERATOR)
		return KIND_ASYNC_GENERATOR;
	return flags & CODE_GENERATOR ? KIND_GENERATOR : KIND_NONE;
}

int codes_add(struct codes *codes, const struct code_record *record)
{
	struct code *code;

	if (!record->code)
		return -EINVAL;
	code = calloc(1, sizeof(*code));
	if (!code)
		return -ENOMEM;
	code->id = record->code;
	code->first_line = record->first_line;
	code->process_hint = record->head.pid;
	code->address = record->address;
	code->kind = kind_of_flags(record->code_flags);
	code->wanted = true;
	code->cached_instruction = NO_INSTRUCTION;
	code->name = text_to_utf8(&record->name_text, record->name, NAME_BYTES);
	code->qualname = text_to_utf8(&record->qualname_text, record->qualname, NAME_BYTES);
	code->file = text_to_utf8(&record->filename_text, record->filename, FILENAME_BYTES);
	code->line_bytes =
		record->line_bytes < LINE_BYTES_MAX ? record->line_bytes : LINE_BYTES_MAX;
	code->lines = calloc(1, code->line_bytes + 1);
	if (!code->name || !code->qualname || !code->file || !code->lines) {
		code_free(code);
		return -ENOMEM;
	}
	code->replaced = by_id_get(&codes->table, code->id);
	if (by_id_put(&codes->table, code->id, code)) {
		code->replaced = NULL;
		code_free(code);
		return -ENOMEM;
	}
	return 0;
}

int codes_add_lines(struct codes *codes, const struct lines_record *record, size_t data_bytes)
{
	struct code *code = by_id_get(&codes->table, record->code);
	size_t bytes = record->bytes;

	if (!code || bytes > data_bytes || record->offset > code->line_bytes)
		return -EINVAL;
	if (bytes > code->line_bytes - record->offset)
		bytes = code->line_bytes - record->offset;
	memcpy(code->lines + record->offset, record->data, bytes);
	if (record->offset == code->lines_have) /* a gap, or nothing after it, is believed */
		code->lines_have += bytes;
	code->cached_instruction = NO_INSTRUCTION;
	return 0;
}

void codes_forget(struct codes *codes, uint32_t pid)
{
	by_id_filter(&codes->table, goes, &pid);
}

struct code *codes_find(struct codes *codes, uint32_t id)
{
	struct code *code = by_id_get(&codes->table, id);

	return code ? code : &codes->unknown;
}

uint32_t code_line(struct code *code, uint32_t instruction)
{
	if (instruction == NO_INSTRUCTION || !code->lines)
		return 0;
	if (instruction != code->cached_instruction) {
		code->cached_line = linetable_line(code->lines, code->lines_have, code->first_line,
						   instruction);
		code->cached_instruction = instruction;
	}
	return code->cached_line;
}
