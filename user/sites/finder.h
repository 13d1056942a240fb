/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SITES_FINDER_H
#define GENSCOPE_SITES_FINDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "python/interpreter.h"
#include "sites/insn.h"
#include "site.h"
#include "target/elf_file.h"

/*
 * Where to put the probes in one interpreter file. Pure: bytes in, a table out; nothing is attached.
 */

#define FOUND_SITES_MAX 192

struct found_site {
	struct site site;     /* as BPF wants it; `image` is left 0 */
	uint64_t store;       /* address of the store itself; for other roles that of the probe */
	uint64_t file_offset; /* of the probe, for the attachment */
	uint64_t function;    /* start of the function it lies in */
	uint8_t merged;       /* further stores that this probe covers */
	bool constant;        /* the store writes site.value */
};

struct site_table {
	struct found_site at[FOUND_SITES_MAX];
	size_t count;
	bool has_create, has_run, has_suspend, has_close, has_free; /* what a full trace needs */
};

/* Finds every store to gi_frame_state and ag_running_async, the place where a generator's memory is
 * given back, and the entries of the methods that say `via`; slides each probe forward to an
 * instruction that the kernel emulates where its basic block has one.
 * 0, -ENOMEM, or -ENOENT when the file has no function table or no stores (not the code we know). */
int sites_find(const struct elf_file *file, const struct interpreter *interpreter,
	       struct site_table *out);

/* The name of the function a site lies in: a symbol, CPython's name for a slot, or "" . */
const char *sites_function_name(const struct elf_file *file, const struct interpreter *interpreter,
				const struct found_site *site);

#endif
