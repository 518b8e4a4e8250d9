"""The stack while all is well."""

from ..holding import eventually, holds, run
from ..services import ask, node, prometheus, series, target
from ..stack import NODES, SERVICES, address, inspect
from ..summary import STATS_LINE

CLASSIC = "text/plain;version=0.0.4"


def six_services_run_and_are_healthy(stack):
    for service in SERVICES:
        eventually(lambda: stack.is_well(service), within=60)
    holds(len(stack.containers()) == len(SERVICES), f"there are {len(stack.containers())} containers")


def health_of_targets():
    """The state and the last error of each of Prometheus's targets, by job and instance."""
    active = prometheus("targets", state="active")["activeTargets"]
    return {(each["labels"]["job"], each["labels"]["instance"]): (each["health"], each["lastError"]) for each in active}


def exactly_these_are_up(stack, *generators):
    """The nodes and these generators are Prometheus's targets, all of them up, and nothing else is one."""
    expected = {*(("ratelimiter", f"{name}:8000") for name in NODES),
                *(("loadgen", f"{generator}:9100") for generator in generators)}
    health = health_of_targets()
    holds(set(health) == expected, f"the targets are {sorted(health)} instead of {sorted(expected)}")
    holds(all(state == "up" for state, _ in health.values()), f"not all targets are up: {health}")


def prometheus_reaches_every_target(stack):
    eventually(lambda: exactly_these_are_up(stack, stack.address("loadgen")), within=60)


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


def promtool_accepts_the_metrics_as_classic_text(stack):
    """Of a node and of the generator. It prints what it would have otherwise, and fails at what is wrong."""
    for url in node(NODES[0], "/metrics"), f"http://{stack.address('loadgen')}:9100/metrics":
        status, text = ask(url, accept=CLASSIC)
        holds(status == 200 and text.startswith("# HELP") and "# EOF" not in text, f"{url} answered {status}: {text}")
        said = run("docker", "exec", "--interactive", stack.container("prometheus"), "promtool", "check", "metrics",
                   given=text)
        holds(not said, f"promtool says of {url}: {said}")


def two_generators_are_two_series_until_one_ends(stack):
    first = stack.container("loadgen")
    stack.up("--no-recreate", "--scale", "loadgen=2", "loadgen")
    [second] = set(stack.replicas("loadgen")) - {first}
    addresses = [address(inspect(each)) for each in (first, second)]

    def both_are_counted():
        exactly_these_are_up(stack, *addresses)
        sent = series("sum by (instance) (loadgen_requests_sent_total)", "instance")
        holds(set(sent) == {f"{each}:9100" for each in addresses}, f"Prometheus has counts of {sorted(sent)}")

    eventually(both_are_counted, within=60)
    run("docker", "stop", "--time", "20", second)
    state = inspect(second)["State"]
    holds(state["ExitCode"] == 0, f"the stopped generator's exit code is {state['ExitCode']}")
    run("docker", "rm", second)
    eventually(lambda: exactly_these_are_up(stack, addresses[0]), within=30)


def without_a_generator_there_is_no_target_of_one(stack):
    """The name `loadgen` has no record any more, which is no error."""
    eventually(lambda: exactly_these_are_up(stack), within=30)


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


def a_burst_takes_keys_over_their_limit(stack):
    def some_are_blocked():
        blocked = stack.stats()[-1][1]["blocked"]
        holds(blocked > 0, "no request was blocked")
        return f"{blocked:.0f} blocked after {stack.stats()[-1][0]:.0f} s"

    return eventually(some_are_blocked, within=90)
