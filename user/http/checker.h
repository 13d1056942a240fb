/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_HTTP_CHECKER_H
#define GENSCOPE_HTTP_CHECKER_H

#include <stdbool.h>

#include "http/passwords.h"

/*
 * The thread that computes bcrypt hashes, one after the other, so that guessing passwords takes one core
 * and holds up nobody whose password is known.
 */
struct checker;

/* Called in the checker's thread when the answer is there. */
typedef void checker_done(void *ctx, bool allowed);

enum checker_verdict { CHECKER_ALLOWED, CHECKER_DENIED, CHECKER_LATER, CHECKER_FULL };

int checker_new(struct checker **out);

/* The answer at once if it is known. LATER: `done` will be called, `before` was called first (in this
 * thread, before `done` can be). FULL: too many are waiting. */
enum checker_verdict checker_ask(struct checker *checker, const struct web_pairs *users,
				 const char *authorization, void (*before)(void *ctx),
				 checker_done *done, void *ctx);

/* Denies all who wait, and everybody from now on. */
void checker_stop(struct checker *checker);
void checker_free(struct checker *checker); /* after checker_stop(); NULL is fine */

#endif
