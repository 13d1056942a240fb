// SPDX-License-Identifier: MIT
#include "model/select.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "model/names.h"
#include "records.h"

#define ALL_KINDS (1u << KIND_GENERATOR | 1u << KIND_COROUTINE | 1u << KIND_ASYNC_GENERATOR)

bool selection_is_all(const struct selection *selection)
{
	return !selection ||
	       ((!selection->kinds || (selection->kinds & ALL_KINDS) == ALL_KINDS) &&
		!selection->states && !selection->function_glob && !selection->file_glob);
}

bool selection_has_code(const struct selection *selection, const char *qualname, const char *file)
{
	if (selection->function_glob && fnmatch(selection->function_glob, qualname, 0))
		return false;
	return !selection->file_glob || !fnmatch(selection->file_glob, file, 0);
}

bool selection_has(const struct selection *selection, const struct snapshot_object *object)
{
	unsigned states = 1u << object->state | STATE_OF_KIND(object->kind, object->state);

	if (selection_is_all(selection))
		return true;
	if (selection->kinds && !(selection->kinds & 1u << object->kind))
		return false;
	if (selection->states && !(selection->states & states))
		return false;
	return selection_has_code(selection, object->code->qualname, object->code->file);
}

/* The bit of one word, 0 if it is no state. */
static unsigned state_of_word(const char *word)
{
	for (unsigned kind = KIND_GENERATOR; kind < KIND_COUNT; kind++) {
		for (unsigned state = STATE_CREATED; state < STATE_COUNT; state++) {
			const char *name = name_of_state((uint8_t)kind, (uint8_t)state);

			if (!strcasecmp(word, name))
				return STATE_OF_KIND(kind, state);
			if (!strcasecmp(word, strchr(name, '_') + 1))
				return 1u << state;
		}
	}
	return 0;
}

int states_of_list(const char *list, unsigned *states)
{
	unsigned found = 0;
	char word[32]; /* longer than any state */

	for (;;) {
		size_t size = strcspn(list, ",");
		unsigned bit;

		if (size >= sizeof(word))
			return -EINVAL;
		memcpy(word, list, size);
		word[size] = 0;
		bit = state_of_word(word);
		if (!bit)
			return -EINVAL;
		found |= bit;
		if (!list[size])
			break;
		list += size + 1;
	}
	*states = found;
	return 0;
}
