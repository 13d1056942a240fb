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


def told(figures):
    return f"{figures['median']:.2f} ({figures['spread'][0]:.2f} - {figures['spread'][1]:.2f})"


def report(row):
    print("  export, tight loop".ljust(27), f"untraced windows of {windows.WINDOW_SECONDS} s, by processor time: "
          f"{' - '.join(f'{one:.3f}' for one in row['noise']['cpu_seconds'])} of their median, by the wall's clock "
          f"{' - '.join(f'{one:.3f}' for one in row['noise']['seconds'])}")
    for name, got in row["budgets"].items():
        print(f"    --max-overhead {name}".ljust(27), f"{told(got['slowdown_percent'])} % slower by processor time, "
              f"{told(got['wall_slowdown_percent'])} by the wall's clock; its own account {told(got['account_percent'])} %, "
              f"probes on {100 * got['duty_ratio']['median']:.1f} % of the time", flush=True)
