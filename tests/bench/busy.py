# SPDX-License-Identifier: MIT
"""A target that changes generator states as fast as it can: busy.py THREADS SECONDS.

Prints "ready", waits for a line, runs, prints a JSON line: how many transitions it made, in what time.
"""
import json
import sys
import threading
import time


def numbers(count):
    for i in range(count):
        yield i


BATCH = 1000


def work(end, made):
    """Each batch is BATCH + 1 resumes, as many ends of steps, a birth, a free."""
    batches = 0
    while time.perf_counter() < end:
        for _ in numbers(BATCH):
            pass
        batches += 1
    made.append(batches * (2 * (BATCH + 1) + 2))


def main():
    threads, seconds = int(sys.argv[1]), float(sys.argv[2])
    print("ready", flush=True)
    sys.stdin.readline()
    made = []
    start = time.perf_counter()
    workers = [threading.Thread(target=work, args=(start + seconds, made)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(json.dumps({"transitions": sum(made), "seconds": time.perf_counter() - start}), flush=True)


main()
