# SPDX-License-Identifier: MIT
"""A short life among many: churned.py WAY SECONDS SEED FAREWELL; or the one that outlives them: churned.py
keeper FAREWELL...

Functions have names by chance, more of them than an exporter has series for. WAY says how it ends: `returns`, `dies` (by
SIGKILL), `forks` (a child that works on), `execs` (the same program once more), `leaves` (os._exit with objects alive); `burns`
works without a pause. Who does not burn runs one generator before it ends, of a function
of the name FAREWELL.
"""

import asyncio
import os
import random
import signal
import sys
import time

NAMES = 2000
FUNCTIONS = 10   # of each process
SOURCE = """
def {name}(n):
    for i in range(n):
        yield i
"""


def made(name):
    """Under one file name, wherever this file lies."""
    scope = {}
    exec(compile(SOURCE.format(name=name), "/srv/soak/jobs.py", "exec"), scope)
    return scope[name]


async def waits(seconds):
    await asyncio.sleep(seconds)


async def tasks(end):
    while time.monotonic() < end:
        await asyncio.gather(*(waits(0.02 * number) for number in range(5)))
        await asyncio.sleep(0.1)


def burn(job, end):
    while time.monotonic() < end:
        for _ in job(1000):
            pass


def live(way, seconds, rng, farewell):
    end = time.monotonic() + seconds
    jobs = [made(f"job_{rng.randrange(NAMES)}") for _ in range(FUNCTIONS)]
    kept = [job(3) for job in jobs]
    for job in jobs:
        list(job(20))
        next(kept[0], None)
    if way == "burns":
        return burn(jobs[0], end)
    if way == "forks" and not os.fork():
        time.sleep(0.1)
        list(jobs[0](20))
        os._exit(0)
    asyncio.run(tasks(end))
    if way == "execs":
        os.execv(sys.executable, [sys.executable, __file__, "returns", str(seconds), str(rng.random()), farewell])
    list(made(farewell)(1))
    if way == "forks":
        os.wait()
    if way == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if way == "leaves":
        os._exit(0)
    return None


def keep(farewells):
    print("ready", os.getpid(), flush=True)
    sys.stdin.readline()
    waiting = made("job_kept")(3)
    next(waiting)
    jobs = [made(name) for name in farewells]
    for job in jobs:
        list(job(1))
    print("kept", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    if sys.argv[1] == "keeper":
        keep(sys.argv[2:])
    else:
        live(sys.argv[1], float(sys.argv[2]), random.Random(sys.argv[3]), sys.argv[4])
