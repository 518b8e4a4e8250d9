"""Clusters of Python nodes that count together in one Redis: with the library `limits` behind a POST /check, as loadgen
asks by default, and with Flask-Limiter, which uses that library, in front of a web page.

Every decision is one script in Redis, so the nodes of a cluster keep one limit for each key, exactly:

fixed-window   A key's window begins with its first request, not at the clock's multiples: the counter is made by the
               request that finds none, and expires a window later. Each window admits the limit.
moving-window  At most the limit in any time as long as the window: the request is admitted if the one that was admitted
               as many as the limit before it is older than the window, by the clock of the node that it came to.

The traffic that is told apart by: two requests of each key, a pause until shortly before the window's end, then more
than the limit on both sides of it. Fixed windows admit the limit before that end and again after it. A moving one
admits it once, and two more in the place of the first two, which have left it. That bears a delay of a second."""

import collections
import contextlib
import json
import subprocess

import audits
from audits import Audit
from harness import Check, Need, Promise, System, Traffic, fetch
from places import PYTHON, REQUIREMENTS, ROOT
from processes import LOOPBACK, folder, free_ports, server
from promises import fixed_window

NODES = ROOT / "tests" / "external" / "limiters" / "nodes"
REDIS = Need("redis-server", "apt install redis-server")
NEEDS = (
    REDIS,
    Need(PYTHON, f"apt install python3-venv; python3 -m venv {PYTHON.parents[1]}; "
                 f"{PYTHON} -m pip install -r {REQUIREMENTS}"),
)


@contextlib.contextmanager
def redis(at):
    [port] = free_ports(1)
    options = {"port": port, "bind": LOOPBACK, "save": "", "appendonly": "no", "dir": at}
    command = ["redis-server", *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
    with server(command, port, at / "redis.log") as process:
        process.answers()
        yield f"redis://{LOOPBACK}:{port}"


@contextlib.contextmanager
def cluster(script, argument, count, package):
    """So many nodes that share a Redis; each runs the script with the argument."""
    with contextlib.ExitStack() as stack:
        at = stack.enter_context(folder())
        storage = stack.enter_context(redis(at))
        processes = []
        for port in free_ports(count):
            command = [str(PYTHON), "-B", str(NODES / script), argument, storage, str(port)]
            processes.append(stack.enter_context(server(command, port, at / f"{port}.log")))
        for process in processes:
            process.answers()
        targets = [process.url for process in processes]
        yield System(version(package), targets, lambda _: counts(targets))


def counts(targets):
    outcomes = {200: "allowed", 429: "blocked"}
    return collections.Counter({(target, key, outcomes.get(status, status)): n
                                for target in targets for key, status, n in json.loads(fetch(f"{target}/counts"))})


def version(package):
    program = f"import importlib.metadata; print(importlib.metadata.version('{package}'))"
    return subprocess.run([PYTHON, "-c", program], capture_output=True, text=True).stdout.strip()


def limits_nodes(strategy, count=3):
    """Nodes that are told limit and window by each request."""
    return cluster("limits_node.py", strategy, count, "limits")


def flask_limiter_nodes(limit, count=2):
    """Nodes that admit that many requests of each key in each window."""
    return cluster("flask_limiter_node.py", f"{limit} per {WINDOW_S} second", count, "Flask-Limiter")


LIMIT, WINDOW_S = 15, 10
EARLY = 2
ACROSS_THE_END = Traffic(keys=4, pieces=((4, EARLY), (0, 5), (32, 9)))
STEADY = Traffic(keys=4, pieces=((32, 24),))


def across_fixed_windows(limit, lived):
    return Promise(2 * limit, (int(lived / WINDOW_S) + 1) * limit)


def across_a_moving_window(limit, lived):
    """What comes after the pause has a span that is `lived` without what goes before."""
    begins = ACROSS_THE_END.seconds - ACROSS_THE_END.pieces[-1][1]
    windows = int((lived - begins) / WINDOW_S) + 1
    return Promise(EARLY + limit, EARLY + windows * limit)


def of_limits(strategy, promise):
    return Check(f"limits-{strategy}", lambda _: limits_nodes(strategy), NEEDS,
                 f"{strategy}, {LIMIT} in {WINDOW_S} s; 3 nodes, one Redis", LIMIT, ACROSS_THE_END,
                 lambda limit: ["--limit", str(limit), "--window-ms", str(WINDOW_S * 1000)], promise)


CHECKS = [
    of_limits("fixed-window", across_fixed_windows),
    of_limits("moving-window", across_a_moving_window),
    Check("flask-limiter", flask_limiter_nodes, NEEDS,
          f"fixed-window, {LIMIT} in {WINDOW_S} s; 2 nodes, one Redis", LIMIT, STEADY, lambda _: ["--preset", "kong"],
          lambda limit, lived: fixed_window(limit, WINDOW_S, STEADY, lived)),
]


def told_by_each_request(limit):
    """Another limit than the one that is claimed."""
    return ["--body", f'{{"key":"{{key}}","limit":{limit},"window_ms":{{window_ms}}}}']


def audit_of_limits(strategy, expected):
    return Audit(f"audit-limits-{strategy}", lambda _: limits_nodes(strategy), NEEDS,
                 f"{strategy}, {audits.LIMIT} in {audits.WINDOW_S} s; 3 nodes, one Redis", expected,
                 told_by_each_request, headers=("a request was blocked with 429 and no Retry-After",))


AUDITS = [
    audit_of_limits("fixed-window", audits.fixed(audits.BY_ADMISSIONS)),
    audit_of_limits("moving-window", audits.SLIDING),
]
