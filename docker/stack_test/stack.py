"""The stack's containers."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path

from .holding import NothingChecked, Refused, holds, run
from .summary import STATS_LINE

FOLDER = Path(__file__).resolve().parents[1]
COMPOSE_FILE = FOLDER / "docker-compose.yml"
EXAMPLE = FOLDER / ".env.example"
PROJECT = "loadgen-e2e"
NETWORK = "ratelimiter"
NODES = ["ratelimiter-1", "ratelimiter-2", "ratelimiter-3"]
SERVICES = ["redis", *NODES, "prometheus", "loadgen"]
PORTS = dict(zip([*NODES, "prometheus"], [8001, 8002, 8003, 9090]))
GRACE_S = 20


class Stack:
    """The stack under a project name of its own, with the variables that .env.example lists."""

    def __init__(self, compose):
        foreign = re.compile(r"(LOADGEN|RATELIMITER|COMPOSE)_")
        self.env = {name: value for name, value in os.environ.items() if not foreign.match(name)}
        self.program = compose

    def compose(self, *arguments, env_file=EXAMPLE, timeout=180, code=0, **variables):
        return run(*self.program, "--file", str(COMPOSE_FILE), "--env-file", str(env_file),
                   "--project-name", PROJECT, *arguments, env={**self.env, **variables}, timeout=timeout, code=code)

    def build(self, **variables):
        self.compose("build", timeout=1800, **variables)

    def up(self, *arguments):
        # Built a moment ago: up alone would build only what has no image yet, and never what changed. This run outlives a
        # Redis whose counts are lost, so no audit can say that the limit was kept.
        self.compose("up", "--detach", "--no-build", *arguments, LOADGEN_AUDIT="off")

    def containers(self, *filters):
        own = f"label=com.docker.compose.project={PROJECT}"
        arguments = [argument for each in (own, *filters) for argument in ("--filter", each)]
        return run("docker", "ps", "--all", "--quiet", "--no-trunc", *arguments).split()

    def replicas(self, service):
        """The containers of the service, without those of `compose run`."""
        return self.containers(f"label=com.docker.compose.service={service}", "label=com.docker.compose.oneoff=False")

    def container(self, service):
        found = self.replicas(service)
        holds(len(found) == 1, f"{service} has {len(found)} containers instead of one")
        return found[0]

    def inspect(self, service):
        return inspect(self.container(service))

    def address(self, service):
        return address(self.inspect(service))

    def is_well(self, service):
        state = self.inspect(service)["State"]
        health = state.get("Health", {}).get("Status", "healthy")
        holds(state["Running"] and health == "healthy",
              f"{service} is {state['Status']}, {health}; exit code {state['ExitCode']}")

    def age(self, service):
        started = instant(self.inspect(service)["State"]["StartedAt"])
        return (datetime.now(timezone.utc) - started).total_seconds()

    def log(self, service):
        """Each line of standard output, with the seconds from the container's start to it."""
        started = instant(self.inspect(service)["State"]["StartedAt"])
        lines = run("docker", "logs", "--timestamps", self.container(service)).splitlines()
        stamped = (line.partition(" ")[::2] for line in lines)
        return [((instant(stamp) - started).total_seconds(), text) for stamp, text in stamped]

    def stats(self):
        """The generator's stats lines: when, and the numbers."""
        matches = ((at, STATS_LINE.fullmatch(text)) for at, text in self.log("loadgen"))
        return [(at, {name: float(number) for name, number in match.groupdict().items()})
                for at, match in matches if match]

    def wait_until(self, age):
        """Sleeps until the generator has run for so many seconds."""
        time.sleep(max(0, age - self.age("loadgen")))

    def tails(self):
        for service in SERVICES:
            for container in self.containers(f"label=com.docker.compose.service={service}"):
                done = subprocess.run(["docker", "logs", "--tail", "20", container], text=True, timeout=30,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                yield f"--- {service}\n{done.stdout}"

    def down(self):
        for left in self.containers("label=loadgen.e2e"):
            run("docker", "rm", "--force", left)
        for left in self.containers("label=com.docker.compose.oneoff=True"):
            run("docker", "rm", "--force", left)
        self.compose("down", "--volumes", "--remove-orphans")


def inspect(container):
    return json.loads(run("docker", "inspect", container))[0]


def address(about):
    return about["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]


def instant(stamp):
    """Docker's stamps have nine digits after the second, or fewer; Python reads six."""
    second, _, fraction = stamp.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{second}.{fraction[:6]:0<6}+00:00")


def a_container_of_its_own(image, *arguments, name, detach=False, keep=False, alias=None, timeout=60, code=0):
    """Beside the stack's services on their network, perhaps with one more name there. It is removed when it ends, or, to
    keep its log, with the stack. It is to exit with the code."""
    labels = ["--label", f"com.docker.compose.project={PROJECT}", "--label", "loadgen.e2e"]
    names = ["--name", f"{PROJECT}-{name}", *(["--network-alias", alias] if alias else [])]
    ways = [*([] if keep else ["--rm"]), *(["--detach"] if detach else [])]
    return run("docker", "run", *ways, *labels, *names,
               "--network", NETWORK, image, *arguments, timeout=timeout, code=code)


def compose_program():
    """Compose as a plugin of the docker command, or as a program of its own."""
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True).returncode:
        raise NothingChecked("there is no Docker engine that answers `docker info`")
    if subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    raise NothingChecked("there is neither `docker compose` nor `docker-compose`")


def refuse_what_is_in_use(stack):
    if stack.containers():
        raise Refused(f"containers of the project {PROJECT} are here: take it down with docker/e2e.py --down")
    if run("docker", "network", "ls", "--quiet", "--filter", f"name=^{NETWORK}$").strip():
        raise Refused(f"the network '{NETWORK}' is here: take the stack that it belongs to down first")
    for service, port in PORTS.items():
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError as error:
                raise Refused(f"port {port}, which {service} needs, is taken ({error.strerror})") from error
