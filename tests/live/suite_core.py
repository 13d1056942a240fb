# SPDX-License-Identifier: MIT
"""Every case of tests/targets/cases_*.py, in one process per mode, compared with the truth.

mon       the truth is recorded in the same run
plain     nothing active: specialised instructions; the sequence of events comes from the mon run
settrace  a debugger's trace function is active
cover     a coverage tool's LINE and INSTRUCTION events (3.11: a profile function) are active
"""

import compare
from harness import Failure, Result, discard, trace

MODES = ("mon", "plain", "settrace", "cover")
SHOWN = 3


def run_mode(ctx, interp, mode, cases, truth):
    """Results of one process that runs all cases in one mode; and the truth, if it is this run that tells it."""
    def result(name, status="ok", detail=""):
        return Result(interp.label, f"core.{mode}.{name}", status, detail)

    try:
        run = trace(ctx, interp, "core.py", [mode, "{out}/truth", *cases])
        records, _ = run.truth()
    except Exception as error:
        return [result("stream", "FAIL", f"{type(error).__name__}: {error}")], None
    if mode == "mon":
        truth = {(r["case"], r["key"]): r for r in records}
        differences = compare.compare(records, run.stream)
    else:
        differences = compare.compare(records, run.stream, truth)
    tracked = {record["case"] for record in records}
    results = [verdict(result, name, differences.get(name), name in tracked) for name in cases]
    try:
        run.must_be_sound()
        results.append(result("stream"))
    except Failure as failure:
        results.append(result("stream", "FAIL", str(failure)))
    discard(run)
    return results, truth


def verdict(result, name, differences, tracked):
    if not tracked:
        return result(name, "FAIL", "the case tracks nothing: it cannot fail")
    if not differences:
        return result(name)
    more = f"\n… and {len(differences) - SHOWN} more objects" if len(differences) > SHOWN else ""
    return result(name, "FAIL", "\n".join(differences[:SHOWN]) + more)


def run(ctx, interp):
    names = interp.run("core.py", "--list").split()
    wanted = {mode: [name for name in names if ctx.wanted(f"{interp.label} core.{mode}.{name}")] for mode in MODES}
    cases = [name for name in names if any(name in of_mode for of_mode in wanted.values())]
    streams = [mode for mode in MODES if ctx.wanted(f"{interp.label} core.{mode}.stream")]
    if not cases and streams:
        cases = names
    truth = None
    for mode in MODES:
        if not cases or not (mode == "mon" or wanted[mode] or mode in streams):
            continue
        if mode != "mon" and truth is None:
            yield Result(interp.label, f"core.{mode}.stream", "FAIL", "the mon run told no truth")
            continue
        results, told = run_mode(ctx, interp, mode, cases, truth)
        truth = told or truth
        yield from (r for r in results if ctx.wanted(f"{r.where} {r.name}"))
