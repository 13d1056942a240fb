# SPDX-License-Identifier: MIT
"""Programs that need a process, or several, of their own."""

import os

import compare
from harness import Failure, Run, check, discard, ended, equal, guard, load_stream, trace, until
from procs import Process, Target, Tool
from stream import check_object

NO_BARRIER = {"GENSCOPE_NO_BARRIER": "1"}
# How many live generators: a great many on one build of each version.
CROWD, CROWD_ELSEWHERE = 100_000, 10_000
BEHIND = 10_000  # transitions that may still be in the tracer's buffers, a small part of what these hold


def report(differences):
    texts = [text for group in differences.values() for text in group]
    check(not texts, "\n".join(texts[:4]) + (f"\n… and {len(texts) - 4} more" if len(texts) > 4 else ""))


def judge(run, names=("truth",), other=None):
    """Soundness and truth of one run; `names` are the truth files its processes wrote."""
    records = [record for name in names for record in run.truth(name)[0]]
    check(records, "the target wrote no truth")
    truth = None if other is None else {(r["case"], r["key"]): r for r in other}
    problems = run.stream.check()
    report(compare.compare(records, run.stream, truth))
    if problems:
        raise Failure("\n".join(problems))
    discard(run)
    return records


def twice(ctx, interp, script, args, names, runner=trace):
    """A run that records the truth, and one without any instrument, held against the truth of the first."""
    truth = judge(runner(ctx, interp, script, ["mon", *args]), names)
    judge(runner(ctx, interp, script, ["plain", *args]), names, truth)


def by_exe(ctx, interp, script, args):
    """The tracer is there first: -x sees the target, and its children, from their first instruction."""
    host, inside = interp.scratch()
    out = os.path.join(host, "stream.jsonl")
    args = [arg.replace("{out}", inside) for arg in args]
    with Tool(ctx.genscope, "trace", "-x", interp.exe, "--json", "-o", out) as tool:
        tool.attached()
        with Target(interp, script, *args, env=NO_BARRIER) as target:
            ended(target, 90, "the target")
        tool.signal(2)
        ended(tool, 60, "genscope after SIGINT")
    return Run(load_stream(out), host)


def counted(ctx, interp, script, args, runner=trace):
    return counts_hold(runner(ctx, interp, script, args))


def counts_hold(run):
    expects = run.truth()[1]
    check(expects, "the target expects nothing: the test cannot fail")
    problems = list(compare.counted(expects, run.stream)) + run.stream.check()
    check(not problems, "\n".join(problems[:6]))
    discard(run)
    return run


class Growing:
    """A file that is being written, by its lines."""

    def __init__(self, path):
        self.path, self.at, self.count = path, 0, 0

    def lines(self):
        with open(self.path, "rb") as file:
            file.seek(self.at)
            text = file.read()
        self.at, self.count = self.at + len(text), self.count + text.count(b"\n")
        return self.count


def command(ctx, interp):
    """trace -- CMD: from the very first generator of the program."""
    host, inside = interp.scratch()
    out = os.path.join(host, "stream.jsonl")
    words = interp.command("core.py", "mon", inside + "/truth", "for_loop", "await_chain_10", "agen_asend")
    with Tool(ctx.genscope, "trace", "--json", "-o", out, "--", *words, env=NO_BARRIER) as tool:
        ended(tool, 60, "genscope")
    run = Run(load_stream(out), host)
    for events in run.stream.objects().values():
        first = events[0]
        check(first["from"] is None, f"{first['qualname']} of {first['file']} was first seen at "
              f"{first['from']}→{first['to']}, not at its birth")
        equal("the first seq", 1, first["seq"])
    judge(run)


def shell_command(ctx, interp):
    """trace -- sh -c 'exec python …': the interpreter comes by exec."""
    host, inside = interp.scratch()
    out = os.path.join(host, "stream.jsonl")
    words = " ".join(interp.command("core.py", "mon", inside + "/truth", "for_loop"))
    with Tool(ctx.genscope, "trace", "--json", "-o", out, "--", "/bin/sh", "-c", "exec " + words,
              env=NO_BARRIER) as tool:
        ended(tool, 60, "genscope")
    judge(Run(load_stream(out), host))


def midlife(ctx, interp):
    twice(ctx, interp, "midlife.py", ["{out}/truth"], ["truth"])


def pid_namespace(ctx, interp):
    """In a PID namespace the target is number 1; the stream speaks of it as the host does."""
    host, inside = interp.scratch()
    out = os.path.join(host, "stream.jsonl")
    words = interp.command("core.py", "mon", inside + "/truth", "for_loop", "await_chain_10", "threads_64")
    with Process(["unshare", "--pid", "--fork", "--kill-child", *words]) as target:
        equal("the target's own pid", "ready 1", target.await_line(target.out_queue, "ready", 60).strip())
        with open(f"/proc/{target.pid}/task/{target.pid}/children", encoding="ascii") as children:
            pid = int(children.read().split()[0])
        with Tool(ctx.genscope, "trace", "-p", pid, "--json", "-o", out) as tool:
            tool.attached()
            target.say()
            ended(target, 60, "the target")
            ended(tool, 60, "genscope")
    run = Run(load_stream(out), host)
    records = [{**record, "pid": pid} for record in run.truth()[0]]
    # As with the truth of another run, tids are not compared: the target's are of its namespace.
    report(compare.compare(records, run.stream, {(r["case"], r["key"]): r for r in records}))
    run.must_be_sound()


def exe(ctx, interp):
    judge(by_exe(ctx, interp, "core.py", ["mon", "{out}/truth", "for_loop", "await_chain_10", "yield_from_throw"]))


def fork(ctx, interp):
    twice(ctx, interp, "forker.py", ["{out}/truth"], ["truth", "truth.child"], by_exe)


def fork_pid(ctx, interp):
    """-p: the parent is seen as ever; that a child's first moments are not is said (-x sees them)."""
    run = trace(ctx, interp, "forker.py", ["mon", "{out}/truth"])
    report(compare.compare(run.truth()[0], run.stream))
    child = {record["pid"] for record in run.truth("truth.child")[0]}
    run.stream.transitions = [event for event in run.stream.transitions if event["pid"] not in child]
    problems = [problem for events in run.stream.objects().items() for problem in check_object(*events, True)]
    check(not problems, "\n".join(problems[:4]))
    coverage = run.stream.summary["coverage"]
    check(coverage == "full" or "fork" in coverage, f"coverage {coverage!r}")


def multiprocessing(ctx, interp):
    counted(ctx, interp, "workers.py", ["{out}/truth"], by_exe)


def execs(ctx, interp):
    """Three programs one after the other in one process."""
    twice(ctx, interp, "execer.py", ["{out}/truth", "3"], ["truth.1", "truth.2", "truth.3"])


def exec_other(ctx, interp):
    """The target becomes something that is not Python."""
    judge(trace(ctx, interp, "execer.py", ["mon", "{out}/truth", "1true"]), ["truth.1"])


def many(ctx, interp):
    """More transitions than the buffer holds: the target waits now and then until they have been written."""
    number = CROWD if interp is not ctx.one else CROWD_ELSEWHERE
    host, inside = interp.scratch()
    out = os.path.join(host, "stream.jsonl")
    with Target(interp, "many.py", inside + "/truth", number) as target, \
            Tool(ctx.genscope, "trace", "-p", target.ready(), "--json", "-o", out) as tool:
        tool.attached()
        target.say()
        written = Growing(out)
        while (told := target.await_line(target.out_queue, "", 60).split()) != ["end"]:
            until(f"{told[1]} transitions", lambda: written.lines() >= int(told[1]) - BEHIND)
            target.say()
        ended(target, 60, "the target")
        ended(tool, 60, "genscope")
    run = counts_hold(Run(load_stream(out), host))
    check(run.stream.summary["objects"] >= number, f"summary: {run.stream.summary['objects']} objects of {number}")


def subinterpreters(ctx, interp):
    counted(ctx, interp, "subinterpreters.py", ["{out}/truth"])


def leaving(how):
    def leave(ctx, interp):
        counted(ctx, interp, "leaver.py", ["{out}/truth", how])
    return leave


TESTS = {"midlife": midlife, "command": command, "shell_command": shell_command, "pid_namespace": pid_namespace,
         "exe": exe, "fork": fork, "fork_pid": fork_pid, "multiprocessing": multiprocessing, "execs": execs, "exec_other": exec_other,
         "many": many, "subinterpreters": subinterpreters, "leave_exit": leaving("exit"),
         "leave_inside": leaving("inside"), "leave_hard": leaving("hard"), "leave_daemon": leaving("daemon")}


def run(ctx, interp):
    for name, test in TESTS.items():
        if ctx.wanted(f"{interp.label} runs.{name}"):
            yield guard(interp.label, f"runs.{name}", lambda: test(ctx, interp))
