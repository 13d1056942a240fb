# SPDX-License-Identifier: MIT
"""A small asyncio service with its clients, to look at with genscope.

A server on the loopback answers a few requests at a time, some tens a second. It has what such
services have: coroutines that await each other, an async generator that streams rows, a generator
that formats them, one query that is slow, and one leak: `audit_cursor` is begun for every slow
report and never finished. It ends with its parent, or after a minute.
"""

import asyncio
import itertools
import os
import random
import sys
import time

LIFETIME_SECONDS = 60
CLIENTS = 3
audit_cursors = []  # the leak


def audit_cursor(report):
    for line in itertools.count(1):
        yield f"report {report}, line {line}"


def format_rows(rows):
    for row in rows:
        yield "{id:>4} {name}\n".format(**row)


async def query(seconds, count):
    """What a database driver would do: wait, then have rows."""
    await asyncio.sleep(seconds)
    return [{"id": i, "name": f"user{i}"} for i in range(count)]


async def stream_rows(count):
    for first in range(0, count, 2):
        for row in await query(0.01, 2):
            yield {**row, "id": first + row["id"]}


async def get_user():
    return "".join(format_rows(await query(0.005, 1)))


async def get_rows():
    return "".join(format_rows([row async for row in stream_rows(6)]))


async def slow_report():
    cursor = audit_cursor(len(audit_cursors) + 1)
    next(cursor)
    audit_cursors.append(cursor)
    rows = await query(0.4, 3)
    until = time.monotonic() + 0.03  # holds the event loop: `genscope slow` finds it
    while time.monotonic() < until:
        pass
    return "".join(format_rows(rows))


ROUTES = {"/user": get_user, "/rows": get_rows, "/report": slow_report}


async def handle(reader, writer):
    try:
        while line := await reader.readline():
            body = (await ROUTES[line.split()[1].decode()]()).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
    except (ConnectionError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


async def get(reader, writer, path):
    writer.write(f"GET {path} HTTP/1.1\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    return await reader.readexactly(int(head.split(b"Content-Length: ")[1]))


async def client(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while True:
        path = random.choices(list(ROUTES), weights=(12, 4, 1))[0]
        await get(reader, writer, path)
        await asyncio.sleep(random.uniform(0.05, 0.2))


async def main():
    parent = os.getppid()
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    clients = [asyncio.create_task(client(port), name=f"client-{i}") for i in range(CLIENTS)]
    print("ready", flush=True)
    end = time.monotonic() + LIFETIME_SECONDS
    while time.monotonic() < end and os.getppid() == parent:
        await asyncio.sleep(0.5)
    for task in clients:
        task.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    server.close()


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit("server.py: Python 3.11 or later is wanted")
    asyncio.run(main())
