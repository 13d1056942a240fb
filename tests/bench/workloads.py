# SPDX-License-Identifier: MIT
"""A target that does a known number of transitions: workloads.py NAME.

Prints "ready", then runs one round for each line of standard input, `HOW SHARE`. HOW is "plain", "monitored"
(sys.monitoring callbacks that count) or "verified" (callbacks that count transitions of generators and
coroutines only); SHARE, of the full amount of work, is between 0 and 1. A round's JSON line tells its seconds
and, by arithmetic, its transitions.

Each object that lives and dies in a round is created, runs, is closed and freed: four transitions. Each
wait, a yield or an await that suspends, is two more. A suspension goes through the whole await chain.
"""
import asyncio
import inspect
import json
import os
import sys
import time

TASKS = 10_000
MESSAGE = b"x" * 64


def numbers(count):
    for i in range(count):
        yield i


class Work:
    """once() is a round; arithmetic() the objects and the waits of it. prepare() where once() is a coroutine."""

    def __init__(self):
        self.amount = self.AMOUNT

    def scale(self, share):
        self.amount = max(1, round(self.AMOUNT * share))

    async def prepare(self):
        pass


class For(Work):
    """A tight for loop over a generator."""
    AMOUNT = 150_000

    def arithmetic(self):
        return 1, self.amount

    def once(self):
        for _ in numbers(self.amount):
            pass


async def trivial():
    return 1


def short():
    yield 1


class Storm(Work):
    """Objects that live for a moment: coroutines awaited at once, generators of one value."""
    AMOUNT = 20_000

    def arithmetic(self):
        return 1 + 2 * self.amount, self.amount

    async def once(self):
        for _ in range(self.amount):
            await trivial()
            for _ in short():
                pass


class Chain(Work):
    """DEPTH coroutines await one another and a queue, which is fed without a coroutine."""
    DEPTH = 1

    async def level(self, depth):
        if depth > 1:
            return await self.level(depth - 1)
        while True:
            await self.queue.get()

    async def prepare(self):
        self.queue = asyncio.Queue()
        self.task = asyncio.create_task(self.level(self.DEPTH))
        await asyncio.sleep(0)

    def arithmetic(self):
        """An item: the chain waits, a Queue.get() ends, another begins and waits. Then once(), and main with it."""
        return self.amount + 1, self.amount * (self.DEPTH + 1) + 2

    async def once(self):
        loop = asyncio.get_running_loop()
        done, left = loop.create_future(), self.amount

        def feed():
            nonlocal left
            if not left:
                done.set_result(None)
                return
            left -= 1
            self.queue.put_nowait(left)
            loop.call_soon(feed)    # behind the consumer's turn

        feed()
        await done


class Chain1(Chain):
    DEPTH, AMOUNT = 1, 20_000


class Chain5(Chain):
    DEPTH, AMOUNT = 5, 10_000


class Chain20(Chain):
    DEPTH, AMOUNT = 20, 4_000


class Echo(Work):
    """asyncio streams: client and server in one process, over loopback, one message at a time."""
    AMOUNT = 1_000

    async def serve(self, reader, writer):
        while True:
            writer.write(await reader.readexactly(len(MESSAGE)))
            await writer.drain()

    async def prepare(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.reader, self.writer = await asyncio.open_connection(*self.server.sockets[0].getsockname())
        self.writer.write(MESSAGE)
        await self.reader.readexactly(len(MESSAGE))

    def arithmetic(self):
        """On each side of a trip: readexactly() and _wait_for_data() wait, drain() and _drain_helper() do not, who
        called them waits too; and with the client's once(), main."""
        return 8 * self.amount + 1, 7 * self.amount

    async def once(self):
        for _ in range(self.amount):
            self.writer.write(MESSAGE)
            await self.writer.drain()
            await self.reader.readexactly(len(MESSAGE))


async def lap(laps):
    for _ in range(laps):
        await asyncio.sleep(0)


class Tasks(Work):
    """10 000 tasks that wake round robin."""
    AMOUNT = 1

    def arithmetic(self):
        """A task; on each of its laps sleep() and the generator in it, all three wait. Then once() and main."""
        return TASKS * (1 + 2 * self.amount) + 1, TASKS * 3 * self.amount + 2

    async def once(self):
        tasks = [asyncio.create_task(lap(self.amount)) for _ in range(TASKS)]
        await tasks[-1]


WORKLOADS = {"for": For, "storm": Storm, "chain1": Chain1, "chain5": Chain5, "chain20": Chain20, "echo": Echo,
             "tasks": Tasks}


class Monitor:
    """What sys.monitoring can tell in the process itself, from 3.12 on."""
    TOOL = 4
    GENERATOR_LIKE = 0x20 | 0x80 | 0x100 | 0x200    # CO_GENERATOR, CO_COROUTINE, CO_ITERABLE_…, CO_ASYNC_GENERATOR

    def __init__(self, verify):
        self.monitoring, self.calls, self.made = sys.monitoring, 0, 0
        events = self.monitoring.events
        # Birth and free have no event: a start stands for them.
        self.weights = {events.PY_START: 3, events.PY_RESUME: 1, events.PY_YIELD: 1, events.PY_RETURN: 1,
                        events.PY_UNWIND: 1, **({events.PY_THROW: 1} if verify else {})}
        self.monitoring.use_tool_id(self.TOOL, "genscope bench")
        for event, weight in self.weights.items():
            self.monitoring.register_callback(self.TOOL, event, self.weigher(weight) if verify else self.count)
        self.monitoring.set_events(self.TOOL, sum(self.weights))

    def count(self, *_):
        self.calls += 1

    def weigher(self, weight):
        def weigh(code, *_):
            if code.co_flags & self.GENERATOR_LIKE:
                self.made += weight
        return weigh

    def end(self):
        self.monitoring.set_events(self.TOOL, 0)
        for event in self.weights:
            self.monitoring.register_callback(self.TOOL, event, None)
        self.monitoring.free_tool_id(self.TOOL)
        return {"calls": self.calls, "made": self.made}


def clocks():
    return time.perf_counter(), time.process_time()


def result(work, start, monitor):
    row = {name: now - then for name, now, then in zip(("seconds", "cpu_seconds"), clocks(), start)}
    objects, waits = work.arithmetic()
    row |= monitor.end() if monitor else {}
    print(json.dumps({**row, "transitions": 4 * objects + 2 * waits, "resumes": objects + waits}), flush=True)


def next_round(work):
    """False when there is none; else the monitor that it wants, or None."""
    while words := sys.stdin.readline().split():
        work.scale(float(words[1]) if words[1:] else 1)
        if words[0] == "plain":
            return None
        if hasattr(sys, "monitoring"):
            return Monitor(words[0] == "verified")
        print(json.dumps({"missing": "sys.monitoring came with 3.12"}), flush=True)
    return False


async def main(work):
    await work.prepare()
    print("ready", flush=True)
    while (monitor := next_round(work)) is not False:
        start = clocks()
        await work.once()
        result(work, start, monitor)
    os._exit(0)     # what still waits is not to be told of its end


def synchronous(work):
    print("ready", flush=True)
    while (monitor := next_round(work)) is not False:
        start = clocks()
        work.once()
        result(work, start, monitor)


if __name__ == "__main__":
    WORK = WORKLOADS[sys.argv[1]]()
    if inspect.iscoroutinefunction(WORK.once):
        asyncio.run(main(WORK))
    else:
        synchronous(WORK)
