// SPDX-License-Identifier: MIT
#include "python_image.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "python/layouts.h"
#include "python/value.h"

#define ARENA_BYTES (1ull << 30) /* of address space; what is not touched costs nothing */
#define PAGE        4096ull
#define BLOCK       65536ull /* what the cache reads at most at once */

#define STATE_BYTES   16384 /* of PyInterpreterState, the runtime's state */
#define TYPE_BYTES    1024
#define BEFORE_OBJECT 32 /* a managed dict, weak references, PyGC_Head */
#define TASK_BYTES    256
#define TSTATE_BYTES  512

/* Include/object.h */
#define FLAG_HEAP      (1ull << 9)
#define FLAG_READY     (1ull << 12)
#define FLAG_TYPE      (1ull << 31)
/* Include/cpython/unicodeobject.h: kind 1, compact, ascii */
#define STATE_OF_ASCII (1u << 2 | 1u << 5 | 1u << 6)

#define STATES_3_11                                                                                \
	{                                                                                          \
		-2, -1, -1, 0, 1, 4                                                                \
	}
#define STATES_3_13                                                                                \
	{                                                                                          \
		-3, -2, -1, 0, 1, 4                                                                \
	}
#define STATES_3_15                                                                                \
	{                                                                                          \
		0, 1, 2, 4, 5, 5                                                                   \
	}

/* What changed within a minor version: 3.13.5 moved the lists by 4 bytes, 3.14.5 keeps a pointer to the
 * first of them (Include/internal/pycore_interp_structs.h), which is there to check them. */
const struct image_version image_versions[] = {
	{ "3.11.2", 0x030b02f0, 0, STATES_3_11 }, { "3.12.1", 0x030c01f0, 0, STATES_3_11 },
	{ "3.13.0", 0x030d00f0, 0, STATES_3_13 }, { "3.13.5", 0x030d05f0, 0, STATES_3_13 },
	{ "3.14.0", 0x030e00f0, 0, STATES_3_13 }, { "3.14.10", 0x030e0af0, 256, STATES_3_13 },
	{ "3.15.2", 0x030f02f0, 0, STATES_3_15 },
};
const size_t image_version_count = sizeof(image_versions) / sizeof(image_versions[0]);

const struct image_version *image_version(const char *name)
{
	for (size_t i = 0; i < image_version_count; i++)
		if (!strcmp(image_versions[i].name, name))
			return &image_versions[i];
	cr_assert_fail("no version %s", name);
	return NULL;
}

static uint64_t take(struct cpython *python, size_t size, size_t alignment)
{
	python->used = (python->used + alignment - 1) / alignment * alignment;
	cr_assert_leq(python->used + size, ARENA_BYTES);
	python->used += size;
	return (uint64_t)python->arena + python->used - size;
}

uint64_t cpython_new(struct cpython *python, size_t size)
{
	return take(python, size, 16);
}

uint64_t cpython_new_pages(struct cpython *python, size_t size)
{
	uint64_t pages = take(python, BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK + BLOCK, BLOCK);
	uint64_t behind = pages + BLOCK + (size + PAGE - 1) / PAGE * PAGE;

	cpython_lose(pages, BLOCK);
	cpython_lose(behind, (uint64_t)python->arena + python->used - behind);
	return pages + BLOCK;
}

void cpython_lose(uint64_t address, size_t size)
{
	/* not munmap(): somebody else's memory might come to lie there */
	cr_assert_eq(mprotect((void *)address, size, PROT_NONE), 0);
}

/* --- the collector --- */

uint64_t cpython_head(const struct cpython *python, unsigned int interpreter, unsigned int list)
{
	const struct memory_layout *inner = &python->remote.inner;
	uint64_t gc = python->interpreters[interpreter] + inner->interpreter_gc;

	if (list == LIST_PERMANENT)
		return gc + inner->gc_permanent;
	return gc + inner->gc_generations + list * inner->gc_generation_bytes;
}

unsigned int cpython_interpreter(struct cpython *python)
{
	const struct memory_layout *inner = &python->remote.inner;
	uint64_t runtime_head = python->remote.runtime + inner->runtime_interpreters_head;
	unsigned int index = python->interpreter_count++;
	uint64_t state = cpython_new(python, STATE_BYTES);

	cr_assert_lt(index, INTERPRETERS_OF_IMAGE);
	python->interpreters[index] = state;
	put64(state + inner->interpreter_id, index);
	put64(state + inner->interpreter_next, get64(runtime_head));
	put64(runtime_head, state);
	for (unsigned int list = 0; list < LISTS_OF_IMAGE; list++) {
		uint64_t head = cpython_head(python, index, list);

		put64(head, head);
		put64(head + GC_HEAD_PREVIOUS, head);
	}
	if (inner->gc_generation0)
		put64(state + inner->interpreter_gc + inner->gc_generation0,
		      cpython_head(python, index, 0));
	return index;
}

/* The low bits of both links are flags, which stay (_PyGCHead_SET_PREV()). */
static void set_previous(uint64_t node, uint64_t previous)
{
	put64(node + GC_HEAD_PREVIOUS, (get64(node + GC_HEAD_PREVIOUS) & 3) | previous);
}

void cpython_append(uint64_t head, uint64_t object)
{
	uint64_t node = object - GC_HEAD_BYTES, last = get64(head + GC_HEAD_PREVIOUS);

	put64(last, node);
	set_previous(node, last);
	put64(node, head);
	put64(head + GC_HEAD_PREVIOUS, node);
}

void cpython_track(const struct cpython *python, uint64_t object)
{
	cpython_append(cpython_head(python, 0, 0), object);
}

void cpython_untrack(uint64_t object)
{
	uint64_t node = object - GC_HEAD_BYTES;
	uint64_t previous = get64(node + GC_HEAD_PREVIOUS) & ~3ull, next = get64(node) & ~3ull;

	put64(previous, next);
	set_previous(next, previous);
	put64(node, 0);
	put64(node + GC_HEAD_PREVIOUS, get64(node + GC_HEAD_PREVIOUS) & GC_FINALIZED);
}

void cpython_merge(uint64_t from, uint64_t to)
{
	uint64_t first = get64(from), last = get64(from + GC_HEAD_PREVIOUS);
	uint64_t tail = get64(to + GC_HEAD_PREVIOUS);

	if (first != from) {
		put64(tail, first);
		set_previous(first, tail);
		put64(last, to);
		put64(to + GC_HEAD_PREVIOUS, last);
	}
	put64(from + GC_HEAD_PREVIOUS, from);
	put64(from, from);
}

/* --- types and objects --- */

uint64_t cpython_object(struct cpython *python, uint64_t type, size_t size)
{
	uint64_t object = cpython_new(python, BEFORE_OBJECT + size) + BEFORE_OBJECT;

	put64(object, 1);
	put64(object + PYOBJECT_TYPE, type);
	return object;
}

static uint64_t c_string(struct cpython *python, const char *text)
{
	uint64_t at = cpython_new(python, strlen(text) + 1);

	strcpy((char *)at, text);
	return at;
}

uint64_t cpython_type(struct cpython *python, const char *name, uint64_t base)
{
	const struct value_layout *values = &python->remote.inner.values;
	uint64_t type = cpython_object(python, python->type, TYPE_BYTES);

	put64(type + values->type_name, c_string(python, name));
	put64(type + values->type_flags, FLAG_READY);
	put64(type + values->type_base, base);
	return type;
}

uint64_t cpython_class(struct cpython *python, const char *module, const char *qualname,
		       uint64_t base)
{
	const struct value_layout *values = &python->remote.inner.values;
	const char *last = strrchr(qualname, '.');
	uint64_t type = cpython_type(python, last ? last + 1 : qualname, base);

	put64(type + values->type_flags, FLAG_READY | FLAG_HEAP);
	put64(type + values->heap_type_qualname, cpython_str(python, qualname));
	put64(type + values->type_dict,
	      cpython_dict(python, (const char *[]){ "__module__" },
			   (uint64_t[]){ cpython_str(python, module) }, 1));
	return type;
}

static uint64_t of_type(struct cpython *python, uint8_t type, size_t size)
{
	return cpython_object(python, python->remote.value_types[type], size);
}

uint64_t cpython_str(struct cpython *python, const char *ascii)
{
	uint64_t str = of_type(python, VALUE_STR, 64 + strlen(ascii) + 1);

	put64(str + UNICODE_LENGTH, strlen(ascii));
	put32(str + UNICODE_STATE, STATE_OF_ASCII);
	strcpy((char *)str + python->remote.layout.ascii_size, ascii);
	return str;
}

uint64_t cpython_int(struct cpython *python, uint32_t value)
{
	const struct value_layout *values = &python->remote.inner.values;
	uint64_t number = of_type(python, VALUE_INT, 32);
	uint64_t digits = value ? 1 : 0;

	put64(number + values->long_tag, values->long_is_tagged ? digits << 3 | !digits : digits);
	put32(number + values->long_digits, value);
	return number;
}

uint64_t cpython_bytes(struct cpython *python, const void *bytes, size_t size)
{
	uint64_t object = of_type(python, VALUE_BYTES, BYTES_DATA + size + 1);

	put64(object + PYVAROBJECT_SIZE, size);
	memcpy((void *)(object + BYTES_DATA), bytes, size);
	return object;
}

uint64_t cpython_tuple(struct cpython *python, const uint64_t *items, size_t count)
{
	uint16_t at = python->remote.inner.values.tuple_items;
	uint64_t tuple = of_type(python, VALUE_TUPLE, at + count * sizeof(*items));

	put64(tuple + PYVAROBJECT_SIZE, count);
	for (size_t i = 0; i < count; i++)
		put64(tuple + at + i * sizeof(*items), items[i]);
	return tuple;
}

uint64_t cpython_list(struct cpython *python, const uint64_t *items, size_t count)
{
	uint64_t list = of_type(python, VALUE_LIST, 40);
	uint64_t room = cpython_new(python, count * sizeof(*items));

	put64(list + PYVAROBJECT_SIZE, count);
	put64(list + LIST_ITEMS, room);
	for (size_t i = 0; i < count; i++)
		put64(room + i * sizeof(*items), items[i]);
	return list;
}

/* Every third entry is of a key that was deleted: it has the dummy and the hash -1 (Objects/setobject.c). */
uint64_t cpython_set(struct cpython *python, const uint64_t *items, size_t count)
{
	const struct value_layout *values = &python->remote.inner.values;
	uint64_t set = of_type(python, VALUE_SET, 256), dummy = cpython_object(python, 0, 16);
	size_t slots = 8, at = 0;

	while (slots < count * 2)
		slots *= 2;
	put64(set + values->set_used, count);
	put64(set + values->set_mask, slots - 1);
	put64(set + values->set_table, cpython_new(python, slots * 16));
	for (size_t slot = 0; slot < slots; slot++) {
		uint64_t entry = get64(set + values->set_table) + slot * 16;

		if (slot % 3 == 2) {
			put64(entry, dummy);
			put64(entry + 8, UINT64_MAX);
		} else if (at < count) {
			put64(entry, items[at++]);
			put64(entry + 8, slot * 77 + 1);
		}
	}
	cr_assert_eq(at, count);
	return set;
}

/* PyDictObject with a general table: hash, key, value (Include/internal/pycore_dict.h). */
uint64_t cpython_dict(struct cpython *python, const char *const *keys, const uint64_t *values,
		      size_t count)
{
	const struct value_layout *layout = &python->remote.inner.values;
	uint64_t dict = of_type(python, VALUE_DICT, 64);
	uint64_t table = cpython_new(python, layout->keys_indices + 8 + count * 24);

	cr_assert_leq(count, 5);
	put64(dict + 16, count);
	put64(dict + layout->dict_keys, table);
	put8(table + layout->keys_log2_size, 3);
	put8(table + layout->keys_log2_index_bytes, 3);
	put64(table + layout->keys_nentries, count);
	for (size_t i = 0; i < count; i++) {
		put64(table + layout->keys_indices + 8 + i * 24 + 8, cpython_str(python, keys[i]));
		put64(table + layout->keys_indices + 8 + i * 24 + 16, values[i]);
	}
	return dict;
}

/* --- code and what runs it --- */

uint64_t cpython_unit(const struct cpython *python, uint64_t code, unsigned int unit)
{
	return code + python->remote.layout.code_instructions + unit * IMAGE_UNIT_BYTES;
}

/* Include/opcode.h of 3.11 and 3.12: RESUME is 151. Later versions are not looked at. */
static void fill_instructions(const struct cpython *python, uint64_t code)
{
	static const struct {
		uint8_t unit, opcode, argument;
	} resumes[] = {
		{ IMAGE_YIELD, 151, 1 },    { IMAGE_YIELD_FROM, 151, 2 }, { IMAGE_AWAIT, 151, 3 },
		{ IMAGE_AT_START, 151, 0 }, { IMAGE_NO_RESUME, 100, 3 },
	};

	for (size_t i = 0; i < sizeof(resumes) / sizeof(resumes[0]); i++) {
		uint64_t unit = cpython_unit(python, code, resumes[i].unit + 1u);

		put8(unit, resumes[i].opcode);
		put8(unit + 1, resumes[i].argument);
	}
}

/* Unit n in line first + n: entries without columns, one unit each (Objects/locations.md). */
static uint64_t line_table(struct cpython *python)
{
	uint8_t table[IMAGE_UNITS * 2];

	for (size_t unit = 0; unit < IMAGE_UNITS; unit++) {
		table[unit * 2] = 0x80 | 13 << 3;
		table[unit * 2 + 1] = unit ? 1 << 1 : 0;
	}
	return cpython_bytes(python, table, sizeof(table));
}

uint64_t cpython_code(struct cpython *python, const char *qualname, const char *file,
		      uint32_t first_line)
{
	const struct value_layout *values = &python->remote.inner.values;
	const struct layout *layout = &python->remote.layout;
	const char *last = strrchr(qualname, '.');
	uint64_t code = cpython_object(python, python->object,
				       layout->code_instructions + IMAGE_UNITS * IMAGE_UNIT_BYTES);
	uint64_t names[IMAGE_LOCALS] = { cpython_str(python, "a"), cpython_str(python, "b") };

	put32(code + layout->code_flags, CODE_GENERATOR);
	put32(code + layout->code_first_line, first_line);
	put64(code + layout->code_name, cpython_str(python, last ? last + 1 : qualname));
	put64(code + layout->code_qualname, cpython_str(python, qualname));
	put64(code + layout->code_filename, cpython_str(python, file));
	put64(code + layout->code_linetable, line_table(python));
	put32(code + values->code_nlocalsplus, IMAGE_LOCALS);
	put64(code + values->code_localsplusnames, cpython_tuple(python, names, IMAGE_LOCALS));
	put64(code + values->code_localspluskinds,
	      cpython_bytes(python, (uint8_t[]){ 0x20, LOCAL_CELL }, IMAGE_LOCALS));
	fill_instructions(python, code);
	return code;
}

uint64_t cpython_frame(const struct cpython *python, uint64_t gen)
{
	return gen + python->remote.layout.gen_iframe;
}

static uint64_t stack_base(const struct cpython *python, uint64_t gen)
{
	return cpython_frame(python, gen) + python->remote.inner.values.frame_localsplus +
	       IMAGE_LOCALS * sizeof(uint64_t);
}

uint64_t cpython_gen(struct cpython *python, uint8_t kind, uint64_t code)
{
	const struct layout *layout = &python->remote.layout;
	uint64_t gen =
		cpython_object(python, python->remote.kinds[kind],
			       layout->gen_iframe + python->remote.inner.values.frame_localsplus +
				       (IMAGE_LOCALS + IMAGE_STACK) * sizeof(uint64_t));

	if (layout->gen_code)
		put64(gen + layout->gen_code, code);
	put64(cpython_frame(python, gen) + layout->frame_executable, code);
	put8(cpython_frame(python, gen) + python->remote.inner.frame_owner, 1);
	cpython_set_stack(python, gen, NULL, 0);
	cpython_set_state(python, gen, IMAGE_CREATED);
	cpython_stand(python, gen, IMAGE_MAKE);
	return gen;
}

void cpython_set_state(const struct cpython *python, uint64_t gen, enum image_state state)
{
	put8(gen + python->remote.layout.gen_frame_state, (uint8_t)python->version->states[state]);
}

void cpython_set_async(const struct cpython *python, uint64_t gen, uint8_t running)
{
	put8(gen + python->remote.layout.gen_running_async, running);
}

void cpython_stand(const struct cpython *python, uint64_t gen, unsigned int unit)
{
	const struct layout *layout = &python->remote.layout;
	uint64_t frame = cpython_frame(python, gen);

	put64(frame + layout->frame_instr,
	      cpython_unit(python, get64(frame + layout->frame_executable) & ~3ull, unit));
}

/* Until 3.13 the frame counts its locals and the values on its stack, from 3.14 on it points behind the
 * last one. */
void cpython_set_stack(const struct cpython *python, uint64_t gen, const uint64_t *values,
		       size_t count)
{
	const struct memory_layout *inner = &python->remote.inner;
	uint64_t base = stack_base(python, gen), frame = cpython_frame(python, gen);

	cr_assert_leq(count, IMAGE_STACK);
	for (size_t i = 0; i < count; i++)
		put64(base + i * sizeof(*values), values[i]);
	if (python->version->hex >= 0x030e0000)
		put64(frame + inner->frame_stacktop, base + count * sizeof(*values));
	else
		put32(frame + inner->frame_stacktop, (uint32_t)(IMAGE_LOCALS + count));
}

size_t cpython_slots_above(const struct cpython *python)
{
	return python->version->hex >= 0x030f0000 ? 1 : 0;
}

void cpython_await(const struct cpython *python, uint64_t gen, uint64_t awaited)
{
	uint64_t values[] = { 0x1111, awaited, 0x2222 };

	cpython_set_state(python, gen, IMAGE_SUSPENDED_YIELD_FROM);
	cpython_stand(python, gen, IMAGE_AWAIT);
	cpython_set_stack(python, gen, values, 2 + cpython_slots_above(python));
}

uint64_t cpython_thread(struct cpython *python, unsigned int interpreter, int32_t tid,
			uint64_t frame)
{
	const struct memory_layout *inner = &python->remote.inner;
	uint64_t head = python->interpreters[interpreter] + inner->interpreter_threads_head;
	uint64_t tstate = cpython_new(python, TSTATE_BYTES), holder = tstate;

	put64(tstate + inner->thread_next, get64(head));
	put64(tstate + inner->thread_native_id, (uint64_t)tid);
	put64(head, tstate);
	if (python->remote.layout.tstate_cframe) {
		holder = cpython_new(python, 64);
		put64(tstate + python->remote.layout.tstate_cframe, holder);
	}
	put64(holder + python->remote.layout.current_frame, frame);
	return tstate;
}

/* --- asyncio --- */

uint64_t cpython_task(struct cpython *python, uint64_t type, uint64_t name, uint64_t coroutine)
{
	uint64_t task = cpython_object(python, type, TASK_BYTES);

	put64(task + python->remote.inner.task_name, name);
	put64(task + python->remote.inner.task_coroutine, coroutine);
	return task;
}

void cpython_set_future_state(const struct cpython *python, uint64_t future, uint8_t state)
{
	put32(future + python->remote.inner.future_state,
	      (get64(future + python->remote.inner.future_state) & 0xffffff00u) | state);
}

/* --- all of it --- */

static void add_types(struct cpython *python)
{
	static const char *const values[VALUE_TYPE_COUNT] = {
		[VALUE_NONE] = "NoneType", [VALUE_BOOL] = "bool",   [VALUE_INT] = "int",
		[VALUE_STR] = "str",       [VALUE_BYTES] = "bytes", [VALUE_LIST] = "list",
		[VALUE_TUPLE] = "tuple",   [VALUE_SET] = "set",     [VALUE_DICT] = "dict",
		[VALUE_CELL] = "cell",
	};
	static const char *const kinds[KIND_COUNT] = { NULL, "generator", "coroutine",
						       "async_generator" };
	struct remote *remote = &python->remote;

	python->type = cpython_type(python, "type", 0);
	put64(python->type + PYOBJECT_TYPE, python->type);
	put64(python->type + remote->inner.values.type_flags, FLAG_READY | FLAG_TYPE);
	python->object = cpython_type(python, "object", 0);
	for (int i = 0; i < VALUE_TYPE_COUNT; i++)
		if (values[i])
			remote->value_types[i] = cpython_type(python, values[i], python->object);
	for (int i = 0; i < KIND_COUNT; i++)
		if (kinds[i])
			remote->kinds[i] = cpython_type(python, kinds[i], python->object);
	python->future = cpython_type(python, "_asyncio.Future", python->object);
	python->task = cpython_type(python, "_asyncio.Task", python->future);
}

void cpython_open(struct cpython *python, const struct image_version *version, size_t cache_bytes)
{
	struct remote *remote = &python->remote;

	memset(python, 0, sizeof(*python));
	python->version = version;
	python->arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	cr_assert_neq(python->arena, MAP_FAILED);
	cr_assert_eq(memory_open_process(getpid(), cache_bytes, &python->memory), 0);
	remote->version_hex = version->hex;
	remote->memory = python->memory;
	cr_assert_eq(layout_for_version(version->hex, &remote->layout, NULL), 0);
	cr_assert_eq(memory_layout_for_version(version->hex, false, &remote->inner), 0);
	if (version->generation0)
		remote->inner.gc_generation0 = version->generation0;
	remote->runtime = cpython_new(python, STATE_BYTES);
	remote->class_names = class_names_new();
	add_types(python);
	cpython_interpreter(python);
}

void cpython_close(struct cpython *python)
{
	remote_close(&python->remote);
	memory_close(python->memory);
	munmap(python->arena, ARENA_BYTES);
}
