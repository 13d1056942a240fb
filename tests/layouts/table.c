// SPDX-License-Identifier: MIT
/*
 * table VERSION_HEX DEBUG [FILE]: prints what the tables know of that version, one line a field, in the
 * names of offsets.c. FILE holds what its _PyRuntime begins with, and is adopted first.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "python/layouts.h"
#include "python/memory_layouts.h"

#define PUBLISHED_MAX 4096

struct field {
	const char *name;
	size_t at, bytes;
};

#define INNER(name)                                                                                \
	{                                                                                          \
#name, offsetof(struct memory_layout, name),                                       \
			sizeof(((struct memory_layout *)0)->name)                                  \
	}
#define RESUME(i)                                                                                  \
	{                                                                                          \
		"resume." #i, offsetof(struct memory_layout, resume) + (i), 1                      \
	}
static const struct field inner_fields[] = {
	INNER(values.frame_localsplus),
	INNER(values.code_localsplusnames),
	INNER(values.code_localspluskinds),
	INNER(values.code_nlocalsplus),
	INNER(values.tuple_items),
	INNER(values.dict_keys),
	INNER(values.dict_values),
	INNER(values.keys_log2_size),
	INNER(values.keys_log2_index_bytes),
	INNER(values.keys_kind),
	INNER(values.keys_nentries),
	INNER(values.keys_indices),
	INNER(values.values_first),
	INNER(values.set_fill),
	INNER(values.set_used),
	INNER(values.set_mask),
	INNER(values.set_table),
	INNER(values.long_tag),
	INNER(values.long_digits),
	INNER(values.type_name),
	INNER(values.type_flags),
	INNER(values.type_base),
	INNER(values.type_dict),
	INNER(values.heap_type_qualname),
	INNER(values.long_is_tagged),
	INNER(values.stackref_tag),
	INNER(values.tagged_int),
	INNER(runtime_interpreters_head),
	INNER(interpreter_id),
	INNER(interpreter_next),
	INNER(interpreter_threads_head),
	INNER(interpreter_gc),
	INNER(interpreter_modules),
	INNER(gc_generations),
	INNER(gc_generation_bytes),
	INNER(gc_permanent),
	INNER(gc_collecting),
	INNER(gc_generation0),
	INNER(thread_next),
	INNER(thread_id),
	INNER(thread_native_id),
	INNER(frame_owner),
	INNER(frame_stacktop),
	INNER(stack_is_pointer),
	INNER(yield_from_depth),
	RESUME(0),
	RESUME(1),
	RESUME(2),
	RESUME(3),
	RESUME(4),
	RESUME(5),
	INNER(future_state),
	INNER(future_callback0),
	INNER(future_callbacks),
	INNER(future_dict),
	INNER(task_waiter),
	INNER(task_coroutine),
	INNER(task_name),
	INNER(task_awaited_by),
	INNER(task_awaited_by_is_set),
	INNER(task_awaited_by_mask),
};

#define OUTER(name)                                                                                \
	{                                                                                          \
		"layout." #name, offsetof(struct layout, name), sizeof(((struct layout *)0)->name) \
	}
static const struct field outer_fields[] = {
	OUTER(gen_code),         OUTER(gen_frame_state), OUTER(gen_iframe),
	OUTER(frame_executable), OUTER(frame_instr),     OUTER(code_instructions),
	OUTER(suspended_first),  OUTER(suspended_last),
};

static void show(const void *layout, const struct field *field)
{
	uint64_t value = 0;

	memcpy(&value, (const char *)layout + field->at, field->bytes);
	printf("%s %" PRIu64 "\n", field->name, value);
}

/* A field that is added and not printed here would go unchecked. */
static int check_complete(void)
{
	size_t bytes = sizeof(((struct value_layout *)0)->pad);

	for (size_t i = 0; i < sizeof(inner_fields) / sizeof(inner_fields[0]); i++)
		bytes += inner_fields[i].bytes;
	if (bytes + sizeof(uint32_t) > sizeof(struct memory_layout))
		return 0; /* the rest is padding */
	fprintf(stderr, "table.c prints %zu bytes of struct memory_layout, it has %zu\n", bytes,
		sizeof(struct memory_layout));
	return -1;
}

static int adopt(const char *path, uint32_t version, struct memory_layout *inner)
{
	uint8_t bytes[PUBLISHED_MAX];
	uint64_t published, known;
	const char *field;
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file) {
		perror(path);
		return -1;
	}
	size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	if (!memory_layout_adopt(inner, version, bytes, size, &field, &published, &known))
		return 0;
	fprintf(stderr, "%s is published as %" PRIu64 ", known is %" PRIu64 "\n", field, published,
		known);
	return -1;
}

int main(int argc, char **argv)
{
	struct memory_layout inner;
	struct layout outer;
	uint32_t version;
	bool debug;

	if (argc < 3)
		return 2;
	version = strtoul(argv[1], NULL, 0);
	debug = strtoul(argv[2], NULL, 0);
	if (check_complete() || memory_layout_for_version(version, debug, &inner) ||
	    layout_for_version(version, &outer, NULL) ||
	    (argc > 3 && adopt(argv[3], version, &inner)))
		return 1;
	for (size_t i = 0; i < sizeof(inner_fields) / sizeof(inner_fields[0]); i++)
		show(&inner, &inner_fields[i]);
	for (size_t i = 0; i < sizeof(outer_fields) / sizeof(outer_fields[0]); i++)
		show(&outer, &outer_fields[i]);
	return 0;
}
