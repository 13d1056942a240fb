# SPDX-License-Identifier: MIT
"""The words of `ps`: what it refuses and how, filters, views and outputs."""

import fnmatch
import json
import os
import re
import signal
import subprocess
from collections import Counter

import snapshots
from harness import Skip, check, equal, guard, until
from procs import Process, Target
from suite_errors import NOBODY, PYENV, fails, free_pid

NUMBER = 10_000
CROWD = 300_000  # objects: reading them takes a while
HANG = 60        # seconds
SCREEN = 60
PLACE = ("kind", "state", "name", "qualname", "file", "firstlineno", "line")


def no_target(ctx):
    fails(ctx, ["ps", "-p", str(free_pid())], (3,), str(free_pid()))
    fails(ctx, ["ps", "-x", "/no/such/file"], (3,), "/no/such/file")
    fails(ctx, ["ps", "--cgroup", "/no/such/cgroup"], (3,), "/no/such/cgroup")
    with Process(["sleep", "100"]) as sleeper:
        until("sleep to begin", lambda: os.readlink(f"/proc/{sleeper.pid}/exe") != os.readlink("/proc/self/exe"))
        for options in ((), ("--json",), ("--freeze",), ("--group",)):
            fails(ctx, ["ps", *options, "-p", str(sleeper.pid)], (3,), str(sleeper.pid))


def a_zombie(ctx):
    with Process(["true"]) as process:
        until("true to end", lambda: snapshots.state_of(process.pid) == "Z")
        fails(ctx, ["ps", "-p", str(process.pid)], (3,), str(process.pid))


def old_python(ctx):
    found = [f"{PYENV}/versions/{name}/bin/python3" for name in sorted(os.listdir(f"{PYENV}/versions"))
             if re.match(r"3\.([0-9]|10)\.", name)] if os.path.isdir(f"{PYENV}/versions") else []
    if not found:
        raise Skip("no pyenv python before 3.11")
    for path in found:
        with Process([path, "-c", "import time; print('up', flush=True); time.sleep(100)"]) as old:
            old.await_line(old.out_queue, "up", HANG)
            fails(ctx, ["ps", "-p", str(old.pid)], (4,))


def usage(ctx):
    for words in (["ps"], ["ps", "--", "true"], ["ps", "-p", "1", "--", "true"], ["ps", "-a", "extra"],
                  ["ps", "-p", "x"],
                  ["ps", "-p", "0"], ["ps", "-a", "-s", "asleep"], ["ps", "-a", "-s", ""],
                  ["ps", "-a", "-s", "created,"],
                  ["ps", "-a", "-s", "GEN"], ["ps", "-a", "-k", "wizard"], ["ps", "-a", "-f", "[a"],
                  ["ps", "-a", "-F", ""],
                  ["ps", "-a", "--max-depth", "many"], ["ps", "-a", "--max-items", "-1"],
                  ["ps", "-a", "--max-string", ""],
                  ["ps", "-a", "--color", "pink"], ["ps", "-a", "--tree", "--group"], ["ps", "-a", "--wonder"],
                  ["ps", "-a", "-d", "1s"], ["ps", "-a", "-n", "5"]):
        fails(ctx, words, (2,))


def help_text(ctx):
    shown = snapshots.text(ctx, "--help")
    for word in ("--pid", "--exe", "--cgroup", "--all", "--kind", "--function", "--file", "--state", "--tree",
                 "--group",
                 "--locals", "--no-redact", "--max-depth", "--max-items", "--max-string", "--freeze", "--output",
                 "--json",
                 "--color"):
        check(word in shown, f"{word} is not in ps --help")


def no_privilege(ctx):
    if subprocess.run([*NOBODY, "test", "-x", ctx.genscope], check=False).returncode:
        raise Skip(f"{ctx.genscope} is not reachable for other users")
    with Target(ctx.one, "spin.py") as target:
        pid = str(target.ready(HANG))
        for options in ((), ("--json",), ("--freeze",)):
            fails(ctx, ["ps", *options, "-p", pid], (5,), pid, prefix=NOBODY)


def output_fails(ctx):
    with Target(ctx.one, "parked_crowd.py", "100") as target:
        pid = str(target.ready(HANG))
        fails(ctx, ["ps", "-p", pid, "-o", "/no/such/folder/file"], (1, 2), "/no/such/folder/file")
        fails(ctx, ["ps", "--json", "-p", pid, "-o", "/dev/full"], (1,), "/dev/full")
        command = f"{ctx.genscope} ps --json -p {pid} | head -1; exit ${{PIPESTATUS[0]}}"
        with Process(["/bin/bash", "-c", command]) as tool:
            check(tool.finish(HANG) in (0, 1), f"a closed pipe: {tool.tell()}")
            check(len(tool.out) == 1 and "Traceback" not in tool.stderr(), f"a closed pipe: {tool.out[1:2]}")


# Views, on a process with ten thousand tasks

class Crowd:
    def __init__(self, ctx):
        self.target = Target(ctx.one, "parked_crowd.py", str(NUMBER))

    def __enter__(self):
        self.pid = self.target.ready(HANG)
        snapshots.settle(self.pid)
        return self.pid

    def __exit__(self, *exc):
        self.target.__exit__(*exc)


def places(shot):
    return Counter(tuple(item[name] for name in PLACE) for item in shot.objects)


def views(ctx):
    with Crowd(ctx) as pid:
        every = snapshots.take(ctx, pid)
        equal("tasks", NUMBER + 2, every.summary["tasks"])  # main's own, and the one with a name
        tree(ctx, pid, every)
        grouped(ctx, pid, every)
        table(ctx, pid, every)


def tree(ctx, pid, every):
    """Ten thousand tasks are one screen, and none is lost in it."""
    text = snapshots.text(ctx, "--tree", "-p", pid)
    check(text.count("\n") < SCREEN, f"the tree of {NUMBER} tasks has {text.count(chr(10))} lines")
    for word in ("request", "query", "waits_for", "Event.wait", "sleep", "the one", "Future pending"):
        check(word in text, f"{word!r} is not in the tree:\n{text[:500]}")
    counted = [int(re.sub(r"\D", "", match)) if match else 1
               for match in re.findall(r"^(?:\S[^\n]*?) {2,}(?:[×x] ?([\d\s.,\u202f]*\d))? *task", text, re.MULTILINE)]
    equal("tasks in the tree", every.summary["tasks"], sum(counted))


def grouped(ctx, pid, every):
    """--group sums what the snapshot has one by one."""
    lines = snapshots.parse(snapshots.text(ctx, "--group", "--json", "-p", pid))[0]
    got = Counter()
    for item in lines.objects:
        got[tuple(item[name] for name in PLACE)] += item["count"]
    equal("groups", places(every), got)
    equal("by_state", every.summary["by_state"], lines.summary["by_state"])
    counts = [item["count"] for item in lines.objects]
    equal("the order of groups", sorted(counts, reverse=True), counts)
    text = snapshots.text(ctx, "--group", "-p", pid)
    check(text.count("\n") < SCREEN, f"--group has {text.count(chr(10))} lines")
    some = snapshots.parse(snapshots.text(ctx, "--group", "--json", "-f", "query", "-p", pid))[0]
    equal("objects of query", sum(1 for item in every.objects if item["qualname"] == "query"),
          sum(item["count"] for item in some.objects))


def table(ctx, pid, every):
    text = snapshots.text(ctx, "-p", pid)
    lines = text.splitlines()
    check(len(every.objects) < len(lines) < len(every.objects) + 10,
          f"{len(lines)} lines for {len(every.objects)} objects")
    for word in ("waits_for", "SUSPENDED", "parked_crowd.py:", "Task-", "the one"):
        check(word in text, f"{word!r} is not in the table:\n{text[:500]}")
    check("\x1b" not in text, "colours in a pipe")


def without_times(text):
    """Two snapshots of a process at rest differ in how long they took and in how old things are: in digits, and in
    the unit of the former."""
    return re.sub(r"\d", "", re.sub(r"read in [\d.]+ (?:ns|us|µs|ms|s)\b", "read in no time", text))


def colors(ctx):
    with Target(ctx.one, "parked_crowd.py", "5") as target:
        pid = target.ready(HANG)
        snapshots.settle(pid)
        for view in ((), ("--tree",), ("--group",), ("--locals",)):
            words = [ctx.genscope, "ps", *view, "-p", str(pid)]
            forced = subprocess.run([*words, "--color=always"], capture_output=True, text=True, timeout=HANG, check=True)
            check("\x1b[" in forced.stdout, f"no colour with --color=always {view}")
            plain = subprocess.run([*words, "--color=never"], capture_output=True, text=True, timeout=HANG, check=True)
            equal(f"text without its colours {view}", without_times(plain.stdout),
                  without_times(re.sub("\x1b\\[[0-9;]*m", "", forced.stdout)))
            for name, env in (("a terminal", {}), ("NO_COLOR", {"NO_COLOR": "1"})):
                line = " ".join(words)
                shown = subprocess.run(["script", "-qec", line, "/dev/null"], capture_output=True, text=True,
                                       timeout=HANG,
                                       check=True, stdin=subprocess.DEVNULL,
                                       env={**os.environ, "TERM": "xterm", **env}).stdout
                equal(f"colours on {name} {view}", not env, "\x1b[3" in shown or "\x1b[1" in shown or "\x1b[2" in shown)


def locals_text(ctx):
    """Values are shown, secrets are not, and nothing of them can move the terminal's cursor."""
    with Target(ctx.one, "parked.py") as target:
        pid = target.ready(HANG)
        snapshots.settle(pid)
        text = snapshots.text(ctx, "--locals", "-p", pid)
        open_text = snapshots.text(ctx, "--locals", "--no-redact", "-p", pid)
        target.say("")
    for word in ("'p3'", "b'p5'", "'s1'"):
        check(word not in text, f"the secret {word} is shown")
        check(word in open_text, f"--no-redact does not show {word}")
    check("harmless" in text and "'shown'" in text, "what is no secret is not shown")
    control = re.search(r"[\x00-\x09\x0b-\x1f\x7f\x80-\x9f]", text + open_text + snapshots.text(ctx, "--help"))
    check(not control, f"a control character in the text: {control}")


# Filters and targets

def filters(ctx):
    with Target(ctx.one, "parked.py", "1", "2") as target:
        pid = target.ready(HANG)
        snapshots.settle(pid)
        every = snapshots.take(ctx, pid)
        for options, chosen in FILTERS.items():
            shot = snapshots.take(ctx, pid, *options)
            expected = {item["gen"] for item in every.objects if chosen(item)}
            check(0 < len(expected) < len(every.objects), f"{options} would take all or nothing: the test cannot fail")
            equal(f"{options}: objects", expected, set(shot.by_gen))
            equal(f"{options}: objects in all", every.summary["objects"], shot.summary["objects"])
            for item in shot.objects:  # links lead to what is not shown, too
                old = every.by_gen[item["gen"]]
                equal(f"{options}: links of {item['gen']}", (old["awaiting"], old["awaited_by"], old["task"]),
                      (item["awaiting"], item["awaited_by"], item["task"]))


def state_is(*names):
    return lambda item: item["state"] in names or item["state"].split("_")[1].lower() in names


FILTERS = {
    ("-k", "generator"): lambda item: item["kind"] == "generator",
    ("-k", "coroutine,async_generator"): lambda item: item["kind"] != "generator",
    ("-f", "count"): lambda item: item["qualname"] == "count",
    ("-f", "Counter.*"): lambda item: fnmatch.fnmatchcase(item["qualname"], "Counter.*"),
    ("-f", "[a-c]*n?"): lambda item: fnmatch.fnmatchcase(item["qualname"], "[a-c]*n?"),
    ("-F", "*/parked_coros.py"): lambda item: item["file"].endswith("/parked_coros.py"),
    ("-F", "<parked-*"): lambda item: item["file"].startswith("<parked-"),
    ("-s", "suspended"): state_is("suspended"),
    ("-s", "created,running"): state_is("created", "running"),
    ("-s", "AGEN_RUNNING"): state_is("AGEN_RUNNING"),
    ("-s", "closed", "-k", "coroutine"): lambda item: item["state"] == "CORO_CLOSED",
    ("-s", "suspended", "-f", "*i*", "-F", "*parked*"): lambda item: item["state"].endswith("SUSPENDED") and
        "i" in item["qualname"] and "parked" in item["file"],
}


def several(ctx):
    """Several -p, -x, --cgroup's absence, -a: each process has its lines and its summary."""
    with Target(ctx.one, "parked_crowd.py", "10") as a, Target(ctx.one, "parked_crowd.py", "20") as b:
        pids = [a.ready(), b.ready()]
        for pid in pids:
            snapshots.settle(pid)
        one_by_one = [{item["gen"] for item in snapshots.take(ctx, pid).objects} for pid in pids]
        text = snapshots.text(ctx, "--json", "-p", pids[0], "--pid", pids[1])
        shots = snapshots.parse(text)
        equal("pids", pids, [shot.pid for shot in shots])
        equal("objects", one_by_one, [set(shot.by_gen) for shot in shots])
        for words in (("-x", ctx.one.exe), ("-a",)):
            shots = {shot.pid: shot for shot in snapshots.parse(snapshots.run(ctx, "--json", *words).stdout)}
            check(set(pids) <= set(shots), f"{words}: {pids} are not in {sorted(shots)}")
            for pid, gens in zip(pids, one_by_one):
                equal(f"{words}: objects of {pid}", gens, set(shots[pid].by_gen))
        text = snapshots.text(ctx, "-p", pids[0], "-p", pids[1])
        check(all(str(pid) in text for pid in pids), f"the table does not tell {pids} apart:\n{text[:300]}")


def one_gone(ctx):
    """Of two targets one does not exist: that is an error, and said."""
    with Target(ctx.one, "parked_crowd.py", "10") as target:
        pid, gone = target.ready(HANG), free_pid()
        done = snapshots.run(ctx, "--json", "-p", pid, "-p", gone)
    equal("status", 3, done.returncode)
    check(str(gone) in done.stderr and done.stderr.count("\n") == 1, f"it says {done.stderr!r}")


def output(ctx):
    host, _ = ctx.one.scratch()
    path = os.path.join(host, "out")
    with Target(ctx.one, "parked_crowd.py", "10") as target:
        pid = target.ready(HANG)
        snapshots.settle(pid)
        direct = {item["gen"] for item in snapshots.take(ctx, pid).objects}
        equal("standard output with -o FILE", "", snapshots.text(ctx, "--json", "-p", pid, "-o", path))
        with open(path, encoding="utf-8") as lines:
            equal("objects in the file", direct, set(snapshots.parse(lines.read())[0].by_gen))
        again = snapshots.parse(snapshots.text(ctx, "--json", "-p", pid, "-o", "-"))[0]
        equal("objects with -o -", direct, set(again.by_gen))
        with open(path, "w", encoding="utf-8"):
            pass
        equal("standard output with -o FILE", "", snapshots.text(ctx, "-p", pid, "-o", path, "-q"))
        with open(path, encoding="utf-8") as lines:
            check("parked_crowd.py" in lines.read(), "the text is not in the file")


def unharmed(ctx):
    """The target goes on as if nothing had been: no stop, no signal, no tracer."""
    with Target(ctx.one, "spin.py") as target:
        pid = target.ready(HANG)
        target.say()
        target.await_line(target.out_queue, "running", HANG)
        for options in ((), ("--freeze",), ("--locals",)):
            snapshots.take(ctx, pid, *options)
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            check("TracerPid:\t0\n" in status.read(), "the target still has a tracer")
        target.say()
        equal("status of the target", 0, target.finish(HANG))
        words = target.out[-1].split()
        check(words[0] == "result" and int(words[1]) > 0 and words[2] == "0", f"the target said {words}")


def catches(pid, number):
    """Has it a handler for that signal?"""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        caught = re.search(r"^SigCgt:\s*([0-9a-f]+)$", status.read(), re.MULTILINE)
    return bool(int(caught[1], 16) >> (number - 1) & 1)


def interrupted_once(ctx, pid, out):
    """Ctrl-C for a `ps` of many objects, as soon as it may: whether it had not read them all by then."""
    with Process([ctx.genscope, "ps", "--json", "--locals", "-o", out, "-p", str(pid)]) as tool:
        until("genscope to catch SIGINT", lambda: snapshots.state_of(tool.pid) == "Z" or catches(tool.pid, signal.SIGINT), pause=0.001)
        tool.signal(signal.SIGINT)
        equal("status", 0, tool.finish(HANG))
    with open(out, encoding="utf-8") as lines:
        shown = lines.read()
    if shown.count("\n") > 1:  # it had: then all is there
        equal("objects of the target", CROWD, len(snapshots.parse(shown)[0].objects))
        return False
    equal("what it wrote", {"type": "summary", "pid": pid, "interrupted": True}, json.loads(shown))
    equal("lines on standard error", 1, len(tool.err))
    return True


def interrupted(ctx):
    """SIGINT ends it while it reads, with status 0, and it says so; the target runs on.

    The signal may come when all is read already, on a machine that lets the reader run and the sender wait."""
    out = os.path.join(ctx.one.scratch()[0], "out")
    with Target(ctx.one, "parked_churn.py", "/dev/null", "still", str(CROWD)) as target:
        pid = target.ready(HANG)
        check(any(interrupted_once(ctx, pid, out) for _ in range(3)), "it reads on to the end each time")
        check(target.child.poll() is None, "the target has ended")


TESTS = {"no_target": no_target, "a_zombie": a_zombie, "old_python": old_python, "usage": usage, "help": help_text,
         "no_privilege": no_privilege, "output_fails": output_fails, "views": views, "colors": colors,
         "locals_text": locals_text, "filters": filters, "several": several, "one_gone": one_gone, "output": output,
         "unharmed": unharmed, "interrupted": interrupted}


def run(ctx):
    for name, test in TESTS.items():
        if ctx.wanted(f"{ctx.one.label} ps_errors.{name}"):
            yield guard(ctx.one.label, f"ps_errors.{name}", lambda: test(ctx))
