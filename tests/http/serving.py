# SPDX-License-Identifier: MIT
"""The server under test, certificates, and clients that misbehave."""

import os
import shlex
import signal
import socket
import subprocess
import threading

WAIT = 20  # seconds for what should take none
HURRY = 1  # seconds that each phase of a connection lasts with --hurry


class Failure(Exception):
    pass


def check(truth, why):
    if not truth:
        raise Failure(why)


def equal(got, expected, what):
    check(got == expected, f"{what}: {got!r}, expected {expected!r}")


class Serve:
    """tests/http/serve.c; it must end cleanly and say nothing but what the test takes from `lines`."""

    command = ["build/tests/serve"]

    def __init__(self, *words, listen=("127.0.0.1:0",), env=None, prefix=()):
        words = [*prefix, *self.command, *words]
        for address in listen:
            words += ["--listen", address]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env={**os.environ, **(env or {})}, close_fds=False)
        self.addresses, self.lines = [], []
        self.reader = threading.Thread(target=self._read_errors, daemon=True)
        self.reader.start()
        for line in self.process.stdout:
            if line == "ready\n":
                return
            self.addresses.append(line.strip())
        self.process.wait(WAIT)
        self.reader.join(WAIT)
        raise Failure(f"it did not start: {self.lines}")

    def _read_errors(self):
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure("it does not end") from None
        self.reader.join(WAIT)
        if kind is None:
            equal(status, 0, f"exit status ({self.lines[:5]})")
            check(not any("Sanitizer" in line or "runtime error" in line for line in self.lines), self.lines[:20])

    @property
    def address(self):
        return self.addresses[0]

    @property
    def place(self):
        host, _, port = self.address.rpartition(":")
        return host, int(port)

    def connect(self):
        return socket.create_connection(self.place, WAIT)


def curl(*words):
    """Status (0 without an answer), headers (lower case) and body of a request; curl's own words on stderr."""
    got = subprocess.run(["curl", "-s", "-S", "-i", "--max-time", str(WAIT), *words], capture_output=True, check=False)
    head, _, body = got.stdout.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    if got.returncode or not lines[0].startswith("HTTP/"):
        return 0, {}, got.stderr.decode()
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers, body.decode(errors="replace")


def status(*words):
    return curl(*words)[0]


def until_closed(connection, seconds=WAIT):
    """All that still comes until the other side closes; None if it does not."""
    connection.settimeout(seconds)
    got = b""
    try:
        while True:
            piece = connection.recv(65536)
            if not piece:
                return got
            got += piece
    except TimeoutError:
        return None
    except OSError:  # reset
        return got


def ask(serve, request):
    """Bytes out, bytes until it closes."""
    with serve.connect() as connection:
        try:
            connection.sendall(request)
        except OSError:
            pass
        return until_closed(connection)


def openssl(*words):
    done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"openssl {shlex.join(words)}: {done.stderr}")
    return done.stdout


class Authority:
    """A CA in a directory, and certificates of it."""

    def __init__(self, directory, name="ca"):
        self.base = os.path.join(directory, name)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign", "-keyout", self.base + ".key", "-out", self.base + ".crt")

    @property
    def crt(self):
        return self.base + ".crt"

    def issue(self, path, san, purpose="serverAuth", rsa=False):
        key = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        openssl("req", "-newkey", *key, "-nodes", "-subj", f"/CN={os.path.basename(path)}", "-keyout", path + ".key",
                "-out", path + ".csr")
        with open(path + ".ext", "w", encoding="ascii") as ext:
            # Python 3.13 is as strict as RFC 5280
            ext.write(f"subjectAltName={san}\nextendedKeyUsage={purpose}\nbasicConstraints=CA:FALSE\n"
                      "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n")
        openssl("x509", "-req", "-in", path + ".csr", "-CA", self.crt, "-CAkey", self.base + ".key", "-days", "2",
                "-CAcreateserial", "-extfile", path + ".ext", "-out", path + ".new")
        os.rename(path + ".new", path + ".crt")


def write(path, text):
    """All at once, as whoever cares does."""
    with open(path + ".tmp", "w", encoding="utf-8") as out:
        out.write(text)
    os.rename(path + ".tmp", path)
