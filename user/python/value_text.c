// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "python/printable.h"
#include "python/value_internal.h"

#define UNICODE_END 0x110000
#define LENGTH_SANE (1ull << 40)
#define BATCH       64 /* characters */

/* Bits of state (Include/cpython/unicodeobject.h, 3.11 to 3.15). */
#define STATE_KIND(state)    ((state) >> 2 & 7)
#define STATE_COMPACT(state) ((state) >> 5 & 1)
#define STATE_ASCII(state)   ((state) >> 6 & 1)

#define TYPE_IS_STR_SUBCLASS (1u << 28) /* Py_TPFLAGS_UNICODE_SUBCLASS */

static bool is_str(struct remote *remote, uint64_t address)
{
	uint64_t type = memory_u64(remote->memory, address + PYOBJECT_TYPE);

	if (!type)
		return false;
	return type == remote->value_types[VALUE_STR] ||
	       memory_u64(remote->memory, type + remote->inner.values.type_flags) &
		       TYPE_IS_STR_SUBCLASS;
}

/* 3.11 may still have one made by PyUnicode_FromUnicode() that nobody has looked at: wchar_t, at wstr, the
 * last field of PyASCIIObject, as many as wstr_length, the last of PyCompactUnicodeObject, says. */
static int open_wide(struct remote *remote, uint64_t address, struct text_view *out)
{
	if (value_minor(remote) != 11 ||
	    memory_read(remote->memory, address + remote->layout.ascii_size - 8, &out->data, 8) ||
	    memory_read(remote->memory, address + remote->layout.compact_size - 8, &out->length, 8))
		return -EFAULT;
	out->width = 4;
	return out->length < LENGTH_SANE ? 0 : -EFAULT;
}

int value_text_open(struct remote *remote, uint64_t address, struct text_view *out)
{
	uint32_t state;

	if (!is_str(remote, address) ||
	    memory_read(remote->memory, address + UNICODE_LENGTH, &out->length, 8) ||
	    memory_read(remote->memory, address + UNICODE_STATE, &state, sizeof(state)))
		return -EFAULT;
	out->width = STATE_KIND(state);
	if (!out->width && !STATE_COMPACT(state))
		return open_wide(remote, address, out);
	if ((out->width != 1 && out->width != 2 && out->width != 4) || out->length >= LENGTH_SANE ||
	    (STATE_ASCII(state) && out->width != 1))
		return -EFAULT;
	if (STATE_COMPACT(state)) {
		out->data = address + (STATE_ASCII(state) ? remote->layout.ascii_size :
							    remote->layout.compact_size);
		return 0;
	}
	return memory_read(remote->memory, address + remote->layout.compact_size, &out->data, 8) ?
		       -EFAULT :
		       0;
}

/* Reads items of `width` bytes, as many as there are: a copy may hold fewer. */
static int read_part(struct remote *remote, uint64_t address, void *out, uint32_t width,
		     uint32_t count)
{
	uint32_t got = 0;

	if (!memory_read(remote->memory, address, out, (size_t)width * count))
		return (int)count;
	if (!value_is_copy(remote))
		return -EFAULT;
	while (got < count && !memory_read(remote->memory, address + (uint64_t)got * width,
					   (uint8_t *)out + (size_t)got * width, width))
		got++;
	return (int)got;
}

int value_text_points(struct remote *remote, const struct text_view *view, uint64_t first,
		      uint32_t *out, uint32_t count)
{
	uint8_t bytes[BATCH * 4];
	int got;

	if (first >= view->length)
		return 0;
	if (count > view->length - first)
		count = (uint32_t)(view->length - first);
	if (count > BATCH)
		count = BATCH;
	got = read_part(remote, view->data + first * view->width, bytes, view->width, count);
	for (int i = 0; i < got; i++) {
		out[i] = 0;
		memcpy(&out[i], bytes + i * view->width, view->width); /* little endian */
		if (out[i] >= UNICODE_END)
			return -EFAULT;
	}
	return got;
}

int value_text(struct remote *remote, uint64_t address, uint32_t max, struct buffer *out)
{
	size_t before = out->size;
	uint32_t points[BATCH];
	struct text_view view;
	int got;

	if (value_text_open(remote, address, &view))
		return -EFAULT;
	for (uint32_t at = 0; at < max && at < view.length; at += (uint32_t)got) {
		got = value_text_points(remote, &view, at, points, max - at);
		if (!got && at)
			break;
		if (got <= 0) {
			value_take_back(out, before);
			return -EFAULT;
		}
		for (int i = 0; i < got; i++)
			buffer_put_point(out, points[i]);
	}
	buffer_put(out, "", 0);
	return 0;
}

/* Objects/unicodeobject.c, unicode_repr(). */
static void put_escaped(struct reader *reader, uint32_t point, char quote)
{
	struct buffer *out = reader->out;

	if (point == (uint32_t)quote || point == '\\')
		buffer_printf(out, "\\%c", (char)point);
	else if (point == '\t' || point == '\n' || point == '\r')
		buffer_puts(out, point == '\t' ? "\\t" : point == '\n' ? "\\n" : "\\r");
	else if (printable_is(reader->remote->version_hex, point))
		buffer_put_point(out, point);
	else if (point < 0x100)
		buffer_printf(out, "\\x%02x", point);
	else if (point < 0x10000)
		buffer_printf(out, "\\u%04x", point);
	else
		buffer_printf(out, "\\U%08x", point);
}

/* Python looks at the whole string for its quote; of one that is cut, what is shown decides. */
struct quotes {
	bool single, both;
};

static void look_for_quotes(struct quotes *seen, uint32_t point)
{
	seen->single |= point == '\'';
	seen->both |= point == '"';
}

static char choose_quote(const struct quotes *seen)
{
	return seen->single && !seen->both ? '"' : '\'';
}

/* How many characters are to be shown. */
static uint64_t shown(struct reader *reader, uint64_t length)
{
	uint64_t most = reader->limits->string;

	if (most > length)
		most = length;
	if (most > reader->work)
		most = reader->work;
	value_spend(reader, most);
	return most;
}

int value_put_str(struct reader *reader, uint64_t address)
{
	struct quotes seen = { 0 };
	uint32_t points[BATCH];
	struct text_view view;
	uint64_t most, at;
	char quote;
	int got;

	if (value_text_open(reader->remote, address, &view))
		return -EFAULT;
	most = shown(reader, view.length);
	for (at = 0; at < most; at += (uint64_t)got) {
		got = value_text_points(reader->remote, &view, at, points, BATCH);
		if (got < 0)
			return got;
		if (!got)
			most = at;
		for (int i = 0; i < got && at + (uint64_t)i < most; i++)
			look_for_quotes(&seen, points[i]);
	}
	quote = choose_quote(&seen);
	buffer_put(reader->out, &quote, 1);
	for (at = 0; at < most; at += (uint64_t)got) {
		got = value_text_points(reader->remote, &view, at, points, BATCH);
		if (got <= 0)
			return -EFAULT;
		for (int i = 0; i < got && at + (uint64_t)i < most; i++)
			put_escaped(reader, points[i], quote);
	}
	if (most < view.length)
		value_cut(reader);
	buffer_put(reader->out, &quote, 1);
	return 0;
}

/* Objects/bytesobject.c, PyBytes_Repr(). */
static void put_byte(struct reader *reader, uint8_t byte, char quote)
{
	if (byte == (uint8_t)quote || byte == '\\')
		buffer_printf(reader->out, "\\%c", byte);
	else if (byte == '\t' || byte == '\n' || byte == '\r')
		buffer_puts(reader->out, byte == '\t' ? "\\t" : byte == '\n' ? "\\n" : "\\r");
	else if (byte < ' ' || byte >= 0x7f)
		buffer_printf(reader->out, "\\x%02x", byte);
	else
		buffer_put(reader->out, (const char *)&byte, 1);
}

static int read_bytes(struct reader *reader, uint64_t address, uint64_t at, uint64_t most,
		      uint8_t *out)
{
	uint32_t count = most - at < BATCH ? (uint32_t)(most - at) : BATCH;

	return read_part(reader->remote, address + BYTES_DATA + at, out, 1, count);
}

int value_put_bytes(struct reader *reader, uint64_t address)
{
	struct quotes seen = { 0 };
	uint64_t length, most, at;
	uint8_t bytes[BATCH];
	char quote;
	int got;

	if (memory_read(reader->remote->memory, address + PYVAROBJECT_SIZE, &length, 8) ||
	    length >= LENGTH_SANE)
		return -EFAULT;
	most = shown(reader, length);
	for (at = 0; at < most; at += (uint64_t)got) {
		got = read_bytes(reader, address, at, most, bytes);
		if (got < 0)
			return got;
		if (!got)
			most = at;
		for (int i = 0; i < got; i++)
			look_for_quotes(&seen, bytes[i]);
	}
	quote = choose_quote(&seen);
	buffer_printf(reader->out, "b%c", quote);
	for (at = 0; at < most; at += (uint64_t)got) {
		got = read_bytes(reader, address, at, most, bytes);
		if (got <= 0)
			return -EFAULT;
		for (int i = 0; i < got; i++)
			put_byte(reader, bytes[i], quote);
	}
	if (most < length)
		value_cut(reader);
	buffer_put(reader->out, &quote, 1);
	return 0;
}
