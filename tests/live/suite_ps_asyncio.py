# SPDX-License-Identifier: MIT
"""`ps` against `python -m asyncio ps` and `pstree` (3.14 on): same tasks, same stacks, same family."""

import re
import subprocess
from collections import Counter

import snapshots
from harness import check, equal, guard
from procs import Process

SINCE = 14
UTF8 = {"LC_ALL": "C.UTF-8"}
CALLS = r"\S+(?: -> \S+)*"
# The columns of `asyncio ps` are padded, not cut: 10 tid, 20 id, 20 name, 50 stack, 50 awaiter's stack, 15 its name, 15
# its id.
ROW = re.compile(rf"\d+ +0x[0-9a-f]+ +(?P<rest>.*?) +(?P<id>0x[0-9a-f]+) *")
NAME_AT, NAME_END = 32, 53
STACKS = re.compile(rf"(?P<stack>{CALLS}) +(?P<chain>{CALLS}) +(?P<awaiter>.+)")
NODE = re.compile(r"(?P<lead>[│├└─ ]*)(?P<label>.*?)(?: +× (?P<times>\d[\d\u202f\u00a0 ]*?))?"
                  r"(?P<again> \(shown elsewhere\))?(?: +(?P<kind>task|coro|gen|agen)(?: .*)?)?")


class Family:
    """The target, in a mount namespace with a /proc of its own if it has another root; and what asyncio says of it."""

    def __init__(self, ctx, interp):
        self.ctx, self.interp, self.said = ctx, interp, {}

    def open(self):
        command = self.interp.command("parked_family.py")
        if self.interp.root:
            mount = 'mount -t proc proc "$0/proc" && exec "$@"'
            command = ["unshare", "-m", "sh", "-c", mount, self.interp.root, *command]
        with Process(command) as target:
            self.pid = int(target.await_line(target.out_queue, "ready ", 60).split()[1])
            snapshots.settle(self.pid)
            for name in ("ps", "pstree"):
                self.said[name] = self.asyncio(name)
            self.shot = snapshots.take(self.ctx, self.pid)
            done = snapshots.run(self.ctx, "--tree", "-p", self.pid, env=UTF8)
            equal("status of ps --tree", 0, done.returncode)
            self.tree = done.stdout
        return self

    def asyncio(self, name):
        enter = ["nsenter", "-t", str(self.pid), "-m", "chroot", self.interp.root] if self.interp.root else []
        done = subprocess.run([*enter, self.interp.path, "-m", "asyncio", name, str(self.pid)], capture_output=True,
                              text=True, timeout=60, check=False)
        check(done.returncode == 0, f"asyncio {name}: {(done.stderr or done.stdout)[-300:]}")
        return done.stdout


def table(text):
    """{(name, stack, awaiter's stack, its name)} of `asyncio ps`."""
    rows = set()
    for line in text.splitlines()[2:]:
        match = ROW.fullmatch(line)
        check(match, f"asyncio ps: {line!r} is no row")
        name, rest = line[NAME_AT:NAME_END].strip(), line[NAME_END:match.end("rest")].strip()
        if match["id"] == "0x0":
            check(re.fullmatch(CALLS, rest), f"asyncio ps: {line!r} has no stack")
            rows.add((name, rest, "", ""))
            continue
        stacks = STACKS.fullmatch(rest)
        check(stacks, f"asyncio ps: {line!r} has no two stacks")
        rows.add((name, stacks["stack"], stacks["chain"], stacks["awaiter"].strip()))
    return rows


def stacks_of(shot):
    """[(task, stack)] of a snapshot, innermost first."""
    out = []
    for item in shot.objects:
        outer = shot.by_gen.get(item["awaited_by"])
        inner = outer is not None and outer["awaiting"] == item["gen"] and outer["task"] == item["task"]
        if item["task"] is None or inner:
            continue
        names, at = [], item
        while at is not None:
            names.append(at["qualname"])
            at = shot.by_gen.get(at["awaiting"]) if isinstance(at["awaiting"], str) else None
        out.append((item, " -> ".join(reversed(names))))
    return out


def asyncio_ps(family):
    """Same tasks, same stacks; and who awaits a task directly, asyncio knows too."""
    rows = table(family.said["ps"])
    check(len(rows) > 40, f"asyncio ps shows {len(rows)} rows: the test cannot fail")
    told = {(name, stack) for name, stack, _, _ in rows}
    found = stacks_of(family.shot)
    got = {(item["task"], stack) for item, stack in found}
    snapshots.fail_if([f"asyncio ps has it, ps has not: {row}" for row in sorted(told - got)] +
                      [f"ps has it, asyncio ps has not: {row}" for row in sorted(got - told)])
    direct = 0
    for item, stack in found:
        if item["awaited_by"] is not None:
            direct += 1
            awaiter = family.shot.by_gen[item["awaited_by"]]["task"]
            check((item["task"], stack, awaiter) in {(row[0], row[1], row[3]) for row in rows},
                  f"ps: {item['task']} is awaited by {awaiter}; asyncio ps does not say so")
    check(direct, "no task is awaited directly: the test cannot fail")


def children(lines):
    """parent task -> {child task: how many}; lines are (depth, task's name or None, how many)."""
    family, above = {}, []
    for depth, name, times in lines:
        while above and above[-1][0] >= depth:
            above.pop()
        if name is not None:
            family.setdefault(above[-1][1] if above else None, Counter())[name] += times
            above.append((depth, name))
    return family


def of_pstree(text):
    for line in text.splitlines():
        lead, mark, name = line.partition("(T) ")
        yield (len(lead), name.strip(), 1) if mark else (len(line), None, 1)


def of_tree(text, names):
    for line in text.split("\n\n")[0].splitlines()[1:]:
        node = NODE.fullmatch(line)
        label = node["label"].strip()
        task = node["kind"] == "task" or node["again"] and label in names
        yield len(node["lead"]), label if task else None, int(node["times"] or 1)


def asyncio_pstree(family):
    """The same family: every task stands below those that await it."""
    told = children(of_pstree(family.said["pstree"]))
    names = {name for kids in told.values() for name in kids}
    got = children(of_tree(family.tree, names))
    check(sum(len(kids) for parent, kids in told.items() if parent) >= 10, "few tasks await each other in pstree")
    for parent, kids in told.items():
        mine = got.get(parent, Counter())
        # Equal branches are one line: `first … last × how many`.
        listed = {name for label in mine for name in label.split(" … ")}
        equal(f"tasks that {parent or 'nobody'} awaits", (sum(kids.values()), set()),
              (sum(mine.values()), listed - set(kids)))
    equal("those who await tasks", sorted(map(str, told)), sorted(map(str, got)))


TESTS = {"asyncio_ps": asyncio_ps, "asyncio_pstree": asyncio_pstree}


def run(ctx, interp):
    wanted = [name for name in TESTS if ctx.wanted(f"{interp.label} ps.{name}")]
    if not wanted or interp.minor < SINCE:
        return
    family = Family(ctx, interp)
    opened = guard(interp.label, "ps.family", family.open)
    yield opened
    for name in wanted if opened.status == "ok" else ():
        yield guard(interp.label, f"ps.{name}", lambda: TESTS[name](family))
