"""The drills of docker/drills: each meets its own expectations, and what it says of itself is what happened."""

import json
import tempfile
from pathlib import Path

from ..holding import Broken, holds, run
from ..stack import FOLDER, PROJECT
from .admissions import HELD_UP

# So many seconds a drill takes at most, with the start of the stack's services.
LONGEST_S = 180


class Drill:
    """The result of a drill that met its expectations."""

    def __init__(self, stack, name):
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder, "summary.json")
            env = {**stack.env, "COMPOSE_PROJECT_NAME": PROJECT, "LOADGEN": program(folder)}
            for _ in range(HELD_UP):
                try:
                    self.log = run(str(FOLDER / "drills" / "drill"), name, "--summary-json", str(result), "--seed", "21",
                                   env=env, timeout=LONGEST_S)
                    break
                except Broken as failure:
                    if "schedule not kept" not in str(failure):
                        raise
            else:
                raise Broken(f"{name}: the machine was too busy to send on time, {HELD_UP} times")
            self.summary = json.loads(result.read_text())
        events = self.summary["events"]
        failed = [event for event in events if event.get("command", {}).get("error")]
        holds(not failed, f"commands failed: {failed}")
        self.event = events[0]
        self.undo = events[1] if len(events) > 1 else None

    def failed_targets(self):
        return [number for number, target in enumerate(self.event["targets"], 1)
                if target["failed"] in ("closed", "open_and_closed")]

    def said(self):
        at = self.log.index("  event at ")
        return "\n" + self.log[at:self.log.index("  failures: ", at)].rstrip()


def program(folder):
    """The program of the image, which a drill itself would copy in the same way."""
    container = run("docker", "create", "loadgen").strip()
    try:
        run("docker", "cp", f"{container}:/loadgen", f"{folder}/loadgen")
    finally:
        run("docker", "rm", container)
    return f"{folder}/loadgen"


def paused_redis_fails_closed_and_nothing_is_admitted(stack):
    drill = Drill(stack, "redis-paused-closed")
    during = drill.event["during"]
    holds(drill.event["failed"] == "closed", f"it failed {drill.event['failed']}")
    holds(drill.failed_targets() == [1, 2, 3], f"these targets failed: {drill.failed_targets()}")
    holds(during["admitted_beyond"] == 0 and during["failed"] > 300, f"meanwhile: {during}")
    holds(drill.summary["audit"]["verdict"] == "kept", f"the audit says {drill.summary['audit']['headline']}")
    return drill.said()


def paused_redis_fails_open_and_each_such_admission_is_known(stack):
    drill = Drill(stack, "redis-paused-open")
    during, audit = drill.event["during"], drill.summary["audit"]
    holds(drill.event["failed"] == "open", f"it failed {drill.event['failed']}")
    holds(during["failing_open"] > 300 and during["admitted_beyond"] > 200, f"meanwhile: {during}")
    said = json.dumps(audit)
    holds(audit["verdict"] == "broken" and "fail open" in said, f"the audit does not say why: {audit['headline']}")
    return drill.said()


def restarted_redis_has_lost_its_counts(stack):
    drill = Drill(stack, "redis-restarted")
    during, audit = drill.event["during"], drill.summary["audit"]
    # Each of seven keys has its limit of ten a second time.
    holds(0 < during["admitted_beyond"] <= 70, f"meanwhile: {during}")
    holds(audit["verdict"] == "broken", f"the audit says {audit['headline']}")
    return drill.said()


def a_killed_node_fails_alone(stack):
    return of_one_node(stack, "node-killed")


def a_frozen_node_delays_no_other(stack):
    return of_one_node(stack, "node-frozen")


def a_node_that_is_cut_off_fails_alone(stack):
    return of_one_node(stack, "node-cut-off")


def of_one_node(stack, name):
    drill = Drill(stack, name)
    holds(drill.failed_targets() == [2], f"these targets failed: {drill.failed_targets()}")
    holds(drill.event["during"]["admitted_beyond"] == 0, f"meanwhile: {drill.event['during']}")
    recovery = drill.event["recovery"]
    holds(recovery["from"] == drill.undo["name"] or recovery["from"].startswith("undo of"), f"right again: {recovery}")
    schedule = drill.summary["schedule"]
    holds("--workers" not in json.dumps(schedule), f"more workers are advised: {schedule}")
    return drill.said()
