"""How much the nodes admit, together and each alone, as the audit and Prometheus say it."""

import time

from ..holding import Broken, eventually, holds, run
from ..services import values_between
from ..stack import NODES, PROJECT, a_container_of_its_own, inspect, instant
from ..summary import Summary

# So many audited runs in a row may fail because the machine was too busy to send on time.
HELD_UP = 3
# loadgen's exit code if the limit was not kept.
NOT_KEPT = 4
KEYS, LIMIT = 7, 100
WITHIN_60S = "ratelimiter:requests_allowed:within_60s"
# The naive reading, which extrapolates.
INCREASE = 'sum(increase(ratelimiter_requests_checked_total{result="allowed"}[1m]))'
LONG_RUN = f"{PROJECT}-long-run"
# Longer than a window, so that the keys have their limit a second time.
LONG_RUN_S = 70
SCRAPED_AFTER_S = 7
QUIET_S = 18


def a_long_run_begins(stack):
    """Of the stack's own service, whose audit follows from the nodes' algorithm, with a demand that is far above the limit.
    It goes on while other claims are checked. Nothing else sends to the nodes."""
    # So late that the first 60 s in which nobody else sends hold all that it may admit in one window.
    time.sleep(max(0, stack.quiet_from + QUIET_S - time.time()))
    options = {"RPS": 60, "BURST_ENABLED": "false", "DURATION": LONG_RUN_S, "LOADGEN_METRICS_LINGER": "1s"}
    variables = [word for name, value in options.items() for word in ("-e", f"{name}={value}")]
    stack.compose("run", "--detach", "--no-deps", "--name", LONG_RUN, *variables, "loadgen")


def a_limit_that_is_kept_is_never_read_as_more(stack):
    run("docker", "wait", LONG_RUN, timeout=LONG_RUN_S + 60)
    state = inspect(LONG_RUN)["State"]
    log = run("docker", "logs", LONG_RUN)
    ended = instant(state["FinishedAt"]).timestamp()
    time.sleep(SCRAPED_AFTER_S)
    # Before that, there are also admissions of the earlier run, whose keys had a limit of their own. A value is recorded every
    # 5 s.
    alone = stack.quiet_from + 60 + 6
    limit = KEYS * LIMIT
    allowed = Summary(log).allowed
    holds(1.5 * limit < allowed <= 2 * limit, f"{allowed} were admitted in {LONG_RUN_S} s instead of about {2 * limit}")
    said = Summary.find(r"^Audit: (\w+)\.", log)[1]
    holds(said == "kept" and "sliding-window 100/60s" in log, f"the audit says '{said}':\n{log}")
    holds(state["ExitCode"] == 0, f"its exit code is {state['ExitCode']}:\n{log}")
    [read] = values_between(WITHIN_60S, alone, ended + SCRAPED_AFTER_S)
    holds(max(read) <= limit, f"read as {max(read):.0f}, where {limit} were admitted")
    holds(max(read) >= 0.9 * limit, f"read as {max(read):.0f} only, where {limit} were admitted")
    [extrapolated] = values_between(INCREASE, alone, ended + SCRAPED_AFTER_S)
    return f"at most {max(read):.0f} of {limit}; increase() reads {max(extrapolated):.0f}"


def together_the_nodes_admit_the_limit_once(_):
    said, _ = audited(times=1, verdict="kept", code=0)
    return said


def alone_each_node_admits_the_limit(stack):
    stack.compose("up", "--detach", "--no-build", *NODES, RATELIMITER_STORE="memory")
    for name in NODES:
        eventually(lambda: stack.is_well(name), within=60)
    # So that Prometheus has a sample of each new node.
    time.sleep(SCRAPED_AFTER_S)
    began = time.time()
    said, output = audited(times=3, verdict="broken", code=NOT_KEPT)
    holds("cause: each node counts alone" in output, f"the audit does not see that the nodes count alone:\n{output}")
    time.sleep(SCRAPED_AFTER_S)
    [read] = values_between(WITHIN_60S, began, time.time())
    holds(max(read) > 2 * KEYS * 20, f"three times the limit was read as {max(read):.0f}")
    return f"{said}; Prometheus reads {max(read):.0f}"


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
    limit = times * KEYS * 20
    holds(summary.failed == 0, f"{summary.failed} requests failed: {summary.failures}")
    holds(0.95 * limit <= summary.allowed <= 1.02 * limit,
          f"of {summary.sent}, {summary.allowed} were admitted instead of {limit}")
    said = Summary.find(r"^Audit: (\w+)\.", output)[1]
    holds(said == verdict, f"the audit says '{said}' instead of '{verdict}':\n{output}")
    return f"{summary.allowed} of {summary.sent}, {times} × {KEYS} × 20; audit: {said}", output


def audited_once(code):
    return a_container_of_its_own("loadgen", "--rps", "60", "--duration", "15", "--burst-enabled", "false",
                                  "--limit", "20", "--window", "60s", "--keys", str(KEYS), "--audit",
                                  # Else some of what is counted is its own.
                                  "--probe", "false", name="run", code=code)
