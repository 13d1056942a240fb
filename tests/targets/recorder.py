# SPDX-License-Identifier: MIT
"""The truth, taken inside the target: one record per tracked generator, coroutine or async generator.

3.12+: sys.monitoring. 3.11: sys.settrace, whose call/return/exception events carry the same facts.
Without instruments (`plain`) only identity is kept; the driver then takes the sequence of events from an
instrumented run of the same program. No generator is used here: the recorder must not trace itself.
"""

import json
import os
import sys
import threading
import types
import weakref

import via

KINDS = {types.GeneratorType: ("generator", "gi", "GEN"),
         types.CoroutineType: ("coroutine", "cr", "CORO"),
         types.AsyncGeneratorType: ("async_generator", "ag", "AGEN")}
WRAPPED = "async_generator_wrapped_value"


class Record:
    """What is known of one object; `events` are its transitions in order."""

    def __init__(self, obj, case, key, full):
        self.case, self.key, self.address, self.pid = case, key, id(obj), os.getpid()
        self.kind, short, self.prefix = KINDS[type(obj)]
        self.code = getattr(obj, short + "_code")
        self.name, self.qualname = obj.__name__, obj.__qualname__
        self.frame_attr = short + "_frame"
        self.state, self.line, self.entry, self.hint = None, None, None, None
        self.freed, self.mark, self.last_exc, self.pending, self.unsure = False, 0, None, False, False
        self.events, self.ref, self.frame_id = [], None, None
        if full:
            frame = getattr(obj, self.frame_attr)
            self.frame_id, self.line = id(frame), frame.f_lineno

    def add(self, to, cause, line, parent=None, deleg=False):
        self.events.append({"from": self.state, "to": to, "via": cause, "line": line, "deleg": deleg,
                            "parent": parent, "tid": threading.get_native_id()})
        self.state = to

    def out(self):
        return {"case": self.case, "key": self.key, "pid": self.pid, "gen": hex(self.address), "kind": self.kind,
                "name": self.name, "qualname": self.qualname, "file": self.code.co_filename,
                "firstlineno": self.code.co_firstlineno, "freed": self.freed, "mark": self.mark,
                "events": [{**e, "from": self.full(e["from"]), "to": self.full(e["to"])} for e in self.events]}

    def full(self, state):
        return None if state is None else f"{self.prefix}_{state}"


class Recorder:
    def __init__(self, mode):
        self.mode, self.case, self.full = mode, "", mode == "mon"
        self.records, self.frames, self.keys = [], {}, {}
        self.expects, self.throwing, self.helping = [], None, 0
        self.lock = threading.Lock()

    # What target programs call

    def track(self, obj, key=None, born=True):
        """Follow obj from now on. Returns obj, so that it can wrap any creating expression."""
        with self.lock:
            if key is None:
                key = self.keys[self.case] = self.keys.get(self.case, 0) + 1
            record = Record(obj, self.case, str(key), self.full)
            self.records.append(record)
            if self.full:
                self.frames[record.frame_id] = record
        if self.full:
            record.ref = weakref.ref(obj, lambda _ref: self.on_death(record))
            record.state = None
            if born:
                record.add("CREATED", "create", record.line)
        return obj

    def hint(self, obj, cause):
        """The next resume of obj has this via (where no source text can tell)."""
        for record in self.records:
            if record.ref is not None and record.ref() is obj:
                record.hint = cause

    def sync(self, cause="close"):
        """Notice what was closed without running: no callback tells (3.12+ shortcuts)."""
        for record in list(self.frames.values()) if self.full else ():
            obj = record.ref()
            if obj is not None and record.state in ("CREATED", "SUSPENDED") and \
                    getattr(obj, record.frame_attr) is None:
                self.closed(record, cause, record.line)

    def help(self, call, obj, exc):
        """call() closes or throws into obj; afterwards see what was closed without running."""
        self.throwing, self.helping = (id(obj), type(exc) if exc is not None else None), self.helping + 1
        try:
            return call()
        finally:
            self.throwing, self.helping = None, self.helping - 1
            self.sync()

    def mark(self):
        """Everything recorded so far happened before the tracer attached."""
        for record in self.records:
            record.mark = len(record.events)

    def forked(self):
        """In a forked child: what was inherited goes on as the child's own, and is not seen from its birth."""
        self.mark()
        for record in self.records:
            record.pid, record.case = os.getpid(), record.case + "@child"

    # Transitions

    def lookup(self, frame):
        record = self.frames.get(id(frame))
        if record is None or record.code is not frame.f_code:
            return None
        return record

    def enter(self, frame, thrown, exc_type):
        record = self.lookup(frame)
        if record is None or record.state == "RUNNING":  # an async generator coming back from an await
            return
        if record.hint is not None:
            cause, record.hint = record.hint, None
        elif thrown:
            cause = self.thrown_cause(frame, record, exc_type)
        else:
            cause = via.of_resume(frame, record.kind)
        record.entry = cause
        # Where throw and close are delegated, the caller frame is not the driver: parent "?" is not compared.
        parent = "?" if thrown else self.parent(frame)
        record.add("RUNNING", cause, record.line, parent)

    def thrown_cause(self, frame, record, exc_type):
        cause = via.of_throw(frame, record.kind, exc_type, record.freed)
        address, helper_exc = self.throwing or (record.address, None)
        if cause == "throw" and helper_exc is GeneratorExit and address != record.address:
            return "throw|close"  # throw(GeneratorExit) closes an inner generator (_gen_throw, gen_close_iter)
        return cause

    def parent(self, frame):
        """Key of the tracked object that runs below frame, null if none runs, "?" if an untracked one does."""
        back = frame.f_back
        while back is not None:
            if back.f_code.co_flags & via.GENLIKE:
                record = self.lookup(back)
                return "?" if record is None else [record.case, record.key]
            back = back.f_back
        return None

    def ensure_running(self, frame, record):
        # 3.11 pops a finished inner generator in throw() and goes on without a call event.
        if record.state != "RUNNING":
            record.entry = via.of_throw(frame, record.kind, None, record.freed)
            record.add("RUNNING", record.entry, record.line, "?")

    def yielded(self, frame, offset, value):
        record = self.lookup(frame)
        if record is None:
            return
        self.ensure_running(frame, record)
        if record.kind == "async_generator" and type(value).__name__ != WRAPPED:
            return  # suspended in an await: still AGEN_RUNNING
        record.line = frame.f_lineno
        record.add("SUSPENDED", "await" if record.kind == "coroutine" else "yield", record.line,
                   deleg=via.delegating(frame.f_code, offset))

    def left(self, frame, cause):
        record = self.lookup(frame)
        if record is not None:
            self.ensure_running(frame, record)
            self.closed(record, cause, frame.f_lineno)

    def unwound(self, frame, exc_type):
        record = self.lookup(frame)
        if record is None:
            return
        cause = "raise"
        if exc_type is not None and issubclass(exc_type, GeneratorExit):
            entry = record.entry if record.state == "RUNNING" else "close"
            begun = {"close", "aclose", "finalize"} & set((entry or "").split("|"))
            if begun:
                cause = "close" if entry in ("close", "aclose", "finalize", "finalize|close") else "close|raise"
        self.left(frame, cause)

    def closed(self, record, cause, line):
        record.add("CLOSED", cause, line)
        if self.frames.get(record.frame_id) is record:
            del self.frames[record.frame_id]

    def on_death(self, record):
        record.freed, record.unsure = True, self.helping > 0
        record.death = len(record.events), threading.get_native_id()
        self.sync("close|finalize")

    # Instruments

    def start(self):
        if self.full and hasattr(sys, "monitoring"):
            self.start_monitoring()
        elif self.full:
            threading.settrace(self.trace)
            sys.settrace(self.trace)

    def stop(self):
        if self.full and hasattr(sys, "monitoring"):
            sys.monitoring.set_events(3, 0)
            sys.monitoring.free_tool_id(3)
        elif self.full:
            sys.settrace(None)
            threading.settrace(None)
        self.finish()

    def start_monitoring(self):
        mon, ev = sys.monitoring, sys.monitoring.events
        mon.use_tool_id(3, "genscope-truth")
        frame = sys._getframe
        calls = {ev.PY_START: lambda code, at: self.enter(frame(1), False, None),
                 ev.PY_RESUME: lambda code, at: self.enter(frame(1), False, None),
                 ev.PY_THROW: lambda code, at, exc: self.enter(frame(1), True, type(exc)),
                 ev.PY_YIELD: lambda code, at, value: self.yielded(frame(1), at, value),
                 ev.PY_RETURN: lambda code, at, value: self.left(frame(1), "return"),
                 ev.PY_UNWIND: lambda code, at, exc: self.unwound(frame(1), type(exc))}
        events = 0
        for event, call in calls.items():
            mon.register_callback(3, event, call)
            events |= event
        mon.set_events(3, events)

    def trace(self, frame, event, arg):
        if not frame.f_code.co_flags & via.GENLIKE:
            return None
        record = self.lookup(frame)
        op = via.op_at(frame.f_code, frame.f_lasti)
        if event == "line" and record is not None:
            record.pending = False  # whatever was raised is being handled
        elif event == "call":
            self.enter(frame, op != "RESUME", None)
        elif record is not None and event == "exception":
            record.last_exc, record.pending = arg[0], arg[0] is not StopIteration
        elif event == "return" and op == "YIELD_VALUE" and not self.raising(record):
            self.yielded(frame, frame.f_lasti, arg)
        elif event == "return" and op == "RETURN_VALUE":
            self.left(frame, "return")
        elif event == "return":
            self.unwound(frame, record.last_exc if record else None)
        return self.trace

    @staticmethod
    def raising(record):
        """At a return event on YIELD_VALUE (3.11): 3.11 sets SUSPENDED before it tells of a yield."""
        obj = record.ref() if record is not None else None
        if obj is not None and record.kind != "async_generator":
            return not getattr(obj, "gi_suspended" if record.kind == "generator" else "cr_suspended")
        return record is not None and record.pending

    # Results

    def finish(self):
        """What no callback tells: the silent closing of what was dropped, and its end."""
        self.sync()
        for record in self.records:
            if record.freed and self.full:
                length, tid = record.death
                # Where the finaliser ran Python code, it may have handed the object to somebody else.
                tid = tid if length == len(record.events) else None
                if record.state != "CLOSED":
                    self.closed(record, "close|finalize" if record.unsure else "finalize", record.line)
                    record.events[-1]["tid"] = tid
                record.add(None, "free", None)
                record.events[-1]["tid"] = tid
            record.ref = None

    def write(self, path):
        with open(path, "w") as out:
            for record in self.records:
                out.write(json.dumps(record.out()) + "\n")
            for expect in self.expects:
                out.write(json.dumps({"expect": expect}) + "\n")
