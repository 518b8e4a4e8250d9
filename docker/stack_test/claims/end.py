"""The generator is stopped: what it prints, what Prometheus has, and what it leaves."""

import json
import tempfile
import time
from pathlib import Path

from ..holding import holds, run
from ..services import series, target
from ..stack import GRACE_S, NODES, SERVICES
from ..summary import Summary
from .outages import UNREACHABLE

OUTCOMES = "sum by (target, outcome) (last_over_time(loadgen_requests_total[5m]))"


def stopped_the_generator_prints_a_balanced_summary(stack):
    stack.began = time.time() - stack.age("loadgen")
    instance = f"{stack.address('loadgen')}:9100"
    began = time.monotonic()
    stack.quiet_from = time.time() + 1
    stack.compose("stop", "loadgen")
    took = time.monotonic() - began
    stack.ended = time.time()
    code = stack.inspect("loadgen")["State"]["ExitCode"]
    holds(code == 0, f"its exit code is {code}")
    holds(took < GRACE_S, f"it took {took:.1f} s to stop")
    log = "\n".join(text for _, text in stack.log("loadgen"))
    summary = Summary(log)
    expected = set(map(target, NODES))
    holds(set(summary.rows) == expected, f"it has rows of {sorted(summary.rows)}")
    holds(sum(row["sent"] for row in summary.rows.values()) == summary.sent, f"the rows do not add up: {summary.rows}")
    holds(sum(summary.failures.values()) == summary.failed, f"the failures do not add up: {summary.failures}")
    kinds = set(summary.failures)
    holds("503" in kinds and kinds & UNREACHABLE, f"the failures are of the kinds {kinds}")
    Summary.find(r"^metrics stay available at \S+ for [\d.]+s; a second signal ends that$", log)
    # The run stayed until Prometheus had read its last numbers.
    counted = series(OUTCOMES.replace("[5m]", f'{{instance="{instance}"}}[5m]'), "target", "outcome")
    for url, row in summary.rows.items():
        for outcome in "allowed", "blocked", "failed", "abandoned":
            holds(counted[url, outcome] == row[outcome],
                  f"Prometheus has {counted[url, outcome]:.0f} {outcome} of {url}, and the summary {row[outcome]}")
    stack.summary = summary
    return f"after {took:.1f} s"


def its_results_are_in_the_volume(stack):
    with tempfile.TemporaryDirectory() as folder:
        run("docker", "cp", f"{stack.container('loadgen')}:/results", folder)
        results = Path(folder) / "results"
        holds(sorted(file.name for file in results.iterdir()) == ["report.html", "summary.json"],
              f"the volume has {sorted(file.name for file in results.iterdir())}")
        summary = json.loads((results / "summary.json").read_text())
        page = (results / "report.html").read_text()
    events = {event["name"]: event for event in summary["events"]}
    holds(list(events) == ["node 2 stops", "node 2 returns", "redis stops", "redis returns"], f"the events are {list(events)}")
    failed = {name: event["failed"] for name, event in events.items()}
    holds(failed["node 2 stops"] == "closed" and failed["redis stops"] == "closed", f"they failed: {failed}")
    for name, next_one in ("node 2 stops", "node 2 returns"), ("redis stops", "redis returns"):
        recovery = events[name]["recovery"]
        holds(recovery["from"] == next_one and recovery.get("total_ns"), f"after '{name}': {recovery}")
    of_nodes = [target["failed"] for target in events["node 2 stops"]["targets"]]
    holds(of_nodes[1] == "closed" and "closed" not in (of_nodes[0], of_nodes[2]), f"the nodes failed: {of_nodes}")
    sent = summary["requests"]["sent"]
    holds(sent == stack.summary.sent, f"the file counts {sent} sent requests, and the summary {stack.summary.sent}")
    holds("<html" in page and "</html>" in page, f"the page is not whole: {page[:200]}")


def no_service_reached_its_limits(stack):
    """Of memory and processes, with the default load and while nodes and Redis were away."""
    said = []
    for service in SERVICES:
        about = stack.inspect(service)
        holds(not about["State"]["OOMKilled"], f"{service} needed more memory than it may have")
        host = about["HostConfig"]
        holds(host["Memory"] and host["PidsLimit"], f"{service} has no limit of memory or of processes")
        peak = peak_memory(about["Id"])
        if peak is not None:
            said.append(f"{service} {peak / 2**20:.0f} of {host['Memory'] / 2**20:.0f} MiB")
    return ", ".join(said)


def peak_memory(container):
    """In bytes, with the caches of files; `None` if the container does not run, or this machine does not say it."""
    for path in (f"/sys/fs/cgroup/system.slice/docker-{container}.scope/memory.peak",
                 f"/sys/fs/cgroup/docker/{container}/memory.peak",
                 f"/sys/fs/cgroup/memory/docker/{container}/memory.max_usage_in_bytes"):
        if Path(path).exists():
            return int(Path(path).read_text())
    return None
