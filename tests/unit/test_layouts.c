/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "interpreter_files.h"
#include "python/layouts.h"
#include "target/elf_file.h"

#define OFFSETS_BYTES 1024
#define VERSION_AT    8
#define THREADED_AT   16

/* offsetof(struct _Py_DebugOffsets, …), printed over each version's own headers (3.13.18: in
 * pycore_runtime.h; 3.14.10 and 3.15.2: pycore_debug_offsets.h). 0: that version has no such field. */
static const struct {
	const char *name;
	uint16_t at[3]; /* in 3.13, 3.14, 3.15 */
} fields[] = {
	{ "version", { VERSION_AT, VERSION_AT, VERSION_AT } },
	{ "thread_state.current_frame", { 184, 208, 208 } },
	{ "thread_state.current_exception", { 0, 0, 288 } },
	{ "interpreter_frame.previous", { 232, 256, 320 } },
	{ "interpreter_frame.executable", { 240, 264, 328 } },
	{ "interpreter_frame.instr_ptr", { 248, 272, 336 } },
	{ "code_object.filename", { 280, 320, 384 } },
	{ "code_object.name", { 288, 328, 392 } },
	{ "code_object.qualname", { 296, 336, 400 } },
	{ "code_object.linetable", { 304, 344, 408 } },
	{ "code_object.firstlineno", { 312, 352, 416 } },
	{ "code_object.co_code_adaptive", { 344, 384, 448 } },
	{ "unicode_object.asciiobject_size", { 560, 640, 736 } },
	{ "gen_object.gi_iframe", { 0, 680, 808 } },
	{ "gen_object.gi_frame_state", { 0, 688, 816 } },
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

struct published {
	const struct interpreter_file *file;
	struct layout layout;
	uint8_t *bytes; /* what the file has at _PyRuntime; a block of its own */
	const char *field;
	uint64_t published, known;
};

static int check(struct published *p, const uint8_t *bytes, size_t size)
{
	p->field = NULL;
	return layout_check_offsets(&p->layout, p->file->version_hex, bytes, size, &p->field,
				    &p->published, &p->known);
}

static void take(struct published *p, const struct interpreter_file *file)
{
	struct elf_file *elf;
	const uint8_t *bytes;
	uint64_t runtime;

	p->file = file;
	p->bytes = malloc(OFFSETS_BYTES);
	cr_assert_eq(layout_for_version(file->version_hex, &p->layout, NULL), 0);
	cr_assert_eq(elf_file_open(file->path, &elf), 0);
	cr_assert_eq(elf_file_symbol(elf, "_PyRuntime", &runtime, NULL), 0);
	bytes = elf_file_bytes(elf, runtime, OFFSETS_BYTES);
	cr_assert_not_null(bytes);
	memcpy(p->bytes, bytes, OFFSETS_BYTES);
	elf_file_close(elf);
}

static void add(uint8_t *at, uint64_t delta)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	value += delta;
	memcpy(at, &value, sizeof(value));
}

static void check_accepted(struct published *p)
{
	cr_assert_eq(check(p, p->bytes, OFFSETS_BYTES), 0, "%s: %s is %lx, known %lx",
		     p->file->path, p->field, p->published, p->known);
}

static void check_changed(struct published *p, size_t field, uint64_t delta)
{
	size_t at = fields[field].at[(p->file->version_hex >> 16) - 0x030d];
	uint64_t value;

	if (!at)
		return;
	memcpy(&value, p->bytes + at, sizeof(value));
	add(p->bytes + at, delta);
	cr_assert_eq(check(p, p->bytes, OFFSETS_BYTES), -EBADMSG, "%s of %s", fields[field].name,
		     p->file->path);
	cr_assert_str_eq(p->field, fields[field].name);
	cr_assert_eq(p->known, value);
	cr_assert_eq(p->published, value + delta);
	add(p->bytes + at, -delta);
}

static void check_refusals(struct published *p)
{
	for (size_t i = 0; i < FIELDS; i++) {
		check_changed(p, i, 1);
		check_changed(p, i, -1ULL);
		check_changed(p, i, 1ULL << 16); /* a __u16 would not see it */
		check_changed(p, i, 1ULL << 32);
	}
	check_accepted(p);
}

static void check_build(struct published *p)
{
	add(p->bytes + THREADED_AT, 1);
	cr_assert_eq(check(p, p->bytes, OFFSETS_BYTES), -EPROTONOSUPPORT);
	add(p->bytes + THREADED_AT, 1);
	cr_assert_eq(check(p, p->bytes, OFFSETS_BYTES), -EBADMSG);
	add(p->bytes + THREADED_AT, -2ULL);
	for (size_t at = 0; at < 8; at++) {
		p->bytes[at] ^= 1;
		cr_assert_eq(check(p, p->bytes, OFFSETS_BYTES), -ENOENT);
		p->bytes[at] ^= 1;
	}
	check_accepted(p);
}

/* As many bytes as there are, in a block that ends with them. */
static void check_cut(struct published *p)
{
	size_t end = 0;

	for (size_t i = 0; i < FIELDS; i++) {
		size_t behind = fields[i].at[(p->file->version_hex >> 16) - 0x030d] + 8;

		end = behind > end ? behind : end;
	}
	for (size_t size = 0; size <= end; size++) {
		uint8_t *part = malloc(size + 1);
		int expected = size < 8 ? -ENOENT : size < end ? -EBADMSG : 0;

		memcpy(part + 1, p->bytes, size);
		cr_assert_eq(check(p, part + 1, size), expected, "%zu bytes", size);
		free(part);
	}
}

static void check_random(struct published *p)
{
	unsigned int seed = 20261122;

	for (int round = 0; round < 20000; round++) {
		size_t at = 24 + rand_r(&seed) % (OFFSETS_BYTES - 24);
		uint8_t old = p->bytes[at];
		int err;

		p->bytes[at] = rand_r(&seed);
		err = check(p, p->bytes, OFFSETS_BYTES);
		cr_assert(!err || (err == -EBADMSG && p->field && p->published != p->known));
		p->bytes[at] = old;
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
	Test(layouts, name##_3_13)                                                                 \
	{                                                                                          \
		for_each_file(13, run);                                                            \
	}                                                                                          \
	Test(layouts, name##_3_14)                                                                 \
	{                                                                                          \
		for_each_file(14, run);                                                            \
	}                                                                                          \
	Test(layouts, name##_3_15)                                                                 \
	{                                                                                          \
		for_each_file(15, run);                                                            \
	}

TEST_PUBLISHERS(agree_with_what_is_published_by, check_accepted)
TEST_PUBLISHERS(name_every_changed_field_of, check_refusals)
TEST_PUBLISHERS(tell_free_threads_and_strangers_from, check_build)
TEST_PUBLISHERS(are_not_checked_against_half_of, check_cut)
TEST_PUBLISHERS(survive_flipped_bytes_of, check_random)

Test(layouts, are_known_of_3_11_to_3_15)
{
	struct layout_check sizes;
	struct layout layout;

	for (uint32_t minor = 0x030b; minor <= 0x030f; minor++)
		for (uint32_t rest = 0; rest <= 0xffff; rest += 0x10f) {
			memset(&sizes, 0, sizeof(sizes));
			cr_assert_eq(layout_for_version(minor << 16 | rest, &layout, &sizes), 0);
			cr_assert(sizes.gen_basicsize > layout.gen_iframe && layout.code_linetable);
			cr_assert_eq(layout_for_version(minor << 16 | rest, &layout, NULL), 0);
		}
}

Test(layouts, are_unknown_of_any_other_version)
{
	static const uint32_t others[] = { 0,          0x02071800, 0x030a0000, 0x030affff,
					   0x03100000, 0x031000a1, 0x040b0000, 0x130b0000,
					   0x0b030000, UINT32_MAX };
	struct layout_check sizes;
	struct layout layout;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_assert_eq(layout_for_version(others[i], &layout, &sizes), -ENOTSUP);
}

Test(layouts, are_published_from_3_13_on_only)
{
	static const uint32_t others[] = { 0,          0x030b02f0, 0x030c01f0,
					   0x030cffff, 0x03100000, UINT32_MAX };
	uint8_t bytes[OFFSETS_BYTES] = "xdebugpy";
	struct layout layout = { 0 };
	uint64_t published, known;
	const char *field;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_assert_eq(layout_check_offsets(&layout, others[i], bytes, sizeof(bytes), &field,
						  &published, &known),
			     -ENOENT);
}
