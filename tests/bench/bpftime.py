# SPDX-License-Identifier: MIT
"""What the kernel says that a tool's BPF programs took, without the traps that lead to them."""
import contextlib
import os

from modes import Missing

SWITCH = "/proc/sys/kernel/bpf_stats_enabled"
KPROBE = "2"    # BPF_PROG_TYPE_KPROBE, which uprobes are, too


@contextlib.contextmanager
def switched_on():
    try:
        with open(SWITCH) as file:
            before = file.read()
        with open(SWITCH, "w") as file:
            file.write("1")
    except OSError as error:
        raise Missing(f"{SWITCH}: {error.strerror}") from error
    try:
        yield
    finally:
        with open(SWITCH, "w") as file:
            file.write(before)


def probes_of(pid):
    """The probe programs that a process holds, each by what /proc tells of its descriptor."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fdinfo"):
        with open(f"/proc/{pid}/fdinfo/{number}") as file:
            fields = dict(line.split(":", 1) for line in file if ":" in line)
        fields = {key: value.strip() for key, value in fields.items()}
        if fields.get("prog_type") == KPROBE:
            found[fields["prog_id"]] = fields
    return found.values()


def measure(mode, scene):
    """Runs and nanoseconds of all probes of a tool, in one round more."""
    with switched_on():
        watch = mode.start(scene)
        try:
            scene.round(mode.command)
            probes = probes_of(watch.pid)
        finally:
            mode.end(watch, scene)
    runs = sum(int(probe.get("run_cnt", 0)) for probe in probes)
    if not runs:
        raise Missing("the kernel counted no runs")
    return {"runs": runs, "ns": sum(int(probe["run_time_ns"]) for probe in probes)}
