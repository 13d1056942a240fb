/* SPDX-License-Identifier: MIT */
/*
 * Code objects: an id for each, and its names and line table sent once, from the thread that runs
 * it, so that a target which is gone a millisecond later is still named.
 */
#ifndef GENSCOPE_CODE_BPF_H
#define GENSCOPE_CODE_BPF_H

#include "cpython.bpf.h"

/* Bits of PyASCIIObject.state, the same in 3.11 to 3.15 (Include/cpython/unicodeobject.h). */
#define UNICODE_KIND_SHIFT 2
#define UNICODE_KIND_MASK  7
#define UNICODE_COMPACT    (1 << 5)
#define UNICODE_ASCII      (1 << 6)

static __always_inline void copy_text(const struct layout *layout, u64 string, struct text *text,
				      u8 *out, u32 capacity)
{
	u64 length = read_pointer(string + UNICODE_LENGTH);
	u32 state = 0, bytes;
	u64 data;

	bpf_probe_read_user(&state, sizeof(state), (void *)(string + UNICODE_STATE));
	text->length = length;
	text->width = state >> UNICODE_KIND_SHIFT & UNICODE_KIND_MASK;
	text->ascii = !!(state & UNICODE_ASCII);
	text->bytes = 0;
	if (!(state & UNICODE_COMPACT) || !text->width || length > (1 << 20)) {
		text->width = 0;
		return;
	}
	data = string + (text->ascii ? layout->ascii_size : layout->compact_size);
	bytes = (u32)length * text->width;
	if (bytes > capacity - 1)
		bytes = capacity - 4; /* whole code points of any width */
	bytes &= capacity - 1;
	if (bpf_probe_read_user(out, bytes, (void *)data))
		text->width = 0;
	else
		text->bytes = bytes;
}

static __always_inline bool send_lines(const struct hit *hit, u32 code, u64 data, u32 offset,
				       u32 bytes, u32 capacity)
{
	struct lines_record *record;

	/* the verifier wants constant sizes, hence two of them */
	if (capacity == LINES_BYTES_SMALL)
		record = bpf_ringbuf_reserve(&ring, sizeof(*record) + LINES_BYTES_SMALL, 0);
	else
		record = bpf_ringbuf_reserve(&ring, sizeof(*record) + LINES_BYTES_LARGE, 0);
	if (!record)
		return false;
	record->head.size = sizeof(*record) + capacity;
	record->head.type = RECORD_LINES;
	record->head.flags = 0;
	record->head.pid = hit->process >> 32;
	record->head.tid = hit->tid;
	record->head.ts_ns = hit->now;
	record->code = code;
	record->offset = offset;
	record->pad = 0;
	if (bytes > capacity)
		bytes = capacity;
	if (bpf_probe_read_user(record->data, bytes, (void *)(data + offset)))
		bytes = 0;
	record->bytes = bytes;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return true;
}

/* The pieces of one line table, for bpf_loop(): its body is verified once, not once a turn. */
struct pieces {
	const struct hit *hit;
	u64 data;
	u32 code;
	u32 bytes;
	u32 sent;
};

static long send_piece(u64 index, struct pieces *pieces)
{
	struct hit hit = { .process = pieces->hit->process };
	u32 offset = (u32)index * LINES_BYTES_LARGE;

	hit.tid = pieces->hit->tid;
	hit.now = pieces->hit->now;
	if (send_lines(&hit, pieces->code, pieces->data, offset, pieces->bytes - offset,
		       LINES_BYTES_LARGE)) {
		pieces->sent++;
		return 0;
	}
	count(STAT_CODES_LOST);
	return 1;
}

/* Whether all of it found room. */
static __always_inline bool send_line_table(const struct hit *hit, u32 code, u64 table, u32 bytes)
{
	struct pieces pieces = { .hit = hit, .data = table + BYTES_DATA, .code = code };
	u32 turns;

	if (bytes <= LINES_BYTES_SMALL) {
		if (send_lines(hit, code, pieces.data, 0, bytes, LINES_BYTES_SMALL))
			return true;
		count(STAT_CODES_LOST);
		return false;
	}
	turns = (bytes + LINES_BYTES_LARGE - 1) / LINES_BYTES_LARGE;
	pieces.bytes = bytes;
	if (turns > LINES_PIECES_MAX)
		turns = LINES_PIECES_MAX;
	bpf_loop(turns, send_piece, &pieces, 0);
	return pieces.sent == turns;
}

enum sent { SENT_NOTHING = 0, SENT_NAMES = 1, SENT_ALL = 2 };

static __always_inline u32 send_code(const struct hit *hit, u64 address, u32 code)
{
	const struct layout *layout = &hit->image->layout;
	struct code_record *record;
	u64 table;

	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record)
		return SENT_NOTHING;
	record->head.size = sizeof(*record);
	record->head.type = RECORD_CODE;
	record->head.flags = 0;
	record->head.pid = hit->process >> 32;
	record->head.tid = hit->tid;
	record->head.ts_ns = hit->now;
	record->process = hit->process;
	record->address = address;
	record->code = code;
	record->first_line = 0;
	record->code_flags = 0;
	bpf_probe_read_user(&record->first_line, 4, (void *)(address + layout->code_first_line));
	bpf_probe_read_user(&record->code_flags, 4, (void *)(address + layout->code_flags));
	copy_text(layout, read_pointer(address + layout->code_name), &record->name_text,
		  record->name, NAME_BYTES);
	copy_text(layout, read_pointer(address + layout->code_qualname), &record->qualname_text,
		  record->qualname, NAME_BYTES);
	copy_text(layout, read_pointer(address + layout->code_filename), &record->filename_text,
		  record->filename, FILENAME_BYTES);
	table = read_pointer(address + layout->code_linetable);
	record->line_bytes = read_pointer(table + PYVAROBJECT_SIZE);
	/* where nothing is streamed nobody looks often, and who asks for a table wants names in it */
	bpf_ringbuf_submit(record, settings.stream ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP);
	return send_line_table(hit, code, table, read_pointer(table + PYVAROBJECT_SIZE)) ?
		       SENT_ALL :
		       SENT_NAMES;
}

/* A code object as somebody met it. */
struct code_request {
	u64 process;
	u64 address;
	u64 now;
	u32 tid;
	u32 image;
};

#define CODE_ID(answer)      ((u32)(answer))
#define CODE_VERDICT(answer) ((u32)((answer) >> 32) & 3)
#define CODE_PENDING(answer) ((answer) >> 63) /* a part found the ring full: ask again */

/* The id and verdict of a code object, made and sent at first sight; 0 when that was not possible now.
 * See read_thread_state() for why it is a function of its own. */
__noinline u64 code_answer(struct code_request *request)
{
	struct hit hit = {};
	struct code_entry *entry, fresh = {};
	struct code_key key = {};
	u32 sent;

	if (!request || !request->address)
		return 0;
	key.process = request->process;
	key.address = request->address;
	entry = bpf_map_lookup_elem(&codes, &key);
	if (entry)
		return (u64)entry->verdict << 32 | entry->code;
	hit.image = bpf_map_lookup_elem(&images, &request->image);
	if (!hit.image)
		return 0;
	hit.process = request->process;
	hit.tid = request->tid;
	hit.now = request->now;
	fresh.code = __sync_fetch_and_add(&last_code_id, 1) + 1;
	/* entered before it is sent: a full map must not send it again and again */
	if (bpf_map_update_elem(&codes, &key, &fresh, BPF_ANY)) {
		count(STAT_CODES_LOST);
		return 0;
	}
	sent = send_code(&hit, request->address, fresh.code);
	if (sent != SENT_ALL)
		bpf_map_delete_elem(&codes, &key);
	if (sent == SENT_NOTHING) {
		count(STAT_CODES_LOST);
		return 0;
	}
	if (sent == SENT_NAMES) /* next time all of it is sent, by another id */
		return 1ull << 63 | fresh.code;
	return fresh.code;
}

static __always_inline u64 code_entry(const struct hit *hit, u64 address)
{
	struct code_request request = {
		.process = hit->process,
		.address = address,
		.now = hit->now,
		.tid = hit->tid,
		.image = hit->site->image,
	};

	return code_answer(&request);
}

static __always_inline void code_freed(const struct hit *hit, u64 address)
{
	struct code_key key = { .process = hit->process, .address = address };

	bpf_map_delete_elem(&codes, &key);
}

#endif
