# SPDX-License-Identifier: MIT
"""multiprocessing, each start method: workers.py TRUTH_FILE. Every process says what its generators did."""

import multiprocessing
import os
import sys

import scope

PER_WORKER = 20


def work(n):
    for i in range(n):
        yield i


def job(pipe):
    for _ in range(PER_WORKER):
        assert sum(work(3)) == 3
    pipe.send(os.getpid())
    pipe.close()


def main(path):
    scope.barrier()
    for method in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context(method)
        for _ in range(2):
            mine, theirs = context.Pipe()
            process = context.Process(target=job, args=(theirs,))
            process.start()
            pid = mine.recv()
            process.join()
            assert process.exitcode == 0, (method, process.exitcode)
            scope.expect("work", births=PER_WORKER, resumes=4 * PER_WORKER, suspends=3 * PER_WORKER,
                         completions=PER_WORKER, freed=PER_WORKER)
            scope.rec.expects[-1].update(pid=pid, what=method)
    scope.rec.write(path)


if __name__ == "__main__":
    main(sys.argv[1])
