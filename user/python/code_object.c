// SPDX-License-Identifier: MIT
#include "python/code_object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "python/linetable.h"
#include "python/value.h"
#include "target/hash.h"

#define NAME_CHARS    255 /* as BPF cuts them */
#define FILE_CHARS    511
#define LINES_MAX     (1 << 22) /* bytes of a line table that are believed */
#define VARIABLES_MAX 65536
#define FIRST_SLOTS   256

struct code_objects {
	struct code_object **slots; /* open addressing by address */
	size_t slot_count, count;
};

int code_objects_new(struct code_objects **out)
{
	struct code_objects *codes = calloc(1, sizeof(*codes));

	if (codes)
		codes->slots = calloc(FIRST_SLOTS, sizeof(struct code_object *));
	if (!codes || !codes->slots) {
		free(codes);
		return -ENOMEM;
	}
	codes->slot_count = FIRST_SLOTS;
	*out = codes;
	return 0;
}

static void drop_variables(struct code_object *code)
{
	for (uint32_t i = 0; code->variables && i < code->variable_count; i++)
		free(code->variables[i]);
	free(code->variables);
	free(code->variable_kinds);
	code->variables = NULL;
	code->variable_kinds = NULL;
	code->variable_count = 0;
}

static void code_free(struct code_object *code)
{
	drop_variables(code);
	free(code->name);
	free(code->qualname);
	free(code->file);
	free(code->lines);
	free(code);
}

void code_objects_free(struct code_objects *codes)
{
	if (!codes)
		return;
	for (size_t i = 0; i < codes->slot_count; i++) {
		while (codes->slots[i]) {
			struct code_object *replaced = codes->slots[i]->replaced;

			code_free(codes->slots[i]);
			codes->slots[i] = replaced;
		}
	}
	free(codes->slots);
	free(codes);
}

static size_t slot_of(uint64_t address, size_t count)
{
	return hash_address(address) & (count - 1);
}

static struct code_object **find_slot(struct code_object **slots, size_t count, uint64_t address)
{
	size_t slot = slot_of(address, count);

	while (slots[slot] && slots[slot]->address != address)
		slot = (slot + 1) & (count - 1);
	return &slots[slot];
}

static int grow(struct code_objects *codes)
{
	size_t count = codes->slot_count * 2;
	struct code_object **slots = calloc(count, sizeof(struct code_object *));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < codes->slot_count; i++)
		if (codes->slots[i])
			*find_slot(slots, count, codes->slots[i]->address) = codes->slots[i];
	free(codes->slots);
	codes->slots = slots;
	codes->slot_count = count;
	return 0;
}

static char *read_text(struct remote *remote, uint64_t field, uint32_t max)
{
	struct buffer text = {};

	if (value_text(remote, memory_u64(remote->memory, field), max, &text) || text.failed) {
		free(text.text);
		return NULL;
	}
	return text.text ? text.text : strdup("");
}

/* The line table, a bytes object. */
static int read_lines(struct remote *remote, uint64_t field, struct code_object *code)
{
	uint64_t table, size;

	if (memory_read(remote->memory, field, &table, sizeof(table)) || !table ||
	    memory_read(remote->memory, table + PYVAROBJECT_SIZE, &size, sizeof(size)) ||
	    size > LINES_MAX)
		return -EFAULT;
	code->lines = malloc(size + 1);
	if (!code->lines)
		return -ENOMEM;
	code->line_bytes = size;
	return memory_read(remote->memory, table + BYTES_DATA, code->lines, size);
}

static int read_code(struct remote *remote, struct code_object *code)
{
	const struct layout *layout = &remote->layout;
	uint64_t at = code->address;

	code->name = read_text(remote, at + layout->code_name, NAME_CHARS);
	code->qualname = read_text(remote, at + layout->code_qualname, NAME_CHARS);
	code->file = read_text(remote, at + layout->code_filename, FILE_CHARS);
	if (!code->name || !code->qualname || !code->file)
		return -EFAULT;
	code->first_line = memory_u32(remote->memory, at + layout->code_first_line);
	code->flags = memory_u32(remote->memory, at + layout->code_flags);
	code->cached_instruction = UINT32_MAX;
	return read_lines(remote, at + layout->code_linetable, code);
}

static int read_parts(struct remote *remote, uint64_t address, uint64_t *parts)
{
	const struct layout *layout = &remote->layout;
	const uint16_t fields[] = { layout->code_filename, layout->code_name, layout->code_qualname,
				    layout->code_linetable };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (memory_read(remote->memory, address + fields[i], &parts[i], sizeof(parts[i])))
			return -EFAULT;
	return 0;
}

struct code_object *code_objects_find(struct code_objects *codes, struct remote *remote,
				      uint64_t address)
{
	struct code_object **slot = find_slot(codes->slots, codes->slot_count, address), *code;
	uint64_t parts[sizeof(code->parts) / sizeof(code->parts[0])];

	if (read_parts(remote, address, parts))
		return NULL;
	if (*slot && !memcmp((*slot)->parts, parts, sizeof(parts)))
		return *slot;
	if (!*slot && codes->count * 2 >= codes->slot_count && grow(codes))
		return NULL;
	code = calloc(1, sizeof(*code));
	if (!code)
		return NULL;
	code->address = address;
	memcpy(code->parts, parts, sizeof(parts));
	if (read_code(remote, code)) {
		code_free(code);
		return NULL;
	}
	slot = find_slot(codes->slots, codes->slot_count, address);
	codes->count += !*slot;
	code->replaced = *slot;
	*slot = code;
	return code;
}

static int read_variables(struct code_object *code, struct remote *remote, uint64_t names,
			  uint64_t kinds)
{
	uint32_t count = code->variable_count;

	code->variables = calloc(count + 1, sizeof(*code->variables));
	code->variable_kinds = malloc(count + 1);
	if (!code->variables || !code->variable_kinds)
		return -ENOMEM;
	if (memory_read(remote->memory, kinds + BYTES_DATA, code->variable_kinds, count))
		return -EFAULT;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t item = names + remote->inner.values.tuple_items + i * sizeof(item);

		code->variables[i] = read_text(remote, item, NAME_CHARS);
		if (!code->variables[i])
			return -EFAULT;
	}
	return 0;
}

int code_object_read_variables(struct code_object *code, struct remote *remote)
{
	const struct value_layout *values = &remote->inner.values;
	uint32_t count = memory_u32(remote->memory, code->address + values->code_nlocalsplus);
	uint64_t names = memory_u64(remote->memory, code->address + values->code_localsplusnames);
	uint64_t kinds = memory_u64(remote->memory, code->address + values->code_localspluskinds);
	int err;

	if (code->variables)
		return 0;
	if (!names || !kinds || count > VARIABLES_MAX ||
	    memory_u64(remote->memory, names + PYVAROBJECT_SIZE) != count ||
	    memory_u64(remote->memory, kinds + PYVAROBJECT_SIZE) != count)
		return -EFAULT;
	code->variable_count = count;
	err = read_variables(code, remote, names, kinds);
	if (err)
		drop_variables(code);
	return err;
}

uint32_t code_object_line(struct code_object *code, uint32_t instruction)
{
	if (instruction == NO_INSTRUCTION)
		return 0;
	if (instruction != code->cached_instruction) {
		code->cached_line = linetable_line(code->lines, code->line_bytes, code->first_line,
						   instruction);
		code->cached_instruction = instruction;
	}
	return code->cached_line;
}
