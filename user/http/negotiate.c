// SPDX-License-Identifier: MIT
#include "http/negotiate.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define QUALITY_FULL 1000 /* q has three digits after the point at most */

/* A piece of the header: not NUL-terminated. */
struct piece {
	const char *at;
	size_t size;
};

static struct piece trimmed(struct piece piece)
{
	while (piece.size && isspace((unsigned char)piece.at[0])) {
		piece.at++;
		piece.size--;
	}
	while (piece.size && isspace((unsigned char)piece.at[piece.size - 1]))
		piece.size--;
	return piece;
}

/* Cuts the next piece off, up to a separator that is not within quotes. False at the end. */
static bool next_piece(const char **rest, size_t *left, char separator, struct piece *piece)
{
	bool quoted = false;
	size_t size = 0;

	if (!*left)
		return false;
	while (size < *left && (quoted || (*rest)[size] != separator))
		quoted ^= (*rest)[size++] == '"';
	*piece = trimmed((struct piece){ *rest, size });
	size += size < *left;
	*rest += size;
	*left -= size;
	return true;
}

static bool piece_is(struct piece piece, const char *word)
{
	return piece.size == strlen(word) && !strncasecmp(piece.at, word, piece.size);
}

/* Thousandths; -1 if it is not a number from 0 to 1. */
static int parse_quality(struct piece text)
{
	int quality = 0, digit = QUALITY_FULL;

	for (size_t i = 0; i < text.size; i++) {
		if (i == 1) {
			if (text.at[i] != '.')
				return -1;
			continue;
		}
		if (!isdigit((unsigned char)text.at[i]))
			return -1;
		quality += (text.at[i] - '0') * digit;
		digit /= 10;
	}
	return text.size && quality <= QUALITY_FULL ? quality : -1;
}

struct choice {
	struct piece name, version;
	int quality;
};

/* One alternative: a name and its parameters. */
static void parse_choice(struct piece text, struct choice *choice)
{
	struct piece part;

	*choice = (struct choice){ .quality = QUALITY_FULL };
	next_piece(&text.at, &text.size, ';', &choice->name);
	while (next_piece(&text.at, &text.size, ';', &part)) {
		const char *equals = memchr(part.at, '=', part.size);
		struct piece key, value;

		if (!equals)
			continue;
		key = trimmed((struct piece){ part.at, (size_t)(equals - part.at) });
		value.at = equals + 1;
		value.size = part.size - (size_t)(value.at - part.at);
		value = trimmed(value);
		if (value.size >= 2 && value.at[0] == '"' && value.at[value.size - 1] == '"')
			value = (struct piece){ value.at + 1, value.size - 2 };
		if (piece_is(key, "q"))
			choice->quality = parse_quality(value);
		else if (piece_is(key, "version"))
			choice->version = value;
	}
}

static bool next_choice(const char **rest, size_t *left, struct choice *choice)
{
	struct piece piece;

	if (!next_piece(rest, left, ',', &piece))
		return false;
	parse_choice(piece, choice);
	return true;
}

static bool is_known_openmetrics(const struct choice *choice)
{
	return piece_is(choice->name, "application/openmetrics-text") &&
	       (!choice->version.size || piece_is(choice->version, "1.0.0"));
}

static bool is_known_text(const struct choice *choice)
{
	return piece_is(choice->name, "text/plain") &&
	       (!choice->version.size || piece_is(choice->version, "0.0.4"));
}

enum exposition_format negotiate_exposition(const char *accept)
{
	size_t left = accept ? strlen(accept) : 0;
	int open = 0, text = 0;
	struct choice choice;

	while (next_choice(&accept, &left, &choice)) {
		if (is_known_openmetrics(&choice) && choice.quality > open)
			open = choice.quality;
		else if (is_known_text(&choice) && choice.quality > text)
			text = choice.quality;
	}
	return open && open >= text ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT;
}

bool negotiate_gzip(const char *accept_encoding)
{
	size_t left = accept_encoding ? strlen(accept_encoding) : 0;
	int gzip = -1, any = -1;
	struct choice choice;

	while (next_choice(&accept_encoding, &left, &choice)) {
		if (piece_is(choice.name, "gzip") || piece_is(choice.name, "x-gzip"))
			gzip = choice.quality;
		else if (piece_is(choice.name, "*"))
			any = choice.quality;
	}
	return gzip > 0 || (gzip < 0 && any > 0);
}
