"""The verdicts that `--audit` must reach on each limiter, for each promise that the limiter is audited against. Each
promise is audited alone, in a run of its own. L is the limit, W the window.

sliding log      It keeps its own promise, and with it that of a fixed window: if no span of W has more than L
                 admissions, no window has. It blocks until the oldest of L admissions is W old, while a bucket that
                 admitted L has a token again after W / L: against a bucket's promise, it blocks too much. It never
                 admits too much for a bucket, which admits L within any W, too.
fixed window     It keeps its own promise. Around an edge it admits too much for a sliding window, and may for a bucket.
                 Inside a window it blocks too much for a bucket.
token bucket     It keeps its own promise. While it is asked for more, it admits L at once and then L per W, in the
                 first W nearly 2 L. That is too much for a sliding window, and for a window opened by the first
                 admission. It is also too much for windows by a clock: from one of their edges until W after it, the
                 bucket admits L. Only an edge after the first L admissions, but less than W / L after the first one,
                 would explain both halves. It blocks only if L were admitted within the last W, which neither window
                 forbids.
sliding counter  It counts in windows, and weighs the previous window's count by the share of it that is less than W
                 ago. It keeps its own promise. It assumes that admissions were spread evenly over the previous window,
                 so L at that window's end and more in the next are too much for a sliding window. It never admits more
                 than L in a window, but blocks too much for a fixed window and for a bucket, since each window begins
                 with the weight of the last. Just after an edge it may admit one request too many for a bucket, since
                 it rounds the previous window's share down.
nodes alone      Three nodes that do not know of each other admit 3 L, which is too much for all promises as soon as
                 each node has been asked for more than L.

Some traffic proves each of these for certain:

STRADDLING  Each key sends one request, which opens a window if the limiter's windows are opened by admissions. Half a
            window later comes a burst with more than L requests before that window's end and more than L after it. If a
            clock lays the windows, the burst may begin at any phase of them. The next burst comes at the opposite
            phase, so one of the two has an edge near its middle. Bursts ask for more than 2 L per window, since less
            can't break the promise of a fixed window.
TO_EACH     A burst of one key, which gives each of three nodes the same number of requests, on either side of an edge:
            more than the 2 L per window that any algorithm admits."""

import contextlib
import dataclasses
import re
from collections.abc import Callable

from harness import Need, System, Traffic, send
from processes import Broken, holds

LIMIT, WINDOW_S = 8, 2
STRADDLING = Traffic(keys=2, pieces=((2, 1), (0, 0.5), (24, 2.5), (0, 2.5), (24, 2)))
TO_EACH = Traffic(keys=1, pieces=((36, 3),))

KEPT = "kept"
# No other kind of windows explains what was admitted.
BY_A_CLOCK = "kept by windows of one clock"
BY_ADMISSIONS = "kept by windows opened"
ADMITS = "broken: admits too much"
BLOCKS = "broken: blocks too much"
BOTH = "broken: admits and blocks too much"
# No single promise that `auto` tries explains the answers.
BROKEN = "broken"
SUSPECT = "suspect"
INCONCLUSIVE = "inconclusive"
CODES = {KEPT: 0, BY_A_CLOCK: 0, BY_ADMISSIONS: 0, ADMITS: 4, BLOCKS: 4, BOTH: 4, BROKEN: 4, SUSPECT: 3,
         INCONCLUSIVE: 3}
# The verdicts that do no harm to a right limiter, and those that do not acquit a wrong one.
NEVER_BROKEN = [KEPT, BY_A_CLOCK, BY_ADMISSIONS, SUSPECT, INCONCLUSIVE]
NEVER_KEPT = [ADMITS, BLOCKS, BOTH, BROKEN, SUSPECT, INCONCLUSIVE]



def in_words(expected):
    named = [(NEVER_BROKEN, "never broken"), (NEVER_KEPT, "never kept")]
    return next((words for verdicts, words in named if verdicts == expected), " or ".join(expected))


# For each promise, the right verdicts. What a sliding window blocks may rule out the windows of a clock.
SLIDING = {"sliding-window": [KEPT], "fixed-window": [KEPT, BY_ADMISSIONS], "token-bucket": [BLOCKS]}
BUCKET = {"sliding-window": [ADMITS], "fixed-window": [ADMITS], "token-bucket": [KEPT]}
SLIDING_COUNTER = {
    "sliding-counter": [KEPT, BY_A_CLOCK],
    "sliding-window": [ADMITS, BOTH],
    "token-bucket": [BLOCKS, BOTH],
}
# A node may block too much for a bucket, of a key that the other nodes have not been asked for yet.
ALONE = {"sliding-window": [ADMITS], "fixed-window": [ADMITS], "token-bucket": [ADMITS, BOTH]}


def fixed(by_such):
    return {"sliding-window": [ADMITS], "fixed-window": [KEPT, by_such], "token-bucket": [BLOCKS, BOTH]}


# Whoever else is busy on the machine may keep a run from its schedule, and so from a verdict.
ATTEMPTS = 4


@dataclasses.dataclass(frozen=True)
class Audit:
    """A limiter, and the verdicts on it: one for each promise.

    limit, window_s: The claim, in requests per seconds. `system` takes the limit that the limiter really keeps, which
        is higher than the claim if the tests are to fail.
    expected: For each promise, the verdicts that are right.
    options: loadgen's options besides the traffic and the claim, given the limit that the limiter keeps.
    probe: Whether loadgen also sends requests for keys of its own.
    headers: What the audit may report about the headers of a limiter that keeps its promise.
    printed: A text that every report must contain."""

    name: str
    system: Callable[[int], contextlib.AbstractContextManager[System]]
    needs: tuple[Need, ...]
    configuration: str
    expected: dict[str, list[str]]
    options: Callable[[int], list[str]]
    traffic: Traffic = STRADDLING
    probe: bool = True
    headers: tuple[str, ...] = ()
    limit: int = LIMIT
    window_s: int = WINDOW_S
    printed: str = ""

    def begin(self, loadgen, system, excess):
        return Series(self, loadgen, system, self.options(self.limit + excess))


class Series:
    """Runs of loadgen, one for each promise, one after another. A run with another verdict than expected is repeated if
    that may be due to late requests or answers."""

    def __init__(self, audit, loadgen, system, options):
        self.audit, self.loadgen, self.system = audit, loadgen, system
        probe = [] if audit.probe else ["--probe", "false"]
        self.options = [*options, *probe, "--workers", "20"]
        self.left = list(audit.expected)
        self.attempts = 0
        self.over_with = {}
        self.begin()

    def begin(self):
        self.attempts += 1
        options = ["--audit", self.left[0], *self.claim(self.left[0]), *self.options]
        self.run = send(self.loadgen, self.system.targets, self.audit.traffic, options)

    def claim(self, promise):
        """The limit, unless the promise has its own."""
        if re.search(r"\d", promise):
            return []
        return ["--limit", str(self.audit.limit), "--window", f"{self.audit.window_s}s"]

    def over(self):
        if self.left and self.run.over():
            promise = self.left[0]
            verdict = Verdict(self.run, promise)
            self.run.close()
            right = verdict.said in self.audit.expected[promise]
            if right or not verdict.was_late or self.attempts == ATTEMPTS:
                self.over_with[self.left.pop(0)] = verdict
                self.attempts = 0
            if self.left:
                self.begin()
        return not self.left

    def close(self):
        if self.left:
            self.run.close()

    def rows(self):
        """The table's, each with what loadgen printed if it was not what is expected."""
        for promise, verdict in self.over_with.items():
            expected = self.audit.expected[promise]
            cells = [f"{self.audit.name} {self.system.version}", self.audit.configuration, promise,
                     in_words(expected), verdict.said]
            try:
                verdict.verify(expected, promise, self.audit)
            except Broken as failure:
                yield [*cells, f"NO: {failure}"], verdict.printed
            else:
                yield [*cells, "holds"], None


class Verdict:
    """The verdict that an audit under a promise, or under `auto`, printed."""

    def __init__(self, run, promise):
        self.printed, self.code = run.printed(), run.process.returncode
        reported = re.search(r"^Audit: (\w+)\.", self.printed, re.MULTILINE)
        self.said = reported[1] if reported else "nothing"
        requests_late = self.said == INCONCLUSIVE and "schedule not kept" in self.printed
        answers_late = re.search(r"^  service time .*\d s$", self.printed, re.MULTILINE)
        self.was_late = requests_late or bool(answers_late)
        self.rows = dict(re.findall(r"^  ((?:sliding|fixed|token)-\S+(?: \S+)*)  +(\S.*)$", self.printed, re.MULTILINE))
        if promise != "auto" and len(self.rows) == 1:
            [statement] = self.rows.values()
            self.said = more_exactly(self.said, statement)

    def verify(self, expected, promise, audit):
        holds(self.said in expected, "not as expected")
        holds(self.code == CODES[self.said], f"exited with {self.code} instead of {CODES[self.said]}")
        if promise != "auto":
            rows = [algorithms(row) for row in self.rows]
            holds(rows == [algorithms(promise)], f"there is no row of {promise} alone")
        holds(audit.printed in self.printed, f"does not say '{audit.printed}'")
        probed = re.search(r"^  probe +Retry-After ", self.printed, re.MULTILINE)
        holds(bool(probed) == audit.probe, f"{'a' if probed else 'no'} probe")
        findings = re.findall(r"^  \d+\. (.*)", self.printed, re.MULTILINE)
        if CODES[self.said] == 0:
            holds(set(findings) <= set(audit.headers), f"finds {findings}")


def more_exactly(verdict, statement):
    """The verdict with its reason, out of a promise's row."""
    if verdict == "kept":
        kinds = {"windows of one clock": BY_A_CLOCK, "windows opened by an admission": BY_ADMISSIONS}
        kept = re.match("kept by ([^:]*)", statement)
        return kinds[kept[1]] if kept else KEPT
    if verdict == "broken":
        reasons = statement.removeprefix("broken: ").split("; ")
        blocks = [reason.endswith("blocked requests should have passed") for reason in reasons]
        return BOTH if any(blocks) and not all(blocks) else BLOCKS if all(blocks) else ADMITS
    return verdict


def algorithms(promise):
    return [limit.split()[0] for limit in promise.split(" and ")]
