# SPDX-License-Identifier: MIT
"""genscope export and its targets: which it finds, which it refuses and why, and that each counts for itself."""

import contextlib
import json
import os
import shutil
import signal
import struct
import subprocess
import time

import cgroups
import metrics
from harness import Skip, check, ended, equal, guard, until
from metrics import Exporter, Page
from procs import Process, Target, Tool
from suite_export import must_count, sound, told

ROUNDS = 8
WORKERS = 4
PAGES = 60
HELD_S = 1  # many times what a loader takes
GROUPS = "run", "suspended", "start_delay", "lifetime", "never_awaited"
# Of root's capabilities, what the exporter needs to start: without CAP_CHECKPOINT_RESTORE and CAP_SYS_ADMIN.
FEW = ("bpf", "perfmon", "sys_ptrace", "dac_read_search", "setuid", "setgid", "setpcap")


def cgroup():
    root = cgroups.hierarchy()
    if not root:
        raise Skip("no cgroup2 hierarchy")
    return cgroups.made(root, "test-export")


class Wrapped(Exporter):
    """An exporter that another command starts."""

    def __init__(self, genscope, wrapper, *words):
        super().__init__(wrapper[0], *words, before=[*wrapper[1:], genscope])


def hiding(pids):
    """A mount namespace in which nobody may open the maps of these processes, whatever he is capable of."""
    hide = "".join(f"mount --bind /dev/null /proc/{pid}/maps && mount -o remount,bind,nodev /proc/{pid}/maps && "
                   for pid in pids)
    return ["unshare", "-m", "sh", "-c", hide + 'exec "$0" "$@"']


def statuses(page, **expected):
    """All that is not expected is 0."""
    got = {labels["status"]: value for name, labels, value in page.samples if name == "genscope_targets"}
    equal("targets", expected, {status: value for status, value in got.items() if value})


def truth_of(target, line):
    target.say(line)
    return json.loads(target.await_line(target.out_queue, "{", 60))


def add_up(truths, alive):
    """What several did together; the objects are those of who is alive."""
    total = {name: {function: sum(truth[name][function] for truth in truths) for function in truths[0][name]}
             for name in GROUPS}
    total["slow"] = {function: [sum(truth["slow"][function][bound] for truth in truths) for bound in (0, 1)]
                     for function in truths[0]["slow"]}
    total["objects"] = {function: {state: count * alive for state, count in states.items()}
                        for function, states in truths[0]["objects"].items()}
    return total


# --- side by side ---

def versions(ctx):
    """All versions under one exporter: each is a service, and each counts what it did itself."""
    interps = [ctx.fastest(version) for version in sorted({interp.version for interp in ctx.interps})]
    with contextlib.ExitStack() as stack:
        targets = [stack.enter_context(Target(interp, "exported.py", str(ROUNDS + number)))
                   for number, interp in enumerate(interps)]
        words = []
        for target, interp in zip(targets, interps):
            words += ["-p", target.ready(), "--label", f"on-{interp.version}=*python{interp.version} */exported.py*"]
        exporter = stack.enter_context(Exporter(ctx.genscope, "--max-overhead", "0", *words))
        truths = [truth_of(target, "go\n") for target in targets]
        for truth, interp in zip(truths, interps):
            page = told(exporter, truth, f"on-{interp.version}")
        sound(page)
        statuses(page, traced=len(interps))
        for target in targets:
            target.say()
            ended(target, 60, "a target")
        ended(exporter, 60, "genscope")


def hire(master):
    master.say("fork\n")
    return int(master.await_line(master.out_queue, "worker", 60).split()[1])


def family(ctx):
    """A master and its workers, one of which dies and is followed by another: they add up, and the dead one's work stays."""
    with Target(ctx.one, "family.py", str(ROUNDS)) as master:
        pid = master.ready()
        with Exporter(ctx.genscope, "-p", pid, "--max-overhead", "0", "--label", "family=*family.py*") as exporter:
            master.say()
            workers = [hire(master) for _ in range(WORKERS)]
            exporter.until("the workers", lambda page: page.sum("genscope_targets", status="traced") == 1 + WORKERS)
            truths = [truth_of(master, f"work {one}\n") for one in [*workers, pid]]
            told(exporter, add_up(truths, 1 + WORKERS), "family")
            master.say(f"kill {workers[0]}\n")
            master.await_line(master.out_queue, "gone", 60)
            exporter.until("it to leave", lambda page: page.sum("genscope_targets", status="traced") == WORKERS)
            must_count(exporter.scrape(), add_up(truths, WORKERS), "family")
            follower = hire(master)
            exporter.until("the next", lambda page: page.sum("genscope_targets", status="traced") == 1 + WORKERS)
            truths.append(truth_of(master, f"work {follower}\n"))
            # it was born with its master's objects, too
            sound(told(exporter, add_up(truths, 2 + WORKERS), "family"))
            master.say("end\n")
            ended(master, 60, "the master")
            ended(exporter, 60, "genscope")


def becoming(ctx):
    """A process whose probes its budget has taken off executes another program of the same interpreter: a service of its own,
    with an account and probes of its own."""
    script = os.path.join(ctx.one.host_dir, "exported.py")
    with Target(ctx.one, "becoming.py", script, str(ROUNDS)) as target:
        with Exporter(ctx.genscope, "-p", target.ready(), "--max-overhead", "5", "--label", "former=*becoming.py*",
                      "--label", "later=*/exported.py*", "--snapshot-interval", "200ms") as exporter:
            target.say()
            exporter.until("less of it", lambda page: page.sum("genscope_targets", status="paused") +
                           page.sum("genscope_targets", status="outermost") == 1)
            exporter.until("its objects", lambda page: page.sum("genscope_objects", service="former") > 0)
            target.say()
            target.ready()
            page = exporter.until("the other program", lambda page: page.sum(
                "genscope_function_objects", service="later", function="exported.py:before") == 1)
            statuses(page, traced=1)
            equal("objects of the former", 0, page.sum("genscope_objects", service="former"))
            truth = truth_of(target, "go\n")
            sound(told(exporter, truth, "later"))
            target.say()
            ended(target, 60, "the target")
            ended(exporter, 60, "genscope")


def slow_loader(ctx):
    """A process whose loader is held for long is found all the same, and so are others that run its executable."""
    interp = next((interp for interp in ctx.interps if interp.kind == "shared" and not interp.root), None)
    if not interp:
        raise Skip("no interpreter with a libpython")
    folder, _ = ctx.one.scratch()
    held = os.path.join(folder, "preloaded.so")
    os.mkfifo(held)  # the loader waits for what comes out of it, then says that it is no library, and goes on
    with cgroup() as group, contextlib.ExitStack() as stack:
        exporter = stack.enter_context(Exporter(ctx.genscope, "--cgroup", group, "--max-overhead", "0"))
        target = stack.enter_context(Process(cgroups.inside(group, [
            "env", f"LD_PRELOAD={held}", *interp.command("exported.py", str(ROUNDS))])))
        until("it to wait in its loader", lambda: os.path.realpath(f"/proc/{target.pid}/exe") == interp.exe)
        time.sleep(HELD_S)
        with open(held, "wb"):
            pass
        target.await_line(target.out_queue, "ready", 60)
        exporter.until("it", lambda page: page.sum("genscope_targets", status="traced") == 1)
        other = stack.enter_context(Process(cgroups.inside(group, interp.command("exported.py", str(ROUNDS)))))
        other.await_line(other.out_queue, "ready", 60)
        exporter.until("the other", lambda page: page.sum("genscope_targets", status="traced") == 2)
        exporter.signal(signal.SIGTERM)
        ended(exporter, 60, "genscope")


def container(ctx):
    """Another root, and a pid namespace in which the target is number 1: found by its cgroup."""
    interp = next((interp for interp in ctx.interps if interp.root and interp.kind != "debug"), None)
    if not interp:
        raise Skip("no interpreter with a root of its own")
    apart = ["unshare", "--pid", "--mount", "--fork", "--kill-child"]
    with cgroup() as group, Process(cgroups.inside(group, [*apart, *interp.command("exported.py", str(ROUNDS))])) as target:
        equal("its pid, by its own word", "ready 1", target.await_line(target.out_queue, "ready", 60).strip())
        with Exporter(ctx.genscope, "--cgroup", group, "--max-overhead", "0", "--label", "boxed=*exported.py*") as exporter:
            truth = truth_of(target, "go\n")
            page = told(exporter, truth, "boxed")
            sound(page)
            statuses(page, traced=1)
            target.say()
            ended(target, 60, "the target")
            exporter.signal(signal.SIGTERM)
            ended(exporter, 60, "genscope")


def busy(ctx):
    """Pages while two targets do nothing but make objects: each page is whole."""
    with Target(ctx.one, "hot.py") as first, Target(ctx.one, "hot.py") as second:
        with Exporter(ctx.genscope, "-p", first.ready(), "-p", second.ready(), "--max-overhead", "0",
                      "--label", "hot=*hot.py*") as exporter:
            first.say()
            second.say()
            counts = [0]
            for number in range(PAGES):
                text, kind = exporter.get(accept=metrics.OPENMETRICS if number % 2 else None)
                page = Page(text, kind)
                check(text.endswith("# EOF\n" if number % 2 else "\n"), f"page {number} is cut: {text[-100:]!r}")
                counts.append(page.sum("genscope_transitions_total", service="hot"))
            check(counts == sorted(counts) and counts[-1] > 0, f"a counter went back: {counts}")
            for target in (first, second):
                target.say()
                ended(target, 60, "a target")
                equal("wrong results", "0", target.out[-1].split()[-1])
            ended(exporter, 60, "genscope")


# --- what is refused ---

def shared_copy(ctx, folder, change=(b"", b"")):
    """A copy of an interpreter and its libpython, with the libpython changed: its command, and the two files."""
    interp = next((interp for interp in ctx.interps if interp.kind == "shared" and not interp.root), None)
    if not interp:
        raise Skip("no interpreter with a libpython")
    home = os.path.dirname(os.path.dirname(interp.exe))
    library = f"libpython{interp.version}.so.1.0"
    exe = shutil.copy(interp.exe, os.path.join(folder, os.path.basename(interp.exe)))
    with open(os.path.join(home, "lib", library), "rb") as file:
        content = file.read()
    check(change[0] in content, f"no {change[0]} in {library}")
    with open(os.path.join(folder, library), "wb") as file:
        file.write(content.replace(*change) if change[0] else content)
    return ["env", f"LD_LIBRARY_PATH={folder}", f"PYTHONHOME={home}", exe], (exe, os.path.join(folder, library))


def static_copy(ctx, folder, change):
    path = os.path.join(folder, "python-changed")
    with open(ctx.one.exe, "rb") as file:
        content = file.read()
    check(change[0] in content, f"no {change[0]} in {ctx.one.exe}")
    with open(path, "wb") as file:
        file.write(content.replace(*change))
    os.chmod(path, 0o755)
    return [path]


SLEEP = ["-c", "import time; print('up', flush=True); time.sleep(300)"]


def started(stack, group, command):
    process = stack.enter_context(Process(cgroups.inside(group, command)))
    process.await_line(process.out_queue, "up", 60)
    return process


def refused(ctx):
    """One of an unknown version beside a good one: counted by its reason while it lives, and no harm to anybody."""
    folder, _ = ctx.one.scratch()
    old = static_copy(ctx, folder, (b"Py_Version", b"Py_Wersion"))
    with cgroup() as group, contextlib.ExitStack() as stack:
        stack.enter_context(Process(cgroups.inside(group, ["sleep", "300"])))
        good = stack.enter_context(Process(cgroups.inside(group, ctx.one.command("exported.py", str(ROUNDS)))))
        good.await_line(good.out_queue, "ready", 60)
        early = started(stack, group, [*old, *SLEEP])
        exporter = stack.enter_context(Exporter(ctx.genscope, "--cgroup", group, "--max-overhead", "0",
                                                "--label", "mine=*exported.py*"))
        statuses(exporter.scrape(), traced=1, unsupported_version=1)
        late = started(stack, group, [*old, *SLEEP])
        exporter.until("the second", lambda page: page.sum("genscope_targets", status="unsupported_version") == 2)
        executes = ["-c", "import os, sys; print('up', flush=True); sys.stdin.readline(); os.execvp('sleep', ['sleep', '300'])"]
        other = started(stack, group, [*old, *executes])
        exporter.until("the third", lambda page: page.sum("genscope_targets", status="unsupported_version") == 3)
        other.say()
        exporter.until("it to be no Python", lambda page: page.sum("genscope_targets", status="unsupported_version") == 2)
        truth = truth_of(good, "go\n")
        sound(told(exporter, truth))
        for process in (early, late):
            process.kill()
        page = exporter.until("the dead to leave",
                              lambda page: page.sum("genscope_targets", status="unsupported_version") == 0)
        statuses(page, traced=1)
        exporter.signal(signal.SIGTERM)
        ended(exporter, 60, "genscope")


def lookalike(ctx, folder, name, *flags):
    """targets/lookalike.c under a name of its choice."""
    path, source = os.path.join(folder, name), os.path.join(ctx.one.host_dir, "lookalike.c")
    subprocess.run(["gcc", "-rdynamic", *flags, "-o", path, source], check=True)
    return path


def strange(ctx):
    """What exports all that a CPython does and has none of its code; a guest for another machine, in its emulator."""
    folder, _ = ctx.one.scratch()
    size = subprocess.run([ctx.one.path, "-c", "import types; print(types.GeneratorType.__basicsize__)"], text=True,
                          capture_output=True, check=True).stdout.strip()
    guest = os.path.join(folder, "libpython3.11.so.1.0")
    with open(guest, "wb") as file:  # an ELF header of a 32-bit file for i386, little-endian (elf.h)
        file.write(struct.pack("<4sBBBB8xHHIIIIIHHHHHH", b"\x7fELF", 1, 1, 1, 0, 3, 3, 1, 0, 52, 0, 0, 52, 32, 0, 0, 0, 0))
        file.write(bytes(4096))
    with cgroup() as group, contextlib.ExitStack() as stack:
        started(stack, group, [lookalike(ctx, folder, "python3.11", f"-DBASICSIZE={size}")])
        started(stack, group, [lookalike(ctx, folder, "emulator"), guest])
        exporter = stack.enter_context(Exporter(ctx.genscope, "--cgroup", group))
        statuses(exporter.scrape(), unsupported_code=1, unsupported_machine=1)


def too_many(ctx):
    """More than it may open files for: those are counted and told of once, the others are traced, and it still answers."""
    crowd, files = 40, 256
    with cgroup() as group, contextlib.ExitStack() as stack:
        for _ in range(crowd):
            started(stack, group, [ctx.one.path, *SLEEP])
        exporter = stack.enter_context(Wrapped(ctx.genscope, ["prlimit", f"--nofile={files}:{files}"], "--cgroup", group))
        page = exporter.scrape()
        few, many = (page.sum("genscope_targets", status=status) for status in ("traced", "too_many"))
        equal("targets in all", crowd, few + many)
        check(few > 0 and many > 0, f"{few} traced, {many} too many: the limit is not reached")
        said = [line for line in exporter.err if f"no more than {files} files may be open" in line]
        equal("lines about it", 1, len(said))
    with Tool("prlimit", "--nofile=64:64", ctx.genscope, "export", "--all") as tool:
        ended(tool, 60, "export with 64 files", 5)
        check(len(tool.err) == 1 and "ulimit -n" in tool.err[0], f"it said {tool.err}")


def not_permitted(ctx):
    """Without the right to look, what is called a Python is counted, and nothing else."""
    with cgroup() as group, contextlib.ExitStack() as stack:
        other = started(stack, group, ["sh", "-c", "echo up; exec sleep 300"])
        forbidden = started(stack, group, [ctx.one.path, *SLEEP])
        started(stack, group, [ctx.one.path, *SLEEP])
        exporter = stack.enter_context(Wrapped(ctx.genscope, hiding((forbidden.pid, other.pid)), "--cgroup", group))
        statuses(exporter.scrape(), traced=1, not_permitted=1)


# --- interpreters that are deleted or replaced under their processes ---

def upgrade(files):
    """What a package manager does: other files under the same names."""
    for path in files:
        os.unlink(path)
        with open(path, "wb") as file:
            file.write(b"another version")


def has_right():
    with open("/proc/self/status", encoding="ascii") as lines:
        return any(line.startswith("CapPrm") and int(line.split()[1], 16) >> 40 & 1 for line in lines)


def replaced(ctx):
    """Replaced before the exporter came; and, where it may not open them any more, counted as that."""
    folder, _ = ctx.one.scratch()
    command, files = shared_copy(ctx, folder)
    script = os.path.join(ctx.one.host_dir, "exported.py")
    with cgroup() as group, Process(cgroups.inside(group, [*command, script, str(ROUNDS)])) as target:
        target.await_line(target.out_queue, "ready", 60)
        upgrade(files)
        few = ["setpriv", "--bounding-set=-all," + ",".join("+" + name for name in FEW), "--inh-caps=-all"]
        with Wrapped(ctx.genscope, few, "--cgroup", group) as exporter:
            statuses(exporter.scrape(), unreadable=1)
            exporter.signal(signal.SIGTERM)
            ended(exporter, 60, "genscope")
        with Exporter(ctx.genscope, "--cgroup", group, "--max-overhead", "0", "--label", "mine=*exported.py*") as exporter:
            truth = truth_of(target, "go\n")
            page = told(exporter, truth)
            statuses(page, traced=1)
            sound(page)


def replaced_later(ctx):
    """Replaced while the exporter runs, which has given up its privileges: a child that is forked then is traced, too."""
    if not has_right():
        raise Skip("no CAP_CHECKPOINT_RESTORE here")
    folder, _ = ctx.one.scratch()
    command, files = shared_copy(ctx, folder)
    with Process([*command, os.path.join(ctx.one.host_dir, "family.py"), str(ROUNDS)]) as master:
        pid = int(master.await_line(master.out_queue, "ready", 60).split()[1])
        with Exporter(ctx.genscope, "-p", pid, "--max-overhead", "0", "--label", "family=*family.py*") as exporter:
            upgrade(files)
            master.say()
            worker = hire(master)
            exporter.until("the worker", lambda page: page.sum("genscope_targets", status="traced") == 2)
            truths = [truth_of(master, f"work {one}\n") for one in (worker, pid)]
            sound(told(exporter, add_up(truths, 2), "family"))
            master.say("end\n")
            ended(master, 60, "the master")
            ended(exporter, 60, "genscope")


TESTS = {"versions": versions, "family": family, "becoming": becoming, "slow_loader": slow_loader,
         "container": container, "busy": busy, "refused": refused, "strange": strange, "too_many": too_many,
         "not_permitted": not_permitted, "replaced": replaced, "replaced_later": replaced_later}


def run(ctx):
    for name, test in TESTS.items():
        if ctx.wanted(f"{ctx.one.label} export_targets.{name}"):
            yield guard(ctx.one.label, f"export_targets.{name}", lambda: test(ctx))
