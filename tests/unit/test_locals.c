/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "python/locals.h"
#include "value_images.h"
#include "value_world.h"

static const struct locals_options all = { .limits = { 2, 16, 128 } };

static void free_code(struct code_object *code)
{
	for (uint32_t i = 0; code->variables && i < code->variable_count; i++)
		free(code->variables[i]);
	free(code->variables);
	free(code->variable_kinds);
}

static char *joined(const struct local_list *list)
{
	struct buffer out = { 0 };

	buffer_puts(&out, "");
	for (size_t i = 0; i < list->count; i++) {
		const struct local *local = &list->at[i];

		buffer_printf(&out, "%s: %s\n", local->name, local->repr);
		if (strspn(local->repr, "-0123456789") == strlen(local->repr))
			cr_expect_str_eq(local->type, "int");
		if (!strcmp(local->repr, "None"))
			cr_expect_str_eq(local->type, "NoneType");
	}
	return out.text;
}

Test(locals, are_those_that_inspect_shows)
{
	struct world world;

	for (size_t i = 0; i < IMAGES; i++) {
		world_open(&world, &images[i]);
		for (size_t j = 0; j < images[i].locals_count; j++) {
			const struct image_locals *known = &images[i].locals[j];
			struct code_object code = { .address = known->code };
			struct local_list list;
			char *text;

			cr_assert_eq(locals_read(&world.remote, &code, known->frame, &all, &list),
				     0);
			text = joined(&list);
			cr_expect_str_eq(text, known->text, "%s, %s: %s instead of %s",
					 images[i].version, known->function, text, known->text);
			cr_expect_not(list.truncated);
			free(text);
			locals_free(&list);
			free_code(&code);
		}
		world_close(&world);
	}
}

/* A frame with these slots, of a function with variables of these names and kinds. */
struct made {
	struct world world;
	struct code_object code;
	uint64_t frame;
};

static void make(struct made *made, const char *const *names, const uint8_t *kinds,
		 const uint64_t *slots, uint32_t count)
{
	uint64_t frame;

	frame = world_add(&made->world, VALUE_OTHER, slots, count) + 16;
	made->frame = frame - made->world.remote.inner.values.frame_localsplus;
	made->code = (struct code_object){ .variable_count = count };
	made->code.variables = calloc(count, sizeof(*made->code.variables));
	made->code.variable_kinds = malloc(count);
	for (uint32_t i = 0; i < count; i++)
		made->code.variables[i] = strdup(names[i]);
	memcpy(made->code.variable_kinds, kinds, count);
}

static uint64_t add_small(struct made *made, uint64_t value)
{
	uint64_t tag = made->world.remote.inner.values.long_is_tagged ? 1 << 3 : 1;

	return world_add(&made->world, VALUE_INT, (uint64_t[]){ tag, value }, 2);
}

static void expect_locals(struct made *made, const struct locals_options *options,
			  const char *expected, bool truncated)
{
	struct local_list list;
	char *text;

	cr_assert_eq(locals_read(&made->world.remote, &made->code, made->frame, options, &list), 0);
	text = joined(&list);
	cr_expect_str_eq(text, expected, "%s: %s instead of %s", made->world.image->version, text,
			 expected);
	cr_expect_eq(list.truncated, truncated);
	free(text);
	locals_free(&list);
	free_code(&made->code);
	world_close(&made->world);
}

/* Until 3.12 one slot after the other is put into a dict, or taken out of it, and hidden ones last
 * (Objects/frameobject.c, _PyFrame_GetLocals()); from 3.13 on the first bound one counts
 * (framelocalsproxy_getkeyindex()). */
Test(locals, have_each_name_once)
{
	static const char *const names[] = { "first", "last", "both",   "first",
					     "last",  "both", "hidden", "hidden" };
	static const uint8_t kinds[] = {
		0x20, 0x20, 0x20, LOCAL_CELL, LOCAL_FREE, LOCAL_CELL, LOCAL_HIDDEN | 0x20, 0x20
	};

	for (unsigned int minor = 11; minor <= 15; minor++) {
		struct made made;
		uint64_t slots[8] = { 0 };

		world_open(&made.world, image_of(minor));
		slots[0] = add_small(&made, 1);
		slots[4] = add_small(&made, 2);
		slots[2] = add_small(&made, 3);
		slots[5] = add_small(&made, 4);
		slots[6] = add_small(&made, minor >= 13 ? 6 : 5);
		slots[7] = add_small(&made, 7);
		make(&made, names, kinds, slots, 8);
		expect_locals(&made, &all,
			      minor >= 13 ? "first: 1\nboth: 3\nlast: 2\nhidden: 6\n" :
					    "both: 4\nlast: 2\nhidden: 5\n",
			      false);
	}
}

Test(locals, look_into_cells_of_their_own_only)
{
	static const char *const names[] = { "cell", "free", "bare", "argument", "empty" };
	static const uint8_t kinds[] = { LOCAL_CELL, LOCAL_FREE, LOCAL_CELL, 0x20, LOCAL_CELL };

	for (unsigned int minor = 11; minor <= 15; minor++) {
		uint64_t slots[5] = { 0 };
		char expected[128];
		struct made made;

		world_open(&made.world, image_of(minor));
		slots[2] = add_small(&made, 9);
		slots[0] = world_add(&made.world, VALUE_CELL, &slots[2], 1);
		slots[1] = slots[0];
		slots[3] = slots[0];
		slots[4] = world_add(&made.world, VALUE_CELL, (uint64_t[]){ 0 }, 1);
		make(&made, names, kinds, slots, 5);
		snprintf(expected, sizeof(expected),
			 "cell: 9\nfree: 9\nbare: 9\nargument: <cell object at 0x%llx>\n",
			 (unsigned long long)slots[0]);
		expect_locals(&made, &all, expected, false);
	}
}

/* Include/internal/pycore_stackref.h, 3.14: low bits 1 for a borrowed reference, 3 for an int. */
Test(locals, untag_references)
{
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	static const uint8_t kinds[] = { 0x20, 0x20, 0x20, 0x20, 0x20 };

	for (unsigned int minor = 14; minor <= 15; minor++) {
		struct made made;
		uint64_t slots[5] = { 0, 1, 7 << 2 | 3, (uint64_t)-7 << 2 | 3, 0 };

		world_open(&made.world, image_of(minor));
		slots[4] = add_small(&made, 5) | 1;
		make(&made, names, kinds, slots, 5);
		expect_locals(&made, &all, "c: 7\nd: -7\ne: 5\n", false);
	}
}

Test(locals, stop_at_the_number_asked_for)
{
	static const char *const names[] = { "a", "b", "c" };
	static const uint8_t kinds[] = { 0x20, 0x20, 0x20 };

	for (uint32_t most = 1; most <= 4; most++) {
		struct locals_options options = { .limits = { 2, 16, 128 }, .names_max = most };
		uint64_t slots[3] = { 0 };
		struct made made;

		world_open(&made.world, image_of(13));
		slots[0] = add_small(&made, 1);
		slots[2] = add_small(&made, 2);
		make(&made, names, kinds, slots, 3);
		expect_locals(&made, &options, most == 1 ? "a: 1\n" : "a: 1\nc: 2\n", most == 1);
	}
}

Test(locals, keep_secrets)
{
	static const char *const names[] = { "Token", "plain" };
	static const uint8_t kinds[] = { 0x20, 0x20 };
	struct locals_options options = { .limits = { 2, 16, 128 }, .redact = true };
	struct local_list list;
	struct made made;
	uint64_t slots[2];

	world_open(&made.world, image_of(12));
	slots[0] = add_small(&made, 1);
	slots[1] = 0xdead000;
	make(&made, names, kinds, slots, 2);
	cr_assert_eq(locals_read(&made.world.remote, &made.code, made.frame, &options, &list), 0);
	cr_assert_eq(list.count, 2);
	cr_expect(list.at[0].redacted && !list.at[0].repr);
	cr_expect_not(list.at[1].redacted);
	cr_expect_str_eq(list.at[1].repr, "<unreadable at 0xdead000>");
	cr_expect_str_eq(list.at[1].type, "?");
	locals_free(&list);
	cr_expect_eq(locals_read(&made.world.remote, &made.code, 0xdead000, &options, &list),
		     -EFAULT);
	cr_expect_eq(list.count, 0);
	free_code(&made.code);
	world_close(&made.world);
}

Test(locals, know_what_is_secret)
{
	static const char *const secret[] = { "password",   "PASSWD",        "my_secret",
					      "tokens",     "apikey",        "API_KEY",
					      "x_ApiKey",   "Authorization", "cookies",
					      "credentials" };
	static const char *const open[] = { "",         "pass",   "word",  "api", "key",
					    "api__key", "author", "secre", "x" };

	for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
		cr_expect(locals_is_secret(secret[i]), "%s", secret[i]);
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		cr_expect_not(locals_is_secret(open[i]), "%s", open[i]);
}
