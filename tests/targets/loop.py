# SPDX-License-Identifier: MIT
"""A small asyncio program whose transitions are known by arithmetic: loop.py [ROUNDS]."""

import asyncio
import gc
import sys

import scope

WORKERS, ROWS = 4, 3


class Request:
    def __init__(self, number):
        self.number, self.token = number, "hunter2"


def numbers(n):
    for i in range(n):
        yield i


async def rows(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield i


async def leaf(request):
    password = request.token
    await asyncio.sleep(0.001)
    return len(password)


async def work(number):
    request, words = Request(number), ["a", ("b", 1.5)]
    result = sum(numbers(ROWS))
    async for row in rows(ROWS):
        result += row
    return result + await leaf(request) + len(words)


async def main(rounds):
    for _ in range(rounds):
        await asyncio.gather(*(work(number) for number in range(WORKERS)))


def name_classes():
    """Looks at the names of all classes. What no one has looked at for long may have no page, and a tracer's programs in
    the kernel read only what is there; a recording has no second chance."""
    found = {object: None}
    for one in (classes := list(found)):
        type.__repr__(one)
        fresh = [each for each in type.__subclasses__(one) if each not in found]
        found.update(dict.fromkeys(fresh))
        classes += fresh


if __name__ == "__main__":
    gc.disable()
    name_classes()
    loop = asyncio.new_event_loop()
    scope.barrier()
    loop.run_until_complete(main(int(sys.argv[1]) if sys.argv[1:] else 1))
    loop.close()
