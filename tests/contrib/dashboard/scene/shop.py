# SPDX-License-Identifier: MIT
"""
An asyncio web shop with its customers. What is to be seen of it: requests that await their database, a report that
now and then holds the event loop for 80 ms, an async generator that streams rows, and carts that are begun, parked
in an async generator and never closed: a leak.
"""

import asyncio
import random
import time

CUSTOMERS = 12
carts = []  # the leak


async def query(seconds, count):
    """What a database driver would do: wait, then have rows."""
    await asyncio.sleep(random.uniform(0.5, 2) * seconds)
    return [{"id": number, "name": f"item {number}"} for number in range(count)]


async def stream_rows(count):
    for _ in range(0, count, 4):
        for row in await query(0.01, 4):
            yield row


async def cart_items(items):
    for item in items:
        yield item


async def list_items():
    return [row async for row in stream_rows(12)]


async def checkout():
    rows = await query(0.03, 3)
    cart = cart_items(rows)
    await anext(cart)
    if random.random() < 0.2:
        carts.append(cart)
    else:
        await cart.aclose()


async def sales_report():
    await query(0.2, 10)
    time.sleep(0.08)  # what must not be: it holds the event loop


async def customer():
    while True:
        await asyncio.sleep(random.expovariate(2))
        await random.choices((list_items, checkout, sales_report), weights=(30, 15, 1))[0]()


async def main():
    await asyncio.gather(*(customer() for _ in range(CUSTOMERS)))


asyncio.run(main())
