# SPDX-License-Identifier: MIT
"""Other people's tools, active inside the target: a debugger's settrace, a coverage tool's monitoring."""

import sys
import threading

TOOL = sys.monitoring.COVERAGE_ID if hasattr(sys, "monitoring") else None


def _trace(frame, event, arg):
    return _trace


def _nothing(*args):
    return None


def start(mode):
    if mode == "settrace":
        threading.settrace(_trace)
        sys.settrace(_trace)
    elif mode == "cover" and TOOL is not None:
        ev = sys.monitoring.events
        sys.monitoring.use_tool_id(TOOL, "coverage")
        for event in (ev.LINE, ev.INSTRUCTION):
            sys.monitoring.register_callback(TOOL, event, _nothing)
        sys.monitoring.set_events(TOOL, ev.LINE | ev.INSTRUCTION)
    elif mode == "cover":
        threading.setprofile(_nothing)
        sys.setprofile(_nothing)


def stop(mode):
    if mode == "settrace":
        sys.settrace(None)
        threading.settrace(None)
    elif mode == "cover" and TOOL is not None:
        sys.monitoring.set_events(TOOL, 0)
        sys.monitoring.free_tool_id(TOOL)
    elif mode == "cover":
        sys.setprofile(None)
        threading.setprofile(None)
