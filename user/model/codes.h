/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_CODES_H
#define GENSCOPE_MODEL_CODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "records.h"

/*
 * The code objects of a run, by the id that BPF gave them: names and line tables.
 */

struct code {
	uint32_t id;
	uint32_t first_line;
	uint64_t process_hint; /* pid it was seen in */
	uint64_t address;
	char *name, *qualname, *file; /* UTF-8, never NULL */
	uint8_t *lines;               /* the line table as far as it has come */
	size_t line_bytes, lines_have;
	uint32_t cached_instruction, cached_line; /* the last answer of code_line() */
	uint8_t kind; /* enum object_kind of what calling it makes; KIND_NONE: not known */
	bool wanted;  /* passes --function and --file */
	char *json;   /* its part of a JSON line, made by the JSON sink, freed here */
	size_t json_size;
	struct code *replaced; /* what had this id before: who has it may keep it */
};

struct codes; /* opaque */

int codes_new(struct codes **out); /* -ENOMEM */
void codes_free(struct codes *codes);

/* Enters a code_record, or the piece of a line table. The record's sizes have been checked.
 * -ENOMEM; -EINVAL: the id of none. */
int codes_add(struct codes *codes, const struct code_record *record);
int codes_add_lines(struct codes *codes, const struct lines_record *record, size_t data_bytes);

/* The code of that id, or one called "?" when its record was lost. Never NULL; owned by codes. */
struct code *codes_find(struct codes *codes, uint32_t id);

/* Frees those that were seen in this process: nobody may hold one of them. */
void codes_forget(struct codes *codes, uint32_t pid);

/* The line of an instruction, 0 if none or unknown. */
uint32_t code_line(struct code *code, uint32_t instruction);

#endif
