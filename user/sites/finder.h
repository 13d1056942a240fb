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
	PROOF_RETURN,   /* behind a call of the evaluation loop, in a straight line */
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

/* What a site is needed for: who wants to know less attaches fewer. */
enum site_tells {
	TELLS_BIRTH = 1,
	TELLS_RUN = 2,
	TELLS_SUSPEND = 4,
	TELLS_CLOSE = 8,
	TELLS_FREE = 16,
	TELLS_CAUSE = 32,     /* of the next change: `via` */
	TELLS_CODE_FREE = 64, /* names stay right when memory is used again */
	TELLS_ENTRY = 128,    /* a step that is driven from C begins */
	TELLS_RETURN = 256,   /* a step that was driven from C has ended; no store of its own */
};
/* All that changes a state is seen, whatever drives it; outermost steps alone. */
#define TELLS_EVERYTHING                                                                           \
	(TELLS_BIRTH | TELLS_RUN | TELLS_SUSPEND | TELLS_CLOSE | TELLS_FREE | TELLS_CAUSE |        \
	 TELLS_CODE_FREE)
/* The same without what only explains it. */
#define TELLS_STATES (TELLS_EVERYTHING & ~TELLS_CAUSE)
#define TELLS_STEPS  (TELLS_ENTRY | TELLS_RETURN | TELLS_CODE_FREE)

struct found_site {
	struct site site;     /* as BPF wants it; `image` is left 0 */
	uint64_t store;       /* address of the store itself; for other roles that of the probe */
	uint64_t file_offset; /* of the probe, for the attachment */
	uint64_t function;    /* start of the function it lies in */
	uint8_t merged;       /* further stores that this probe covers */
	bool constant;        /* the store writes site.value */
	uint16_t tells;       /* enum site_tells, or-ed */
	struct site_proof proof;
};

struct site_table {
	struct found_site at[FOUND_SITES_MAX];
	size_t count;
	size_t covered; /* stores that need no probe, since one before them tells the same */
	bool has_create, has_run, has_suspend, has_close, has_free; /* what a full trace needs */
	bool has_returns; /* what outermost steps need besides */
};

/* Finds every store to gi_frame_state and ag_running_async, the place where a generator's memory is
 * given back, and the entries of the methods that say `via`; moves each probe to an instruction that the
 * kernel emulates where one is passed just when the store is: behind it (slide.h), else before (cut.h).
 * 0, -ENOMEM, or -ENOENT when the file has no function table or no stores (not the code we know). */
int sites_find(const struct elf_file *file, const struct interpreter *interpreter,
	       struct site_table *out);

/* How many sites tell of one of these (enum site_tells, or-ed). */
size_t sites_telling(const struct site_table *table, unsigned tells);

/* The name of the function a site lies in: a symbol, CPython's name for a slot, or "" . */
const char *sites_function_name(const struct elf_file *file, const struct interpreter *interpreter,
				const struct found_site *site);

#define PROOF_TEXT_MAX 192

/* "before the store: 2 of 2 edges into a region of 3 blocks, 14 instructions, if sign" */
void sites_proof_text(const struct found_site *site, char *out, size_t room);

#endif
