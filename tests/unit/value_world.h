/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TESTS_VALUE_WORLD_H
#define GENSCOPE_TESTS_VALUE_WORLD_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "python/layouts.h"
#include "python/remote.h"
#include "value_images.h"

/* A CPython of value_images.h, as something to read from, to which objects can be added. */

#define IMAGES       (sizeof(images) / sizeof(images[0]))
#define ADDED_MAX    256
#define ADDED_AT     0x4000000000ull
#define ADDED_STRIDE 4096

struct world {
	const struct python_image *image;
	struct remote remote;
	struct memory *memory;
	struct memory_piece *pieces; /* those added come last */
	size_t count, added;
	struct memory_piece lost; /* as it was, `lost_index` says which */
	size_t lost_index;
};

static inline uint8_t *bytes_of_hex(const char *hex, size_t size)
{
	uint8_t *bytes = malloc(size);
	unsigned int byte;

	for (size_t i = 0; i < size; i++) {
		cr_assert_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
		bytes[i] = (uint8_t)byte;
	}
	return bytes;
}

static inline void world_reopen(struct world *world)
{
	memory_close(world->memory);
	cr_assert_eq(memory_open_pieces(world->pieces, world->count + world->added, &world->memory),
		     0);
	world->remote.memory = world->memory;
}

static inline void world_open(struct world *world, const struct python_image *image)
{
	struct remote *remote = &world->remote;

	memset(world, 0, sizeof(*world));
	world->image = image;
	world->count = image->piece_count;
	world->pieces = calloc(world->count + ADDED_MAX, sizeof(*world->pieces));
	for (size_t i = 0; i < world->count; i++) {
		struct memory_piece *piece = &world->pieces[i];

		piece->address = image->pieces[i].address;
		piece->size = strlen(image->pieces[i].hex) / 2;
		piece->bytes = bytes_of_hex(image->pieces[i].hex, piece->size);
	}
	remote->version_hex = image->version_hex;
	memcpy(remote->value_types, image->types, sizeof(remote->value_types));
	cr_assert_eq(layout_for_version(image->version_hex, &remote->layout, NULL), 0);
	cr_assert_eq(memory_layout_for_version(image->version_hex, false, &remote->inner), 0);
	remote->class_names = class_names_new();
	world_reopen(world);
}

static inline void world_close(struct world *world)
{
	class_names_free(world->remote.class_names);
	memory_close(world->memory);
	for (size_t i = 0; i < world->count + world->added; i++)
		free((void *)world->pieces[i].bytes);
	free(world->pieces);
}

/* An object of that type, with these words behind its head. */
static inline uint64_t world_add(struct world *world, uint8_t type, const uint64_t *words,
				 size_t count)
{
	size_t size = 16 + count * sizeof(*words);
	uint64_t *bytes = malloc(size);
	uint64_t address = ADDED_AT + world->added * ADDED_STRIDE;

	cr_assert_lt(world->added, ADDED_MAX);
	bytes[0] = 1;
	bytes[1] = world->image->types[type];
	if (count)
		memcpy(bytes + 2, words, count * sizeof(*words));
	world->pieces[world->count + world->added++] =
		(struct memory_piece){ address, bytes, size };
	world_reopen(world);
	return address;
}

/* Takes away the piece that holds that address, until it is found again. Neighbours share a piece: what
 * lies before the address stays. */
static inline void world_lose(struct world *world, uint64_t address)
{
	for (size_t i = 0; i < world->count; i++) {
		struct memory_piece *piece = &world->pieces[i];

		if (address - piece->address >= piece->size)
			continue;
		world->lost = *piece;
		world->lost_index = i;
		piece->size = address - piece->address;
		break;
	}
	world_reopen(world);
}

static inline void world_find_again(struct world *world)
{
	world->pieces[world->lost_index] = world->lost;
	world_reopen(world);
}

/* Another value for one byte. */
static inline void world_spoil(struct world *world, unsigned int *seed)
{
	struct memory_piece *piece = &world->pieces[(size_t)rand_r(seed) % world->count];

	((uint8_t *)piece->bytes)[(size_t)rand_r(seed) % piece->size] = (uint8_t)rand_r(seed);
}

static inline const struct python_image *image_of(unsigned int minor)
{
	for (size_t i = 0; i < IMAGES; i++)
		if ((images[i].version_hex >> 16 & 0xff) == minor)
			return &images[i];
	cr_assert_fail("no image of 3.%u", minor);
	return NULL;
}

#endif
