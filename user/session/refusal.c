// SPDX-License-Identifier: MIT
#include "session/refusal.h"

#include <errno.h>
#include <string.h>

const char *refusal_word(enum refusal refusal)
{
	static const char *const words[REFUSAL_COUNT] = {
		[REFUSAL_NONE] = "",
		[REFUSAL_VERSION] = "unsupported_version",
		[REFUSAL_BUILD] = "unsupported_build",
		[REFUSAL_CODE] = "unsupported_code",
		[REFUSAL_MACHINE] = "unsupported_machine",
		[REFUSAL_UNREADABLE] = "unreadable",
		[REFUSAL_NO_RIGHT] = "not_permitted",
		[REFUSAL_TOO_MANY] = "too_many",
		[REFUSAL_NOT_ATTACHED] = "not_attached",
	};

	return words[refusal];
}

enum refusal refusal_of_flaw(enum interpreter_flaw flaw)
{
	switch (flaw) {
	case FLAW_NONE:
		break;
	case FLAW_VERSION:
		return REFUSAL_VERSION;
	case FLAW_FREE_THREADED:
	case FLAW_LAYOUT:
		return REFUSAL_BUILD;
	}
	return REFUSAL_NONE;
}

enum refusal refusal_of_attaching(int err)
{
	switch (err) {
	case 0:
	case -ESRCH:
	case -ENOMEM:
		return REFUSAL_NONE;
	case -ENOTSUP: /* its version's layout is not known */
		return REFUSAL_BUILD;
	case -EPERM:
	case -EACCES:
		return REFUSAL_NO_RIGHT;
	case -ENOSPC:
	case -EMFILE:
	case -ENFILE:
		return REFUSAL_TOO_MANY;
	}
	return REFUSAL_NOT_ATTACHED;
}

bool refusal_names_python(const char *path)
{
	const char *name = path ? strrchr(path, '/') : NULL;

	if (path)
		name = name ? name + 1 : path;
	return name && (!strncmp(name, "python", 6) || !strncmp(name, "libpython", 9));
}
