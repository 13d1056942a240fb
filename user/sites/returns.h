/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SITES_RETURNS_H
#define GENSCOPE_SITES_RETURNS_H

#include <stdbool.h>
#include <stddef.h>

#include "sites/insn.h"
#include "sites/slide.h"
#include "sites/store.h"

/*
 * Where a step that was begun from C comes back to C. gen_send_ex2() (Objects/genobject.c), inlined or
 * not, stores EXECUTING and calls the evaluation loop: _PyEval_EvalFrameDefault, or what the
 * interpreter's eval_frame points to (PEP 523). When that returns, the object is still in the register
 * that the store named, since such a register outlives a call or the store would not have used it.
 */

#define RETURNS_MAX 3

/* Does this call or jump go to the evaluation loop? */
typedef bool returns_is_eval(const void *ctx, const struct insn *insn);

struct returns {
	struct slide at[RETURNS_MAX]; /* moved forward to instructions that the kernel emulates */
	size_t count;
	size_t first, last; /* instructions from the store to the call */
};

/* The places behind the calls that follow a store of EXECUTING. False when none can be told. `list` after
 * joins_mark(). */
bool returns_find(const struct insn_list *list, const struct store *store, returns_is_eval *is_eval,
		  const void *ctx, struct returns *out);

/* Does this store lead to the calls of another one in the same function, without a call before? */
bool returns_are_of(const struct insn_list *list, const struct store *store,
		    const struct returns *others);

#endif
