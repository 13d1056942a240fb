// SPDX-License-Identifier: MIT
#include "model/group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "target/hash.h"
#include "records.h"

#define FIRST_SLOTS 256 /* a power of two */

struct entry {
	struct group group;
	uint64_t hash;
};

struct group_table {
	struct entry *entries;
	size_t count, room;
	uint32_t *slots; /* open addressing: 1 + index of an entry, 0 free */
	size_t slot_count;
	struct group *sorted;
	uint64_t objects;
};

int group_table_new(struct group_table **out)
{
	struct group_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->slot_count = FIRST_SLOTS;
	table->slots = calloc(table->slot_count, sizeof(*table->slots));
	if (!table->slots) {
		free(table);
		return -ENOMEM;
	}
	*out = table;
	return 0;
}

void group_table_free(struct group_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->count; i++)
		free((char *)table->entries[i].group.name); /* all its texts are in one piece */
	free(table->entries);
	free(table->slots);
	free(table->sorted);
	free(table);
}

static uint64_t hash_of(const struct group *key)
{
	uint64_t hash = hash_word((uint64_t)key->first_line << 32 | key->line,
				  (uint64_t)key->kind << 8 | key->state);

	hash = hash_text(hash, key->qualname);
	hash = hash_text(hash, key->file);
	return hash_text(hash, key->awaits ? key->awaits : "");
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool same_group(const struct group *a, const struct group *b)
{
	return a->line == b->line && a->first_line == b->first_line && a->kind == b->kind &&
	       a->state == b->state && same_text(a->qualname, b->qualname) &&
	       same_text(a->awaits, b->awaits) && same_text(a->file, b->file);
}

/* The slot that holds the key, or the free one where it belongs. */
static uint32_t *find_slot(const struct group_table *table, const struct group *key, uint64_t hash)
{
	for (size_t i = hash;; i++) {
		uint32_t *slot = &table->slots[i & (table->slot_count - 1)];
		const struct entry *entry;

		if (!*slot)
			return slot;
		entry = &table->entries[*slot - 1];
		if (entry->hash == hash && same_group(&entry->group, key))
			return slot;
	}
}

static int grow_slots(struct group_table *table)
{
	size_t count = table->slot_count * 2;
	uint32_t *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t k = 0; k < table->count; k++) {
		size_t i = table->entries[k].hash;

		while (slots[i & (count - 1)])
			i++;
		slots[i & (count - 1)] = (uint32_t)k + 1;
	}
	free(table->slots);
	table->slots = slots;
	table->slot_count = count;
	return 0;
}

static const char *move_text(char **out, const char *text)
{
	char *at = *out;

	if (!text)
		return NULL;
	*out = stpcpy(at, text) + 1;
	return at;
}

/* The key's texts belong to somebody else: they are copied, in one piece. */
static int copy_texts(struct group *key)
{
	size_t awaits = key->awaits ? strlen(key->awaits) + 1 : 0;
	char *out =
		malloc(strlen(key->name) + strlen(key->qualname) + strlen(key->file) + awaits + 3);

	if (!out)
		return -ENOMEM;
	key->name = move_text(&out, key->name);
	key->qualname = move_text(&out, key->qualname);
	key->file = move_text(&out, key->file);
	key->awaits = move_text(&out, key->awaits);
	return 0;
}

static int add_group(struct group_table *table, struct group *key, uint64_t hash)
{
	int err;

	if (table->count == table->room) {
		size_t room = table->room ? table->room * 2 : FIRST_SLOTS / 2;
		struct entry *entries = reallocarray(table->entries, room, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		table->entries = entries;
		table->room = room;
	}
	if (table->count * 2 >= table->slot_count) {
		err = grow_slots(table);
		if (err)
			return err;
	}
	err = copy_texts(key);
	if (err)
		return err;
	*find_slot(table, key, hash) = (uint32_t)table->count + 1;
	table->entries[table->count++] = (struct entry){ .group = *key, .hash = hash };
	return 0;
}

/* What is awaited, as said in a group: without anything that differs from object to object. */
static const char *awaits_of(const struct snapshot *snapshot, const struct snapshot_object *object)
{
	if (snapshot && object->awaits_kind == AWAITS_OBJECT &&
	    object->awaits < snapshot->object_count)
		return snapshot->objects[object->awaits].code->qualname;
	return object->awaits_kind == AWAITS_NOTHING ? NULL : object->awaits_class;
}

int group_table_add(struct group_table *table, const struct snapshot *snapshot,
		    const struct snapshot_object *object)
{
	struct group key = { .count = 1,
			     .name = object->code->name,
			     .qualname = object->code->qualname,
			     .file = object->code->file,
			     .awaits = awaits_of(snapshot, object),
			     .first_line = object->code->first_line,
			     .line = object->line,
			     .kind = object->kind,
			     .state = object->state };
	uint64_t hash = hash_of(&key);
	uint32_t *slot = find_slot(table, &key, hash);
	int err = 0;

	if (*slot)
		table->entries[*slot - 1].group.count++;
	else
		err = add_group(table, &key, hash);
	table->objects += !err;
	return err;
}

static int compare(const void *left, const void *right)
{
	const struct group *a = left, *b = right;
	int order;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	order = strcmp(a->file, b->file);
	if (!order)
		order = (a->line > b->line) - (a->line < b->line);
	if (!order)
		order = strcmp(a->qualname, b->qualname);
	if (!order)
		order = (a->kind * STATE_COUNT + a->state) - (b->kind * STATE_COUNT + b->state);
	if (!order)
		order = strcmp(a->awaits ? a->awaits : "", b->awaits ? b->awaits : "");
	return order ? order : (a->first_line > b->first_line) - (a->first_line < b->first_line);
}

const struct group *group_table_sorted(struct group_table *table, size_t *count)
{
	struct group *sorted = reallocarray(table->sorted, table->count + 1, sizeof(*sorted));

	*count = 0;
	if (!sorted)
		return NULL;
	table->sorted = sorted;
	for (size_t i = 0; i < table->count; i++)
		sorted[i] = table->entries[i].group;
	qsort(sorted, table->count, sizeof(*sorted), compare);
	*count = table->count;
	return sorted;
}

uint64_t group_table_objects(const struct group_table *table)
{
	return table->objects;
}
