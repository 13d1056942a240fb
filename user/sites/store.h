/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SITES_STORE_H
#define GENSCOPE_SITES_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"
#include "sites/insn.h"

/*
 * Recognising, among the instructions of one function, the stores to gi_frame_state and
 * ag_running_async. They name the object's register: through the object itself (displacement
 * gi_frame_state), or through its frame (gi_frame_state - gi_iframe, which is negative).
 */

struct store {
	size_t index;   /* of the instruction */
	int32_t addend; /* object = base + addend */
	uint8_t base;   /* enum site_register */
	uint8_t role;   /* SITE_FRAME_STATE, SITE_RUNNING_ASYNC or SITE_BOTH */
	bool constant;
	int8_t value; /* when constant: gi_frame_state, or ag_running_async if that is the role */
	int8_t value_async; /* when constant and SITE_BOTH */
	uint8_t value_reg;  /* when not */
};

/* Could the bytes of a function hold such a store with an immediate operand? Cheap, no decoding; may
 * say yes for nothing. *registers: whether there is one from a register. */
bool store_in_bytes(const struct layout *layout, const uint8_t *bytes, size_t size,
		    bool *registers);

/* Is instruction `index` such a store? Only its own shape is looked at. */
bool store_decode(const struct layout *layout, const struct insn_list *list, size_t index,
		  struct store *out);

/* Does the function use the store's base register as that of a generator elsewhere near: reads its
 * state, links its exception state, takes its frame's address? Other structures have bytes at the
 * same displacement; few do all that. */
bool store_has_company(const struct layout *layout, const struct insn_list *list,
		       const struct store *store);

/* Is it part of making an object (make_gen(), _Py_MakeCoro() of Objects/genobject.c), which writes
 * CLEARED and 0 into memory that is nothing yet? Told by its company: the weak reference list, which
 * nothing else clears, or ag_hooks_inited. */
bool store_is_initialisation(const struct layout *layout, const struct insn_list *list,
			     const struct store *store);

/* May the instruction write something that a transition is read from? Then a probe that is moved over it
 * sees another picture than one on the store. */
bool store_is_disturbed(const struct layout *layout, const struct store *store,
			const struct insn *insn);

#endif
