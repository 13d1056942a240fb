# SPDX-License-Identifier: MIT
"""Ends at a moment of its own: brief.py SECONDS."""

import sys
import time


def numbers():
    while True:
        yield 1


deadline = time.monotonic() + float(sys.argv[1])
for _ in numbers():
    if time.monotonic() > deadline:
        break
