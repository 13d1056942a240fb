# SPDX-License-Identifier: MIT
"""Asynchronous generators."""

import asyncio
import gc

from cases_coro import drive, pause, run
from scope import case, close, hint, raises, track


async def count(n):
    for i in range(n):
        yield i


async def slow(n):
    """Suspends in an await before each yield: AGEN_RUNNING all the time."""
    for i in range(n):
        await track(pause())
        yield i


async def echo():
    got = None
    while True:
        got = yield got


async def guarded(log):
    try:
        yield 1
        yield 2
    finally:
        log.append("finally")


async def mender():
    while True:
        try:
            yield "ready"
        except ValueError:
            yield "caught"


def drives(fn):
    """A case whose body is a coroutine function, driven by hand."""
    def body():
        drive(track(fn(), "main"))
    body.__name__, body.__doc__ = fn.__name__, fn.__doc__
    return case(body)


async def stops(awaitable):
    try:
        await awaitable
    except StopAsyncIteration:
        return
    raise AssertionError


@drives
async def async_for():
    assert [x async for x in track(count(5))] == [0, 1, 2, 3, 4]
    async for x in track(count(2)):
        assert x in (0, 1)


@drives
async def async_for_hot():
    total = 0
    async for x in track(count(100)):
        total += x
    assert total == 4950


@drives
async def async_for_awaits():
    """Awaits inside an async generator are not suspensions of it."""
    got = []
    async for x in track(slow(3)):
        got.append(x)
    assert got == [0, 1, 2]


@drives
async def async_for_break():
    async for x in track(count(5)):
        if x == 1:
            break


@drives
async def async_comprehension():
    assert {x async for x in track(slow(2))} == {0, 1}
    assert {x: 1 async for x in track(count(2))} == {0: 1, 1: 1}


@drives
async def async_genexpr():
    agen = track(x * 2 async for x in track(count(3)))
    assert [x async for x in agen] == [0, 2, 4]


@drives
async def agen_anext():
    a = track(count(2))
    assert await anext(a) == 0
    assert await a.__anext__() == 1
    try:
        await anext(a)
    except StopAsyncIteration:
        return
    raise AssertionError


@drives
async def agen_anext_default():
    a = track(count(1))
    assert await anext(a, "end") == 0
    assert await anext(a, "end") == "end"


@drives
async def agen_asend():
    a = track(echo())
    assert await a.asend(None) is None
    assert await a.asend(1) == 1
    assert await a.asend(2) == 2
    await a.aclose()


@drives
async def agen_asend_just_started():
    """A refused asend() leaves it unstarted."""
    a = track(echo())
    step = a.asend(1)
    try:
        await step
    except TypeError:
        pass
    assert await a.asend(None) is None
    await a.aclose()


@drives
async def agen_athrow():
    a = track(mender())
    assert await anext(a) == "ready"
    assert await a.athrow(ValueError()) == "caught"
    assert await anext(a) == "ready"
    try:
        await a.athrow(KeyError())
    except KeyError:
        return
    raise AssertionError


@drives
async def agen_athrow_unstarted():
    a = track(mender())
    try:
        await a.athrow(KeyError())
    except KeyError:
        return
    raise AssertionError


@drives
async def agen_aclose():
    log = []
    a = track(guarded(log))
    assert await anext(a) == 1
    await a.aclose()
    assert log == ["finally"]
    await a.aclose()


@drives
async def agen_aclose_plain():
    a = track(count(3))
    assert await anext(a) == 0
    await a.aclose()


@drives
async def agen_aclose_unstarted():
    a = track(count(3))
    await a.aclose()


@drives
async def agen_aclose_finished():
    a = track(count(1))
    assert [x async for x in a] == [0]
    await a.aclose()


@drives
async def agen_aclose_awaits():
    """The finally block awaits: running until it is closed."""
    async def agen():
        try:
            yield 1
        finally:
            await track(pause())
            await track(pause())
    a = track(agen())
    assert await anext(a) == 1
    await a.aclose()


@drives
async def agen_aclose_ignored():
    async def agen():
        try:
            yield 1
        except GeneratorExit:
            yield 2
    a = track(agen())
    assert await anext(a) == 1
    try:
        await a.aclose()
    except RuntimeError:
        return
    raise AssertionError


@drives
async def agen_aclose_returns():
    async def agen():
        try:
            yield 1
        except GeneratorExit:
            return
    a = track(agen())
    assert await anext(a) == 1
    await a.aclose()


@drives
async def agen_raises():
    async def agen():
        yield 1
        await track(pause())
        raise LookupError
    a = track(agen())
    assert await anext(a) == 1
    try:
        await anext(a)
    except LookupError:
        return
    raise AssertionError


@drives
async def agen_raises_stop():
    async def agen():
        yield 1
        raise StopAsyncIteration
    a = track(agen())
    assert await anext(a) == 1
    try:
        await anext(a)
    except RuntimeError:
        return
    raise AssertionError


@drives
async def agen_nested():
    async def outer():
        async for x in track(slow(2)):
            async for y in track(count(2)):
                yield x, y
    assert [pair async for pair in track(outer())] == [(0, 0), (0, 1), (1, 0), (1, 1)]


@drives
async def agen_interleaved():
    """Awaitables made now and awaited later."""
    a, b = track(echo()), track(mender())
    await a.asend(None)
    await anext(b)
    later, closing = b.athrow(ValueError()), a.aclose()
    hint(b, "athrow")
    hint(a, "aclose")
    assert await later == "caught"
    await closing


@case
def agen_by_hand():
    """asend() objects driven by send(), no coroutine around."""
    a = track(count(1))
    step = a.asend(None)
    hint(a, "asend")
    assert raises(StopIteration, step.send, None).value == 0
    step = a.__anext__()
    hint(a, "anext")
    raises(StopAsyncIteration, step.send, None)


@case
def agen_dropped_unstarted():
    track(count(1))


@case
def agen_dropped():
    """Nobody has set hooks: the finaliser closes it."""
    log = []
    a = track(guarded(log))
    hint(a, "anext")
    raises(StopIteration, a.__anext__().send, None)
    del a
    assert log == ["finally"]


@case
def agen_already_running():
    async def main():
        a = track(slow(1))
        first = asyncio.ensure_future(step(a))
        await asyncio.sleep(0)
        try:
            await anext(a)
        except RuntimeError:
            await first
            await a.aclose()
            return "busy"

    async def step(a):
        return await anext(a)
    assert run(main()) == "busy"


@case
def agen_asyncio():
    async def ticks(n):
        for i in range(n):
            await asyncio.sleep(0)
            yield i

    async def consume(n):
        return [x async for x in track(ticks(n), f"ticks-{n}")]

    async def main():
        return await asyncio.gather(track(consume(3), "three"), track(consume(5), "five"))
    assert run(main()) == [[0, 1, 2], [0, 1, 2, 3, 4]]


@case
def agen_asyncio_abandoned():
    """asyncio's hook closes what is dropped half way."""
    log = []

    async def main():
        async for _ in track(guarded(log)):
            break
        for _ in range(3):
            await asyncio.sleep(0)
        assert log == ["finally"]
    run(main())


@case
def agen_asyncio_shutdown():
    """asyncio.run closes what is still suspended at its end."""
    log, kept = [], []

    async def main():
        kept.append(track(guarded(log)))
        await anext(kept[0])
    run(main())
    assert log == ["finally"]
    kept.clear()
    gc.collect()


@case
def agen_asyncio_cancelled():
    """Cancelled in an await inside it: from running to closed."""
    async def agen():
        await asyncio.get_running_loop().create_future()
        yield 1

    async def consume():
        async for _ in track(agen(), "agen"):
            pass

    async def main():
        task = asyncio.create_task(track(consume(), "consume"))
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
    run(main())


@case
def agen_asyncio_cancel_handled():
    """Cancelled in an await inside it, and it goes on."""
    async def agen():
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            yield "handled"

    async def consume():
        return [x async for x in track(agen(), "agen")]

    async def main():
        task = asyncio.create_task(track(consume(), "consume"))
        await asyncio.sleep(0)
        task.cancel()
        assert await task == ["handled"]
    run(main())


@case
def agen_closed_by_hand():
    """close() of the coroutine that waits in an async for; the generator itself is at a yield of its inner one."""
    async def outer():
        await track(pause())
        async for _ in track(count(2)):
            await track(pause())
    c = track(outer())
    c.send(None)
    c.send(None)
    close(c)
