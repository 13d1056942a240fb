// SPDX-License-Identifier: MIT
#include "python/remote.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "python/value.h"

#define OFFSETS_BYTES 1024 /* of _Py_DebugOffsets, which has at most 120 numbers so far */

static int adopt(struct remote *remote, uint32_t version_hex, const char *version, char *why)
{
	uint64_t published = 0, known = 0;
	uint8_t bytes[OFFSETS_BYTES];
	const char *field = "?";
	int err = memory_read(remote->memory, remote->runtime, bytes, sizeof(bytes));

	if (err) {
		snprintf(why, INTERPRETER_WHY_MAX, "its memory cannot be read: %s", strerror(-err));
		return err;
	}
	if (!memory_layout_adopt(&remote->inner, version_hex, bytes, sizeof(bytes), &field,
				 &published, &known))
		return 0;
	snprintf(why, INTERPRETER_WHY_MAX,
		 "CPython %s has an unknown layout: %s is 0x%llx, known is 0x%llx", version, field,
		 (unsigned long long)published, (unsigned long long)known);
	return -ENOTSUP;
}

int remote_init(struct remote *remote, const struct interpreter *interpreter, uint64_t bias,
		struct memory *memory)
{
	int err;

	memset(remote, 0, sizeof(*remote));
	remote->version_hex = interpreter->version_hex;
	remote->memory = memory;
	remote->layout = interpreter->layout;
	remote->bias = bias;
	remote->runtime = interpreter->runtime + bias;
	for (int kind = KIND_GENERATOR; kind < KIND_COUNT; kind++)
		remote->kinds[kind] = interpreter->types[kind] + bias;
	for (int type = 0; type < VALUE_TYPE_COUNT; type++)
		if (interpreter->value_types[type])
			remote->value_types[type] = interpreter->value_types[type] + bias;
	err = memory_layout_for_version(interpreter->version_hex, interpreter->debug,
					&remote->inner);
	if (err)
		return err;
	remote->class_names = class_names_new();
	return remote->class_names ? 0 : -ENOMEM;
}

int remote_open(struct remote *remote, const struct interpreter *interpreter, uint64_t bias,
		struct memory *memory, char *why)
{
	int err = remote_init(remote, interpreter, bias, memory);

	if (err == -ENOTSUP)
		snprintf(why, INTERPRETER_WHY_MAX, "CPython %s is not supported: 3.11 to 3.15 are",
			 interpreter->version);
	if (!err)
		err = adopt(remote, interpreter->version_hex, interpreter->version, why);
	if (err)
		remote_close(remote);
	return err;
}

uint8_t remote_kind(const struct remote *remote, uint64_t type)
{
	for (int kind = KIND_GENERATOR; kind < KIND_COUNT; kind++)
		if (type == remote->kinds[kind])
			return (uint8_t)kind;
	return KIND_NONE;
}

void remote_close(struct remote *remote)
{
	class_names_free(remote->class_names);
	remote->class_names = NULL;
}
