// SPDX-License-Identifier: MIT
#include "sink/exposition.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink/writer.h"

#define EXEMPLAR_CHARACTERS 128 /* in all names and values of its labels: OpenMetrics 1.0.0 */
#define NS_DIGITS           9
#define NS_PER_SECOND       1000000000u
#define REPLACEMENT         "\xef\xbf\xbd"

static const char *const type_names[] = {
	[EXPOSITION_COUNTER] = "counter",
	[EXPOSITION_GAUGE] = "gauge",
	[EXPOSITION_HISTOGRAM] = "histogram",
};

const char *exposition_content_type(enum exposition_format format)
{
	return format == EXPOSITION_OPENMETRICS ?
		       "application/openmetrics-text; version=1.0.0; charset=utf-8" :
		       "text/plain; version=0.0.4; charset=utf-8";
}

void exposition_seconds(uint64_t ns, char text[EXPOSITION_SECONDS_BYTES])
{
	char *end = put_u64(text, ns / NS_PER_SECOND);
	uint64_t rest = ns % NS_PER_SECOND;

	if (rest) {
		*end++ = '.';
		for (int i = NS_DIGITS - 1; i >= 0; i--, rest /= 10)
			end[i] = (char)('0' + rest % 10);
		end += NS_DIGITS;
		while (end[-1] == '0')
			end--;
	}
	*end = 0;
}

static void put_seconds(struct buffer *out, uint64_t ns)
{
	char text[EXPOSITION_SECONDS_BYTES];

	exposition_seconds(ns, text);
	buffer_puts(out, text);
}

static void put_count(struct buffer *out, uint64_t count)
{
	char digits[20];

	buffer_put(out, digits, (size_t)(put_u64(digits, count) - digits));
}

/* The shortest decimal that reads back as the same number. */
static void put_double(struct buffer *out, double value)
{
	char text[32];

	if (isnan(value)) {
		buffer_puts(out, "NaN");
		return;
	}
	if (isinf(value)) {
		buffer_puts(out, value > 0 ? "+Inf" : "-Inf");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	buffer_puts(out, text);
}

/* Bytes of the well-formed UTF-8 character at `text`, 0 if there is none. The second byte's range keeps
 * out what is overlong, a surrogate or beyond U+10FFFF. */
static size_t utf8_length(const unsigned char *text)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t length;

	if (text[0] < 0x80)
		return 1;
	if (text[0] < 0xc2 || text[0] > 0xf4)
		return 0;
	length = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
	if (text[0] == 0xe0)
		low = 0xa0;
	else if (text[0] == 0xed)
		high = 0x9f;
	else if (text[0] == 0xf0)
		low = 0x90;
	else if (text[0] == 0xf4)
		high = 0x8f;
	if (text[1] < low || text[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

static void put_escaped(struct buffer *out, const char *text, bool quotes)
{
	const char *plain = text; /* what was not put yet */

	while (*text) {
		size_t length = utf8_length((const unsigned char *)text);
		const char *instead = NULL;

		if (!length)
			instead = REPLACEMENT;
		else if (*text == '\\')
			instead = "\\\\";
		else if (*text == '\n')
			instead = "\\n";
		else if (*text == '"' && quotes)
			instead = "\\\"";
		if (instead) {
			buffer_put(out, plain, (size_t)(text - plain));
			buffer_puts(out, instead);
			plain = text + 1;
		}
		text += length ? length : 1;
	}
	buffer_put(out, plain, (size_t)(text - plain));
}

static void put_label(struct buffer *out, const char *name, const char *value, bool *first)
{
	buffer_puts(out, *first ? "{" : ",");
	*first = false;
	buffer_puts(out, name);
	buffer_puts(out, "=\"");
	put_escaped(out, value, true);
	buffer_puts(out, "\"");
}

static bool put_label_list(struct buffer *out, const struct exposition_labels *labels)
{
	bool first = true;

	for (size_t i = 0; labels && i < labels->count; i++)
		put_label(out, labels->at[i].name, labels->at[i].value, &first);
	return !first;
}

static void put_labels(struct buffer *out, const struct exposition_labels *labels)
{
	if (put_label_list(out, labels))
		buffer_puts(out, "}");
}

static void put_sample_name(struct exposition *exposition, const char *suffix)
{
	buffer_puts(exposition->out, exposition->family->name);
	buffer_puts(exposition->out, suffix);
}

/* A sample up to its value. */
static void put_sample(struct exposition *exposition, const char *suffix,
		       const struct exposition_labels *labels)
{
	put_sample_name(exposition, suffix);
	put_labels(exposition->out, labels);
	buffer_puts(exposition->out, " ");
}

/* A bucket up to its bound. */
static void put_bucket(struct exposition *exposition, const struct exposition_labels *labels)
{
	put_sample_name(exposition, "_bucket");
	buffer_puts(exposition->out, put_label_list(exposition->out, labels) ? ",le=\"" : "{le=\"");
}

static void put_created(struct exposition *exposition, const struct exposition_labels *labels,
			uint64_t created_ns)
{
	if (exposition->format != EXPOSITION_OPENMETRICS || !created_ns)
		return;
	put_sample(exposition, "_created", labels);
	put_seconds(exposition->out, created_ns);
	buffer_puts(exposition->out, "\n");
}

static size_t characters(const char *text)
{
	size_t count = 0;

	while (*text) {
		size_t length = utf8_length((const unsigned char *)text);

		text += length ? length : 1;
		count++;
	}
	return count;
}

static void put_exemplar(struct exposition *exposition, const struct exposition_exemplar *exemplar)
{
	size_t length = 0;

	if (exposition->format != EXPOSITION_OPENMETRICS || !exemplar)
		return;
	for (size_t i = 0; i < exemplar->labels.count; i++)
		length += characters(exemplar->labels.at[i].name) +
			  characters(exemplar->labels.at[i].value);
	if (length > EXEMPLAR_CHARACTERS)
		return;
	buffer_puts(exposition->out, " # ");
	if (exemplar->labels.count)
		put_labels(exposition->out, &exemplar->labels);
	else
		buffer_puts(exposition->out, "{}");
	buffer_puts(exposition->out, " ");
	put_seconds(exposition->out, exemplar->value_ns);
	if (exemplar->time_ns) {
		buffer_puts(exposition->out, " ");
		put_seconds(exposition->out, exemplar->time_ns);
	}
}

void exposition_begin(struct exposition *exposition, enum exposition_format format,
		      struct buffer *out)
{
	*exposition = (struct exposition){ .out = out, .format = format };
}

static void put_meta(struct exposition *exposition, const char *what, const char *suffix)
{
	buffer_puts(exposition->out, "# ");
	buffer_puts(exposition->out, what);
	buffer_puts(exposition->out, " ");
	buffer_puts(exposition->out, exposition->family->name);
	buffer_puts(exposition->out, suffix);
	buffer_puts(exposition->out, " ");
}

/* The text format knows a counter by its sample's name, OpenMetrics by its family's. */
void exposition_family(struct exposition *exposition, const struct exposition_family *family)
{
	bool open = exposition->format == EXPOSITION_OPENMETRICS;
	const char *suffix = !open && family->type == EXPOSITION_COUNTER ? "_total" : "";

	exposition->family = family;
	put_meta(exposition, "HELP", suffix);
	put_escaped(exposition->out, family->help, open);
	buffer_puts(exposition->out, "\n");
	put_meta(exposition, "TYPE", suffix);
	buffer_puts(exposition->out, type_names[family->type]);
	buffer_puts(exposition->out, "\n");
	if (!open || !family->unit)
		return;
	put_meta(exposition, "UNIT", suffix);
	buffer_puts(exposition->out, family->unit);
	buffer_puts(exposition->out, "\n");
}

void exposition_counter(struct exposition *exposition, const struct exposition_labels *labels,
			uint64_t value, uint64_t created_ns,
			const struct exposition_exemplar *exemplar)
{
	const char *unit = exposition->family->unit;

	put_sample(exposition, "_total", labels);
	if (unit && !strcmp(unit, "seconds"))
		put_seconds(exposition->out, value);
	else
		put_count(exposition->out, value);
	put_exemplar(exposition, exemplar);
	buffer_puts(exposition->out, "\n");
	put_created(exposition, labels, created_ns);
}

void exposition_gauge(struct exposition *exposition, const struct exposition_labels *labels,
		      double value)
{
	put_sample(exposition, "", labels);
	put_double(exposition->out, value);
	buffer_puts(exposition->out, "\n");
}

void exposition_histogram(struct exposition *exposition, const struct exposition_labels *labels,
			  const struct exposition_histogram *histogram, uint64_t created_ns)
{
	struct buffer *out = exposition->out;
	size_t begin = out->size, size;

	put_bucket(exposition, labels);
	size = out->size - begin;
	for (size_t i = 0; i <= histogram->bounds; i++) {
		char le[EXPOSITION_SECONDS_BYTES] = "+Inf";

		if (i < histogram->bounds)
			exposition_seconds(histogram->bounds_ns[i], le);
		if (i) /* most of a page is this, said again and again */
			buffer_repeat(out, begin, size);
		buffer_puts(out, le);
		buffer_puts(out, "\"} ");
		put_count(out, histogram->cumulative[i]);
		if (histogram->exemplars)
			put_exemplar(exposition, histogram->exemplars[i]);
		buffer_puts(out, "\n");
	}
	put_sample(exposition, "_sum", labels);
	put_seconds(out, histogram->sum_ns);
	buffer_puts(out, "\n");
	put_sample(exposition, "_count", labels);
	put_count(out, histogram->cumulative[histogram->bounds]);
	buffer_puts(out, "\n");
	put_created(exposition, labels, created_ns);
}

int exposition_end(struct exposition *exposition)
{
	if (exposition->format == EXPOSITION_OPENMETRICS)
		buffer_puts(exposition->out, "# EOF\n");
	return exposition->out->failed ? -ENOMEM : 0;
}
