# SPDX-License-Identifier: MIT
"""Objects by the number for a screen to show, and what `inspect` says of them: screen.py

Says `ready PID`. Then, for each line on standard input: `tell PATH` writes the truth there, `more NUMBER` parks so many
more in f, `steps NUMBER` resumes one of them all so many times, `end` ends it; each is answered with `done`.
"""

import inspect
import json
import os
import sys


class Gate:
    def __await__(self):
        return iter((None,))


async def f(number):
    password, items = "hunter2", [number, "text"]
    await Gate()
    return len(password), items


async def g(number):
    await Gate()
    await Gate()
    return number


async def spin():
    while True:
        await Gate()


def h(number):
    yield number


OBJECTS = {"f": [], "g": [], "h": [], "spin": []}


def park(function, number, steps):
    for _ in range(number):
        made = function(len(OBJECTS[function.__name__])) if function is not spin else spin()
        for _ in range(steps):
            made.send(None)
        OBJECTS[function.__name__].append(made)


def state_of(made):
    if inspect.iscoroutine(made):
        return inspect.getcoroutinestate(made)[5:]
    return inspect.getgeneratorstate(made)[4:]


def line_of(made):
    frame = made.cr_frame if inspect.iscoroutine(made) else made.gi_frame
    return frame.f_lineno


def truth():
    told = {}
    for name, made in OBJECTS.items():
        states, lines = {}, {}
        for one in made:
            state = state_of(one)
            states[state] = states.get(state, 0) + 1
            if state == "SUSPENDED":
                lines[line_of(one)] = lines.get(line_of(one), 0) + 1
        told[name] = {"states": states, "lines": lines}
    return told


def obey(words):
    if words[0] == "tell":
        with open(words[1], "w", encoding="utf-8") as file:
            json.dump(truth(), file)
    elif words[0] == "more":
        park(f, int(words[1]), 1)
    elif words[0] == "steps":
        for _ in range(int(words[1])):
            OBJECTS["spin"][0].send(None)
    print("done", flush=True)
    return words[0] != "end"


def main():
    park(f, 50, 1)
    park(g, 12, 1)
    park(g, 8, 2)
    park(h, 5, 0)
    park(spin, 1, 1)
    for made in OBJECTS["h"][:2]:
        made.close()
    print("ready", os.getpid(), flush=True)
    while (line := sys.stdin.readline()) and obey(line.split()):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
