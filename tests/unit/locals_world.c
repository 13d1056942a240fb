/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "locals_world.h"

static const char *const type_names[VALUE_TYPE_COUNT + 1] = {
	[VALUE_NONE] = "NoneType", [VALUE_ELLIPSIS] = "ellipsis", [VALUE_BOOL] = "bool",
	[VALUE_INT] = "int",       [VALUE_FLOAT] = "float",       [VALUE_COMPLEX] = "complex",
	[VALUE_STR] = "str",       [VALUE_BYTES] = "bytes",       [VALUE_LIST] = "list",
	[VALUE_TUPLE] = "tuple",   [VALUE_SET] = "set",           [VALUE_FROZENSET] = "frozenset",
	[VALUE_DICT] = "dict",     [VALUE_CELL] = "cell",         [STRANGER] = "spam.Egg",
};

struct locals_fixture f;

/* --- objects --- */

uint64_t locals_allot(uint64_t size)
{
	uint64_t address = f.arena + f.used;

	f.used += (size + 15) & ~15ull;
	cr_assert_leq(f.used, 1u << 20);
	return address;
}

uint64_t locals_type_address(unsigned type)
{
	return BASE + TYPES_AT + type * TYPE_BYTES;
}

uint64_t py_object(unsigned type, uint64_t size)
{
	uint64_t address = locals_allot(size);

	memory_put64(address, 1);
	memory_put64(address + PYOBJECT_TYPE, locals_type_address(type));
	return address;
}

uint64_t py_int_of_digits(const uint32_t *digits, uint64_t count, bool negative)
{
	uint64_t address = py_object(VALUE_INT, f.layout.long_digits + count * 4 + 4);
	uint64_t tag = f.layout.long_is_tagged ? count << 3 | (negative ? 2 : !count) :
						 (negative ? -count : count);

	memory_put64(address + f.layout.long_tag, tag);
	memory_put(address + f.layout.long_digits, digits, count * 4);
	return address;
}

uint64_t py_integer(int64_t value)
{
	uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
	uint32_t digits[3];
	uint64_t count = 0;

	for (; left; left >>= 30)
		digits[count++] = left & ((1u << 30) - 1);
	return py_int_of_digits(digits, count, value < 0);
}

uint64_t py_str_of(const void *characters, uint64_t length, unsigned width, bool ascii)
{
	uint64_t data = ascii ? python.layout.ascii_size : python.layout.compact_size;
	uint64_t address = py_object(VALUE_STR, data + (length + 1) * width);
	uint32_t state = width << 2 | 1 << 5 | (ascii ? 1 << 6 : 0);

	memory_put64(address + UNICODE_LENGTH, length);
	memory_put(address + UNICODE_STATE, &state, sizeof(state));
	memory_put(address + data, characters, length * width);
	return address;
}

uint64_t py_str(const char *text)
{
	return py_str_of(text, strlen(text), 1, true);
}

uint64_t py_list(const uint64_t *items, uint64_t count)
{
	uint64_t address = py_object(VALUE_LIST, LIST_ITEMS + 16),
		 array = locals_allot(count * 8 + 8);

	memory_put64(address + PYVAROBJECT_SIZE, count);
	memory_put64(address + LIST_ITEMS, array);
	memory_put(array, items, count * 8);
	return address;
}

uint64_t py_tuple(const uint64_t *items, uint64_t count)
{
	uint64_t address = py_object(VALUE_TUPLE, f.layout.tuple_items + count * 8);

	memory_put64(address + PYVAROBJECT_SIZE, count);
	memory_put(address + f.layout.tuple_items, items, count * 8);
	return address;
}

uint64_t py_bytes_of(const void *bytes, uint64_t size)
{
	uint64_t address = py_object(VALUE_BYTES, BYTES_DATA + size + 1);

	memory_put64(address + PYVAROBJECT_SIZE, size);
	memory_put(address + BYTES_DATA, bytes, size);
	return address;
}

uint64_t py_cell(uint64_t content)
{
	uint64_t address = py_object(VALUE_CELL, CELL_VALUE + 8);

	memory_put64(address + CELL_VALUE, content);
	return address;
}

/* A dict of general keys: entries {hash, key, value} behind 8 bytes of indices. */
uint64_t py_dict(const uint64_t *pairs, uint64_t count)
{
	uint64_t address = py_object(VALUE_DICT, f.layout.dict_values + 8);
	uint64_t keys = locals_allot(f.layout.keys_indices + 64 + count * 24);
	uint8_t log2_size = 8, log2_index = 6;

	memory_put64(address + 16, count); /* ma_used */
	memory_put64(address + f.layout.dict_keys, keys);
	memory_put64(address + f.layout.dict_values, 0);
	memory_put(keys + f.layout.keys_log2_size, &log2_size, 1);
	memory_put(keys + f.layout.keys_log2_index_bytes, &log2_index, 1);
	memory_put64(keys + f.layout.keys_nentries, count);
	for (uint64_t i = 0; i < count; i++)
		memory_put(keys + f.layout.keys_indices + 64 + i * 24 + 8, pairs + 2 * i, 16);
	return address;
}

/* The third of eight places was deleted. */
uint64_t py_set(const uint64_t *items, uint64_t count)
{
	uint64_t address = py_object(VALUE_SET, f.layout.set_table + 8),
		 table = locals_allot(8 * 16);

	cr_assert_leq(count, 4);
	memory_put64(address + f.layout.set_fill, count + 1);
	memory_put64(address + f.layout.set_used, count);
	memory_put64(address + f.layout.set_mask, 7);
	memory_put64(address + f.layout.set_table, table);
	memory_put64(table + 2 * 16, py_object(STRANGER, 16));
	memory_put64(table + 2 * 16 + 8, UINT64_MAX);
	for (uint64_t i = 0; i < count; i++)
		memory_put64(table + (i < 2 ? i : i + 2) * 16, items[i]);
	return address;
}

/* --- the frame --- */

static void put_types(void)
{
	struct image *image = world_image();
	uint64_t flags = 1 << 12, metaclass_flags = 1u << 31;

	memory_put64(BASE + METACLASS_AT + f.layout.type_flags, metaclass_flags);
	for (unsigned type = 1; type <= STRANGER; type++) {
		uint64_t at = locals_type_address(type), name = BASE + NAMES_AT + type * 64;

		if (type < VALUE_TYPE_COUNT)
			image->value_types[type] = at - BASE;
		memory_put64(at + PYOBJECT_TYPE, BASE + METACLASS_AT);
		memory_put64(at + f.layout.type_name, name);
		memory_put64(at + f.layout.type_flags, flags);
		memory_put(name, type_names[type], strlen(type_names[type]) + 1);
	}
	memcpy(f.interpreter.value_types, image->value_types, sizeof(image->value_types));
}

static const struct interpreter *image_of(void *ctx, uint32_t index)
{
	(void)ctx;
	return index ? NULL : &f.interpreter;
}

bool locals_begin(unsigned world)
{
	static const uint32_t versions[] = { 0x030b02f0, 0x030d00f0, 0x030f00f0 };
	struct captured_options options = {
		.locals = { .limits = { 2, 16, 128 }, .names_max = 16, .redact = true },
		.image = image_of
	};
	struct memory_layout layout;
	struct settings *settings;

	python_begin(world);
	memset(&f, 0, sizeof(f));
	f.interpreter.version_hex = versions[world / PLACEMENTS];
	f.interpreter.layout = python.layout;
	cr_assert_eq(memory_layout_for_version(f.interpreter.version_hex, false, &layout), 0);
	f.layout = layout.values;
	f.arena = memory_new(1 << 20);
	world_image()->values = layout.values;
	put_types();
	cr_assert_eq(captured_new(&options, &f.captured), 0);
	settings = world_settings();
	settings->locals = 1;
	settings->locals_rate = 1;
	settings->locals_depth = 2;
	settings->locals_names = 16;
	settings->locals_items = 16;
	settings->locals_string = 128;
	settings->locals_ring_bytes = 8 << 20;
	return true;
}

bool locals_end(void)
{
	while (take_transition())
		;
	captured_free(f.captured);
	return python_end();
}

/* A function with these variables; their kinds as LOCAL_… say, 0 at the end of the list. */
static struct py_code *function(const char *qualname, const char *const *names,
				const uint8_t *kinds, uint32_t count)
{
	struct py_code *code = py_code(qualname);
	uint64_t items[FRAME_SLOTS];

	for (uint32_t i = 0; i < count; i++)
		items[i] = py_str(names[i]);
	memory_put(code->address + f.layout.code_nlocalsplus, &count, sizeof(count));
	memory_put64(code->address + f.layout.code_localsplusnames, py_tuple(items, count));
	memory_put64(code->address + f.layout.code_localspluskinds, py_bytes_of(kinds, count));
	return code;
}

void locals_set_slot(unsigned slot, uint64_t object)
{
	uint64_t frame = f.gen->address + python.layout.gen_iframe;

	/* from 3.14 on borrowed references are tagged (Py_TAG_REFCNT), and NULL is a tag alone */
	if (python.minor >= 14 && (!object || slot % 2))
		object |= 1;
	memory_put64(frame + f.layout.frame_localsplus + slot * 8, object);
}

/* A generator of a function with variables a, b, c …, and their values at its birth. */
void locals_create(const uint64_t *values, uint32_t count)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	const char *names[FRAME_SLOTS];
	char text[FRAME_SLOTS][16];
	uint8_t kinds[FRAME_SLOTS];
	struct py_gen place = {};

	for (uint32_t i = 0; i < count; i++) {
		if (i < 26)
			snprintf(text[i], sizeof(text[i]), "%c", letters[i]);
		else
			snprintf(text[i], sizeof(text[i]), "v%u", i);
		names[i] = text[i];
		kinds[i] = 0x20; /* CO_FAST_LOCAL */
		if (values[i] - f.arena < f.used &&
		    memory_get64(values[i] + PYOBJECT_TYPE) == locals_type_address(VALUE_CELL))
			kinds[i] = LOCAL_CELL;
	}
	f.code = function("work", names, kinds, count);
	place.address = memory_new(GC_HEAD_BYTES + 512 + FRAME_SLOTS * 8) + GC_HEAD_BYTES;
	f.gen = &place;
	for (uint32_t i = 0; i < count; i++)
		locals_set_slot(i, values[i]);
	f.gen = py_create_at(place.address, KIND_GENERATOR, f.code);
}

void locals_feed(uint16_t type)
{
	const struct captured_record *record = take_captured(type);
	void *exact;

	cr_assert(record, "no record of type %u came", type);
	cr_assert_eq(record->head.size, sizeof(*record) + record->bytes);
	cr_assert_leq(record->bytes, CAPTURED_BYTES_MAX);
	cr_assert_leq(record->pieces, CAPTURED_PIECES_MAX);
	exact = malloc(record->head.size);
	memcpy(exact, record, record->head.size);
	cr_assert_eq(captured_add(f.captured, exact, record->head.size), 0);
	free(exact);
}

/* The locals of the transition that has just been, which must have some. */
const struct local_list *locals_taken(void)
{
	const struct local_list *locals;
	const struct transition_record *transition;

	locals_feed(RECORD_LOCALS);
	transition = take_transition();
	cr_assert(transition);
	cr_assert(transition->head.flags & TRANSITION_LOCALS);
	locals = captured_take(f.captured, transition);
	cr_assert(locals, "of no use");
	return locals;
}

const struct local_list *locals_first_taken(void)
{
	locals_feed(RECORD_VARIABLES);
	return locals_taken();
}
