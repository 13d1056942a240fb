// SPDX-License-Identifier: MIT
#include "python/interpreter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "python/layouts.h"
#include "python/tstate.h"

/* PyTypeObject, PyAsyncMethods, PyMethodDef: Include/cpython/object.h, methodobject.h, 3.11 to 3.15. */
#define TP_BASICSIZE  0x20
#define TP_DEALLOC    0x30
#define TP_AS_ASYNC   0x50
#define TP_ITERNEXT   0xe0
#define TP_METHODS    0xe8
#define TP_FINALIZE   0x188
#define AM_ANEXT      0x10
#define AM_SEND       0x18
#define METHOD_NAME   0
#define METHOD_MEANS  8
#define METHOD_SIZE   32
#define METHODS_MAX   32
#define OFFSETS_MAX   1024 /* bytes of _Py_DebugOffsets looked at */
#define NAME_MAX_LOOK 16

/* Which slot or method of which type names which function of Objects/genobject.c. */
struct named_slot {
	const char *type;
	uint16_t slot;  /* offset of the pointer in the type; TP_METHODS: look for `method` */
	uint16_t inner; /* TP_AS_ASYNC: offset in the PyAsyncMethods */
	const char *method;
	const char *name;
	uint8_t via;
};

static const struct named_slot named_slots[] = {
	{ "PyGen_Type", TP_METHODS, 0, "send", "gen_send", VIA_SEND },
	{ "PyGen_Type", TP_METHODS, 0, "throw", "gen_throw", VIA_THROW },
	{ "PyGen_Type", TP_METHODS, 0, "close", "gen_close", VIA_CLOSE },
	{ "PyGen_Type", TP_FINALIZE, 0, NULL, "_PyGen_Finalize", 0 },
	{ "PyGen_Type", TP_ITERNEXT, 0, NULL, "gen_iternext", 0 },
	{ "PyGen_Type", TP_DEALLOC, 0, NULL, "gen_dealloc", 0 },
	{ "PyGen_Type", TP_AS_ASYNC, AM_SEND, NULL, "PyGen_am_send", 0 },
	{ "PyCoro_Type", TP_METHODS, 0, "send", "gen_send", VIA_SEND },
	{ "PyCoro_Type", TP_METHODS, 0, "throw", "gen_throw", VIA_THROW },
	{ "PyCoro_Type", TP_METHODS, 0, "close", "gen_close", VIA_CLOSE },
	{ "PyCoro_Type", TP_FINALIZE, 0, NULL, "_PyGen_Finalize", 0 },
	{ "PyCoro_Type", TP_DEALLOC, 0, NULL, "gen_dealloc", 0 },
	{ "PyCoro_Type", TP_AS_ASYNC, AM_SEND, NULL, "PyGen_am_send", 0 },
	{ "PyAsyncGen_Type", TP_METHODS, 0, "asend", "async_gen_asend", VIA_ASEND },
	{ "PyAsyncGen_Type", TP_METHODS, 0, "athrow", "async_gen_athrow", VIA_ATHROW },
	{ "PyAsyncGen_Type", TP_METHODS, 0, "aclose", "async_gen_aclose", VIA_ACLOSE },
	{ "PyAsyncGen_Type", TP_FINALIZE, 0, NULL, "_PyGen_Finalize", 0 },
	{ "PyAsyncGen_Type", TP_AS_ASYNC, AM_ANEXT, NULL, "async_gen_anext", 0 },
	{ "PyAsyncGen_Type", TP_DEALLOC, 0, NULL, "gen_dealloc", 0 },
	{ "_PyCoroWrapper_Type", TP_METHODS, 0, "send", "coro_wrapper_send", 0 },
	{ "_PyCoroWrapper_Type", TP_METHODS, 0, "throw", "coro_wrapper_throw", 0 },
	{ "_PyCoroWrapper_Type", TP_METHODS, 0, "close", "coro_wrapper_close", 0 },
	{ "_PyCoroWrapper_Type", TP_ITERNEXT, 0, NULL, "coro_wrapper_iternext", 0 },
	{ "_PyAsyncGenASend_Type", TP_METHODS, 0, "send", "async_gen_asend_send", 0 },
	{ "_PyAsyncGenASend_Type", TP_METHODS, 0, "throw", "async_gen_asend_throw", 0 },
	{ "_PyAsyncGenASend_Type", TP_METHODS, 0, "close", "async_gen_asend_close", 0 },
	{ "_PyAsyncGenASend_Type", TP_ITERNEXT, 0, NULL, "async_gen_asend_iternext", 0 },
	{ "_PyAsyncGenASend_Type", TP_AS_ASYNC, AM_SEND, NULL, "async_gen_asend_am_send", 0 },
	{ "_PyAsyncGenAThrow_Type", TP_METHODS, 0, "send", "async_gen_athrow_send", 0 },
	{ "_PyAsyncGenAThrow_Type", TP_METHODS, 0, "throw", "async_gen_athrow_throw", 0 },
	{ "_PyAsyncGenAThrow_Type", TP_METHODS, 0, "close", "async_gen_athrow_close", 0 },
	{ "_PyAsyncGenAThrow_Type", TP_ITERNEXT, 0, NULL, "async_gen_athrow_iternext", 0 },
};

static const char *const type_names[KIND_COUNT] = {
	[KIND_GENERATOR] = "PyGen_Type",
	[KIND_COROUTINE] = "PyCoro_Type",
	[KIND_ASYNC_GENERATOR] = "PyAsyncGen_Type",
};

static const char *const value_type_names[VALUE_TYPE_COUNT] = {
	[VALUE_NONE] = "_PyNone_Type",  [VALUE_ELLIPSIS] = "PyEllipsis_Type",
	[VALUE_BOOL] = "PyBool_Type",   [VALUE_INT] = "PyLong_Type",
	[VALUE_FLOAT] = "PyFloat_Type", [VALUE_COMPLEX] = "PyComplex_Type",
	[VALUE_STR] = "PyUnicode_Type", [VALUE_BYTES] = "PyBytes_Type",
	[VALUE_LIST] = "PyList_Type",   [VALUE_TUPLE] = "PyTuple_Type",
	[VALUE_SET] = "PySet_Type",     [VALUE_FROZENSET] = "PyFrozenSet_Type",
	[VALUE_DICT] = "PyDict_Type",   [VALUE_CELL] = "PyCell_Type",
};

void interpreter_version_text(uint32_t version_hex, char *out, size_t size)
{
	/* PY_VERSION_HEX (Include/patchlevel.h): major, minor, micro, level and serial nibbles */
	unsigned level = version_hex >> 4 & 15, serial = version_hex & 15;
	const char *suffix = level == 0xa ? "a" : level == 0xb ? "b" : level == 0xc ? "rc" : "";
	int used = snprintf(out, size, "%u.%u.%u", version_hex >> 24, version_hex >> 16 & 255,
			    version_hex >> 8 & 255);

	if (*suffix && used > 0 && (size_t)used < size)
		snprintf(out + used, size - (size_t)used, "%s%u", suffix, serial);
}

bool interpreter_present(const struct elf_file *file)
{
	return !elf_file_symbol(file, "PyGen_Type", NULL, NULL) &&
	       !elf_file_symbol(file, "_PyRuntime", NULL, NULL);
}

/* Refuses it: `why` is in words already. */
static int refuse(struct interpreter *out, enum interpreter_flaw flaw)
{
	out->flaw = flaw;
	return -ENOTSUP;
}

static void add_function(struct interpreter *out, const char *name, uint64_t address, uint8_t via)
{
	for (size_t i = 0; i < out->function_count; i++)
		if (out->functions[i].address == address)
			return; /* generators and coroutines share most of them */
	if (out->function_count == INTERPRETER_FUNCTIONS_MAX)
		return;
	out->functions[out->function_count++] =
		(struct interpreter_function){ .name = name, .address = address, .via = via };
}

/* The function behind an entry of the type's method table. */
static int method_address(const struct elf_file *file, uint64_t methods, const char *method,
			  uint64_t *address)
{
	for (size_t i = 0; i < METHODS_MAX; i++) {
		uint64_t entry = methods + i * METHOD_SIZE, name;
		const uint8_t *text;

		if (elf_file_pointer(file, entry + METHOD_NAME, &name) || !name)
			return -ENOENT;
		text = elf_file_bytes(file, name, strlen(method) + 1);
		if (text && !memcmp(text, method, strlen(method) + 1))
			return elf_file_pointer(file, entry + METHOD_MEANS, address);
	}
	return -ENOENT;
}

static int slot_address(const struct elf_file *file, const struct named_slot *slot,
			uint64_t *address)
{
	uint64_t type, value;
	int err = elf_file_symbol(file, slot->type, &type, NULL);

	if (!err)
		err = elf_file_pointer(file, type + slot->slot, &value);
	if (err || !value)
		return err ? err : -ENOENT;
	if (slot->slot == TP_METHODS)
		return method_address(file, value, slot->method, address);
	if (slot->slot == TP_AS_ASYNC)
		return elf_file_pointer(file, value + slot->inner, address);
	*address = value;
	return 0;
}

static void read_functions(const struct elf_file *file, struct interpreter *out)
{
	uint64_t address, type;

	for (size_t i = 0; i < sizeof(named_slots) / sizeof(named_slots[0]); i++)
		if (!slot_address(file, &named_slots[i], &address) &&
		    elf_file_is_code(file, address))
			add_function(out, named_slots[i].name, address, named_slots[i].via);
	if (!elf_file_symbol(file, "_PyEval_EvalFrameDefault", &out->eval, NULL))
		add_function(out, "_PyEval_EvalFrameDefault", out->eval, 0);
	if (!elf_file_symbol(file, "PyGen_Type", &type, NULL))
		elf_file_pointer(file, type + TP_DEALLOC, &out->dealloc);
	if (!elf_file_symbol(file, "PyCode_Type", &type, NULL))
		elf_file_pointer(file, type + TP_DEALLOC, &out->code_dealloc);
	elf_file_symbol(file, "PyObject_GC_Del", &out->gc_del, NULL);
}

/* PY_VERSION_HEX: exported as Py_Version from 3.11 on. */
static int read_version(const struct elf_file *file, struct interpreter *out, char *why)
{
	uint64_t address;
	const uint8_t *bytes;
	uint32_t version;

	if (elf_file_symbol(file, "Py_Version", &address, NULL) ||
	    !(bytes = elf_file_bytes(file, address, sizeof(version)))) {
		snprintf(why, INTERPRETER_WHY_MAX,
			 "CPython older than 3.11 is not supported: it keeps generators otherwise");
		return refuse(out, FLAW_VERSION);
	}
	memcpy(&version, bytes, sizeof(version));
	out->version_hex = version;
	interpreter_version_text(version, out->version, sizeof(out->version));
	if (version < PYTHON_VERSION_MIN || version >= PYTHON_VERSION_END) {
		snprintf(why, INTERPRETER_WHY_MAX, "CPython %s is not supported: 3.11 to 3.15 are",
			 out->version);
		return refuse(out, FLAW_VERSION);
	}
	return 0;
}

static int check_offsets(const struct elf_file *file, struct interpreter *out, char *why)
{
	uint64_t published = 0, known = 0;
	const char *field = "?";
	const uint8_t *bytes;
	int err;

	if (out->version_hex < 0x030d0000u) /* none before 3.13 */
		return 0;
	bytes = elf_file_bytes(file, out->runtime, OFFSETS_MAX);
	err = bytes ? layout_check_offsets(&out->layout, out->version_hex, bytes, OFFSETS_MAX,
					   &field, &published, &known) :
		      -ENOENT;
	if (!err)
		return 0;
	if (err == -EPROTONOSUPPORT) {
		out->free_threaded = true;
		snprintf(why, INTERPRETER_WHY_MAX,
			 "CPython %s is a free-threaded build, which is not supported: "
			 "use the default build",
			 out->version);
	} else if (err == -ENOENT) {
		snprintf(why, INTERPRETER_WHY_MAX,
			 "CPython %s publishes no _Py_DebugOffsets: its layout cannot be verified",
			 out->version);
	} else {
		snprintf(why, INTERPRETER_WHY_MAX,
			 "CPython %s has an unknown layout: %s is 0x%llx, known is 0x%llx",
			 out->version, field, (unsigned long long)published,
			 (unsigned long long)known);
	}
	return refuse(out, out->free_threaded ? FLAW_FREE_THREADED : FLAW_LAYOUT);
}

static int read_layout(const struct elf_file *file, struct interpreter *out, char *why)
{
	struct layout_check check;
	const uint8_t *bytes;
	uint64_t basicsize = 0;

	if (layout_for_version(out->version_hex, &out->layout, &check)) {
		snprintf(why, INTERPRETER_WHY_MAX, "CPython %s is not supported: 3.11 to 3.15 are",
			 out->version);
		return refuse(out, FLAW_VERSION);
	}
	bytes = elf_file_bytes(file, out->types[KIND_GENERATOR] + TP_BASICSIZE, sizeof(basicsize));
	if (bytes)
		memcpy(&basicsize, bytes, sizeof(basicsize));
	if (basicsize != check.gen_basicsize) {
		snprintf(
			why, INTERPRETER_WHY_MAX,
			"CPython %s has an unknown layout: a generator has %llu bytes, known is %u",
			out->version, (unsigned long long)basicsize, check.gen_basicsize);
		return refuse(out, FLAW_LAYOUT);
	}
	return check_offsets(file, out, why);
}

int interpreter_read(const struct elf_file *file, struct interpreter *out, char *why)
{
	int err;

	memset(out, 0, sizeof(*out));
	why[0] = 0;
	elf_file_build_id(file, out->build_id, sizeof(out->build_id));
	out->pie = elf_file_is_pie(file);
	for (int kind = KIND_GENERATOR; kind < KIND_COUNT; kind++) {
		if (elf_file_symbol(file, type_names[kind], &out->types[kind], NULL)) {
			snprintf(why, INTERPRETER_WHY_MAX, "no CPython in it (no symbol %s)",
				 type_names[kind]);
			return -ENOENT;
		}
	}
	if (elf_file_symbol(file, "_PyRuntime", &out->runtime, NULL)) {
		snprintf(why, INTERPRETER_WHY_MAX, "CPython older than 3.7 is not supported");
		return refuse(out, FLAW_VERSION);
	}
	elf_file_symbol(file, "PyExc_GeneratorExit", &out->generator_exit, NULL);
	for (int type = VALUE_OTHER + 1; type < VALUE_TYPE_COUNT; type++)
		elf_file_symbol(file, value_type_names[type], &out->value_types[type], NULL);
	/* Py_REF_DEBUG, which Py_DEBUG implies, exports this (Include/object.h) */
	out->debug = !elf_file_symbol(file, "_Py_NegativeRefcount", NULL, NULL);
	err = read_version(file, out, why);
	if (err)
		return err;
	/* read in Python/pylifecycle.c and pystate.c where _Py_TIER2 is built in */
	out->jit_built = elf_file_has_bytes(file, "PYTHON_JIT");
	err = read_layout(file, out, why);
	if (err)
		return err;
	read_functions(file, out);
	tstate_find(file, &out->tstate_access, &out->tstate);
	return 0;
}

const char *interpreter_function_name(const struct interpreter *interpreter, uint64_t address)
{
	for (size_t i = 0; i < interpreter->function_count; i++)
		if (interpreter->functions[i].address == address)
			return interpreter->functions[i].name;
	return NULL;
}
