/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SESSION_REFUSAL_H
#define GENSCOPE_SESSION_REFUSAL_H

#include "python/interpreter.h"

/*
 * Why a process that runs a CPython is no target. Who refuses it says so; messages for people say more.
 */
enum refusal {
	REFUSAL_NONE = 0,       /* it is none, or is no CPython, or has gone */
	REFUSAL_VERSION = 1,    /* a CPython that is too old or too new */
	REFUSAL_BUILD = 2,      /* of a known version, but free-threaded, or laid out otherwise */
	REFUSAL_CODE = 3,       /* its machine code has no store that probes could stand at */
	REFUSAL_MACHINE = 4,    /* called a Python, and not for x86-64 */
	REFUSAL_UNREADABLE = 5, /* called a Python, and its file cannot be opened or read */
	REFUSAL_NO_RIGHT = 6,   /* called a Python, and the kernel lets nobody look, or us not */
	REFUSAL_TOO_MANY = 7,   /* more interpreters, sites or attachments than there is room for */
	REFUSAL_NOT_ATTACHED = 8, /* the kernel took no probes for another reason */
	REFUSAL_COUNT = 9,
};

/* One word in snake_case that scripts can rely on; "" of REFUSAL_NONE. */
const char *refusal_word(enum refusal refusal);

enum refusal refusal_of_flaw(enum interpreter_flaw flaw);

/* Of -errno of putting probes on a CPython that is known; REFUSAL_NONE of 0 and where it has gone. -ENOMEM is
 * nobody's fault but ours: REFUSAL_NONE too. */
enum refusal refusal_of_attaching(int err);

/* Is a file of that path a Python's, or a library of one, by its name? Modules written in C are not. */
bool refusal_names_python(const char *path);

#endif
