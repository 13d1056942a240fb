// SPDX-License-Identifier: MIT
#include "sink/html_put.h"

#include <string.h>

#include "sink/json_put.h"
#include "sink/sink.h"

#define PIECE_BYTES 1024 /* of a text, escaped at a time */

static void put_escaped(struct writer *writer, const char *text, size_t size)
{
	for (size_t part; size; text += part, size -= part) {
		part = size < PIECE_BYTES ? size : PIECE_BYTES;
		/* not within a character */
		for (int i = 0; part < size && i < 3 && ((unsigned char)text[part] & 0xc0) == 0x80;
		     i++)
			part--;
		writer_used(writer, json_escape(writer_room(writer, 6 * PIECE_BYTES), text, part));
	}
}

void put_page_string(struct writer *writer, const char *text)
{
	size_t size;

	writer_puts(writer, "\"");
	for (;;) {
		size = strcspn(text, "<");
		put_escaped(writer, text, size);
		text += size;
		if (!*text)
			break;
		writer_puts(writer, "\\u003c");
		text++;
	}
	writer_puts(writer, "\"");
}

void put_page_string_or_null(struct writer *writer, const char *text)
{
	if (text)
		put_page_string(writer, text);
	else
		writer_puts(writer, "null");
}

void put_number(struct writer *writer, const char *before, uint64_t number)
{
	json_put_number(writer, before, number, false);
}

void put_signed(struct writer *writer, int64_t number)
{
	if (number < 0)
		writer_puts(writer, "-");
	put_number(writer, "", number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void put_index(struct writer *writer, const char *before, uint32_t index)
{
	writer_puts(writer, before);
	put_signed(writer, index == UINT32_MAX ? -1 : (int64_t)index);
}

void put_columns(struct writer *writer, const struct column *columns, size_t column_count,
		 const void *items, size_t count, size_t size)
{
	for (size_t c = 0; c < column_count; c++) {
		writer_printf(writer, "%s\"%s\":[", c ? ",\n" : "", columns[c].name);
		for (size_t i = 0; i < count; i++) {
			const char *item = (const char *)items + i * size;

			if (i)
				writer_put(writer, ",", 1);
			put_signed(writer, columns[c].of(item, i ? item - size : NULL));
		}
		writer_put(writer, "]", 1);
	}
}
