/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "python/layouts.h"
#include "python/locals.h"
#include "python/value.h"

/*
 * Values out of memory that nobody vouches for. The input is a program that writes that memory, so that
 * pointers, types and small numbers are as likely as they are in a heap (see write_words()). What must
 * hold of any memory is checked with abort().
 */

#define WORDS_MAX     2048
#define BASE          0x7f0000000000ull
#define VARIABLES     5
#define TEXT_MAX      (256u << 20)
#define CONTROL_BYTES 8

struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t take(struct input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->at++;
}

static uint64_t address_of(uint64_t word)
{
	return BASE + word % WORDS_MAX * sizeof(word);
}

static uint64_t type_address(uint8_t type)
{
	return BASE + WORDS_MAX * 16 + type * 512u;
}

/* A word each: its kind in two bits of the first byte, the rest by kind. */
static size_t write_words(struct input *input, uint64_t *words)
{
	size_t count = 0;

	while (input->left && count < WORDS_MAX) {
		uint8_t head = take(input);
		uint64_t word = head >> 2;

		switch (head & 3) {
		case 1:
			word = address_of(word << 8 | take(input));
			break;
		case 2:
			word = type_address((uint8_t)(word % VALUE_TYPE_COUNT));
			break;
		case 3:
			for (int i = 0; i < 8; i++)
				word = word << 8 | take(input);
			break;
		default:
			break;
		}
		words[count++] = word;
	}
	return count;
}

static void check_utf8(const char *text, size_t size)
{
	size_t at = 0;

	if (!text || text[size] || size > TEXT_MAX)
		abort();
	while (at < size) {
		uint8_t lead = (uint8_t)text[at];
		size_t more = lead < 0x80 ? 0 :
			      lead < 0xc2 ? 9 :
			      lead < 0xe0 ? 1 :
			      lead < 0xf0 ? 2 :
					    3;

		if (lead > 0xf4 || more > size - at - 1)
			abort();
		for (at++; more; more--)
			if (((uint8_t)text[at++] & 0xc0) != 0x80)
				abort();
	}
}

static void show(struct remote *remote, const struct value_limits *limits, uint64_t address)
{
	struct buffer out = { 0 };
	bool truncated = false;
	const char *name;
	int64_t number;
	int err = value_repr(remote, limits, address, &out, &truncated);

	if (err && err != -EFAULT)
		abort();
	if (err && !strstr(out.text, "<unreadable at 0x"))
		abort();
	check_utf8(out.text, out.size);
	if (strlen(out.text) != out.size)
		abort();
	buffer_clear(&out);
	if (!value_text(remote, address, limits->string, &out))
		check_utf8(out.text, out.size);
	free(out.text);
	(void)value_integer(remote, address, &number);
	(void)value_dict_find(remote, address, "x");
	name = value_class(remote, address);
	if (name)
		check_utf8(name, strlen(name));
}

static void show_locals(struct remote *remote, const struct value_limits *limits, uint64_t frame,
			uint8_t *kinds)
{
	static char *const names[VARIABLES] = { "a", "b", "a", "token", "b" };
	struct locals_options options = { .limits = *limits, .redact = true, .names_max = 3 };
	struct code_object code = { .variable_count = VARIABLES,
				    .variables = (char **)names,
				    .variable_kinds = kinds };
	struct local_list list;

	if (locals_read(remote, &code, frame, &options, &list))
		return;
	if (list.count > 3)
		abort();
	for (size_t i = 0; i < list.count; i++) {
		check_utf8(list.at[i].type, strlen(list.at[i].type));
		if (list.at[i].redacted == (list.at[i].repr != NULL))
			abort();
	}
	locals_free(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const uint32_t depths[] = { 0, 1, 2, 3, 5, 100, 2, 2 },
			      counts[] = { 0, 1, 16, 1000 };
	struct input input = { bytes, size };
	uint8_t control[CONTROL_BYTES];
	struct remote remote = { 0 };
	struct value_limits limits;
	uint64_t words[WORDS_MAX];
	struct memory_piece piece;
	uint8_t *copy;

	for (int i = 0; i < CONTROL_BYTES; i++)
		control[i] = take(&input);
	limits = (struct value_limits){ depths[control[0] & 7], counts[control[0] >> 3 & 3],
					counts[control[0] >> 5 & 3] };
	remote.version_hex = (0x030bu + control[1] % 5) << 16 | 0x0af0;
	if (layout_for_version(remote.version_hex, &remote.layout, NULL) ||
	    memory_layout_for_version(remote.version_hex, false, &remote.inner))
		abort();
	for (uint8_t type = VALUE_OTHER + 1; type < VALUE_TYPE_COUNT; type++)
		remote.value_types[type] = type_address(type);
	size = write_words(&input, words) * sizeof(*words);
	copy = malloc(size ? size : 1); /* of its own, and not a byte more */
	memcpy(copy, words, size);
	piece = (struct memory_piece){ BASE, copy, size };
	remote.class_names = class_names_new();
	if (!remote.class_names || memory_open_pieces(&piece, 1, &remote.memory))
		abort();
	if (control[1] & 0x80)
		remote.classes_memory = remote.memory;
	show(&remote, &limits, BASE);
	show(&remote, &limits, address_of(control[2]));
	(void)value_class_of_type(&remote, address_of(control[2]));
	show_locals(&remote, &limits, address_of(0), control + 3);
	class_names_free(remote.class_names);
	memory_close(remote.memory);
	free(copy);
	return 0;
}
