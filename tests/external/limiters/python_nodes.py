"""Python nodes that limit with the library `limits`: behind POST /check, as loadgen asks by default, or with
Flask-Limiter, which uses that library, in front of a web page.

Nodes that share a Redis decide together: every decision is one script in Redis, so the cluster keeps one limit for each
key, exactly.

fixed-window            A key's window begins with its first request, not at the clock's multiples: the first request
                        makes the counter, which expires a window later. Each window admits the limit.
moving-window           A sliding log: a request is admitted if the limit-th admission before it is older than the
                        window, by the clock of the node that got the request.
sliding-window-counter  Two counts, one of the present and one of the previous window. A request is admitted if the
                        present count and the previous one's share, rounded down, leave room for it: the share is that
                        part of the previous window that is less than a window ago. In Redis, a key's windows begin with
                        its first admission and follow each other without a gap; after a whole window without a request
                        they begin anew, at the next admission. In a node's own memory they lie at the clock's multiples,
                        for all keys.

Flask-Limiter counts a request in each of several fixed windows, the shortest first, until one has no room. So a request
that a longer window blocks counts in the shorter ones. After the longer window's end, a shorter one may be full of
blocked requests: it blocks a request though neither window has admitted its limit.

The checks' traffic tells the first two apart: two requests of each key, a pause until shortly before the window's end,
then more than the limit on both sides of that end. Fixed windows admit the limit before that end and again after it. A
moving one admits the limit once, and two more in place of the first two, which are a window old by then. This bears a
delay of a second."""

import collections
import contextlib
import json
import subprocess

import audits
from audits import BLOCKS, BROKEN, NEVER_BROKEN, NEVER_KEPT, Audit
from discoveries import (ASKED, ASKED_FOR, ASKED_WINDOW_S, BY_ADMISSION, BY_KEY, BY_LOG, COUNTER_BY_CLOCK,
                         COUNTER_BY_KEY, NO, YES, Discovery, Limit)
from harness import Check, Need, Promise, System, Traffic, fetch
from places import PYTHON, REQUIREMENTS, ROOT
from processes import LOOPBACK, folder, free_ports, server
from promises import fixed_window

NODES = ROOT / "tests" / "external" / "limiters" / "nodes"
REDIS = Need("redis-server", "apt install redis-server")
PACKAGES = Need(PYTHON, f"apt install python3-venv; python3 -m venv {PYTHON.parents[1]}; "
                        f"{PYTHON} -m pip install -r {REQUIREMENTS}")
NEEDS = (REDIS, PACKAGES)
# Each process counts alone.
MEMORY = "memory://"


@contextlib.contextmanager
def redis(at):
    [port] = free_ports(1)
    options = {"port": port, "bind": LOOPBACK, "save": "", "appendonly": "no", "dir": at}
    command = ["redis-server", *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
    with server(command, port, at / "redis.log") as process:
        process.answers()
        yield f"redis://{LOOPBACK}:{port}"


def node(script, *arguments, port, log):
    return server([str(PYTHON), "-B", str(NODES / script), *arguments, str(port)], port, log)


@contextlib.contextmanager
def cluster(script, argument, count, package, in_redis=True):
    """Nodes that run the script with the argument, and share a Redis or count alone."""
    with contextlib.ExitStack() as stack:
        at = stack.enter_context(folder())
        storage = stack.enter_context(redis(at)) if in_redis else MEMORY
        processes = [stack.enter_context(node(script, argument, storage, port=port, log=at / f"{port}.log"))
                     for port in free_ports(count)]
        for process in processes:
            process.answers()
        targets = [process.url for process in processes]
        yield System(version(package), targets, lambda _: counts(targets))


@contextlib.contextmanager
def processes_on_one_port(strategy, count=4):
    """Processes that listen on the same port and count alone. The kernel gives each connection to one of them."""
    with contextlib.ExitStack() as stack:
        at = stack.enter_context(folder())
        [port] = free_ports(1)
        processes = [stack.enter_context(node("limits_node.py", "--share-port", strategy, MEMORY, port=port,
                                              log=at / f"{place}.log")) for place in range(count)]
        for process in processes:
            process.prints("listening")
        yield System(version("limits"), [processes[0].url])


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
    """The requests after the pause lie within a span of `lived` less the time before them."""
    begins = ACROSS_THE_END.seconds - ACROSS_THE_END.pieces[-1][1]
    windows = int((lived - begins) / WINDOW_S) + 1
    return Promise(EARLY + limit, EARLY + windows * limit)


def of_limits(strategy, promise):
    return Check(f"limits-{strategy}", lambda _: limits_nodes(strategy), NEEDS,
                 f"{strategy}, {LIMIT} in {WINDOW_S} s; 3 nodes, one Redis", LIMIT, ACROSS_THE_END,
                 lambda limit: ["--limit", str(limit), "--window", f"{WINDOW_S}s"], promise)


CHECKS = [
    of_limits("fixed-window", across_fixed_windows),
    of_limits("moving-window", across_a_moving_window),
    Check("flask-limiter", flask_limiter_nodes, NEEDS,
          f"fixed-window, {LIMIT} in {WINDOW_S} s; 2 nodes, one Redis", LIMIT, STEADY, lambda _: ["--preset", "kong"],
          lambda limit, lived: fixed_window(limit, WINDOW_S, STEADY, lived)),
]


def told_by_each_request(limit):
    """Requests name the limit that is kept, which may differ from the claim."""
    return ["--body", f'{{"key":"{{key}}","limit":{limit},"window_ms":{{window_ms}}}}']


NO_RETRY_AFTER = "a request was blocked with 429 and no Retry-After"
CLAIM = f"{audits.LIMIT} in {audits.WINDOW_S} s"


def audit_of_limits(name, strategy, expected, nodes="3 nodes, one Redis", **how):
    return Audit(f"audit-limits-{name}", lambda _: cluster("limits_node.py", strategy, package="limits", **how), NEEDS,
                 f"{strategy}, {CLAIM}; {nodes}", expected, told_by_each_request, headers=(NO_RETRY_AFTER,))


# The shorter window takes half of what a key sends in a burst, and the longer one ends within a burst.
SHORTER, LONGER = (4, 1), (8, 3)


def flask_limiter_with_two_limits(excess):
    windows = [f"{limit + excess} per {window_s} second" for limit, window_s in (SHORTER, LONGER)]
    return cluster("flask_limiter_node.py", "; ".join(windows), 2, "Flask-Limiter")


AUDITS = [
    audit_of_limits("fixed-window", "fixed-window", audits.fixed(audits.BY_ADMISSIONS), count=3),
    audit_of_limits("moving-window", "moving-window", audits.SLIDING, count=3),
    # The windows have a phase for each key, and another one after a pause.
    audit_of_limits("sliding-window-counter", "sliding-window-counter",
                    {**audits.SLIDING_COUNTER, "sliding-counter": NEVER_BROKEN}, count=3),
    audit_of_limits("sliding-window-counter-by-clock", "sliding-window-counter", audits.SLIDING_COUNTER,
                    "one node, by the clock", count=1, in_redis=False),
    Audit("audit-flask-limiter-two", lambda kept: flask_limiter_with_two_limits(kept - LONGER[0]), NEEDS,
          "fixed-window, 4 in 1 s and 8 in 3 s; 2 nodes, one Redis",
          {"auto": [BROKEN], "fixed-window 4/1s and fixed-window 8/3s": [BLOCKS]},
          lambda _: ["--preset", "kong"], limit=LONGER[0], window_s=LONGER[1], headers=(NO_RETRY_AFTER,)),
    Audit("audit-processes-on-one-port", lambda _: processes_on_one_port("moving-window"), (PACKAGES,),
          f"moving-window, {CLAIM}; 4 processes, each alone, one port",
          {"auto": NEVER_KEPT, "sliding-window": NEVER_KEPT, "fixed-window": NEVER_KEPT}, told_by_each_request),
]


def discovery(name, strategy, kind, words, **more):
    """`more` has what `cluster` takes as well."""
    how = {option: more.pop(option) for option in ("count", "in_redis") if option in more}
    return Discovery(f"limits-{name}", lambda: cluster("limits_node.py", strategy, package="limits", **how), NEEDS,
                     f"{strategy}, {ASKED} in {ASKED_WINDOW_S} s; {words}", ASKED_FOR,
                     (Limit(kind, ASKED, ASKED_WINDOW_S),), **more)


SHARED, APART = "2 nodes, one Redis", "2 nodes, each alone"
DISCOVERIES = [
    discovery("fixed-window", "fixed-window", BY_ADMISSION, SHARED, count=2, nodes=(YES,)),
    discovery("moving-window", "moving-window", BY_LOG, SHARED, count=2, nodes=(YES,)),
    discovery("sliding-window-counter", "sliding-window-counter", COUNTER_BY_KEY, SHARED, count=2, nodes=(YES,)),
    discovery("fixed-window-alone", "fixed-window", BY_ADMISSION, APART, count=2, in_redis=False, nodes=(NO,)),
    discovery("moving-window-alone", "moving-window", BY_LOG, APART, count=2, in_redis=False, nodes=(NO,)),
    discovery("sliding-window-counter-alone", "sliding-window-counter", COUNTER_BY_CLOCK, APART, count=2,
              in_redis=False, nodes=(NO,)),
    Discovery("limits-one-port", lambda: processes_on_one_port("moving-window"), (PACKAGES,),
              f"moving-window, {ASKED} in {ASKED_WINDOW_S} s; 4 processes, each alone, one port", ASKED_FOR,
              (Limit(BY_LOG, ASKED, ASKED_WINDOW_S),), maybe=True, connections=NO),
    Discovery("flask-limiter", lambda: flask_limiter_nodes(LIMIT), NEEDS,
              f"fixed-window, {LIMIT} in {WINDOW_S} s; 2 nodes, one Redis", ("--preset", "kong"),
              (Limit(BY_ADMISSION, LIMIT, WINDOW_S),), frozenset({BY_KEY}), nodes=(YES,)),
    Discovery("flask-limiter-two", lambda: flask_limiter_with_two_limits(0), NEEDS,
              "fixed-window, 4 in 1 s and 8 in 3 s; 2 nodes, one Redis", ("--preset", "kong"),
              tuple(Limit(BY_ADMISSION, *limit) for limit in (SHORTER, LONGER)), maybe=True, nodes=(YES,)),
]
