# SPDX-License-Identifier: MIT
"""What chrome://tracing makes of a file: its own importer, outside of a browser."""

import json
import os
import shutil
import subprocess

from harness import Skip, check

FOLDER = os.path.join(os.environ.get("GENSCOPE_CACHE") or "/var/cache/genscope", "viewer")  # tests/setup/deps.sh
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "viewer.js")


def opened(path):
    """The model: warnings, threads with their slices and objects, arrows."""
    if not shutil.which("node") or not os.path.isdir(os.path.join(FOLDER, "node_modules/traceviewer")):
        raise Skip("node or the npm package traceviewer is not installed")
    done = subprocess.run(["node", SCRIPT, FOLDER, path], capture_output=True, text=True, timeout=60, check=False)
    check(done.returncode == 0, f"{path}: the viewer's importer ended with {done.returncode}: {done.stderr[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])
