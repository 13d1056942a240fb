/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_PYTHON_VALUE_INTERNAL_H
#define GENSCOPE_PYTHON_VALUE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "python/value.h"

/* What the files of the value decoder, value*.c and locals.c, share. */

#define VALUE_DEPTH_MAX 64 /* whatever the limits say: what is on the stack is bounded */
#define VALUE_CUT       "\xe2\x80\xa6" /* … */

/* One value_repr() under way. */
struct reader {
	struct remote *remote;
	const struct value_limits *limits;
	struct buffer *out;
	uint64_t within[VALUE_DEPTH_MAX]; /* the containers that are open */
	uint32_t depth;
	uint64_t work; /* that may still be done, see value_spend() */
	bool truncated;
	bool unreadable; /* something in it was */
};

/* Appends the repr of one object: text and flags tell of what went wrong. */
void value_put(struct reader *reader, uint64_t address);

/* Counts work against what one value may cost in all, so that no memory, however it is linked, keeps us
 * for long. False: it is used up. */
bool value_spend(struct reader *reader, uint64_t work);

/* Takes back what was appended since the text was so long. */
void value_take_back(struct buffer *out, size_t size);

/* "…", and says so. */
void value_cut(struct reader *reader);

/* A copy of some values only: what it lacks was cut off, not torn. */
bool value_is_copy(const struct remote *remote);

/* Minor version of Python 3. */
unsigned int value_minor(const struct remote *remote);

/* Each appends what repr() says of an object of its type; < 0 when it makes no sense: then what was
 * appended is taken back. */
int value_put_bool(struct reader *reader, uint64_t address);
int value_put_int(struct reader *reader, uint64_t address);
int value_put_float(struct reader *reader, uint64_t address);
int value_put_complex(struct reader *reader, uint64_t address);
int value_put_str(struct reader *reader, uint64_t address);
int value_put_bytes(struct reader *reader, uint64_t address);
int value_put_list(struct reader *reader, uint64_t address);
int value_put_tuple(struct reader *reader, uint64_t address);
int value_put_set(struct reader *reader, uint64_t address);
int value_put_frozenset(struct reader *reader, uint64_t address);
int value_put_dict(struct reader *reader, uint64_t address);
int value_put_object(struct reader *reader, uint64_t address);

/* A float as float.__repr__() has it; FLOAT_REPR_MAX bytes. For the parts of a complex without ".0" and,
 * if asked for, with a "+". */
#define FLOAT_REPR_MAX 40
enum { FLOAT_POINT = 1, FLOAT_PLUS = 2 };
void value_float_text(double value, unsigned int flags, char *out);

/* Where a str keeps its characters. */
struct text_view {
	uint64_t data, length;
	uint8_t width; /* bytes a character */
};

/* -EFAULT: no str lies there. */
int value_text_open(struct remote *remote, uint64_t address, struct text_view *out);

/* Copies characters, returns how many: fewer than asked for only where a copy ends. < 0: unreadable. */
int value_text_points(struct remote *remote, const struct text_view *view, uint64_t first,
		      uint32_t *out, uint32_t count);

/* The entries of a dict, in its order. */
struct dict_walk {
	uint64_t used; /* how many there should be */
	uint64_t entries, end, at;
	uint64_t values; /* of a split table, else 0 */
	uint8_t entry_bytes;
	uint8_t order[256]; /* of a split table: entries by insertion */
};

int value_dict_open(struct remote *remote, uint64_t dict, struct dict_walk *out);

/* 1 and the next entry (*value is 0: it was deleted), 0 at the end, -EFAULT. */
int value_dict_next(struct remote *remote, struct dict_walk *walk, uint64_t *key, uint64_t *value);

/* Is that type's name known already? */
bool value_class_is_cached(const struct remote *remote, uint64_t type);

#endif
