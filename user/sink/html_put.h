/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_HTML_PUT_H
#define GENSCOPE_SINK_HTML_PUT_H

#include <stddef.h>
#include <stdint.h>

#include "sink/writer.h"

/* Values of the page's data: JSON that is fit for a <script> element. */

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Text of any length, in quotes; no `<` is in it. */
void put_page_string(struct writer *writer, const char *text);
void put_page_string_or_null(struct writer *writer, const char *text);

/* `before` is written as it is. */
void put_number(struct writer *writer, const char *before, uint64_t number);
void put_signed(struct writer *writer, int64_t number);
/* The number of a text or function; -1 for UINT32_MAX: there is none. */
void put_index(struct writer *writer, const char *before, uint32_t index);

/* A value of an item; of those that are told as differences, `before` is the item before it, or NULL. */
struct column {
	const char *name;
	int64_t (*of)(const void *item, const void *before);
};

/* "name":[…],"name":[…] of an array of `count` items of `size` bytes. */
void put_columns(struct writer *writer, const struct column *columns, size_t column_count,
		 const void *items, size_t count, size_t size);

/* Columns of a field: struct_field(). */
#define COLUMN(type, field)                                                                        \
	static int64_t type##_##field(const void *item, const void *before)                        \
	{                                                                                          \
		(void)before;                                                                      \
		return (int64_t)((const struct type *)item)->field;                                \
	}
#define COLUMN_RISING(type, field)                                                                 \
	static int64_t type##_##field(const void *item, const void *before)                        \
	{                                                                                          \
		return (int64_t)(((const struct type *)item)->field -                              \
				 (before ? ((const struct type *)before)->field : 0));             \
	}

#endif
