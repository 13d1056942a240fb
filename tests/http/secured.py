# SPDX-License-Identifier: MIT
"""TLS and passwords: what --web-config asks for."""

import os
import socket
import ssl
import threading
import time

from serving import WAIT, Authority, Failure, Serve, ask, check, curl, equal, status, until_closed, write

# Openwall's vectors for bcrypt; the cost is 5, so that tests do not take long.
ALICE = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"  # U*U
BOB = "$2b$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"  # U*U*U
USERS = f"basic_auth_users:\n  alice: {ALICE}\n  bob: {BOB}\n"
TLS = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
PLAIN_TO_TLS = b"Client sent an HTTP request to an HTTPS server.\n"


class Site:
    """A directory with a CA, a server's certificate and a web configuration."""

    def __init__(self, directory, config=TLS):
        self.directory = directory
        self.authority = Authority(directory)
        self.authority.issue(self.path("server"), "IP:127.0.0.1")
        self.configure(config)

    def path(self, name):
        return os.path.join(self.directory, name)

    def configure(self, text):
        write(self.path("web.yml"), text)

    def serve(self, *words, **more):
        return Serve("--web-config", self.path("web.yml"), *words, **more)

    def status(self, serve, *words):
        return status("--cacert", self.authority.crt, *words, f"https://{serve.address}/metrics")


def eventually(what, truth):
    """The server looks at its files twice a second."""
    deadline = time.monotonic() + WAIT
    while not truth():
        check(time.monotonic() < deadline, f"never: {what}")
        time.sleep(0.05)


def passwords(serve, directory):
    write(os.path.join(directory, "web.yml"), USERS)
    with Serve("--web-config", os.path.join(directory, "web.yml")) as guarded:
        url = f"http://{guarded.address}/metrics"
        code, headers, body = curl(url)
        equal((code, body), (401, "unauthorized\n"), "no password")
        equal(headers["www-authenticate"], 'basic realm="genscope", charset="utf-8"', "challenge")
        for user in ("alice:wrong", "alice:", "mallory:U*U", ":", "bob:U*U", "alice:U*U*U", "alice:U*U:"):
            equal(status("-u", user, url), 401, user)
        for _ in range(2):  # computed, then remembered
            equal(status("-u", "alice:U*U", url), 200, "alice")
            equal(status("-u", "bob:U*U*U", url), 200, "bob")
            equal(status("-u", "alice:wrong", url), 401, "still wrong")
        for header in ("Basic", "Basic ?", "Bearer x", "Basic " + 9000 * "A", "Basic YTo=\x7f"):
            equal(status("-H", f"Authorization: {header}", url), 401, header[:20])
        for page in ("", "healthz", "nothing"):
            equal(status(f"http://{guarded.address}/{page}"), 401, page)
        equal(curl("-I", url)[0], 401, "HEAD")


def guessing(serve, directory):
    """Wrong passwords queue up; whoever is known is answered meanwhile, and the queue has an end."""
    write(os.path.join(directory, "web.yml"), USERS.replace("basic_auth_users:", "basic_auth_users:\n  slow: "
                                                            + ALICE.replace("$05$", "$13$")))
    with Serve("--web-config", os.path.join(directory, "web.yml")) as guarded:
        url = f"http://{guarded.address}/metrics"
        equal(status("-u", "alice:U*U", url), 200, "alice")
        request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic bWFsbG9yeTp4\r\n\r\n"
        guesses = [guarded.connect() for _ in range(50)]
        for guess in guesses:
            guess.sendall(request)
        equal(status("-u", "alice:U*U", url), 200, "alice, beside guesses")
        answers = (until_closed(guess, 0.2) for guess in reversed(guesses))
        check(any(answer and answer.startswith(b"HTTP/1.1 503") for answer in answers), "the queue has no end")
        equal(status("-u", "alice:U*U", url), 200, "alice, beside guesses")
        for guess in guesses:
            guess.close()


def tls(serve, directory):
    site = Site(directory)
    with site.serve(listen=("127.0.0.1:0", f"unix:{site.path('s')}")) as secure:
        equal(site.status(secure), 200, "TLS")
        equal(site.status(secure, "--http1.1", "--tlsv1.2", "--tls-max", "1.2"), 200, "TLS 1.2")
        equal(site.status(secure, "--tlsv1.3"), 200, "TLS 1.3")
        equal(site.status(secure, "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"), 0, "TLS 1.1")
        equal(status(f"https://{secure.address}/"), 0, "an unknown CA")
        code, _, body = curl(f"http://{secure.address}/metrics")
        equal((code, body.encode()), (400, PLAIN_TO_TLS), "HTTP to TLS")
        check(ask(secure, b"GET / HTTP/1.1\r\n" + 30000 * b"x").endswith(PLAIN_TO_TLS), "much HTTP to TLS")
        equal(status("--cacert", site.authority.crt, "--unix-socket", site.path("s"), "https://127.0.0.1/healthz"), 200,
              "the configuration holds for every listener")


def tls_garbage(serve, directory):
    site = Site(directory)
    with site.serve() as secure:
        for request in (b"\x16", b"\x16\x03\x01\xff\xff" + 70000 * b"\0", b"\x16\x03\x03\0\x05\x01\0\0\x01\0", b"\x80\x2e",
                        b"\x16" + os.urandom(5000)):
            with secure.connect() as connection:
                try:
                    connection.sendall(request)
                    connection.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                check(until_closed(connection) is not None, f"it does not end: {request[:10]}")
        equal(site.status(secure), 200, "afterwards")


def tls_slow(serve, directory):
    site = Site(directory)
    with site.serve("--hurry") as secure:
        stuck = [secure.connect() for _ in range(20)]
        for connection in stuck:
            connection.sendall(b"\x16\x03\x01\x02\0\x01")  # a handshake that stays away
        equal(site.status(secure), 200, "beside them")
        for connection in stuck:
            equal(until_closed(connection), b"", "a handshake for ever")
            connection.close()


def tls_flood(serve, directory):
    site = Site(directory)
    with site.serve() as secure:
        context = ssl.create_default_context(cafile=site.authority.crt)
        kept = []

        def connect():
            for _ in range(75):
                try:
                    kept.append(context.wrap_socket(secure.connect(), server_hostname="127.0.0.1"))
                except OSError:
                    pass  # made room for another

        threads = [threading.Thread(target=connect) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal(site.status(secure), 200, "beside them")
        for connection in kept:
            connection.close()


CLIENT = "  client_auth_type: {}\n  client_ca_file: ca.crt\n"


def client_certificates(serve, directory):
    site = Site(directory, TLS + CLIENT.format("RequireAndVerifyClientCert"))
    site.authority.issue(site.path("client"), "DNS:scraper,IP:10.1.2.3", "clientAuth")
    site.authority.issue(site.path("wrong"), "DNS:scraper", "serverAuth")
    Authority(directory, "other").issue(site.path("stranger"), "DNS:scraper", "clientAuth")

    def codes(secure):
        words = [("--cert", site.path(n) + ".crt", "--key", site.path(n) + ".key")
                 for n in ("client", "wrong", "stranger")]
        for most in ("1.2", "1.3"):
            yield [site.status(secure, "--tls-max", most, *word) for word in [(), *words]]

    for auth, expected in (("RequireAndVerifyClientCert", [0, 200, 0, 0]), ("VerifyClientCertIfGiven", [200, 200, 0, 0]),
                           ("RequireAnyClientCert", [0, 200, 200, 200]), ("RequestClientCert", [200, 200, 200, 200])):
        site.configure(TLS + CLIENT.format(auth))
        with site.serve() as secure:
            for got in codes(secure):
                equal(got, expected, auth)
    for sans, expected in (("[x, scraper]", 200), ("['10.1.2.3']", 200), ("[x]", 0), ("[Scraper]", 0)):
        site.configure(TLS + CLIENT.format("RequireAndVerifyClientCert") + f"  client_allowed_sans: {sans}\n")
        with site.serve() as secure:
            equal(site.status(secure, "--cert", site.path("client.crt"), "--key", site.path("client.key")), expected, sans)


def ciphers(serve, directory):
    site = Site(directory)
    site.authority.issue(site.path("server"), "IP:127.0.0.1", rsa=True)
    site.configure(TLS + "  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,"
                         " TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]\n  curve_preferences: [CurveP384]\n")
    with site.serve() as secure:
        for cipher, expected in (("ECDHE-RSA-AES256-GCM-SHA384", 200), ("ECDHE-RSA-AES128-SHA", 200),
                                 ("ECDHE-RSA-AES128-GCM-SHA256", 0), ("AES256-GCM-SHA384", 0)):
            equal(site.status(secure, "--ciphers", cipher), expected, cipher)
        equal(site.status(secure, "--curves", "P-384"), 200, "its curve")
        equal(site.status(secure, "--curves", "X25519"), 0, "another curve")
        equal(site.status(secure, "--tlsv1.3"), 0, "TLS 1.3")


def headers_of_config(serve, directory):
    write(os.path.join(directory, "web.yml"), "http_server_config:\n  headers:\n    X-Frame-Options: deny\n"
                                              "    X-Content-Type-Options: nosniff\n    X-XSS-Protection:\n")
    with Serve("--web-config", os.path.join(directory, "web.yml")) as dressed:
        for page in ("", "nothing"):
            headers = curl(f"http://{dressed.address}/{page}")[1]
            equal((headers.get("x-frame-options"), headers.get("x-content-type-options")), ("deny", "nosniff"), page)
            check("x-xss-protection" not in headers, "blank is unset")


def serial(secure):
    with ssl._create_unverified_context().wrap_socket(secure.connect()) as session:  # pylint: disable=W0212
        return ssl.DER_cert_to_PEM_cert(session.getpeercert(binary_form=True))


def reread(serve, directory):
    """Certificates, passwords and rules change while it serves; what is broken changes nothing."""
    site = Site(directory, TLS + USERS)
    with site.serve() as secure:
        with ssl.create_default_context(cafile=site.authority.crt).wrap_socket(
                secure.connect(), server_hostname="127.0.0.1") as session:
            equal(site.status(secure, "-u", "alice:U*U"), 200, "alice")
            before = serial(secure)
            site.authority.issue(site.path("server"), "IP:127.0.0.1")
            eventually("a new certificate", lambda: serial(secure) != before)
            equal(secure.lines, [l for l in secure.lines if "server.key: no certificate with its key" in l], "reports")
            session.sendall(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
            check(session.recv(1000).startswith(b"HTTP/1.1 401"), "an older session goes on")
        equal(site.status(secure, "-u", "alice:U*U"), 200, "alice, with the new certificate")
        site.configure(TLS + USERS.replace(ALICE, BOB))
        eventually("a new password", lambda: site.status(secure, "-u", "alice:U*U*U") == 200)
        equal(site.status(secure, "-u", "alice:U*U"), 401, "the old password")
        site.configure(TLS + "  min_version: TLS13\n" + USERS)
        eventually("TLS 1.3 alone", lambda: site.status(secure, "--tls-max", "1.2", "-u", "alice:U*U") == 0)
        said = len(secure.lines)
        site.configure(USERS)
        eventually("a report", lambda: len(secure.lines) > said)
        equal(secure.lines[said:], [f"{site.path('web.yml')}: no longer has TLS: restart to go without it: "
                                    "the configuration before stays in force"], "a door left open")
        write(site.path("server.crt"), "nonsense")
        site.configure(TLS + USERS)
        eventually("a report", lambda: len(secure.lines) > said + 1)
        check("server.crt and " in secure.lines[-1], secure.lines)
        for _ in range(3):
            equal(site.status(secure, "-u", "alice:U*U"), 200, "the configuration before")
        equal(len(secure.lines), said + 2, "told once")
        equal(curl(f"http://{secure.address}/metrics")[0], 400, "still TLS alone")


def bad_configurations(serve, directory):
    site = Site(directory)
    for text, expected in (("a: b\n", "web.yml:1: the file has no key a: check its spelling"),
                           (TLS.replace("server.key", "no.key"), "no.key: cannot be read: No such file or directory"),
                           (TLS.replace("server.key", "ca.key"), "ca.key: no certificate with its key: "),
                           (TLS + CLIENT.format("RequireAndVerifyClientCert").replace("ca.crt", "web.yml"),
                            "web.yml: no CA certificate in it: ")):
        site.configure(text)
        try:
            site.serve()
            raise Failure(f"it started with {text!r}")
        except Failure as error:
            check(expected in str(error), f"{error}, expected {expected!r}")


TESTS = [passwords, guessing, tls, tls_garbage, tls_slow, tls_flood, client_certificates, ciphers, headers_of_config, reread,
         bad_configurations]
