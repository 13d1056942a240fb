/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "python/value.h"
#include "python/value_internal.h"
#include "value_images.h"
#include "value_world.h"

static const struct value_limits usual = { VALUE_DEPTH_DEFAULT, VALUE_ITEMS_DEFAULT,
					   VALUE_STRING_DEFAULT };

static void check_case(struct world *world, const struct image_case *known)
{
	struct buffer out = { 0 };
	bool truncated = false;
	int err = value_repr(&world->remote, &known->limits, known->address, &out, &truncated);

	cr_expect_str_eq(out.text, known->repr, "%s: %s instead of %s", world->image->version,
			 out.text, known->repr);
	cr_expect_eq(err, 0, "%s: %s", world->image->version, known->repr);
	cr_expect_eq(truncated, known->truncated, "%s: truncated: %s", world->image->version,
		     known->repr);
	free(out.text);
}

Test(value, shows_what_repr_says)
{
	struct world world;

	for (size_t i = 0; i < IMAGES; i++) {
		world_open(&world, &images[i]);
		for (size_t j = 0; j < images[i].case_count; j++)
			check_case(&world, &images[i].cases[j]);
		world_close(&world);
	}
}

/* Or the test above would show less than it seems to. */
Test(value, is_tested_with_every_type)
{
	struct world world;

	for (size_t i = 0; i < IMAGES; i++) {
		bool seen[VALUE_TYPE_COUNT] = { 0 }, split = false;

		world_open(&world, &images[i]);
		for (size_t j = 0; j < images[i].case_count; j++) {
			uint64_t address = images[i].cases[j].address;
			uint8_t type = value_type(&world.remote, address);
			uint16_t values = world.remote.inner.values.dict_values;

			seen[type] = true;
			split |= type == VALUE_DICT &&
				 memory_u64(world.remote.memory, address + values);
		}
		for (int type = VALUE_OTHER; type < VALUE_CELL; type++)
			cr_expect(seen[type], "%s has nothing of type %d", images[i].version, type);
		cr_expect(split, "%s has no split dict", images[i].version);
		world_close(&world);
	}
}

/* Whatever piece is missing: nothing is read outside, and the text is one. */
Test(value, survives_missing_pieces)
{
	struct world world;

	for (size_t i = 0; i < IMAGES; i++) {
		world_open(&world, &images[i]);
		for (size_t j = 0; j < images[i].case_count; j++) {
			const struct image_case *known = &images[i].cases[j];
			struct buffer out = { 0 };
			bool truncated = false;
			int err;

			world_lose(&world, known->address);
			err = value_repr(&world.remote, &known->limits, known->address, &out,
					 &truncated);
			cr_assert_eq(err, -EFAULT);
			cr_assert_eq(strncmp(out.text, "<unreadable at 0x", 17), 0);
			world_find_again(&world);
			free(out.text);
		}
		world_close(&world);
	}
}

Test(value, survives_flipped_bytes)
{
	unsigned int seed = 20261122;
	struct world world;

	for (size_t i = 0; i < IMAGES; i++) {
		world_open(&world, &images[i]);
		for (int round = 0; round < 2000; round++) {
			const struct image_case *known =
				&images[i].cases[(size_t)rand_r(&seed) % images[i].case_count];
			struct buffer out = { 0 };
			bool truncated = false;

			world_spoil(&world, &seed);
			(void)value_repr(&world.remote, &known->limits, known->address, &out,
					 &truncated);
			cr_assert(out.text && strlen(out.text) == out.size);
			free(out.text);
		}
		world_close(&world);
	}
}

static char *repr(struct world *world, const struct value_limits *limits, uint64_t address, int err)
{
	struct buffer out = { 0 };
	bool truncated = false;

	cr_expect_eq(value_repr(&world->remote, limits, address, &out, &truncated), err);
	return out.text;
}

/* Not of this world: made of 3.14's structures by hand. */
Test(value, tells_nonsense_apart)
{
	static const uint64_t bad_ints[][3] = {
		{ 2 << 3, 1, 0 },             /* its highest digit is 0 */
		{ 1 << 3, 1u << 30, 0 },      /* no digit */
		{ 1 << 3 | 3, 1, 0 },         /* no sign */
		{ 1 << 3 | 1, 1, 0 },         /* zero, with a digit */
		{ 0, 1, 0 },                  /* not zero, without one */
		{ UINT64_MAX & ~3ull, 1, 0 }, /* too long */
	};
	struct world world;

	world_open(&world, image_of(14));
	for (size_t i = 0; i < sizeof(bad_ints) / sizeof(bad_ints[0]); i++) {
		uint64_t at = world_add(&world, VALUE_INT, bad_ints[i], 3);
		char *text = repr(&world, &usual, at, -EFAULT);

		cr_expect_eq(strncmp(text, "<unreadable at 0x", 17), 0, "%zu: %s", i, text);
		free(text);
	}
	world_close(&world);
}

/* Three of two keys. */
Test(value, believes_no_count_that_does_not_hold)
{
	struct world world;
	uint64_t set, table, one;
	char *text;

	world_open(&world, image_of(14));
	one = world_add(&world, VALUE_NONE, NULL, 0);
	table = world_add(&world, VALUE_OTHER,
			  (uint64_t[]){ one, 1, one, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 16);
	for (uint64_t used = 2; used <= 3; used++) {
		set = world_add(&world, VALUE_SET, (uint64_t[]){ used, used, 7, table + 16 }, 4);
		text = repr(&world, &usual, set, used == 2 ? 0 : -EFAULT);
		cr_expect_eq(strcmp(text, "{None, None}") == 0, used == 2, "%s", text);
		cr_expect_eq(strncmp(text, "<unreadable at 0x", 17) == 0, used == 3, "%s", text);
		free(text);
	}
	world_close(&world);
}

/* What looks like a type in all but its own type. */
Test(value, names_no_class_that_is_none)
{
	uint64_t words[128] = { 0 }, name[] = { 0x656d616e }, fake, object;
	struct world world;
	char *text;

	world_open(&world, image_of(14));
	words[1] = world_add(&world, VALUE_OTHER, name, 1) + 16;
	words[(168 - 16) / 8] = 1 << 12;
	fake = world_add(&world, VALUE_INT, words, 128);
	object = world_add(&world, VALUE_INT, words, 128);
	((uint64_t *)world.pieces[world.count + world.added - 1].bytes)[1] = fake;
	cr_expect_null(value_class(&world.remote, object));
	text = repr(&world, &usual, object, -EFAULT);
	cr_expect_eq(strncmp(text, "<unreadable at 0x", 17), 0, "%s", text);
	free(text);
	world_close(&world);
}

Test(value, shows_items_that_are_not_there)
{
	uint64_t good, words[4] = { 3, 0, 0, 0xdead000 };
	struct world world;
	char *text;

	world_open(&world, image_of(14));
	good = world_add(&world, VALUE_TUPLE, (uint64_t[]){ 3, UINT64_MAX, 0, 0xdead000, 0 }, 5);
	text = repr(&world, &usual, good, -EFAULT);
	cr_expect_str_eq(text, "(<NULL>, <unreadable at 0xdead000>, <NULL>)");
	free(text);
	/* A list whose items are gone is torn as a whole; a copy says that they were left out. */
	good = world_add(&world, VALUE_LIST, words, 4);
	text = repr(&world, &usual, good, -EFAULT);
	cr_expect_eq(strncmp(text, "<unreadable at 0x", 17), 0);
	free(text);
	world.remote.classes_memory = world.remote.memory;
	text = repr(&world, &usual, good, 0);
	cr_expect_str_eq(text, "[…]");
	free(text);
	world_close(&world);
}

/* Each list holds the next one sixty times over: 60^64 items. */
Test(value, gives_up_in_time)
{
	static const struct value_limits generous = { 64, 1000, 100 };
	struct world world;
	uint64_t next = 0;
	struct buffer out = { 0 };
	bool truncated = false;

	world_open(&world, image_of(14));
	for (int depth = 0; depth < 64; depth++) {
		uint64_t items[62];

		items[0] = 60;
		items[1] = UINT64_MAX;
		for (int i = 0; i < 60; i++)
			items[2 + i] = next;
		next = world_add(&world, VALUE_TUPLE, items, 62);
	}
	cr_assert_eq(value_repr(&world.remote, &generous, next, &out, &truncated), 0);
	cr_assert(truncated);
	cr_assert_lt(out.size, 64u << 20);
	free(out.text);
	world_close(&world);
}

Test(value, reads_integers_that_fit)
{
	static const struct {
		uint64_t tag, digits[2];
		int64_t value;
		int err;
	} known[] = {
		{ 1, { 0 }, 0, 0 },
		{ 1 << 3, { 42 }, 42, 0 },
		{ 1 << 3 | 2, { 42 }, -42, 0 },
		{ 2 << 3, { 1ull << 32 }, 1 << 30, 0 },
		{ 3 << 3, { 0x3fffffff3fffffff, 7 }, INT64_MAX, 0 },
		{ 3 << 3 | 2, { 0, 8 }, INT64_MIN, 0 },
		{ 3 << 3, { 0, 8 }, 0, -ERANGE },
		{ 3 << 3 | 2, { 1, 8 }, 0, -ERANGE },
		{ 3 << 3, { 0, 16 }, 0, -ERANGE },
		{ 4 << 3, { 0, 1ull << 32 }, 0, -ERANGE },
	};
	struct world world;
	int64_t value;

	world_open(&world, image_of(14));
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		uint64_t words[3] = { known[i].tag, known[i].digits[0], known[i].digits[1] };
		uint64_t at = world_add(&world, VALUE_INT, words, 3);

		value = 0;
		cr_expect_eq(value_integer(&world.remote, at, &value), known[i].err, "%zu", i);
		cr_expect_eq(value, known[i].value, "%zu", i);
	}
	cr_expect_eq(value_integer(&world.remote, 0xdead000, &value), -EFAULT);
	world_close(&world);
}

/* Any float reads back as itself, and no shorter text does: what repr() promises. */
Test(value, writes_floats_as_short_as_can_be)
{
	unsigned int seed = 20261122;
	char text[FLOAT_REPR_MAX], shorter[FLOAT_REPR_MAX];

	for (int round = 0; round < 20000; round++) {
		uint64_t bits = (uint64_t)rand_r(&seed) << 42 ^ (uint64_t)rand_r(&seed) << 21 ^
				(uint64_t)rand_r(&seed);
		size_t digits = 0;
		double value;

		memcpy(&value, &bits, sizeof(value));
		if (!isfinite(value))
			continue;
		value_float_text(value, FLOAT_POINT, text);
		cr_assert_eq(strtod(text, NULL), value, "%s", text);
		for (const char *at = text; *at && *at != 'e'; at++)
			digits += *at >= '0' && *at <= '9';
		if (digits < 3 || !strchr(text, 'e'))
			continue;
		snprintf(shorter, sizeof(shorter), "%.*e", (int)digits - 2, value);
		cr_assert_neq(strtod(shorter, NULL), value, "%s for %s", text, shorter);
	}
}

static uint64_t find_repr(struct world *world, const char *text)
{
	for (size_t i = 0; i < world->image->case_count; i++)
		if (!strcmp(world->image->cases[i].repr, text))
			return world->image->cases[i].address;
	cr_assert_fail("no %s", text);
	return 0;
}

Test(value, finds_in_dicts)
{
	struct world world;

	for (size_t i = 0; i < IMAGES; i++) {
		struct remote *remote = &world.remote;
		uint64_t mixed, split, found;
		int64_t number = 0;
		char *text;

		world_open(&world, &images[i]);
		mixed = find_repr(&world, "{'a': 1, 2: 'two', 'c': b'3'}");
		split = find_repr(&world, "{'first': 0, 'second': 'b', 'third': 3}");
		cr_expect_eq(value_integer(remote, value_dict_find(remote, mixed, "a"), &number),
			     0);
		cr_expect_eq(number, 1);
		cr_expect_eq(value_dict_find(remote, mixed, "b"), 0);
		cr_expect_eq(value_dict_find(remote, mixed, ""), 0);
		found = value_dict_find(remote, split, "second");
		text = repr(&world, &usual, found, 0);
		cr_expect_str_eq(text, "'b'");
		free(text);
		cr_expect_eq(value_dict_find(remote, found, "a"), 0);
		world_close(&world);
	}
}

Test(value, gives_text_without_quotes)
{
	struct buffer out = { 0 };
	struct world world;
	uint64_t at;

	for (size_t i = 0; i < IMAGES; i++) {
		world_open(&world, &images[i]);
		at = find_repr(&world, "\"it's\"");
		cr_expect_eq(value_text(&world.remote, at, 100, &out), 0);
		cr_expect_str_eq(out.text, "it's");
		buffer_clear(&out);
		cr_expect_eq(value_text(&world.remote, at, 2, &out), 0);
		cr_expect_str_eq(out.text, "it");
		buffer_clear(&out);
		at = find_repr(&world, "'a\\ud800b\\udfff'");
		cr_expect_eq(value_text(&world.remote, at, 100, &out), 0);
		cr_expect_str_eq(out.text, "a\xef\xbf\xbd"
					   "b\xef\xbf\xbd");
		buffer_clear(&out);
		at = find_repr(&world, "b'bytes'");
		cr_expect_eq(value_text(&world.remote, at, 100, &out), -EFAULT);
		cr_expect_str_eq(out.text, "");
		world_close(&world);
	}
	free(out.text);
}

Test(value, names_classes)
{
	struct world world;

	for (size_t i = 0; i < IMAGES; i++) {
		const char *first;

		world_open(&world, &images[i]);
		/* Types of the table themselves have no name in it: their objects are all that was copied. */
		cr_expect_null(value_class_of_type(&world.remote, 0xdead000));
		cr_expect_null(value_class(&world.remote, 0xdead000));
		for (size_t j = 0; j < images[i].case_count; j++) {
			const char *text = images[i].cases[j].repr,
				   *end = strstr(text, " object at 0x");

			if (*text != '<' || !end)
				continue;
			first = value_class(&world.remote, images[i].cases[j].address);
			cr_assert_not_null(first);
			cr_expect_eq(strlen(first), (size_t)(end - text - 1));
			cr_expect_eq(memcmp(first, text + 1, strlen(first)), 0);
			cr_expect_eq(first, value_class(&world.remote, images[i].cases[j].address));
		}
		world_close(&world);
	}
}

/* Values in a copy, classes in the process. */
Test(value, looks_for_classes_elsewhere)
{
	struct memory_piece head;
	struct memory *copy;
	struct world world;

	for (size_t i = 0; i < IMAGES; i++) {
		world_open(&world, &images[i]);
		for (size_t j = 0; j < images[i].case_count; j++) {
			const struct image_case *known = &images[i].cases[j];
			uint8_t bytes[16];
			char *text;

			if (!strstr(known->repr, " object at 0x") || *known->repr != '<')
				continue;
			cr_assert_eq(memory_read(world.memory, known->address, bytes, 16), 0);
			head = (struct memory_piece){ known->address, bytes, 16 };
			cr_assert_eq(memory_open_pieces(&head, 1, &copy), 0);
			world.remote.memory = copy;
			world.remote.classes_memory = world.memory;
			text = repr(&world, &usual, known->address, 0);
			cr_expect_str_eq(text, known->repr);
			free(text);
			memory_close(copy);
		}
		world_close(&world);
	}
}
