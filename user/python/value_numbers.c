// SPDX-License-Identifier: MIT
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "python/value_internal.h"

#define DIGIT_BITS   30 /* PyLong_SHIFT on 64 bits (Include/cpython/longintrepr.h) */
/* repr() of an int with more decimal digits raises ValueError (Python/longobject.c,
 * _PY_LONG_DEFAULT_MAX_STR_DIGITS), so none is known. */
#define DECIMALS_MAX 4300
#define DIGITS_MAX   (DECIMALS_MAX * 10 / 3 / DIGIT_BITS + 2)
#define DIGITS_SANE  (1ull << 40)
#define WORD         1000000000u /* decimals are put together in words of nine */
#define WORD_DIGITS  9
#define WORDS_MAX    (DIGITS_MAX * DIGIT_BITS / 29 + 1)

struct integer {
	uint64_t digits; /* address */
	uint64_t count;
	bool negative;
};

/* Objects/longobject.c: ob_size carries the sign in 3.11, the two low bits of lv_tag (0 positive, 1 zero,
 * 2 negative) from 3.12 on. */
static int open_integer(struct remote *remote, uint64_t address, struct integer *out)
{
	const struct value_layout *layout = &remote->inner.values;
	uint64_t tag;

	if (memory_read(remote->memory, address + layout->long_tag, &tag, sizeof(tag)))
		return -EFAULT;
	out->digits = address + layout->long_digits;
	if (layout->long_is_tagged) {
		out->count = tag >> 3;
		out->negative = (tag & 3) == 2;
		if ((tag & 3) == 3 || ((tag & 3) == 1) != !out->count)
			return -EFAULT;
	} else {
		out->negative = (int64_t)tag < 0;
		out->count = out->negative ? -tag : tag;
	}
	return out->count < DIGITS_SANE ? 0 : -EFAULT;
}

/* The highest digit is never 0, but for zero's own. */
static int read_digits(struct remote *remote, const struct integer *integer, uint64_t first,
		       uint32_t *out)
{
	uint64_t count = integer->count - first;

	if (memory_read(remote->memory, integer->digits + first * sizeof(*out), out,
			count * sizeof(*out)))
		return -EFAULT;
	for (uint64_t i = 0; i < count; i++)
		if (out[i] >> DIGIT_BITS)
			return -EFAULT;
	return !count || out[count - 1] ? 0 : -EFAULT;
}

int value_integer(struct remote *remote, uint64_t address, int64_t *out)
{
	uint8_t type = value_type(remote, address);
	struct integer integer;
	uint64_t value = 0;
	uint32_t digits[3];

	if ((type != VALUE_INT && type != VALUE_BOOL) || open_integer(remote, address, &integer))
		return -EFAULT;
	if (integer.count > 3)
		return -ERANGE;
	if (read_digits(remote, &integer, 0, digits))
		return -EFAULT;
	for (uint64_t i = integer.count; i--;) {
		if (value >> (64 - DIGIT_BITS))
			return -ERANGE;
		value = value << DIGIT_BITS | digits[i];
	}
	if (value > (uint64_t)INT64_MAX + integer.negative)
		return -ERANGE;
	*out = (int64_t)(integer.negative ? -value : value);
	return 0;
}

int value_put_bool(struct reader *reader, uint64_t address)
{
	int64_t value;

	if (value_integer(reader->remote, address, &value))
		return -EFAULT;
	buffer_puts(reader->out, value ? "True" : "False");
	return 0;
}

/* As text without sign, DECIMALS_MAX + 20 bytes; returns its length. */
static size_t to_decimal(const uint32_t *digits, size_t count, char *out)
{
	uint32_t words[WORDS_MAX];
	size_t used = 0, length;

	for (size_t i = count; i--;) {
		uint64_t carry = digits[i];

		for (size_t j = 0; j < used; j++) {
			carry += (uint64_t)words[j] << DIGIT_BITS;
			words[j] = carry % WORD;
			carry /= WORD;
		}
		for (; carry; carry /= WORD)
			words[used++] = carry % WORD;
	}
	length = (size_t)sprintf(out, "%u", used ? words[used - 1] : 0);
	for (size_t i = used ? used - 1 : 0; i--;)
		length += (size_t)sprintf(out + length, "%0*u", WORD_DIGITS, words[i]);
	return length;
}

/* Of an int with no repr, or one that was copied in part. */
static int put_size(struct reader *reader, const struct integer *integer)
{
	uint64_t bits = integer->count * DIGIT_BITS;
	uint32_t first, last;

	reader->truncated = true;
	if (!read_digits(reader->remote, integer, integer->count - 1, &last)) {
		bits -= (uint32_t)__builtin_clz(last) - (32 - DIGIT_BITS);
		buffer_printf(reader->out, "<int of %llu bits>", (unsigned long long)bits);
		return 0;
	}
	if (!value_is_copy(reader->remote) ||
	    memory_read(reader->remote->memory, integer->digits, &first, sizeof(first)))
		return -EFAULT;
	buffer_printf(reader->out, "<int of more than %llu bits>",
		      (unsigned long long)(bits - DIGIT_BITS));
	return 0;
}

static void put_cut(struct reader *reader, const char *text, size_t length)
{
	bool cut = length > reader->limits->string;

	buffer_put(reader->out, text, cut ? reader->limits->string : length);
	if (cut)
		value_cut(reader);
}

int value_put_int(struct reader *reader, uint64_t address)
{
	char text[DIGITS_MAX * DIGIT_BITS / 3 + 2];
	uint32_t digits[DIGITS_MAX];
	struct integer integer;
	size_t length;

	if (open_integer(reader->remote, address, &integer))
		return -EFAULT;
	if (integer.count > DIGITS_MAX)
		return put_size(reader, &integer);
	if (read_digits(reader->remote, &integer, 0, digits))
		return value_is_copy(reader->remote) && integer.count ? put_size(reader, &integer) :
									-EFAULT;
	if (!value_spend(reader, integer.count * integer.count / 8)) {
		value_cut(reader);
		return 0;
	}
	text[0] = '-';
	length = to_decimal(digits, integer.count, text + 1);
	if (length > DECIMALS_MAX)
		return put_size(reader, &integer);
	put_cut(reader, text + !integer.negative, length + integer.negative);
	return 0;
}

/* The digits of a finite positive number and the power of ten of the first one: the fewest that read
 * back as the same number, and the nearest of those, as in mode 0 of Python/dtoa.c. The nearest
 * decimal of a given length need not read back where the one above it does: below a power of two floats lie
 * closer than above it. DIGITS_ROOM bytes. */
#define DIGITS_ROOM 40

static int split(const char *text, char *digits)
{
	size_t used = 0;

	for (; *text && *text != 'e'; text++) /* the decimal point is the locale's */
		if (*text >= '0' && *text <= '9')
			digits[used++] = *text;
	digits[used] = 0;
	return *text ? atoi(text + 1) : 0;
}

/* The next decimal of that length, still as "%e" writes it. */
static void step_up(char *text)
{
	char *end = strchr(text, 'e');

	for (char *at = end; at > text; at--) {
		if (at[-1] < '0' || at[-1] > '9')
			continue;
		if (at[-1] != '9') {
			at[-1]++;
			return;
		}
		at[-1] = '0';
	}
	/* 9.99 to 10.0 */
	*text = '1';
	sprintf(end, "e%d", atoi(end + 1) + 1);
}

static int shortest(double value, char *digits)
{
	char text[DIGITS_ROOM] = "";

	for (int precision = 0; precision < 17; precision++) {
		snprintf(text, sizeof(text), "%.*e", precision, value);
		if (strtod(text, NULL) == value)
			break;
		step_up(text);
		if (strtod(text, NULL) == value)
			break;
	}
	return split(text, digits);
}

/* Python/pystrtod.c, format_float_short() with 'r'. */
void value_float_text(double value, unsigned int flags, char *out)
{
	char digits[DIGITS_ROOM];
	int exponent, length;

	if (isnan(value)) {
		sprintf(out, "%snan", flags & FLOAT_PLUS ? "+" : "");
		return;
	}
	if (signbit(value))
		*out++ = '-';
	else if (flags & FLOAT_PLUS)
		*out++ = '+';
	value = fabs(value);
	if (isinf(value)) {
		memcpy(out, "inf", sizeof("inf"));
		return;
	}
	exponent = shortest(value, digits);
	for (length = (int)strlen(digits); length > 1 && digits[length - 1] == '0';)
		digits[--length] = 0;
	if (exponent < -4 || exponent >= 16)
		sprintf(out, "%c%s%se%c%02d", *digits, length > 1 ? "." : "", digits + 1,
			exponent < 0 ? '-' : '+', abs(exponent));
	else if (exponent < 0)
		sprintf(out, "0.%.*s%s", -exponent - 1, "000", digits);
	else if (length > exponent + 1)
		sprintf(out, "%.*s.%s", exponent + 1, digits, digits + exponent + 1);
	else
		sprintf(out, "%s%.*s%s", digits, exponent + 1 - length, "0000000000000000",
			flags & FLOAT_POINT ? ".0" : "");
}

int value_put_float(struct reader *reader, uint64_t address)
{
	char text[FLOAT_REPR_MAX];
	double value;

	if (memory_read(reader->remote->memory, address + FLOAT_VALUE, &value, sizeof(value)))
		return -EFAULT;
	value_float_text(value, FLOAT_POINT, text);
	buffer_puts(reader->out, text);
	return 0;
}

/* Objects/complexobject.c, complex_repr(): a real part of +0 is left out, and the parentheses with it. */
int value_put_complex(struct reader *reader, uint64_t address)
{
	char real[FLOAT_REPR_MAX], imaginary[FLOAT_REPR_MAX];
	double parts[2];

	if (memory_read(reader->remote->memory, address + COMPLEX_VALUE, parts, sizeof(parts)))
		return -EFAULT;
	if (parts[0] == 0 && !signbit(parts[0])) {
		value_float_text(parts[1], 0, imaginary);
		buffer_printf(reader->out, "%sj", imaginary);
		return 0;
	}
	value_float_text(parts[0], 0, real);
	value_float_text(parts[1], FLOAT_PLUS, imaginary);
	buffer_printf(reader->out, "(%s%sj)", real, imaginary);
	return 0;
}
