/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SITES_SLIDE_H
#define GENSCOPE_SITES_SLIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sites/insn.h"

/*
 * Moving a probe forward inside its basic block, from where something happens to the next
 * instruction that the kernel emulates. The two run equally often: no join lies between (nothing
 * enters), and nothing before the new place leaves the block (no jump, return or call: a call could
 * run Python code, and then the order of events would be wrong).
 */

struct slide {
	size_t index; /* of the instruction to probe */
	uint8_t reg;  /* that holds the object (plus `addend`) there */
	int32_t addend;
	int32_t stack; /* how far the stack pointer has gone down on the way, in bytes */
	bool emulated; /* false: nothing better was found, index is where it began */
};

/* Begins at `from`: the instruction after a store, or the first of a function. At that point register
 * `reg` plus `addend` is the object; copies of it are followed through mov and lea.
 * Returns false, leaving *out alone, when the block holds no emulated instruction in reach. */
bool slide_forward(const struct insn_list *list, size_t from, uint8_t reg, int32_t addend,
		   struct slide *out);

#endif
