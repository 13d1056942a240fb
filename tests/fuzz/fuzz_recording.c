/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/recording_format.h"
#include "model/replay.h"
#include "records.h"

/*
 * A recording that nobody vouches for. The first byte says whether the rest is the file as it is, or the
 * blocks behind a good header, their magic, sequence and check sum put right: else no input would ever
 * get beyond them. What must hold of any input is checked with abort().
 */

struct heard {
	const uint8_t *file;
	size_t size;
	uint64_t records;
	bool ended;
};

/* Only what is in the file can have been recorded. */
static void expect_in_file(const struct heard *heard, const void *bytes, size_t size)
{
	if (heard->ended || (uintptr_t)bytes % 8)
		abort();
	if (size && !memmem(heard->file, heard->size, bytes, size))
		abort();
}

static int on_record(void *ctx, const void *bytes, size_t size)
{
	struct heard *heard = ctx;
	const struct record_head *head = bytes;

	if (size < sizeof(*head) || head->size != size)
		abort();
	expect_in_file(heard, bytes, size);
	heard->records++;
	return 0;
}

static int on_table(void *ctx, uint32_t kind, const void *bytes, size_t size)
{
	if (kind == TABLE_IMAGE && size < sizeof(struct recording_image))
		abort();
	expect_in_file(ctx, bytes, size);
	return 0;
}

static int on_end(void *ctx, const struct recording_summary *summary)
{
	struct heard *heard = ctx;

	expect_in_file(heard, summary, offsetof(struct recording_summary, coverage));
	if (strlen(summary->coverage) >= sizeof(summary->coverage))
		abort();
	heard->ended = true;
	return 0;
}

static void make_header(uint8_t *file)
{
	struct recording_header header = { .byte_order = RECORDING_BYTE_ORDER,
					   .format = RECORDING_FORMAT,
					   .layout = recording_layout() };

	memcpy(header.magic, RECORDING_MAGIC, sizeof(header.magic));
	header.crc = recording_header_crc(&header);
	memcpy(file, &header, sizeof(header));
}

static void repair_blocks(uint8_t *at, size_t left)
{
	struct block_header block;

	for (uint64_t sequence = 1; left >= sizeof(block); sequence++) {
		memcpy(&block, at, sizeof(block));
		block.magic = BLOCK_MAGIC;
		block.sequence = sequence;
		if (block.bytes > left - sizeof(block))
			block.bytes = (uint32_t)(left - sizeof(block));
		block.crc = recording_block_crc(&block, at + sizeof(block));
		memcpy(at, &block, sizeof(block));
		at += sizeof(block) + block.bytes;
		left -= sizeof(block) + block.bytes;
	}
}

static void replay_bytes(uint8_t *file, size_t size)
{
	struct heard heard = { .file = file, .size = size };
	struct replay_callbacks callbacks = {
		.record = on_record, .table = on_table, .end = on_end, .ctx = &heard
	};
	const struct replay_state *state;
	char why[REPLAY_WHY_MAX] = "";
	struct replay *replay;

	if (replay_open("-", &replay, why)) {
		if (!*why || strlen(why) >= sizeof(why))
			abort();
		return;
	}
	if (replay_run(replay, &callbacks))
		abort();
	state = replay_state(replay);
	if (state->complete != !*state->why || state->records != heard.records ||
	    state->bytes > size || (state->complete && (!heard.ended || state->bytes != size)))
		abort();
	replay_close(replay);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static int fd = -1; /* stands for standard input: a file of that name each time is slower */
	size_t header = size && bytes[0] & 1 ? sizeof(struct recording_header) : 0;
	uint8_t *file;

	if (fd < 0) {
		fd = memfd_create("recording", 0);
		if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
			abort();
	}
	if (!size--)
		return 0;
	file = malloc(header + size + 1);
	memcpy(file + header, bytes + 1, size);
	if (header) {
		make_header(file);
		repair_blocks(file + header, size);
	}
	size += header;
	if (ftruncate(fd, 0) || pwrite(fd, file, size, 0) != (ssize_t)size ||
	    lseek(fd, 0, SEEK_SET) < 0)
		abort();
	replay_bytes(file, size);
	free(file);
	return 0;
}
