# SPDX-License-Identifier: MIT
"""Rounds of one target, watched and unwatched in turns, so that what else the machine does cancels.

Each watched round is compared with the unwatched ones right before and right after it.
"""
import statistics
import tempfile
import time

import bpftime
from modes import Floor, Missing
from target import Target

FLOOR_SECONDS = 0.4     # of the processor, a round at the floor's cost, at most
PLAIN_SECONDS = 0.02    # unwatched rounds that are shorter are repeated


class Scene:
    """What a mode is started on."""

    def __init__(self, bench, target, sites, folder):
        self.genscope, self.floor, self.folder, self.target = bench.genscope, bench.floor, folder, target
        self.path, self.offsets, self.slots = sites.path, sites.offsets, sites.slots
        self.share, self.floor_hits, self.plain_turns = 0.1, None, 1

    def round(self, command="plain"):
        told = self.target.round(f"{command} {self.share}")
        if "missing" in told:
            raise Missing(told["missing"])
        return told


def rounds(scene, command, count):
    """What the last round told, with the mean seconds of all."""
    told = [scene.round(command) for _ in range(count)]
    return {**told[-1], **{clock: statistics.mean(one[clock] for one in told) for clock in ("seconds", "cpu_seconds")}}


def unwatched(scene):
    return rounds(scene, "plain", scene.plain_turns)


def watched(mode, scene):
    """One watched measurement: seconds a round, and all that is known of it. Counts are those of a round; cpu, of the
    tool, is that of all turns."""
    watch = mode.start(scene)
    try:
        told = rounds(scene, mode.command, mode.turns)
    except BaseException:
        if watch:
            watch.process.kill()
        raise
    saw = mode.end(watch, scene)
    if "calls" in told:
        saw["hits"] = told["calls"]
    for key in ("hits", "events", "stepped_hits", "resumes"):
        if saw.get(key) is not None:
            saw[key] /= mode.turns
    return {"traced": told["seconds"], "traced_cpu": told["cpu_seconds"], "turns": mode.turns,
            "transitions": told["transitions"], "true_resumes": told["resumes"], **saw}


def control_of(mode, scene, times):
    """Processor seconds of a watch during which nothing happens."""
    costs = []
    for _ in range(times):
        watch = mode.start(scene)
        cost = mode.end(watch, scene).get("cpu") if watch else None
        if cost is None:
            return None
        costs.append(cost)
    return statistics.median(costs)


def settle(scene):
    """As much work a round as traps allow here, today; how often the sites are hit in it."""
    counting = Floor("count", "count")
    try:
        scene.round()       # the interpreter specialises its code
        small = watched(counting, scene)
        scene.share = min(1.0, max(0.02, scene.share * FLOOR_SECONDS / small["traced_cpu"]))
        scene.floor_hits = watched(counting, scene)["hits"]
    except Missing:
        scene.floor_hits = None
    scene.plain_turns = min(20, 1 + int(PLAIN_SECONDS / scene.round()["seconds"]))


class Results:
    """Of each mode its samples, or why it is missing; what the BPF programs took; what a tool takes for nothing."""

    def __init__(self):
        self.samples, self.missing, self.bpf, self.control = {}, {}, {}, {}


def sweep(modes, scene, results):
    """Every mode once, between unwatched rounds."""
    before = unwatched(scene)
    for mode in modes:
        if mode.name in results.missing:
            continue
        try:
            sample = watched(mode, scene)
        except Missing as why:
            results.missing[mode.name] = str(why)
            continue
        after = unwatched(scene)
        sample["untraced"] = (before["seconds"] + after["seconds"]) / 2
        sample["untraced_cpu"] = (before["cpu_seconds"] + after["cpu_seconds"]) / 2
        results.samples.setdefault(mode.name, []).append(sample)
        before = after


def by_the_kernel(modes, scene, results):
    """What the BPF programs take by the kernel's clock; needs no pairs."""
    for mode in modes:
        if mode.name in results.missing or not mode.has_bpf:
            continue
        try:
            results.bpf[mode.name] = bpftime.measure(mode, scene)
        except Missing as why:
            results.bpf[mode.name] = {"missing": str(why)}


def controls(modes, scene, results, times):
    for mode in modes:
        if mode.name in results.missing or mode.name in results.control:
            continue
        try:
            results.control[mode.name] = control_of(mode, scene, times)
        except Missing:
            pass


def compare(bench, where, sites, workload, modes, known, seconds):
    """One workload in one interpreter, by all modes. known: the Results of the workload before, or None: its controls
    are not measured again, nor what was missing. Pairs end early when the seconds are over."""
    results, end = Results(), time.monotonic() + seconds
    if known:
        results.control = dict(known.control)
        results.missing = {name: why for name, why in known.missing.items() if name not in known.samples}
    target = Target(*where, "workloads.py", workload)
    try:
        with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
            scene = Scene(bench, target, sites, folder)
            settle(scene)
            for turn in range(bench.pairs):
                sweep(modes if turn % 2 == 0 else modes[::-1], scene, results)
                if time.monotonic() > end:
                    break
            controls(modes, scene, results, bench.pairs)
            by_the_kernel(modes, scene, results)
    finally:
        target.kill()
    return results
