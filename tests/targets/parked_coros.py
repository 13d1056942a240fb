# SPDX-License-Identifier: MIT
"""Coroutines and async generators in every state and shape, driven by hand; build() leaves them where they stand."""

import sys
import types

from parked_truth import keep


def coro(obj):
    return keep("coroutines", obj)


def agen(obj):
    return keep("async_generators", obj)


@types.coroutine
def pause(value="pause"):
    got = yield value
    return got


class ByGenerator:
    """__await__ is a generator function."""

    def __await__(self):
        yield self
        yield "again"


class Steps:
    """An iterator that __await__ may return."""

    def __iter__(self):
        return self

    def __next__(self):
        return "step"

    def send(self, value):
        return "sent"


class ByIterator:
    def __init__(self, iterator):
        self.iterator = iterator

    def __await__(self):
        return self.iterator


class ByWrapper:
    """__await__ returns what a coroutine's __await__() returns."""

    def __init__(self, inner):
        self.inner = inner

    def __await__(self):
        return self.inner.__await__()


class Manager:
    def __init__(self, entering, leaving):
        self.entering, self.leaving = entering, leaving

    async def __aenter__(self):
        if self.entering:
            await pause()
        return self

    async def __aexit__(self, *exc):
        if self.leaving:
            await pause()


class Numbers:
    """An asynchronous iterator written by hand."""

    def __aiter__(self):
        return self

    async def __anext__(self):
        await pause()
        return 1


async def wait_for(awaitable):
    result = await awaitable
    return result


async def wait_twice(first, second):
    await first
    await second


async def chain(depth):
    if depth == 0:
        await pause()
        await pause("again")
        return "end"
    return await coro(chain(depth - 1))


async def fails():
    await pause()
    raise KeyError("out")


async def returns():
    return 1


async def in_manager(manager):
    async with manager as entered:
        del entered
    return manager


async def loops_over(iterable):
    async for item in iterable:
        await wait_for(pause())


async def comprehends(iterable):
    outside = 1
    values = [item + outside
              async for item in iterable]
    return values


async def awaits_inside(awaitables):
    """Suspended in a comprehension: one of its own in 3.11, inlined later."""
    hidden = "seen"
    return [await each for each in awaitables], hidden


async def swallows():
    while True:
        try:
            await pause()
        except ValueError as error:
            await wait_for(pause(error.args))


def stepped(obj, steps=1):
    for _ in range(steps):
        obj.send(None)
    return obj


def over(exc, call, *args):
    try:
        call(*args)
    except exc:
        return
    raise AssertionError(f"no {exc.__name__}")


def coroutines():
    coro(chain(0))
    stepped(coro(chain(9)))
    stepped(coro(swallows()), 2)
    stepped(coro(swallows())).throw(ValueError("why"))
    coro(chain(1)).close()
    stepped(coro(chain(2))).close()
    over(StopIteration, coro(returns()).send, None)
    over(KeyError, stepped(coro(fails())).send, None)
    over(OSError, coro(chain(1)).throw, OSError())
    for awaitable in (pause(), ByGenerator(), ByIterator(iter([1, 2])), ByIterator(Steps()), ByIterator(iter("xy")),
                      ByIterator(keep("coroutines", (x for x in "xy"))), ByWrapper(coro(chain(1))),
                      ByIterator(coro(chain(0)).__await__()), ByIterator(map(str, [1, 2]))):
        stepped(coro(wait_for(awaitable)))
    stepped(coro(wait_twice(ByIterator(iter([1])), pause())), 2)
    for manager in (Manager(True, True), Manager(False, True)):
        stepped(coro(in_manager(manager)))
    stepped(coro(loops_over(Numbers())))
    stepped(coro(loops_over(Numbers())), 2)
    stepped(coro(comprehends(Numbers())))
    stepped(coro(awaits_inside([pause(), coro(returns())])))
    wrapped = coro(chain(0)).__await__()
    next(wrapped)
    keep("coroutines", outer_of(wrapped)).send(None)
    stepped(coro(wait_for(coro(wait_for(ByWrapper(coro(wait_for(ByGenerator()))))))))


def outer_of(wrapped):
    """A generator that delegates to a coroutine_wrapper."""
    return (lambda: (yield from wrapped))()


async def plain(n):
    for i in range(n):
        yield i


async def slow(n):
    for i in range(n):
        await wait_for(pause())
        yield i


async def careful():
    try:
        yield 1
        await pause()
        yield 2
    except ValueError:
        await pause("in except")
        yield "handled"
    finally:
        await pause("in finally")


async def over_another(inner):
    async for item in inner:
        yield item


async def first(obj, *default):
    return await anext(obj, *default)


async def second(obj):
    await obj.asend(None)
    return await obj.asend("second")


async def throws(obj):
    await obj.asend(None)
    await obj.athrow(ValueError())


async def closes(obj):
    await obj.asend(None)
    await obj.aclose()


def yielded(obj, times=1):
    """An async generator driven to its next yield, over whatever it awaits."""
    for _ in range(times):
        step = obj.asend(None)
        try:
            while True:
                step.send(None)
        except StopIteration:
            pass
    return obj


def async_generators():
    agen(plain(2))
    agen(x async for x in agen(plain(2)))
    yielded(agen(plain(2)), 2)
    yielded(agen(slow(3)), 2)
    over(StopAsyncIteration, yielded, agen(plain(0)))
    over(StopAsyncIteration, yielded, yielded(agen(slow(1))))
    over(StopIteration, agen(plain(1)).aclose().send, None)
    over(StopIteration, yielded(agen(plain(1))).aclose().send, None)
    over(OSError, agen(plain(1)).athrow(OSError()).send, None)
    yielded(agen(over_another(agen(slow(3)))))
    # Begun by nobody: neither asend() nor athrow() has run a step.
    for obj in (agen(plain(1)), yielded(agen(plain(2)))):
        keep("async_generators", obj.asend(None))
        keep("async_generators", obj.athrow(ValueError()))
        keep("async_generators", obj.aclose())


def in_the_middle():
    """AGEN_RUNNING while the frame is suspended in an await."""
    begun = agen(slow(2)).asend(None)
    begun.send(None)
    keep("async_generators", begun)
    agen(slow(2)).asend(None).send(None)  # the awaitable is dropped half-way
    yielded(agen(careful())).aclose().send(None)
    yielded(agen(careful())).athrow(ValueError()).send(None)
    for outer in (first(agen(slow(2))), first(agen(slow(2)), None), first(Numbers()), first(Numbers(), "default"),
                  second(agen(slow(2))), throws(agen(careful())), closes(agen(careful())),
                  loops_over(agen(slow(2))), loops_over(agen(over_another(agen(slow(2))))),
                  comprehends(agen(slow(2))), comprehends(agen(x async for x in agen(slow(2))))):
        stepped(coro(outer))
    stepped(coro(loops_over(agen(plain(2)))))
    stepped(coro(comprehends(agen(slow(3)))), 3)
    if sys.version_info >= (3, 12):
        stepped(coro(set_comprehension(agen(slow(3)))), 2)


async def set_comprehension(iterable):
    item = "outside"
    found = {item: [other async for other in iterable] for item in "a"}
    return found, item


def build():
    coroutines()
    async_generators()
    in_the_middle()
