"""Clusters of simulated nodes, each wrong in one known way, or right in a way that is hard to judge."""

import contextlib
import sys

import audits
from audits import NEVER_BROKEN, NEVER_KEPT, Audit
from harness import System
from processes import folder, free_ports, server, url
from python_nodes import CLAIM, NODES, told_by_each_request

PROGRAM = NODES / "simulated.py"


@contextlib.contextmanager
def simulated(limiter, *options, nodes=3):
    """One process, which is all of the nodes."""
    with folder() as at:
        ports = free_ports(nodes)
        command = [sys.executable, "-B", str(PROGRAM), limiter, *options, *map(str, ports)]
        with server(command, ports[0], at / "output") as process:
            process.prints("listening")
            yield System("simulated", [url(port) for port in ports])


# Decided on arrival.
LATE_ANSWERS = ["--delay", "1.2"]


def audit(limiter, expected, *options, words=""):
    return Audit(f"audit-{limiter}" + ("-late" if options else ""), lambda _: simulated(limiter, *options), (),
                 f"{CLAIM}{words}; 3 nodes", expected, told_by_each_request)


def wrong(limiter, *options, words=""):
    return audit(limiter, {promise: NEVER_KEPT for promise in ("auto", "sliding-window")}, *options, words=words)


AUDITS = [
    audit("sliding-counter", audits.SLIDING_COUNTER),
    audit("sliding-log", {"auto": NEVER_BROKEN, "sliding-window": NEVER_BROKEN}, *LATE_ANSWERS,
          words=", admitted answered after 1.2 s"),
    wrong("triple-limit", *LATE_ANSWERS, words=", admitted answered after 1.2 s"),
    wrong("half-window"),
    wrong("first-windows-doubled"),
    wrong("race", words=", nodes learn of admissions after 20 ms"),
    wrong("counts-blocked"),
    wrong("blocks-everything"),
    # All runs of an audit have the same nodes. Each run has four new keys, two of which are the probe's.
    wrong("third-of-keys-unlimited"),
]
