/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_WRITER_H
#define GENSCOPE_SINK_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A buffered file that remembers its first error. Writing text this way is several times faster than
 * stdio, which is what keeps a JSON trace level with two traced cores.
 */
struct writer {
	int fd;
	bool owned; /* close it */
	int error;  /* first -errno, 0 */
	size_t used;
	char *buffer;
};

/* `path` NULL or "-" is standard output. -errno when it cannot be opened. */
int writer_open(struct writer *writer, const char *path);
int writer_flush(struct writer *writer); /* 0 or the first error */
int writer_close(struct writer *writer); /* flushes; 0 or the first error */

/* Room for `size` bytes at the returned place, size <= WRITER_ROOM; then writer_used() says how many
 * were put there. Never NULL. */
#define WRITER_ROOM 8192
char *writer_room(struct writer *writer, size_t size);
void writer_used(struct writer *writer, const char *end);

void writer_put(struct writer *writer, const char *bytes, size_t size);
void writer_puts(struct writer *writer, const char *text);
void writer_printf(struct writer *writer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Decimal digits at `out` (20 bytes at most); returns the end. */
char *put_u64(char *out, uint64_t value);
/* Lower-case hexadecimal digits, without 0x. */
char *put_hex(char *out, uint64_t value);

#endif
