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

enum slide_stop {
	SLIDE_REACHED = 0,
	SLIDE_JOIN,   /* control comes in from elsewhere */
	SLIDE_LOST,   /* no register holds the object any more */
	SLIDE_LEAVES, /* return, indirect call or jump */
	SLIDE_STACK,  /* the stack pointer goes somewhere unknown */
	SLIDE_FAR,    /* too long a way, or bytes that could not be decoded */
};

struct slide {
	size_t index; /* of the instruction to probe */
	uint8_t reg;  /* that holds the object (plus `addend`) there */
	int32_t addend;
	int32_t stack; /* how far the stack pointer has gone down on the way, in bytes */
	bool emulated; /* false: nothing better was found, index is where it began */
	uint8_t stop;  /* enum slide_stop */
};

/* Begins at `from`: the instruction after a store, or the first of a function. At that point register
 * `reg` plus `addend` is the object; copies of it are followed through mov and lea.
 * Returns false, leaving *out alone but for `stop`, when the block holds no emulated instruction in reach. */
bool slide_forward(const struct insn_list *list, size_t from, uint8_t reg, int32_t addend,
		   struct slide *out);

/* The same, but also those registers count that the object was copied to, or from, in the straight line
 * before `from`. */
bool slide_by_copies(const struct insn_list *list, size_t from, uint8_t reg, int32_t addend,
		     struct slide *out);

/* A register of those in `mask` (bits 1 << enum site_register) that holds the object at `from`: `reg` itself, or
 * a copy made in the straight line before. False: none is known to. */
bool slide_find_copy(const struct insn_list *list, size_t from, uint8_t reg, int32_t addend,
		     uint16_t mask, uint8_t *out_reg, int32_t *out_addend);

const char *slide_stop_text(uint8_t stop);

#endif
