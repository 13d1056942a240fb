// SPDX-License-Identifier: MIT
/*
 * One value, whatever its type. The repr of each is in value_numbers.c, value_text.c,
 * value_containers.c; names of classes are in value_classes.c.
 *
 * A value is torn where it contradicts itself, as happens when the target changes it while it is read:
 * then what it seemed to say is taken back. In a copy of some values (remote.classes_memory tells) what
 * is missing inside a value was left out by who made the copy: it counts as past a limit.
 */
#include "python/value.h"

#include <errno.h>

#include "python/value_internal.h"

/* In units of a table entry looked at or a character: some 100 ms at worst. */
#define WORK_MAX       (1u << 21)
#define WORK_OF_OBJECT 4

bool value_spend(struct reader *reader, uint64_t work)
{
	if (work > reader->work) {
		reader->work = 0;
		return false;
	}
	reader->work -= work;
	return true;
}

void value_take_back(struct buffer *out, size_t size)
{
	out->size = size;
	if (out->text)
		out->text[size] = 0;
}

void value_cut(struct reader *reader)
{
	buffer_puts(reader->out, VALUE_CUT);
	reader->truncated = true;
}

bool value_is_copy(const struct remote *remote)
{
	return remote->classes_memory != NULL;
}

unsigned int value_minor(const struct remote *remote)
{
	return remote->version_hex >> 16 & 0xff;
}

static uint8_t type_of(const struct remote *remote, uint64_t type)
{
	for (uint8_t i = VALUE_OTHER + 1; type && i < VALUE_TYPE_COUNT; i++)
		if (remote->value_types[i] == type)
			return i;
	return VALUE_OTHER;
}

uint8_t value_type(struct remote *remote, uint64_t address)
{
	return type_of(remote, memory_u64(remote->memory, address + PYOBJECT_TYPE));
}

static int put_by_type(struct reader *reader, uint64_t address)
{
	static int (*const puts[VALUE_TYPE_COUNT])(struct reader * reader, uint64_t address) = {
		[VALUE_BOOL] = value_put_bool,   [VALUE_INT] = value_put_int,
		[VALUE_FLOAT] = value_put_float, [VALUE_COMPLEX] = value_put_complex,
		[VALUE_STR] = value_put_str,     [VALUE_BYTES] = value_put_bytes,
		[VALUE_LIST] = value_put_list,   [VALUE_TUPLE] = value_put_tuple,
		[VALUE_SET] = value_put_set,     [VALUE_FROZENSET] = value_put_frozenset,
		[VALUE_DICT] = value_put_dict,
	};
	uint64_t type;
	uint8_t known;

	if (memory_read(reader->remote->memory, address + PYOBJECT_TYPE, &type, sizeof(type)))
		return -EFAULT;
	known = type_of(reader->remote, type);
	if (known == VALUE_NONE || known == VALUE_ELLIPSIS) {
		buffer_puts(reader->out, known == VALUE_NONE ? "None" : "Ellipsis");
		return 0;
	}
	return puts[known] ? puts[known](reader, address) : value_put_object(reader, address);
}

void value_put(struct reader *reader, uint64_t address)
{
	size_t before = reader->out->size;

	if (!value_spend(reader, WORK_OF_OBJECT)) {
		value_cut(reader);
		return;
	}
	if (!put_by_type(reader, address))
		return;
	value_take_back(reader->out, before);
	if (reader->depth && value_is_copy(reader->remote)) {
		value_cut(reader);
		return;
	}
	buffer_printf(reader->out, "<unreadable at 0x%llx>", (unsigned long long)address);
	reader->unreadable = true;
}

int value_repr(struct remote *remote, const struct value_limits *limits, uint64_t address,
	       struct buffer *out, bool *truncated)
{
	struct reader reader = { .remote = remote, .limits = limits, .out = out, .work = WORK_MAX };

	value_put(&reader, address);
	if (reader.truncated)
		*truncated = true;
	return reader.unreadable ? -EFAULT : 0;
}
