// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "python/value_internal.h"

#define SIZE_SANE (1ull << 40)
#define BATCH     16 /* items or slots read at once */

/* PyDictObject and its parts (Include/cpython/dictobject.h, Include/internal/pycore_dict.h), where 3.11
 * to 3.15 agree; the rest is in struct value_layout. */
#define DICT_USED     16
#define KEYS_GENERAL  0 /* entries are hash, key, value; else key, value */
#define LOG2_SANE     40
#define SPLIT_MAX     254        /* more than SHARED_KEYS_MAX_SIZE (30) */
#define HASH_OF_DUMMY UINT64_MAX /* Objects/setobject.c: no key has the hash -1 */

/* Where inside another container: what it looks like from outside. */
struct brackets {
	const char *open, *close;
	const char *empty;
	const char *again; /* inside itself, as Py_ReprEnter() callers say it */
};

/* Opens a container. False: it has been shown already, because it is empty, open already or too deep. */
static bool enter(struct reader *reader, uint64_t address, uint64_t size,
		  const struct brackets *brackets)
{
	uint32_t most = reader->limits->depth;

	if (!size) {
		buffer_puts(reader->out, brackets->empty);
		return false;
	}
	for (uint32_t i = 0; i < reader->depth; i++) {
		if (reader->within[i] == address) {
			buffer_puts(reader->out, brackets->again);
			return false;
		}
	}
	buffer_puts(reader->out, brackets->open);
	if (reader->depth >= (most < VALUE_DEPTH_MAX ? most : VALUE_DEPTH_MAX)) {
		value_cut(reader);
		buffer_puts(reader->out, brackets->close);
		return false;
	}
	reader->within[reader->depth++] = address;
	return true;
}

static void leave(struct reader *reader, const struct brackets *brackets)
{
	reader->depth--;
	buffer_puts(reader->out, brackets->close);
}

static int give_up(struct reader *reader)
{
	reader->depth--;
	return -EFAULT;
}

/* Between two items; false: the next one is past the limit. */
static bool separate(struct reader *reader, uint64_t index)
{
	if (index)
		buffer_puts(reader->out, ", ");
	if (index < reader->limits->items && value_spend(reader, 1))
		return true;
	value_cut(reader);
	return false;
}

static void put_item(struct reader *reader, uint64_t item)
{
	if (item)
		value_put(reader, item);
	else
		buffer_puts(reader->out, "<NULL>"); /* Objects/object.c, PyObject_Repr() */
}

/* Pointers from an array, up to BATCH of them: 0 where a copy ends, < 0. */
static int read_items(struct reader *reader, uint64_t items, uint64_t count, uint64_t *out)
{
	struct memory *memory = reader->remote->memory;

	if (count > BATCH)
		count = BATCH;
	if (!memory_read(memory, items, out, count * sizeof(*out)))
		return (int)count;
	if (!value_is_copy(reader->remote))
		return -EFAULT;
	return memory_read(memory, items, out, sizeof(*out)) ? 0 : 1;
}

static int put_items(struct reader *reader, uint64_t items, uint64_t count)
{
	uint64_t batch[BATCH];
	int at = 0, got = 0;

	for (uint64_t i = 0; i < count; i++) {
		if (!separate(reader, i))
			return 0;
		if (at == got) {
			at = 0;
			got = read_items(reader, items + i * sizeof(*batch), count - i, batch);
			if (got < 0)
				return got;
			if (!got) {
				value_cut(reader);
				return 0;
			}
		}
		put_item(reader, batch[at++]);
	}
	return 0;
}

int value_put_list(struct reader *reader, uint64_t address)
{
	static const struct brackets brackets = { "[", "]", "[]", "[...]" };
	struct memory *memory = reader->remote->memory;
	uint64_t size, items;

	if (memory_read(memory, address + PYVAROBJECT_SIZE, &size, sizeof(size)) ||
	    memory_read(memory, address + LIST_ITEMS, &items, sizeof(items)) || size >= SIZE_SANE)
		return -EFAULT;
	if (!enter(reader, address, size, &brackets))
		return 0;
	if (put_items(reader, items, size))
		return give_up(reader);
	leave(reader, &brackets);
	return 0;
}

int value_put_tuple(struct reader *reader, uint64_t address)
{
	static const struct brackets brackets = { "(", ")", "()", "(...)" };
	static const struct brackets alone = { "(", ",)", "()", "(...)" };
	uint64_t size;

	if (memory_read(reader->remote->memory, address + PYVAROBJECT_SIZE, &size, sizeof(size)) ||
	    size >= SIZE_SANE)
		return -EFAULT;
	if (!enter(reader, address, size, &brackets))
		return 0;
	if (put_items(reader, address + reader->remote->inner.values.tuple_items, size))
		return give_up(reader);
	leave(reader, size == 1 && reader->limits->items ? &alone : &brackets);
	return 0;
}

struct slot {
	uint64_t key, hash;
};

/* Up to BATCH slots: 0 where a copy ends, < 0. */
static int read_slots(struct reader *reader, uint64_t table, uint64_t count, struct slot *out)
{
	struct memory *memory = reader->remote->memory;

	if (count > BATCH)
		count = BATCH;
	if (!memory_read(memory, table, out, count * sizeof(*out)))
		return (int)count;
	if (!value_is_copy(reader->remote))
		return -EFAULT;
	return memory_read(memory, table, out, sizeof(*out)) ? 0 : 1;
}

static int put_slots(struct reader *reader, uint64_t table, uint64_t slots, uint64_t used)
{
	struct slot batch[BATCH];
	uint64_t index = 0;
	int at = 0, got = 0;

	for (uint64_t i = 0; i < slots && index < used; i++) {
		if (at == got) {
			at = 0;
			got = read_slots(reader, table + i * sizeof(*batch), slots - i, batch);
			if (got < 0)
				return got;
			if (!got || !value_spend(reader, (uint64_t)got)) {
				if (index)
					buffer_puts(reader->out, ", ");
				value_cut(reader);
				return 0;
			}
		}
		if (batch[at].key && batch[at].hash != HASH_OF_DUMMY) {
			if (!separate(reader, index++))
				return 0;
			put_item(reader, batch[at].key);
		}
		at++;
	}
	return index == used ? 0 : -EFAULT;
}

static int put_any_set(struct reader *reader, uint64_t address, const struct brackets *brackets)
{
	const struct value_layout *layout = &reader->remote->inner.values;
	struct memory *memory = reader->remote->memory;
	uint64_t used, mask, table;

	if (memory_read(memory, address + layout->set_used, &used, sizeof(used)) ||
	    memory_read(memory, address + layout->set_mask, &mask, sizeof(mask)) ||
	    memory_read(memory, address + layout->set_table, &table, sizeof(table)) ||
	    mask >= SIZE_SANE || (mask & (mask + 1)) || used > mask)
		return -EFAULT;
	if (!enter(reader, address, used, brackets))
		return 0;
	if (put_slots(reader, table, mask + 1, used))
		return give_up(reader);
	leave(reader, brackets);
	return 0;
}

int value_put_set(struct reader *reader, uint64_t address)
{
	static const struct brackets brackets = { "{", "}", "set()", "set(...)" };

	return put_any_set(reader, address, &brackets);
}

int value_put_frozenset(struct reader *reader, uint64_t address)
{
	static const struct brackets brackets = { "frozenset({", "})", "frozenset()",
						  "frozenset(...)" };

	return put_any_set(reader, address, &brackets);
}

/* A split table's order (Include/internal/pycore_dict.h and Objects/dictobject.c,
 * get_index_from_order()): until 3.12 in the bytes before the values, backwards, after a size each of
 * the prefix and of the order; then behind as many values as the first byte says. */
static int read_order(struct remote *remote, struct dict_walk *walk)
{
	uint8_t capacity;

	if (walk->used > SPLIT_MAX)
		return -EFAULT;
	if (!remote->inner.values.values_first) {
		uint64_t end = walk->values - 2;

		if (memory_read(remote->memory, end - walk->used, walk->order, walk->used))
			return -EFAULT;
		for (uint64_t i = 0; i < walk->used / 2; i++) {
			uint8_t other = walk->order[walk->used - 1 - i];

			walk->order[walk->used - 1 - i] = walk->order[i];
			walk->order[i] = other;
		}
		return 0;
	}
	if (memory_read(remote->memory, walk->values, &capacity, sizeof(capacity)) ||
	    walk->used > capacity)
		return -EFAULT;
	walk->values += remote->inner.values.values_first;
	return memory_read(remote->memory, walk->values + capacity * 8ull, walk->order, walk->used);
}

int value_dict_open(struct remote *remote, uint64_t dict, struct dict_walk *out)
{
	const struct value_layout *layout = &remote->inner.values;
	struct memory *memory = remote->memory;
	uint8_t log2_size, log2_index, kind;
	uint64_t keys;

	memset(out, 0, sizeof(*out));
	if (memory_read(memory, dict + DICT_USED, &out->used, sizeof(out->used)) ||
	    memory_read(memory, dict + layout->dict_keys, &keys, sizeof(keys)) ||
	    memory_read(memory, dict + layout->dict_values, &out->values, sizeof(out->values)) ||
	    memory_read(memory, keys + layout->keys_log2_size, &log2_size, 1) ||
	    memory_read(memory, keys + layout->keys_log2_index_bytes, &log2_index, 1) ||
	    memory_read(memory, keys + layout->keys_kind, &kind, 1) ||
	    memory_read(memory, keys + layout->keys_nentries, &out->end, sizeof(out->end)))
		return -EFAULT;
	if (log2_size > LOG2_SANE || log2_index > LOG2_SANE || out->end > 1ull << log2_size ||
	    out->used > out->end)
		return -EFAULT;
	out->entries = keys + layout->keys_indices + (1ull << log2_index);
	out->entry_bytes = kind == KEYS_GENERAL ? 24 : 16;
	return out->values ? read_order(remote, out) : 0;
}

static int next_of_split(struct remote *remote, struct dict_walk *walk, uint64_t *key,
			 uint64_t *value)
{
	uint64_t index;

	if (walk->at == walk->used)
		return 0;
	index = walk->order[walk->at++];
	if (index >= walk->end || walk->entry_bytes != 16)
		return -EFAULT;
	if (memory_read(remote->memory, walk->entries + index * 16, key, sizeof(*key)) ||
	    memory_read(remote->memory, walk->values + index * 8, value, sizeof(*value)))
		return -EFAULT;
	return *value ? 1 : -EFAULT;
}

int value_dict_next(struct remote *remote, struct dict_walk *walk, uint64_t *key, uint64_t *value)
{
	uint64_t pair[2];

	if (walk->values)
		return next_of_split(remote, walk, key, value);
	if (walk->at == walk->end)
		return 0;
	if (memory_read(remote->memory,
			walk->entries + walk->at * walk->entry_bytes + walk->entry_bytes - 16, pair,
			sizeof(pair)))
		return -EFAULT;
	walk->at++;
	*key = pair[0];
	*value = pair[1];
	return 1;
}

static int put_entries(struct reader *reader, struct dict_walk *walk)
{
	uint64_t index = 0, key, value;

	while (index < walk->used) {
		int err = value_dict_next(reader->remote, walk, &key, &value);

		if (!err || (err < 0 && !value_is_copy(reader->remote)))
			return -EFAULT;
		if (err < 0 || !value_spend(reader, 1)) {
			if (index)
				buffer_puts(reader->out, ", ");
			value_cut(reader);
			return 0;
		}
		if (!value)
			continue;
		if (!separate(reader, index++))
			return 0;
		put_item(reader, key);
		buffer_puts(reader->out, ": ");
		put_item(reader, value);
	}
	return 0;
}

int value_put_dict(struct reader *reader, uint64_t address)
{
	static const struct brackets brackets = { "{", "}", "{}", "{...}" };
	struct dict_walk walk;
	uint64_t used;

	if (memory_read(reader->remote->memory, address + DICT_USED, &used, sizeof(used)) ||
	    used >= SIZE_SANE)
		return -EFAULT;
	if (!enter(reader, address, used, &brackets))
		return 0;
	if (value_dict_open(reader->remote, address, &walk)) {
		if (!value_is_copy(reader->remote))
			return give_up(reader);
		value_cut(reader);
	} else if (put_entries(reader, &walk)) {
		return give_up(reader);
	}
	leave(reader, &brackets);
	return 0;
}
