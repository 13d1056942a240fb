/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_FLAME_H
#define GENSCOPE_MODEL_FLAME_H

#include <stdint.h>

/*
 * Await chains, outermost first, as a tree of functions: what ran and what waited under each. Functions are
 * the caller's numbers. Memory is bounded: where there are more chains than the limit, new ones are not told
 * apart beyond the part of them that is known, and where one is deeper than FLAME_DEPTH_MAX, its innermost
 * functions are counted as its last.
 */

#define FLAME_NODES                                                                                \
	30000 /* a page shows the widest few thousand; a node takes some 40 bytes of it */
#define FLAME_DEPTH_MAX 200 /* generators that delegate to themselves get as deep as the stack */

#define FLAME_ROOT 0u
#define FLAME_NO_FUNCTION                                                                          \
	UINT32_MAX /* of the root, and of the nodes of all that is not told apart */

struct flame_node {
	uint32_t parent; /* a smaller number; of the root itself */
	uint32_t function;
	uint32_t depth;          /* of the root 0 */
	uint64_t steps, run_ns;  /* run_ns: by itself */
	uint64_t waits, wait_ns; /* waits of which it was the innermost */
};

struct flame;

/* `nodes`: how many at most, as many again for what is not told apart; 0: FLAME_NODES. -ENOMEM. */
int flame_new(uint32_t nodes, struct flame **out);
void flame_free(struct flame *flame); /* NULL is fine */

/* The node of a function under another; its number stays. -ENOMEM. */
int flame_find(struct flame *flame, uint32_t parent, uint32_t function, uint32_t *out);

void flame_step(struct flame *flame, uint32_t node);
void flame_run(struct flame *flame, uint32_t node, uint64_t ns);
void flame_wait(struct flame *flame, uint32_t node, uint64_t ns);

const struct flame_node *flame_nodes(const struct flame *flame, uint32_t *count);

/* How many searches ended where nothing is told apart, and at the depth limit. */
uint64_t flame_others(const struct flame *flame);
uint64_t flame_too_deep(const struct flame *flame);

#endif
