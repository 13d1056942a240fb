# SPDX-License-Identifier: MIT
"""Traces by themselves: how long an analysis takes, a start and an end, and what full rate into a file costs."""
import json
import os
import signal
import statistics
import subprocess
import time

from target import Target

ROUNDS = 5
BUSY_SECONDS = 2.0


class Tracer:
    """genscope trace on a pid, attached."""

    def __init__(self, genscope, pids, output, extra=()):
        self.started = time.monotonic()
        targets = [word for pid in pids for word in ("-p", str(pid))]
        self.process = subprocess.Popen(
            [genscope, "trace", "--json", "-o", output, *targets, *extra],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        if not line.startswith("genscope: attached"):
            raise RuntimeError(line.strip())
        self.attached = time.monotonic()

    def end(self, interrupt=True):
        """Wait status, seconds to the end, maximum resident kilobytes, processor seconds."""
        start = time.monotonic()
        if interrupt:
            self.process.send_signal(signal.SIGINT)
        self.process.stdout.close()
        self.process.stderr.close()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return time.monotonic() - start, usage.ru_maxrss, usage.ru_utime + usage.ru_stime


def summary_of(path):
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - 8192))
        return json.loads(file.read().splitlines()[-1])


def measure_analysis(genscope, binary, root):
    path = (root or "") + binary
    values = []
    for _ in range(ROUNDS):
        out = subprocess.run([genscope, "doctor", "--json", path], capture_output=True, text=True)
        if out.returncode:
            return None
        values.append(json.loads(out.stdout)["analysis_ms"])
    return statistics.median(values)


def measure_start_and_end(genscope, binary, root):
    """Seconds from start to the first event, and from SIGINT to the end, on a busy target."""
    starts, ends = [], []
    for _ in range(ROUNDS):
        target = Target(binary, root, "busy.py", 1, 30)
        target.go()
        tracer = Tracer(genscope, [target.pid], "-")
        tracer.process.stdout.readline()
        starts.append(time.monotonic() - tracer.started)
        # keep reading, or the tracer would wait for the pipe
        reader = subprocess.Popen(["cat"], stdin=tracer.process.stdout, stdout=subprocess.DEVNULL)
        ends.append(tracer.end()[0])
        reader.wait()
        target.kill()
    return statistics.median(starts), statistics.median(ends)


def untraced(binary, root, threads):
    target = Target(binary, root, "busy.py", threads, BUSY_SECONDS)
    target.go()
    done = target.result()
    return done["seconds"] / done["transitions"]


def measure_rate(genscope, binary, root, threads, processes, folder):
    """Full rate into a file: what was lost, what it took."""
    plain = untraced(binary, root, threads)
    targets = [Target(binary, root, "busy.py", threads, BUSY_SECONDS) for _ in range(processes)]
    output = os.path.join(folder, "busy.jsonl")
    tracer = Tracer(genscope, [target.pid for target in targets], output)
    for target in targets:
        target.go()
    done = [target.result() for target in targets]
    _, kilobytes, processor = tracer.end(interrupt=False)
    summary = summary_of(output)
    os.unlink(output)
    made = sum(one["transitions"] for one in done)
    traced = max(one["seconds"] for one in done) / made * processes
    lost = sum(summary["lost"].values())
    return {
        "transitions": made,
        "events": summary["events"],
        "hits_per_second": summary["hits"] / max(one["seconds"] for one in done),
        "hits_per_transition": summary["hits"] / made,
        "stepped_share": summary["stepped_hits"] / summary["hits"],
        "lost": lost,
        "anomalies": summary["anomalies"],
        "closes": summary["closes"],
        "untraced_ns": plain * 1e9,
        "traced_ns": traced * 1e9,
        "tracer_us_per_event": processor / summary["events"] * 1e6 if summary["events"] else None,
        "rss_mib": kilobytes / 1024,
    }


def measure(genscope, binary, root, folder):
    start, end = measure_start_and_end(genscope, binary, root)
    return {
        "analysis_ms": measure_analysis(genscope, binary, root),
        "start_ms": start * 1e3,
        "end_ms": end * 1e3,
        "rates": {
            "two threads": measure_rate(genscope, binary, root, 2, 1, folder),
            "two processes": measure_rate(genscope, binary, root, 1, 2, folder),
        },
    }


def report(row):
    analysis = "missing" if row["analysis_ms"] is None else f"{row['analysis_ms']:.0f} ms"
    print(f"  trace: analysis {analysis}, first event {row['start_ms']:.0f} ms, end {row['end_ms']:.0f} ms")
    for load, rate in row["rates"].items():
        print(f"    {load:16} {rate['hits_per_second'] / 1e3:7.0f} k hits/s  lost {rate['lost']}  "
              f"anomalies {rate['anomalies']}  stepped {rate['stepped_share']:.0%}  "
              f"per transition {rate['untraced_ns']:.0f} -> {rate['traced_ns']:.0f} ns  "
              f"tracer {rate['tracer_us_per_event']:.2f} us/event  RSS {rate['rss_mib']:.0f} MiB")
    print(flush=True)
