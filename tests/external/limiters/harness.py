"""The parts that all tests against real limiters share: the classes that describe them, a run of loadgen against a
limiter, and the checks that every run must pass, whatever the limiter."""

import collections
import contextlib
import dataclasses
import re
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from processes import die_with_parent, eventually, holds

# On a busy machine, the schedule between a key's first and last request may be late by this, and the answers with it. Only
# the lower bounds on admissions depend on it.
LATE_S = 0.25
# A run that takes so much longer than its schedule is given up.
PATIENCE_S = 30
# A limiter gets this time to write down its answers.
SETTLED_S = 5
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fetch(url):
    """A small text; no proxy of the environment is asked."""
    with DIRECTLY.open(url, timeout=5) as answer:
        return answer.read().decode()


@dataclasses.dataclass(frozen=True)
class Need:
    """A program, and what installs it."""

    program: Path | str
    install: str


@dataclasses.dataclass(frozen=True)
class System:
    """A limiter that runs.

    counts: Its own counts, by (target, key, "allowed" or "blocked"), given the number of requests of each key, which
        only a limiter that does not count them by key needs. Without it, the limiter can only be audited."""

    version: str
    targets: list[str]
    counts: Callable[[int], collections.Counter] | None = None


@dataclasses.dataclass(frozen=True)
class Traffic:
    """Rates in requests per second, over all keys, each for so many seconds; zero is a pause."""

    keys: int
    pieces: tuple[tuple[int, float], ...]

    @property
    def profile(self):
        return ", ".join(f"{rate}/s for {seconds}s" if rate else f"pause {seconds}s" for rate, seconds in self.pieces)

    @property
    def options(self):
        """loadgen's."""
        return ["--profile", self.profile, "--keys", str(self.keys)]

    @property
    def requests(self):
        return int(sum(rate * seconds for rate, seconds in self.pieces))

    @property
    def seconds(self):
        return sum(seconds for _, seconds in self.pieces)

    @property
    def round(self):
        """The seconds in which each key sends once, at the last rate. loadgen deals its keys in such rounds, in an
        order that changes: the distance from one request of a key to the next is less than two of them."""
        return self.keys / self.pieces[-1][0]


@dataclasses.dataclass(frozen=True)
class Promise:
    """How many requests of each key are admitted."""

    at_least: int
    at_most: int

    def __str__(self):
        return str(self.at_most) if self.at_least == self.at_most else f"{self.at_least} to {self.at_most}"

    def of_all(self, keys):
        return Promise(keys * self.at_least, keys * self.at_most)


@dataclasses.dataclass(frozen=True)
class Check:
    """A limiter, the traffic that it gets, and the number of admissions that it promises.

    limit: The claim. `system` and `options` take the limit that the limiter really keeps, which is higher than the claim
        if the tests are to fail.
    options: loadgen's options besides the traffic.
    promise: Takes the limit and the seconds that loadgen's process lived. No two requests are further apart than
        that."""

    name: str
    system: Callable[[int], contextlib.AbstractContextManager[System]]
    needs: tuple[Need, ...]
    configuration: str
    limit: int
    traffic: Traffic
    options: Callable[[int], list[str]]
    promise: Callable[[int, float], Promise]

    def begin(self, loadgen, system, excess):
        return send(loadgen, system.targets, self.traffic, self.options(self.limit + excess))


def send(loadgen, targets, traffic, options):
    """A run with the traffic."""
    return Run([loadgen, "--targets", ",".join(targets)], [*options, *traffic.options], traffic.seconds)


class Run:
    """A run of loadgen; ended when it is taken down, if it has not ended by then.

    shown: The arguments that tables show.
    seconds: How long it takes, if all is well."""

    def __init__(self, command, shown, seconds):
        self.shown = shown
        command = [*command, *shown]
        self.output = tempfile.TemporaryFile()
        self.began = time.monotonic()
        self.deadline = self.began + seconds + PATIENCE_S
        self.lived = None
        # Every option is a variable too: none of the environment's is wanted. Sentences are not wrapped.
        self.process = subprocess.Popen(command, env={"COLUMNS": "100000"}, stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=subprocess.STDOUT, preexec_fn=die_with_parent)

    def over(self):
        """Whether it has ended, or been given up."""
        if self.lived is None:
            now = time.monotonic()
            if now > self.deadline:
                self.process.kill()
                self.process.wait()
            if self.process.poll() is not None:
                self.lived = now - self.began
        return self.lived is not None

    def close(self):
        self.process.kill()
        self.process.wait()
        self.output.close()

    def printed(self):
        self.output.seek(0)
        return self.output.read().decode()


def wait_for_all(runs):
    """Returns when all have ended; how long each lived is known to some milliseconds, and never too short."""
    while not all([run.over() for run in runs]):
        time.sleep(0.005)


class Summary:
    """loadgen's summary, whose ledger balances and whose rows add up."""

    COLUMNS = ["sent", "allowed", "blocked", "failed", "abandoned"]

    def __init__(self, printed):
        scheduled = self.find(r"scheduled (\d+) = sent (\d+) \+ dropped (\d+) \+ unsent (\d+)", printed)
        sent = self.find(r"sent (\d+) = allowed (\d+) \+ blocked (\d+) \+ failed (\d+) \+ abandoned (\d+)", printed)
        self.scheduled, scheduled_and_sent, dropped, unsent = map(int, scheduled.groups())
        self.totals = dict(zip(self.COLUMNS, map(int, sent.groups())))
        self.sent, self.allowed, self.blocked, self.failed, abandoned = self.totals.values()
        holds(self.scheduled == scheduled_and_sent + dropped + unsent, f"does not balance: {scheduled[0]}")
        holds(scheduled_and_sent == self.sent == self.allowed + self.blocked + self.failed + abandoned,
              f"does not balance: {scheduled[0]}; {sent[0]}")
        columns = self.find(r"^ +target +(.*?) +p50", printed)[1].split()
        # A long name has a line of its own.
        rows = re.findall(r"^ +(https?://\S+)" + r"\s+(\d+)" * len(columns), printed, re.MULTILINE)
        self.rows = {url: {"abandoned": 0, **dict(zip(columns, map(int, numbers)))} for url, *numbers in rows}
        for column, total in self.totals.items():
            holds(sum(row[column] for row in self.rows.values()) == total, f"{column} does not add up: {self.rows}")
        self.failures = self.find(r"^ +failures: (.*(?:\n {12}.*)*)", printed)[1]

    @staticmethod
    def find(pattern, printed):
        found = re.search(pattern, printed, re.MULTILINE)
        holds(found, f"there is no summary with '{pattern}'")
        return found


def verify(check, run, system):
    """Holds the run, which is over, against the limiter's own counts and against what it promises."""
    holds(run.process.returncode == 0, f"loadgen exited with {run.process.returncode}")
    summary = Summary(run.printed())
    asked, keys = check.traffic.requests, check.traffic.keys
    holds(summary.scheduled == asked, f"{summary.scheduled} requests were scheduled instead of {asked}")
    holds(summary.sent == asked, f"only {summary.sent} of {asked} requests were sent")
    holds(summary.allowed + summary.blocked == asked,
          f"{summary.failed} of {asked} requests failed: {summary.failures}")
    holds(set(summary.rows) == set(system.targets), f"there are rows of {sorted(summary.rows)}")
    shares = [row["sent"] for row in summary.rows.values()]
    holds(max(shares) - min(shares) <= 1, f"not dealt in turn: {summary.rows}")

    def counted():
        counts = system.counts(asked // keys)
        holds(counts.total() == asked, f"the limiter counted {counts.total()} requests instead of {asked}")
        return counts

    counts = eventually(counted, SETTLED_S)
    for target, row in summary.rows.items():
        for outcome in "allowed", "blocked":
            own = sum(n for (at, _, was), n in counts.items() if (at, was) == (target, outcome))
            holds(row[outcome] == own, f"loadgen counted {row[outcome]} {outcome} of {target}, the limiter {own}")
    holds_by_key(check, counts, run.lived)


def holds_by_key(check, counts, lived):
    by_key = collections.defaultdict(collections.Counter)
    for (_, key, outcome), n in counts.items():
        by_key[key][outcome] += n
    asked = check.traffic.requests // check.traffic.keys
    holds(len(by_key) == check.traffic.keys, f"the limiter saw the keys {sorted(by_key)}")
    promise = check.promise(check.limit, lived)
    for key, outcomes in sorted(by_key.items()):
        holds(outcomes.total() == asked, f"{outcomes.total()} requests had the key {key} instead of {asked}")
        holds(promise.at_least <= outcomes["allowed"] <= promise.at_most,
              f"{outcomes['allowed']} of key {key} were allowed instead of {promise}")
