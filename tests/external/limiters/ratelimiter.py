"""This project's own node, with each of its algorithms and stores. Its fixed windows begin at the clock's multiples."""

import contextlib
import functools
import subprocess

import audits
from audits import TO_EACH, WINDOW_S, Audit
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
