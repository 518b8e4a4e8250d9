"""What `loadgen discover` must find out about each limiter, and runs of it that are held to that."""

import contextlib
import dataclasses
import json
import re
from collections.abc import Callable

from harness import Need, Run, System, wait_for_all
from processes import folder

# The bounds of a discovery, and the time that its last request may still take.
REQUESTS, SECONDS = 20_000, 300
LAST_ANSWER_S = 15
# What discoveries ask for, unless they say otherwise.
ASKED, ASKED_WINDOW_S = 12, 5
ASKED_FOR = ("--limit", str(ASKED), "--window", f"{ASKED_WINDOW_S}s")
# A window's stated error is at most this part of it, unless a discovery says otherwise.
PRECISION = 0.05

YES, NO, UNKNOWN = "yes", "no", "unknown"
BY_LOG, BY_CLOCK, BY_ADMISSION = "sliding-window by log", "fixed-window by clock", "fixed-window by admission"
BY_KEY, BUCKET = "fixed-window by key", "token-bucket by bucket"
COUNTER_BY_CLOCK, COUNTER_BY_KEY = "sliding-counter by clock", "sliding-counter by key"
RIGHT, EARLY, LATE, UNTESTED = "right", "early", "late", "untested"


@dataclasses.dataclass(frozen=True)
class Limit:
    """One limit of a limiter.

    kind: The algorithm, as `discover` names it.
    window_s: In seconds. A bucket gains the limit in it.
    burst: How many requests a full bucket admits; None for other algorithms."""

    kind: str
    limit: int
    window_s: float
    burst: int | None = None
    counts_blocked: bool = False

    def faults(self, found, precision):
        """What is wrong about a limit of the same kind in a summary."""
        window_s = self.window_s
        if self.burst:
            # The rate may be stated over another window.
            window_s *= found["limit"] / self.limit
            if found["burst"] != self.burst:
                yield f"the burst is {self.burst}, not {found['burst']}"
        elif found["limit"] != self.limit:
            yield f"the limit is {self.limit}, not {found['limit']}"
        stated, error = found["window_ns"] / 1e9, found["window_error_ns"] / 1e9
        if abs(window_s - stated) > error:
            yield f"the window is {window_s:g} s, not {stated:.4f} s ± {error:.4f} s"
        if error > precision * window_s:
            yield f"the window is vague: {stated:.4f} s ± {error:.4f} s"
        if found["counts_blocked"] != self.counts_blocked:
            yield f"{'blocked' if self.counts_blocked else 'only admitted'} requests count"
        # The clock's windows of every limiter here do.
        if found.get("begins_on_multiples") is False:
            yield "windows begin on multiples of their length"


@dataclasses.dataclass(frozen=True)
class Discovery:
    """A limiter, and what is true of it.

    options: loadgen's.
    limits: What it enforces, the fastest rate first; nothing if no limiter that loadgen knows does what it does.
    also: The kinds of limiters that would answer in the same way.
    maybe: Whether `discover` need not find these.
    unsure: Whether it need not find out what shares a count, nor tell the limiter from all others. Slow answers leave too
        little time for that, and so may a bucket that is never empty for long.
    keys, connections: Whether two of them share a count.
    nodes: Whether each node shares the first one's count, from the second one on.
    headers: For each header with times, whether they are true; None if that is a matter of chance.
    delays: Whether it delays requests before it blocks any.
    says: A pattern of the statement.
    code: The exit code; None if it is 0 if limits are found and 3 otherwise.
    precision: The greatest error of a window, as a part of it."""

    name: str
    system: Callable[[], contextlib.AbstractContextManager[System]]
    needs: tuple[Need, ...]
    configuration: str
    options: tuple[str, ...]
    limits: tuple[Limit, ...] = ()
    also: frozenset[str] = frozenset()
    maybe: bool = False
    unsure: bool = False
    keys: str = NO
    connections: str = YES
    nodes: tuple[str, ...] = ()
    headers: dict[str, str] | None = dataclasses.field(default_factory=dict)
    delays: bool = False
    says: str = ""
    code: int | None = None
    precision: float = PRECISION

    def faults(self, summary):
        """What is wrong in a summary."""
        counts, seconds = summary["requests"], summary["lasted_ns"] / 1e9
        if counts["sent"] != sum(n for name, n in counts.items() if name != "sent"):
            yield f"does not balance: {counts}"
        if counts["sent"] > REQUESTS or seconds > SECONDS + LAST_ANSWER_S:
            yield f"{counts['sent']} requests in {seconds:.0f} s"
        yield from self.faults_of_candidates(summary["candidates"])
        shared = summary["shared"]
        for what, said, true in [
            ("keys", shared["by_keys"], self.keys),
            ("connections", shared["by_connections"], self.connections),
            ("nodes", tuple(shared["by_targets"][1:]), self.nodes),
        ]:
            if said != true and not (self.unsure and said == UNKNOWN):
                yield f"whether {what} share a count: {said} instead of {true}"
        headers = {claim["header"]: truth(claim) for claim in summary["claims"]}
        if self.headers is not None and headers != self.headers:
            yield f"headers are {headers} instead of {self.headers}"
        if ("delay" in summary) != self.delays:
            yield f"requests are{'' if self.delays else ' not'} delayed"
        if not re.search(self.says, statement(summary)):
            yield f"does not say '{self.says}'"
        code = self.code if self.code is not None else 0 if summary["candidates"] else 3
        if summary["exit_code"] != code:
            yield f"the exit code is {summary['exit_code']} instead of {code}"

    def faults_of_candidates(self, candidates):
        found = [" and ".join(map(kind, by_rate(candidate))) for candidate in candidates]
        if not found and (self.maybe or not self.limits):
            return
        true = " and ".join(limit.kind for limit in self.limits)
        is_told = self.unsure or sorted(found) == sorted({true, *self.also.intersection(found)})
        if true not in found or not is_told:
            yield f"finds {' or '.join(found) or 'nothing'}"
            return
        for limit, one in zip(self.limits, by_rate(candidates[found.index(true)])):
            yield from limit.faults(one, self.precision)


def by_rate(candidate):
    return sorted(candidate["limits"], key=lambda limit: limit["window_ns"] / limit["limit"])


def statement(summary):
    """What was found, as sentences."""
    return " ".join([summary["headline"], *summary["further"]])


def kind(limit):
    return f"{limit['algorithm']} by {limit['kind']}"


def truth(claim):
    """Whether a header's times are true, as the summary says."""
    if claim["compared"] == 0:
        return UNTESTED
    wrong = [name for name, by in [(EARLY, claim["early_ns"]), (LATE, claim["late_ns"])] if by]
    return " and ".join(wrong) or RIGHT


@dataclasses.dataclass(frozen=True)
class Discovered:
    """A discovery that is over.

    summary: None if there is none."""

    discovery: Discovery
    system: System
    printed: str
    code: int
    summary: dict | None

    def faults(self):
        if not self.summary:
            return [f"loadgen exited with {self.code} without a summary"]
        faults = list(self.discovery.faults(self.summary))
        if self.summary["exit_code"] != self.code:
            faults.append(f"loadgen exited with {self.code}")
        return faults


def discover_all(discoveries, loadgen):
    """Starts every limiter, then every discovery, and returns them when all are over."""
    with contextlib.ExitStack() as stack:
        at = stack.enter_context(folder())
        systems = [stack.enter_context(each.system()) for each in discoveries]
        runs = []
        for each, system in zip(discoveries, systems):
            command = [loadgen, "discover", "--targets", ",".join(system.targets), "--summary-json", at / each.name]
            run = Run(command, list(each.options), SECONDS + LAST_ANSWER_S)
            runs.append(stack.enter_context(contextlib.closing(run)))
        wait_for_all(runs)
        done = []
        for each, system, run in zip(discoveries, systems, runs):
            written = (at / each.name).read_text() if (at / each.name).exists() else ""
            done.append(Discovered(each, system, run.printed(), run.process.returncode,
                                   json.loads(written) if written else None))
        return done
