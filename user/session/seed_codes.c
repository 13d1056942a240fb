// SPDX-License-Identifier: MIT
#include "session/seed_codes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "python/text.h"
#include "session/internal.h"
#include "target/clock.h"

static int give(struct session *session, struct record_head *head, uint16_t type, size_t size,
		uint64_t process)
{
	*head = (struct record_head){ .size = (uint32_t)size,
				      .type = type,
				      .pid = (uint32_t)(process >> 32),
				      .tid = (uint32_t)(process >> 32),
				      .ts_ns = clock_now_ns() };
	return session->options.record(session->options.ctx, head, size);
}

static int give_names(struct session *session, const struct code_object *code, uint64_t process,
		      uint32_t id)
{
	struct code_record record = { .process = process,
				      .address = code->address,
				      .code = id,
				      .first_line = code->first_line,
				      .line_bytes = (uint32_t)code->line_bytes,
				      .code_flags = code->flags };

	text_of_utf8(code->name, &record.name_text, record.name, sizeof(record.name));
	text_of_utf8(code->qualname, &record.qualname_text, record.qualname,
		     sizeof(record.qualname));
	text_of_utf8(code->file, &record.filename_text, record.filename, sizeof(record.filename));
	return give(session, &record.head, RECORD_CODE, sizeof(record), process);
}

static int give_lines(struct session *session, const struct code_object *code, uint64_t process,
		      uint32_t id)
{
	const size_t size = sizeof(struct lines_record) + LINES_BYTES_LARGE;
	struct lines_record *record = calloc(1, size);
	int err = record ? 0 : -ENOMEM;

	for (size_t at = 0; at < code->line_bytes && err >= 0; at += LINES_BYTES_LARGE) {
		size_t bytes = code->line_bytes - at;

		if (bytes > LINES_BYTES_LARGE)
			bytes = LINES_BYTES_LARGE;
		record->code = id;
		record->offset = (uint32_t)at;
		record->bytes = (uint32_t)bytes;
		memcpy(record->data, code->lines + at, bytes);
		err = give(session, &record->head, RECORD_LINES, size, process);
	}
	free(record);
	return err;
}

uint32_t seed_code(struct session *session, struct code_objects *codes, struct remote *remote,
		   uint64_t process, uint64_t address)
{
	const struct bpf_map *map = session->skeleton->maps.codes;
	struct code_key key = { .process = process, .address = address };
	struct code_entry entry = {};
	const struct code_object *code;

	if (!bpf_map__lookup_elem(map, &key, sizeof(key), &entry, sizeof(entry), 0))
		return entry.code;
	code = code_objects_find(codes, remote, address);
	if (!code)
		return 0;
	entry.code = __atomic_add_fetch(&session->skeleton->bss->last_code_id, 1, __ATOMIC_RELAXED);
	if (bpf_map__update_elem(map, &key, sizeof(key), &entry, sizeof(entry), BPF_NOEXIST))
		return bpf_map__lookup_elem(map, &key, sizeof(key), &entry, sizeof(entry), 0) ?
			       0 :
			       entry.code; /* BPF was faster */
	if (give_names(session, code, process, entry.code) < 0 ||
	    give_lines(session, code, process, entry.code) < 0)
		return 0;
	return entry.code;
}
