// SPDX-License-Identifier: MIT
#include "python/text.h"

#include <stdlib.h>
#include <string.h>

#define UTF8_MAX       4 /* bytes a code point */
#define REPLACEMENT    0xfffd
#define ELLIPSIS       "\xe2\x80\xa6"
#define SURROGATES     0xd800
#define SURROGATES_END 0xe000
#define UNICODE_END    0x110000

static size_t put_utf8(char *out, uint32_t point)
{
	if ((point >= SURROGATES && point < SURROGATES_END) || point >= UNICODE_END)
		point = REPLACEMENT;
	if (point < 0x80) {
		out[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		out[0] = (char)(0xc0 | point >> 6);
		out[1] = (char)(0x80 | (point & 63));
		return 2;
	}
	if (point < 0x10000) {
		out[0] = (char)(0xe0 | point >> 12);
		out[1] = (char)(0x80 | (point >> 6 & 63));
		out[2] = (char)(0x80 | (point & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | point >> 18);
	out[1] = (char)(0x80 | (point >> 12 & 63));
	out[2] = (char)(0x80 | (point >> 6 & 63));
	out[3] = (char)(0x80 | (point & 63));
	return 4;
}

char *text_to_utf8(const struct text *text, const uint8_t *bytes, size_t room)
{
	size_t points, used = 0;
	char *out;

	if (text->width != 1 && text->width != 2 && text->width != 4)
		return strdup("?");
	points = (text->bytes < room ? text->bytes : room) / text->width;
	out = malloc(points * UTF8_MAX + sizeof(ELLIPSIS));
	if (!out)
		return NULL;
	for (size_t i = 0; i < points; i++) {
		uint32_t point = 0;

		memcpy(&point, bytes + i * text->width, text->width); /* little endian */
		used += put_utf8(out + used, point);
	}
	if (points < text->length) {
		memcpy(out + used, ELLIPSIS, sizeof(ELLIPSIS) - 1);
		used += sizeof(ELLIPSIS) - 1;
	}
	out[used] = 0;
	return out;
}
