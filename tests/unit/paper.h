/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TESTS_PAPER_H
#define GENSCOPE_TESTS_PAPER_H

#include <criterion/criterion.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "sink/sink.h"
#include "sink/writer.h"

/*
 * Something for a sink to write on, and what libjson-c reads there: strictly, so that what a lenient
 * reader would forgive fails.
 */

/* A writer whose file is memory. */
struct paper {
	struct writer writer;
	struct sink sink;
	int fd;
	char *text;
};

static inline void paper_open(struct paper *paper, const struct sink_ops *ops, bool color)
{
	memset(paper, 0, sizeof(*paper));
	setenv("TZ", "UTC", 1);
	tzset();
	cr_assert_eq(writer_open(&paper->writer, NULL), 0);
	paper->fd = memfd_create("paper", 0);
	cr_assert(paper->fd >= 0);
	paper->writer.fd = paper->fd;
	sink_init(&paper->sink, ops, &paper->writer, color);
	paper->sink.realtime_offset_ns = 0; /* the epoch, and UTC */
}

static inline const char *paper_text(struct paper *paper)
{
	off_t size;

	cr_assert_eq(writer_flush(&paper->writer), 0);
	size = lseek(paper->fd, 0, SEEK_END);
	free(paper->text);
	paper->text = calloc(1, (size_t)size + 1);
	cr_assert_eq(pread(paper->fd, paper->text, (size_t)size, 0), size);
	return paper->text;
}

static inline void paper_clear(struct paper *paper)
{
	writer_flush(&paper->writer);
	cr_assert_eq(ftruncate(paper->fd, 0), 0);
	lseek(paper->fd, 0, SEEK_SET);
}

static inline void paper_close(struct paper *paper)
{
	cr_assert_eq(writer_close(&paper->writer), 0);
	close(paper->fd);
	free(paper->text);
}

/* The widest line in columns, as the C library counts. */
static inline int widest_line(const char *text)
{
	int widest = 0;

	setlocale(LC_CTYPE, "C.UTF-8");
	while (*text) {
		const char *end = strchr(text, '\n');
		wchar_t wide[1024];
		char line[4 * 1024];
		size_t count;

		cr_assert(end);
		snprintf(line, sizeof(line), "%.*s", (int)(end - text), text);
		count = mbstowcs(wide, line, 1024);
		cr_assert_neq(count, (size_t)-1, "no UTF-8: %s", line);
		if (wcswidth(wide, count) > widest)
			widest = wcswidth(wide, count);
		text = end + 1;
	}
	return widest;
}

static inline size_t count_lines(const char *text)
{
	size_t lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

/* Takes escape sequences of colours out. */
static inline void strip_colors(char *text)
{
	char *out = text;

	for (const char *in = text; *in; in++) {
		if (*in == '\033') {
			in = strchr(in, 'm');
			cr_assert(in, "a sequence that does not end");
		} else {
			*out++ = *in;
		}
	}
	*out = 0;
}

/* A line without its end as an object that the caller puts. */
static inline struct json_object *parse_line(const char *line, size_t size)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *object;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, line, (int)size);
	cr_assert(object, "%s in %s", json_tokener_error_desc(json_tokener_get_error(tokener)),
		  line);
	cr_assert_eq(json_tokener_get_parse_end(tokener), size);
	json_tokener_free(tokener);
	return object;
}

/* The one line on the paper. */
static inline struct json_object *read_line(struct paper *paper)
{
	const char *text = paper_text(paper);
	size_t size = strlen(text);

	cr_assert(size > 2 && text[size - 1] == '\n', "no line: %s", text);
	cr_assert_eq(strchr(text, '\n') - text, (ptrdiff_t)size - 1, "two lines: %s", text);
	return parse_line(text, size - 1);
}

/* The n-th one, from 0. */
static inline struct json_object *line_at(struct paper *paper, uint32_t n)
{
	const char *at = paper_text(paper), *end;

	for (; n; n--) {
		at = strchr(at, '\n');
		cr_assert(at && at[1], "too few lines");
		at++;
	}
	end = strchr(at, '\n');
	cr_assert(end, "a line without an end");
	return parse_line(at, (size_t)(end - at));
}

static inline struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value;

	cr_assert(json_object_object_get_ex(object, key, &value), "no %s", key);
	return value;
}

static inline void expect_string(struct json_object *object, const char *key, const char *expected)
{
	struct json_object *value;

	cr_assert(json_object_object_get_ex(object, key, &value), "no %s", key);
	if (!expected) {
		cr_assert_null(value, "%s is not null", key);
		return;
	}
	cr_assert_eq(json_object_get_type(value), json_type_string, "%s is no string", key);
	cr_assert_eq((size_t)json_object_get_string_len(value), strlen(expected), "%s", key);
	cr_assert_str_eq(json_object_get_string(value), expected, "%s", key);
}

static inline void expect_number(struct json_object *object, const char *key, uint64_t expected)
{
	struct json_object *value;

	cr_assert(json_object_object_get_ex(object, key, &value), "no %s", key);
	cr_assert_eq(json_object_get_type(value), json_type_int, "%s is no integer", key);
	cr_assert_eq(json_object_get_uint64(value), expected, "%s is %" PRIu64, key,
		     json_object_get_uint64(value));
}

static inline void expect_null(struct json_object *object, const char *key)
{
	expect_string(object, key, NULL);
}

static inline void expect_bool(struct json_object *object, const char *key, bool expected)
{
	struct json_object *value;

	cr_assert(json_object_object_get_ex(object, key, &value), "no %s", key);
	cr_assert_eq(json_object_get_type(value), json_type_boolean, "%s is no boolean", key);
	cr_assert_eq(json_object_get_boolean(value), expected, "%s", key);
}

#endif
