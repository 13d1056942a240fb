# SPDX-License-Identifier: MIT
"""Generators in sub-interpreters: subinterpreters.py TRUTH_FILE."""

import sys
import threading

import scope

NUMBER = 3
SCRIPT = """
def sub():
    for i in range(5):
        yield i

async def sub_coro():
    return 1

def sub_kept():
    try:
        yield 1
    finally:
        pass

assert sum(sub()) == 10
for _ in range(10):
    g = sub()
    next(g)
    g.close()
try:
    sub_coro().send(None)
except StopIteration:
    pass
g = sub_kept()
next(g)
"""


def api():
    """(create, run, destroy), whatever this version calls them."""
    if sys.version_info >= (3, 13):
        import _interpreters
        return _interpreters.create, _interpreters.exec, _interpreters.destroy
    import _xxsubinterpreters
    return _xxsubinterpreters.create, _xxsubinterpreters.run_string, _xxsubinterpreters.destroy


def one(create, run, destroy):
    ident = create()
    problem = run(ident, SCRIPT)
    assert problem is None, problem
    destroy(ident)


def main(path):
    functions = api()
    scope.barrier()
    for _ in range(NUMBER):
        one(*functions)
    # 3.12 and later may run them side by side, each with a lock of its own.
    threads = [threading.Thread(target=one, args=functions) for _ in range(NUMBER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    n = 2 * NUMBER
    scope.expect("sub", births=11 * n, closed=11 * n, freed=11 * n, via_yield=15 * n, via_return=n)
    scope.expect("sub_coro", births=n, resumes=n, suspends=0, completions=n, freed=n, via_return=n)
    scope.expect("sub_kept", births=n, closed=n, freed=n, via_yield=n)
    scope.rec.write(path)


if __name__ == "__main__":
    main(sys.argv[1])
