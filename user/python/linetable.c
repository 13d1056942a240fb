// SPDX-License-Identifier: MIT
#include "python/linetable.h"

#define CODE_UNIT 2 /* bytes */

/* An entry begins with a byte whose top bit is set: 1, code (4 bits), length - 1 in units (3 bits). */
enum location_code {
	LOCATION_SHORT_LAST = 9, /* 0 to 9: same line, one more byte */
	LOCATION_ONE_LINE = 10,  /* 10 to 12: line + 0, 1, 2, two more bytes */
	LOCATION_NO_COLUMNS = 13,
	LOCATION_LONG = 14,
	LOCATION_NONE = 15,
};

/* Varints of six bits a byte, least first, bit 6 says that more follows. */
static uint32_t read_varint(const uint8_t *table, size_t size, size_t *at)
{
	uint32_t value = 0;

	for (unsigned shift = 0; *at < size; shift += 6) {
		uint8_t byte = table[(*at)++];

		if (shift < 32)
			value |= (uint32_t)(byte & 63) << shift;
		if (!(byte & 64))
			break;
	}
	return value;
}

static int32_t read_signed(const uint8_t *table, size_t size, size_t *at)
{
	uint32_t value = read_varint(table, size, at);

	return value & 1 ? -(int32_t)(value >> 1) : (int32_t)(value >> 1);
}

uint32_t linetable_line(const uint8_t *table, size_t size, uint32_t first_line, uint32_t offset)
{
	uint32_t line = first_line, start = 0;
	size_t at = 0;

	while (at < size) {
		uint8_t head = table[at++];
		uint8_t code = head >> 3 & 15;
		uint32_t end = start + ((head & 7) + 1u) * CODE_UNIT;

		if (code == LOCATION_LONG || code == LOCATION_NO_COLUMNS)
			line += (uint32_t)read_signed(table, size, &at);
		else if (code >= LOCATION_ONE_LINE && code < LOCATION_NO_COLUMNS)
			line += code - LOCATION_ONE_LINE;
		if (offset < end)
			return code == LOCATION_NONE ? 0 : line;
		/* what else the entry holds are columns: bytes without the top bit */
		while (at < size && !(table[at] & 0x80))
			at++;
		start = end;
	}
	return 0;
}
