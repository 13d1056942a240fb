# SPDX-License-Identifier: MIT
"""os.fork with generators in hand: forker.py MODE TRUTH_FILE. The child writes TRUTH_FILE.child."""

import gc
import os
import sys

import scope
from cases_coro import chain
from cases_gen import count, link
from scope import raises, track


def both(shared, deep, coro, who):
    """What parent and child each do with what they have inherited, and with new ones."""
    scope.rec.case = who
    for x in shared:
        assert x > 0
    assert next(deep) == 1
    coro.send(None)
    raises(StopIteration, coro.send, None)
    assert sum(track(count(10))) == 45
    assert [x for x in track(link(2, 3))] == [0, 1, 2]


def main(mode, path):
    rec = scope.setup(mode)
    gc.disable()
    scope.barrier()
    rec.start()
    rec.case = "before"
    shared, deep, coro = track(count(5)), track(link(3, 3)), track(chain(3))
    next(shared), next(deep), coro.send(None)
    child = os.fork()
    if child == 0:
        rec.forked()
        both(shared, deep, coro, "child")
        rec.stop()
        rec.write(path + ".child")
        os._exit(0)
    both(shared, deep, coro, "parent")
    assert os.waitpid(child, 0)[1] == 0
    rec.stop()
    rec.write(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
