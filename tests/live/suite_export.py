# SPDX-License-Identifier: MIT
"""genscope export: what it serves, held against the targets' own counts, by way of a real Prometheus too."""

import contextlib
import json
import signal
import subprocess
import time

import cgroups
import metrics
from harness import check, ended, equal, guard
from metrics import Exporter, Page
from procs import Process, Target, Timeout
from prometheus import Prometheus, free_port

ROUNDS = 20
STATES = ("created", "running", "suspended", "closed")
# CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE
KEPT = (1 << 39) | (1 << 38) | (1 << 19) | (1 << 2) | (1 << 40)


@contextlib.contextmanager
def exported(ctx, interp, *options, rounds=ROUNDS, service="mine"):
    """A target that has done its work and waits, and the exporter of it."""
    with Target(interp, "exported.py", str(rounds)) as target:
        pid = target.ready()
        with Exporter(ctx.genscope, "-p", pid, "--max-overhead", "0", "--label", f"{service}=*exported.py*",
                      *options) as exporter:
            target.say()
            truth = json.loads(target.await_line(target.out_queue, "{", 60))
            yield target, exporter, truth


def differences(page, truth, service):
    wrong = []
    for metric in ("run", "suspended", "start_delay", "lifetime"):
        for function, expected in truth[metric].items():
            got = page.sum(f"genscope_{metric}_seconds_count", service=service, function=f"exported.py:{function}")
            if got != expected:
                wrong.append(f"{metric} of {function}: {got}, expected {expected}")
    for function, expected in truth["never_awaited"].items():
        got = page.sum("genscope_never_awaited_total", service=service, function=f"exported.py:{function}")
        if got != expected:
            wrong.append(f"never awaited of {function}: {got}, expected {expected}")
    for function, (least, most) in truth["slow"].items():
        got = page.sum("genscope_slow_steps_total", service=service, function=f"exported.py:{function}")
        if not least <= got <= most:
            wrong.append(f"slow steps of {function}: {got}, expected {least} to {most}")
    return wrong


def other_objects(page, truth, service):
    wrong = []
    for function, states in truth["objects"].items():
        for state in STATES:
            got = page.sum("genscope_function_objects", service=service, function=f"exported.py:{function}", state=state)
            if got != states.get(state, 0):
                wrong.append(f"{state} {function}: {got}, expected {states.get(state, 0)}")
    return wrong


def must_count(page, truth, service="mine"):
    wrong = differences(page, truth, service) + other_objects(page, truth, service)
    check(not wrong, "\n".join(wrong))


def told(exporter, truth, service="mine"):
    """A page that counts what the target did and what is alive in it. What its functions are called comes through a
    ring, which a busy machine has not read the moment that the target says its truth."""
    with contextlib.suppress(Timeout):
        return exporter.until("the target's counts", lambda page: not differences(page, truth, service) and
                              not other_objects(page, truth, service))
    page = exporter.scrape()
    must_count(page, truth, service)
    return page


def sound(page):
    equal("anomalies", 0, page.sum("genscope_anomalies_total"))
    equal("lost", 0, page.sum("genscope_events_lost_total"))
    equal("up", 1, page.sum("genscope_up"))


# --- each interpreter ---

def counts(ctx, interp):
    with exported(ctx, interp) as (target, exporter, truth):
        page = told(exporter, truth)
        sound(page)
        if page.has("genscope_gc_pause_seconds_count"):  # the interpreter tells of them
            exporter.until("its collections", lambda page: page.sum("genscope_gc_pause_seconds_count", service="mine") ==
                           truth["collections"])
        open_page = exporter.scrape(metrics.OPENMETRICS)
        check(open_page.content_type.startswith("application/openmetrics-text"), open_page.content_type)
        must_count(open_page, truth)
        target.say()
        ended(target, 60, "the target")
        ended(exporter, 60, "genscope")  # its last target has gone


def memory_only(ctx, interp):
    """--no-probes: what is alive, and no trap at all."""
    with exported(ctx, interp, "--no-probes", "--snapshot-interval", "200ms") as (_, exporter, truth):
        page = exporter.until("the objects of the target", lambda page: not other_objects(page, truth, "mine"))
        equal("hits", 0, page.sum("genscope_probe_hits_total"))
        equal("unprobed", 1, page.sum("genscope_targets", status="unprobed"))
        check(not page.has("genscope_run_seconds_count"), "there are times without probes")


# --- one interpreter ---

def memory_ages(ctx):
    """Ages without probes: they grow while nothing runs, are never too large, and begin anew where all looks the same."""
    with Target(ctx.one, "pausing.py") as target:
        with Exporter(ctx.genscope, "-p", target.ready(), "--no-probes", "--snapshot-interval", "100ms", "--label",
                      "mine=*pausing.py*") as exporter:
            target.say()
            for line in ("first", "second"):
                began = time.monotonic()
                target.say(f"{line}\n")
                target.await_line(target.out_queue, f"parked {line}", 60)
                oldest = 0
                while oldest < 2:
                    page = exporter.scrape()
                    ages = page.all("genscope_oldest_suspended_seconds", service="mine")
                    oldest, truth = max(ages, default=0), time.monotonic() - began
                    check(oldest <= truth, f"{oldest} s by genscope, at most {truth} s since it ran: {line}")
                    check(truth < 30, f"{oldest} s by genscope after {truth} s")
                    time.sleep(0.1)
                for function in ("inner", "outer"):
                    equal(f"suspended {function}", [1], page.all("genscope_function_objects", service="mine",
                                                                 function=f"pausing.py:{function}", state="suspended"))
            target.say("end\n")
            ended(target, 60, "the target")
            ended(exporter, 60, "genscope")


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def discovery(ctx):
    """New processes are found by a server that has given up its privileges; dead ones leave with their series."""
    interp = ctx.one
    with Exporter(ctx.genscope, "-x", interp.exe, "--max-overhead", "0", "--label", "found=*exported.py 7*") as exporter:
        status = status_of(exporter.pid)
        equal("user", {"65534"}, set(status["Uid"].split()))
        equal("capabilities", KEPT, int(status["CapEff"], 16))
        equal("permitted", KEPT, int(status["CapPrm"], 16))
        equal("no new privileges", "1", status["NoNewPrivs"])
        equal("seccomp", "2", status["Seccomp"])
        with Target(interp, "exported.py", "7") as target:
            target.ready()
            exporter.until("the new process", lambda page: page.sum("genscope_function_objects", service="found",
                                                                    function="exported.py:before") == 1)
            target.say()
            truth = json.loads(target.await_line(target.out_queue, "{", 60))
            told(exporter, truth, "found")
            target.say()
            ended(target, 60, "the target")
        exporter.until("its series to go", lambda page: not page.all("genscope_objects", service="found"))
        exporter.signal(signal.SIGTERM)
        ended(exporter, 60, "genscope")


def churn(ctx):
    """Many short processes, side by side: series stay bounded, what was counted stays counted."""
    number, command = 40, ctx.one.command("exported.py", "3")
    with cgroups.made(cgroups.hierarchy(), "test-churn") as group, \
            Exporter(ctx.genscope, "--cgroup", group, "--max-overhead", "0", "--max-series", "5",
                     "--label", "churn=*exported.py 3*") as exporter:
        before = None
        for batch in range(number // 4):
            with contextlib.ExitStack() as stack:
                targets = [stack.enter_context(Process(cgroups.inside(group, command))) for _ in range(4)]
                for target in targets:
                    target.await_line(target.out_queue, "ready", 60)
                    target.say("go\nend\n")
                for target in targets:
                    ended(target, 60, "a target")
            page = exporter.scrape()
            functions = {labels["function"] for name, labels, _ in page.samples if name == "genscope_run_seconds_count"}
            before = status_of(exporter.pid) if batch < 4 else before
            check(len(functions) <= 6, f"{len(functions)} functions: {sorted(functions)}")
        sound(page)
        exporter.until("all to leave", lambda page: not page.all("genscope_objects", service="churn"))
        grown = int(status_of(exporter.pid)["VmRSS"].split()[0]) - int(before["VmRSS"].split()[0])
        check(grown < 8 * 1024, f"{number} processes left {grown} KiB behind")
        exporter.signal(signal.SIGINT)
        ended(exporter, 60, "genscope")


def budget(ctx):
    """A hot target: its probes come off, that is said, and the others keep theirs."""
    with Target(ctx.one, "hot.py") as hot, Target(ctx.one, "exported.py") as quiet:
        pids = hot.ready(), quiet.ready()
        with Exporter(ctx.genscope, "-p", pids[0], "-p", pids[1], "--max-overhead", "1",
                      "--label", "hot=*hot.py*", "--label", "mine=*exported.py*",
                      "--snapshot-interval", "200ms") as exporter:
            hot.say()
            page = exporter.until("less of it", lambda page: page.sum("genscope_targets", status="paused") +
                                  page.sum("genscope_targets", status="outermost") == 1)
            equal("traced", 1, page.sum("genscope_targets", status="traced"))
            check("Estimated" in page.text, "HELP does not say that counts are estimated")
            exporter.until("a duty ratio", lambda page: page.sum("genscope_duty_ratio") < 1)
            quiet.say()
            truth = json.loads(quiet.await_line(quiet.out_queue, "{", 60))
            sound(told(exporter, truth))
            exporter.until("the hot one's objects, out of its memory",
                           lambda page: page.sum("genscope_objects", service="hot") > 0)
            for target in (hot, quiet):
                target.say()
            ended(hot, 60, "the hot target")
            ended(quiet, 60, "the quiet target")
            ended(exporter, 60, "genscope")


def by_prometheus(ctx):
    """A real server scrapes it; PromQL's answers are the target's own counts."""
    with exported(ctx, ctx.one) as (_, exporter, truth):
        for accept in (None, metrics.OPENMETRICS):
            text, _ = exporter.get(accept=accept)
            if not accept:
                lint = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True,
                                      timeout=60, check=False)
                equal("promtool's status", 0, lint.returncode)
                equal("promtool's remarks", "", lint.stdout + lint.stderr)
        host, _ = ctx.one.scratch()
        with Prometheus(exporter.url, host) as server:
            server.until('up{job="genscope"}', lambda rows: rows and rows[0][1] == 1)
            for metric in ("run", "suspended", "start_delay", "lifetime"):
                rows = server.until(f'genscope_{metric}_seconds_count{{service="mine"}}', bool)
                got = {row["function"].rsplit(":", 1)[-1]: value for row, value in rows}
                for function, expected in truth[metric].items():
                    equal(f"{metric} of {function}, by PromQL", expected, got[function])
            rows = server.until('sum by (state) (genscope_objects{service="mine",kind="coroutine"})', bool)
            equal("suspended coroutines", 10, {row["state"]: value for row, value in rows}["suspended"])
            rows = server.until('histogram_quantile(0.5, genscope_run_seconds_bucket{service="mine",'
                                'function=~".*:blocking"})', bool)
            check(0.0 < rows[0][1] < 0.27, f"the median step of what blocks for 80 ms every other time: {rows[0][1]} s")


def pages(ctx):
    with exported(ctx, ctx.one) as (_, exporter, _truth):
        text, kind = exporter.get("/")
        check(kind.startswith("text/html") and "/metrics" in text, f"the landing page: {kind}: {text[:200]}")
        text, kind = exporter.get("/healthz")
        check(text.strip().lower().startswith("ok"), text)
        text, kind = exporter.get()
        check(kind.startswith("text/plain"), kind)
        Page(text)
        exporter.signal(signal.SIGHUP)  # "read your configuration again": it does that by itself
        time.sleep(0.2)
        sound(exporter.scrape())


def says_no(ctx):
    """Wrong words, a port in use, nobody there: a line each, and the exit status of the contract."""
    port = free_port()
    with Target(ctx.one, "exported.py") as target:
        pid = target.ready()
        with Exporter(ctx.genscope, "-p", pid) as exporter:
            taken = exporter.url.split("/")[2]
            for status, words in ((1, ("-p", pid, "--listen", taken)), (2, ("--label", "x")), (2, ("--max-series", "many")),
                                  (2, ("--max-overhead", "none")), (2, ("-p", pid, "-a")), (2, ("stray",)),
                                  (1, ("-p", pid, "--listen", f"127.0.0.1:{port}", "--web-config", "/nonexistent.yml")),
                                  (3, ("-p", "999999999")), (5, ("-p", pid, "--user", "nobody-of-that-name"))):
                result = subprocess.run([ctx.genscope, "export", *map(str, words)], capture_output=True, text=True,
                                        timeout=60, check=False)
                lines = [line for line in result.stderr.splitlines() if "no USDT probes" not in line]
                equal(f"status of {words} ({lines})", status, result.returncode)
                equal(f"lines of {words}: {lines}", 1, len(lines))
                check(lines[0].startswith("genscope"), lines[0])
            sound(exporter.scrape())


TESTS = {"counts": counts, "memory_only": memory_only}
ONCE = {"memory_ages": memory_ages, "discovery": discovery, "churn": churn, "budget": budget, "prometheus": by_prometheus,
        "pages": pages, "says_no": says_no}


def run(ctx, interp):
    for name, test in TESTS.items():
        if ctx.wanted(f"{interp.label} export.{name}"):
            yield guard(interp.label, f"export.{name}", lambda: test(ctx, interp))


def run_once(ctx):
    for name, test in ONCE.items():
        if ctx.wanted(f"{ctx.one.label} export.{name}"):
            yield guard(ctx.one.label, f"export.{name}", lambda: test(ctx))
