/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_PYTHON_BUFFER_H
#define GENSCOPE_PYTHON_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text that grows. Zeroed at the start; free(buffer.text) at the end. Want of memory is remembered in
 * `failed` and checked once, when the text is used. */
struct buffer {
	char *text; /* NUL-terminated once something was put; NULL before */
	size_t size;
	size_t room;
	bool failed;
};

void buffer_put(struct buffer *buffer, const char *bytes, size_t size);
void buffer_puts(struct buffer *buffer, const char *text);
/* Once more what it has at `from`: so many bytes that were put before. */
void buffer_repeat(struct buffer *buffer, size_t from, size_t size);
void buffer_printf(struct buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void buffer_put_point(struct buffer *buffer, uint32_t point); /* one code point as UTF-8 */
void buffer_clear(struct buffer *buffer);                     /* empties it, keeps the memory */

#endif
