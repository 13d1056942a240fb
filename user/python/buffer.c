// SPDX-License-Identifier: MIT
#include "python/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST  64
#define UNICODE_END 0x110000

/* Room for `size` more bytes and a NUL. */
static bool reserve(struct buffer *buffer, size_t size)
{
	size_t room = buffer->room ? buffer->room : ROOM_FIRST;
	char *text;

	if (buffer->failed)
		return false;
	if (size < buffer->room - buffer->size)
		return true;
	while (room <= SIZE_MAX / 2 && room - buffer->size <= size)
		room *= 2;
	text = room - buffer->size > size ? realloc(buffer->text, room) : NULL;
	if (!text) {
		buffer->failed = true;
		return false;
	}
	buffer->text = text;
	buffer->room = room;
	return true;
}

void buffer_put(struct buffer *buffer, const char *bytes, size_t size)
{
	if (!reserve(buffer, size))
		return;
	memcpy(buffer->text + buffer->size, bytes, size);
	buffer->size += size;
	buffer->text[buffer->size] = 0;
}

void buffer_repeat(struct buffer *buffer, size_t from, size_t size)
{
	if (reserve(buffer, size)) /* and so what it has does not move */
		buffer_put(buffer, buffer->text + from, size);
}

void buffer_puts(struct buffer *buffer, const char *text)
{
	buffer_put(buffer, text, strlen(text));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (size < 0) {
		buffer->failed = true;
		return;
	}
	if (!reserve(buffer, (size_t)size))
		return;
	va_start(args, format);
	vsnprintf(buffer->text + buffer->size, (size_t)size + 1, format, args);
	va_end(args);
	buffer->size += (size_t)size;
}

void buffer_put_point(struct buffer *buffer, uint32_t point)
{
	char out[4];
	size_t size = 1;

	if ((point >= 0xd800 && point < 0xe000) || point >= UNICODE_END)
		point = 0xfffd;
	if (point < 0x80) {
		out[0] = (char)point;
	} else if (point < 0x800) {
		out[0] = (char)(0xc0 | point >> 6);
		size = 2;
	} else if (point < 0x10000) {
		out[0] = (char)(0xe0 | point >> 12);
		size = 3;
	} else {
		out[0] = (char)(0xf0 | point >> 18);
		size = 4;
	}
	for (size_t i = 1; i < size; i++)
		out[i] = (char)(0x80 | (point >> 6 * (size - 1 - i) & 63));
	buffer_put(buffer, out, size);
}

void buffer_clear(struct buffer *buffer)
{
	buffer->size = 0;
	if (buffer->text)
		buffer->text[0] = 0;
}
