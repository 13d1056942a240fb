# SPDX-License-Identifier: MIT
"""Run named cases in one process: core.py MODE TRUTH_FILE CASE…

MODE: mon (the truth is recorded), plain (nothing active), settrace, cover (another tool is active inside).
With --list, print the cases this interpreter can run.
"""

import gc
import importlib
import sys
import warnings

import instruments
import scope

MODULES = ("cases_gen", "cases_coro", "cases_agen", "cases_life", "cases_thread", "cases_random")


def load():
    for name in MODULES:
        importlib.import_module(name)
    return {name: fn for name, fn in scope.CASES.items() if sys.version_info[1] >= getattr(fn, "since", 11)}


def run(mode, path, names):
    cases = load()
    rec = scope.setup(mode)
    gc.disable()
    warnings.simplefilter("ignore")
    scope.barrier()
    instruments.start(mode)
    rec.start()
    for name in names:
        rec.case = name
        cases[name]()
    rec.stop()
    instruments.stop(mode)
    rec.write(path)


if __name__ == "__main__":
    if sys.argv[1] == "--list":
        print("\n".join(load()))
    else:
        run(sys.argv[1], sys.argv[2], sys.argv[3:])
