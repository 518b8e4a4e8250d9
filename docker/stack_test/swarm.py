"""A Docker Swarm of this one machine, and a service in it whose tasks are the stripes of one run."""

import json
import subprocess
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from .holding import eventually, holds, run
from .stack import NODES, PROJECT

SERVICE = f"{PROJECT}-stripes"
# Tasks of a service can't join a network of Compose, which is one machine's.
OVERLAY = f"{PROJECT}-overlay"
RESULTS = f"{PROJECT}-stripes"
# The engine needs about five seconds to start the tasks on an idle machine.
LEAD_S = 20
OVER = ("Complete", "Failed", "Shutdown", "Rejected", "Orphaned")


# The label of a node whose swarm this test made.
OWN = "loadgen.e2e.swarm"


class Swarm:
    """While it is entered, this engine is a swarm's manager, whose overlay network the stack's nodes are in too. A swarm that
    was made for this is left by `leave`, when the stack is down: an engine that leaves a swarm may close the ports that
    containers have published."""

    def __init__(self, stack):
        self.stack = stack

    def __enter__(self):
        if about_swarm("LocalNodeState") == "inactive":
            run("docker", "swarm", "init", "--advertise-addr", "127.0.0.1")
            run("docker", "node", "update", "--label-add", f"{OWN}=true", about_swarm("NodeID"))
        try:
            self.clear()
            run("docker", "network", "create", "--driver", "overlay", "--attachable", OVERLAY)
            for name in NODES:
                run("docker", "network", "connect", "--alias", name, OVERLAY, self.stack.container(name))
            run("docker", "volume", "create", RESULTS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.clear()

    def clear(self):
        """Removes what there is of the service, also of one that an interrupted test left."""
        quietly("docker", "service", "rm", SERVICE)
        eventually(lambda: holds(not self.containers(), "tasks are left"), within=60)
        for name in NODES:
            quietly("docker", "network", "disconnect", "--force", OVERLAY, self.stack.container(name))
        quietly("docker", "network", "rm", OVERLAY)
        quietly("docker", "volume", "rm", RESULTS)

    def containers(self, *filters):
        own = f"label=com.docker.swarm.service.name={SERVICE}"
        arguments = [argument for each in (own, *filters) for argument in ("--filter", each)]
        return run("docker", "ps", "--quiet", "--no-trunc", *arguments).split()

    def start(self, stripes, *options):
        """Starts as many tasks, each of which sends the stripe of its slot. Returns when the requests begin, in Unix time."""
        begins = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(seconds=LEAD_S)
        variables = {
            "LOADGEN_STRIPE": f"{{{{.Task.Slot}}}}/{stripes}",
            "LOADGEN_START_AT": begins.strftime("%Y-%m-%dT%H:%M:%SZ"),
            # All tasks read the clock of this machine.
            "LOADGEN_CLOCK_ERROR": "1ms",
            "LOADGEN_SUMMARY_JSON": "/results/stripe-{{.Task.Slot}}.json",
            "LOADGEN_REQUESTS": "/results/stripe-{{.Task.Slot}}.csv",
        }
        words = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
        run("docker", "service", "create", "--detach", "--quiet", "--no-resolve-image", "--name", SERVICE,
            "--replicas", str(stripes), "--restart-condition", "none", "--network", OVERLAY, "--read-only", "--cap-drop", "ALL",
            "--mount", f"type=volume,source={RESULTS},target=/results", *words, "loadgen", *options)
        return begins.timestamp()

    def tasks(self):
        """The state of each task, by its slot, counted from 1."""
        lines = run("docker", "service", "ps", "--no-trunc", "--format", "{{.Name}} {{.CurrentState}}", SERVICE).splitlines()
        return {int(name.rpartition(".")[2]): state.split()[0] for name, state in (line.split(" ", 1) for line in lines)}

    def kill(self, slot):
        """Ends the task at once, without any notice."""
        [container] = self.containers(f"name=^{SERVICE}\\.{slot}\\.")
        run("docker", "kill", "--signal", "KILL", container)

    def wait(self, within):
        def are_over():
            tasks = self.tasks()
            holds(tasks and all(state in OVER for state in tasks.values()), f"the tasks are {tasks}:\n{self.logs()}")
            return tasks
        return eventually(are_over, within)

    def logs(self):
        done = subprocess.run(["docker", "service", "logs", "--raw", SERVICE], capture_output=True, text=True, timeout=30)
        return done.stdout + done.stderr

    def loadgen(self, *arguments, code=0):
        """What loadgen prints that has the stripes' results in /results."""
        return run("docker", "run", "--rm", "--mount", f"type=volume,source={RESULTS},target=/results", "loadgen",
                   *arguments, timeout=60, code=code)

    def result(self, name):
        """A file of the results, as JSON."""
        container = run("docker", "create", "--mount", f"type=volume,source={RESULTS},target=/results", "loadgen").strip()
        try:
            with tempfile.TemporaryDirectory() as folder:
                run("docker", "cp", f"{container}:/results/{name}", folder)
                return json.loads((Path(folder) / name).read_text())
        finally:
            run("docker", "rm", container)


def about_swarm(field):
    return run("docker", "info", "--format", f"{{{{.Swarm.{field}}}}}").strip()


def is_own():
    """Whether this engine is in a swarm that this test made, now or in an earlier run."""
    if about_swarm("LocalNodeState") != "active" or about_swarm("ControlAvailable") != "true":
        return False
    labels = run("docker", "node", "inspect", "--format", "{{json .Spec.Labels}}", about_swarm("NodeID"))
    return OWN in json.loads(labels)


def leave():
    """Ends the swarm that this test made, if there is one."""
    if is_own():
        run("docker", "swarm", "leave", "--force")


def quietly(*command):
    """It may have nothing to do."""
    subprocess.run(command, capture_output=True, timeout=60)


def until(instant):
    time.sleep(max(0, instant - time.time()))
