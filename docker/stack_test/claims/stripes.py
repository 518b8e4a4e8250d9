"""Four tasks of a Docker Swarm service send one schedule, and their results are merged and audited together."""

import shlex

from ..holding import holds
from ..services import checks_counted_by
from ..stack import NODES
from ..summary import Summary
from ..swarm import Swarm, until
from .admissions import KEYS, NOT_KEPT

STRIPES = 4
RATE, TIME_S, LIMIT = 60, 15, 20
REQUESTS = RATE * TIME_S
INCONCLUSIVE = 3
# The audit of a machine that was held up for a moment says less, and nothing wrong.
OPTIONS = ["--rps", str(RATE), "--duration", str(TIME_S), "--burst-enabled", "false", "--limit", str(LIMIT),
           "--window", "60s", "--keys", str(KEYS), "--seed", "7", "--audit", "--no-tui"]
SUMMARIES = [f"/results/stripe-{slot}.json" for slot in range(1, STRIPES + 1)]
LOGS = [f"/results/stripe-{slot}.csv" for slot in range(1, STRIPES + 1)]


def together_they_send_one_schedule_and_prove_that_the_limit_is_kept(stack):
    with Swarm(stack) as swarm:
        before = counted()
        swarm.start(STRIPES, *OPTIONS)
        tasks = swarm.wait(within=120)
        holds(set(tasks.values()) == {"Complete"} and len(tasks) == STRIPES, f"the tasks are {tasks}:\n{swarm.logs()}")
        # The limiter is judged afterwards.
        merged = Summary(swarm.loadgen("merge", *SUMMARIES, "--output", "/results/all.json", code=INCONCLUSIVE))
        at_nodes = counted() - before
        ledger = swarm.result("all.json")["requests"]
        holds(ledger["scheduled"] == REQUESTS, f"the stripes have {ledger['scheduled']} requests instead of {REQUESTS}")
        holds(merged.sent == ledger["sent"] == at_nodes, f"{ledger['sent']} were sent, and the nodes counted {at_nodes}")
        holds(ledger["allowed"] == KEYS * LIMIT, f"{ledger['allowed']} were allowed instead of {KEYS} × {LIMIT}")
        said = audit_of(swarm, "kept", code=0)
        return f"{STRIPES} stripes, {at_nodes} of {REQUESTS} requests, {ledger['allowed']} allowed; {said}"


def the_rest_is_right_without_a_stripe_that_was_killed(stack):
    killed = 2
    with Swarm(stack) as swarm:
        before = counted()
        begins = swarm.start(STRIPES, *OPTIONS)
        until(begins + TIME_S / 2)
        swarm.kill(killed)
        tasks = swarm.wait(within=120)
        others = {state for slot, state in tasks.items() if slot != killed}
        holds(others == {"Complete"} and tasks[killed] == "Failed", f"the tasks are {tasks}:\n{swarm.logs()}")
        left = [file for file in SUMMARIES if f"-{killed}." not in file]
        printed = swarm.loadgen("merge", *left, "--output", "/results/all.json", code=INCONCLUSIVE)
        holds(f"stripe {killed % STRIPES} of {STRIPES}" in printed.lower(), f"the missing stripe is not named:\n{printed}")
        at_nodes = counted() - before
        all_of_it = swarm.result("all.json")
        ledger, share = all_of_it["requests"], REQUESTS // STRIPES
        holds(ledger["sent"] == REQUESTS - share, f"{ledger['sent']} were sent by the others")
        unknown = all_of_it["merged"]["unknown"]
        holds(unknown == share, f"{unknown} requests are unknown instead of {share}")
        holds(ledger["sent"] < at_nodes < REQUESTS, f"the nodes counted {at_nodes}, the others sent {ledger['sent']}")
        return f"{ledger['sent']} sent by the others, {unknown} unknown; the nodes counted {at_nodes}"


def together_they_prove_that_nodes_count_alone(stack):
    with Swarm(stack) as swarm:
        swarm.start(STRIPES, *OPTIONS)
        tasks = swarm.wait(within=120)
        holds(set(tasks.values()) == {"Complete"}, f"the tasks are {tasks}:\n{swarm.logs()}")
        swarm.loadgen("merge", *SUMMARIES, "--output", "/results/all.json", code=INCONCLUSIVE)
        allowed = swarm.result("all.json")["requests"]["allowed"]
        times = len(NODES)
        holds(allowed == times * KEYS * LIMIT, f"{allowed} were allowed instead of {times} × {KEYS} × {LIMIT}")
        return f"{allowed} allowed, {times} × {KEYS} × {LIMIT}; {audit_of(swarm, 'broken', code=NOT_KEPT)}"


def counted():
    return sum(checks_counted_by(name) for name in NODES)


def audit_of(swarm, verdict, code):
    """With the command that the merged result names."""
    program, *arguments = shlex.split(swarm.result("all.json")["merged"]["audit_command"])
    holds(program == "loadgen" and all(log in arguments for log in LOGS), f"the command is {arguments}")
    printed = swarm.loadgen(*arguments, code=code)
    said = Summary.find(r"^Audit: (\w+)\.", printed)[1]
    holds(said == verdict, f"the audit says '{said}' instead of '{verdict}':\n{printed}")
    return f"audit of all: {said}"
