/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "python/code_object.h"
#include "python_image.h"

#define CACHE_SIZE (1 << 20)
#define LATIN      (1u << 2 | 1u << 5) /* kind 1, compact, not ascii */

struct fixture {
	struct cpython python;
	struct code_objects *codes;
	uint64_t code;
};

static void begin_test(struct fixture *fixture, const struct image_version *version)
{
	cpython_open(&fixture->python, version, CACHE_SIZE);
	cr_assert_eq(code_objects_new(&fixture->codes), 0);
	fixture->code = cpython_code(&fixture->python, "Api.fetch", "/srv/app.py", 120);
}

static void end_test(struct fixture *fixture)
{
	code_objects_free(fixture->codes);
	cpython_close(&fixture->python);
}

static struct code_object *find(struct fixture *fixture)
{
	memory_forget_all(fixture->python.memory);
	return code_objects_find(fixture->codes, &fixture->python.remote, fixture->code);
}

Test(code_object, has_names_and_lines)
{
	for (size_t v = 0; v < image_version_count; v++) {
		struct fixture fixture;
		struct code_object *code;

		begin_test(&fixture, &image_versions[v]);
		code = find(&fixture);
		cr_assert_not_null(code);
		cr_expect_eq(code->address, fixture.code);
		cr_expect_str_eq(code->name, "fetch");
		cr_expect_str_eq(code->qualname, "Api.fetch");
		cr_expect_str_eq(code->file, "/srv/app.py");
		cr_expect_eq(code->first_line, 120);
		cr_expect_eq(code->flags, CODE_GENERATOR);
		cr_expect_eq(code->line_bytes, 2 * IMAGE_UNITS);
		for (int round = 0; round < 2; round++)
			for (uint32_t unit = 0; unit < IMAGE_UNITS; unit++)
				cr_expect_eq(code_object_line(code, unit * IMAGE_UNIT_BYTES),
					     120 + unit);
		cr_expect_eq(code_object_line(code, IMAGE_UNITS * IMAGE_UNIT_BYTES), 0);
		cr_expect_eq(code_object_line(code, 0x10000000), 0);
		cr_expect_eq(code_object_line(code, NO_INSTRUCTION), 0);
		cr_expect_null(code->variables);
		end_test(&fixture);
	}
}

Test(code_object, is_read_once)
{
	struct fixture fixture;
	struct code_object *code;

	begin_test(&fixture, image_version("3.14.10"));
	code = find(&fixture);
	memory_forget_all(fixture.python.memory);
	cr_expect_eq(code_objects_find(fixture.codes, &fixture.python.remote, fixture.code), code);
	end_test(&fixture);
}

/* The address was given back and taken again: whoever holds the old one keeps it. */
Test(code_object, is_another_one_when_its_names_are)
{
	struct fixture fixture;
	struct code_object *code, *other;
	const struct layout *layout;
	char *name;

	begin_test(&fixture, image_version("3.14.10"));
	layout = &fixture.python.remote.layout;
	code = find(&fixture);
	name = strdup(code->name);
	put64(fixture.code + layout->code_name, get64(fixture.code + layout->code_filename));
	memory_forget_all(fixture.python.memory);
	other = code_objects_find(fixture.codes, &fixture.python.remote, fixture.code);
	cr_assert_not_null(other);
	cr_assert_neq(other, code);
	cr_expect_str_eq(other->name, code->file);
	cr_expect_str_eq(code->name, name);
	free(name);
	end_test(&fixture);
}

Test(code_object, is_found_among_many)
{
	enum { MANY = 3000 };
	static uint64_t at[MANY];
	struct fixture fixture;
	char name[32];

	begin_test(&fixture, image_version("3.12.1"));
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		at[i] = cpython_code(&fixture.python, name, "f.py", (uint32_t)i + 1);
	}
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < MANY; i++) {
			struct code_object *code =
				code_objects_find(fixture.codes, &fixture.python.remote, at[i]);

			snprintf(name, sizeof(name), "f%d", i);
			cr_assert_not_null(code);
			cr_assert_str_eq(code->qualname, name);
			cr_assert_eq(code->first_line, (uint32_t)i + 1);
		}
	}
	end_test(&fixture);
}

Test(code_object, has_variables_when_asked)
{
	for (size_t v = 0; v < image_version_count; v++) {
		struct fixture fixture;
		struct code_object *code;

		begin_test(&fixture, &image_versions[v]);
		code = find(&fixture);
		for (int round = 0; round < 2; round++) {
			cr_assert_eq(code_object_read_variables(code, &fixture.python.remote), 0);
			cr_assert_eq(code->variable_count, IMAGE_LOCALS);
			cr_expect_str_eq(code->variables[0], "a");
			cr_expect_str_eq(code->variables[1], "b");
			cr_expect_eq(code->variable_kinds[0], 0x20);
			cr_expect_eq(code->variable_kinds[1], LOCAL_CELL);
		}
		end_test(&fixture);
	}
}

Test(code_object, may_have_no_variables)
{
	struct fixture fixture;
	struct code_object *code;
	struct value_layout *values = &fixture.python.remote.inner.values;

	begin_test(&fixture, image_version("3.13.0"));
	put32(fixture.code + values->code_nlocalsplus, 0);
	put64(fixture.code + values->code_localsplusnames, cpython_tuple(&fixture.python, NULL, 0));
	put64(fixture.code + values->code_localspluskinds, cpython_bytes(&fixture.python, "", 0));
	code = find(&fixture);
	cr_assert_not_null(code);
	cr_expect_eq(code_object_read_variables(code, &fixture.python.remote), 0);
	cr_expect_eq(code->variable_count, 0);
	end_test(&fixture);
}

/* Names are any text. */
Test(code_object, has_names_in_utf8)
{
	struct fixture fixture;
	struct code_object *code;
	uint64_t name;

	begin_test(&fixture, image_version("3.11.2"));
	name = cpython_str(&fixture.python, "");
	put32(name + UNICODE_STATE, LATIN);
	put64(name + UNICODE_LENGTH, 3);
	memcpy((void *)(name + fixture.python.remote.layout.compact_size), "\xe9t\xe9", 3);
	put64(fixture.code + fixture.python.remote.layout.code_qualname, name);
	put64(fixture.code + fixture.python.remote.layout.code_filename,
	      cpython_str(&fixture.python, ""));
	code = find(&fixture);
	cr_assert_not_null(code);
	cr_expect_str_eq(code->qualname, "\xc3\xa9t\xc3\xa9");
	cr_expect_str_eq(code->file, "");
	end_test(&fixture);
}

Test(code_object, with_long_names_is_cut_as_in_a_trace)
{
	struct fixture fixture;
	struct code_object *code;
	char text[2001];

	begin_test(&fixture, image_version("3.15.2"));
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	put64(fixture.code + fixture.python.remote.layout.code_name,
	      cpython_str(&fixture.python, text));
	put64(fixture.code + fixture.python.remote.layout.code_filename,
	      cpython_str(&fixture.python, text));
	code = find(&fixture);
	cr_assert_not_null(code);
	cr_expect_eq(strlen(code->name), 255);
	cr_expect_eq(strlen(code->file), 511);
	end_test(&fixture);
}

/* --- what is none, or makes no sense --- */

Test(code_object, is_not_found_where_there_is_none)
{
	static const uint64_t addresses[] = { 0, 8, 1ull << 47, UINT64_MAX - 64, UINT64_MAX };
	struct fixture fixture;

	begin_test(&fixture, image_version("3.13.5"));
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		fixture.code = addresses[i];
		cr_expect_null(find(&fixture), "%llx", (unsigned long long)addresses[i]);
	}
	fixture.code = cpython_new(&fixture.python, 512); /* zeros */
	cr_expect_null(find(&fixture));
	fixture.code = cpython_gen(&fixture.python, KIND_GENERATOR,
				   cpython_code(&fixture.python, "f", "f.py", 1));
	cr_expect_null(find(&fixture));
	end_test(&fixture);
}

Test(code_object, without_one_of_its_names_is_none)
{
	for (size_t v = 0; v < image_version_count; v++) {
		for (int field = 0; field < 4; field++) {
			struct fixture fixture;
			const struct layout *layout = &fixture.python.remote.layout;
			uint64_t number, at;

			begin_test(&fixture, &image_versions[v]);
			number = cpython_int(&fixture.python, 7);
			at = fixture.code + (uint64_t[]){ layout->code_name, layout->code_qualname,
							  layout->code_filename,
							  layout->code_linetable }[field];
			put64(at, 0);
			cr_expect_null(find(&fixture), "field %d", field);
			put64(at, 1ull << 50);
			cr_expect_null(find(&fixture), "field %d", field);
			if (field < 3) {
				put64(at, number);
				cr_expect_null(find(&fixture), "field %d", field);
			}
			end_test(&fixture);
		}
	}
}

/* What could not be read is not remembered: it may be whole at the next look. */
Test(code_object, is_found_once_it_is_whole)
{
	struct fixture fixture;
	uint64_t at, name;

	begin_test(&fixture, image_version("3.13.5"));
	at = fixture.code + fixture.python.remote.layout.code_qualname;
	name = get64(at);
	put64(at, 0);
	cr_assert_null(find(&fixture));
	put64(at, name);
	cr_assert_not_null(find(&fixture));
	end_test(&fixture);
}

Test(code_object, with_a_hostile_line_table_is_none)
{
	static const uint64_t sizes[] = { UINT64_MAX, 1ull << 63, 1ull << 40, (1 << 22) + 1 };
	struct fixture fixture;
	struct code_object *code;
	uint64_t table, empty;

	begin_test(&fixture, image_version("3.14.0"));
	table = get64(fixture.code + fixture.python.remote.layout.code_linetable);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		put64(table + PYVAROBJECT_SIZE, sizes[i]);
		cr_expect_null(find(&fixture), "%llx", (unsigned long long)sizes[i]);
	}
	empty = cpython_new_pages(&fixture.python, 4096); /* ends before it says */
	put64(empty + PYVAROBJECT_SIZE, 4097);
	put64(fixture.code + fixture.python.remote.layout.code_linetable, empty);
	cr_expect_null(find(&fixture));
	put64(empty + PYVAROBJECT_SIZE, 0);
	code = find(&fixture);
	cr_assert_not_null(code);
	cr_expect_eq(code_object_line(code, 0), 0);
	end_test(&fixture);
}

/* The tuple of names, the bytes of kinds and the count must agree. */
Test(code_object, with_hostile_counts_has_no_variables)
{
	static const uint32_t counts[] = { 0, 1, 3, 65537, 0x7fffffff, 0x80000000, UINT32_MAX };

	for (size_t v = 0; v < image_version_count; v++) {
		for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
			struct fixture fixture;
			const struct value_layout *values = &fixture.python.remote.inner.values;
			struct code_object *code;
			uint64_t names, kinds;

			begin_test(&fixture, &image_versions[v]);
			code = find(&fixture);
			names = get64(fixture.code + values->code_localsplusnames);
			kinds = get64(fixture.code + values->code_localspluskinds);
			put32(fixture.code + values->code_nlocalsplus, counts[i]);
			memory_forget_all(fixture.python.memory);
			cr_expect_eq(code_object_read_variables(code, &fixture.python.remote),
				     -EFAULT);
			put64(names + PYVAROBJECT_SIZE, counts[i]);
			memory_forget_all(fixture.python.memory);
			cr_expect_eq(code_object_read_variables(code, &fixture.python.remote),
				     -EFAULT);
			if (counts[i] > 65536)
				put64(kinds + PYVAROBJECT_SIZE, counts[i]);
			memory_forget_all(fixture.python.memory);
			cr_expect_eq(code_object_read_variables(code, &fixture.python.remote),
				     -EFAULT);
			cr_expect_null(code->variables);
			end_test(&fixture);
		}
	}
}

/* Whoever asks again is told the same, not that all is well. */
Test(code_object, with_a_name_that_is_no_text_has_no_variables)
{
	struct fixture fixture;
	struct code_object *code;
	uint64_t names;

	begin_test(&fixture, image_version("3.13.0"));
	code = find(&fixture);
	names = get64(fixture.code + fixture.python.remote.inner.values.code_localsplusnames);
	put64(names + fixture.python.remote.inner.values.tuple_items + 8,
	      cpython_int(&fixture.python, 3));
	memory_forget_all(fixture.python.memory);
	cr_expect_eq(code_object_read_variables(code, &fixture.python.remote), -EFAULT);
	cr_expect_eq(code_object_read_variables(code, &fixture.python.remote), -EFAULT);
	end_test(&fixture);
}

Test(code_object, whose_variables_could_not_be_read_may_be_asked_again)
{
	struct fixture fixture;
	struct code_object *code;
	uint64_t field, names;

	begin_test(&fixture, image_version("3.13.0"));
	code = find(&fixture);
	field = get64(fixture.code + fixture.python.remote.inner.values.code_localsplusnames) +
		fixture.python.remote.inner.values.tuple_items;
	names = get64(field);
	put64(field, 0);
	memory_forget_all(fixture.python.memory);
	cr_assert_eq(code_object_read_variables(code, &fixture.python.remote), -EFAULT);
	put64(field, names);
	memory_forget_all(fixture.python.memory);
	cr_assert_eq(code_object_read_variables(code, &fixture.python.remote), 0);
	cr_assert_not_null(code->variables[0]);
	cr_expect_str_eq(code->variables[0], "a");
	cr_assert_not_null(code->variables[1]);
	cr_expect_str_eq(code->variables[1], "b");
	end_test(&fixture);
}

Test(code_object, that_was_never_there)
{
	code_objects_free(NULL);
}
