# SPDX-License-Identifier: MIT
"""From samples to figures. None is a figure that could not be measured."""
import statistics

ENOUGH_EVENTS = 20_000


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def more_than_noise(value):
    """A cost below nothing is the machine's noise."""
    return value if value is not None and value > 0 else None


def spread(values):
    return [min(values), max(values)] if values else None


def ratio(over, under):
    return over / under if over is not None and under else None


def cost_ns(sample):
    """Of one hit, in time of the target's processor: other processes do not count."""
    cost = ratio(sample["traced_cpu"] - sample["untraced_cpu"], sample.get("hits"))
    return None if cost is None else cost * 1e9


def over_floor(samples, floor):
    """Sweep by sweep: the two were measured right after each other."""
    return [ratio(cost_ns(sample), cost_ns(other)) for sample, other in zip(samples, floor)]


def tracer_seconds(samples, control):
    """Processor time of the tool for an event. A few events would drown in the noise of its start."""
    told = [sample for sample in samples if sample.get("events", 0) * sample["turns"] >= ENOUGH_EVENTS]
    return None if control is None else more_than_noise(
        median([(sample["cpu"] - control) / (sample["events"] * sample["turns"]) for sample in told]))


def of_mode(results, name):
    samples = results.samples.get(name, [])
    if not samples:
        return {"missing": results.missing.get(name, "not measured")}
    slowdowns = [sample["traced"] / sample["untraced"] for sample in samples]
    by_processor = [sample["traced_cpu"] / sample["untraced_cpu"] for sample in samples]
    cpu, bpf = tracer_seconds(samples, results.control.get(name)), results.bpf.get(name, {})
    return {
        "pairs": len(samples),
        "slowdown": median(slowdowns), "slowdown_spread": spread(slowdowns),
        "cpu_slowdown": median(by_processor),
        "ns_per_hit": more_than_noise(median([cost_ns(sample) for sample in samples])),
        "over_floor": more_than_noise(median(over_floor(samples, results.samples.get("floor", [])))),
        "hits_per_transition": median([ratio(sample.get("hits"), sample["transitions"]) for sample in samples]),
        "stepped_share": median([ratio(sample.get("stepped_hits"), sample.get("hits")) for sample in samples]),
        "events_seen": median([ratio(sample.get("events"), sample["transitions"]) for sample in samples]),
        "resumes_seen": median([ratio(sample.get("resumes"), sample["true_resumes"]) for sample in samples]),
        "tracer_us_per_event": None if cpu is None else cpu * 1e6,
        "lost": sum(sample["lost"] for sample in samples) if "lost" in samples[0] else None,
        "anomalies": sum(sample["anomalies"] for sample in samples) if "anomalies" in samples[0] else None,
        "bpf_ns_per_run": ratio(bpf.get("ns"), bpf.get("runs")),
        "control_cpu_s": results.control.get(name),
        "samples": samples,
    }


def of_workload(results, names):
    samples = [sample for kept in results.samples.values() for sample in kept]
    return {
        "transitions": samples[0]["transitions"] if samples else None,
        "untraced_s": median([sample["untraced"] for sample in samples]),
        "untraced_cpu_s": median([sample["untraced_cpu"] for sample in samples]),
        "modes": {name: of_mode(results, name) for name in names},
    }
