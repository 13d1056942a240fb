/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_CMD_DIAGNOSIS_H
#define GENSCOPE_CMD_DIAGNOSIS_H

#include "session/features.h"
#include "session/images.h"
#include "sink/writer.h"

/* What doctor found out about one interpreter, and its two ways of saying it. */

#define MISSING_MAX 8

struct diagnosis {
	const struct image_file *image;
	const struct features *features;
	pid_t pid; /* 0: a file */
	bool jit_on;
	struct elf_usdt *usdt; /* owned by the caller */
	size_t usdt_count;
	const char *missing[MISSING_MAX]; /* literals: why the verdict is not "full" */
	size_t missing_count;
	size_t stepped; /* sites that are single-stepped */
};

void diagnosis_text(struct writer *writer, const struct diagnosis *d, bool verbose);
void diagnosis_json(struct writer *writer, const struct diagnosis *d);

/* The kernel's side alone: without a target. */
void features_text(struct writer *writer, const struct features *features);

#endif
