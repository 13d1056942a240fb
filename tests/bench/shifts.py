# SPDX-License-Identifier: MIT
"""A target that works for as long as it is told: shifts.py echo|for.

echo: an asyncio server and 20 clients that talk to it over loopback, in one process. for: a tight loop over a
generator. Prints "ready"; for each line, SECONDS, works so long and prints what it did as JSON: "done" (requests, or values),
"seconds", and "cpu_seconds" of its own.
"""
import asyncio
import json
import os
import sys
import time

CLIENTS = 20
MESSAGE = b"x" * 64
BATCH = 1000    # values between two looks at the clock


def numbers(count):
    for i in range(count):
        yield i


def told(start, done):
    seconds, cpu_seconds = (now - then for now, then in zip((time.perf_counter(), time.process_time()), start))
    print(json.dumps({"done": done, "seconds": seconds, "cpu_seconds": cpu_seconds}), flush=True)


def shifts():
    """(when it began, when it is to end) for each line."""
    print("ready", flush=True)
    while line := sys.stdin.readline():
        start = time.perf_counter(), time.process_time()
        yield start, start[0] + float(line)


async def serve(reader, writer):
    while True:
        writer.write(await reader.readexactly(len(MESSAGE)))
        await writer.drain()


async def client(streams, end):
    reader, writer = streams
    requests = 0
    while time.perf_counter() < end:
        writer.write(MESSAGE)
        await writer.drain()
        await reader.readexactly(len(MESSAGE))
        requests += 1
    return requests


async def echo():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    streams = [await asyncio.open_connection(*address) for _ in range(CLIENTS)]
    for start, end in shifts():
        told(start, sum(await asyncio.gather(*(client(one, end) for one in streams))))
    os._exit(0)     # what still waits is not to be told of its end


def loop():
    for start, end in shifts():
        done = 0
        while time.perf_counter() < end:
            for _ in numbers(BATCH):
                pass
            done += BATCH
        told(start, done)


if sys.argv[1] == "echo":
    asyncio.run(echo())
else:
    loop()
