// SPDX-License-Identifier: MIT
#include "sink/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES (256 * 1024)

int writer_open(struct writer *writer, const char *path)
{
	memset(writer, 0, sizeof(*writer));
	writer->fd = STDOUT_FILENO;
	if (path && strcmp(path, "-")) {
		writer->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (writer->fd < 0)
			return -errno;
		writer->owned = true;
	}
	writer->buffer = malloc(BUFFER_BYTES);
	return writer->buffer ? 0 : -ENOMEM;
}

int writer_flush(struct writer *writer)
{
	size_t done = 0;

	while (done < writer->used && !writer->error) {
		ssize_t count = write(writer->fd, writer->buffer + done, writer->used - done);

		if (count >= 0)
			done += (size_t)count;
		else if (errno != EINTR && errno != EAGAIN)
			writer->error = -errno;
	}
	writer->used = 0;
	return writer->error;
}

int writer_close(struct writer *writer)
{
	if (writer->buffer)
		writer_flush(writer);
	if (writer->owned && close(writer->fd) && !writer->error)
		writer->error = -errno;
	writer->owned = false;
	free(writer->buffer);
	writer->buffer = NULL;
	return writer->error;
}

char *writer_room(struct writer *writer, size_t size)
{
	if (writer->used + size > BUFFER_BYTES)
		writer_flush(writer);
	return writer->buffer + writer->used;
}

void writer_used(struct writer *writer, const char *end)
{
	writer->used = (size_t)(end - writer->buffer);
}

void writer_put(struct writer *writer, const char *bytes, size_t size)
{
	while (size) {
		size_t part = size < WRITER_ROOM ? size : WRITER_ROOM;
		char *out = writer_room(writer, part);

		memcpy(out, bytes, part);
		writer_used(writer, out + part);
		bytes += part;
		size -= part;
	}
}

void writer_puts(struct writer *writer, const char *text)
{
	writer_put(writer, text, strlen(text));
}

void writer_printf(struct writer *writer, const char *format, ...)
{
	char *out = writer_room(writer, WRITER_ROOM);
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(out, WRITER_ROOM, format, args);
	va_end(args);
	if (size > 0)
		writer_used(writer, out + (size < WRITER_ROOM ? size : WRITER_ROOM - 1));
}

char *put_u64(char *out, uint64_t value)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	char digits[20];
	int at = sizeof(digits);

	while (value >= 100) {
		const char *pair = pairs + value % 100 * 2;

		value /= 100;
		digits[--at] = pair[1];
		digits[--at] = pair[0];
	}
	if (value >= 10) {
		digits[--at] = pairs[value * 2 + 1];
		digits[--at] = pairs[value * 2];
	} else {
		digits[--at] = (char)('0' + value);
	}
	memcpy(out, digits + at, sizeof(digits) - (size_t)at);
	return out + sizeof(digits) - at;
}

char *put_hex(char *out, uint64_t value)
{
	int shift = value ? (63 - __builtin_clzll(value)) / 4 * 4 : 0;

	for (; shift >= 0; shift -= 4)
		*out++ = "0123456789abcdef"[value >> shift & 15];
	return out;
}
