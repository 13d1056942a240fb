# SPDX-License-Identifier: MIT
"""A master that forks workers, as gunicorn does, each with the work of exported.py: family.py ROUNDS

It obeys lines on standard input: `fork` (says `worker PID`), `work PID` (that one, or the master itself, says what it
did as a line of JSON and keeps the rest alive), `kill PID` (says `gone PID` when it has been reaped), `end`.
"""

import gc
import json
import os
import signal
import sys
import warnings

import exported
import scope


def work(rounds):
    truth, kept = exported.work(rounds)
    print(json.dumps(truth), flush=True)
    return kept


def worker(rounds, pipe):
    """Works when it is told to, and ends with its master."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    kept = None
    while os.read(pipe, 1):
        kept = work(rounds)
    del kept
    os._exit(0)


def fork(rounds, workers):
    told, tell = os.pipe()
    pid = os.fork()
    if not pid:
        for other in (tell, *workers.values()):
            os.close(other)
        worker(rounds, told)
    os.close(told)
    workers[pid] = tell
    print("worker", pid, flush=True)


def end(workers, pid):
    os.close(workers.pop(pid))
    os.waitpid(pid, 0)


def main(rounds):
    workers, kept = {}, None
    scope.barrier()
    for line in iter(sys.stdin.readline, "end\n"):
        word, pid = line.split()[0], int((line.split() + ["0"])[1])
        if word == "fork":
            fork(rounds, workers)
        elif word == "work" and pid in workers:
            os.write(workers[pid], b"!")
        elif word == "work":
            kept = work(rounds)
        elif word == "kill":
            os.kill(pid, signal.SIGTERM)
            end(workers, pid)
            print("gone", pid, flush=True)
    for pid in list(workers):
        end(workers, pid)
    del kept


if __name__ == "__main__":
    gc.disable()
    warnings.simplefilter("ignore")
    main(int(sys.argv[1]))
