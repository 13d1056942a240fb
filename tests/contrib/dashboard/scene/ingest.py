# SPDX-License-Identifier: MIT
"""
A batch job of plain generators that reads, parses and groups lines. What is to be seen of it: steps of generators,
and a garbage collector that is busy, since each record is a cycle and a part of them is kept for a while.
"""

import collections
import itertools
import time

BATCH, PAUSE_SECONDS, KEPT = 40, 0.1, 4_000


class Record:
    def __init__(self, words):
        self.words = words
        self.fields = [{"of": self, "word": word} for word in words]


def read_lines():
    for number in itertools.count():
        yield f"{number} some words of line {number}"


def parse(lines):
    for line in lines:
        yield Record(line.split())


def batches(records):
    while batch := list(itertools.islice(records, BATCH)):
        yield batch


def main():
    kept = collections.deque(maxlen=KEPT)
    for batch in batches(parse(read_lines())):
        kept.extend(batch)
        time.sleep(PAUSE_SECONDS)


main()
