# SPDX-License-Identifier: MIT
"""How they die: by reference count, by the collector, by nobody's wish; and addresses that live again."""

import gc
import sys
import warnings

from cases_coro import pause, waits
from cases_gen import count, guarded, stubborn
from scope import case, close, raises, rec, track


@case
def freed_created():
    track(count(1))


@case
def freed_suspended():
    g = track(count(3))
    next(g)
    del g


@case
def freed_finally():
    log = []
    g = track(guarded(log))
    next(g)
    del g
    assert log == ["finally"]


@case
def freed_container():
    held = [track(count(3)) for _ in range(5)]
    for g in held:
        next(g)
    del g
    held.clear()


@case
def freed_outer_first():
    """Dropping the outer of a yield from drops the inner one."""
    def outer(inner):
        yield from inner
    g = track(outer(track(count(3))))
    next(g)
    del g


@case
def freed_raises():
    """An exception in the finaliser is told to nobody."""
    def gen():
        try:
            yield 1
        finally:
            raise LookupError
    told = []
    hook, sys.unraisablehook = sys.unraisablehook, lambda info: told.append(info.exc_type)
    g = track(gen())
    next(g)
    del g
    sys.unraisablehook = hook
    assert told == [LookupError]


@case
def freed_ignoring():
    """A generator that yields to its finaliser."""
    told = []
    hook, sys.unraisablehook = sys.unraisablehook, lambda info: told.append(info.exc_type)
    g = track(stubborn())
    next(g)
    del g
    sys.unraisablehook = hook
    assert told == [RuntimeError]


@case
def freed_by_gc():
    log = []

    def gen(box):
        try:
            yield box
        finally:
            log.append("finally")
    for start in (True, False):
        box = []
        box.append(track(gen(box)))
        if start:
            next(box[0])
        del box
    gc.collect()
    assert log == ["finally"]


@case
def freed_by_gc_plain():
    def gen(box):
        yield box
    box = []
    box.append(track(gen(box)))
    next(box[0])
    del box
    gc.collect()


@case
def freed_by_gc_chain():
    def inner(box):
        yield box

    def outer(box, inner):
        yield from inner
    box = []
    box.append(track(outer(box, track(inner(box)))))
    next(box[0])
    del box
    gc.collect()


@case
def resurrected():
    """A generator that its own finally block saves lives on, closed."""
    saved = []

    def gen(box):
        try:
            yield 1
        finally:
            saved.append(box[0])
    box = []
    box.append(track(gen(box)))
    next(box[0])
    del box
    gc.collect()
    assert len(saved) == 1 and saved[0].gi_frame is None
    saved.clear()
    gc.collect()


@case
def never_awaited():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        track(waits(1))
    assert "never awaited" in str(told[0].message)


@case
def coroutine_dropped():
    c = track(waits(2))
    c.send(None)
    del c


@case
def frame_kept():
    """Somebody holds the frame of a generator that is gone."""
    g = track(count(2))
    next(g)
    frame = g.gi_frame
    close(g)
    del g
    assert frame.f_lineno
    del frame


@case
def traceback_kept():
    def gen():
        yield 1
        raise LookupError
    g = track(gen())
    next(g)
    error = raises(LookupError, next, g)
    del g
    assert error.__traceback__ is not None
    error.__traceback__ = None


@case
def address_reused():
    """Many lives at one address."""
    addresses = set()
    for i in range(100):
        g = track(count(1))
        addresses.add(id(g))
        assert next(g) == 0
        if i % 3 == 0:
            close(g)
        elif i % 3 == 1:
            raises(StopIteration, next, g)
        del g
    assert len(addresses) < 100


@case
def renamed():
    """Names can be changed at run time; what a tracer shows is the name of the code."""
    g = track(count(1))
    g.__name__ = "somebody"
    assert next(g) == 0
    del g


@case
def many_functions():
    """Code objects are made and thrown away; addresses of code live again too."""
    for i in range(30):
        space = {}
        exec(compile(f"def fn{i}():\n    yield {i}\n", f"<made-{i}>", "exec"), space)
        assert list(track(space[f"fn{i}"]())) == [i]
        del space
    gc.collect()


@case
def unusual_names():
    """A qualname that is no identifier, a name beyond ASCII, a long one."""
    def añejo():
        yield 1
    assert list(track(añejo())) == [1]
    long_name = "n" * 90
    space = {}
    exec(compile(f"def {long_name}():\n    yield 1\n", "<long>", "exec"), space)
    assert list(track(space[long_name]())) == [1]
    fn = type(count)(count.__code__.replace(co_qualname="quo\"ted\\<\x01>\n"), globals())
    assert list(track(fn(2))) == [0, 1]


@case
def large_frames():
    """Many locals and a deep stack."""
    names = [f"v{i}" for i in range(300)]
    body = "".join(f"    {name} = {i}\n" for i, name in enumerate(names))
    space = {}
    exec(compile(f"def big():\n{body}    yield {'+'.join(names)}\n    return v7\n", "<big>", "exec"), space)
    assert list(track(space["big"]())) == [sum(range(300))]


@case
def long_functions():
    """Lines far from the first, in the line table and in the instructions."""
    lines = "".join(f"    x = {i}\n    yield x\n" for i in range(400))
    space = {}
    exec(compile("\n" * 5000 + "def far():\n" + lines, "<far>", "exec"), space)
    assert list(track(space["far"]())) == list(range(400))


@case
def explicit_sync():
    """What this file relies on: the recorder itself sees a shortcut close."""
    g = track(count(2))
    next(g)
    g.close()
    rec.sync()


async def awaits_twice():
    await track(pause())
    await track(pause())


@case
def coroutine_by_gc():
    box = []

    async def holder(box):
        await track(awaits_twice())
    box.append(track(holder(box)))
    box[0].send(None)
    del box
    gc.collect()
