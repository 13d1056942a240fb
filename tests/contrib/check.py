#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
What is in contrib/, held against the tools that will read it and against genscope itself: systemd's own analysis of
the units, promtool's of rules and of each expression of the dashboard, the metrics that user/sink/prometheus.c
writes, the options that `genscope COMMAND --help` knows. An image is made and its genscope started.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

import yaml

SCORE_MAX = 1.4  # `systemd-analyze security`, as contrib/README.md records it
STARTS_AS_ROOT = {"SETUID", "SETGID", "SETPCAP"}  # to become another user

# Labels of each metric, as users know them; which metrics there are is held against the source.
OBJECT = {"service", "kind"}
FUNCTION = OBJECT | {"function"}
METRICS = {
    "genscope_objects": OBJECT | {"state"},
    "genscope_function_objects": FUNCTION | {"state"},
    "genscope_oldest_suspended_seconds": FUNCTION,
    "genscope_transitions_total": OBJECT | {"to"},
    "genscope_run_seconds": FUNCTION,
    "genscope_suspended_seconds": FUNCTION,
    "genscope_start_delay_seconds": FUNCTION,
    "genscope_lifetime_seconds": FUNCTION,
    "genscope_slow_steps_total": FUNCTION,
    "genscope_never_awaited_total": {"service", "function"},
    "genscope_gc_pause_seconds": {"service"},
    "genscope_events_lost_total": {"reason"},
    "genscope_anomalies_total": set(),
    "genscope_series_overflow_total": set(),
    "genscope_probe_hits_total": set(),
    "genscope_probe_seconds_total": set(),
    "genscope_duty_ratio": set(),
    "genscope_state_map_entries": set(),
    "genscope_targets": {"status"},
    "genscope_up": set(),
    "genscope_build_info": {"version", "revision"},
}
HISTOGRAMS = {name for name in METRICS if name.endswith("_seconds") and "oldest" not in name}
BOUNDS = {1 << power for power in range(12, 43, 2)}  # of their buckets, in nanoseconds: user/model/exponential.h
SCRAPED = {"job", "instance"}
VARIABLES = {"__rate_interval": "1m", "__range": "1h", "__interval": "1m"}


class Failed(Exception):
    pass


def expect(true, what):
    if not true:
        raise Failed(what)


def run(*command, **options):
    """Its output; Failed with its own words when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
                          **options)
    expect(done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


class Strict(yaml.SafeLoader):
    """YAML as a parser that forgives nothing: a key may stand once."""


def strict_mapping(loader, node):
    keys = [loader.construct_object(key) for key, _ in node.value]
    expect(len(keys) == len(set(keys)), f"{node.start_mark}: a key stands twice")
    return loader.construct_mapping(node, deep=True)


Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, strict_mapping)


def load_all(path):
    with open(path, encoding="utf-8") as file:
        return list(yaml.load_all(file, Strict))


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def selected_metrics(expression):
    """[(metric, labels of its selector)] of a PromQL expression, and the labels that it groups by."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    found = [(name, set(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*""', selector)))
             for name, selector in re.findall(r"(?<![\w:])(\w+(?::\w+)+|genscope_\w+|up)(?![\w:(])(?:\{([^}]*)\})?", bare)]
    grouped = set(re.findall(r"\w+", " ".join(re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", bare))))
    return found, grouped


class Check:
    def __init__(self, options, work):
        self.contrib = os.path.join(options.root, "contrib")
        self.source = options.source or options.root
        self.genscope = os.path.abspath(options.genscope)
        self.work = work
        self.promtool = shutil.which("promtool", path=os.pathsep.join(
            [os.environ["PATH"], os.path.join(os.environ.get("GENSCOPE_CACHE", "/var/cache/genscope"), "bin")]))
        self.helps = {}
        self.rules = [rule for group in load_all(self.path("prometheus", "genscope.rules.yml"))[0]["groups"]
                      for rule in group["rules"]]

    def path(self, *names):
        return os.path.join(self.contrib, *names)

    # --- what genscope says of itself ---

    def option_exists(self, command, option):
        if command not in self.helps:
            self.helps[command] = run(self.genscope, command, "--help")
        return re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", self.helps[command]) is not None

    def check_command(self, words, where):
        """genscope COMMAND OPTION…: are they there?"""
        for word in words[1:]:
            option = word.split("=")[0]
            if option.startswith("-") and option != "-":
                expect(self.option_exists(words[0], option), f"{where}: genscope {words[0]} has no {option}")

    def kept_capabilities(self):
        """Those that it cannot do without, and those that it keeps where there are any."""
        kept = re.findall(r"kept\w*\[\] = \{([^}]*)\}", read(self.source, "user/cmd/privileges.c"))
        return set(re.findall(r"CAP_(\w+)", " ".join(kept)))

    def metrics(self):
        """Names as they are scraped: counters end in _total, of histograms there are three."""
        source = read(self.source, "user/sink/prometheus.c")
        written = set(re.findall(r'"(genscope_\w+)"', source))
        known = {re.sub("_total$", "", name) for name in METRICS}
        expect(written == known, f"user/sink/prometheus.c and METRICS differ: {sorted(written ^ known)}")

    def check_expression(self, expression, where):
        recorded = {rule["record"]: set(re.findall(r"\w+", re.search(r"by \(([^)]*)\)", rule["expr"]).group(1))) - {"le"}
                    for rule in self.rules if "record" in rule}
        found, grouped = selected_metrics(expression)
        allowed = set()
        expect(found, f"{where}: no metric of genscope in it")
        for name, labels in found:
            base = re.sub("_(bucket|sum|count)$", "", name)
            if base in HISTOGRAMS and base != name:
                here = METRICS[base] | ({"le"} if name.endswith("_bucket") else set()) | SCRAPED
            elif name in recorded:
                here = recorded[name]
            else:
                expect(name == "up" or name in METRICS and name not in HISTOGRAMS, f"{where}: no such metric: {name}")
                here = METRICS.get(name, set()) | SCRAPED
            expect(labels <= here, f"{where}: {name} has no label {sorted(labels - here)}")
            allowed |= here
        expect(grouped <= allowed, f"{where}: grouped by {sorted(grouped - allowed)}, which it does not have")

    # --- the checks: each takes nothing, tells what it saw, raises Failed ---

    def check_units(self):
        units = ["genscope-export.service", "genscope-export.socket"]
        service = read(self.path("systemd", units[0]))
        for unit in units:
            text = read(self.path("systemd", unit))
            with open(os.path.join(self.work, unit), "w", encoding="utf-8") as file:
                file.write(text.replace("/usr/local/bin/genscope", self.genscope))
        # what it does not understand it ignores, and says so
        said = run("systemd-analyze", "verify", "--man=no", *units, cwd=self.work)
        expect("genscope-export" not in said, said)
        start = re.search(r"^ExecStart=/usr/local/bin/genscope (.*)$", service, re.M).group(1)
        self.check_command(start.split(), units[0])
        for setting in ("AmbientCapabilities", "CapabilityBoundingSet"):
            given = set(re.search(rf"^{setting}=(.*)$", service, re.M).group(1).replace("CAP_", "").split())
            expect(given == self.kept_capabilities(), f"{units[0]}: {setting}: {sorted(given)} is not what the exporter keeps")
        out = run("systemd-analyze", "security", "--offline=true", "--no-pager", units[0], cwd=self.work)
        score = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", out).group(1))
        expect(score <= SCORE_MAX, f"{units[0]}: exposure {score}, more than {SCORE_MAX}\n{out}")
        expect(f"**{SCORE_MAX}**" in read(self.path("README.md")), f"contrib/README.md does not record the score {SCORE_MAX}")
        return f"units verified, exposure {score}"

    def check_kubernetes(self):
        documents = {document["kind"]: document for document in load_all(self.path("kubernetes", "daemonset.yaml"))}
        expect(set(documents) == {"Namespace", "ServiceAccount", "DaemonSet", "NetworkPolicy"}, f"it holds {sorted(documents)}")
        labels = documents["DaemonSet"]["spec"]["selector"]["matchLabels"]
        template = documents["DaemonSet"]["spec"]["template"]
        pod, container = template["spec"], template["spec"]["containers"][0]
        security = container["securityContext"]
        expect(labels.items() <= template["metadata"]["labels"].items(), "the DaemonSet does not select its own pods")
        expect(documents["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels, "the NetworkPolicy selects other pods")
        expect(pod["hostPID"] is True and "hostNetwork" not in pod and "volumes" not in pod, "more of the host than its processes")
        expect(pod["automountServiceAccountToken"] is False and documents["ServiceAccount"]["automountServiceAccountToken"] is False,
               "it gets a token")
        expect(security["privileged"] is False and security["allowPrivilegeEscalation"] is False and
               security["readOnlyRootFilesystem"] is True, "it gets more rights than it needs")
        expect(security["capabilities"]["drop"] == ["ALL"] and
               set(security["capabilities"]["add"]) == self.kept_capabilities() | STARTS_AS_ROOT,
               "capabilities are not those that the exporter keeps, and those to change its user")
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            expect(container[probe]["httpGet"] == {"path": "/healthz", "port": "metrics"}, f"{probe} asks elsewhere")
        port = container["ports"][0]["containerPort"]
        expect(f":{port}" in container["args"] and template["metadata"]["annotations"]["prometheus.io/port"] == str(port),
               "ports differ")
        self.check_command(container["args"], "daemonset.yaml")
        monitor = load_all(self.path("kubernetes", "podmonitor.yaml"))[0]["spec"]
        expect(monitor["selector"]["matchLabels"] == labels and
               monitor["podMetricsEndpoints"][0]["port"] == container["ports"][0]["name"], "the PodMonitor looks elsewhere")
        return "manifests hold together"

    def check_image(self):
        archive, root, name = os.path.join(self.work, "image.tar"), os.path.join(self.work, "root"), "localhost/genscope:test"
        run(self.path("kubernetes", "image.sh"), self.genscope, name, archive)
        with tarfile.open(archive) as image:
            def blob(path):
                return image.extractfile(f"./{path}").read()
            manifest = json.loads(blob("manifest.json"))[0]
            index = json.loads(blob("index.json"))["manifests"][0]
            described = json.loads(blob("blobs/sha256/" + index["digest"].split(":")[1]))
            expect(manifest["RepoTags"] == [name] and manifest["Layers"] ==
                   ["blobs/sha256/" + described["layers"][0]["digest"].split(":")[1]], "its two descriptions differ")
            with tarfile.open(fileobj=image.extractfile("./" + manifest["Layers"][0])) as layer:
                layer.extractall(root)
        # whoever may not chroot may do so in a user namespace of their own
        chroot = ["chroot", root] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "chroot", root]
        environment = {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
        says = run(*chroot, "/usr/bin/genscope", "--version", env=environment)
        expect(says == run(self.genscope, "--version"), f"genscope of the image says {says}")
        expect("genscope:x:" in read(root, "etc/passwd"), "the image has no user genscope")
        return f"an image of {os.path.getsize(archive) >> 20} MiB starts"

    def check_rules(self):
        here = {"cwd": self.path("prometheus")}
        run(self.promtool, "check", "rules", "genscope.rules.yml", **here)
        run(self.promtool, "check", "config", "--syntax-only", "scrape.yml", **here)
        run(self.promtool, "test", "rules", "genscope.rules.test.yml", **here)
        firing, silent = set(), set()
        for world in load_all(self.path("prometheus", "genscope.rules.test.yml"))[0]["tests"]:
            for test in world["promql_expr_test"]:
                name = re.search(r'ALERTS\{alertname="(\w+)", alertstate="firing"\}', test["expr"])
                if name:
                    (firing if test["exp_samples"] else silent).add(name.group(1))
        alerts = {rule["alert"]: rule for rule in self.rules if "alert" in rule}
        expect(firing == silent == set(alerts), f"without a test of both: {sorted(set(alerts) - firing & silent)}")
        for rule in self.rules:
            self.check_expression(rule["expr"], rule.get("alert", rule.get("record")))
        for name, rule in alerts.items():
            for limit in re.findall(r":p99_\w+(?:\{[^}]*\})? [<>]=? ([\d.]+)", rule["expr"]):
                expect(round(float(limit) * 1e9) in BOUNDS, f"{name}: {limit} lies between the bounds of buckets")
            expect(rule["labels"]["severity"] in ("critical", "warning", "info"), f"{name}: its severity")
            expect(set(rule["annotations"]) == {"summary", "description", "runbook"}, f"{name}: its annotations")
            for command in re.findall(r"\bgenscope ([a-z]+(?: (?:-{1,2}[a-z-]+(?: [\w'*]+)?))*)", rule["annotations"]["runbook"]):
                if command.split()[0] in ("ps", "trace", "latency", "slow", "doctor"):
                    self.check_command(command.split(), f"{name}: runbook")
        return f"{len(alerts)} alerts tested, firing and not"

    def expressions(self, dashboard):
        """(where, expression) of all panels, variables and annotations, with Grafana's variables filled in."""
        values = dict(VARIABLES, **{variable["name"]: "x" for variable in dashboard["templating"]["list"]})
        given = [(f"panel “{panel['title']}”", target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", [])]
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()
                given.append((f"variable {variable['name']}", f"count by ({label}) ({selector})"))
        given += [(f"annotation {annotation['name']}", annotation["expr"])
                  for annotation in dashboard["annotations"]["list"] if "expr" in annotation]
        for where, expression in given:
            unknown = set(re.findall(r"\$\{?(\w+)", expression)) - set(values)
            expect(not unknown, f"{where}: no such variable: {unknown}")
            yield where, re.sub(r"\$\{?(\w+)\}?", lambda m: values[m.group(1)], expression)

    def check_legends(self, panels):
        """Each names labels that its expression keeps: others would be blank."""
        for panel in panels:
            for target in panel.get("targets", []):
                found, grouped = selected_metrics(target["expr"])
                own = set().union(*(METRICS.get(re.sub("_(bucket|sum|count)$", "", name), set()) for name, _ in found))
                absent = set(re.findall(r"{{\s*(\w+)\s*}}", target["legendFormat"])) - (grouped or own | SCRAPED)
                expect(not absent, f"{panel['title']}: its legend has {sorted(absent)}, its series have not")

    def check_dashboard(self):
        dashboard = json.loads(read(self.path("grafana", "genscope.json")))
        panels = dashboard["panels"]
        expect(len({panel["id"] for panel in panels}) == len(panels), "an id stands twice")
        cells = set()
        for panel in panels:
            at = panel["gridPos"]
            covered = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            expect(at["x"] + at["w"] <= 24 and not covered & cells, f"{panel['title']}: lies over another, or over the edge")
            cells |= covered
            if panel["type"] != "row":
                expect(panel.get("description") and panel["targets"], f"{panel['title']}: says nothing")
                expect(all(source["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
                           for source in [panel] + panel["targets"]), f"{panel['title']}: not of the chosen source")
        self.check_legends(panels)
        expressions = list(self.expressions(dashboard))
        for where, expression in expressions:
            if not where.startswith("annotation"):  # of ALERTS, which are Prometheus' own
                self.check_expression(expression, where)
        rules = os.path.join(self.work, "dashboard.yml")
        with open(rules, "w", encoding="utf-8") as file:
            yaml.safe_dump({"groups": [{"name": "dashboard", "rules": [
                {"record": f"panel:expression:{index}", "expr": expression}
                for index, (_, expression) in enumerate(expressions)]}]}, file)
        run(self.promtool, "check", "rules", rules)
        shown = {re.sub("_(bucket|sum|count)$", "", name) for _, expression in expressions
                 for name, _ in selected_metrics(expression)[0]}
        expect(set(METRICS) <= shown, f"not shown: {sorted(set(METRICS) - shown)}")
        return f"{len(expressions)} expressions parse, of what the exporter has"

    def all(self):
        """True when all is well."""
        absent = [tool for tool, found in (("systemd-analyze", shutil.which("systemd-analyze")), ("promtool", self.promtool))
                  if not found]
        if absent:
            print(f"contrib: not installed: {' '.join(absent)}: run `make deps` as root")
            return False
        failed = 0
        for name in ("metrics", "check_units", "check_kubernetes", "check_image", "check_rules", "check_dashboard"):
            title = name.replace("check_", "")
            try:
                print(f"contrib: {title}: {getattr(self, name)() or 'as the source has them'}")
            except (Failed, OSError, ValueError, KeyError, AttributeError, yaml.YAMLError, subprocess.TimeoutExpired) as error:
                print(f"contrib: {title}: FAILED: {error}")
                failed += 1
        return not failed


def main():
    parser = argparse.ArgumentParser(description="Check what is in contrib/.")
    parser.add_argument("--genscope", required=True, help="the program that was built")
    parser.add_argument("--root", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    parser.add_argument("--source", help="where user/ is looked for; default: the root")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        try:
            return 0 if Check(options, work).all() else 1
        except (Failed, OSError, yaml.YAMLError) as error:
            print(f"contrib: FAILED: {error}")
            return 1


if __name__ == "__main__":
    sys.exit(main())
