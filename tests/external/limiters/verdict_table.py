#!/usr/bin/env python3
"""Prints, as Markdown tables, the audit's verdicts on right limiters and on limiters that are wrong in one known way:
under `auto` and under the promise that each limiter makes, with the requests that a verdict took, the resolution that
the audit states, and the cause that it names. There is one table for each kind of traffic. With both, the script takes
about five minutes. Every run has a limiter of its own.

Exit codes: 0 no wrong limiter is acquitted and no right one accused; 1 some are, or something failed; 2 refused, for
example because a limiter is not installed.
"""

import argparse
import contextlib
import dataclasses
import json
import re
import sys
from collections.abc import Callable

# Nothing is written into the source tree.
sys.dont_write_bytecode = True
import command
import python_nodes
import ratelimiter
from harness import Need, System, send, wait_for_all
from processes import folder, holds
from simulated_nodes import LATE_ANSWERS, simulated


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of traffic, with the limit and the window in seconds that loadgen names in its requests."""

    name: str
    limit: int
    window_s: int
    seconds: int
    options: tuple[str, ...]

    @property
    def claim(self):
        return f"{self.limit}/{self.window_s}s"


KINDS = [
    Kind("default", 100, 60, 60, ()),
    Kind("short", 20, 4, 20, ("--keys", "5", "--rps", "60", "--duration", "20", "--burst-enabled", "false")),
]


@dataclasses.dataclass(frozen=True)
class Limiter:
    """promise: What it promises, and keeps if it is right. {claim} stands for limit and window."""

    name: str
    right: bool
    promise: str
    system: Callable[[], contextlib.AbstractContextManager[System]]
    needs: tuple[Need, ...] = ()


def limits(strategy, **how):
    return python_nodes.cluster("limits_node.py", strategy, package="limits", **how)


def wrong(name, limiter, *options):
    return Limiter(name, False, "sliding-window {claim}", lambda: simulated(limiter, *options))


def limiters(program):
    """The program is this project's own node."""

    def own(algorithm):
        return ratelimiter.ratelimiter(program, algorithm, 3, True)

    own_needs = (Need(program, "cargo build"), python_nodes.REDIS)
    return [
        Limiter("sliding log", True, "sliding-window {claim}", lambda: own("sliding-log"), own_needs),
        Limiter("fixed windows by a clock", True, "fixed-window {claim} by clock", lambda: own("fixed-window"),
                own_needs),
        Limiter("fixed windows opened by admissions", True, "fixed-window {claim}",
                lambda: limits("fixed-window", count=3), python_nodes.NEEDS),
        Limiter("token bucket", True, "token-bucket {claim}", lambda: own("token-bucket"), own_needs),
        Limiter("sliding counter by a clock", True, "sliding-counter {claim}", lambda: simulated("sliding-counter")),
        Limiter("sliding counter by a clock, rounded down", True, "sliding-counter {claim}",
                lambda: limits("sliding-window-counter", count=1, in_redis=False), python_nodes.NEEDS),
        Limiter("sliding counter opened by admissions, rounded down", True, "sliding-counter {claim}",
                lambda: limits("sliding-window-counter", count=3), python_nodes.NEEDS),
        Limiter("sliding log, admitted answered after 1.2 s", True, "sliding-window {claim}",
                lambda: simulated("sliding-log", *LATE_ANSWERS)),
        wrong("nodes count alone", "nodes-alone"),
        Limiter("processes on one port count alone", False, "sliding-window {claim}",
                lambda: python_nodes.processes_on_one_port("moving-window"), (python_nodes.PACKAGES,)),
        wrong("one more than the limit", "off-by-one"),
        wrong("half the window", "half-window"),
        wrong("1 % of requests admitted uncounted", "failing-open"),
        wrong("twice the limit in a key's first window", "first-windows-doubled"),
        wrong("nodes learn of admissions after 20 ms", "race"),
        wrong("blocked requests count", "counts-blocked"),
        wrong("limits addresses, not keys", "by-address"),
        wrong("three times the limit, admitted answered after 1.2 s", "triple-limit", *LATE_ANSWERS),
        wrong("429 to everything", "blocks-everything"),
        wrong("10 % of keys unlimited", "tenth-of-keys-unlimited"),
        wrong("one node admits everything", "node-open"),
        wrong("admits everything for 5 s", "open-for-a-while"),
        wrong("counts lost after 7 s and 9.5 s", "losing-counts"),
        Limiter("fixed windows by a clock for each key", False, "fixed-window {claim}",
                lambda: simulated("windows-by-key")),
    ]


@dataclasses.dataclass(frozen=True)
class Job:
    """One audit: of a limiter, under a promise, with a kind of traffic."""

    limiter: Limiter
    kind: Kind
    promise: str

    def begin(self, loadgen, system, summary):
        options = ["--audit", self.promise, "--limit", str(self.kind.limit), "--window", f"{self.kind.window_s}s",
                   "--summary-json", str(summary)]
        return send(loadgen, system.targets, self.kind, options)


class Found:
    """An audit's results, out of a summary."""

    def __init__(self, summary):
        audit = summary["audit"]
        self.verdict = audit["verdict"]
        self.was_late = self.verdict == "inconclusive" and "its own schedule" in audit["statement"]
        self.requests = summary["requests"]["sent"]
        if self.verdict == "broken":
            after = [re.search(r"proved after (\d+) requests", each["statement"]) for each in audit["promises"]]
            self.requests = max((int(found[1]) for found in after if found), default=self.requests)
        resolutions = [each["resolution"] for each in audit["promises"] if "resolution" in each]
        finest = min(resolutions, key=lambda resolution: resolution["share"], default=None)
        self.resolution = f"{finest['requests']} ({finest['share']:.0%})" if finest else ""
        self.judged = max(each["judged"] for each in audit["promises"])
        # What follows the colon are the cause's numbers.
        self.causes = [cause["statement"].split(": ")[0] for cause in audit.get("causes", [])]
        self.printed = json.dumps(audit, indent=1)

    @property
    def words(self):
        return self.verdict + (" (late)" if self.was_late else "")


def audit_together(jobs, loadgen):
    """Runs the jobs at the same time, and returns their results."""
    with contextlib.ExitStack() as stack:
        summaries = [stack.enter_context(folder()) / "summary.json" for _ in jobs]
        systems = [stack.enter_context(job.limiter.system()) for job in jobs]
        runs = [stack.enter_context(contextlib.closing(job.begin(loadgen, system, summary)))
                for job, system, summary in zip(jobs, systems, summaries)]
        wait_for_all(runs)
        for run, summary in zip(runs, summaries):
            holds(summary.exists(), f"no summary:\n{run.printed()}")
        return [Found(json.loads(summary.read_text())) for summary in summaries]


# Other work on the machine may keep a run from its schedule, and so from a verdict.
ATTEMPTS = 3


def audit_all(jobs, loadgen, at_once):
    """Runs the jobs, some at a time, and returns their results. Late ones are repeated, fewer at a time."""
    found = {}
    for _ in range(ATTEMPTS):
        left = [job for job in jobs if job not in found or found[job].was_late]
        for begin in range(0, len(left), at_once):
            batch = left[begin:begin + at_once]
            found.update(zip(batch, audit_together(batch, loadgen)))
        at_once = max(at_once // 2, 1)
    return [found[job] for job in jobs]


def fails(limiter, by_auto, by_promise):
    """Says how the limiter is misjudged, if it is."""
    if not limiter.right:
        return "acquitted" if "kept" in (by_auto.verdict, by_promise.verdict) else None
    return "accused" if "broken" in (by_auto.verdict, by_promise.verdict) else None


HEADINGS = ["limiter", "promise", "auto", "its promise", "requests", "resolution", "keys judged", "cause"]


def row(limiter, kind, by_auto, by_promise):
    both = [by_auto, by_promise]
    verdicts = [f"**{each.words}**" if fails(limiter, each, each) else each.words for each in both]
    causes = dict.fromkeys(cause for each in both for cause in each.causes)
    numbers = zip(*([each.requests, each.resolution, each.judged] for each in both))
    return [("" if limiter.right else "wrong: ") + limiter.name, limiter.promise.format(claim=kind.claim), *verdicts,
            *(f"{auto or '–'} / {own or '–'}" for auto, own in numbers), "; ".join(causes)]


def markdown(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |" for cells in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def print_table(kind, wanted, loadgen, at_once, log):
    """Prints the table of one kind of traffic, and returns whether no verdict in it is wrong."""
    jobs = [Job(each, kind, promise) for each in wanted for promise in ("auto", each.promise.format(claim=kind.claim))]
    found = audit_all(jobs, loadgen, at_once)
    pairs = list(zip(wanted, found[::2], found[1::2]))
    traffic = " ".join(kind.options) or "the default traffic"
    print(f"{kind.limit} in {kind.window_s} s, {traffic}:\n")
    print(markdown([HEADINGS, *(row(limiter, kind, *both) for limiter, *both in pairs)]), end="\n\n")
    if log:
        for job, each in zip(jobs, found):
            print(f"--- {job.limiter.name}, {kind.name}, {job.promise}\n{each.printed}", file=log)
    return not any(fails(*pair) for pair in pairs)


def main():
    parser = command.parser(__doc__)
    parser.add_argument("--traffic", choices=[kind.name for kind in KINDS], help="only this kind")
    parser.add_argument("--only", metavar="TEXT", default="", help="only the limiters whose name contains this")
    parser.add_argument("--at-once", metavar="N", type=int, default=8, help="runs at the same time (default: 8)")
    parser.add_argument("--log", metavar="FILE", type=argparse.FileType("w"), help="write every audit's JSON there")
    options = parser.parse_args()
    wanted = [each for each in limiters(options.loadgen.with_name("ratelimiter")) if options.only in each.name]
    kinds = [kind for kind in KINDS if options.traffic in (None, kind.name)]
    command.refuse_what_is_missing(wanted, options.loadgen)
    return all([print_table(kind, wanted, options.loadgen, options.at_once, options.log) for kind in kinds])


if __name__ == "__main__":
    command.end_with("verdict table", main)
