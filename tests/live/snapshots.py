# SPDX-License-Identifier: MIT
"""`genscope ps --json`: running it, what must hold in every snapshot, and holding one against the truth."""

import json
import os
import re
import subprocess
import time

from harness import Failure, check

KINDS = {"generator": "GEN_", "coroutine": "CORO_", "async_generator": "AGEN_"}
STATES = ("CREATED", "RUNNING", "SUSPENDED", "CLOSED")
FIELDS = {"pid": int, "kind": str, "state": str, "gen": str, "id": int, "name": str, "qualname": str, "file": str,
          "firstlineno": int}
OPTIONAL = {"line": int, "awaiting": (str, dict), "awaited_by": str, "task": str, "thread": str, "age_ns": int}
COUNTS = ("pid", "objects", "shown", "tasks", "interpreters", "unreadable", "retries", "broken_lists", "bytes_read",
          "duration_ns")
ADDRESS = re.compile("0x[0-9a-f]+")
SECRET = re.compile("password|passwd|secret|token|api_?key|authorization|cookie|credential", re.IGNORECASE)
COMPARED = ("kind", "state", "name", "qualname", "file", "firstlineno", "line", "awaiting", "task")
SHAPE = ("pid", "kind", "state", "name", "qualname", "file", "firstlineno", "line", "task", "thread", "age_ns")
TIMEOUT = 60


class Snapshot:
    """What one `ps --json` wrote of one process. `fresh` are the objects whose like was not seen before."""

    def __init__(self, objects, summary, fresh, ids):
        self.objects, self.summary, self.fresh, self.ids = objects, summary, fresh, ids
        self.by_gen = {item["gen"]: item for item in objects if item["type"] == "object"}

    @property
    def pid(self):
        return self.summary["pid"]


def run(ctx, *words, timeout=TIMEOUT, **kwargs):
    """`genscope ps`, whatever comes of it."""
    return subprocess.run([ctx.genscope, "ps", *map(str, words)], capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, check=False, **kwargs)


def text(ctx, *words):
    """What it writes for people; it must end well and complain of nothing."""
    done = run(ctx, *words)
    what = f"ps {' '.join(map(str, words))}"
    check(done.returncode == 0, f"{what}: status {done.returncode}: {done.stderr.strip()[:300]}")
    check(not done.stderr, f"{what}: on standard error: {done.stderr.strip()[:300]}")
    return done.stdout


def load(line, number):
    try:
        return json.loads(line)
    except ValueError as error:
        raise Failure(f"line {number} is no JSON ({error}): {line[:200]!r}") from None


def parse(shown, known=None):
    """[Snapshot], each of them sound.

    `known` keeps what was read of earlier snapshots: a line that differs in its id only needs no second look.
    """
    found, objects, fresh, ids = [], [], [], []
    known = {} if known is None else known
    for number, line in enumerate(shown.split("\n")[:-1], 1):  # names may hold what splitlines() takes for an end
        head, _, rest = line.partition(',"id":')
        ident, _, tail = rest.partition(",")
        old = known.get((head, tail))
        if old is not None and ident.isdigit():
            objects.append(old)
            ids.append(int(ident))
            continue
        item = load(line, number)
        if item.get("type") in ("object", "group"):
            objects.append(item)
            fresh.append(item)
            ids.append(item.get("id"))
            if rest:
                known[head, tail] = item
        elif item.get("type") == "summary":
            found.append(Snapshot(objects, item, fresh, ids))
            objects, fresh, ids = [], [], []
        else:
            raise Failure(f"line {number} has the type {item.get('type')!r}")
    check(not objects, "the last line is no summary")
    for snapshot in found:
        problems = list(unsound(snapshot))
        check(not problems, "\n".join(problems[:5]))
    return found


def take(ctx, pid, *options, known=None):
    """The snapshot of one process."""
    found = parse(text(ctx, "--json", "-p", pid, *options), known)
    check(len(found) == 1 and found[0].pid == pid, f"summaries of {[item.pid for item in found]}, expected {pid}")
    return found[0]


def stat_fields(path):
    """Those behind the name, which may hold anything."""
    with open(path, encoding="utf-8", errors="replace") as stat:
        return stat.read().rpartition(")")[2].split()


def state_of(pid):
    """As ps(1) has it; X: there is no such process."""
    try:
        return stat_fields(f"/proc/{pid}/stat")[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def thread_states(pid):
    """(state, user time, system time) of each thread. One that ends meanwhile is left out."""
    for tid in os.listdir(f"/proc/{pid}/task"):
        try:
            fields = stat_fields(f"/proc/{pid}/task/{tid}/stat")
        except (FileNotFoundError, ProcessLookupError):  # before it was opened, before it was read
            continue
        yield fields[0], fields[11], fields[12]


def settle(pid, timeout=TIMEOUT):
    """Wait until every thread of the process sleeps, and none has run for a while."""
    deadline, before = time.monotonic() + timeout, None
    while time.monotonic() < deadline:
        now = sorted(thread_states(pid))
        if now == before and {state for state, _, _ in now} == {"S"}:
            return
        before = now
        time.sleep(0.01)
    raise Failure(f"pid {pid} does not come to rest: {before}")


# What holds of every snapshot

def unsound(snapshot):
    yield from bad_summary(snapshot)
    grouped = any(item["type"] == "group" for item in snapshot.objects)
    if grouped:
        return
    sound = set()  # many objects differ in their addresses only
    for item in snapshot.fresh:
        key = shape(item)
        if key in sound and ADDRESS.fullmatch(item["gen"]):
            continue
        problems = list(bad_object(item, snapshot))
        yield from problems
        if not problems:
            sound.add(key)
    if len(set(snapshot.ids)) != len(snapshot.objects):
        yield "the same id comes twice"
    if len(snapshot.by_gen) != len(snapshot.objects):
        yield from twice(snapshot)


def twice(snapshot):
    first = {}
    for item in snapshot.objects:
        other = first.setdefault(item["gen"], item)
        if other is not item:
            yield f"the same gen comes twice: {other} and {item}; {snapshot.summary}"


def bad_summary(snapshot):
    summary = snapshot.summary
    for name in COUNTS:
        if type(summary.get(name)) is not int and not (name == "tasks" and summary.get(name, 0) is None):
            yield f"summary: {name} is {summary.get(name)!r}"
    states = summary.get("by_state", {})
    if {prefix + state for prefix in KINDS.values() for state in STATES} < set(states):
        yield f"summary: by_state has {sorted(states)}"
    shown = sum(item.get("count", 1) for item in snapshot.objects)
    if summary.get("shown") != shown or sum(states.values()) != shown:
        yield f"summary: shown {summary.get('shown')}, by_state has {sum(states.values())}, there are {shown}"
    if summary.get("objects", 0) < shown:
        yield f"summary: {summary.get('objects')} objects, {shown} shown"


def shape(item):
    """All that bad_object() looks at, but for the digits of addresses."""
    kinds = [type(item.get(name, 0.5)) for name in ("gen", "id", "awaiting", "awaited_by")]
    return tuple([item.get(name, 0.5) for name in SHAPE] + kinds + [bool(item.get("locals"))])


def bad_object(item, snapshot):
    who = f"{item.get('gen')} {item.get('qualname')}"
    for name, kind in FIELDS.items():
        if type(item.get(name)) is not kind:
            yield f"{who}: {name} is {item.get(name)!r}"
    for name, kind in OPTIONAL.items():
        if item.get(name, 0) is not None and not isinstance(item.get(name, 0.5), kind):
            yield f"{who}: {name} is {item.get(name, 'missing')!r}"
    prefix, _, state = item["state"].partition("_")
    if KINDS.get(item["kind"]) != prefix + "_" or state not in STATES:
        yield f"{who}: a {item['kind']} in the state {item['state']}"
    if not ADDRESS.fullmatch(item["gen"]) or item["pid"] != snapshot.pid:
        yield f"{who}: gen or pid {item['pid']}"
    if state == "CLOSED" and (item["line"] is not None or item["awaiting"] is not None or item.get("locals")):
        yield f"{who}: closed, with line {item['line']}, awaiting {item['awaiting']}, locals {item.get('locals')}"
    if item["thread"] is not None and state != "RUNNING":
        yield f"{who}: {item['state']} on thread {item['thread']}"


# The truth

def load_truth(path):
    """What the target wrote, the files of its sub-interpreters included."""
    with open(path, encoding="ascii") as told:
        truth = json.load(told)
    for number in range(1, 100):
        try:
            with open(f"{path}.{number}", encoding="ascii") as told:
                more = json.load(told)
        except FileNotFoundError:
            return truth
        for key, value in more.items():
            truth[key] += value


def awaiters(truth):
    """gen -> those that may stand as its awaited_by: who awaits it, else who awaits its task."""
    direct, by_task = {}, {}
    for item in truth["objects"]:
        awaiting = item["awaiting"]
        if isinstance(awaiting, str):
            direct.setdefault(awaiting, set()).add(item["gen"])
        elif awaiting and awaiting.get("gen"):
            by_task.setdefault(awaiting["gen"], set()).add(item["gen"])
    return {**by_task, **direct}


def difference(want, got, names):
    """The first field that differs, as text; names maps tid to the name of a thread."""
    for field in COMPARED:
        if want[field] != got[field]:
            return f"{field} expected {want[field]!r}, got {got[field]!r}"
    thread = None if want["tid"] is None else names.get(want["tid"])
    if got["thread"] != thread:
        return f"thread expected {thread!r} (tid {want['tid']}), got {got['thread']!r}"
    return None


def local_difference(want, got, redact=False):
    """The same for the variables."""
    if want["state"].endswith("CLOSED"):
        return None if not got["locals"] else f"closed, with locals {got['locals']}"
    if set(want["locals"]) != set(got["locals"]):
        return f"locals expected {sorted(want['locals'])}, got {sorted(got['locals'])}"
    for name, value in want["locals"].items():
        if redact and SECRET.search(name):
            value = {"type": value["type"], "redacted": True}
        if got["locals"][name] != value:
            return f"local {name}: expected {shown(value)}, got {shown(got['locals'][name])}"
    return None


def shown(value):
    line = json.dumps(value)
    return line if len(line) < 600 else line[:400] + " … " + line[-150:]


def whose(want):
    return f"{want['group']}: {want['gen']} {want['state']} {want['qualname']}:{want['line']}"


def compare(truth, snapshot, differ):
    """group -> texts of what differs, for the objects that are in both."""
    found = {}
    for want in truth["objects"]:
        got = snapshot.by_gen.get(want["gen"])
        text_of = got and differ(want, got)
        if text_of:
            found.setdefault(want["group"], []).append(f"{whose(want)}: {text_of}")
    return found


def set_difference(truth, snapshot):
    """Objects that are missing, and ones that are invented."""
    wanted = {item["gen"]: item for item in truth["objects"]}
    missing = [f"missing: {whose(item)}" for gen, item in wanted.items() if gen not in snapshot.by_gen]
    invented = [f"invented: {gen} {item['state']} {item['qualname']} {item['file']}:{item['line']}"
                for gen, item in snapshot.by_gen.items() if gen not in wanted]
    return missing + invented


def some(texts, number=5):
    """A failure's text, not too long."""
    more = f"\n… and {len(texts) - number} more" if len(texts) > number else ""
    return "\n".join(texts[:number]) + more


def fail_if(texts):
    if texts:
        raise Failure(some(texts))
