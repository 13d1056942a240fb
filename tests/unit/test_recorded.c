/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "model/recorded.h"
#include "python/memory_layouts.h"

/* The side tables of a recording: what they say, and what of them is not believed. */

static struct recorded *begin(void)
{
	struct recorded *recorded;

	cr_assert_eq(recorded_new(&recorded), 0);
	return recorded;
}

static void add_process(struct recorded *recorded, uint32_t pid, const char *comm,
			const char *command, size_t size)
{
	struct {
		struct recording_process about;
		char text[64];
	} table = { .about = { .process = 1, .pid = pid } };

	memcpy(table.about.comm, comm, strlen(comm)); /* it need not end with NUL */
	memcpy(table.text, command, size);
	cr_assert_eq(recorded_add(recorded, TABLE_PROCESS, &table, sizeof(table.about) + size), 0);
}

Test(recorded, knows_processes_by_what_they_were_called_last)
{
	struct recorded *recorded = begin();

	cr_expect_null(recorded_process_name(recorded, 7));
	add_process(recorded, 7, "python3", "python3 /srv/app.py and more", 19);
	cr_expect_str_eq(recorded_process_name(recorded, 7), "python3 /srv/app.py");
	add_process(recorded, 8, "0123456789abcdef", "", 0);
	cr_expect_str_eq(recorded_process_name(recorded, 8), "0123456789abcdef");
	add_process(recorded, 7, "sh", "sh", 2);
	cr_expect_str_eq(recorded_process_name(recorded, 7), "sh");
	add_process(recorded, 9, "", "", 0);
	cr_expect_null(recorded_process_name(recorded, 9), "no name is none");
	recorded_free(recorded);
	recorded_free(NULL);
}

static int add_image(struct recorded *recorded, uint32_t index, uint32_t version_hex, bool debug,
		     uint16_t off)
{
	struct recording_image image = { .index = index, .version_hex = version_hex };
	struct memory_layout layout;

	memset(image.version, 'x', sizeof(image.version));
	cr_assert_eq(memory_layout_for_version(0x030b02f0, debug, &layout), 0);
	image.image.values = layout.values;
	image.image.values.frame_localsplus += off;
	image.image.types[KIND_COROUTINE] = 0x1234;
	return recorded_add(recorded, TABLE_IMAGE, &image, sizeof(image));
}

Test(recorded, believes_an_image_that_is_laid_out_as_known)
{
	struct recorded *recorded = begin();
	const struct interpreter *interpreter;

	cr_assert_eq(add_image(recorded, 3, 0x030b02f0, false, 0), 0);
	interpreter = recorded_image(recorded, 3);
	cr_assert_not_null(interpreter);
	cr_expect_eq(interpreter->version_hex, 0x030b02f0);
	cr_expect_eq(interpreter->types[KIND_COROUTINE], 0x1234);
	cr_expect_eq(strnlen(interpreter->version, 24), 23, "text ends");
	cr_expect_null(recorded_image(recorded, 2));
	cr_expect_null(recorded_image(recorded, UINT32_MAX));
	/* an unknown version, another layout, an index out of range */
	cr_assert_eq(add_image(recorded, 4, 0x040002f0, false, 0), 0);
	cr_expect_null(recorded_image(recorded, 4));
	cr_assert_eq(add_image(recorded, 3, 0x030b02f0, false, 8), 0);
	cr_expect_null(recorded_image(recorded, 3), "the later word counts");
	cr_assert_eq(add_image(recorded, IMAGES_MAX, 0x030b02f0, false, 0), 0);
	cr_expect_null(recorded_image(recorded, IMAGES_MAX));
	recorded_free(recorded);
}

Test(recorded, knows_what_was_asked_for)
{
	const struct recording_wanted wanted = { .kinds = 6, .locals_rate = 3 };
	struct recorded *recorded = begin();

	cr_expect_eq(recorded_wanted(recorded)->locals_rate, 0);
	cr_assert_eq(recorded_add(recorded, TABLE_WANTED, &wanted, sizeof(wanted)), 0);
	cr_assert_eq(recorded_add(recorded, 99, "x", 1), 0, "an unknown table is none of ours");
	cr_expect_eq(recorded_wanted(recorded)->kinds, 6);
	cr_expect_eq(recorded_wanted(recorded)->locals_rate, 3);
	recorded_free(recorded);
}

Test(recorded, lists_processes_with_the_versions_of_their_interpreters)
{
	struct recorded *recorded = begin();
	struct recorded_process process;
	struct {
		struct recording_process about;
	} second = { .about = { .process = 2, .pid = 8, .image = 3, .comm = "worker" } };

	cr_expect_not(recorded_process_at(recorded, 0, &process));
	add_process(recorded, 7, "python3", "python3 a.py", 12);
	cr_assert_eq(recorded_add(recorded, TABLE_PROCESS, &second, sizeof(second)), 0);
	cr_assert_eq(add_image(recorded, 3, 0x030b02f0, false, 0), 0);
	cr_assert(recorded_process_at(recorded, 0, &process));
	cr_expect_eq(process.pid, 7);
	cr_expect_str_eq(process.name, "python3 a.py");
	cr_expect_null(process.version, "of its image nothing was told");
	cr_assert(recorded_process_at(recorded, 1, &process));
	cr_expect_eq(process.pid, 8);
	cr_expect_str_eq(process.name, "worker");
	/* as long as its field, and not ended there */
	cr_expect_str_eq(process.version, "xxxxxxxxxxxxxxxxxxxxxxxx");
	cr_expect_not(recorded_process_at(recorded, 2, &process));
	recorded_free(recorded);
}
