"""A target whose name has no address yet."""

import subprocess

from ..holding import eventually, holds, run
from ..stack import PROJECT, a_container_of_its_own
from ..summary import Summary

WAITING = f"{PROJECT}-waiting"


def a_name_without_a_record_is_waited_for(_):
    """A service that has not started yet has no record in the name server of its network."""
    a_container_of_its_own("loadgen", "--targets", "http://late:8000", "--wait", "60s", "--duration", "2", "--rps", "5",
                           "--burst-enabled", "false", name="waiting", detach=True, keep=True)

    def it_waits():
        logs = subprocess.run(["docker", "logs", WAITING], capture_output=True, text=True, timeout=30)
        holds("for http://late:8000: its name has no address" in logs.stderr, f"it says {logs.stdout}{logs.stderr}")

    eventually(it_waits, within=30)
    a_container_of_its_own("ratelimiter", name="late", alias="late", detach=True)
    code = run("docker", "wait", WAITING, timeout=90).strip()
    log = run("docker", "logs", WAITING)
    holds(code == "0", f"it exited with {code}: {log}")
    summary = Summary(log)
    holds(summary.sent == summary.allowed == 10, f"not every request was allowed: {log}")
