# SPDX-License-Identifier: MIT
"""Objects in every state when the tracer comes: midlife.py MODE TRUTH_FILE.

The barrier lies inside a running generator inside a running coroutine.
"""

import gc
import sys

import scope
from cases_agen import echo, guarded as agen_guarded
from cases_coro import chain, waits
from cases_gen import count, guarded, link
from scope import close, hint, raises, track


def running(log):
    yield "before"
    scope.barrier()
    log.append("passed")
    yield "after"


def around(inner):
    yield from inner


async def outermost(g):
    next(g)
    next(g)
    return "done"


def main(mode, path):
    rec = scope.setup(mode)
    rec.case = "midlife"
    gc.disable()
    rec.start()
    log = []
    created, suspended, chained = track(count(2)), track(count(3)), track(link(4, 3))
    next(suspended), next(chained)
    waiting, unstarted = track(chain(4)), track(waits(1))
    waiting.send(None)
    agen, agen_created = track(agen_guarded(log)), track(echo())
    hint(agen, "anext")
    raises(StopIteration, agen.__anext__().send, None)
    dropped, closed = track(guarded(log)), track(guarded(log))
    next(dropped), next(closed)
    finished = track(count(0))
    list(finished)
    g = track(around(track(running(log))))
    raises(StopIteration, track(outermost(g)).send, None)
    assert log == ["passed"]
    after(created, suspended, chained, waiting, unstarted)
    close(closed)
    del dropped, agen, agen_created, finished
    assert log == ["passed", "finally", "finally", "finally"]
    rec.stop()
    rec.write(path)


def after(created, suspended, chained, waiting, unstarted):
    assert list(created) == [0, 1]
    assert list(suspended) == [1, 2]
    assert list(chained) == [1, 2]
    waiting.send(None)
    raises(StopIteration, waiting.send, None)
    close(unstarted)


if __name__ == "__main__":
    main(*sys.argv[1:])
