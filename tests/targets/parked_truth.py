# SPDX-License-Identifier: MIT
"""What `inspect` says of every generator, coroutine and async generator of this interpreter, as JSON.

The outer truth of the set is the collector's own list (gc.get_objects()), and what was in it before gc.freeze().
No generator is used here: looking must not add to what is looked at.
"""

import asyncio
import gc
import inspect
import json
import sys
import threading
import types

import parked_repr
import via

KINDS = {types.GeneratorType: ("generator", "gi"), types.CoroutineType: ("coroutine", "cr"),
         types.AsyncGeneratorType: ("async_generator", "ag")}
AWAITED = {"gi": "gi_yieldfrom", "cr": "cr_await", "ag": "ag_await"}
# What stands between two coroutines; each refers to what it wraps first (tp_traverse in Objects/genobject.c,
# Objects/iterobject.c, Modules/_asynciomodule.c).
WRAPPERS = ("coroutine_wrapper", "async_generator_asend", "async_generator_athrow", "anext_awaitable", "FutureIter")

groups = {}    # id -> the group of shapes it was built by
frozen = []    # what gc.freeze() hid from gc.get_objects()
stacks = []    # (innermost frame, tid) of threads that stay where they are
loops = []     # asyncio loops whose tasks count


def keep(group, obj):
    """Hold obj for ever; it belongs to this group. Returns it."""
    groups[id(obj)] = group, obj
    return obj


def hide():
    """gc.freeze(), and remember what that hides."""
    frozen.extend(everything())
    gc.freeze()


def everything():
    found = {}
    for obj in frozen + gc.get_objects():
        if type(obj) in KINDS:
            found[id(obj)] = obj
    return list(found.values())


def prefix(obj):
    return KINDS[type(obj)][1]


def frame_of(obj):
    return getattr(obj, prefix(obj) + "_frame")


def state_of(obj):
    if inspect.isgenerator(obj):
        return inspect.getgeneratorstate(obj)
    if inspect.iscoroutine(obj):
        return inspect.getcoroutinestate(obj)
    return asyncgen_state(obj)


def asyncgen_state(obj):
    """As 3.12's inspect.getasyncgenstate(); 3.11 has none, 3.15 another one.

    3.11 has no ag_suspended either: there the instruction tells.
    """
    if obj.ag_running:
        return "AGEN_RUNNING"
    if obj.ag_frame is None:
        return "AGEN_CLOSED"
    if hasattr(obj, "ag_suspended"):
        return "AGEN_SUSPENDED" if obj.ag_suspended else "AGEN_CREATED"
    created = via.op_at(obj.ag_code, obj.ag_frame.f_lasti) == "RETURN_GENERATOR"
    return "AGEN_CREATED" if created else "AGEN_SUSPENDED"


def locals_of(obj):
    """inspect.get…locals(); 3.11 has none for async generators."""
    if frame_of(obj) is None:
        return {}
    if inspect.isgenerator(obj):
        return inspect.getgeneratorlocals(obj)
    if inspect.iscoroutine(obj):
        return inspect.getcoroutinelocals(obj)
    return obj.ag_frame.f_locals


def unwrap(obj):
    while type(obj).__name__ in WRAPPERS:
        inner = gc.get_referents(obj)
        if inner[0] is type(obj):  # heap types come first
            inner.pop(0)
        obj = inner[0]
    return obj


def awaited(obj):
    """What it waits for, unwrapped, or None."""
    return unwrap(getattr(obj, AWAITED[prefix(obj)]))


def future_state(future):
    if not future.done():
        return "pending"
    return "cancelled" if future.cancelled() else "finished"


def awaiting_of(obj):
    """`awaiting` as contract.md has it."""
    target = awaited(obj)
    if target is None:
        return None
    if type(target) in KINDS:
        return hex(id(target))
    shown = {"type": parked_repr.class_of(target), "repr": object.__repr__(target)}
    name = type(target).__name__
    if isinstance(target, asyncio.Task):
        coro = target.get_coro()
        shown["repr"] = f"<{name} {future_state(target)} name={target.get_name()!r}>"
        shown["gen"] = None if coro is None else hex(id(coro))
    elif isinstance(target, asyncio.Future):
        shown["repr"] = f"<{name} {future_state(target)}>"
    return shown


def stays():
    """Called by a thread that is about to block: whose stack is below here."""
    stacks.append((sys._getframe(1), threading.get_native_id()))


def running_threads():
    """id of frame -> (frame, tid of the thread that has it on its stack).

    Not by sys._current_frames(): it makes frame objects for threads of other interpreters, in this one's memory.
    """
    owners = {}
    for frame, tid in stacks + [(sys._getframe(), threading.get_native_id())]:
        while frame is not None:
            owners[id(frame)] = frame, tid
            frame = frame.f_back
    return owners


def tasks():
    """All that somebody holds, those that are done included."""
    found = {}
    for obj in gc.get_objects():
        if issubclass(type(obj), asyncio.Task):
            found[id(obj)] = obj
    for loop in loops:
        for task in asyncio.all_tasks(loop):
            assert id(task) in found, task
    return list(found.values())


def chain_of(task, by_frame):
    """Its coroutine and all that this waits for in turn; of a running one, all that runs above it."""
    coro = task.get_coro()
    chain, obj = above(coro, by_frame), coro
    while type(obj) in KINDS:
        chain.append(obj)
        obj = awaited(obj)
    return chain


def above(coro, by_frame):
    if state_of(coro) != "CORO_RUNNING":
        return []
    for frame, _ in stacks:
        found = []
        while frame is not None and frame is not coro.cr_frame:
            if id(frame) in by_frame:
                found.append(by_frame[id(frame)])
            frame = frame.f_back
        if frame is not None:
            return found
    raise AssertionError(coro)


def record(obj, limits, owners, names):
    kind, short = KINDS[type(obj)]
    code, frame = getattr(obj, short + "_code"), frame_of(obj)
    return {"gen": hex(id(obj)), "group": groups.get(id(obj), ("runtime",))[0], "kind": kind, "state": state_of(obj),
            "name": code.co_name, "qualname": code.co_qualname, "file": code.co_filename,
            "firstlineno": code.co_firstlineno, "line": None if frame is None else frame.f_lineno,
            "awaiting": awaiting_of(obj), "task": names.get(id(obj)),
            "tid": None if frame is None else owners.get(id(frame), (None, None))[1],
            "locals": {name: parked_repr.show(value, *limits) for name, value in dict(locals_of(obj)).items()}}


def look(limits):
    owners, found, names, told = running_threads(), everything(), {}, []
    frames = [frame_of(obj) for obj in found]
    by_frame = dict(zip(map(id, frames), found))
    by_frame.pop(id(None), None)
    for task in tasks():
        chain = chain_of(task, by_frame)
        told.append({"name": task.get_name(), "done": task.done(), "chain": [hex(id(obj)) for obj in chain]})
        for obj in chain:
            names[id(obj)] = task.get_name()
    objects = []
    for obj in found:
        objects.append(record(obj, limits, owners, names))
    return {"objects": objects, "tasks": told, "interpreters": 1}


def tell(path, limits=(2, 16, 128)):
    """Write the truth; limits are depth, items and characters of the values."""
    truth = look(limits)
    with open(path, "w", encoding="ascii") as out:
        out.write(json.dumps(truth))
