// SPDX-License-Identifier: MIT
#include "model/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "model/recording_format.h"
#include "records.h"
#include "target/clock.h"

struct recording {
	int fd;
	bool owned; /* close it */
	int error;  /* first -errno, 0 */
	uint64_t
		since_ns; /* when the oldest waiting record was seen by recording_tick(), 0: not yet */
	struct recording_counts counts;
	struct block_header block; /* of what waits in `payload` */
	/* right behind the header, so that one write() takes both */
	struct {
		struct block_header header;
		uint8_t payload[BLOCK_BYTES_MAX];
	} out;
};

void recording_about_now(struct recording_about *out)
{
	struct utsname name;

	memset(out, 0, sizeof(*out));
	out->start_ns = clock_now_ns();
	out->realtime_offset_ns = clock_realtime_offset_ns();
	out->processors = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	out->page_bytes = (uint32_t)sysconf(_SC_PAGESIZE);
	snprintf(out->version, sizeof(out->version), "%s", GENSCOPE_VERSION);
	if (uname(&name))
		return;
	snprintf(out->kernel, sizeof(out->kernel), "%.63s", name.release);
	snprintf(out->machine, sizeof(out->machine), "%.15s", name.machine);
}

static int write_all(struct recording *recording, const void *bytes, size_t size)
{
	const char *at = bytes;

	while (size && !recording->error) {
		ssize_t count = write(recording->fd, at, size);

		if (count >= 0) {
			at += count;
			size -= (size_t)count;
		} else if (errno == EAGAIN) { /* a pipe that somebody else made non-blocking */
			struct pollfd ready = { .fd = recording->fd, .events = POLLOUT };

			poll(&ready, 1, -1);
		} else if (errno != EINTR) {
			recording->error = -errno;
		}
	}
	return recording->error;
}

static int write_header(struct recording *recording, const struct recording_about *about)
{
	struct recording_header header = { .byte_order = RECORDING_BYTE_ORDER,
					   .format = RECORDING_FORMAT,
					   .layout = recording_layout(),
					   .about = *about };

	memcpy(header.magic, RECORDING_MAGIC, sizeof(header.magic));
	header.crc = recording_header_crc(&header);
	recording->counts.bytes = sizeof(header);
	return write_all(recording, &header, sizeof(header));
}

int recording_open(const char *path, const struct recording_about *about, struct recording **out)
{
	struct recording *recording = calloc(1, sizeof(*recording));
	int err = 0;

	if (!recording)
		return -ENOMEM;
	recording->fd = STDOUT_FILENO;
	if (strcmp(path, "-")) {
		recording->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		recording->owned = recording->fd >= 0;
		err = recording->owned ? 0 : -errno;
	}
	if (!err)
		err = write_header(recording, about);
	if (err) {
		recording->error = err;
		recording_close(recording, NULL);
		return err;
	}
	*out = recording;
	return 0;
}

/* Numbers and seals the block whose payload is in place, writes it, and begins the next. */
static int write_block(struct recording *recording, struct block_header *header)
{
	header->magic = BLOCK_MAGIC;
	header->sequence = ++recording->counts.blocks;
	header->crc = recording_block_crc(header, recording->out.payload);
	recording->out.header = *header;
	recording->counts.bytes += sizeof(*header) + header->bytes;
	write_all(recording, &recording->out, sizeof(*header) + header->bytes);
	memset(header, 0, sizeof(*header));
	recording->since_ns = 0;
	return recording->error;
}

int recording_flush(struct recording *recording)
{
	if (recording->error || !recording->block.records)
		return recording->error;
	recording->block.kind = BLOCK_RECORDS;
	return write_block(recording, &recording->block);
}

int recording_append(struct recording *recording, const void *record, size_t size)
{
	struct block_header *block = &recording->block;
	struct record_head head;
	size_t padded;
	uint8_t *at;

	if (recording->error)
		return recording->error;
	if (size >= sizeof(head))
		memcpy(&head, record, sizeof(head));
	if (size < sizeof(head) || head.size < sizeof(head) || head.size > size ||
	    head.size > RECORDING_RECORD_MAX) {
		recording->counts.bad++;
		return 0;
	}
	padded = record_padded(head.size);
	if (padded > BLOCK_BYTES_MAX - block->bytes && recording_flush(recording))
		return recording->error;
	at = recording->out.payload + block->bytes;
	memcpy(at, record, head.size);
	memset(at + head.size, 0, padded - head.size);
	block->bytes += (uint32_t)padded;
	if (!block->records++)
		block->first_ns = block->last_ns = head.ts_ns;
	if (head.ts_ns < block->first_ns)
		block->first_ns = head.ts_ns;
	if (head.ts_ns > block->last_ns)
		block->last_ns = head.ts_ns;
	recording->counts.records++;
	return 0;
}

int recording_table(struct recording *recording, uint32_t kind, const void *bytes, size_t size)
{
	struct block_header header = { .kind = BLOCK_TABLE, .table = kind };

	if (size > RECORDING_TABLE_MAX)
		return -E2BIG;
	if (recording_flush(recording)) /* tables stay where they are among the records */
		return recording->error;
	memcpy(recording->out.payload, bytes, size);
	header.bytes = (uint32_t)size;
	return write_block(recording, &header);
}

int recording_tick(struct recording *recording, uint64_t now_ns)
{
	if (!recording->block.records)
		return recording->error;
	if (!recording->since_ns)
		recording->since_ns = now_ns;
	if (now_ns - recording->since_ns < RECORDING_FLUSH_NS)
		return recording->error;
	return recording_flush(recording);
}

int recording_close(struct recording *recording, const struct recording_summary *summary)
{
	struct block_header header = { .kind = BLOCK_END, .bytes = sizeof(*summary) };
	int err;

	if (!recording->error && !recording_flush(recording) && summary) {
		memcpy(recording->out.payload, summary, sizeof(*summary));
		write_block(recording, &header);
	}
	if (recording->owned && close(recording->fd) && !recording->error)
		recording->error = -errno;
	err = recording->error;
	free(recording);
	return err;
}

const struct recording_counts *recording_counts(const struct recording *recording)
{
	return &recording->counts;
}
