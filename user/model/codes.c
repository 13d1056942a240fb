// SPDX-License-Identifier: MIT
#include "model/codes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"
#include "python/linetable.h"
#include "python/text.h"

#define ID_MAX         (1u << 24) /* far more code objects than a program has */
#define LINE_BYTES_MAX (LINES_PIECES_MAX * LINES_BYTES_LARGE)

struct codes {
	struct code **by_id;
	size_t room;
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

void codes_free(struct codes *codes)
{
	if (!codes)
		return;
	for (size_t i = 0; i < codes->room; i++)
		code_free(codes->by_id[i]);
	free(codes->by_id);
	free(codes->unknown.json);
	free(codes);
}

static int make_room(struct codes *codes, uint32_t id)
{
	size_t room = codes->room ? codes->room : 256;
	struct code **grown;

	if (!id || id >= ID_MAX)
		return -EINVAL;
	if (id < codes->room)
		return 0;
	while (room <= id)
		room *= 2;
	grown = realloc(codes->by_id, room * sizeof(struct code *));
	if (!grown)
		return -ENOMEM;
	for (size_t i = codes->room; i < room; i++)
		grown[i] = NULL;
	codes->by_id = grown;
	codes->room = room;
	return 0;
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
	int err = make_room(codes, record->code);

	if (err)
		return err;
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
	code->replaced = codes->by_id[code->id];
	codes->by_id[code->id] = code;
	return 0;
}

int codes_add_lines(struct codes *codes, const struct lines_record *record, size_t data_bytes)
{
	struct code *code = record->code < codes->room ? codes->by_id[record->code] : NULL;
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
	for (size_t id = 0; id < codes->room; id++) {
		if (!codes->by_id[id] || codes->by_id[id]->process_hint != pid)
			continue;
		code_free(codes->by_id[id]);
		codes->by_id[id] = NULL;
	}
}

struct code *codes_find(struct codes *codes, uint32_t id)
{
	if (id < codes->room && codes->by_id[id])
		return codes->by_id[id];
	return &codes->unknown;
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
