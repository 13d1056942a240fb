// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sink/html_internal.h"
#include "target/hash.h"

#define ROOM_FIRST 256 /* a power of two */

/* --- texts --- */

static uint32_t *text_slot(const struct texts *texts, const char *text)
{
	uint32_t mask = 2 * texts->room - 1;
	uint32_t at = (uint32_t)hash_text(0, text) & mask;

	while (texts->slots[at] && strcmp(texts->at[texts->slots[at] - 1], text))
		at = (at + 1) & mask;
	return &texts->slots[at];
}

static int grow_texts(struct texts *texts)
{
	struct texts grown = *texts;

	grown.room = texts->room ? 2 * texts->room : ROOM_FIRST;
	grown.slots = calloc(2 * (size_t)grown.room, sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	grown.at = realloc(texts->at, grown.room * sizeof(*grown.at));
	if (!grown.at) {
		free(grown.slots);
		return -ENOMEM;
	}
	free(texts->slots);
	*texts = grown;
	for (uint32_t i = 0; i < texts->count; i++)
		*text_slot(texts, texts->at[i]) = i + 1;
	return 0;
}

int texts_find(struct texts *texts, const char *text, uint32_t *out)
{
	uint32_t *slot;

	if (texts->count == texts->room && grow_texts(texts))
		return -ENOMEM;
	slot = text_slot(texts, text);
	if (!*slot) {
		texts->at[texts->count] = strdup(text);
		if (!texts->at[texts->count])
			return -ENOMEM;
		*slot = ++texts->count;
	}
	*out = *slot - 1;
	return 0;
}

void texts_free(struct texts *texts)
{
	for (uint32_t i = 0; i < texts->count; i++)
		free(texts->at[i]);
	free(texts->at);
	free(texts->slots);
}

/* --- functions --- */

static bool same(const struct page_function *a, const struct page_function *b)
{
	return a->qualname == b->qualname && a->file == b->file && a->first_line == b->first_line &&
	       a->kind == b->kind;
}

static uint32_t *function_slot(const struct functions *functions, const struct page_function *of)
{
	uint64_t hash = hash_word(0, (uint64_t)of->qualname << 32 | of->file);
	uint32_t mask = 2 * functions->room - 1;
	uint32_t at = (uint32_t)hash_word(hash, (uint64_t)of->first_line << 8 | of->kind) & mask;

	while (functions->slots[at] && !same(&functions->at[functions->slots[at] - 1], of))
		at = (at + 1) & mask;
	return &functions->slots[at];
}

static int grow_functions(struct functions *functions)
{
	struct functions grown = *functions;

	grown.room = functions->room ? 2 * functions->room : ROOM_FIRST;
	grown.slots = calloc(2 * (size_t)grown.room, sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	grown.at = realloc(functions->at, grown.room * sizeof(*grown.at));
	if (!grown.at) {
		free(grown.slots);
		return -ENOMEM;
	}
	free(functions->slots);
	*functions = grown;
	for (uint32_t i = 0; i < functions->count; i++)
		*function_slot(functions, &functions->at[i]) = i + 1;
	return 0;
}

int functions_find(struct html *html, const char *qualname, const char *file, uint32_t first_line,
		   uint8_t kind, uint32_t *out)
{
	struct page_function of = { .first_line = first_line, .kind = kind };
	struct functions *functions = &html->functions;
	uint32_t *slot;

	if (texts_find(&html->texts, qualname, &of.qualname) ||
	    texts_find(&html->texts, file, &of.file))
		return -ENOMEM;
	if (functions->count == functions->room && grow_functions(functions))
		return -ENOMEM;
	slot = function_slot(functions, &of);
	if (!*slot) {
		functions->at[functions->count] = of;
		*slot = ++functions->count;
	}
	*out = *slot - 1;
	return 0;
}

void functions_free(struct functions *functions)
{
	free(functions->at);
	free(functions->slots);
}
