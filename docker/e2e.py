#!/usr/bin/env python3
"""Brings the stack of docker-compose.yml up and checks what a person would look at: the log, what
Prometheus has, a node that stops and returns under another address, Redis that stops and returns,
the summary, and the nodes counting each alone, which an audit tells from nodes that share a count.
It sends at most 60 requests a second, takes about three minutes beside building the images, and
takes everything down again.

Exit codes: 0 every claim holds; 1 one does not; 2 refused, since something here is already in use;
77 nothing was checked, since there is no Docker engine or no Compose.

Times have wide margins: the machine may be slow, and busy with something else.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from datetime import datetime, timezone
from http.client import HTTPException
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = "loadgen-e2e"
NETWORK = "ratelimiter"
NODES = ["ratelimiter-1", "ratelimiter-2", "ratelimiter-3"]
SERVICES = ["redis", *NODES, "prometheus", "loadgen"]
PORTS = dict(zip([*NODES, "prometheus"], [8001, 8002, 8003, 9090]))
GRACE_S = 20
# So many audited runs in a row may fail because the machine was too busy to send on time.
HELD_UP = 3
# loadgen's exit code if the limit was not kept.
NOT_KEPT = 4
NOT_CHECKED = 77
BANNER = ["", "*" * 100, ""]

STATS_LINE = re.compile(
    r"Requests: (?P<requests>\d+) \| Success: (?P<success>\d+) \| Failed: (?P<failed>\d+)"
    r" \| Blocked: (?P<blocked>\d+) \| RPS: (?P<rps>\d+\.\d)"
)
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
# What a request to a stopped container can meet, by where it is when the container stops.
UNREACHABLE = {"dns", "refused", "connect", "reset", "reset_idle", "timeout"}


class Broken(Exception):
    """A claim that does not hold."""


class Refused(Exception):
    """Something that this test needs is in use."""


class NothingChecked(Exception):
    """There is nothing here to check with."""


def holds(condition, otherwise):
    if not condition:
        raise Broken(otherwise)


def eventually(claim, within):
    """Tries the claim every half second, for so many seconds; returns what it returns."""
    deadline = time.monotonic() + within
    while True:
        try:
            return claim()
        except Broken as failure:
            if time.monotonic() > deadline:
                raise Broken(f"{failure} (still, after {within} s)") from failure
        time.sleep(0.5)


def run(*command, timeout=60, env=None, code=0):
    """What the command prints; a failure, which is to exit with another code, shows what it complained about."""
    done = subprocess.run(command, env=env, timeout=timeout, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True)
    holds(done.returncode == code,
          f"`{' '.join(command)}` exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def ask(url, data=None, timeout=5):
    """The answer's status and body, whatever the status; no proxy of the environment is asked."""
    body = json.dumps(data).encode() if data is not None else None
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with DIRECTLY.open(request, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read().decode()
    except (OSError, HTTPException) as failure:
        raise Broken(f"no answer from {url}: {failure!r}") from failure


def node(name, path):
    return f"http://127.0.0.1:{PORTS[name]}{path}"


def target(name):
    return f"http://{name}:8000"


def check(name, key="e2e", timeout=5):
    return ask(node(name, "/check"), {"key": key, "limit": 1_000_000, "window_ms": 60_000}, timeout)


def checks_counted_by(name):
    status, text = ask(node(name, "/metrics"))
    holds(status == 200, f"{name}'s /metrics answered {status}")
    return sum(float(value) for value in
               re.findall(r"^ratelimiter_requests_checked_total\{.*\} (\S+)", text, re.MULTILINE))


def prometheus(path, **parameters):
    query = urllib.parse.urlencode(parameters)
    status, text = ask(f"http://127.0.0.1:{PORTS['prometheus']}/api/v1/{path}?{query}")
    holds(status == 200, f"Prometheus answered {status} to {path}?{query}: {text}")
    return json.loads(text)["data"]


def series(expression, *labels):
    """The expression's values now, by the values of these labels."""
    found = prometheus("query", query=expression)["result"]
    values = {tuple(s["metric"].get(label, "") for label in labels): float(s["value"][1]) for s in found}
    return values if len(labels) > 1 else {label: value for (label,), value in values.items()}


def failures():
    """How many of the generator's requests failed, by target and kind, as far as Prometheus knows."""
    counts = series("sum by (target, kind) (loadgen_request_failures_total)", "target", "kind")
    return {labels: count for labels, count in counts.items() if count}


def since(before, now):
    """What was added to counters since."""
    added = {labels: count - before.get(labels, 0) for labels, count in now.items()}
    return {labels: count for labels, count in added.items() if count}


class Stack:
    """The stack under a project name of its own, with the variables that .env.example lists."""

    def __init__(self, compose):
        foreign = re.compile(r"(LOADGEN|RATELIMITER|COMPOSE)_")
        self.env = {name: value for name, value in os.environ.items() if not foreign.match(name)}
        self.program = compose

    def compose(self, *arguments, env_file=HERE / ".env.example", timeout=180, **variables):
        return run(*self.program, "--file", str(HERE / "docker-compose.yml"), "--env-file", str(env_file),
                   "--project-name", PROJECT, *arguments, env={**self.env, **variables}, timeout=timeout)

    def build(self):
        self.compose("build", timeout=1800)

    def up(self):
        # Built a moment ago: up alone would build only what has no image yet, and never what changed.
        self.compose("up", "--detach", "--no-build")

    def containers(self, *filters):
        own = f"label=com.docker.compose.project={PROJECT}"
        arguments = [argument for each in (own, *filters) for argument in ("--filter", each)]
        return run("docker", "ps", "--all", "--quiet", "--no-trunc", *arguments).split()

    def container(self, service):
        found = self.containers(f"label=com.docker.compose.service={service}")
        holds(len(found) == 1, f"{service} has {len(found)} containers instead of one")
        return found[0]

    def inspect(self, service):
        return json.loads(run("docker", "inspect", self.container(service)))[0]

    def address(self, service):
        return self.inspect(service)["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]

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
        self.compose("down", "--volumes", "--remove-orphans")


def instant(stamp):
    """Docker's stamps have nine digits after the second, or fewer; Python reads six."""
    second, _, fraction = stamp.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{second}.{fraction[:6]:0<6}+00:00")


def a_container_of_its_own(image, *arguments, name, detach=False, timeout=60, code=0):
    """Beside the stack's services on their network; taken down with them. It is to exit with the code."""
    labels = ["--label", f"com.docker.compose.project={PROJECT}", "--label", "loadgen.e2e"]
    return run("docker", "run", "--rm", *(["--detach"] if detach else []), *labels, "--name", f"{PROJECT}-{name}",
               "--network", NETWORK, image, *arguments, timeout=timeout, code=code)


def the_example_of_variables_lists_the_defaults(stack):
    stack.compose("config", "--quiet")
    with tempfile.NamedTemporaryFile() as empty:
        defaults = stack.compose("config", env_file=empty.name)
    holds(stack.compose("config") == defaults, "with .env.example as .env, the stack is another one")
    of_the_stack = set(re.findall(r"\$\{(\w+)", (HERE / "docker-compose.yml").read_text()))
    listed = set(re.findall(r"^(\w+)=", (HERE / ".env.example").read_text(), re.MULTILINE))
    holds(of_the_stack == listed, f"only in one of the two files: {of_the_stack ^ listed}")


def the_images_hold_one_small_program_each(_):
    for image, limit in ("loadgen", 11_000_000), ("ratelimiter", 6_000_000):
        about = json.loads(run("docker", "image", "inspect", image))[0]
        config = about["Config"]
        holds(about["Size"] <= limit, f"{image} has {about['Size']:,} bytes; at most {limit:,} are allowed")
        holds(re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", config["User"]), f"{image} runs as user '{config['User']}'")
        holds(config["Entrypoint"] == [f"/{image}"], f"{image}'s entry point is {config['Entrypoint']}")
        container = run("docker", "create", image).strip()
        try:
            with subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE) as export:
                with tarfile.open(fileobj=export.stdout, mode="r|") as files:
                    # Docker itself puts empty files where it mounts its own.
                    inside = sorted(file.name for file in files if file.isfile() and file.size)
        finally:
            run("docker", "rm", container)
        holds(inside == [image], f"{image} holds {', '.join(inside)}")


def six_services_run_and_are_healthy(stack):
    for service in SERVICES:
        eventually(lambda: stack.is_well(service), within=60)
    holds(len(stack.containers()) == len(SERVICES), f"there are {len(stack.containers())} containers")


def prometheus_reaches_every_target(_):
    expected = {*(f"{name}:8000" for name in NODES), "loadgen:9100"}

    def all_up():
        active = prometheus("targets", state="active")["activeTargets"]
        health = {each["labels"]["instance"]: (each["health"], each["lastError"]) for each in active}
        holds(set(health) == expected, f"the targets are {', '.join(sorted(health))}")
        holds(all(state == "up" for state, _ in health.values()), f"not all targets are up: {health}")

    eventually(all_up, within=60)


def every_node_gets_a_third_of_the_checks(_):
    def balanced():
        rates = series("sum by (instance) (rate(ratelimiter_requests_checked_total[20s]))", "instance")
        holds(set(rates) == {f"{name}:8000" for name in NODES}, f"Prometheus has rates of {sorted(rates)} only")
        total = sum(rates.values())
        holds(total > 5 and all(0.28 < rate / total < 0.38 for rate in rates.values()),
              f"not a third each of 10/s or more: {rates}")

    eventually(balanced, within=90)


def the_generators_own_counts_are_in_prometheus(_):
    def counted():
        sent = series("loadgen_requests_sent_total", "target")
        holds(set(sent) == set(map(target, NODES)), f"Prometheus has counts of the targets {sorted(sent)}")
        holds(max(sent.values()) - min(sent.values()) <= 1, f"not dealt in turn: {sent}")

    eventually(counted, within=30)


def stats_lines_come_every_ten_seconds(stack):
    stack.wait_until(32)
    lines = [text for _, text in stack.log("loadgen") if text.startswith("Requests")]
    wrong = [text for text in lines if not STATS_LINE.fullmatch(text)]
    holds(not wrong, f"not of the form of a stats line: {wrong}")
    stats = stack.stats()
    times = [at for at, _ in stats]
    holds(len(times) >= 3 and all(abs(at - 10 * (i + 1)) < 3 for i, at in enumerate(times)),
          f"stats lines came at {times} s")
    for at, numbers in stats[:2]:
        holds(8 <= numbers["rps"] <= 12, f"at {at:.1f} s, the rate was {numbers['rps']}/s instead of 10/s")
    holds(stats[2][1]["failed"] == 0, f"{stats[2][1]['failed']:.0f} requests failed while all was well")


def bursts_begin_and_end_on_time(stack):
    def phases():
        return {text.partition(":")[0]: at for at, text in stack.log("loadgen") if " MODE " in text}

    stack.wait_until(39)
    for phase, due in ("BURST MODE at 30s", 30), ("STEADY MODE at 35s", 35):
        holds(phase in phases(), f"no line '{phase}', only {phases()}")
        holds(abs(phases()[phase] - due) < 3, f"'{phase}' came at {phases()[phase]:.1f} s")


def a_stopped_node_fails_only_its_own_share(stack):
    before = failures()
    stack.address_of_the_stopped = stack.address("ratelimiter-2")
    stack.compose("stop", "ratelimiter-2")

    def its_share_fails():
        added = since(before, failures())
        holds(sum(added.values()) >= 20, f"only these failed: {added}")
        return added

    added = eventually(its_share_fails, within=60)
    strangers = {labels: count for labels, count in added.items() if labels[0] != target("ratelimiter-2")}
    holds(not strangers, f"requests to nodes that run failed: {strangers}")
    kinds = {kind for _, kind in added}
    holds(kinds <= UNREACHABLE, f"the failures are of the kinds {kinds}")
    last = stack.stats()[-1][1]
    share = last["failed"] / last["requests"]
    holds(share < 0.34, f"{share:.0%} of all requests failed")
    return ", ".join(f"{kind} {count:.0f}" for (_, kind), count in sorted(added.items()))


def it_is_found_again_under_another_address(stack):
    """The container that stopped gave its address back, so that another can take it meanwhile."""
    before = stack.address_of_the_stopped
    for attempt in range(3):
        a_container_of_its_own("redis:7.4-bookworm", "sleep", "300", name=f"occupier-{attempt}", detach=True)
        stack.compose("start", "ratelimiter-2")
        if stack.address("ratelimiter-2") != before:
            break
        stack.compose("stop", "ratelimiter-2")
    now = stack.address("ratelimiter-2")
    holds(now != before, f"it still has the address {now}")
    returned = time.monotonic()

    def it_counts():
        holds(checks_counted_by("ratelimiter-2") >= 10, "the generator does not send to it again")

    eventually(it_counts, within=60)
    took = time.monotonic() - returned

    def no_more_failures():
        seen = failures()
        # Longer than Prometheus takes to read the generator's counts again.
        time.sleep(6)
        holds(not since(seen, failures()), f"requests still fail: {since(seen, failures())}")

    eventually(no_more_failures, within=60)
    return f"{before}, then {now}; ten checks {took:.1f} s after its start"


def a_burst_takes_keys_over_their_limit(stack):
    def some_are_blocked():
        blocked = stack.stats()[-1][1]["blocked"]
        holds(blocked > 0, "no request was blocked")
        return f"{blocked:.0f} blocked after {stack.stats()[-1][0]:.0f} s"

    return eventually(some_are_blocked, within=90)


def without_redis_checks_fail_at_once(stack):
    before = failures()
    stack.compose("stop", "redis")
    stopped = stack.age("loadgen")

    def every_node_is_unwell():
        for name in NODES:
            status, _ = ask(node(name, "/health"))
            holds(status == 503, f"{name}'s /health answered {status}")
            status, _ = ask(node(name, "/live"))
            holds(status == 200, f"{name}'s /live answered {status}")

    eventually(every_node_is_unwell, within=15)
    slowest = 0
    for name in NODES:
        began = time.monotonic()
        status, body = check(name)
        slowest = max(slowest, time.monotonic() - began)
        holds(status == 503 and "error" in json.loads(body), f"{name} answered {status}: {body}")
        holds(slowest < 3, f"{name} took {slowest:.1f} s to say that its store fails")

    def failures_are_counted():
        added = since(before, failures())
        expected = {(target(name), "status_5xx") for name in NODES}
        holds(set(added) == expected, f"these failed: {added}")

    eventually(failures_are_counted, within=30)

    def the_schedule_goes_on():
        # The second line is of an interval that is wholly without Redis.
        lines = [numbers for at, numbers in stack.stats() if at > stopped][1:]
        holds(lines, "no stats line of the time without Redis")
        holds(lines[0]["rps"] >= 8, f"only {lines[0]['rps']}/s were sent without Redis")

    eventually(the_schedule_goes_on, within=30)
    return f"the slowest of three answers took {slowest * 1000:.0f} ms"


def with_redis_back_the_nodes_recover(stack):
    stack.compose("start", "redis")
    began = time.monotonic()

    def every_node_answers():
        for name in NODES:
            for path, status in ("/health", ask(node(name, "/health"))[0]), ("/check", check(name)[0]):
                holds(status == 200, f"{name}'s {path} answers {status}")

    eventually(every_node_answers, within=15)
    took = time.monotonic() - began

    def the_generator_succeeds():
        seen = failures()
        time.sleep(6)
        holds(not since(seen, failures()), f"requests still fail: {since(seen, failures())}")

    eventually(the_generator_succeeds, within=60)
    return f"all three answered {took:.1f} s after its start"


def stopped_the_generator_prints_a_balanced_summary(stack):
    began = time.monotonic()
    stack.compose("stop", "loadgen")
    took = time.monotonic() - began
    code = stack.inspect("loadgen")["State"]["ExitCode"]
    holds(code == 0, f"its exit code is {code}")
    holds(took < GRACE_S, f"it took {took:.1f} s to stop")
    summary = Summary("\n".join(text for _, text in stack.log("loadgen")))
    expected = set(map(target, NODES))
    holds(set(summary.rows) == expected, f"it has rows of {sorted(summary.rows)}")
    holds(sum(row["sent"] for row in summary.rows.values()) == summary.sent, f"the rows do not add up: {summary.rows}")
    holds(sum(summary.failures.values()) == summary.failed, f"the failures do not add up: {summary.failures}")
    kinds = set(summary.failures)
    holds("503" in kinds and kinds & UNREACHABLE, f"the failures are of the kinds {kinds}")
    return f"after {took:.1f} s"


def together_the_nodes_admit_the_limit_once(_):
    said, _ = audited(times=1, verdict="kept", code=0)
    return said


def alone_each_node_admits_the_limit(stack):
    stack.compose("up", "--detach", "--no-build", *NODES, RATELIMITER_STORE="memory")
    for name in NODES:
        eventually(lambda: stack.is_well(name), within=60)
    said, output = audited(times=3, verdict="broken", code=NOT_KEPT)
    holds("cause: each node counts alone" in output, f"the audit does not see that the nodes count alone:\n{output}")
    return said


def audited(times, verdict, code):
    """Of 900 requests within one window, for 7 keys of 20 each: what was admitted, and all that was printed."""
    for _ in range(HELD_UP):
        try:
            output = audited_once(code)
            break
        except Broken as failure:
            # Another program held the machine up. A run with fresh keys tells more.
            if "schedule not kept" not in str(failure):
                raise
            held_up = failure
    else:
        raise held_up
    summary = Summary(output)
    limit = times * 7 * 20
    holds(summary.failed == 0, f"{summary.failed} requests failed: {summary.failures}")
    holds(0.95 * limit <= summary.allowed <= 1.02 * limit,
          f"of {summary.sent}, {summary.allowed} were admitted instead of {limit}")
    said = Summary.find(r"^Audit: (\w+)\.", output)[1]
    holds(said == verdict, f"the audit says '{said}' instead of '{verdict}':\n{output}")
    return f"{summary.allowed} of {summary.sent}, {times} × 7 × 20; audit: {said}", output


def audited_once(code):
    return a_container_of_its_own("loadgen", "--rps", "60", "--duration", "15", "--burst-enabled", "false",
                                  "--limit", "20", "--window", "60s", "--keys", "7", "--audit",
                                  # Else some of what is counted is its own.
                                  "--probe", "false", name="run", code=code)


def nothing_is_left_behind(stack):
    stack.down()
    holds(not stack.containers(), f"containers are left: {stack.containers()}")
    for kind in "network", "volume":
        left = run("docker", kind, "ls", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}").split()
        holds(not left, f"a {kind} is left: {left}")


class Summary:
    """The generator's summary, whose ledger balances."""

    def __init__(self, log):
        scheduled = self.find(r"scheduled (\d+) = sent (\d+) \+ dropped (\d+) \+ unsent (\d+)", log)
        sent = self.find(r"sent (\d+) = allowed (\d+) \+ blocked (\d+) \+ failed (\d+) \+ abandoned (\d+)", log)
        total, self.sent, dropped, unsent = map(int, scheduled.groups())
        also_sent, self.allowed, blocked, self.failed, abandoned = map(int, sent.groups())
        holds(total == self.sent + dropped + unsent, f"does not balance: {scheduled[0]}")
        holds(self.sent == also_sent == self.allowed + blocked + self.failed + abandoned,
              f"does not balance: {scheduled[0]}; {sent[0]}")
        columns = self.find(r"^ +target +(.*?) +p50", log)[1].split()
        # A long name has a line of its own.
        rows = re.findall(r"^ +(https?://\S+)" + r"\s+(\d+)" * len(columns), log, re.MULTILINE)
        self.rows = {url: {"abandoned": 0, **dict(zip(columns, map(int, numbers)))} for url, *numbers in rows}
        kinds = self.find(r"^ +failures: (.*(?:\n {12}.*)*)", log)[1]
        self.failures = Counter()
        for cause, count in re.findall(r"(\w+) ×(\d+)", kinds):
            self.failures[cause] += int(count)

    @staticmethod
    def find(pattern, log):
        found = re.search(pattern, log, re.MULTILINE)
        holds(found, f"there is no summary with '{pattern}' in\n{log}")
        return found


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


CLAIMS = [
    six_services_run_and_are_healthy,
    prometheus_reaches_every_target,
    every_node_gets_a_third_of_the_checks,
    the_generators_own_counts_are_in_prometheus,
    stats_lines_come_every_ten_seconds,
    bursts_begin_and_end_on_time,
    a_stopped_node_fails_only_its_own_share,
    it_is_found_again_under_another_address,
    a_burst_takes_keys_over_their_limit,
    without_redis_checks_fail_at_once,
    with_redis_back_the_nodes_recover,
    stopped_the_generator_prints_a_balanced_summary,
    together_the_nodes_admit_the_limit_once,
    alone_each_node_admits_the_limit,
]


def step(name, action):
    """Says what is done or claimed, how long it took, and what came of it."""
    print(name, end=" ... ", flush=True)
    began = time.monotonic()
    try:
        said = action()
    except BaseException:
        print("NO", flush=True)
        raise
    print(f"{time.monotonic() - began:.1f} s{f' ({said})' if said else ''}", flush=True)


def claim(function, stack):
    step(function.__name__.replace("_", " "), lambda: function(stack))


def verify(stack, keep):
    """Every claim in turn, with the stack up; taken down at the end, whatever happened."""
    claim(the_example_of_variables_lists_the_defaults, stack)
    step("build", lambda: stack.build())
    claim(the_images_hold_one_small_program_each, stack)
    try:
        try:
            step("up", lambda: stack.up())
            for each in CLAIMS:
                claim(each, stack)
        except BaseException:
            print(*stack.tails(), sep="\n", flush=True)
            raise
    finally:
        if keep:
            print("The stack stays up. To take it down: docker/e2e.py --down", flush=True)
        else:
            claim(nothing_is_left_behind, stack)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="leave the stack up")
    parser.add_argument("--down", action="store_true", help="only take down what --keep left")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    try:
        stack = Stack(compose_program())
        if options.down:
            return stack.down()
        refuse_what_is_in_use(stack)
        verify(stack, options.keep)
    except NothingChecked as reason:
        print(*BANNER, f"   The stack was NOT CHECKED: {reason}.", *BANNER, sep="\n", file=sys.stderr)
        return NOT_CHECKED
    except Refused as reason:
        print(f"e2e: {reason}", file=sys.stderr)
        return 2
    except (Broken, OSError, subprocess.TimeoutExpired) as failure:
        print(f"e2e: {failure}", file=sys.stderr)
        return 1
    print(f"All of it holds, after {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
