"""This project's own node, with each of its algorithms and stores. Its fixed windows begin at the clock's multiples."""

import contextlib
import functools
import subprocess

import audits
from audits import TO_EACH, WINDOW_S, Audit
from discoveries import (ASKED, ASKED_WINDOW_S, BUCKET, BY_ADMISSION, BY_CLOCK, BY_LOG, COUNTER_BY_CLOCK,
                         COUNTER_BY_KEY, NO, RIGHT, YES, Discovery, Limit)
from harness import Need, System
from processes import LOOPBACK, folder, free_ports, server
from python_nodes import REDIS, redis, told_by_each_request

ALGORITHMS = {
    "sliding-log": audits.SLIDING,
    "fixed-window": audits.fixed(audits.BY_A_CLOCK),
    "token-bucket": audits.BUCKET,
}


@contextlib.contextmanager
def ratelimiter(program, algorithm, count, in_redis):
    """So many nodes, that share a Redis or count alone."""
    with contextlib.ExitStack() as stack:
        at = stack.enter_context(folder())
        store = stack.enter_context(redis(at)) if in_redis else "memory"
        processes = []
        for port in free_ports(count):
            command = [program, "--bind", LOOPBACK, "--port", str(port), "--algorithm", algorithm, "--store", store]
            processes.append(stack.enter_context(server(command, port, at / f"{port}.log")))
        for process in processes:
            process.answers()
        yield System(version(program), [process.url for process in processes])


def version(program):
    return subprocess.run([program, "--version"], capture_output=True, text=True).stdout.split()[-1]


def audits_of(program):
    """The program is beside the loadgen that is tested."""
    built = Need(program, "cargo build")

    def audit(name, algorithm, count, in_redis, expected, nodes, **more):
        system = functools.partial(ratelimiter, program, algorithm, count, in_redis)
        needs = (built, REDIS) if in_redis else (built,)
        return Audit(f"audit-{algorithm}-{name}", lambda _: system(), needs, nodes, expected, told_by_each_request,
                     **more)

    for algorithm, expected in ALGORITHMS.items():
        said = f"{audits.LIMIT} in {WINDOW_S} s"
        yield audit("memory", algorithm, 1, False, expected, f"{said}; one node")
        yield audit("redis", algorithm, 3, True, expected, f"{said}; 3 nodes, one Redis")
        yield audit("alone", algorithm, 3, False, audits.ALONE, f"{said}; 3 nodes, each alone", traffic=TO_EACH,
                    printed="cause: each node counts alone")


# What a discovery names in each request: a limit and a window in seconds. The second ones are loadgen's defaults.
SHORT, DEFAULT = (ASKED, ASKED_WINDOW_S), (100, 60)


def limit_of(algorithm, limit, window_s):
    return {"sliding-log": Limit(BY_LOG, limit, window_s), "fixed-window": Limit(BY_CLOCK, limit, window_s),
            "token-bucket": Limit(BUCKET, limit, window_s, burst=limit)}[algorithm]


def discoveries_of(program):
    """The program is beside the loadgen that is tested."""
    built = Need(program, "cargo build")

    def discovery(name, algorithm, count, in_redis, words, asked=SHORT, **more):
        limit, window_s = asked
        return Discovery(f"{algorithm}-{name}", lambda: ratelimiter(program, algorithm, count, in_redis),
                         (built, REDIS) if in_redis else (built,), f"{algorithm}, {limit} in {window_s} s; {words}",
                         ("--limit", str(limit), "--window", f"{window_s}s"), (limit_of(algorithm, *asked),),
                         unsure=algorithm == "token-bucket", headers={"Retry-After": RIGHT, "RateLimit": RIGHT},
                         **more)

    for algorithm in ALGORITHMS:
        yield discovery("memory", algorithm, 1, False, "one node")
        yield discovery("redis", algorithm, 3, True, "3 nodes, one Redis", nodes=(YES, YES))
        yield discovery("alone", algorithm, 3, False, "3 nodes, each alone", nodes=(NO, NO))
        yield discovery("default", algorithm, 3, True, "3 nodes, one Redis", DEFAULT, nodes=(YES, YES))
    # With one request in each window, most algorithms are the same.
    yield discovery("one", "sliding-log", 1, False, "one node", (1, 2),
                    also=frozenset([BY_ADMISSION, BUCKET, COUNTER_BY_CLOCK, COUNTER_BY_KEY]))
