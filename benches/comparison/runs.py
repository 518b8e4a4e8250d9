"""One run of a load generator against a local server, and what it used."""

import array
import contextlib
import json
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

# Starting a tool and letting it print its report may take this long beside the run itself.
SLACK = 40


class Failed(Exception):
    """A run that gave no figure."""


class Server:
    """The recording server, while the block that it is opened for lasts."""

    def __init__(self, program, stamps, capacity=1):
        self.command = [program, "--port", "0", "--stamps", stamps, "--capacity", str(capacity)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], 10)
        line = self.process.stdout.readline() if ready else ""
        if not line.startswith("listening on "):
            self.__exit__()
            sys.exit("the recording server did not start")
        self.url = f"http://{line.split()[-1]}"
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def reset(self):
        fetch(f"{self.url}/reset", "POST")

    def requests(self):
        count = json.loads(fetch(f"{self.url}/count"))
        if count["stamped"] and count["without_kernel_stamp"]:
            raise Failed("arrivals without the kernel's timestamp")
        return count["requests"]

    def arrivals(self):
        """In nanoseconds since 1970, sorted."""
        stamps = array.array("Q", fetch(f"{self.url}/stamps"))
        if sys.byteorder == "big":
            stamps.byteswap()
        return sorted(stamps)


NGINX = """
pid {folder}/pid;
error_log {folder}/errors;
worker_processes 1;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{http};
        listen 127.0.0.1:{https} ssl;
        ssl_certificate {folder}/certificate;
        ssl_certificate_key {folder}/key;
        ssl_protocols TLSv1.3;
        location = /check {{
            default_type application/json;
            return 200 '{{"allowed":true,"remaining":99}}';
        }}
        location = /status {{ stub_status; }}
    }}
}}
"""


class Nginx:
    """nginx, which answers the same over TLS 1.3 and without, while the block that it is opened for lasts."""

    def __init__(self, program):
        self.program = program

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-keyout", f"{folder}/key", "-out", f"{folder}/certificate",
                "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run(make, check=True, capture_output=True)
        http, https = free_ports(2)
        configuration = NGINX.format(folder=folder, http=http, https=https)
        Path(folder, "configuration").write_text(configuration)
        # In the foreground, so that it ends with the block.
        command = [self.program, "-p", folder, "-c", f"{folder}/configuration", "-g", "daemon off;"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self.stack.callback(process.wait)
        self.stack.callback(process.terminate)
        self.plain = NginxSite(f"http://127.0.0.1:{http}", f"http://127.0.0.1:{http}/status")
        self.tls = NginxSite(f"https://127.0.0.1:{https}", f"http://127.0.0.1:{http}/status")
        deadline = time.monotonic() + 10
        while True:
            try:
                self.plain.reset()
                return self
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    self.__exit__()
                    sys.exit("nginx did not start")
                time.sleep(0.05)

    def __exit__(self, *_):
        self.stack.close()


class NginxSite:
    """One of nginx's ways in. nginx counts the requests of all of them."""

    def __init__(self, url, status):
        self.url, self.status = url, status

    def total(self):
        """All requests so far, with this one."""
        page = fetch(self.status).decode()
        return int(re.search(r"requests\n\s*\d+\s+\d+\s+(\d+)", page)[1])

    def reset(self):
        self.before = self.total()

    def requests(self):
        return self.total() - self.before - 1


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def fetch(url, method="GET"):
    request = urllib.request.Request(url, method=method)
    # A proxy of the environment is not for 127.0.0.1.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return answer.read()


class Run:
    """What a tool did until it ended by itself, and what it used."""

    def __init__(self, server, tool, seconds, rate=None, watch_memory=False, options=()):
        arguments = [server.url, seconds] + ([rate] if rate else [])
        build = tool.paced if rate else tool.closed
        command = [*tool.prefix, tool.path, *map(str, build(*arguments))]
        if server.url.startswith("https:"):
            command += tool.tls
        command += options
        server.reset()
        with tempfile.TemporaryFile() as output:
            self.began = time.time_ns()
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
            try:
                self.peak_kib = watch(process.pid, seconds + SLACK, watch_memory)
                _, status, used = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            finally:
                if process.returncode is None:
                    process.kill()
                    process.wait()
            output.seek(0)
            self.output = output.read().decode(errors="replace")
        if process.returncode != 0:
            last = (self.output.strip().splitlines() or ["no output"])[-1]
            raise Failed(f"it ended with {process.returncode}: {last}")
        self.requests = server.requests()
        if self.requests == 0:
            raise Failed("no request arrived")
        self.rate = self.requests / seconds
        self.processor_us = (used.ru_utime + used.ru_stime) / self.requests * 1e6
        self.share = self.requests / (rate * seconds) if rate else 1


def watch(pid, limit, memory):
    """Returns when the process has ended, with its peak memory in KiB if that was asked for."""
    peak, deadline = 0, time.monotonic() + limit
    ended = os.pidfd_open(pid)
    try:
        while True:
            left = deadline - time.monotonic()
            if left < 0:
                raise Failed(f"it was still running after {limit} s")
            if select.select([ended], [], [], min(left, 0.05) if memory else left)[0]:
                return peak
            if memory:
                status = Path(f"/proc/{pid}/status").read_text()
                # A process that is about to end has no memory left to tell of.
                if found := re.search(r"VmHWM:\s+(\d+) kB", status):
                    peak = max(peak, int(found[1]))
    finally:
        os.close(ended)
