/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_SELECT_H
#define GENSCOPE_MODEL_SELECT_H

#include <stdbool.h>

#include "model/snapshot.h"

/*
 * Which objects of a snapshot are wanted. All zero, or NULL, selects every one.
 */

/* A state of any kind is bit 1 << enum object_state; of one kind (GEN_SUSPENDED) it is this bit. */
#define STATE_OF_KIND(kind, state) (1u << ((kind)*8 + (state)))

struct selection {
	unsigned kinds;                        /* bits 1 << enum object_kind; 0: all */
	unsigned states;                       /* bits as above; 0: all */
	const char *function_glob, *file_glob; /* fnmatch() on qualname and file; NULL: all */
};

bool selection_is_all(const struct selection *selection);
bool selection_has(const struct selection *selection, const struct snapshot_object *object);
bool selection_has_code(const struct selection *selection, const char *qualname, const char *file);

/* "created", "GEN_SUSPENDED", "running,coro_created": states of any kind or, with a prefix, of one, in
 * any case, separated by commas. 0, or -EINVAL. */
int states_of_list(const char *list, unsigned *states);

#endif
