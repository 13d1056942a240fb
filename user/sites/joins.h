/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SITES_JOINS_H
#define GENSCOPE_SITES_JOINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sites/insn.h"
#include "target/elf_file.h"

/*
 * Where control can enter a stretch of code other than from the instruction before. Within the
 * stretch its own jumps say so; from outside come jumps between the hot and the cold part of one
 * function, tables of computed gotos (8-byte addresses, in the data or as relocation addends) and
 * switch tables (4-byte distances from their own start). The outside is read as raw bytes, without
 * decoding: too many joins found costs a slide, one too few would count what never happened.
 */

struct code_range {
	uint64_t start, end;
	uint32_t jumps_from; /* how many jumps into it lie in the `from` range of joins_collect() */
};

struct joins {
	uint64_t *at;   /* sorted */
	uint64_t *from; /* the jump that comes from there, 0: it is in a table; NULL: not known */
	size_t count;
};

/* Collects the joins from outside into any of the ranges (sorted, disjoint); `from` may be NULL.
 * 0 or -ENOMEM. */
int joins_collect(const struct elf_file *file, struct code_range *ranges, size_t count,
		  const struct code_range *from, struct joins *out);
void joins_free(struct joins *joins);

/* Sets `join` on the instructions of one function: from outside and from its own jumps. Sets `entered`
 * on those of them, and on the first, that control can reach in another way than by falling through or
 * by one of the jumps in the list: by a table, from elsewhere, from bytes that only look like a jump. */
void joins_mark(const struct joins *outside, struct insn_list *list);

#endif
