"""One run of a load generator against the recording server, and what it used."""

import array
import json
import os
import re
import select
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

    def ask(self, path, method="GET"):
        request = urllib.request.Request(self.url + path, method=method)
        # A proxy of the environment is not for 127.0.0.1.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            return answer.read()

    def reset(self):
        self.ask("/reset", "POST")

    def requests(self):
        count = json.loads(self.ask("/count"))
        if count["stamped"] and count["without_kernel_stamp"]:
            raise Failed("arrivals without the kernel's timestamp")
        return count["requests"]

    def arrivals(self):
        """In nanoseconds since 1970, sorted."""
        stamps = array.array("Q", self.ask("/stamps"))
        if sys.byteorder == "big":
            stamps.byteswap()
        return sorted(stamps)


class Run:
    """What a tool did until it ended by itself, and what it used."""

    def __init__(self, server, tool, seconds, rate=None, watch_memory=False):
        arguments = [server.url, seconds] + ([rate] if rate else [])
        build = tool.paced if rate else tool.closed
        command = [tool.path, *map(str, build(*arguments))]
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
