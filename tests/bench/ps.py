# SPDX-License-Identifier: MIT
"""Snapshots: how long they take, how much memory, and what they cost the target."""
import os
import statistics
import subprocess
import time

from target import Target

ROUNDS = 7
TASKS = 10_000
GENERATORS = 1_000_000
WORK_SECONDS = 3.0
PAIRS = 5


def run(command):
    """Wall-clock seconds and maximum resident MiB; None for a command that failed."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return None if process.returncode else (time.monotonic() - start, usage.ru_maxrss / 1024)


def median_of(command, rounds=ROUNDS):
    got = [run(command) for _ in range(rounds)]
    if None in got:
        return None
    return {"ms": statistics.median(seconds for seconds, _ in got) * 1e3, "rss_mib": max(mib for _, mib in got)}


def asyncio_tools(target, root):
    """What 3.14's own tools take for the same tasks; they need the target's /proc."""
    proc = f"{root}/proc" if root else None
    mounted = proc and not os.path.exists(f"{proc}/self")
    if mounted and subprocess.run(["mount", "--bind", "/proc", proc], check=False).returncode:
        return {"ps": None, "pstree": None}
    try:
        return {tool: median_of([*target.command, "-m", "asyncio", tool, str(target.pid)], 3)
                for tool in ("ps", "pstree")}
    finally:
        if mounted:
            subprocess.run(["umount", proc], check=False)


def measure_tasks(genscope, binary, root):
    target = Target(binary, root, "crowd.py", "tasks", TASKS)
    try:
        row = {"tree": median_of([genscope, "ps", "--tree", "-p", str(target.pid)]),
               "json": median_of([genscope, "ps", "--json", "-p", str(target.pid)]),
               "locals": median_of([genscope, "ps", "--json", "--locals", "-p", str(target.pid)])}
        if int(os.path.basename(binary).removeprefix("python3.") or 0) >= 14:
            row["asyncio"] = asyncio_tools(target, root)
        return row
    finally:
        target.kill()


def measure_generators(genscope, binary, root):
    target = Target(binary, root, "crowd.py", "generators", GENERATORS)
    try:
        return {view or "table": median_of([genscope, "ps", *([f"--{view}"] if view else []),
                                            "-p", str(target.pid)], 3) for view in ("", "group", "json")}
    finally:
        target.kill()


def turns(genscope, binary, root, watched):
    """Turns a second of the target's own work, with a snapshot each second or without."""
    target = Target(binary, root, "crowd.py", "work", TASKS, WORK_SECONDS)
    target.go()
    end = time.monotonic() + WORK_SECONDS - 0.2
    while watched and time.monotonic() < end:
        run([genscope, "ps", "--tree", "-p", str(target.pid)])
        time.sleep(max(0, min(1.0, end - time.monotonic())))
    done = target.result()
    return done["turns"] / done["seconds"]


def measure_slowdown(genscope, binary, root):
    ratios = []
    for pair in range(PAIRS):
        first, second = (turns(genscope, binary, root, bool(one)) for one in (pair % 2, 1 - pair % 2))
        ratios.append(first / second if pair % 2 == 0 else second / first)
    return {"median": statistics.median(ratios), "ratios": ratios}


def measure(genscope, binary, root):
    return {"tasks": measure_tasks(genscope, binary, root),
            "generators": measure_generators(genscope, binary, root),
            "slowdown": measure_slowdown(genscope, binary, root)}


def cell(figure):
    return "missing" if figure is None else f"{figure['ms']:.0f} ms {figure['rss_mib']:.0f} MiB"


def report(row):
    print("  " + f"ps, {TASKS} tasks".ljust(24), "  ".join(f"{name} {cell(figure)}"
          for name, figure in row["tasks"].items() if name != "asyncio"))
    for tool, figure in row["tasks"].get("asyncio", {}).items():
        print("  " + f"  asyncio {tool}".ljust(24), cell(figure))
    print("  " + f"ps, {GENERATORS} generators".ljust(24), "  ".join(f"{name} {cell(figure)}"
          for name, figure in row["generators"].items()))
    print("  " + "ps each second".ljust(24), f"target {row['slowdown']['median']:.3f} x slower "
          f"({' '.join(f'{ratio:.3f}' for ratio in sorted(row['slowdown']['ratios']))})", flush=True)
