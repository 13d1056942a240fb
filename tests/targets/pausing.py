# SPDX-License-Identifier: MIT
"""A coroutine that is resumed once a line on standard input, and otherwise a process that does not run at all.

Each time it awaits the same instruction of a new coroutine, which lies where the last one lay, as loops have it.
"""

import sys

import scope


class Pause:
    def __await__(self):
        yield


async def inner():
    await Pause()


async def outer():
    while True:
        await inner()


def main():
    scope.barrier()
    coroutine = outer()
    for line in iter(sys.stdin.readline, "end\n"):
        coroutine.send(None)
        print("parked", line.strip(), flush=True)


if __name__ == "__main__":
    main()
