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

enum proof_rule {
	PROOF_NONE = 0, /* it is no store */
	PROOF_STORE,    /* on the store itself: nothing that is emulated runs just when it does */
	PROOF_FORWARD,  /* behind it in a straight line */
	PROOF_PUSH,     /* a push before it in a straight line */
	PROOF_EDGES,    /* on the edges into a region that leads to the store and nowhere else */
};

/* Why a probe is hit as often as its store runs. */
struct site_proof {
	uint8_t rule;
	uint8_t part,
		parts;   /* of the probes that together stand for the store: this one, 1 to parts */
	uint8_t blocks;  /* of the region */
	uint16_t passed; /* instructions between probe and store; in all of the region */
	uint8_t stop;    /* enum slide_stop: why it is not behind the store */
	uint8_t obstacle; /* enum cut_obstacle: why it is not before it */
};

struct found_site {
	struct site site;     /* as BPF wants it; `image` is left 0 */
	uint64_t store;       /* address of the store itself; for other roles that of the probe */
	uint64_t file_offset; /* of the probe, for the attachment */
	uint64_t function;    /* start of the function it lies in */
	uint8_t merged;       /* further stores that this probe covers */
	bool constant;        /* the store writes site.value */
	struct site_proof proof;
};

struct site_table {
	struct found_site at[FOUND_SITES_MAX];
	size_t count;
	size_t covered; /* stores that need no probe, since one before them tells the same */
	bool has_create, has_run, has_suspend, has_close, has_free; /* what a full trace needs */
};

/* Finds every store to gi_frame_state and ag_running_async, the place where a generator's memory is
 * given back, and the entries of the methods that say `via`; moves each probe to an instruction that the
 * kernel emulates where one is passed just when the store is: behind it (slide.h), else before (cut.h).
 * 0, -ENOMEM, or -ENOENT when the file has no function table or no stores (not the code we know). */
int sites_find(const struct elf_file *file, const struct interpreter *interpreter,
	       struct site_table *out);

/* The name of the function a site lies in: a symbol, CPython's name for a slot, or "" . */
const char *sites_function_name(const struct elf_file *file, const struct interpreter *interpreter,
				const struct found_site *site);

#define PROOF_TEXT_MAX 192

/* "before the store: 2 of 2 edges into a region of 3 blocks, 14 instructions, if sign" */
void sites_proof_text(const struct found_site *site, char *out, size_t room);

#endif
