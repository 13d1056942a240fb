#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what genscope costs, beside an empty BPF program and other tools.

Not a test: nothing here fails because a machine is slow. What is compared is compared in pairs within
one run. A figure that could not be measured is said to be missing.
"""
import argparse
import json
import os
import subprocess
import tempfile
import time
import types

import budgets
import echo
import figures
import goals
import hosts
import life
import page
import pairs
import ps
import scrapes
import slots
import table
from modes import Missing, all_modes
from target import interpreters
from workloads import WORKLOADS

WITH_EVERY_MODE = ("for", "echo")
PS_BY_DEFAULT = "3.14"      # it takes a minute, and the others differ little
# Of `genscope export`: on the newest interpreter of those that are chosen, since they take a minute or more each.
EXPORTER = {"hosts": hosts, "scrape": scrapes, "export": echo, "budget": budgets}
WITHOUT_WORKLOADS = ("life", "ps", "page", *EXPORTER)


def arguments():
    names = [mode.name for mode in all_modes()] + [*WITHOUT_WORKLOADS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genscope", required=True)
    parser.add_argument("--floor", required=True, help="the empty BPF programs, built by make bench")
    parser.add_argument("--film", required=True, help="what writes recordings, built by make bench")
    parser.add_argument("--interpreters", required=True, help="a list made by tests/interpreters.sh")
    parser.add_argument("--json", default="build/bench.json", metavar="FILE")
    parser.add_argument("--pairs", type=int, default=3, metavar="N", help="of each mode with each workload, at most")
    parser.add_argument("--budget", type=float, default=300, metavar="SECONDS",
                        help="for all pairs: where it runs short, there are fewer of them (default: %(default)s)")
    parser.add_argument("--all", action="store_true", help="every build, not one of each version")
    parser.add_argument("-k", default="", metavar="NAME", help="only interpreters whose name contains this")
    parser.add_argument("-w", action="append", choices=WORKLOADS, metavar="WORKLOAD",
                        help=f"only this one of {', '.join(WORKLOADS)}")
    parser.add_argument("-m", action="append", choices=names, metavar="MODE",
                        help=f"only this one of {', '.join(names)}; floor is always measured with others")
    return parser.parse_args()


def sites_of(genscope, binary, root):
    """Where genscope puts its probes, in which file; and where the types' own functions are."""
    out = subprocess.run([genscope, "doctor", "--json", (root or "") + binary], capture_output=True, text=True,
                         check=False)
    if out.returncode:
        raise RuntimeError(out.stderr.strip())
    told = json.loads(out.stdout)
    return types.SimpleNamespace(
        path=told["interpreter"]["path"], version=told["interpreter"]["version"],
        offsets=[site["file_offset"] for site in told["sites"]],
        stepped=sum(site["mode"] == "stepped" for site in told["sites"]), slots=slots.find(binary, root))


def chosen_modes(args, workload):
    modes = all_modes()
    if args.m:
        return [mode for mode in modes if mode.name in (*args.m, "floor")] if set(args.m).difference(WITHOUT_WORKLOADS) else []
    return [mode for mode in modes if mode.everywhere or workload in WITH_EVERY_MODE]


class Budget:
    """Seconds for pairs, shared evenly by what is still to be measured."""

    def __init__(self, seconds, parts):
        self.left, self.parts = seconds, parts

    def take(self):
        return self.left / max(1, self.parts)

    def spent(self, seconds):
        self.left, self.parts = max(0, self.left - seconds), self.parts - 1


def measure_costs(args, where, sites, budget, folder):
    bench = types.SimpleNamespace(genscope=args.genscope, floor=args.floor, folder=folder, pairs=args.pairs)
    rows, known = {}, None
    for workload in args.w or WORKLOADS:
        modes, start = chosen_modes(args, workload), time.monotonic()
        if not modes:
            continue
        try:
            known = pairs.compare(bench, where, sites, workload, modes, known, budget.take())
            rows[workload] = figures.of_workload(known, [mode.name for mode in modes])
        except (RuntimeError, OSError) as error:
            rows[workload] = {"missing": str(error)}
        budget.spent(time.monotonic() - start)
        table.workload(workload, rows[workload])
    return rows


def wants(args, what, name):
    return what in args.m if args.m else what != "ps" or PS_BY_DEFAULT in name


def newest(args, chosen):
    """No debug build, if it can be helped."""
    return ([one for one in interpreters(args.interpreters) if args.k in one[0]] or chosen)[-1]


def measure_exporter(args, name, where):
    row, asked = {}, [what for what in EXPORTER if not args.m or what in args.m]
    if asked:
        print(f"{name}: genscope export -p of its targets", flush=True)
    for what in asked:
        try:
            row[what] = EXPORTER[what].measure(args.genscope, *where, args.pairs)
            EXPORTER[what].report(row[what])
        except (Missing, RuntimeError, OSError) as why:
            row[what] = {"missing": str(why)}
            print(f"  export, {what}: missing: {why}", flush=True)
    print(end="\n" if asked else "", flush=True)
    return row


def measure_interpreter(args, name, where, budget, folder):
    row = {}
    try:
        sites = sites_of(args.genscope, *where)
        row |= {"version": sites.version, "path": sites.path, "sites": len(sites.offsets), "stepped": sites.stepped}
        table.interpreter(name, row)
        row["workloads"] = measure_costs(args, where, sites, budget, folder)
        for what, module, extra in (("life", life, (folder,)), ("ps", ps, ())):
            if wants(args, what, name):
                row[what] = module.measure(args.genscope, *where, *extra)
                module.report(row[what])
    except (RuntimeError, OSError) as error:
        row["missing"] = str(error)
        print(f"{name}: missing: {error}", flush=True)
    return row


def measure_all(args, chosen, folder):
    """name of an interpreter → what was measured on it."""
    if args.m and not set(args.m).difference(EXPORTER, ("page",)):
        return {}
    budget = Budget(args.budget, len(chosen) * len(args.w or WORKLOADS))
    return {name: measure_interpreter(args, name, where, budget, folder) for name, *where in chosen}


def main():
    args, start = arguments(), time.monotonic()
    chosen = [one for one in interpreters(args.interpreters, args.all) if args.k in one[0]]
    if not chosen:
        raise SystemExit(f"run.py: no interpreter's name contains '{args.k}': see {args.interpreters}")
    with tempfile.TemporaryDirectory() as folder:
        rows = measure_all(args, chosen, folder)
    name, *where = newest(args, chosen)
    exporter = measure_exporter(args, name, where)
    pages = page.measure(args.genscope, args.film) if not args.m or "page" in args.m else None
    page.report(pages)
    judged, of_exporter = goals.of_costs(rows), goals.of_exporter(name, exporter)
    goals.report(judged, "of each interpreter's workloads the worst")
    goals.report(of_exporter)
    print(table.LEGEND if rows else "", end="")
    os.makedirs(os.path.dirname(os.path.abspath(args.json)), exist_ok=True)
    with open(args.json, "w") as file:
        json.dump({"load": os.getloadavg(), "interpreters": rows, "exporter": {"interpreter": name, **exporter},
                   "page": pages, "goals": judged + of_exporter}, file, indent=1)
    print(f"JSON: {args.json}; {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
