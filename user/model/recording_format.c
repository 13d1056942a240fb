// SPDX-License-Identifier: MIT
#include "model/recording_format.h"

#include <zlib.h>

#include "records.h"

uint32_t recording_layout(void)
{
	static const uint32_t facts[] = {
		sizeof(struct record_head),
		sizeof(struct transition_record),
		sizeof(struct code_record),
		sizeof(struct lines_record),
		sizeof(struct captured_record),
		sizeof(struct captured_piece),
		sizeof(struct process_record),
		sizeof(struct context_record),
		KIND_COUNT,
		STATE_COUNT,
		VIA_COUNT,
		STAT_COUNT,
		NAME_BYTES,
		FILENAME_BYTES,
		CONTEXT_NAME_BYTES,
		VALUE_TYPE_COUNT,
		sizeof(struct layout),
		sizeof(struct image),
		sizeof(struct recording_image),
		sizeof(struct recording_process),
		sizeof(struct recording_loss),
		sizeof(struct recording_wanted),
		sizeof(struct recording_summary),
	};

	return (uint32_t)crc32(0, (const Bytef *)facts, sizeof(facts));
}

uint32_t recording_header_crc(const struct recording_header *header)
{
	struct recording_header copy = *header;

	copy.crc = 0;
	return (uint32_t)crc32(0, (const Bytef *)&copy, sizeof(copy));
}

uint32_t recording_block_crc(const struct block_header *header, const void *payload)
{
	struct block_header copy = *header;
	uLong crc;

	copy.crc = 0;
	crc = crc32(0, (const Bytef *)&copy, sizeof(copy));
	return (uint32_t)crc32(crc, payload, header->bytes);
}
