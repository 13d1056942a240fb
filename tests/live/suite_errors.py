# SPDX-License-Identifier: MIT
"""What goes wrong: bad words, missing targets, missing rights, full disks, sudden deaths."""

import glob
import json
import os
import random
import re
import shlex
import signal
import subprocess
import time

from harness import Run, Skip, check, ended, equal, guard, lines_so_far, load_stream, trace, until
from procs import Process, Target, Tool
from suite_runs import judge
from textpatch import patched

NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all",
          "--bounding-set=-all"]
ONE_LINE = re.compile(r"genscope: .+: .+\n")
ATTEMPTS = 10
PYENV = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")


def fails(ctx, words, allowed, contains="", prefix=()):
    """genscope must end soon with one of the allowed statuses and one line that says why and what to do."""
    with Process([*prefix, ctx.genscope, *words]) as tool:
        status = tool.finish(60)
        text = tool.stderr()
    check(status in allowed, f"{' '.join(map(str, words))}: status {status}, expected {allowed}: {text.strip()[:300]}")
    check(ONE_LINE.fullmatch(text), f"{' '.join(map(str, words))}: not one line `genscope: what: what to do`: {text!r}")
    check(contains in text, f"{contains!r} is not in {text!r}")
    check("".join(tool.out) == "", f"an error wrote to standard output: {tool.out[:1]}")


def free_pid():
    """One that nobody can have: PID_MAX_LIMIT is 4 million."""
    return 99_999_999


def no_such_pid(ctx):
    """One that has ended, and one that never was."""
    with subprocess.Popen(["true"]) as ended_one:  # nobody gets its pid before it is waited for
        os.waitid(os.P_PID, ended_one.pid, os.WEXITED | os.WNOWAIT)
        for command in (("trace", "--json"), ("doctor",)):
            for pid in (ended_one.pid, free_pid()):
                fails(ctx, [*command, "-p", str(pid)], (3,), str(pid))


def not_python(ctx):
    with Process(["sleep", "100"]) as sleeper:  # it has executed when Popen returns
        fails(ctx, ["trace", "-p", str(sleeper.pid)], (3,))


def old_python(ctx):
    found = [path for version in ("3.7", "3.8", "3.9", "3.10")
             for path in glob.glob(f"{PYENV}/versions/{version}.*/bin/python{version}")]
    if not found:
        raise Skip("no pyenv python 3.7 to 3.10")
    for path in found:
        with Process([path, "-c", "import time; print('up', flush=True); time.sleep(100)"]) as old:
            old.await_line(old.out_queue, "up", 60)
            fails(ctx, ["trace", "-p", str(old.pid)], (4,), os.path.basename(path)[len("python"):])


def other_elf(ctx):
    for path in ("/bin/ls", "/bin/true"):
        fails(ctx, ["doctor", path], (3, 4))
    fails(ctx, ["doctor", "/etc/passwd"], (3, 4))
    fails(ctx, ["doctor", "/no/such/file"], (3,))


def not_an_elf(ctx):
    """Files that claim more than they hold."""
    host, _ = ctx.one.scratch()
    with open(ctx.one.exe, "rb") as exe:
        head = exe.read(200_000)
    rng = random.Random(1)
    for number in range(20):
        path = os.path.join(host, f"broken-{number}")
        broken = bytearray(head[:rng.choice((16, 64, 500, 5000, len(head)))])
        for _ in range(number):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        with open(path, "wb") as out:
            out.write(broken)
        fails(ctx, ["doctor", path], (3, 4))


def usage(ctx):
    for words in (["trace"], ["trace", "--wonder"], ["wonder"], [], ["trace", "-p", "x"], ["trace", "-p", "-1"],
                  ["trace", "-p", "0"], ["trace", "-a", "-n", "0"], ["trace", "-a", "-d", "5parsecs"], ["trace", "-a", "-d", ""],
                  ["trace", "-a", "-d", "-1s"], ["trace", "-a", "-n", "many"],
                  ["trace", "-a", "-k", "wizard"], ["trace", "-a", "-f", "[a"], ["trace", "-a", "-F", "[z-"],
                  ["trace", "-a", "--min-run", "1"], ["trace", "-a", "--min-suspended", "soon"],
                  ["trace", "-a", "--context", "gc,weather"], ["trace", "-a", "--color", "pink"],
                  ["trace", "-a", "leftover"]):
        fails(ctx, words, (2,))


def help_and_version(ctx):
    for words in (["--help"], ["trace", "--help"], ["doctor", "--help"], ["--version"]):
        done = subprocess.run([ctx.genscope, *words], capture_output=True, text=True, timeout=60)
        equal(f"status of {words}", 0, done.returncode)
        check(len(done.stdout) > 5, f"{words} wrote nothing to standard output")


def no_privilege(ctx):
    if subprocess.run([*NOBODY, "test", "-x", ctx.genscope], check=False).returncode:
        raise Skip(f"{ctx.genscope} is not reachable for other users")
    with Target(ctx.one, "spin.py") as target:
        pid = target.ready()
        fails(ctx, ["trace", "-p", str(pid)], (3, 5), prefix=NOBODY)
    # Its own process, but no capability.
    with Process([*NOBODY, "/usr/bin/python3", "-c", "print('up', flush=True); import time; time.sleep(60)"]) as own:
        own.await_line(own.out_queue, "up", 60)
        fails(ctx, ["trace", "-p", str(own.pid)], (5,), prefix=NOBODY)
    fails(ctx, ["trace", "-a"], (3, 5), prefix=NOBODY)


def missing_btf(ctx):
    """A kernel that does not tell its types: hidden in a mount namespace of our own."""
    hide = "mount --bind /dev/null /sys/kernel/btf/vmlinux && exec \"$0\" \"$@\""
    if subprocess.run(["unshare", "-m", "sh", "-c", hide, "true"], check=False, capture_output=True).returncode:
        raise Skip("no mount namespace of its own, or no BTF to hide")
    with Target(ctx.one, "spin.py") as target:
        pid = target.ready()
        fails(ctx, ["trace", "-p", str(pid)], (5,), "BTF", prefix=["unshare", "-m", "sh", "-c", hide])


class Spinning:
    """A target that runs on, and a tracer on it; at the end the target must be unharmed."""

    def __init__(self, ctx, *options, out=None, command=None):
        self.ctx, self.command = ctx, command
        self.host, _ = ctx.one.scratch()
        self.out = out or os.path.join(self.host, "stream.jsonl")
        self.options = options

    def __enter__(self):
        self.target = Target(self.ctx.one, "spin.py")
        self.pid = self.target.ready()
        self.target.say()
        self.target.await_line(self.target.out_queue, "running", 60)
        if self.command:
            self.tool = Process(["/bin/bash", "-c", self.command.format(genscope=shlex.quote(self.ctx.genscope),
                                                                        pid=self.pid)])
        else:
            self.tool = Tool(self.ctx.genscope, "trace", "-p", self.pid, "--json", "-o", self.out, *self.options)
            self.tool.attached()
        return self

    def __exit__(self, *exc):
        self.tool.__exit__(*exc)
        self.target.__exit__(*exc)

    def unharmed(self):
        """The probes go, the target counts on, and right."""
        until("no breakpoint in the target", lambda: not patched(self.pid))
        self.target.say()
        ended(self.target, 60, "the target")
        words = self.target.out[-1].split()
        check(words[0] == "result" and int(words[1]) > 0 and words[2] == "0", f"the target said {words}")

    def stream(self):
        return load_stream(self.out)


def interrupted(number):
    def test(ctx):
        with Spinning(ctx) as run:
            time.sleep(0.3)
            check(patched(run.pid) > 10, "no breakpoint in the target while it is traced: the test cannot fail")
            run.tool.signal(number)
            ended(run.tool, 60, "genscope")
            run.unharmed()
            problems = run.stream().check()
            check(not problems, "\n".join(problems))
    return test


def tracer_killed(ctx):
    with Spinning(ctx) as run:
        time.sleep(0.3)
        check(patched(run.pid) > 10, "no breakpoint in the target while it is traced: the test cannot fail")
        run.tool.signal(signal.SIGKILL)
        equal("status of genscope", -signal.SIGKILL, run.tool.finish(60))
        run.unharmed()


def target_killed(ctx):
    with Spinning(ctx) as run:
        time.sleep(0.3)
        run.target.signal(signal.SIGKILL)
        ended(run.tool, 60, "genscope")
        problems = run.stream().check()
        check(not problems, "\n".join(problems))


def target_stopped(ctx):
    """A stopped target does not hold the tracer."""
    with Spinning(ctx) as run:
        run.target.signal(signal.SIGSTOP)
        time.sleep(0.2)
        run.tool.signal(signal.SIGINT)
        ended(run.tool, 60, "genscope")
        run.target.signal(signal.SIGCONT)
        run.unharmed()


def pipe_closed(ctx):
    command = "{genscope} trace -p {pid} --json | head -1; exit ${{PIPESTATUS[0]}}"
    with Spinning(ctx, command=command) as run:
        status = run.tool.finish(60)
        check(status in (0, 1), f"status {status}: {run.tool.stderr()}")
        equal("lines that head let through", 1, len(run.tool.out))
        run.unharmed()


def disk_full(ctx):
    with Spinning(ctx, out="/dev/full") as run:
        equal("status", 1, run.tool.finish(60))
        lines = [line for line in run.tool.err if not line.startswith("genscope: attached")]
        check(any(ONE_LINE.fullmatch(line) for line in lines), f"no line that says what went wrong: {lines}")
        run.unharmed()


def no_folder(ctx):
    with Target(ctx.one, "spin.py") as target:
        pid = target.ready()
        fails(ctx, ["trace", "-p", str(pid), "--json", "-o", "/no/such/folder/file"], (1, 2), "/no/such/folder/file")


def stdout(ctx):
    """-o - and no -o are standard output."""
    for options in ("-o -", ""):
        command = "exec {genscope} trace -p {pid} --json -n 5 " + options
        with Spinning(ctx, command=command) as run:
            ended(run.tool, 60, "genscope")
            equal("lines", 6, len(run.tool.out))
            run.unharmed()


def exits_meanwhile(ctx):
    rng = random.Random(7)
    for attempt in range(ATTEMPTS):
        host, _ = ctx.one.scratch()
        out = os.path.join(host, "stream.jsonl")
        with Process(ctx.one.command("brief.py", f"{rng.uniform(0, 0.5):.3f}")) as target:
            time.sleep(rng.uniform(0, 0.15))
            with Tool(ctx.genscope, "trace", "-p", target.pid, "--json", "-o", out) as tool:
                status = tool.finish(60)
            ended(target, 60, "the target")
        check(status in (0, 3), f"attempt {attempt}: status {status}: {tool.stderr()[:300]}")
        if status == 0:
            problems = load_stream(out).check()
            check(not problems, f"attempt {attempt}: " + "\n".join(problems))
        else:
            check(ONE_LINE.fullmatch(tool.stderr()), f"attempt {attempt}: {tool.stderr()!r}")


def deleted_interpreter(ctx):
    """The interpreter's file is gone (upgraded) while the process runs on."""
    if ctx.one.kind != "static" or ctx.one.root:
        raise Skip("needs a static interpreter")
    host, inside = ctx.one.scratch()
    copy = os.path.join(host, "python-copy")
    subprocess.run(["cp", ctx.one.exe, copy], check=True)
    script = os.path.join(ctx.one.host_dir, "core.py")
    out = os.path.join(host, "stream.jsonl")
    with Process([copy, script, "mon", inside + "/truth", "for_loop", "throw_handled"]) as target:
        target.await_line(target.out_queue, "ready", 60)
        os.unlink(copy)
        with Tool(ctx.genscope, "trace", "-p", target.pid, "--json", "-o", out) as tool:
            tool.attached()
            target.say()
            ended(target, 60, "the target")
            ended(tool, 60, "genscope")
    judge(Run(load_stream(out), host))


def two_tracers(ctx):
    """Two at once see the same."""
    with Spinning(ctx) as run:
        other = os.path.join(run.host, "other.jsonl")
        with Tool(ctx.genscope, "trace", "-p", run.pid, "--json", "-o", other) as second:
            second.attached()
            seen = [len(lines_so_far(out)) if os.path.exists(out) else 0 for out in (run.out, other)]
            until("both to see something now", lambda: all(len(lines_so_far(out)) > before for out, before in
                                                           zip((run.out, other), seen)))
            for tool in (second, run.tool):
                tool.signal(signal.SIGINT)
                ended(tool, 60, "genscope")
        for stream in (run.stream(), load_stream(other)):
            problems = stream.check()
            check(not problems, "\n".join(problems))
            check(stream.transitions, "saw nothing")
        run.unharmed()


def sites_unmoved(ctx):
    """Another tracer's breakpoints must not get into the analysis of the file.

    The kernel writes the breakpoints of a system-wide uprobe into every private mapping of the file, the analysing
    tool's own too: it would find other instructions there, and put its probes into the middle of real ones.
    """
    def sites():
        done = subprocess.run([ctx.genscope, "doctor", "--json", ctx.one.exe], capture_output=True, text=True,
                              timeout=60, check=True)
        return [site["address"] for site in json.loads(done.stdout)["sites"]]

    before = sites()
    host, inside = ctx.one.scratch()
    with Tool(ctx.genscope, "trace", "-x", ctx.one.exe, "--json", "-o", os.path.join(host, "all.jsonl")) as tool:
        tool.attached()
        for _ in range(5):
            equal("sites while another tracer is there", before, sites())
        for number in range(3):
            folder = os.path.join(host, str(number))
            os.mkdir(folder)
            judge(trace(ctx, ctx.one, "core.py", ["mon", "{out}/truth", "for_loop", "yield_from_throw", "close_finally"],
                        folder=(folder, os.path.join(inside, str(number)))))
        tool.signal(signal.SIGINT)
        ended(tool, 60, "genscope")


TESTS = {"no_such_pid": no_such_pid, "not_python": not_python, "old_python": old_python, "other_elf": other_elf,
         "not_an_elf": not_an_elf, "usage": usage, "help_and_version": help_and_version, "no_privilege": no_privilege,
         "missing_btf": missing_btf,
         "sigint": interrupted(signal.SIGINT), "sigterm": interrupted(signal.SIGTERM),
         "tracer_killed": tracer_killed, "target_killed": target_killed, "target_stopped": target_stopped,
         "pipe_closed": pipe_closed, "disk_full": disk_full, "no_folder": no_folder, "stdout": stdout,
         "exits_meanwhile": exits_meanwhile, "deleted_interpreter": deleted_interpreter, "two_tracers": two_tracers,
         "sites_unmoved": sites_unmoved}


def run(ctx):
    for name, test in TESTS.items():
        if ctx.wanted(f"{ctx.one.label} errors.{name}"):
            yield guard(ctx.one.label, f"errors.{name}", lambda: test(ctx))
