/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TESTS_INTERPRETER_FILES_H
#define GENSCOPE_TESTS_INTERPRETER_FILES_H

#include <criterion/criterion.h>
#include <glob.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/*
 * The files on this machine that hold a CPython: Debian's own, pyenv's, and those in the roots that
 * tests/interpreters.sh unpacks (which run here through their own loader, so that nobody needs root).
 */

#define INTERPRETER_FILES_MAX 16
#define HOLDS_CPYTHON         (1 << 20) /* bytes; the executable of a shared build has 20 KB */

struct interpreter_file {
	char path[256];
	char version[24];     /* as its -V prints it, without a distributor's "+" */
	uint32_t version_hex; /* the same as PY_VERSION_HEX */
	bool debug;
};

struct interpreter_files {
	struct interpreter_file at[INTERPRETER_FILES_MAX];
	size_t count;
};

/* PY_VERSION_HEX is said to be 0xMMmmuuLS (Include/patchlevel.h): level a, b, c or f, serial. */
static inline uint32_t interpreter_version_hex(const char *version)
{
	unsigned int major, minor, micro, serial = 0;
	char level[3] = "f";

	if (sscanf(version, "%u.%u.%u%2[abrc]%u", &major, &minor, &micro, level, &serial) < 3)
		return 0;
	if (level[0] == 'r')
		level[0] = 'c';
	return major << 24 | minor << 16 | micro << 8 | (uint32_t)(level[0] - 'a' + 10) << 4 |
	       serial;
}

/* What PREFIX/bin/python3.MINOR[d] -V prints. */
static inline void interpreter_ask_version(const char *prefix, int minor,
					   struct interpreter_file *file)
{
	char python[320], command[1536];
	FILE *stream;

	snprintf(python, sizeof(python), "%s/bin/python3.%d%s", prefix, minor,
		 file->debug ? "d" : "");
	snprintf(command, sizeof(command),
		 "(%s -V 2>/dev/null || %s/../lib64/ld-linux-x86-64.so.2 --library-path "
		 "%s/lib/x86_64-linux-gnu %s -V) 2>/dev/null",
		 python, prefix, prefix, python);
	stream = popen(command, "r");
	if (stream && fscanf(stream, "Python %23[0-9.abrc]", file->version) == 1)
		file->version_hex = interpreter_version_hex(file->version);
	if (stream)
		pclose(stream);
}

static inline void interpreter_files_under(const char *prefix, int minor,
					   struct interpreter_files *out)
{
	static const char *const places[] = {
		"%s/bin/python3.%d",
		"%s/bin/python3.%dd",
		"%s/lib/libpython3.%d.so.1.0",
		"%s/lib/x86_64-linux-gnu/libpython3.%d.so.1.0",
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct interpreter_file file = { .debug = i == 1 };
		struct stat status;

		snprintf(file.path, sizeof(file.path), places[i], prefix, minor);
		if (stat(file.path, &status) || status.st_size < HOLDS_CPYTHON)
			continue;
		interpreter_ask_version(prefix, minor, &file);
		if (file.version_hex >> 16 == (0x300u | (unsigned int)minor) &&
		    out->count < INTERPRETER_FILES_MAX)
			out->at[out->count++] = file;
	}
}

static inline const char *environment_or(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

/* Every file of CPython 3.minor; where there is none, the test is skipped (in CI: fails). */
static inline void interpreter_files_find(int minor, struct interpreter_files *out)
{
	char pyenv[256], patterns[3][320];

	out->count = 0;
	snprintf(pyenv, sizeof(pyenv), "%s/.pyenv", environment_or("HOME", "/root"));
	snprintf(patterns[0], sizeof(patterns[0]), "/usr");
	snprintf(patterns[1], sizeof(patterns[1]), "%s/*/usr",
		 environment_or("GENSCOPE_CACHE", "/var/cache/genscope"));
	snprintf(patterns[2], sizeof(patterns[2]), "%s/versions/3.%d.*",
		 environment_or("PYENV_ROOT", pyenv), minor);
	for (int i = 0; i < 3; i++) {
		glob_t found;

		if (glob(patterns[i], 0, NULL, &found))
			continue;
		for (size_t j = 0; j < found.gl_pathc; j++)
			interpreter_files_under(found.gl_pathv[j], minor, out);
		globfree(&found);
	}
	if (!out->count) {
		cr_assert_null(getenv("CI"), "no CPython 3.%d was found", minor);
		cr_skip_test("no CPython 3.%d was found", minor);
	}
}

#endif
