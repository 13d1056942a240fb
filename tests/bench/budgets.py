# SPDX-License-Identifier: MIT
"""What `export --max-overhead` costs the target that has most to lose: a tight loop over a generator.

In processor time of the target, which traps are a part of, and what else the machine does is not.
"""
import windows

PERCENTS = (1, 2, 5)
SETTLE_SECONDS = 1


def slowdown(sample, clock):
    return 100 * (1 / sample["steady"][clock] - 1)


def measure(genscope, binary, root, pairs):
    wanted = [windows.Wanted(str(percent), ("--max-overhead", str(percent)), SETTLE_SECONDS) for percent in PERCENTS]
    samples, plain = windows.compare(genscope, binary, root, "for", wanted, pairs)
    row = {name: {"slowdown_percent": windows.figures([slowdown(sample, "cpu_seconds") for sample in kept]),
                  "wall_slowdown_percent": windows.figures([slowdown(sample, "seconds") for sample in kept]),
                  "account_percent": windows.figures([100 * sample["account"] for sample in kept]),
                  "duty_ratio": windows.figures([sample["duty_ratio"] for sample in kept]), "samples": kept}
           for name, kept in samples.items()}
    return {"budgets": row, "noise": windows.noise(plain)}


def report(row):
    print("  export, tight loop".ljust(27), f"untraced windows of {windows.WINDOW_SECONDS} s, by processor time: "
          f"{windows.told_noise(row['noise'], 'cpu_seconds')} of their median, by the wall's clock "
          f"{windows.told_noise(row['noise'], 'seconds')}")
    for name, got in row["budgets"].items():
        print(f"    --max-overhead {name}".ljust(27), f"{windows.told(got['slowdown_percent'], 2)} % slower by processor time, "
              f"{windows.told(got['wall_slowdown_percent'], 2)} by the wall's clock; its own account "
              f"{windows.told(got['account_percent'], 2)} %, probes on {100 * got['duty_ratio']['median']:.1f} % of the time", flush=True)
