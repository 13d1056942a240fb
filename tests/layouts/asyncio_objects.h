/* SPDX-License-Identifier: MIT */
/*
 * FutureObj and TaskObj of Modules/_asynciomodule.c, which no header declares: what they hold and in
 * which order, by version. 3.11 as in 3.11.2, 3.12 the same; 3.13 turned the flags into bit fields and
 * dropped the dictionary and the list of weak references (both stand before the object); 3.14 added who
 * awaits. The sizes are held against the types' tp_basicsize by live_asyncio.py.
 */
#ifndef GENSCOPE_TESTS_ASYNCIO_OBJECTS_H
#define GENSCOPE_TESTS_ASYNCIO_OBJECTS_H

enum future_state { FUTURE_PENDING, FUTURE_CANCELLED, FUTURE_FINISHED };

#define FUTURE_RESULT                                                                              \
	PyObject ob_base;                                                                          \
	PyObject *loop, *callback0, *context0, *callbacks;                                         \
	PyObject *exception, *exception_tb, *result, *source_tb, *cancel_msg;

#if PY_VERSION_HEX < 0x030d0000
#define FUTURE                                                                                     \
	FUTURE_RESULT                                                                              \
	enum future_state state;                                                                   \
	int log_tb, blocking;                                                                      \
	PyObject *dict, *weakreflist, *cancelled_exc;
#elif PY_VERSION_HEX < 0x030e0000
#define FUTURE                                                                                     \
	FUTURE_RESULT                                                                              \
	PyObject *cancelled_exc;                                                                   \
	enum future_state state;                                                                   \
	unsigned log_tb : 1, blocking : 1;
#else
#define FUTURE                                                                                     \
	FUTURE_RESULT                                                                              \
	PyObject *cancelled_exc, *awaited_by;                                                      \
	enum future_state state;                                                                   \
	char is_task, awaited_by_is_set;                                                           \
	unsigned log_tb : 1, blocking : 1;
#endif

struct future_object {
	FUTURE
};

struct task_object {
	FUTURE
#if PY_VERSION_HEX < 0x030d0000
	PyObject *waiter, *coroutine, *name, *context;
	int must_cancel, log_destroy_pending, cancels_requested;
#else
	unsigned must_cancel : 1, log_destroy_pending : 1;
	int cancels_requested;
	PyObject *waiter, *coroutine, *name, *context;
#endif
#if PY_VERSION_HEX >= 0x030e0000
	struct llist_node node;
#endif
};

#endif
