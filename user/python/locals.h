/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_PYTHON_LOCALS_H
#define GENSCOPE_PYTHON_LOCALS_H

#include <stdbool.h>
#include <stddef.h>

#include "python/code_object.h"
#include "python/value.h"

/* The variables of a frame, as inspect.getgeneratorlocals() has them: arguments and locals in their
 * order, cells and free variables by their content, unbound ones left out. */
struct local {
	const char *name; /* owned by the code object */
	char *type;       /* class, as value_class() says */
	char *repr;       /* NULL when redacted */
	bool truncated, redacted;
};

struct local_list {
	struct local *at;
	size_t count;
	bool truncated; /* more than were asked for */
};

struct locals_options {
	struct value_limits limits;
	uint32_t names_max; /* 0: all */
	bool redact;        /* names that locals_is_secret() */
};

/* Reads those of the frame at `frame`. 0, -ENOMEM, -EFAULT when the frame cannot be read (a single value
 * that cannot is shown as unreadable). */
int locals_read(struct remote *remote, struct code_object *code, uint64_t frame,
		const struct locals_options *options, struct local_list *out);
void locals_free(struct local_list *list);

/* Does the name say that its value should not be shown? (password, token, cookie …; contract.md) */
bool locals_is_secret(const char *name);

#endif
