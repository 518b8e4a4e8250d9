"""throttlecrab-server, by its HTTP transport; limit and window are in each request.

Its GCRA is a bucket of the limit for each key that fills evenly within the window, computed in nanoseconds, for a key
that goes on asking."""

import collections
import contextlib
import re
import subprocess

from discoveries import BUCKET, Discovery, Limit
from harness import Check, Need, System, Traffic, fetch
from places import INSTALLED
from processes import LOOPBACK, folder, free_ports, holds, server
from promises import token_bucket

PROGRAM = INSTALLED / "bin" / "throttlecrab-server"
NEEDS = (Need(PROGRAM, f"apt install protobuf-compiler; cargo install throttlecrab-server --version 0.4.40 --locked "
                       f"--debug --root {INSTALLED}"),)


@contextlib.contextmanager
def throttlecrab():
    with folder() as at:
        [port] = free_ports(1)
        command = [str(PROGRAM), "--http", "--http-host", LOOPBACK, "--http-port", str(port), "--log-level", "warn"]
        with server(command, port, at / "output") as process:
            process.answers()

            def counts(asked):
                """By key it says only what it denied; the rest it allowed, which its total confirms."""
                metrics = fetch(f"{process.url}/metrics")
                [allowed] = re.findall(r"^throttlecrab_requests_allowed (\d+)$", metrics, re.MULTILINE)
                denied = re.findall(r'^throttlecrab_top_denied_keys\{key="(.*?)",.*\} (\d+)$', metrics, re.MULTILINE)
                by_key = collections.Counter()
                for key, blocked in denied:
                    by_key[process.url, key, "blocked"] = int(blocked)
                    by_key[process.url, key, "allowed"] = asked - int(blocked)
                own = sum(n for (_, _, outcome), n in by_key.items() if outcome == "allowed")
                holds(own == int(allowed), f"throttlecrab allowed {allowed} in all, but {own} by key")
                return by_key

            yield System(version(), [process.url], counts)


def version():
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True).stdout
    return said.split()[-1]


LIMIT, WINDOW_S = 30, 10
TRAFFIC = Traffic(keys=5, pieces=((40, 24),))

CHECKS = [
    Check("throttlecrab", lambda _: throttlecrab(), NEEDS, f"{LIMIT} in {WINDOW_S} s, in each request", LIMIT, TRAFFIC,
          lambda limit: ["--preset", "throttlecrab", "--limit", str(limit), "--window", f"{WINDOW_S}s"],
          lambda limit, lived: token_bucket(limit, limit / WINDOW_S, TRAFFIC, lived)),
]

# Of a key that was idle after its first request it admits more than a bucket does, so a discovery may find no limiter.
DISCOVERIES = [
    Discovery("throttlecrab", throttlecrab, NEEDS, f"{LIMIT} in {WINDOW_S} s, in each request",
              ("--preset", "throttlecrab", "--limit", str(LIMIT), "--window", f"{WINDOW_S}s"),
              (Limit(BUCKET, LIMIT, WINDOW_S, burst=LIMIT),), maybe=True),
]
