"""What `--audit` has to say of a limiter, by what it is and what it is held to. Each is held to each promise alone, in
a run of its own: L is the limit, W the window.

sliding    A log. It keeps its promise, and with it that of a fixed window: where at most L are admitted in any W, no
           window has more, wherever it lies. It blocks until the first of L has left, though a bucket that gave L
           has one again after W / L: by a bucket's promise it blocks too much. It never admits too much by it, since
           a bucket lets pass as much in any time.
fixed      Windows. They keep their promise, and admit too much for a sliding one around an edge. Inside a window they
           block too much for a bucket; around an edge they may admit too much for one too.
bucket     It keeps its promise. While it is asked for more than it gets back it admits L at first and L a window from
           then on, in the first W nearly 2 L: too much for a sliding window, and for one that the first admission
           opened. It is too much for a clock's as well: until a window after their first edge they let pass L more
           than before that edge, so it would have to come after L were admitted, but within W / L of the first. It
           blocks only when L were admitted in the last W, which neither window forbids.
alone      Nodes that do not know of each other admit 3 L, too much for all, as soon as each is asked for L.

What a promise forbids is shown for certain only by traffic that does not leave it to chance:

STRADDLING  One request of each key, which opens a window where requests do that; half a window later a burst, of which
            more than L come before and after that window's end. Where a clock lays the windows, the burst begins at any
            phase of them. If none of it comes before an edge, or what comes after it is a window later than what comes
            before, the next burst, at the opposite phase, has its edge in the middle. Bursts ask for more than 2 L a
            window, without which a fixed window is not tested.
TO_EACH     A burst of one key, so that each of three nodes gets as much of it as the others, and as much on either side
            of an edge: more than the 2 L a window that any of the algorithms lets pass."""

import contextlib
import dataclasses
import re
from collections.abc import Callable

from harness import Need, Run, System, Traffic
from processes import Broken, holds

LIMIT, WINDOW_S = 8, 2
STRADDLING = Traffic(keys=2, pieces=((2, 1), (0, 0.5), (24, 2.5), (0, 2.5), (24, 2)))
TO_EACH = Traffic(keys=1, pieces=((36, 3),))

KEPT = "kept"
# Of a fixed window, where no windows of the other kind explain what was admitted.
BY_A_CLOCK = "kept by windows of a clock"
BY_ADMISSIONS = "kept by windows opened"
ADMITS = "broken: admits too much"
BLOCKS = "broken: blocks too much"
BOTH = "broken: admits and blocks too much"
INCONCLUSIVE = "inconclusive"
CODES = {KEPT: 0, BY_A_CLOCK: 0, BY_ADMISSIONS: 0, ADMITS: 4, BLOCKS: 4, BOTH: 4}

# By the promise, what may be said.
SLIDING = {"sliding-window": [KEPT], "fixed-window": [KEPT], "token-bucket": [BLOCKS]}
BUCKET = {"sliding-window": [ADMITS], "fixed-window": [ADMITS], "token-bucket": [KEPT]}
# What each node blocks may be too much for a bucket, of a key that few of them know.
ALONE = {"sliding-window": [ADMITS], "fixed-window": [ADMITS], "token-bucket": [ADMITS, BOTH]}


def fixed(by_such):
    return {"sliding-window": [ADMITS], "fixed-window": [KEPT, by_such], "token-bucket": [BLOCKS, BOTH]}


# Whoever else is busy on the machine may keep a run from its schedule, and so from a verdict.
ATTEMPTS = 4


@dataclasses.dataclass(frozen=True)
class Audit:
    """A limiter, and what is said of it when it is held to each promise.

    As with a check, the limit is the one that is claimed; another one may be kept, to see the test fail."""

    name: str
    system: Callable[[int], contextlib.AbstractContextManager[System]]
    needs: tuple[Need, ...]
    configuration: str
    expected: dict[str, list[str]]
    # How loadgen asks, from the limit that is kept, beside the traffic and the claim.
    options: Callable[[int], list[str]]
    traffic: Traffic = STRADDLING
    # Whether loadgen also asks for keys of its own, and what it may find wrong with the headers of one that keeps its
    # promise.
    probe: bool = True
    headers: tuple[str, ...] = ()
    limit: int = LIMIT
    # What has to be printed, whatever the promise.
    printed: str = ""

    def begin(self, loadgen, system, excess):
        return Series(self, loadgen, system, self.options(self.limit + excess))


class Series:
    """Runs of loadgen, one for each promise, one after another. One that says nothing since it was late is repeated."""

    def __init__(self, audit, loadgen, system, options):
        claim = ["--limit", str(audit.limit), "--window-ms", str(WINDOW_S * 1000)]
        self.audit, self.loadgen, self.system = audit, loadgen, system
        probe = [] if audit.probe else ["--probe", "false"]
        self.options = [*options, *claim, *probe, "--workers", "20"]
        self.left = list(audit.expected)
        self.attempts = 0
        self.over_with = {}
        self.begin()

    def begin(self):
        self.attempts += 1
        options = ["--audit", self.left[0], *self.options]
        self.run = Run(self.loadgen, self.system.targets, self.audit.traffic, options)

    def over(self):
        if self.left and self.run.over():
            verdict = Verdict(self.run)
            self.run.close()
            if not verdict.was_late or self.attempts == ATTEMPTS:
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
                     " or ".join(expected), verdict.said]
            try:
                verdict.verify(expected, promise, self.audit)
            except Broken as failure:
                yield [*cells, f"NO: {failure}"], verdict.printed
            else:
                yield [*cells, "holds"], None


class Verdict:
    """What an audit of one promise said, in the words that are expected here."""

    def __init__(self, run):
        self.printed, self.code = run.printed(), run.process.returncode
        said = re.search(r"^Audit: (\w+)\.", self.printed, re.MULTILINE)
        self.said = said[1] if said else "nothing"
        if self.said == "kept":
            kind = re.search(r"^  fixed-window +kept by windows (aligned to a clock|opened by an admission)", self.printed, re.MULTILINE)
            self.said = {None: KEPT, "aligned to a clock": BY_A_CLOCK, "opened by an admission": BY_ADMISSIONS}[kind and kind[1]]
        self.was_late = self.said == INCONCLUSIVE and "schedule not kept" in self.printed
        if self.said == "broken":
            admits = re.search(r"^  \S+ +broken: (\d+ were admitted within|no windows of)", self.printed, re.MULTILINE)
            blocks = re.search(r"^  \S+ +broken: .*blocked requests should have passed", self.printed, re.MULTILINE)
            by_what = {(True, False): ADMITS, (False, True): BLOCKS, (True, True): BOTH}
            self.said = by_what.get((bool(admits), bool(blocks)), self.said)

    def verify(self, expected, promise, audit):
        holds(self.said in expected, "not as expected")
        holds(self.code == CODES[self.said], f"exited with {self.code} instead of {CODES[self.said]}")
        holds(re.search(rf"^  {promise} ", self.printed, re.MULTILINE), f"there is no row of {promise}")
        holds(audit.printed in self.printed, f"does not say '{audit.printed}'")
        probed = re.search(r"^  probe +Retry-After ", self.printed, re.MULTILINE)
        holds(bool(probed) == audit.probe, f"{'a' if probed else 'no'} probe")
        findings = re.findall(r"^  \d+\. (.*)", self.printed, re.MULTILINE)
        if CODES[self.said] == 0:
            holds(set(findings) <= set(audit.headers), f"finds {findings}")
