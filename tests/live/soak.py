#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`genscope export` under churn: processes of all interpreters come and go for minutes, a Prometheus scrapes. Needs root.

    tests/live/soak.py --genscope build/genscope --interpreters FILE [--seconds N] [--sanitized]

Held against what is known of the processes: what it counted, what it kept, what it left behind. A line a finding; any that
is wrong is exit status 1.
"""

import argparse
import contextlib
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cgroups  # noqa: E402
import interps  # noqa: E402
from metrics import Exporter, Page  # noqa: E402
from procs import Target, Timeout  # noqa: E402
from prometheus import Prometheus  # noqa: E402
from textpatch import patched  # noqa: E402

MAX_ALIVE = 30
LIFE_SECONDS = (0.2, 5.0)
BIRTH_SECONDS = 0.5     # between two, on average
BURST_SECONDS = 20      # between two bursts
BURST = 15              # of so many at once
WAYS = {"returns": 8, "dies": 3, "leaves": 3, "forks": 2, "execs": 2, "burns": 1}     # how often each
BURN_SECONDS = 3.0      # or nothing else would get the processor
FAREWELLS = [f"{how}_{way}" for how in ("slow", "hasty") for way in WAYS if way != "burns"]
LATE_SECONDS = 1.5      # a process that lives longer is to be seen; probes come some milliseconds after its birth
OVERHEAD = "20"         # percent: who burns gets over it, and probes come and go; the others stay below, and all of them is seen

SAMPLES = 100           # in all
TARGETS = re.compile(r'^genscope_targets\{status="(\w+)"\} (\d+)', re.M)
FUNCTIONS = re.compile(r'^genscope_run_seconds_count\{.*function="([^"]*)"', re.M)
MAX_SERIES = 200        # functions: what --max-series is unless told otherwise
FUNCTION_LINES = 85     # of a page, for one: four histograms of 19, objects, counters
RSS_GROWTH = 1.05
RSS_SLACK_KIB = 2048
UNSEEN = 0.01           # of them: an end may fall into the moment in which probes are exchanged to keep the budget
REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:")


def control_group():
    """A cgroup of our own: nothing else on the machine is a target."""
    root = cgroups.hierarchy()
    if not root:
        sys.exit("soak.py: no cgroup2 hierarchy under /sys/fs/cgroup")
    return cgroups.made(root, "soak")


class Nursery:
    """The processes that are born and die, in the group."""

    def __init__(self, found, group):
        self.interps, self.group = found, group
        self.chance = random.Random(1)
        self.alive = {}     # child → its way, and how it says farewell
        self.born = 0
        self.farewells = dict.fromkeys(FAREWELLS, 0)
        self.wrong = []
        self.next_birth = self.next_burst = 0

    def bear(self, interp, way, seconds):
        farewell = f"{'hasty' if seconds < LATE_SECONDS else 'slow'}_{way}"
        command = cgroups.inside(self.group, interp.command("churned.py", way, f"{seconds:.2f}", str(self.born), farewell))
        self.alive[subprocess.Popen(command, stdin=subprocess.DEVNULL)] = way, farewell
        self.born += 1

    def bury(self):
        for child in [child for child in self.alive if child.poll() is not None]:
            way, farewell = self.alive.pop(child)
            if child.returncode != (-signal.SIGKILL if way == "dies" else 0):
                self.wrong.append(f"{way}: status {child.returncode}")
            if way != "burns":
                self.farewells[farewell] += 1

    def any(self):
        way = self.chance.choices(list(WAYS), WAYS.values())[0]
        seconds = self.chance.uniform(*LIFE_SECONDS)
        self.bear(self.chance.choice(self.interps), way, BURN_SECONDS if way == "burns" else seconds)

    def tick(self, now):
        self.bury()
        if now >= self.next_burst:
            self.next_burst = now + BURST_SECONDS
            for _ in range(min(BURST, MAX_ALIVE - len(self.alive))):
                self.any()
        elif now >= self.next_birth and len(self.alive) < MAX_ALIVE:
            self.next_birth = now + self.chance.expovariate(1 / BIRTH_SECONDS)
            self.any()

    def empty(self, seconds=30):
        deadline = time.monotonic() + seconds
        while self.alive and time.monotonic() < deadline:
            time.sleep(0.05)
            self.bury()
        for child in self.alive:
            child.kill()
            child.wait()
            self.wrong.append(f"{self.alive[child][0]}: alive {seconds} s later")
        self.alive = {}


class Sample:
    """The exporter at one moment. Its page is only looked through: to parse them all would be most of the load."""

    def __init__(self, exporter):
        self.text, _ = exporter.get()
        with open(f"/proc/{exporter.pid}/status", encoding="utf-8") as file:
            fields = dict(line.split(":", 1) for line in file)
        self.rss, self.most = (int(fields[name].split()[0]) for name in ("VmRSS", "VmHWM"))
        self.descriptors = len(os.listdir(f"/proc/{exporter.pid}/fd"))
        self.lines = self.text.count("\n")
        statuses = {status: int(count) for status, count in TARGETS.findall(self.text)}
        self.targets, self.paused = sum(statuses.values()), statuses["paused"]
        self.functions = set(FUNCTIONS.findall(self.text)) - {"other"}

    def slim(self):
        """Without what is not needed of hundreds of them."""
        del self.text
        return self


class Findings:
    def __init__(self):
        self.failed = False

    def add(self, right, text):
        self.failed |= not right
        print(f"{'ok  ' if right else 'FAIL'} {text}", flush=True)

    def told(self, text):
        print(f"     {text}", flush=True)


def churn(exporter, nursery, seconds):
    """Samples of that time."""
    samples, start = [], time.monotonic()
    next_sample = start
    while (now := time.monotonic()) < start + seconds:
        nursery.tick(now)
        if now >= next_sample:
            samples.append(Sample(exporter).slim())
            next_sample = now + seconds / SAMPLES
        time.sleep(0.02)
    nursery.empty()
    return samples


def settled(exporter, base, timeout=20):
    """A sample with no more targets and descriptors than `base` (None: one target); the last one, if there never is."""
    deadline = time.monotonic() + timeout
    while True:
        sample = Sample(exporter)
        if sample.targets <= 1 and (not base or (sample.descriptors <= base.descriptors and
                                                 sample.functions <= base.functions)):
            return sample
        if time.monotonic() > deadline:
            return sample
        time.sleep(1)


def judge_memory(findings, samples, sanitized):
    fifth = len(samples) // 5
    early, late = (statistics.median(sample.rss for sample in part)
                   for part in (samples[fifth:2 * fifth], samples[-fifth:]))
    text = (f"RSS {early:.0f} KiB in the second fifth, {late:.0f} in the last ({late / early - 1:+.1%}); "
            f"{samples[0].rss} at first, {samples[-1].most} at most")
    if sanitized:
        findings.told(text + " (sanitizers keep what is freed)")
    else:
        findings.add(late <= early * RSS_GROWTH + RSS_SLACK_KIB, text)


def judge_farewells(findings, page, nursery):
    """Each process made one at its end; the keeper one of each name, and keeps their series alive."""
    unseen = {name: nursery.farewells[name] + 1 - page.sum("genscope_lifetime_seconds_count", function=":" + name)
              for name in FAREWELLS}
    for how, words in (("slow", f"of more than {LATE_SECONDS} s"), ("hasty", "shorter ones")):
        made = sum(count for name, count in nursery.farewells.items() if name.startswith(how))
        missing = {name: int(count) for name, count in unseen.items() if count and name.startswith(how)}
        text = f"processes, {words}, whose end was seen: {made - sum(missing.values())} of {made} {missing or ''}"
        if how == "slow":
            findings.add(sum(missing.values()) <= made * UNSEEN, text)
        else:
            findings.told(text)


def judge_page(findings, base, samples, last, nursery):
    page = Page(last.text)
    lines, functions = max(sample.lines for sample in samples), max(len(sample.functions) for sample in samples)
    findings.add(functions <= MAX_SERIES and lines <= (MAX_SERIES + 10) * FUNCTION_LINES,
                 f"series: at most {functions} functions beside \"other\", {lines} lines")
    findings.add(last.functions <= base.functions, f"functions of the dead that are still on the page: "
                 f"{len(last.functions - base.functions)} (lines: {base.lines} before, {last.lines} after)")
    findings.add(last.targets == base.targets, f"targets: {base.targets:.0f} before, {last.targets:.0f} after, "
                 f"{max(sample.targets for sample in samples):.0f} at most, {max(sample.paused for sample in samples):.0f} of them paused")
    judge_farewells(findings, page, nursery)
    findings.add(not page.sum("genscope_anomalies_total"), f"anomalies: {page.sum('genscope_anomalies_total'):.0f}")
    lost = {labels["reason"]: value for name, labels, value in page.samples if name == "genscope_events_lost_total"}
    findings.add(not any(lost.values()), "lost: " + ", ".join(f"{value:.0f} {reason}" for reason, value in lost.items()))
    findings.add(last.descriptors <= base.descriptors, f"descriptors: {base.descriptors} before, "
                 f"{max(sample.descriptors for sample in samples)} at most, {last.descriptors} after")
    findings.told(f"hits {page.sum('genscope_probe_hits_total'):.0f}, refused series "
                  f"{page.sum('genscope_series_overflow_total'):.0f}")


def judge_scrapes(findings, prometheus, seconds):
    spell = f"[{int(seconds)}s]"
    up = prometheus.query(f'min_over_time(up{{job="genscope"}}{spell})')
    slowest = prometheus.query(f'max_over_time(scrape_duration_seconds{{job="genscope"}}{spell})')
    findings.add(up and up[0][1] == 1, f"Prometheus: up {up[0][1] if up else 'never'} at worst, its slowest scrape "
                 f"{1e3 * slowest[0][1] if slowest else 0:.0f} ms")


def judge_end(findings, exporter, keeper):
    before = patched(keeper.pid)
    exporter.signal(signal.SIGTERM)
    try:
        status = exporter.finish(60)
    except Timeout:
        status = "none within 60 s"
    findings.add(status == 0, f"status at the end: {status}")
    deadline = time.monotonic() + 10
    while patched(keeper.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    findings.add(before > 10 and not patched(keeper.pid),
                 f"breakpoints in a process that lives on: {before} before, {patched(keeper.pid)} after")
    reports = [line for line in exporter.err if any(report in line for report in REPORTS)]
    findings.add(not reports, f"reports of sanitizers: {len(reports)}")
    if findings.failed:
        print("".join(exporter.err)[-20000:], file=sys.stderr)


def soak(args, group, folder, stack):
    found = interps.load(args.interpreters)
    stack.enter_context(interps.Homes(found))
    nursery, findings = Nursery(found, group), Findings()
    stack.callback(nursery.empty, 0)
    plain = next((interp for interp in found if not interp.root and interp.kind != "debug"), found[0])
    keeper = stack.enter_context(Target(plain, "churned.py", "keeper", *FAREWELLS))
    cgroups.enter(group, keeper.ready())
    exporter = stack.enter_context(Exporter(args.genscope, "--cgroup", group, "--label", "soak=*churned.py*",
                                            "--max-overhead", OVERHEAD, *(["--keep-privileges"] if args.sanitized else [])))
    prometheus = stack.enter_context(Prometheus(exporter.url, folder))
    prometheus.until('up{job="genscope"}', lambda rows: rows and rows[0][1] == 1)
    keeper.say()
    keeper.await_line(keeper.out_queue, "kept", 20)
    for interp in found:    # what is kept of each interpreter's file is no leak
        nursery.bear(interp, "returns", LIFE_SECONDS[0])
    nursery.empty()
    base = settled(exporter, None)
    start = time.monotonic()
    samples = churn(exporter, nursery, args.seconds)
    last = settled(exporter, base)
    findings.told(f"{nursery.born} processes of {len(found)} interpreters in {time.monotonic() - start:.0f} s")
    findings.add(not nursery.wrong, f"processes that ended otherwise than they should: {nursery.wrong or 'none'}")
    judge_page(findings, base, samples, last, nursery)
    judge_memory(findings, samples, args.sanitized)
    judge_scrapes(findings, prometheus, time.monotonic() - start)
    judge_end(findings, exporter, keeper)
    return 1 if findings.failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genscope", default="build/genscope")
    parser.add_argument("--interpreters", required=True, metavar="FILE")
    parser.add_argument("--seconds", type=float, default=600, metavar="N", help="of churn (default: %(default)s)")
    parser.add_argument("--sanitized", action="store_true",
                        help="this genscope was built with ASan: it stays root, since LeakSanitizer has to look into it; RSS is "
                        "told and not judged")
    args = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("a soak needs root")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with contextlib.ExitStack() as stack:
        group = stack.enter_context(control_group())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="genscope-soak-"))
        return soak(args, group, folder, stack)


if __name__ == "__main__":
    sys.exit(main())
