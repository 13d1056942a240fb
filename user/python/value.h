/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_PYTHON_VALUE_H
#define GENSCOPE_PYTHON_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "python/buffer.h"
#include "python/remote.h"

/*
 * Values as Python's own repr() shows them, out of memory: None, Ellipsis, bool, int, float, complex, str,
 * bytes, and list, tuple, set, frozenset, dict of those; anything else as
 * `<module.Class object at 0x…>`. Subclasses count as anything else: their repr may be code.
 *
 * The memory may be of a running process or a copy made by BPF, and any bytes are safe: every length is
 * checked before it is believed.
 */

#define VALUE_DEPTH_DEFAULT  2   /* containers in containers */
#define VALUE_ITEMS_DEFAULT  16  /* of each container */
#define VALUE_STRING_DEFAULT 128 /* characters of each str, bytes and int */

/* Names of classes read so far, see struct remote. */
struct class_names *class_names_new(void);        /* NULL: no memory */
void class_names_free(struct class_names *names); /* NULL is fine */

struct value_limits {
	uint32_t depth, items, string;
};

/* Appends the repr of the object at `address`. What is past a limit becomes `…` (a string is cut, its
 * closing quote stays) and sets *truncated, which is never cleared. An object that cannot be read, or
 * makes no sense, is `<unreadable at 0x…>` and -EFAULT. */
int value_repr(struct remote *remote, const struct value_limits *limits, uint64_t address,
	       struct buffer *out, bool *truncated);

/* The class of the object at `address`: "int", "collections.deque", "app.Api.Session" (module-qualified
 * but for builtins). Owned by `remote`. NULL when it cannot be read. */
const char *value_class(struct remote *remote, uint64_t address);

/* The same of a type object. */
const char *value_class_of_type(struct remote *remote, uint64_t type);

/* The object's enum value_type; VALUE_OTHER also when it cannot be read. */
uint8_t value_type(struct remote *remote, uint64_t address);

/* A str, as UTF-8 without quotes (U+FFFD for lone surrogates), at most `max` characters. -EFAULT when it is
 * none. */
int value_text(struct remote *remote, uint64_t address, uint32_t max, struct buffer *out);

/* An int that fits. -ERANGE, -EFAULT. */
int value_integer(struct remote *remote, uint64_t address, int64_t *out);

/* Looks a str key up in a dict by its text, by going through the entries: the value's address, 0 if it is
 * not there. For dicts of modest size. */
uint64_t value_dict_find(struct remote *remote, uint64_t dict, const char *key);

#endif
