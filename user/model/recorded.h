/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_RECORDED_H
#define GENSCOPE_MODEL_RECORDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/recording.h"
#include "python/interpreter.h"

/* The side tables of a recording, taken in as they come. */

struct recorded;

int recorded_new(struct recorded **out);       /* -ENOMEM */
void recorded_free(struct recorded *recorded); /* NULL is fine */

/* A table of at least its kind's size; of unknown ones nothing is taken. -ENOMEM. */
int recorded_add(struct recorded *recorded, uint32_t kind, const void *bytes, size_t size);

/* What the run was asked for; all zero when that is not said. */
const struct recording_wanted *recorded_wanted(const struct recorded *recorded);

/* What the locals of that interpreter can be read with; NULL when it is not known, or is laid out in a way
 * that this genscope does not know. Borrowed. */
const struct interpreter *recorded_image(const struct recorded *recorded, uint32_t index);

/* "python3 /srv/app.py", or what else a process was called last; NULL: not known. */
const char *recorded_process_name(const struct recorded *recorded, uint32_t pid);

/* All processes that were told of, in the order they came: pids, and the versions of their interpreters
 * ("3.11.2"; NULL: not known). False: there are no more. */
struct recorded_process {
	uint32_t pid;
	const char *name, *version; /* borrowed; NULL: not known */
};
bool recorded_process_at(const struct recorded *recorded, size_t index,
			 struct recorded_process *out);

#endif
