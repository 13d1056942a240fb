# SPDX-License-Identifier: MIT
"""A target of many functions: functions.py COUNT.

Prints "ready"; for each line, ROUNDS SECONDS, runs each of COUNT generator functions so often (0: without an end),
or for so long, and prints as JSON how often it did.
"""
import json
import sys
import time

SOURCE = """
def handler_{number:03}():
    yield 1
    yield 2
"""


def made(count):
    scope = {}
    exec(compile("".join(SOURCE.format(number=number) for number in range(count)), "/srv/shop/handlers.py", "exec"), scope)
    return [value for name, value in sorted(scope.items()) if name.startswith("handler_")]


def main():
    functions = made(int(sys.argv[1]))
    print("ready", flush=True)
    while words := sys.stdin.readline().split():
        rounds, end, done = int(words[0]), time.perf_counter() + float(words[1]), 0
        while (not rounds or done < rounds) and time.perf_counter() < end:
            for function in functions:
                for _ in function():    # starts, runs, waits, lives and dies
                    pass
            done += 1
        print(json.dumps({"rounds": done}), flush=True)


main()
