/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_PYTHON_CODE_OBJECT_H
#define GENSCOPE_PYTHON_CODE_OBJECT_H

#include <stddef.h>
#include <stdint.h>

#include "python/remote.h"

/* A code object read from memory: its names, its line table, the names and kinds of its variables. */
struct code_object {
	uint64_t address;
	uint64_t parts
		[4]; /* its filename, name, qualname and line table: others, and it is another one */
	uint32_t first_line;
	uint32_t flags;               /* co_flags */
	char *name, *qualname, *file; /* UTF-8, never NULL */
	uint8_t *lines;
	size_t line_bytes;
	uint32_t variable_count; /* co_nlocalsplus */
	char **variables;        /* co_localsplusnames; NULL unless asked for */
	uint8_t *variable_kinds;
	uint32_t cached_instruction, cached_line;
	struct code_object *replaced; /* who was at the address before */
};

/* Those of one process, each read once. */
struct code_objects;
int code_objects_new(struct code_objects **out); /* -ENOMEM */
void code_objects_free(struct code_objects *codes);

/* The code object at that address; owned by `codes`, also when another one takes its place later. NULL
 * when there is none: what lies there is no code object, or cannot be read. */
struct code_object *code_objects_find(struct code_objects *codes, struct remote *remote,
				      uint64_t address);

/* Reads the names and kinds of its variables too, if that has not been done. 0 or -EFAULT. */
int code_object_read_variables(struct code_object *code, struct remote *remote);

/* The line of the instruction at that byte offset; 0: none. */
uint32_t code_object_line(struct code_object *code, uint32_t instruction);

#endif
