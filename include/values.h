/* SPDX-License-Identifier: MIT */
/*
 * Where CPython keeps the values of variables: read by BPF, which copies them at a probe, and by the
 * user side, which turns them into their repr. Filled by user/python/memory_layouts.c, which names
 * the source of every number. Offsets are in bytes from the start of the structure named.
 */
#ifndef GENSCOPE_VALUES_H
#define GENSCOPE_VALUES_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* The types whose values are shown as Python's own repr() shows them: exactly these, no subclasses. */
enum value_type {
	VALUE_OTHER = 0, /* by class and address */
	VALUE_NONE = 1,
	VALUE_ELLIPSIS = 2,
	VALUE_BOOL = 3,
	VALUE_INT = 4,
	VALUE_FLOAT = 5,
	VALUE_COMPLEX = 6,
	VALUE_STR = 7,
	VALUE_BYTES = 8,
	VALUE_LIST = 9,
	VALUE_TUPLE = 10,
	VALUE_SET = 11,
	VALUE_FROZENSET = 12,
	VALUE_DICT = 13,
	VALUE_CELL = 14, /* not a value: what holds one */
	VALUE_TYPE_COUNT = 15,
};

/* Kinds of a variable, in co_localspluskinds (Include/internal/pycore_code.h, 3.11 to 3.15). */
#define LOCAL_HIDDEN                                                                               \
	0x10 /* of an inlined comprehension: no name of the function itself (3.12 on) */
#define LOCAL_CELL 0x40
#define LOCAL_FREE 0x80

struct value_layout {
	/* _PyInterpreterFrame */
	__u16 frame_localsplus;
	/* PyCodeObject */
	__u16 code_localsplusnames; /* a tuple of str */
	__u16 code_localspluskinds; /* bytes, an entry a variable */
	__u16 code_nlocalsplus;     /* int */
	/* PyTupleObject */
	__u16 tuple_items;
	/* PyDictObject, PyDictKeysObject, PyDictValues */
	__u16 dict_keys;
	__u16 dict_values;
	__u16 keys_log2_size;        /* u8 */
	__u16 keys_log2_index_bytes; /* u8 */
	__u16 keys_kind;             /* u8: 0 general, else keys are str and entries have no hash */
	__u16 keys_nentries;         /* Py_ssize_t */
	__u16 keys_indices; /* the entries follow them, (1 << log2_index_bytes) bytes later */
	__u16 values_first; /* of a split table: its first value */
	/* PySetObject */
	__u16 set_fill;
	__u16 set_used;
	__u16 set_mask;
	__u16 set_table; /* entries {key, hash} of 16 bytes */
	/* PyLongObject */
	__u16 long_tag; /* ob_size (3.11), lv_tag (3.12 on) */
	__u16 long_digits;
	/* PyTypeObject, PyHeapTypeObject */
	__u16 type_name;
	__u16 type_flags;
	__u16 type_base;
	__u16 type_dict;
	__u16 heap_type_qualname;
	/* values */
	__u8 long_is_tagged; /* 3.12 on: sign in the two low bits of the tag, digits above bit 3 */
	__u8 stackref_tag;   /* low bits of a variable that are no address: 0 before 3.14 */
	__u8 tagged_int;     /* these bits say that the rest is an int, 0: there are none */
	__u8 pad[5];
};
_Static_assert(sizeof(struct value_layout) == 56, "value_layout is shared with BPF");

/* Offsets that hold in every version (Include/cpython/listobject.h, floatobject.h, complexobject.h,
 * cellobject.h). */
#define LIST_ITEMS    24
#define FLOAT_VALUE   16
#define COMPLEX_VALUE 16 /* real, imaginary */
#define CELL_VALUE    16

#endif
