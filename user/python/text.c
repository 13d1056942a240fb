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

/* The next code point; `*at` is moved behind it, or behind as much as belongs together. */
static uint32_t take_utf8(const uint8_t **at)
{
	static const uint32_t lowest[] = { 0, 0x80, 0x800, 0x10000 }; /* that needs so many more */
	const uint8_t *in = *at;
	unsigned more = in[0] >= 0xf0 ? 3 : in[0] >= 0xe0 ? 2 : in[0] >= 0xc0 ? 1 : 0;
	uint32_t point = more ? in[0] & (0x3fu >> more) : in[0];

	*at = in + 1;
	if (in[0] >= 0x80 && !more)
		return REPLACEMENT;
	for (unsigned i = 1; i <= more; i++) {
		if ((in[i] & 0xc0) != 0x80)
			return REPLACEMENT;
		point = point << 6 | (in[i] & 0x3fu);
		*at = in + 1 + i;
	}
	return in[0] < 0xf8 && point >= lowest[more] && point < UNICODE_END ? point : REPLACEMENT;
}

void text_of_utf8(const char *utf8, struct text *text, uint8_t *bytes, size_t room)
{
	const uint8_t *at = (const uint8_t *)utf8;
	uint32_t highest = 0;

	*text = (struct text){ .width = 1 };
	while (*at) {
		uint32_t point = take_utf8(&at);

		highest = point > highest ? point : highest;
		text->length++;
	}
	text->ascii = highest < 0x80;
	if (highest > 0xff)
		text->width = highest > 0xffff ? 4 : 2;
	at = (const uint8_t *)utf8;
	while (*at && (size_t)text->bytes + text->width <= room) {
		uint32_t point = take_utf8(&at);

		memcpy(bytes + text->bytes, &point, text->width); /* little endian */
		text->bytes = (uint16_t)(text->bytes + text->width);
	}
}
