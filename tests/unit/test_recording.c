/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/recording.h"
#include "model/recording_format.h"
#include "model/replay.h"
#include "records.h"

/*
 * Recordings that are written, damaged in every way, and read: what comes out must be the beginning of
 * what went in, to the byte, and nothing else. Files are memory.
 */

struct bytes {
	uint8_t *at;
	size_t size, room;
};

static void add(struct bytes *bytes, const void *more, size_t size)
{
	if (bytes->size + size > bytes->room) {
		bytes->room = 2 * (bytes->size + size);
		bytes->at = realloc(bytes->at, bytes->room);
		cr_assert(bytes->at);
	}
	memcpy(bytes->at + bytes->size, more, size);
	bytes->size += size;
}

/* A file in memory, and the name under which it can be opened anew. */
struct file {
	int fd;
	char path[64];
};

static struct file new_file(void)
{
	struct file file = { .fd = memfd_create("recording", MFD_CLOEXEC) };

	cr_assert(file.fd >= 0);
	snprintf(file.path, sizeof(file.path), "/proc/self/fd/%d", file.fd);
	return file;
}

static void set_contents(struct file *file, const void *bytes, size_t size)
{
	cr_assert_eq(ftruncate(file->fd, 0), 0);
	cr_assert_eq(pwrite(file->fd, bytes, size, 0), (ssize_t)size);
}

static struct bytes contents(const struct file *file)
{
	struct stat about;
	struct bytes bytes = {};

	cr_assert_eq(fstat(file->fd, &about), 0);
	bytes.size = bytes.room = (size_t)about.st_size;
	bytes.at = malloc(bytes.size);
	cr_assert_eq(pread(file->fd, bytes.at, bytes.size, 0), about.st_size);
	return bytes;
}

/* What is handed out, one after another: kind ('r', 't', 'e'), size, bytes. */
struct heard {
	struct bytes all;
	uint64_t records, tables, ends;
	int answer;
};

static void hear(struct heard *heard, char what, uint32_t kind, const void *bytes, size_t size)
{
	cr_assert_eq((uintptr_t)bytes % 8, 0);
	add(&heard->all, &what, 1);
	add(&heard->all, &kind, sizeof(kind));
	add(&heard->all, &size, sizeof(size));
	add(&heard->all, bytes, size);
}

static int hear_record(void *ctx, const void *bytes, size_t size)
{
	struct heard *heard = ctx;

	cr_assert(size >= sizeof(struct record_head));
	cr_assert_eq(((const struct record_head *)bytes)->size, size);
	hear(heard, 'r', 0, bytes, size);
	heard->records++;
	return heard->answer;
}

static int hear_table(void *ctx, uint32_t kind, const void *bytes, size_t size)
{
	struct heard *heard = ctx;

	hear(heard, 't', kind, bytes, size);
	heard->tables++;
	return heard->answer;
}

static int hear_end(void *ctx, const struct recording_summary *summary)
{
	struct heard *heard = ctx;

	hear(heard, 'e', 0, summary, sizeof(*summary));
	heard->ends++;
	return heard->answer;
}

/* Reads a file into `heard`. The result of replay_run(), or of replay_open(), which then has told why. */
static int replay_file(const char *path, struct heard *heard, struct replay_state *state, char *why)
{
	struct replay_callbacks callbacks = {
		.record = hear_record, .table = hear_table, .end = hear_end, .ctx = heard
	};
	struct replay *replay = NULL;
	int err;

	*why = 0;
	memset(state, 0, sizeof(*state));
	err = replay_open(path, &replay, why);
	if (err) {
		cr_assert(err < 0);
		cr_assert_neq(*why, 0, "no word on error %d", err);
		cr_assert_null(replay);
		return err;
	}
	err = replay_run(replay, &callbacks);
	*state = *replay_state(replay);
	cr_assert_eq(state->records, heard->records);
	if (!heard->answer)
		cr_assert_eq(state->complete, !*state->why, "%s", state->why);
	replay_close(replay);
	return err;
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005 + 1442695040888963407;
	return *state >> 33;
}

/* A record of that many bytes, the rest after its head noise. */
static void make_record(uint8_t *out, uint32_t size, uint64_t ts_ns, uint64_t *random)
{
	struct record_head head = { .size = size, .type = 1, .pid = 7, .tid = 8, .ts_ns = ts_ns };

	for (uint32_t i = 0; i < size; i++)
		out[i] = (uint8_t)next_random(random);
	memcpy(out, &head, sizeof(head));
}

static const struct recording_about an_about = { .realtime_offset_ns = -5,
						 .start_ns = 99,
						 .processors = 2,
						 .page_bytes = 4096,
						 .version = "1.2.3",
						 .kernel = "6.18.0",
						 .machine = "x86_64" };

static struct recording_summary a_summary(void)
{
	struct recording_summary summary = { .missed = 3, .duration_ns = 4, .coverage = "full" };

	for (int i = 0; i < STAT_COUNT; i++)
		summary.value[i] = 1000 + (uint64_t)i;
	return summary;
}

/* Two blocks of records, one of each known table and an unknown one, an end; heard as they will be. */
static struct bytes write_small(struct heard *heard)
{
	static const uint32_t sizes[] = { 88, 24, 40, 25, 136, 31, 88 };
	struct recording_process process = { .process = 1, .pid = 7, .comm = "python3" };
	struct recording_loss loss = { .ts_ns = 5, .ring = 6 };
	struct recording_summary summary = a_summary();
	struct file file = new_file();
	struct recording *recording;
	struct bytes bytes;
	uint64_t random = 1;
	_Alignas(8) uint8_t record[256];

	cr_assert_eq(recording_open(file.path, &an_about, &recording), 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		make_record(record, sizes[i], 1000 - i, &random);
		cr_assert_eq(recording_append(recording, record, sizes[i]), 0);
		hear_record(heard, record, sizes[i]);
		if (i != 3)
			continue;
		cr_assert_eq(recording_table(recording, TABLE_PROCESS, &process, sizeof(process)),
			     0);
		hear_table(heard, TABLE_PROCESS, &process, sizeof(process));
		cr_assert_eq(recording_table(recording, TABLE_LOSS, &loss, sizeof(loss)), 0);
		hear_table(heard, TABLE_LOSS, &loss, sizeof(loss));
		cr_assert_eq(recording_table(recording, 77, record, 0), 0);
		hear_table(heard, 77, record, 0);
	}
	cr_assert_eq(recording_counts(recording)->records, 7);
	cr_assert_eq(recording_close(recording, &summary), 0);
	hear_end(heard, &summary);
	bytes = contents(&file);
	close(file.fd);
	return bytes;
}

/* Is what was heard a beginning of the whole, between two of its parts? */
static void expect_beginning(const struct heard *part, const struct heard *whole)
{
	cr_assert(part->all.size <= whole->all.size);
	cr_assert(!part->all.size || !memcmp(part->all.at, whole->all.at, part->all.size),
		  "something was handed out that was not recorded");
}

Test(recording, gives_back_what_it_was_given)
{
	struct heard written = {}, heard = {};
	struct bytes bytes = write_small(&written);
	struct file file = new_file();
	struct replay_state state;
	struct replay *replay;
	char why[REPLAY_WHY_MAX];

	set_contents(&file, bytes.at, bytes.size);
	cr_assert_eq(replay_file(file.path, &heard, &state, why), 0);
	cr_assert(state.complete);
	cr_assert_eq(state.bytes, bytes.size);
	cr_assert_eq(state.blocks, 6);
	cr_assert_eq(heard.records, 7);
	cr_assert_eq(heard.tables, 3);
	cr_assert_eq(heard.ends, 1);
	cr_assert_eq(heard.all.size, written.all.size);
	expect_beginning(&heard, &written);

	cr_assert_eq(replay_open(file.path, &replay, why), 0);
	cr_assert_eq(memcmp(replay_about(replay), &an_about, sizeof(an_about)), 0);
	replay_close(replay);
	close(file.fd);
	free(bytes.at);
	free(heard.all.at);
	free(written.all.at);
}

/* The file as a crash at any moment leaves it. */
Test(recording, is_readable_up_to_any_cut)
{
	struct heard written = {};
	struct bytes bytes = write_small(&written);
	struct file file = new_file();
	uint64_t blocks = 0;

	for (size_t size = 0; size < bytes.size; size++) {
		struct heard heard = {};
		struct replay_state state;
		char why[REPLAY_WHY_MAX];
		int err;

		set_contents(&file, bytes.at, size);
		err = replay_file(file.path, &heard, &state, why);
		cr_assert_eq(err, size < sizeof(struct recording_header) ? -EINVAL : 0);
		cr_assert(!state.complete);
		cr_assert(state.bytes <= size);
		cr_assert(state.blocks >= blocks, "a longer beginning has fewer blocks");
		blocks = state.blocks;
		expect_beginning(&heard, &written);
		free(heard.all.at);
	}
	cr_assert_eq(blocks, 5, "all but the end block");
	close(file.fd);
	free(bytes.at);
	free(written.all.at);
}

/* Every bit: the blocks before it are handed out, and it is noticed. */
Test(recording, notices_any_bit_flipped, .timeout = 60)
{
	struct heard written = {};
	struct bytes bytes = write_small(&written);
	struct file file = new_file();

	set_contents(&file, bytes.at, bytes.size);
	for (size_t bit = 0; bit < 8 * bytes.size; bit++) {
		uint8_t flipped = bytes.at[bit / 8] ^ (uint8_t)(1 << bit % 8);
		struct heard heard = {};
		struct replay_state state;
		char why[REPLAY_WHY_MAX];
		int err;

		cr_assert_eq(pwrite(file.fd, &flipped, 1, (off_t)(bit / 8)), 1);
		err = replay_file(file.path, &heard, &state, why);
		cr_assert_eq(err != 0, bit / 8 < sizeof(struct recording_header), "bit %zu: %s",
			     bit, why);
		cr_assert(!state.complete, "bit %zu was not noticed", bit);
		cr_assert(err || state.bytes <= bit / 8);
		expect_beginning(&heard, &written);
		free(heard.all.at);
		cr_assert_eq(pwrite(file.fd, &bytes.at[bit / 8], 1, (off_t)(bit / 8)), 1);
	}
	close(file.fd);
	free(bytes.at);
	free(written.all.at);
}

/* More than one block's worth, of sizes that leave every kind of gap at a block's end. */
static struct bytes write_large(struct heard *heard, uint64_t *blocks)
{
	static uint8_t record[RECORDING_RECORD_MAX];
	struct file file = new_file();
	struct recording *recording;
	struct bytes bytes;
	uint64_t random = 2;

	cr_assert_eq(recording_open(file.path, &an_about, &recording), 0);
	for (uint32_t i = 0; i < 400; i++) {
		uint32_t size = i % 50 ? 24 + (uint32_t)next_random(&random) % 4096 :
					 RECORDING_RECORD_MAX - i / 50;

		make_record(record, size, i, &random);
		cr_assert_eq(recording_append(recording, record, size), 0);
		hear_record(heard, record, size);
	}
	cr_assert_eq(recording_flush(recording), 0);
	*blocks = recording_counts(recording)->blocks;
	bytes = contents(&file);
	cr_assert_eq(recording_counts(recording)->bytes, bytes.size);
	cr_assert_eq(recording_close(recording, NULL), 0);
	close(file.fd);
	return bytes;
}

Test(recording, is_whole_at_every_block)
{
	struct heard written = {};
	uint64_t blocks, block = 0, records = 0;
	struct bytes bytes = write_large(&written, &blocks);
	struct file file = new_file();
	size_t at = sizeof(struct recording_header);

	cr_assert(blocks > 5);
	for (;; block++) {
		struct block_header header;
		struct heard heard = {};
		struct replay_state state;
		char why[REPLAY_WHY_MAX];

		set_contents(&file, bytes.at, at);
		cr_assert_eq(replay_file(file.path, &heard, &state, why), 0);
		cr_assert_eq(state.blocks, block);
		cr_assert_eq(state.bytes, at);
		cr_assert_eq(state.records, records);
		cr_assert(strstr(state.why, "no end block"), "%s", state.why);
		expect_beginning(&heard, &written);
		free(heard.all.at);
		if (at == bytes.size)
			break;
		memcpy(&header, bytes.at + at, sizeof(header));
		cr_assert_eq(header.sequence, block + 1);
		cr_assert_eq(header.first_ns, records, "timestamps count the records");
		records += header.records;
		cr_assert_eq(header.last_ns, records - 1);
		at += sizeof(header) + header.bytes;
	}
	cr_assert_eq(block, blocks);
	cr_assert_eq(records, 400);
	close(file.fd);
	free(bytes.at);
	free(written.all.at);
}

Test(recording, says_where_it_ends)
{
	struct heard written = {}, heard = {};
	struct bytes bytes = write_small(&written);
	struct file file = new_file();
	struct replay_state state;
	char why[REPLAY_WHY_MAX], expected[REPLAY_WHY_MAX];
	struct block_header first;
	size_t second;

	memcpy(&first, bytes.at + sizeof(struct recording_header), sizeof(first));
	second = sizeof(struct recording_header) + sizeof(first) + first.bytes;
	set_contents(&file, bytes.at, second + 60);
	cr_assert_eq(replay_file(file.path, &heard, &state, why), 0);
	snprintf(expected, sizeof(expected),
		 "it ends in the middle of block 2 at byte %zu: the 1 before it are whole",
		 second + 60);
	cr_assert_str_eq(state.why, expected);

	bytes.at[second + 60] ^= 1;
	set_contents(&file, bytes.at, bytes.size);
	heard.records = 0;
	cr_assert_eq(replay_file(file.path, &heard, &state, why), 0);
	snprintf(expected, sizeof(expected),
		 "it is damaged in block 2 at byte %zu: the 1 before it are whole", second);
	cr_assert_str_eq(state.why, expected);
	bytes.at[second + 60] ^= 1;

	add(&bytes, "x", 1);
	set_contents(&file, bytes.at, bytes.size);
	heard.records = 0;
	cr_assert_eq(replay_file(file.path, &heard, &state, why), 0);
	cr_assert_eq(heard.ends, 1);
	snprintf(expected, sizeof(expected), "something follows its end at byte %zu",
		 bytes.size - 1);
	cr_assert_str_eq(state.why, expected);
	close(file.fd);
	free(bytes.at);
	free(heard.all.at);
	free(written.all.at);
}

/* Each block is good, but one is not there. */
Test(recording, notices_a_missing_block)
{
	struct heard written = {}, heard = {};
	uint64_t blocks;
	struct bytes bytes = write_large(&written, &blocks);
	struct file file = new_file();
	struct replay_state state;
	char why[REPLAY_WHY_MAX];
	struct block_header header;
	size_t first = sizeof(struct recording_header), second, third;

	memcpy(&header, bytes.at + first, sizeof(header));
	second = first + sizeof(header) + header.bytes;
	memcpy(&header, bytes.at + second, sizeof(header));
	third = second + sizeof(header) + header.bytes;
	memmove(bytes.at + second, bytes.at + third, bytes.size - third);
	set_contents(&file, bytes.at, bytes.size - (third - second));
	cr_assert_eq(replay_file(file.path, &heard, &state, why), 0);
	cr_assert_eq(state.blocks, 1);
	cr_assert_eq(state.bytes, second);
	cr_assert(strstr(state.why, "damaged in block 2"), "%s", state.why);
	expect_beginning(&heard, &written);
	close(file.fd);
	free(bytes.at);
	free(heard.all.at);
	free(written.all.at);
}

static void expect_refused(const void *bytes, size_t size, int expected, const char *word)
{
	struct file file = new_file();
	struct heard heard = {};
	struct replay_state state;
	char why[REPLAY_WHY_MAX];

	set_contents(&file, bytes, size);
	cr_assert_eq(replay_file(file.path, &heard, &state, why), expected, "%s: %s", word, why);
	cr_assert(strstr(why, word), "%s: %s", word, why);
	cr_assert_null(strchr(why, '\n'));
	close(file.fd);
}

Test(recording, says_why_a_header_is_refused)
{
	struct recording_header header = { .byte_order = RECORDING_BYTE_ORDER,
					   .format = RECORDING_FORMAT,
					   .layout = recording_layout(),
					   .about = an_about };
	struct recording_header other;
	char why[REPLAY_WHY_MAX];
	struct replay *replay;

	memcpy(header.magic, RECORDING_MAGIC, sizeof(header.magic));
	header.crc = recording_header_crc(&header);
	expect_refused("", 0, -EINVAL, "empty");
	expect_refused("{\"type\":\"transition\"}\n", 22, -EINVAL, "not a recording");
	expect_refused(&header, 8, -EINVAL, "ends at byte 8, within the header");
	expect_refused(&header, sizeof(header) - 1, -EINVAL, "within the header");
	other = header;
	other.byte_order = __builtin_bswap32(other.byte_order);
	expect_refused(&other, sizeof(other), -ENOTSUP, "byte order");
	other = header;
	other.format = 7;
	expect_refused(&other, sizeof(other), -ENOTSUP, "newer genscope: its format is 7");
	other = header;
	other.layout++;
	other.crc = recording_header_crc(&other);
	expect_refused(&other, sizeof(other), -ENOTSUP, "genscope 1.2.3");
	other = header;
	other.about.start_ns++;
	expect_refused(&other, sizeof(other), -EINVAL, "damaged");
	cr_assert_eq(replay_open("/nonexistent/file", &replay, why), -ENOENT);
	cr_assert_str_eq(why, "No such file or directory");
	cr_assert_eq(replay_open("/", &replay, why), -EISDIR);
}

/* Blocks whose check sum is right and whose contents are not. */
static void expect_senseless(struct block_header block, const void *payload)
{
	struct heard written = {}, heard = {};
	struct bytes bytes = write_small(&written);
	struct file file = new_file();
	struct replay_state state;
	char why[REPLAY_WHY_MAX];

	block.magic = BLOCK_MAGIC;
	block.sequence = 1;
	block.crc = recording_block_crc(&block, payload);
	bytes.size = sizeof(struct recording_header);
	add(&bytes, &block, sizeof(block));
	add(&bytes, payload, block.bytes);
	set_contents(&file, bytes.at, bytes.size);
	cr_assert_eq(replay_file(file.path, &heard, &state, why), 0);
	cr_assert(strstr(state.why, "damaged in block 1"), "%s", state.why);
	cr_assert_eq(heard.all.size, 0);
	close(file.fd);
	free(bytes.at);
	free(written.all.at);
}

Test(recording, believes_no_size)
{
	struct record_head heads[4] = {};
	struct block_header block = { .kind = BLOCK_RECORDS, .bytes = 48, .records = 2 };
	static const uint32_t sizes[] = {
		0, 1, 23, 25, 32, 48, 49, 4096, UINT32_MAX - 7, UINT32_MAX
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		heads[0].size = 24;
		heads[1].size = sizes[i];
		expect_senseless(block, heads);
		heads[0].size = sizes[i];
		heads[1].size = 24;
		expect_senseless(block, heads);
	}
	heads[0].size = heads[1].size = 24;
	block.records = 1;
	expect_senseless(block, heads);
	block.records = 3;
	expect_senseless(block, heads);
	block.records = 1;
	block.bytes = 23;
	expect_senseless(block, heads);
	block.bytes = 25; /* whole, but not what pads it */
	heads[0].size = 25;
	expect_senseless(block, heads);
	block.bytes = block.records = 0;
	expect_senseless(block, heads);
	block = (struct block_header){ .kind = 0, .bytes = 24 };
	expect_senseless(block, heads);
	block.kind = BLOCK_END + 1;
	expect_senseless(block, heads);
	block.kind = BLOCK_END;
	expect_senseless(block, heads);
	block.kind = BLOCK_TABLE;
	block.table = TABLE_IMAGE;
	expect_senseless(block, heads);
}

Test(recording, leaves_out_what_is_no_record)
{
	struct record_head head = { .size = 24 };
	struct file file = new_file();
	struct recording *recording;
	struct recording_about about;
	struct heard heard = {};
	struct replay_state state;
	char why[REPLAY_WHY_MAX];
	static uint8_t table[RECORDING_TABLE_MAX + 1];

	recording_about_now(&about);
	cr_assert(about.start_ns && about.realtime_offset_ns && about.processors);
	cr_assert_str_eq(about.version, GENSCOPE_VERSION);
	cr_assert_eq(recording_open(file.path, &about, &recording), 0);
	cr_assert_eq(recording_append(recording, &head, 0), 0);
	cr_assert_eq(recording_append(recording, &head, 23), 0);
	head.size = 23;
	cr_assert_eq(recording_append(recording, &head, 24), 0);
	head.size = 25;
	cr_assert_eq(recording_append(recording, &head, 24), 0);
	head.size = UINT32_MAX;
	cr_assert_eq(recording_append(recording, &head, 24), 0);
	cr_assert_eq(recording_counts(recording)->bad, 5);
	cr_assert_eq(recording_table(recording, 9, table, sizeof(table)), -E2BIG);
	cr_assert_eq(recording_table(recording, 9, table, sizeof(table) - 1), 0);
	cr_assert_eq(recording_close(recording, NULL), 0);
	cr_assert_eq(replay_file(file.path, &heard, &state, why), 0);
	cr_assert_eq(heard.records, 0);
	cr_assert_eq(heard.tables, 1);
	close(file.fd);
	free(heard.all.at);
}

Test(recording, ticks_once_a_second)
{
	struct record_head head = { .size = 24 };
	struct file file = new_file();
	struct recording *recording;

	cr_assert_eq(recording_open(file.path, &an_about, &recording), 0);
	cr_assert_eq(recording_tick(recording, 1), 0);
	cr_assert_eq(recording_append(recording, &head, 24), 0);
	cr_assert_eq(recording_tick(recording, 5000000000), 0);
	cr_assert_eq(recording_tick(recording, 5999999999), 0);
	cr_assert_eq(recording_counts(recording)->blocks, 0);
	cr_assert_eq(recording_tick(recording, 6000000000), 0);
	cr_assert_eq(recording_counts(recording)->blocks, 1);
	cr_assert_eq(recording_tick(recording, 9000000000), 0);
	cr_assert_eq(recording_counts(recording)->blocks, 1, "nothing waited");
	cr_assert_eq(recording_close(recording, NULL), 0);
	close(file.fd);
}

Test(recording, remembers_a_full_disk)
{
	struct recording *recording = NULL;
	struct recording_summary summary = a_summary();
	struct record_head head = { .size = 24 };
	struct file file = new_file();

	cr_assert_eq(recording_open("/dev/full", &an_about, &recording), -ENOSPC);
	cr_assert_eq(recording_open("/nonexistent/file", &an_about, &recording), -ENOENT);
	cr_assert_null(recording);

	/* full later: the seal allows nothing beyond the header */
	cr_assert_eq(recording_open("/dev/null", &an_about, &recording), 0);
	cr_assert_eq(recording_close(recording, &summary), 0);
	close(file.fd);
	file.fd = memfd_create("full", MFD_ALLOW_SEALING);
	snprintf(file.path, sizeof(file.path), "/proc/self/fd/%d", file.fd);
	cr_assert_eq(recording_open(file.path, &an_about, &recording), 0);
	cr_assert_eq(fcntl(file.fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	cr_assert_eq(recording_append(recording, &head, 24), 0);
	cr_assert_eq(recording_flush(recording), -EPERM);
	cr_assert_eq(recording_append(recording, &head, 24), -EPERM);
	cr_assert_eq(recording_table(recording, 9, &head, 24), -EPERM);
	cr_assert_eq(recording_tick(recording, UINT64_MAX), -EPERM);
	cr_assert_eq(recording_close(recording, &summary), -EPERM);
	close(file.fd);
}

Test(recording, is_private)
{
	char path[] = "/tmp/genscope-test-XXXXXX";
	struct recording *recording;
	struct stat about;
	int fd = mkstemp(path);

	cr_assert(fd >= 0);
	close(fd);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(recording_open(path, &an_about, &recording), 0);
	cr_assert_eq(recording_close(recording, NULL), 0);
	cr_assert_eq(stat(path, &about), 0);
	unlink(path);
	cr_assert_eq(about.st_mode & 0777, 0600);
}

Test(recording, stops_when_told)
{
	struct heard written = {}, heard = { .answer = -EPIPE };
	struct bytes bytes = write_small(&written);
	struct file file = new_file();
	struct replay_state state;
	char why[REPLAY_WHY_MAX];

	set_contents(&file, bytes.at, bytes.size);
	cr_assert_eq(replay_file(file.path, &heard, &state, why), -EPIPE);
	cr_assert_eq(heard.records, 1);
	cr_assert(!state.complete);
	close(file.fd);
	free(bytes.at);
	free(heard.all.at);
	free(written.all.at);
}
