# SPDX-License-Identifier: MIT
"""
A mailer on asyncio that works in waves. What is to be seen of it: tasks that pile up and drain, how long new ones
wait for their first step behind work that takes its time, and `audit`, which a newer version forgets to await.
"""

import asyncio
import itertools
import random
import time
import warnings

WAVE_SECONDS, GOOD_WAVES = 20, 4
warnings.simplefilter("ignore", RuntimeWarning)  # Python would say it, too


async def audit(_mail):
    """Never runs."""


async def send(gate, mail, forgetful):
    time.sleep(0.002)  # renders a template
    async with gate:
        await asyncio.sleep(random.uniform(0.05, 0.4))
    if forgetful and mail % 20 == 0:
        audit(mail)


async def wave(gate, mails, forgetful):
    await asyncio.gather(*(send(gate, mail, forgetful) for mail in range(mails)))


async def main():
    gate = asyncio.Semaphore(5)
    for number in itertools.count():
        began = time.monotonic()
        await wave(gate, random.randint(60, 180), forgetful=number >= GOOD_WAVES)
        await asyncio.sleep(max(1, began + WAVE_SECONDS - time.monotonic()))


asyncio.run(main())
