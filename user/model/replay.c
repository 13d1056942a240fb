// SPDX-License-Identifier: MIT
#include "model/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/recording_format.h"
#include "records.h"

/*
 * Reads forward only, so that a pipe will do, and by read() rather than through a mapping: a file that is
 * cut while it is read must not end the reader with SIGBUS.
 */

struct replay {
	int fd;
	bool owned; /* close it */
	struct recording_about about;
	struct replay_state state;
	struct block_header block; /* the one being looked at */
	/* whole, and aligned as records are */
	_Alignas(RECORD_ALIGN) uint8_t payload[BLOCK_BYTES_MAX];
};

__attribute__((format(printf, 2, 3))) static void say(char *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, REPLAY_WHY_MAX, format, args);
	va_end(args);
}

/* Up to `size` bytes, fewer at the file's end only; or -errno. */
static ssize_t read_all(int fd, void *out, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t count = read(fd, (char *)out + done, size - done);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (!count)
			break;
		done += (size_t)count;
	}
	return (ssize_t)done;
}

static int check_header(const struct recording_header *header, size_t size, char *why)
{
	size_t magic = size < sizeof(header->magic) ? size : sizeof(header->magic);

	if (!size) {
		say(why, "it is empty");
		return -EINVAL;
	}
	if (memcmp(header->magic, RECORDING_MAGIC, magic)) {
		say(why, "it is not a recording of genscope");
		return -EINVAL;
	}
	if (size < sizeof(*header)) {
		say(why, "it ends at byte %zu, within the header", size);
		return -EINVAL;
	}
	if (header->byte_order == __builtin_bswap32(RECORDING_BYTE_ORDER)) {
		say(why, "it was recorded on a machine of the other byte order");
		return -ENOTSUP;
	}
	if (header->byte_order == RECORDING_BYTE_ORDER && header->format > RECORDING_FORMAT) {
		say(why,
		    "it was recorded by a newer genscope: its format is %u, known are up to %u",
		    header->format, RECORDING_FORMAT);
		return -ENOTSUP;
	}
	if (header->byte_order != RECORDING_BYTE_ORDER || !header->format ||
	    header->crc != recording_header_crc(header)) {
		say(why, "its header is damaged");
		return -EINVAL;
	}
	if (header->layout != recording_layout()) {
		say(why, "it was recorded by genscope %.31s, whose records are laid out otherwise",
		    header->about.version);
		return -ENOTSUP;
	}
	return 0;
}

static int read_header(struct replay *replay, char *why)
{
	struct recording_header header = {};
	ssize_t size = read_all(replay->fd, &header, sizeof(header));
	int err;

	if (size < 0) {
		say(why, "%s", strerror((int)-size));
		return (int)size;
	}
	err = check_header(&header, (size_t)size, why);
	if (err)
		return err;
	replay->about = header.about;
	replay->about.version[sizeof(replay->about.version) - 1] = 0;
	replay->about.kernel[sizeof(replay->about.kernel) - 1] = 0;
	replay->about.machine[sizeof(replay->about.machine) - 1] = 0;
	replay->state.bytes = sizeof(header);
	return 0;
}

int replay_open(const char *path, struct replay **out, char *why)
{
	struct replay *replay = calloc(1, sizeof(*replay));
	int err = 0;

	if (!replay) {
		say(why, "out of memory");
		return -ENOMEM;
	}
	replay->fd = STDIN_FILENO;
	if (strcmp(path, "-")) {
		replay->fd = open(path, O_RDONLY | O_CLOEXEC);
		replay->owned = replay->fd >= 0;
		err = replay->owned ? 0 : -errno;
		if (err)
			say(why, "%s", strerror(-err));
	}
	if (!err)
		err = read_header(replay, why);
	if (err) {
		replay_close(replay);
		return err;
	}
	*out = replay;
	return 0;
}

void replay_close(struct replay *replay)
{
	if (!replay)
		return;
	if (replay->owned)
		close(replay->fd);
	free(replay);
}

const struct recording_about *replay_about(const struct replay *replay)
{
	return &replay->about;
}

const struct replay_state *replay_state(const struct replay *replay)
{
	return &replay->state;
}

/* Says what is wrong with the block after the readable ones; `at` is where in the file it shows. */
static void blame(struct replay *replay, uint64_t at, const char *what)
{
	struct replay_state *state = &replay->state;
	unsigned long long whole = state->blocks;

	if (whole)
		say(state->why, "%s block %llu at byte %llu: the %llu before it are whole", what,
		    whole + 1, (unsigned long long)at, whole);
	else
		say(state->why, "%s block 1 at byte %llu: nothing before it", what,
		    (unsigned long long)at);
}

static int read_failed(struct replay *replay, ssize_t err)
{
	say(replay->state.why, "it cannot be read beyond byte %llu: %s",
	    (unsigned long long)replay->state.bytes, strerror((int)-err));
	return (int)err;
}

/* Do the records fill the block, each within it? Walked before any is handed out: a block is believed
 * as a whole. */
static bool are_records(const struct replay *replay)
{
	const uint8_t *at = replay->payload;
	size_t left = replay->block.bytes;
	struct record_head head;
	uint32_t records = 0;

	for (; left; records++) {
		if (left < sizeof(head))
			return false;
		memcpy(&head, at, sizeof(head));
		if (head.size < sizeof(head) || head.size > left || record_padded(head.size) > left)
			return false;
		at += record_padded(head.size);
		left -= record_padded(head.size);
	}
	return records && records == replay->block.records;
}

static bool is_table(const struct block_header *block)
{
	static const size_t least[] = {
		[TABLE_IMAGE] = sizeof(struct recording_image),
		[TABLE_PROCESS] = sizeof(struct recording_process),
		[TABLE_LOSS] = sizeof(struct recording_loss),
		[TABLE_WANTED] = sizeof(struct recording_wanted),
	};

	return block->table >= sizeof(least) / sizeof(least[0]) ||
	       block->bytes >= least[block->table];
}

/* What the check sum cannot tell: that its writer had it right. */
static bool makes_sense(const struct replay *replay)
{
	const struct block_header *block = &replay->block;

	switch (block->kind) {
	case BLOCK_RECORDS:
		return are_records(replay);
	case BLOCK_TABLE:
		return is_table(block);
	case BLOCK_END:
		return block->bytes == sizeof(struct recording_summary);
	}
	return false;
}

/* Reads the next block. 1: it is there; 0: there is none, `why` says so; or -errno of reading. */
static int next_block(struct replay *replay)
{
	const uint64_t start = replay->state.bytes;
	struct block_header *block = &replay->block;
	ssize_t have = read_all(replay->fd, block, sizeof(*block)), payload;

	if (have < 0)
		return read_failed(replay, have);
	if (!have) {
		say(replay->state.why,
		    "it was cut off, or is still being recorded: after %llu whole blocks, at byte "
		    "%llu, there is no end block",
		    (unsigned long long)replay->state.blocks, (unsigned long long)start);
		return 0;
	}
	if ((size_t)have < sizeof(*block)) {
		blame(replay, start + (uint64_t)have, "it ends in the middle of");
		return 0;
	}
	if (block->magic != BLOCK_MAGIC || block->bytes > BLOCK_BYTES_MAX ||
	    block->sequence != replay->state.blocks + 1) {
		blame(replay, start, "it is damaged in");
		return 0;
	}
	payload = read_all(replay->fd, replay->payload, block->bytes);
	if (payload < 0)
		return read_failed(replay, payload);
	if ((size_t)payload < block->bytes) {
		blame(replay, start + sizeof(*block) + (uint64_t)payload,
		      "it ends in the middle of");
		return 0;
	}
	if (block->crc != recording_block_crc(block, replay->payload) || !makes_sense(replay)) {
		blame(replay, start, "it is damaged in");
		return 0;
	}
	replay->state.blocks++;
	replay->state.bytes += sizeof(*block) + block->bytes;
	return 1;
}

static int hand_out_records(struct replay *replay, const struct replay_callbacks *callbacks)
{
	const uint8_t *at = replay->payload, *end = at + replay->block.bytes;
	struct record_head head;
	int err;

	for (; at < end; at += record_padded(head.size)) {
		memcpy(&head, at, sizeof(head));
		replay->state.records++;
		err = callbacks->record(callbacks->ctx, at, head.size);
		if (err < 0)
			return err;
	}
	return 0;
}

/* After the end block: nothing. */
static int finish(struct replay *replay, const struct replay_callbacks *callbacks)
{
	struct recording_summary *summary = (void *)replay->payload;
	char more;
	ssize_t count = read_all(replay->fd, &more, 1);

	if (count < 0)
		return read_failed(replay, count);
	replay->state.complete = !count;
	if (count)
		say(replay->state.why, "something follows its end at byte %llu",
		    (unsigned long long)replay->state.bytes);
	summary->coverage[sizeof(summary->coverage) - 1] = 0;
	return callbacks->end ? callbacks->end(callbacks->ctx, summary) : 0;
}

int replay_run(struct replay *replay, const struct replay_callbacks *callbacks)
{
	int err;

	while ((err = next_block(replay)) > 0) {
		if (replay->block.kind == BLOCK_END)
			return finish(replay, callbacks);
		if (replay->block.kind == BLOCK_RECORDS)
			err = hand_out_records(replay, callbacks);
		else if (callbacks->table)
			err = callbacks->table(callbacks->ctx, replay->block.table, replay->payload,
					       replay->block.bytes);
		if (err < 0)
			return err;
	}
	return err;
}
