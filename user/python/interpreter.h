/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_PYTHON_INTERPRETER_H
#define GENSCOPE_PYTHON_INTERPRETER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"
#include "site.h"
#include "target/elf_file.h"
#include "values.h"

/*
 * What one file that holds a CPython says of itself: version, build, layout, and the addresses of
 * the functions that its type objects name. All addresses are link-time addresses.
 */

#define INTERPRETER_FUNCTIONS_MAX 48

struct interpreter_function {
	const char *name; /* as in Objects/genobject.c; a literal */
	uint64_t address;
	uint8_t via; /* enum via that an entry of it stands for, 0 none */
};

/* Why interpreter_read() refused a CPython. */
enum interpreter_flaw {
	FLAW_NONE = 0,
	FLAW_VERSION = 1,       /* not one of the versions that are known */
	FLAW_FREE_THREADED = 2, /* built without the GIL */
	FLAW_LAYOUT = 3, /* a known version whose objects are laid out otherwise, or might be */
};

struct interpreter {
	uint32_t version_hex;
	char version[24];  /* "3.14.2", "3.15.0a7" */
	char build_id[48]; /* hex, "" if it has none */
	bool pie, debug, free_threaded, jit_built;
	uint8_t flaw; /* enum interpreter_flaw */
	struct layout layout;
	uint64_t types
		[KIND_COUNT]; /* PyGen_Type, PyCoro_Type, PyAsyncGen_Type by enum object_kind */
	uint64_t value_types[VALUE_TYPE_COUNT]; /* by enum value_type, 0 if not exported */
	uint64_t generator_exit;                /* PyExc_GeneratorExit, 0 if not exported */
	uint64_t runtime;                       /* _PyRuntime */
	uint64_t eval;                          /* _PyEval_EvalFrameDefault */
	uint64_t dealloc;                       /* tp_dealloc of generators */
	uint64_t code_dealloc;                  /* tp_dealloc of code objects */
	uint64_t gc_del;                        /* PyObject_GC_Del */
	uint64_t tstate;                        /* see enum tstate_access */
	uint32_t tstate_access;
	struct interpreter_function functions[INTERPRETER_FUNCTIONS_MAX];
	size_t function_count;
};

#define INTERPRETER_WHY_MAX 256

/* Reads all that from an open file. On refusal `why` (INTERPRETER_WHY_MAX bytes) says in words what
 * and the result is: -ENOENT the file holds no CPython; -ENOTSUP it does, but of a version, build or
 * layout that is not known (`flaw` says which; version and build are filled in as far as they could be read). */
int interpreter_read(const struct elf_file *file, struct interpreter *out, char *why);

/* Whether the file exports a CPython at all; quick, for looking through a process's mappings. */
bool interpreter_present(const struct elf_file *file);

/* The name CPython's source gives to the function at this address, NULL if it is none of those. */
const char *interpreter_function_name(const struct interpreter *interpreter, uint64_t address);

/* "3.14.2" of a PY_VERSION_HEX. */
void interpreter_version_text(uint32_t version_hex, char *out, size_t size);

#endif
