"""A node and Redis stop, and return."""

import json
import time

from ..holding import eventually, holds, run
from ..services import alerts, ask, check, checks_counted_by, failures, mark, node, since, target
from ..stack import NETWORK, NODES

# What a request to a stopped container can meet, by where it is when the container stops.
UNREACHABLE = {"dns", "refused", "connect", "reset", "reset_idle", "timeout"}


def an_alert_is_raised(name, **labels):
    """It is pending or firing, for these labels."""
    raised = [alert for alert in alerts() if alert["alertname"] == name]
    holds(any(labels.items() <= alert.items() for alert in raised), f"no alert {name} of {labels}: {alerts()}")


def a_stopped_node_fails_only_its_own_share(stack):
    before = failures()
    stack.address_of_the_stopped = stack.address("ratelimiter-2")
    mark(stack, "node 2 stops")
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
    eventually(lambda: an_alert_is_raised("RatelimiterNodeDown", instance="ratelimiter-2:8000"), within=30)
    eventually(lambda: an_alert_is_raised("LoadgenRequestsFail", target=target("ratelimiter-2")), within=30)
    # A machine that is busy with something else may hold the generator up.
    others = [alert for alert in alerts() if alert["alertname"] != "LoadgenScheduleNotKept"
              and alert.get("target", alert["instance"]) not in {target("ratelimiter-2"), "ratelimiter-2:8000"}]
    holds(not others, f"there are also the alerts {others}")
    return ", ".join(f"{kind} {count:.0f}" for (_, kind), count in sorted(added.items()))


def it_is_found_again_under_another_address(stack):
    """Elsewhere, a container that returns often has another address."""
    before = stack.address_of_the_stopped
    mark(stack, "node 2 returns")
    container = stack.container("ratelimiter-2")
    run("docker", "network", "disconnect", NETWORK, container)
    run("docker", "network", "connect", "--alias", "ratelimiter-2", NETWORK, container)
    stack.compose("start", "ratelimiter-2")
    now = stack.address("ratelimiter-2")
    holds(now != before, f"it still has the address {now}")
    returned = time.monotonic()

    def it_counts():
        holds(checks_counted_by("ratelimiter-2") >= 10, "the generator does not send to it again")

    eventually(it_counts, within=60)
    took = time.monotonic() - returned
    eventually(no_request_fails_any_more, within=60)
    return f"{before}, then {now}; ten checks {took:.1f} s after its start"


def no_request_fails_any_more():
    before = failures()
    # Longer than Prometheus takes to read the generator's counts again.
    time.sleep(6)
    holds(not since(before, failures()), f"requests still fail: {since(before, failures())}")


def without_redis_checks_fail_at_once(stack):
    before = failures()
    mark(stack, "redis stops")
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
    for name in NODES:
        for alert in "RatelimiterStoreErrors", "RatelimiterFailsClosed":
            eventually(lambda: an_alert_is_raised(alert, instance=f"{name}:8000"), within=30)
    holds(not any(alert["alertname"] == "RatelimiterFailsOpen" for alert in alerts()), "nodes that fail closed fail open")

    def the_schedule_goes_on():
        # The second line is of an interval that is wholly without Redis.
        lines = [numbers for at, numbers in stack.stats() if at > stopped][1:]
        holds(lines, "no stats line of the time without Redis")
        holds(lines[0]["rps"] >= 8, f"only {lines[0]['rps']}/s were sent without Redis")

    eventually(the_schedule_goes_on, within=30)
    return f"the slowest of three answers took {slowest * 1000:.0f} ms"


def with_redis_back_the_nodes_recover(stack):
    mark(stack, "redis returns")
    stack.compose("start", "redis")
    began = time.monotonic()

    def every_node_answers():
        for name in NODES:
            for path, status in ("/health", ask(node(name, "/health"))[0]), ("/check", check(name)[0]):
                holds(status == 200, f"{name}'s {path} answers {status}")

    eventually(every_node_answers, within=15)
    took = time.monotonic() - began
    eventually(no_request_fails_any_more, within=60)
    return f"all three answered {took:.1f} s after its start"
