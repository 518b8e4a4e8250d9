#!/usr/bin/env python3
"""Runs loadgen against nginx, HAProxy and OpenSSL on loopback: answers that come early, protocols that it does not
speak, client certificates, names, sockets and source addresses. HAProxy and nginx are also put in front of this project's
node, as its health checker and as its proxies. Each case sends at most 60 requests. The script takes about 25 seconds, and
ends every server that it started. Linux only.

Exit codes: 0 everything holds; 1 something does not hold, or failed; 2 refused, because a program is not installed.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

# Nothing is written into the source tree.
sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "limiters"))
from places import TARGET
from processes import LOOPBACK, Broken, Failed, folder, free_ports, holds, server

PROGRAMS = {"nginx": "apt install nginx", "haproxy": "apt install haproxy", "openssl": "apt install openssl"}
NAME = "tenant.example"

NGINX = """\
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  limit_req_zone $binary_remote_addr zone=address:1m rate=1r/m;
  limit_req_status 429;
  ssl_certificate {folder}/server.pem;
  ssl_certificate_key {folder}/server.key;
  server {{
    listen {address}:{http};
    listen unix:{folder}/nginx.sock;
    client_max_body_size 10k;
    lingering_close off;
    location / {{ return 200 ok; }}
    location /limited {{ limit_req zone=address burst=9 nodelay; root {folder}; try_files /page =404; }}
  }}
  upstream node {{
    server {address}:{node};
    keepalive 4;
  }}
  server {{
    listen {address}:{proxy};
    location / {{ proxy_pass http://node; }}
    location /keepalive/ {{
      proxy_pass http://node/;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
  }}
  server {{ listen {address}:{https} ssl default_server; return 403; }}
  server {{ listen {address}:{https} ssl; server_name {name}; return 200 ok; }}
}}
"""

HAPROXY = """\
global
  maxconn 200
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
  timeout http-keep-alive 50ms
  timeout check 5s
frontend blocking
  bind {address}:{blocking}
  http-request deny deny_status 429 if {{ method POST }}
  http-request return status 200 content-type text/plain string ok
frontend http2
  bind {address}:{http2} proto h2
  http-request return status 200 content-type text/plain string ok
frontend balancer
  bind {address}:{balancer}
  http-request set-var(txn.backend) path,word(1,/)
  http-request replace-path /[^/]*/(.*) /\\1
  use_backend %[var(txn.backend)]
# The node, and one whose store is away, under HAProxy's checks: of HTTP/1.0, without a Host. A check may take its
# interval to connect, and 5 s in all.
backend standard
  option httpchk
  server node {address}:{node} check inter 1s fall 1 rise 1
backend ready
  option httpchk /health
  server node {address}:{node} check inter 1s fall 1 rise 1
backend expected
  option httpchk GET /health
  http-check expect status 200
  server node {address}:{node} check inter 1s fall 1 rise 1
backend storeless-live
  option httpchk GET /live
  http-check expect string ok
  server node {address}:{storeless} check inter 1s fall 1 rise 1
backend storeless-ready
  option httpchk GET /health
  http-check expect status 200
  server node {address}:{storeless} check inter 1s fall 1 rise 1
"""


class Runs:
    """Runs of loadgen, with a file of a mebibyte as the body of some."""

    def __init__(self, loadgen, path):
        self.loadgen, self.body = loadgen, path / "upload"
        self.body.write_text("x" * 1024 * 1024)

    def outcomes(self, target, *options, method="GET", path="/", rps=60, seconds=1):
        """How many requests were allowed and blocked, and the failures by kind."""
        command = [self.loadgen, "--targets", target, "--method", method, "--path", path, "--rps", str(rps), "--duration",
                   str(seconds), "--burst-enabled", "false", "--workers", "8", "--timeout", "5", "--summary-json", "-",
                   *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise Failed(f"loadgen ended with {done.returncode}:\n{done.stderr}")
        summary = json.loads(done.stdout)
        requests = summary["requests"]
        return requests["allowed"], requests["blocked"], summary["failures"]

    def fails(self, target, *options, by):
        """Every request fails by the one cause that the report's text is to show so."""
        command = [self.loadgen, "--targets", target, "--rps", "30", "--duration", "1", "--workers", "8", "--timeout",
                   "5", *options]
        wide = {**os.environ, "COLUMNS": "100000"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=wide)
        report = done.stdout + done.stderr
        holds(f"failures: {by}\n" in report, f"not {by}:\n{report}")

    def check(self, target, path):
        """The outcomes of checks of one key, with a limit of 30, behind a proxy."""
        key = random.randbytes(8).hex()
        body = json.dumps({"key": key, "limit": 30, "window_ms": 3_600_000})
        return self.outcomes(target, "--body", body, method="POST", path=path)

    def upload(self, target, *options):
        """The outcomes of requests with a body that the server has no use for."""
        body = ("--body-file", str(self.body), "--header", "Content-Type: text/plain")
        return self.outcomes(target, *body, *options, method="POST")


def expect(outcomes, expected):
    holds(outcomes == expected, f"allowed, blocked and failed: {outcomes} instead of {expected}")


def certificates(path):
    """An authority, a server's and a client's certificate of it, and a certificate of nobody else."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=path, check=True, capture_output=True)

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for name in ("ca", "stranger"):
        openssl("req", "-x509", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}",
                "-days", "2")
    for name in ("server", "client"):
        extension = path / f"{name}.ext"
        extension.write_text(f"subjectAltName=IP:{LOOPBACK},DNS:{NAME}\n")
        openssl("req", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out",
                f"{name}.pem", "-days", "2", "-extfile", extension.name)


def cases(runs, path, ports):
    """Every case's name, and a function that raises if it does not hold."""
    http, https, blocking, http2, asking, asking_old, asking_rsa, ciphers, balancer, proxy, *_ = ports
    plain, tls = f"http://{LOOPBACK}:{http}", f"https://{LOOPBACK}:{https}"
    trust = ("--ca-cert", str(path / "ca.pem"))
    client = ("--cert", str(path / "client.pem"), "--key", str(path / "client.key"))
    stranger = ("--cert", str(path / "stranger.pem"), "--key", str(path / "stranger.key"))
    yield "nginx refuses a body and closes", lambda: expect(
        runs.upload(plain, "--blocked", "413"), (0, 60, {}))
    yield "HAProxy blocks a request whose body it does not read", lambda: expect(
        runs.upload(f"http://{LOOPBACK}:{blocking}"), (0, 60, {}))

    def lost_idle_connections():
        allowed, _, failures = runs.outcomes(f"http://{LOOPBACK}:{blocking}", rps=19, seconds=3)
        holds(failures.keys() <= {"reset_idle"} and allowed + sum(failures.values()) == 57, f"{allowed}, {failures}")

    yield "HAProxy closes connections at the moment of their next use", lost_idle_connections
    yield "HAProxy speaks only HTTP/2", lambda: runs.fails(
        f"http://{LOOPBACK}:{http2}",
        by="reset ×30 (closed without an answer, as by a server that speaks only HTTP/2 or a proxy without a backend)")
    yield "OpenSSL gets the client certificate that it asks for", lambda: expect(
        runs.outcomes(f"https://{LOOPBACK}:{asking}", *trust, *client), (60, 0, {}))
    yield "OpenSSL gets no client certificate", lambda: expect(
        runs.outcomes(f"https://{LOOPBACK}:{asking}", *trust), (0, 0, {"tls": 60}))
    # The alert of TLS 1.3 arrives after the handshake.
    yield "OpenSSL says that it asked for a client certificate", lambda: runs.fails(
        f"https://{LOOPBACK}:{asking}", *trust, by="tls ×30 (asked for a client certificate: give --cert and --key)")
    # TLS 1.2 has no alert for this but handshake_failure.
    yield "OpenSSL says so in TLS 1.2", lambda: runs.fails(
        f"https://{LOOPBACK}:{asking_old}", *trust, by="tls ×30 (asked for a client certificate: give --cert and --key)")
    for name, port in (("", asking), (" in TLS 1.2", asking_old)):
        yield f"OpenSSL refuses a client certificate of an unknown authority{name}", lambda port=port: runs.fails(
            f"https://{LOOPBACK}:{port}", *trust, *stranger,
            by="tls ×30 (refused the client certificate: UnknownCA)")
    yield "OpenSSL accepts only client certificates with a key for RSA", lambda: runs.fails(
        f"https://{LOOPBACK}:{asking_rsa}", *trust, *client,
        by="tls ×30 (asked for a client certificate, but not for signatures by a key like that of --key)")
    yield "OpenSSL asks for no certificate, and has another cipher suite", lambda: runs.fails(
        f"https://{LOOPBACK}:{ciphers}", *trust, *client,
        by="tls ×30 (no common cipher suite, or no certificate for this host name)")
    yield "HAProxy speaks no TLS", lambda: runs.fails(
        f"https://{LOOPBACK}:{blocking}", *trust, by="tls ×30 (answers plain HTTP on an https target)")
    yield "nginx has a certificate of an authority that is not public", lambda: runs.fails(
        tls, by="tls ×30 (certificate issued by ca: give --ca-cert)")
    yield "nginx gets plain HTTP on its port for TLS", lambda: runs.fails(f"http://{LOOPBACK}:{https}", by="400 ×30")
    yield "nginx chooses a server by the name in TLS and the host", lambda: expect(
        runs.outcomes(tls, *trust, "--sni", NAME, "--header", f"Host: {NAME}"), (60, 0, {}))
    yield "nginx is reached by another name's URL", lambda: expect(
        runs.outcomes(f"https://{NAME}", *trust, "--connect-to", f"{NAME}:443={LOOPBACK}:{https}"), (60, 0, {}))
    yield "nginx at its address has another server", lambda: expect(
        runs.outcomes(tls, *trust, "--blocked", "403"), (0, 60, {}))
    yield "nginx listens on a Unix socket", lambda: expect(runs.outcomes(f"unix:{path}/nginx.sock"), (60, 0, {}))
    # Ten of each address are admitted.
    yield "nginx limits each of three source addresses", lambda: expect(
        runs.outcomes(plain, "--source-address", "127.0.0.2,127.0.0.3,127.0.0.4", path="/limited"), (30, 30, {}))
    proxied, balanced = f"http://{LOOPBACK}:{proxy}", f"http://{LOOPBACK}:{balancer}"
    # nginx speaks HTTP/1.0 to the node, and closes each connection.
    yield "nginx passes checks on to the node in HTTP/1.0", lambda: expect(runs.check(proxied, "/check"), (30, 30, {}))
    yield "nginx passes checks on to the node over connections that stay open", lambda: expect(
        runs.check(proxied, "/keepalive/check"), (30, 30, {}))
    for backend in "standard", "ready", "expected":
        yield f"HAProxy's health check '{backend}' finds the node up", lambda backend=backend: expect(
            runs.check(balanced, f"/{backend}/check"), (30, 30, {}))
    # HAProxy answers 503 by itself where no node is up, with a page of its own.
    own = "json /node = n"
    yield "HAProxy finds a node without its store alive", lambda: expect(
        runs.outcomes(balanced, "--allowed", own, path="/storeless-live/health"), (60, 0, {}))
    yield "HAProxy finds a node without its store not ready", lambda: expect(
        runs.outcomes(balanced, "--allowed", own, path="/storeless-ready/health"), (0, 0, {"status_5xx": 60}))


def run(loadgen, ratelimiter):
    """Returns the number of cases that do not hold."""
    with folder() as path, contextlib.ExitStack() as stack:
        path.chmod(0o755)
        certificates(path)
        (path / "page").write_text("ok")
        ports = free_ports(13)
        (http, https, blocking, http2, asking, asking_old, asking_rsa, ciphers, balancer, proxy, node,
         storeless, unused) = ports
        (path / "nginx.conf").write_text(NGINX.format(folder=path, address=LOOPBACK, http=http, https=https, name=NAME,
                                                      proxy=proxy, node=node))
        (path / "haproxy.cfg").write_text(HAPROXY.format(address=LOOPBACK, blocking=blocking, http2=http2,
                                                         balancer=balancer, node=node, storeless=storeless))
        for port, store in (node, "memory"), (storeless, f"redis://{LOOPBACK}:{unused}"):
            command = [ratelimiter, "--bind", LOOPBACK, "--port", str(port), "--store", store, "--node-name", "n"]
            stack.enter_context(server(command, port, path / f"{port}.log")).answers()

        def openssl(port, *options):
            files = ("-CAfile", path / "ca.pem", "-cert", path / "server.pem", "-key", path / "server.key")
            return ["openssl", "s_server", "-accept", f"{LOOPBACK}:{port}", "-www", *map(str, files), *options]

        verify = ("-Verify", "2", "-verify_return_error")
        for command, port in ((["nginx", "-p", str(path), "-c", "nginx.conf"], http),
                              (["haproxy", "-db", "-f", str(path / "haproxy.cfg")], blocking),
                              (openssl(asking, *verify), asking),
                              (openssl(asking_old, *verify, "-tls1_2"), asking_old),
                              (openssl(asking_rsa, *verify, "-client_sigalgs", "RSA-PSS+SHA256"), asking_rsa),
                              (openssl(ciphers, "-tls1_2", "-cipher", "AES256-SHA"), ciphers)):
            stack.enter_context(server(command, port, path / f"{command[0]}.log")).answers()
        wrong = 0
        for name, case in cases(Runs(loadgen, path), path, ports):
            try:
                case()
            except (Broken, Failed) as error:
                wrong += 1
                print(f"WRONG  {name}: {error}")
            else:
                print(f"holds  {name}")
        return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    binaries = [TARGET / profile / "loadgen" for profile in ("release", "debug")]
    default = next(filter(Path.exists, binaries), binaries[0])
    parser.add_argument("--loadgen", type=Path, default=default, help="the program (default: %(default)s)")
    loadgen = parser.parse_args().loadgen
    ratelimiter = loadgen.parent / "ratelimiter"
    missing = [f"{program}: {install}" for program, install in PROGRAMS.items() if not shutil.which(program)]
    for program in loadgen, ratelimiter:
        if not shutil.which(program):
            missing.append(f"{program}: cargo build --release")
    if missing:
        print("not installed:", *missing, sep="\n  ", file=sys.stderr)
        return 2
    return int(run(loadgen.resolve(), ratelimiter.resolve()) > 0)


if __name__ == "__main__":
    sys.exit(main())
