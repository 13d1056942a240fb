// SPDX-License-Identifier: MIT
#include "sink/json_put.h"

#include <string.h>

#include "sink/sink.h"

#define PIECE_BYTES 1024 /* of a text, escaped at a time; six times that fits into WRITER_ROOM */

void json_put_string(struct writer *writer, const char *text)
{
	size_t left = strlen(text), size;

	writer_put(writer, "\"", 1);
	for (; left; text += size, left -= size) {
		char *out;

		size = left < PIECE_BYTES ? left : PIECE_BYTES;
		/* not within a character */
		for (int i = 0; size < left && i < 3 && ((unsigned char)text[size] & 0xc0) == 0x80;
		     i++)
			size--;
		out = writer_room(writer, 6 * PIECE_BYTES);
		writer_used(writer, json_escape(out, text, size));
	}
	writer_put(writer, "\"", 1);
}

void json_put_string_or_null(struct writer *writer, const char *text)
{
	if (text)
		json_put_string(writer, text);
	else
		writer_puts(writer, "null");
}

void json_put_number(struct writer *writer, const char *before, uint64_t number, bool null)
{
	writer_puts(writer, before);
	if (null)
		writer_puts(writer, "null");
	else
		writer_used(writer, put_u64(writer_room(writer, 24), number));
}
