# SPDX-License-Identifier: MIT
"""`ps` against `inspect`: a process with objects of every state, kind and shape, compared one by one.

The first snapshot is taken before the target has looked at its own objects (looking makes frame objects), the
others after it; all are of the same quiet moment.
"""

import os
from collections import Counter

import snapshots
from harness import Result, check, equal, guard
from procs import Target
from snapshots import fail_if, settle

SEEDS = 12
SEEDS_OF_ONE = 100  # on one interpreter of each version
DEFAULT = (2, 16, 128)
LIMITS = ((1, 3, 10), (6, 2000, 200000))
GROUPS = ("generators", "coroutines", "async_generators", "random", "values", "variables", "running", "main", "tasks",
          "stopped", "busy", "sub-interpreter", "runtime")
SOUND = ("unreadable", "broken_lists", "retries")


class Scene:
    """One target that stands still: its truths, and snapshots of it."""

    def __init__(self, ctx, interp):
        self.ctx, self.interp = ctx, interp
        self.host, self.inside = interp.scratch()
        self.truths, self.shots, self.threads = {}, {}, {}

    def open(self):
        seeds = range(SEEDS_OF_ONE if self.interp is self.ctx.fastest(self.interp.version) else SEEDS)
        with Target(self.interp, "parked.py", *map(str, seeds)) as target:
            self.pid = target.ready(60)
            settle(self.pid)
            self.read_threads()
            self.shoot("untouched", "--locals", "--no-redact")
            for number, limits in enumerate((DEFAULT, *LIMITS)):
                self.tell(target, number, limits)
            self.shoot("default", "--locals")
            self.shoot("touched", "--locals", "--no-redact")
            for number, limits in enumerate(LIMITS, 1):
                words = [word for pair in zip(("--max-depth", "--max-items", "--max-string"), limits) for word in pair]
                self.shoot(f"limits {number}", "--locals", "--no-redact", *words)
            self.shoot("frozen", "--freeze")
        return self

    def tell(self, target, number, limits):
        name = f"truth-{number}"
        target.say(f"{self.inside}/{name} {' '.join(map(str, limits))}\n")
        target.await_line(target.out_queue, "told", 60)
        settle(self.pid)
        self.truths[number] = snapshots.load_truth(os.path.join(self.host, name))

    def shoot(self, name, *options):
        self.shots[name] = snapshots.take(self.ctx, self.pid, *options)

    def read_threads(self):
        for tid in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{tid}/comm", encoding="utf-8") as comm:
                self.threads[int(tid)] = comm.read().rstrip("\n")

    @property
    def truth(self):
        return self.truths[0]

    def differ(self, want, got):
        return snapshots.difference(want, got, self.threads)


def the_set(scene):
    """No object missing, none invented."""
    check(len(scene.truth["objects"]) > 1000, "the target has few objects: the test cannot fail")
    equal("groups that no test compares", set(), {item["group"] for item in scene.truth["objects"]} - set(GROUPS))
    for name, shot in scene.shots.items():
        fail_if([f"{name}: {text}" for text in snapshots.set_difference(scene.truth, shot)])


def of_group(group):
    def test(scene):
        """State, place, names, what it awaits, task, thread; and the variables."""
        check(any(item["group"] == group for item in scene.truth["objects"]), f"the target has no {group}")
        for name, shot in scene.shots.items():
            fail_if([f"{name}: {text}" for text in
                     snapshots.compare(scene.truth, shot, scene.differ).get(group, ())])
        for name in ("untouched", "touched"):
            fail_if([f"{name}: {text}" for text in snapshots.compare(
                scene.truth, scene.shots[name], snapshots.local_difference).get(group, ())])
    return test


def states(scene):
    """Every kind in every state was there to be compared, and the summary counts them."""
    told = Counter(item["state"] for item in scene.truth["objects"])
    for kind, prefix in snapshots.KINDS.items():
        for state in snapshots.STATES:
            check(told[prefix + state], f"no {kind} is {state}: the test cannot fail")
    for name, shot in scene.shots.items():
        got = {state: count for state, count in shot.summary["by_state"].items() if count}
        equal(f"{name}: by_state", dict(told), got)


def limits(scene):
    """Values within other limits than the default ones."""
    for number in range(1, len(LIMITS) + 1):
        found = snapshots.compare(scene.truths[number], scene.shots[f"limits {number}"], snapshots.local_difference)
        fail_if([f"limits {LIMITS[number - 1]}: {text}" for texts in found.values() for text in texts])


def redaction(scene):
    """Secrets are hidden by default, and only they."""
    names = {name for item in scene.truth["objects"] for name in item["locals"] if snapshots.SECRET.search(name)}
    check(len(names) >= 8, f"few names are secret: {names}")
    found = snapshots.compare(scene.truth, scene.shots["default"],
                              lambda want, got: snapshots.local_difference(want, got, redact=True))
    fail_if([text for texts in found.values() for text in texts])


def no_locals(scene):
    fail_if([f"{item['gen']} has locals" for item in scene.shots["frozen"].objects if "locals" in item])


def awaited_by(scene):
    known = snapshots.awaiters(scene.truth)
    check(len(known) > 100, "few await each other: the test cannot fail")
    for name, shot in scene.shots.items():
        fail_if([f"{name}: {snapshots.whose(want)}: awaited_by expected one of {known.get(want['gen'])}, got "
                 f"{shot.by_gen[want['gen']]['awaited_by']}" for want in scene.truth["objects"]
                 if want["gen"] in shot.by_gen and
                 shot.by_gen[want["gen"]]["awaited_by"] not in known.get(want["gen"], {None})])


def task_names(scene):
    """Each task, its name, and the chain of what it waits for, as asyncio.all_tasks() in the target has it."""
    check(len(scene.truth["tasks"]) > 40, "few tasks: the test cannot fail")
    for name, shot in scene.shots.items():
        texts = []
        for task in scene.truth["tasks"]:
            for gen in task["chain"]:
                got = shot.by_gen.get(gen, {})
                if got.get("task") != task["name"]:
                    texts.append(f"{name}: task {task['name']!r}: {gen} {got.get('qualname')} has {got.get('task')!r}")
        chains = {gen for task in scene.truth["tasks"] for gen in task["chain"]}
        texts += [f"{name}: {item['gen']} {item['qualname']}: in no task, but has {item['task']!r}"
                  for item in shot.objects if item["task"] is not None and item["gen"] not in chains]
        fail_if(texts)
        equal(f"{name}: tasks in the summary", len(scene.truth["tasks"]), shot.summary["tasks"])


def summary(scene):
    for name, shot in scene.shots.items():
        equal(f"{name}: objects", len(scene.truth["objects"]), shot.summary["objects"])
        equal(f"{name}: interpreters", scene.truth["interpreters"], shot.summary["interpreters"])
        for what in SOUND:
            equal(f"{name}: {what}, of a process that stands still", 0, shot.summary[what])
        if name == "frozen":
            check(shot.summary["frozen_ns"] > 0, f"frozen_ns is {shot.summary['frozen_ns']}")
        else:
            equal(f"{name}: frozen_ns", None, shot.summary["frozen_ns"])


TESTS = {"set": the_set, "states": states, **{f"of_{group}": of_group(group) for group in GROUPS}, "limits": limits,
         "redaction": redaction, "no_locals": no_locals, "awaited_by": awaited_by, "task_names": task_names,
         "summary": summary}


def run(ctx, interp):
    wanted = [name for name in TESTS if ctx.wanted(f"{interp.label} ps.{name}")]
    if not wanted:
        return
    scene = Scene(ctx, interp)
    opened = guard(interp.label, "ps.scene", scene.open)
    yield opened
    for name in wanted:
        if opened.status == "ok":
            yield guard(interp.label, f"ps.{name}", lambda: TESTS[name](scene))
        else:
            yield Result(interp.label, f"ps.{name}", "FAIL", "there is no scene")
