// SPDX-License-Identifier: MIT
/*
 * Names of classes, as object.__repr__() says them (Objects/typeobject.c, object_repr(), type_module(),
 * type_qualname(), 3.11 to 3.15): of a class made at run time __module__ from its dict and its qualname,
 * unless the module is builtins or none; tp_name else, which has the module in it. Read once a type.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "python/value_internal.h"
#include "target/hash.h"

#define NAME_MAX_CHARACTERS 512
#define KEYS_LOOKED_AT      65536
#define MODULE_LOOKED_AT    4096 /* entries of a class, for its __module__ */
#define KEY_MAX             256

/* tp_flags (Include/object.h) */
#define TYPE_IS_HEAP      (1u << 9)
#define TYPE_IS_READY     (1u << 12)
#define TYPE_IS_METACLASS (1u << 31) /* Py_TPFLAGS_TYPE_SUBCLASS: its instances are types */

struct class_name {
	uint64_t type;
	char *name;
};

struct class_names {
	struct class_name *slots; /* open addressing */
	size_t room, count;       /* room is a power of two */
};

struct class_names *class_names_new(void)
{
	return calloc(1, sizeof(struct class_names));
}

void class_names_free(struct class_names *names)
{
	if (!names)
		return;
	for (size_t i = 0; i < names->room; i++)
		free(names->slots[i].name);
	free(names->slots);
	free(names);
}

/* The slot of that type, or the free one where it belongs. */
static struct class_name *find_slot(struct class_name *slots, size_t room, uint64_t type)
{
	size_t at = hash_address(type) & (room - 1);

	while (slots[at].name && slots[at].type != type)
		at = (at + 1) & (room - 1);
	return &slots[at];
}

static int grow(struct class_names *names)
{
	size_t room = names->room ? names->room * 2 : 64;
	struct class_name *slots = calloc(room, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < names->room; i++)
		if (names->slots[i].name)
			*find_slot(slots, room, names->slots[i].type) = names->slots[i];
	free(names->slots);
	names->slots = slots;
	names->room = room;
	return 0;
}

static const char *find(const struct class_names *names, uint64_t type)
{
	return names && names->room ? find_slot(names->slots, names->room, type)->name : NULL;
}

/* Takes the name over. */
static const char *keep(struct class_names *names, uint64_t type, char *name)
{
	if (names->count * 2 >= names->room && grow(names)) {
		free(name);
		return NULL;
	}
	*find_slot(names->slots, names->room, type) = (struct class_name){ type, name };
	names->count++;
	return name;
}

static bool key_is(struct remote *remote, uint64_t key, const char *text, uint64_t length)
{
	struct text_view view;
	char bytes[KEY_MAX];

	return !value_text_open(remote, key, &view) && view.width == 1 && view.length == length &&
	       !memory_read(remote->memory, view.data, bytes, length) &&
	       !memcmp(bytes, text, length);
}

/* *value is 0: it is not there. */
static int dict_find(struct remote *remote, uint64_t dict, const char *text, uint32_t most,
		     uint64_t *value)
{
	uint64_t key, found, length = strlen(text);
	struct dict_walk walk;
	int err;

	*value = 0;
	if (length > KEY_MAX || value_dict_open(remote, dict, &walk))
		return -EFAULT;
	while (most-- && (err = value_dict_next(remote, &walk, &key, &found))) {
		if (err < 0)
			return err;
		if (!found || !key_is(remote, key, text, length))
			continue;
		*value = found;
		return 0;
	}
	return 0;
}

uint64_t value_dict_find(struct remote *remote, uint64_t dict, const char *key)
{
	uint64_t value;

	return value_type(remote, dict) != VALUE_DICT ||
			       dict_find(remote, dict, key, KEYS_LOOKED_AT, &value) ?
		       0 :
		       value;
}

/* How many of these bytes make one good UTF-8 sequence, 0: none. */
static size_t utf8_sequence(const unsigned char *at)
{
	size_t size = *at < 0x80 ? 1 : *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;

	if (*at > 0xf4 || (*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
	    (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f))
		return 0;
	for (size_t i = 1; i < size; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return size;
}

/* tp_name: UTF-8, or so we hope. */
static int put_type_name(struct remote *remote, uint64_t type, struct buffer *out)
{
	uint64_t name;
	unsigned char text[NAME_MAX_CHARACTERS + 4] = "";
	size_t size = 0, part;

	if (memory_read(remote->memory, type + remote->inner.values.type_name, &name, sizeof(name)))
		return -EFAULT;
	while (size < NAME_MAX_CHARACTERS &&
	       !memory_read(remote->memory, name + size, &text[size], 1) && text[size])
		size++;
	if (text[size] || !size) /* no end to be seen, or nothing before it */
		return -EFAULT;
	for (size_t at = 0; at < size; at += part ? part : 1) {
		part = utf8_sequence(text + at);
		if (part)
			buffer_put(out, (const char *)text + at, part);
		else
			buffer_put_point(out, UINT32_MAX);
	}
	return 0;
}

/* "module.qualname". -ENOENT: tp_name says it. */
static int put_qualified(struct remote *remote, uint64_t type, struct buffer *out)
{
	const struct value_layout *layout = &remote->inner.values;
	uint64_t dict, module, qualname;

	if (memory_read(remote->memory, type + layout->heap_type_qualname, &qualname,
			sizeof(qualname)) ||
	    memory_read(remote->memory, type + layout->type_dict, &dict, sizeof(dict)) ||
	    dict_find(remote, dict, "__module__", MODULE_LOOKED_AT, &module))
		return -EFAULT;
	if (!module || value_text(remote, module, NAME_MAX_CHARACTERS, out))
		return -ENOENT;
	if (out->failed || !strcmp(out->text, "builtins"))
		return -ENOENT;
	buffer_puts(out, ".");
	return value_text(remote, qualname, NAME_MAX_CHARACTERS, out);
}

/* Is it a type object? Its own type says so. */
static int read_flags(struct remote *remote, uint64_t type, uint64_t *flags)
{
	uint16_t at = remote->inner.values.type_flags;
	uint64_t metaclass, kind;

	if (memory_read(remote->memory, type + at, flags, sizeof(*flags)) ||
	    memory_read(remote->memory, type + PYOBJECT_TYPE, &metaclass, sizeof(metaclass)) ||
	    memory_read(remote->memory, metaclass + at, &kind, sizeof(kind)))
		return -EFAULT;
	return *flags & TYPE_IS_READY && kind & TYPE_IS_METACLASS ? 0 : -EFAULT;
}

/* All of a class from one memory. */
static int read_name(struct remote *remote, uint64_t type, struct buffer *out)
{
	uint64_t flags;

	if (read_flags(remote, type, &flags))
		return -EFAULT;
	if (flags & TYPE_IS_HEAP && !put_qualified(remote, type, out))
		return 0;
	buffer_clear(out);
	return put_type_name(remote, type, out);
}

bool value_class_is_cached(const struct remote *remote, uint64_t type)
{
	return find(remote->class_names, type) != NULL;
}

const char *value_class_of_type(struct remote *remote, uint64_t type)
{
	const char *name = find(remote->class_names, type);
	struct buffer out = { 0 };
	int err;

	if (name || !remote->class_names)
		return name;
	err = read_name(remote, type, &out);
	if (err && remote->classes_memory) {
		struct remote elsewhere = *remote;

		elsewhere.memory = remote->classes_memory;
		elsewhere.classes_memory = NULL;
		buffer_clear(&out);
		err = read_name(&elsewhere, type, &out);
	}
	if (err || out.failed || !out.text) {
		free(out.text);
		return NULL;
	}
	return keep(remote->class_names, type, out.text);
}

const char *value_class(struct remote *remote, uint64_t address)
{
	uint64_t type;

	if (memory_read(remote->memory, address + PYOBJECT_TYPE, &type, sizeof(type)))
		return NULL;
	return value_class_of_type(remote, type);
}

int value_put_object(struct reader *reader, uint64_t address)
{
	struct remote *remote = reader->remote;
	uint64_t type = memory_u64(remote->memory, address + PYOBJECT_TYPE);
	const char *name;

	if (!value_class_is_cached(remote, type) && !value_spend(reader, MODULE_LOOKED_AT)) {
		value_cut(reader);
		return 0;
	}
	name = value_class_of_type(remote, type);
	if (!name)
		return -EFAULT;
	buffer_printf(reader->out, "<%s object at 0x%llx>", name, (unsigned long long)address);
	return 0;
}
