/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "interpreter_files.h"
#include "python/memory_layouts.h"
#include "target/elf_file.h"

/* The numbers themselves are held against headers and live interpreters by `make layouts`; here is what
 * is made of _Py_DebugOffsets, those in the files of interpreters and broken ones. */

#define OFFSETS_BYTES 1024
#define VERSION_AT    8
#define THREADED_AT   16
#define INDEX(hex)    (((hex) >> 16) - 0x030d)

/* offsetof(struct _Py_DebugOffsets, …), printed over each version's own headers (3.13.0, 3.13.18: in
 * pycore_runtime.h; 3.14.10 and 3.15.2: pycore_debug_offsets.h). 0: that version has no such field. */
struct field {
	const char *name;
	uint16_t at[3];  /* in 3.13, 3.14, 3.15 */
	uint16_t layout; /* taken over: into this uint32_t of struct memory_layout */
};

#define INTO(name) offsetof(struct memory_layout, name)
static const struct field taken[] = {
	{ "runtime_state.interpreters_head", { 40, 40, 40 }, INTO(runtime_interpreters_head) },
	{ "interpreter_state.id", { 56, 56, 56 }, INTO(interpreter_id) },
	{ "interpreter_state.next", { 64, 64, 64 }, INTO(interpreter_next) },
	{ "interpreter_state.threads_head", { 72, 72, 72 }, INTO(interpreter_threads_head) },
	{ "interpreter_state.gc", { 80, 88, 88 }, INTO(interpreter_gc) },
	{ "interpreter_state.imports_modules", { 88, 96, 96 }, INTO(interpreter_modules) },
};

static const struct field checked[] = {
	{ "version", { VERSION_AT, VERSION_AT, VERSION_AT }, 0 },
	{ "free_threaded", { THREADED_AT, THREADED_AT, THREADED_AT }, 0 },
	{ "thread_state.next", { 168, 192, 192 }, 0 },
	{ "thread_state.thread_id", { 192, 216, 240 }, 0 },
	{ "thread_state.native_thread_id", { 200, 224, 248 }, 0 },
	{ "interpreter_frame.localsplus", { 256, 280, 344 }, 0 },
	{ "interpreter_frame.owner", { 264, 288, 352 }, 0 },
	{ "interpreter_frame.stackpointer", { 0, 296, 360 }, 0 },
	{ "code_object.localsplusnames", { 328, 368, 432 }, 0 },
	{ "code_object.localspluskinds", { 336, 376, 440 }, 0 },
	{ "pyobject.ob_type", { 360, 408, 472 }, 0 },
	{ "type_object.tp_name", { 376, 424, 488 }, 0 },
	{ "type_object.tp_flags", { 392, 440, 504 }, 0 },
	{ "tuple_object.ob_item", { 408, 456, 552 }, 0 },
	{ "tuple_object.ob_size", { 416, 464, 560 }, 0 },
	{ "list_object.ob_item", { 432, 480, 576 }, 0 },
	{ "list_object.ob_size", { 440, 488, 584 }, 0 },
	{ "set_object.used", { 0, 504, 600 }, 0 },
	{ "set_object.table", { 0, 512, 608 }, 0 },
	{ "set_object.mask", { 0, 520, 616 }, 0 },
	{ "dict_object.ma_keys", { 456, 536, 632 }, 0 },
	{ "dict_object.ma_values", { 464, 544, 640 }, 0 },
	{ "float_object.ob_fval", { 480, 560, 656 }, 0 },
	{ "long_object.lv_tag", { 496, 576, 672 }, 0 },
	{ "long_object.ob_digit", { 504, 584, 680 }, 0 },
	{ "bytes_object.ob_size", { 520, 600, 696 }, 0 },
	{ "bytes_object.ob_sval", { 528, 608, 704 }, 0 },
	{ "unicode_object.state", { 544, 624, 720 }, 0 },
	{ "unicode_object.length", { 552, 632, 728 }, 0 },
	{ "gc.size", { 568, 648, 752 }, 0 },
	{ "gc.collecting", { 576, 656, 760 }, 0 },
};

#define TAKEN   (sizeof(taken) / sizeof(taken[0]))
#define CHECKED (sizeof(checked) / sizeof(checked[0]))

struct published {
	const struct interpreter_file *file;
	struct memory_layout layout;
	uint8_t *bytes; /* what the file has at _PyRuntime */
	const char *field;
	uint64_t published, known;
};

static int adopt(struct published *p, const uint8_t *bytes, size_t size)
{
	uint32_t version = p->file->version_hex;

	p->field = NULL;
	cr_assert_eq(memory_layout_for_version(version, p->file->debug, &p->layout), 0);
	return memory_layout_adopt(&p->layout, version, bytes, size, &p->field, &p->published,
				   &p->known);
}

static void take(struct published *p, const struct interpreter_file *file)
{
	struct elf_file *elf;
	const uint8_t *bytes;
	uint64_t runtime;

	p->file = file;
	p->bytes = malloc(OFFSETS_BYTES);
	cr_assert_eq(elf_file_open(file->path, &elf), 0);
	cr_assert_eq(elf_file_symbol(elf, "_PyRuntime", &runtime, NULL), 0);
	bytes = elf_file_bytes(elf, runtime, OFFSETS_BYTES);
	cr_assert_not_null(bytes);
	memcpy(p->bytes, bytes, OFFSETS_BYTES);
	elf_file_close(elf);
}

static uint64_t get(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static void put(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

static uint32_t number(const struct published *p, const struct field *field)
{
	uint32_t value;

	memcpy(&value, (const char *)&p->layout + field->layout, sizeof(value));
	return value;
}

static void check_accepted(struct published *p)
{
	uint32_t index = INDEX(p->file->version_hex);

	cr_assert_eq(adopt(p, p->bytes, OFFSETS_BYTES), 0, "%s: %s is %lu, known %lu",
		     p->file->path, p->field, p->published, p->known);
	for (size_t i = 0; i < TAKEN; i++)
		cr_assert_eq(number(p, &taken[i]), get(p->bytes + taken[i].at[index]));
}

/* A number of a build that was configured otherwise counts, one that cannot be does not. */
static void check_taken(struct published *p)
{
	static const uint64_t wrong[] = { 1, 4, (uint64_t)-1, 1ULL << 32, 1ULL << 63 };

	for (size_t i = 0; i < TAKEN; i++) {
		uint8_t *at = p->bytes + taken[i].at[INDEX(p->file->version_hex)];
		uint64_t value = get(at);

		put(at, value + 4096);
		cr_assert_eq(adopt(p, p->bytes, OFFSETS_BYTES), 0);
		cr_assert_eq(number(p, &taken[i]), value + 4096, "%s", taken[i].name);
		for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++) {
			put(at, value + wrong[k]);
			cr_assert_eq(adopt(p, p->bytes, OFFSETS_BYTES), -EBADMSG);
			cr_assert_str_eq(p->field, taken[i].name);
		}
		put(at, value);
	}
	check_accepted(p);
}

static void check_refused(struct published *p)
{
	static const uint64_t deltas[] = { 1, (uint64_t)-8, 1ULL << 16, 1ULL << 32 };

	for (size_t i = 0; i < CHECKED; i++) {
		uint16_t where = checked[i].at[INDEX(p->file->version_hex)];
		uint64_t value = get(p->bytes + where);

		for (size_t k = 0; where && k < sizeof(deltas) / sizeof(deltas[0]); k++) {
			put(p->bytes + where, value + deltas[k]);
			cr_assert_eq(adopt(p, p->bytes, OFFSETS_BYTES), -EBADMSG, "%s of %s",
				     checked[i].name, p->file->path);
			cr_assert_str_eq(p->field, checked[i].name);
			cr_assert_eq(p->published, value + deltas[k]);
			cr_assert_eq(p->known, value);
			put(p->bytes + where, value);
		}
	}
	for (size_t at = 0; at < 8; at++) {
		p->bytes[at] ^= 1;
		cr_assert_eq(adopt(p, p->bytes, OFFSETS_BYTES), -EBADMSG);
		cr_assert_str_eq(p->field, "cookie");
		p->bytes[at] ^= 1;
	}
	check_accepted(p);
}

/* As many bytes as there are, in a block that ends with them. */
static void check_cut(struct published *p)
{
	uint32_t index = INDEX(p->file->version_hex);
	size_t end = 0;

	for (size_t i = 0; i < CHECKED; i++)
		end = checked[i].at[index] + 8u > end ? checked[i].at[index] + 8u : end;
	for (size_t size = 0; size <= end; size++) {
		uint8_t *part = malloc(size + 1);

		memcpy(part + 1, p->bytes, size);
		cr_assert_eq(adopt(p, part + 1, size), size < end ? -EBADMSG : 0, "%zu bytes",
			     size);
		cr_assert_not_null(p->field);
		free(part);
	}
}

static void for_each_file(int minor, void (*run)(struct published *))
{
	struct interpreter_files files;
	struct published published;

	interpreter_files_find(minor, &files);
	for (size_t i = 0; i < files.count; i++) {
		take(&published, &files.at[i]);
		run(&published);
		free(published.bytes);
	}
}

#define TEST_PUBLISHERS(name, run)                                                                 \
	Test(memory_layouts, name##_3_13)                                                          \
	{                                                                                          \
		for_each_file(13, run);                                                            \
	}                                                                                          \
	Test(memory_layouts, name##_3_14)                                                          \
	{                                                                                          \
		for_each_file(14, run);                                                            \
	}                                                                                          \
	Test(memory_layouts, name##_3_15)                                                          \
	{                                                                                          \
		for_each_file(15, run);                                                            \
	}

TEST_PUBLISHERS(adopt_what_is_published_by, check_accepted)
TEST_PUBLISHERS(take_over_where_the_state_differs_in, check_taken)
TEST_PUBLISHERS(refuse_every_changed_field_of, check_refused)
TEST_PUBLISHERS(refuse_half_of, check_cut)

/* 3.14.0 to 3.14.4 collect incrementally: struct _gc_runtime_state of 240 bytes and no generation0;
 * 3.14.5 on: 264 bytes, with generation0 as the last 8. */
static void check_collectors(struct published *p)
{
	uint8_t *at = p->bytes + 648;
	uint64_t size = get(at);

	put(at, 240);
	cr_assert_eq(adopt(p, p->bytes, OFFSETS_BYTES), 0);
	cr_assert_eq(p->layout.gc_generation0, 0);
	cr_assert_eq(p->layout.gc_generations, 24);
	put(at, 264);
	cr_assert_eq(adopt(p, p->bytes, OFFSETS_BYTES), 0);
	cr_assert_eq(p->layout.gc_generation0, 264 - 8);
	cr_assert_eq(p->layout.gc_generations, 24);
	for (uint64_t other = 0; other < 400; other++) {
		put(at, other);
		if (other == 240 || other == 264)
			continue;
		cr_assert_eq(adopt(p, p->bytes, OFFSETS_BYTES), -EBADMSG);
		cr_assert_str_eq(p->field, "gc.size");
	}
	put(at, size);
}

Test(memory_layouts, tell_the_two_collectors_of_3_14_apart)
{
	for_each_file(14, check_collectors);
}

/* PyGC_Head is aligned to 4 from 3.13.5 on, behind a pointer and three ints. */
Test(memory_layouts, know_that_the_lists_of_3_13_moved)
{
	struct memory_layout layout;

	for (uint32_t micro = 0; micro < 32; micro++) {
		cr_assert_eq(memory_layout_for_version(0x030d00f0 | micro << 8, false, &layout), 0);
		cr_assert_eq(layout.gc_generations, micro < 5 ? 24 : 8 + 3 * 4);
		cr_assert_eq(layout.gc_permanent, 104);
	}
}

Test(memory_layouts, are_the_same_in_debug_builds)
{
	struct memory_layout plain, debug;

	for (uint32_t minor = 0x030b; minor <= 0x030f; minor++) {
		memset(&plain, 0, sizeof(plain));
		memset(&debug, 0, sizeof(debug));
		cr_assert_eq(memory_layout_for_version(minor << 16 | 0xf0, false, &plain), 0);
		cr_assert_eq(memory_layout_for_version(minor << 16 | 0xf0, true, &debug), 0);
		cr_assert_arr_eq(&plain, &debug, sizeof(plain));
		cr_assert(plain.gc_generations && plain.values.frame_localsplus);
	}
}

Test(memory_layouts, are_unknown_of_any_other_version)
{
	static const uint32_t others[] = { 0,          0x02071800, 0x030a0000, 0x030affff,
					   0x03100000, 0x031000a1, 0x040b0000, 0x130b0000,
					   0x0b030000, UINT32_MAX };
	struct memory_layout layout;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_assert_eq(memory_layout_for_version(others[i], false, &layout), -ENOTSUP);
}

Test(memory_layouts, stand_as_they_are_where_nothing_is_published)
{
	static const uint32_t versions[] = { 0x030b02f0, 0x030c01f0, 0x030cffff };
	uint8_t bytes[OFFSETS_BYTES] = "xdebugpy";
	struct memory_layout layout, before;
	uint64_t published, known;
	const char *field;

	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		memset(&layout, 0, sizeof(layout));
		cr_assert_eq(memory_layout_for_version(versions[i], false, &layout), 0);
		memcpy(&before, &layout, sizeof(before));
		cr_assert_eq(memory_layout_adopt(&layout, versions[i], bytes, sizeof(bytes), &field,
						 &published, &known),
			     0);
		cr_assert_arr_eq(&layout, &before, sizeof(before));
	}
}
