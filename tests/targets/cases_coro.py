# SPDX-License-Identifier: MIT
"""Coroutines: driven by hand, and by asyncio."""

import asyncio
import types

from scope import case, close, raises, throw, track


@types.coroutine
def pause(value=None):
    """Suspends once: an awaitable generator."""
    return (yield value)


async def waits(n):
    for i in range(n):
        await track(pause(i))
    return n


async def chain(depth):
    if depth == 0:
        return await track(waits(2))
    return 1 + await track(chain(depth - 1))


def drive(coro):
    """Run a coroutine to its end; what it returned."""
    while True:
        try:
            coro.send(None)
        except StopIteration as stop:
            return stop.value


@case
def coroutine_send():
    c = track(waits(3))
    assert [c.send(None) for _ in range(3)] == [0, 1, 2]
    assert raises(StopIteration, c.send, None).value == 3
    raises(RuntimeError, c.send, None)


@case
def await_chain_10():
    c = track(chain(10))
    assert c.send(None) == 0
    assert c.send(None) == 1
    assert raises(StopIteration, c.send, None).value == 12


@case
def await_hot():
    """Often enough for the specialised SEND."""
    async def outer():
        total = 0
        for _ in range(60):
            total += await track(waits(1))
        return total
    assert drive(track(outer())) == 60


@case
def await_no_suspend():
    async def value():
        return 5

    async def outer():
        return await track(value()) + await track(value())
    assert drive(track(outer())) == 10


@case
def await_chain_throw():
    c = track(chain(5))
    c.send(None)
    raises(KeyError, throw, c, KeyError())


@case
def await_chain_throw_handled():
    async def outer():
        try:
            await track(chain(3))
        except KeyError:
            return await track(pause("handled"))
    c = track(outer())
    c.send(None)
    assert throw(c, KeyError()) == "handled"
    assert raises(StopIteration, c.send, 7).value == 7


@case
def await_chain_close():
    c = track(chain(5))
    c.send(None)
    close(c)
    raises(RuntimeError, c.send, None)


@case
def coroutine_close_finally():
    log = []

    async def outer():
        try:
            await track(waits(2))
        finally:
            log.append("finally")
    c = track(outer())
    c.send(None)
    close(c)
    assert log == ["finally"]


@case
def coroutine_close_created():
    close(track(waits(1)))


@case
def coroutine_close_ignored():
    async def outer():
        try:
            await track(pause(1))
        except GeneratorExit:
            await track(pause(2))
    c = track(outer())
    c.send(None)
    raises(RuntimeError, close, c)
    raises(StopIteration, c.send, None)


@case
def coroutine_throw_created():
    c = track(waits(1))
    raises(KeyError, throw, c, KeyError())


@case
def coroutine_raises():
    async def inner():
        await track(pause())
        raise LookupError

    async def outer():
        await track(inner())
    c = track(outer())
    c.send(None)
    raises(LookupError, c.send, None)


@case
def awaitable_object():
    class Awaitable:
        def __await__(self):
            return track(self.steps())

        def steps(self):
            got = yield 1
            return got

    async def outer():
        return await Awaitable()
    c = track(outer())
    c.send(None)
    assert raises(StopIteration, c.send, "got").value == "got"


@types.coroutine
def old_style(inner):
    result = yield from inner
    return result


@case
def types_coroutine():
    """coroutine → generator → coroutine: `await` drives the one, `yield from` the other."""
    async def outer():
        return await track(old_style(track(waits(2))))
    c = track(outer())
    c.send(None)
    c.send(None)
    assert raises(StopIteration, c.send, None).value == 2


class Manager:
    async def __aenter__(self):
        await track(waits(1))

    async def __aexit__(self, *exc):
        await track(waits(1))
        return True


@case
def async_with():
    async def outer():
        async with Manager():
            await track(pause())
            raise LookupError
    drive(track(outer()))


# asyncio


async def sleeper(turns):
    for _ in range(turns):
        await asyncio.sleep(0)
    return turns


async def forever():
    await asyncio.get_running_loop().create_future()


async def failing(turns):
    await track(sleeper(turns), f"sleeper-of-failing-{turns}")
    raise LookupError(turns)


def run(coro):
    return asyncio.run(track(coro, "main"))


@case
def asyncio_tasks():
    async def main():
        tasks = [asyncio.create_task(track(sleeper(n))) for n in (3, 1, 2)]
        assert [await task for task in tasks] == [3, 1, 2]
    run(main())


@case
def asyncio_gather():
    async def main():
        got = await asyncio.gather(*[track(sleeper(n)) for n in range(5)])
        assert got == list(range(5))
    run(main())


@case
def asyncio_gather_cancelled():
    async def main():
        group = asyncio.gather(*[track(forever()) for _ in range(3)], track(sleeper(1)))
        await asyncio.sleep(0)
        group.cancel()
        try:
            await group
        except asyncio.CancelledError:
            return
        raise AssertionError
    run(main())


@case
def asyncio_gather_fails():
    async def main():
        got = await asyncio.gather(track(failing(1)), track(failing(2)), track(sleeper(4)), return_exceptions=True)
        assert [type(item) for item in got] == [LookupError, LookupError, int]
    run(main())


@case
def asyncio_cancel():
    async def guarded(log):
        try:
            await track(forever(), "forever")
        finally:
            log.append("cancelled")
            await asyncio.sleep(0)

    async def main():
        log = []
        task = asyncio.create_task(track(guarded(log)))
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        assert log == ["cancelled"]
    run(main())


@case
def asyncio_cancel_unstarted():
    async def main():
        task = asyncio.create_task(track(forever()))
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
    run(main())


@case
def asyncio_cancel_refused():
    async def stubborn():
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return "stayed"

    async def main():
        task = asyncio.create_task(track(stubborn()))
        await asyncio.sleep(0)
        task.cancel()
        assert await task == "stayed"
    run(main())


@case
def asyncio_timeout():
    async def main():
        try:
            async with asyncio.timeout(0.01):
                await track(forever())
        except TimeoutError:
            return "late"
    assert run(main()) == "late"


@case
def asyncio_wait_for():
    async def main():
        assert await asyncio.wait_for(track(sleeper(1)), 30) == 1
        try:
            await asyncio.wait_for(track(forever()), 0.01)
        except TimeoutError:
            return "late"
    assert run(main()) == "late"


@case
def asyncio_task_group():
    async def main():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(track(sleeper(n))) for n in range(3)]
        assert [task.result() for task in tasks] == [0, 1, 2]
    run(main())


@case
def asyncio_task_group_fails():
    async def main():
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(track(forever()))
                group.create_task(track(failing(1)))
        except BaseExceptionGroup:
            return "failed"
    assert run(main()) == "failed"


@case
def asyncio_queue():
    async def producer(queue):
        for i in range(4):
            await queue.put(i)
        await queue.put(None)

    async def consumer(queue):
        got = []
        while (item := await queue.get()) is not None:
            got.append(item)
        return got

    async def main():
        queue = asyncio.Queue(1)
        got, _ = await asyncio.gather(track(consumer(queue)), track(producer(queue)))
        assert got == [0, 1, 2, 3]
    run(main())


@case
def asyncio_shield():
    async def main():
        inner = asyncio.create_task(track(sleeper(3)))
        outer = asyncio.create_task(track(shielded(inner)))
        await asyncio.sleep(0)
        outer.cancel()
        assert await inner == 3
    run(main())


async def shielded(task):
    await asyncio.shield(task)


@case
def asyncio_python_task():
    """The task written in Python: send and throw are called from Python code."""
    async def main():
        loop = asyncio.get_running_loop()
        task = asyncio.tasks._PyTask(track(sleeper(2)), loop=loop)
        assert await task == 2
    run(main())
