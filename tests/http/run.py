#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The HTTP server of `genscope export` (tests/http/serve.c) against its clients, good and bad.

    tests/http/run.py --serve COMMAND [-k PART]

Wants curl, openssl, promtool and the Python package prometheus_client; what is missing is skipped by name, with CI set
a failure. No root, loopback only.
"""

import argparse
import gzip
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import secured  # noqa: E402
from serving import HURRY, WAIT, Failure, Serve, ask, check, curl, equal, status, until_closed  # noqa: E402

OPENMETRICS = "Accept: application/openmetrics-text; version=1.0.0"
PER_CLIENT = 32  # http_limits_default
ODD = {'a"b\\c\nd', "café", "cut \ufffd\ufffd", "\ufffd"}  # as serve.c has them, repaired


def text_format(serve, directory):
    code, headers, body = curl(f"http://{serve.address}/metrics")
    equal((code, headers["content-type"]), (200, "text/plain; version=0.0.4; charset=utf-8"), "answer")
    done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, text=True, check=False)
    equal((done.returncode, done.stdout + done.stderr), (0, ""), "promtool")


def openmetrics(serve, directory):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
    code, headers, body = curl("-H", OPENMETRICS, f"http://{serve.address}/metrics")
    equal((code, headers["content-type"]),
          (200, "application/openmetrics-text; version=1.0.0; charset=utf-8"), "answer")
    families = {family.name: family for family in text_string_to_metric_families(body)}
    equal({f.name: (f.type, f.unit) for f in families.values()},
          {"genscope_objects": ("gauge", ""), "genscope_transitions": ("counter", ""),
           "genscope_probe_seconds": ("counter", "seconds"), "genscope_run_seconds": ("histogram", "seconds")}, "families")
    equal({sample.labels["service"] for sample in families["genscope_objects"].samples}, ODD, "labels")
    samples = {s.name: s.value for s in families["genscope_probe_seconds"].samples}
    equal(samples, {"genscope_probe_seconds_total": 1234.567890123, "genscope_probe_seconds_created": 1700000000.123},
          "counter")
    runs = [s for s in families["genscope_run_seconds"].samples if "handler_7." in s.labels["function"]]
    buckets = [(float(s.labels["le"]), s.value) for s in runs if s.name.endswith("_bucket")]
    times = (5e-6, 1.5, 7200)
    equal(buckets[:-1], [(4 ** n * 4096e-9, sum(t <= 4 ** n * 4096e-9 for t in times)) for n in range(16)], "buckets")
    equal(buckets[-1], (float("inf"), 3), "last bucket")
    equal([(s.labels["le"], s.exemplar.labels, s.exemplar.value) for s in runs if s.exemplar],
          [("4.294967296", {"gen_id": "4711", "position": "0x1f"}, 1.5)], "exemplars")


def compression(serve, directory):
    plain = curl("-H", OPENMETRICS, f"http://{serve.address}/metrics")[2]
    path = os.path.join(directory, "page.gz")
    subprocess.run(["curl", "-s", "-o", path, "-H", OPENMETRICS, "-H", "Accept-Encoding: gzip",
                    f"http://{serve.address}/metrics"], check=True)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as page:
        equal(page.read() == plain, True, "the same page")
    check(os.path.getsize(path) < len(plain) / 10, "gzip saves little")
    check("content-encoding" not in curl("-H", "Accept-Encoding: gzip;q=0", f"http://{serve.address}/metrics")[1], "q=0")


def landing(serve, directory):
    code, headers, body = curl(f"http://{serve.address}/")
    equal((code, headers["content-type"]), (200, "text/html; charset=utf-8"), "landing page")
    check('href="metrics"' in body and 'href="healthz"' in body and "0.0-test" in body, body)
    equal(curl(f"http://{serve.address}/healthz")[::2], (200, "ok\n"), "health")
    with Serve(env={"UNHEALTHY": "no probe is attached"}) as sick:
        equal(curl(f"http://{sick.address}/healthz")[::2], (503, "no probe is attached\n"), "bad health")


def bad_paths(serve, directory):
    for path in ("/x", "/metrics/", "//metrics", "/metrics%00", "/%2e%2e/etc/passwd", "/../../etc/passwd", "/METRICS",
                 "/healthz/x", "/%zz", "/" + 2000 * "a", "/\u00e9"):
        equal(status("--path-as-is", f"http://{serve.address}{path}"), 404, path[:40])
    equal(status("--path-as-is", f"http://{serve.address}/metrics?" + 1000 * "q"), 200, "a query is ignored")


def bad_requests(serve, directory):
    host = b" HTTP/1.1\r\nHost: x\r\n"
    for request, expected in (
            (b"POST /metrics" + host + b"Content-Length: 4\r\n\r\nabcd", b"405"),
            (b"OPTIONS *" + host + b"\r\n", b"405"),
            (b"get /" + host + b"\r\n", b"405"),
            (b"PUT /" + host + b"Content-Length: 99999999999\r\n\r\n" + 100000 * b"x", b"405"),
            (b"GET /" + host + b"Content-Length: 99999999\r\n\r\n" + 100000 * b"x", b"413"),
            (b"GET /" + host + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", b"413"),
            (b"GET /" + host + b"X: " + 100000 * b"y" + b"\r\n\r\n", b"431"),
            (b"GET /" + host + 20000 * b"A: b\r\n" + b"\r\n", b"431"),
            (b"GET /" + 100000 * b"a" + host + b"\r\n", b"414"),
            (b"GET /" + host + b"Content-Length: -1\r\n\r\n", b"400"),
            (b"GET / HTTP/1.1\r\n\r\n", b"400")):  # no Host
        answer = ask(serve, request)
        check(answer is not None, f"it does not end: {request[:40]}")
        equal(answer[9:12], expected, f"{request[:60]}: {answer[:80]}")
        check(expected != b"405" or b"\r\nAllow: GET, HEAD\r\n" in answer, f"Allow: {answer[:200]}")


def garbage(serve, directory):
    for request in (b"\0", b"\xff" * 5000, b"\r\n" * 9000, b"GET", b"\x16\x03\x01\x02\0", os.urandom(100000),
                    b"GET / HTTP/9.9\r\n\r\n", b" / \r\n\r\n", b"SSH-2.0-x\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
        with serve.connect() as connection:
            try:
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            check(until_closed(connection) is not None, f"it does not end: {request[:20]}")
    equal(status(f"http://{serve.address}/metrics"), 200, "afterwards")


def keep_alive(serve, directory):
    with serve.connect() as connection:
        for _ in range(3):
            connection.sendall(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = connection.recv(65536)
            check(answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"\r\n\r\n"), answer)


def thousand_connections(serve, directory):
    """Of one client, more than it may have: each makes room for the next, and a scrape gets through."""
    kept = []
    for i in range(1000):
        kept.append(socket.create_connection(serve.place, WAIT))
        if i % 2:
            kept[-1].sendall(b"GET /metrics HT")
        if i % 250 == 249:
            equal(status(f"http://{serve.address}/metrics"), 200, f"a scrape beside {i + 1} connections")
    alive = 0
    for connection in kept:
        alive += until_closed(connection, 0.001) is None
        connection.close()
    check(alive <= PER_CLIENT, f"one client still has {alive} connections")
    equal(status(f"http://{serve.address}/metrics"), 200, "afterwards")


def greedy_client(serve, directory):
    """All places taken by requests that are being answered: the next one is told."""
    with Serve("--per-client", "2") as small:
        readers = [small.connect() for _ in range(2)]
        for reader in readers:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 40)
            check(reader.recv(1) == b"H", "no answer")  # and no more is read
        deadline = time.monotonic() + WAIT
        while (got := curl(f"http://{small.address}/"))[0] != 503 and time.monotonic() < deadline:
            time.sleep(0.05)
        equal(got[::2], (503, "too many connections\n"), "answer")
        for reader in readers:
            reader.close()


def slow_loris(serve, directory):
    """A byte now and then does not keep a connection; nor does reading nothing, or asking nothing."""
    with Serve("--hurry") as hurried:
        request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: " + 1000 * b"s"
        with hurried.connect() as slow:
            slow.settimeout(0.05)
            started, at = time.monotonic(), 0
            while time.monotonic() < started + WAIT:
                try:
                    slow.send(request[at:at + 1])
                    if not slow.recv(10):
                        break
                except TimeoutError:
                    at += 1
                except OSError:
                    break
            check(at < len(request) and time.monotonic() < started + WAIT, "a slow request is read for ever")
            check(at > 5, f"it was given up after {at} bytes")
        silent, reader, idle = hurried.connect(), hurried.connect(), hurried.connect()
        reader.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 40)
        idle.sendall(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        check(idle.recv(1000).startswith(b"HTTP/1.1 200"), "no answer")
        equal(until_closed(silent), b"", "silence")
        equal(until_closed(idle), b"", "after an answer")
        time.sleep(3 * HURRY)
        pages = until_closed(reader)
        check(pages is not None and pages.count(b"HTTP/1.1 200") < 40, "who does not read is served for ever")
        equal(status(f"http://{hurried.address}/metrics"), 200, "afterwards")


def listeners(serve, directory):
    path = os.path.join(directory, "s.sock")
    with Serve(listen=("127.0.0.1:0", "localhost:0", f"unix:{path}", ":0")) as many:
        equal(len(many.addresses), 4, "listeners")
        for address in many.addresses[:2]:
            equal(status(f"http://{address}/healthz"), 200, address)
        port = many.addresses[3].rpartition(":")[2]
        equal(status(f"http://127.0.0.1:{port}/healthz"), 200, "every interface")
        equal(status("--unix-socket", path, "http://x/healthz"), 200, "unix socket")
        try:
            Serve(listen=(many.address,))
            raise Failure("two at one address")
        except Failure as error:
            check("address already in use: another exporter may be running" in str(error), str(error))
    check(not os.path.exists(path), "the socket file is still there")


def ipv6(serve, directory):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return  # a kernel without it
    with Serve(listen=("[::1]:0",)) as six:
        equal(status("-g", f"http://{six.address}/healthz"), 200, six.address)


def socket_activation(serve, directory):
    with socket.create_server(("127.0.0.1", 0)) as passed:
        port = passed.getsockname()[1]
        os.set_inheritable(passed.fileno(), True)
        script = f'exec 3<&{passed.fileno()}; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'
        with Serve("--inherit", listen=(), prefix=("bash", "-c", script, "sh")) as activated:
            equal(activated.addresses, [f"127.0.0.1:{port}"], "addresses")
            equal(status(f"http://127.0.0.1:{port}/healthz"), 200, "answer")


TESTS = [text_format, openmetrics, compression, landing, bad_paths, bad_requests, garbage, keep_alive,
         thousand_connections, greedy_client, slow_loris, listeners, ipv6, socket_activation, *secured.TESTS]
WANTS = {text_format: "promtool"}


def missing():
    """Tests that cannot run here, with what they lack."""
    lacking = {test: f"{tool} is not installed" for test, tool in WANTS.items() if not shutil.which(tool)}
    try:
        import prometheus_client  # noqa: F401
    except ImportError:
        lacking[openmetrics] = "the Python package prometheus_client is not installed"
    return lacking


def run(test):
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="genscope-http-") as directory, Serve() as serve:
            test(serve, directory)
    except Failure as error:
        print(f"FAIL {test.__name__}: {error}", flush=True)
    except Exception:
        print(f"FAIL {test.__name__}: {traceback.format_exc()}", flush=True)
    else:
        print(f"ok   {test.__name__} ({time.monotonic() - started:.1f} s)", flush=True)
        return True
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", required=True, help="the command of tests/http/serve.c")
    parser.add_argument("-k", default="", help="only tests whose name has this")
    words = parser.parse_args()
    Serve.command = shlex.split(words.serve)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    lacking = missing()
    for test in TESTS:
        if words.k not in test.__name__:
            continue
        if test in lacking and not os.environ.get("CI"):
            print(f"SKIP {test.__name__}: {lacking[test]}", flush=True)
            counts["skipped"] += 1
        else:
            counts["passed" if run(test) else "failed"] += 1
    print(", ".join(f"{count} {what}" for what, count in counts.items()))
    return 1 if counts["failed"] or not any(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
