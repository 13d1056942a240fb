// SPDX-License-Identifier: MIT
/*
 * Prints struct memory_layout as a CPython's own headers have it: compiled against them, one line a
 * field, for check.py to hold against what table.c prints.
 */
#define Py_BUILD_CORE
#define NEED_OPCODE_TABLES
#define Py_BUILD_CORE_MODULE /* stubs of 3.13 and later want to know for whom */
#include <Python.h>
#include <stddef.h>
#include <stdio.h>

#include <internal/pycore_code.h>
#include <internal/pycore_dict.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_gc.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_long.h>
#include <internal/pycore_runtime.h>
#if PY_VERSION_HEX < 0x030d0000
#include <opcode.h>
#include <internal/pycore_opcode.h>
#endif
#if PY_VERSION_HEX >= 0x030d0000
#include <internal/pycore_llist.h>
#endif
#if PY_VERSION_HEX >= 0x030e0000
#include <internal/pycore_interpframe.h>
#include <internal/pycore_stackref.h>
#endif

#include "asyncio_objects.h"

#define SHOW(name, value)     printf("%s %llu\n", name, (unsigned long long)(value))
#define AT(name, type, field) SHOW(name, offsetof(type, field))
#define GC                    struct _gc_runtime_state

static void show_values(void)
{
	AT("values.frame_localsplus", _PyInterpreterFrame, localsplus);
	AT("values.code_localsplusnames", PyCodeObject, co_localsplusnames);
	AT("values.code_localspluskinds", PyCodeObject, co_localspluskinds);
	AT("values.code_nlocalsplus", PyCodeObject, co_nlocalsplus);
	AT("values.tuple_items", PyTupleObject, ob_item);
	AT("values.dict_keys", PyDictObject, ma_keys);
	AT("values.dict_values", PyDictObject, ma_values);
	AT("values.keys_log2_size", PyDictKeysObject, dk_log2_size);
	AT("values.keys_log2_index_bytes", PyDictKeysObject, dk_log2_index_bytes);
	AT("values.keys_kind", PyDictKeysObject, dk_kind);
	AT("values.keys_nentries", PyDictKeysObject, dk_nentries);
	AT("values.keys_indices", PyDictKeysObject, dk_indices);
	AT("values.values_first", PyDictValues, values);
	AT("values.set_fill", PySetObject, fill);
	AT("values.set_used", PySetObject, used);
	AT("values.set_mask", PySetObject, mask);
	AT("values.set_table", PySetObject, table);
#if PY_VERSION_HEX < 0x030c0000
	AT("values.long_tag", PyVarObject, ob_size);
	AT("values.long_digits", PyLongObject, ob_digit);
#else
	AT("values.long_tag", PyLongObject, long_value.lv_tag);
	AT("values.long_digits", PyLongObject, long_value.ob_digit);
#endif
	AT("values.type_name", PyTypeObject, tp_name);
	AT("values.type_flags", PyTypeObject, tp_flags);
	AT("values.type_base", PyTypeObject, tp_base);
	AT("values.type_dict", PyTypeObject, tp_dict);
	AT("values.heap_type_qualname", PyHeapTypeObject, ht_qualname);
	SHOW("values.long_is_tagged", PY_VERSION_HEX >= 0x030c0000);
#if PY_VERSION_HEX >= 0x030e0000
	SHOW("values.stackref_tag", Py_TAG_BITS);
	SHOW("values.tagged_int", Py_INT_TAG);
#else
	SHOW("values.stackref_tag", 0);
	SHOW("values.tagged_int", 0);
#endif
}

static void show_states(void)
{
	AT("runtime_interpreters_head", _PyRuntimeState, interpreters.head);
	AT("interpreter_id", PyInterpreterState, id);
	AT("interpreter_next", PyInterpreterState, next);
	AT("interpreter_threads_head", PyInterpreterState, threads.head);
	AT("interpreter_gc", PyInterpreterState, gc);
#if PY_VERSION_HEX < 0x030c0000
	AT("interpreter_modules", PyInterpreterState, modules);
#else
	AT("interpreter_modules", PyInterpreterState, imports.modules);
#endif
	AT("gc_generations", GC, generations);
	SHOW("gc_generation_bytes", sizeof(struct gc_generation));
	AT("gc_permanent", GC, permanent_generation);
	AT("gc_collecting", GC, collecting);
	AT("gc_generation0", GC, generation0);
	AT("thread_next", PyThreadState, next);
	AT("thread_id", PyThreadState, thread_id);
	AT("thread_native_id", PyThreadState, native_thread_id);
}

static void show_frame(void)
{
	AT("frame_owner", _PyInterpreterFrame, owner);
#if PY_VERSION_HEX < 0x030e0000
	AT("frame_stacktop", _PyInterpreterFrame, stacktop);
	SHOW("stack_is_pointer", 0);
#else
	AT("frame_stacktop", _PyInterpreterFrame, stackpointer);
	SHOW("stack_is_pointer", 1);
#endif
}

/* The forms of RESUME: what is specialised from it, and what monitoring puts in its place, which
 * _PyOpcode_Deopt does not say. Only 3.11 and 3.12 need them. */
static void show_resume(void)
{
	unsigned forms[8] = { 0 }, count = 0;
	char name[16];

#if PY_VERSION_HEX < 0x030d0000
	forms[count++] = RESUME;
	for (unsigned i = 1; i < 256; i++)
		if (_PyOpcode_Deopt[i] == RESUME && i != RESUME)
			forms[count++] = i;
#if PY_VERSION_HEX >= 0x030c0000
	forms[count++] = INSTRUMENTED_RESUME;
#endif
#endif
	for (unsigned i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "resume.%u", i);
		SHOW(name, forms[i]);
	}
}

static void show_asyncio(void)
{
	AT("future_state", struct future_object, state);
	AT("future_callback0", struct future_object, callback0);
	AT("future_callbacks", struct future_object, callbacks);
#if PY_VERSION_HEX < 0x030d0000
	AT("future_dict", struct future_object, dict);
#elif PY_VERSION_HEX < 0x030e0000
	SHOW("future_dict", (unsigned)MANAGED_DICT_OFFSET);
#else
	SHOW("future_dict", 0);
#endif
	AT("task_waiter", struct task_object, waiter);
	AT("task_coroutine", struct task_object, coroutine);
	AT("task_name", struct task_object, name);
#if PY_VERSION_HEX >= 0x030e0000
	AT("task_awaited_by", struct task_object, awaited_by);
	AT("task_awaited_by_is_set", struct task_object, awaited_by_is_set);
	SHOW("task_awaited_by_mask", 0xff);
#else
	SHOW("task_awaited_by", 0);
	SHOW("task_awaited_by_is_set", 0);
	SHOW("task_awaited_by_mask", 0);
#endif
	SHOW("sizeof FutureObj", sizeof(struct future_object));
	SHOW("sizeof TaskObj", sizeof(struct task_object));
}

int main(void)
{
	SHOW("version", PY_VERSION_HEX);
#ifdef Py_DEBUG
	SHOW("debug", 1);
#else
	SHOW("debug", 0);
#endif
	show_values();
	show_states();
	show_frame();
	show_resume();
	show_asyncio();
	return 0;
}
