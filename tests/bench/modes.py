# SPDX-License-Identifier: MIT
"""The ways to watch a target that are compared: each is started on it, and tells at its end what it saw.

Whether a way exists is found out by trying it. One that does not is Missing, and the reason is what it said.
"""
import json
import os
import re
import signal
import subprocess

import slots
from target import Lines, wait

USAGE = 2   # the exit status of a command or an option that is not there


class Missing(Exception):
    """This cannot be measured here, and why: the last line of what was said."""

    def __init__(self, said):
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        super().__init__(lines[-1] if lines else "no reason was given")
        self.said = said


def processor_ns(pid):
    """What all threads of a process used until now."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            total += int(file.read().split()[0])
    return total


class Watch:
    """A tool that runs, and has attached once a line of its output begins with `mark`."""

    def __init__(self, command, mark, **where):
        self.process = subprocess.Popen(command, bufsize=0, **{"stdout": subprocess.PIPE, **where})
        self.lines, self.pid, said = Lines(self.process.stderr or self.process.stdout), self.process.pid, ""
        try:
            while line := self.lines.next():
                if line.startswith(mark):
                    self.before = processor_ns(self.pid)
                    return
                said += line
        except RuntimeError as error:
            self.process.kill()
            said += str(error)
        wait(self.process)
        raise Missing(said)

    def end(self):
        """Processor seconds since it had attached, and what it wrote meanwhile."""
        text = self.interrupt()
        usage = wait(self.process)
        if self.process.returncode:
            raise Missing(f"{text}\nit ended with {self.process.returncode}")
        return usage.ru_utime + usage.ru_stime - self.before / 1e9, text

    def interrupt(self):
        """A signal that comes at a bad moment is lost on some tools."""
        text = ""
        for _ in range(10):
            self.process.send_signal(signal.SIGINT)
            try:
                while line := self.lines.next(5.0):
                    text += line
                return text
            except RuntimeError:
                pass
        self.process.kill()
        return text


class Mode:
    """everywhere: with each workload, not only some. turns: rounds of the target in each measurement. command: what
    the target is told to do. scene (of a method): genscope, floor, folder, target, sites, path of their file."""

    def __init__(self, name, everywhere=True, turns=1, command="plain", has_bpf=True):
        self.name, self.everywhere, self.turns = name, everywhere, turns
        self.command, self.has_bpf = command, has_bpf

    def start(self, scene):
        """A Watch, or None where there is no tool."""

    def end(self, watch, scene):
        """What it saw: cpu, hits, events … as far as it tells."""
        return {}


def summary_of(lines):
    summary = json.loads(lines[-1]) if lines else {}
    return summary if summary.get("type") == "summary" else {}


class Genscope(Mode):
    """A command of genscope that writes a file, whose last line is a summary."""

    def __init__(self, name, *words, **how):
        super().__init__(name, **how)
        self.words = words

    def path(self, scene):
        return os.path.join(scene.folder, self.words[0])

    def start(self, scene):
        return Watch([scene.genscope, *self.words, "-o", self.path(scene), "-p", str(scene.target.pid)],
                     "genscope: attached", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def summary(self, scene):
        with open(self.path(scene), "rb") as file:
            file.seek(max(0, os.path.getsize(self.path(scene)) - 8192))
            return summary_of(file.read().splitlines())

    def end(self, watch, scene):
        try:
            cpu, _ = watch.end()
            summary = self.summary(scene)
        finally:
            if os.path.exists(self.path(scene)):
                os.unlink(self.path(scene))
        saw = {key: summary[key] for key in ("hits", "events", "stepped_hits", "anomalies", "closes") if key in summary}
        if "lost" in summary:
            saw["lost"] = sum(summary["lost"].values())
        return {"cpu": cpu, **saw}


class Record(Genscope):
    """Its file is read by another command."""

    def summary(self, scene):
        out = subprocess.run([scene.genscope, "report", "--json", self.path(scene)], capture_output=True, check=False)
        return {} if out.returncode else summary_of(out.stdout.splitlines())


class Floor(Mode):
    """A BPF program that does nothing (or counts) at the sites of genscope."""

    def __init__(self, name="floor", variant="empty"):
        super().__init__(name)
        self.variant = variant

    def start(self, scene):
        return Watch([scene.floor, self.variant, str(scene.target.pid), scene.path, *scene.offsets], "attached",
                     stderr=subprocess.STDOUT)

    def end(self, watch, scene):
        _, text = watch.end()
        return {"hits": int(text)} if self.variant == "count" else {"hits": scene.floor_hits}


class Bpftrace(Mode):
    """Entry and return probes where the types say that generators and coroutines are resumed.

    bpftrace takes an address in a stripped file for an offset, on some versions: what it did is seen in the target."""

    def __init__(self, name, **how):
        super().__init__(name, **how)
        self.refused, self.by_offset = set(), {}

    def probes(self, scene, by_offset):
        for spot in scene.slots:
            for kind, counter in (("uprobe", "entries"), ("uretprobe", "returns")):
                probe = f"{kind}:{spot.path}:{spot.offset if by_offset else spot.linked}"
                if probe not in self.refused:
                    yield probe + " { @%s = count(); }" % counter

    def attach(self, scene, by_offset):
        """Without what it cannot attach, as its user would."""
        while True:
            try:
                return Watch(["bpftrace", "--unsafe", "-p", str(scene.target.pid), "-e",
                              " ".join(self.probes(scene, by_offset))],
                             "__BPFTRACE_NOTIFY_PROBES_ATTACHED", stderr=subprocess.STDOUT,
                             env={**os.environ, "__BPFTRACE_NOTIFY_PROBES_ATTACHED": "1"})
            except FileNotFoundError:
                raise Missing("bpftrace is not installed") from None
            except Missing as why:
                refused = re.search(r"Error attaching probe: (\S+)", why.said)
                if not refused or refused[1] in self.refused:
                    raise
                self.refused.add(refused[1])

    def start(self, scene):
        ways = (False, True) if scene.path not in self.by_offset else (self.by_offset[scene.path],)
        for by_offset in ways:
            watch = self.attach(scene, by_offset)
            if slots.planted(scene.slots, scene.target.pid):
                self.by_offset[scene.path] = by_offset
                return watch
            watch.end()
        raise Missing("bpftrace put its probes somewhere else")

    def end(self, watch, scene):
        _, text = watch.end()
        seen = {name: int(count) for name, count in re.findall(r"@(entries|returns): (\d+)", text)}
        entries, returns = seen.get("entries", 0), seen.get("returns", 0)
        return {"hits": entries + returns, "resumes": entries}


# Starts of a tool differ by some 10 ms of processor time: of one round of a server that is as much as its events cost.
SEVERAL = 8


def all_modes():
    return [
        Floor(),
        Genscope("latency", "latency", "--json"),
        Genscope("trace", "trace", "--json", turns=SEVERAL),
        Record("record", "record", turns=SEVERAL),
        Genscope("steps", "latency", "--steps", "--json", everywhere=False),
        Genscope("overhead1", "trace", "--max-overhead", "1", "--json", everywhere=False, turns=30),
        Genscope("slow1", "slow", "--max-overhead", "1", "--json", everywhere=False, turns=30),
        Bpftrace("bpftrace", everywhere=False),
        Mode("monitoring", everywhere=False, command="monitored", has_bpf=False),
    ]
