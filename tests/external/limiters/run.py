#!/usr/bin/env python3
"""Runs loadgen against real rate limiters, on loopback and all at the same time. Checks compare its counts with what
each limiter's configuration promises, and with the limiter's own counts. Audits compare its verdicts with what is known
of each limiter's algorithm. At most 1000 requests per second are sent in all. The script takes about 45 seconds, and
ends every limiter that it started.

Exit codes: 0 everything holds; 1 something does not hold, or failed; 2 refused, for example because a limiter is not
installed.
"""

import argparse
import contextlib
import shutil
import signal
import sys
from pathlib import Path

# Nothing is written into the source tree.
sys.dont_write_bytecode = True
import haproxy
import nginx
import python_nodes
import ratelimiter
import simulated_nodes
import throttlecrab
from harness import Check, Summary, verify, wait_for_all
from places import TARGET
from processes import Broken, Failed

CHECKS = [check for module in (nginx, haproxy, throttlecrab, python_nodes) for check in module.CHECKS]
HEADINGS = ["limiter", "configuration", "asked with", "promised", "allowed", "blocked", "failed", "verdict"]
AUDIT_HEADINGS = ["audit", "configuration", "held to", "expected", "said", "verdict"]


class Refused(Exception):
    """A limiter or a tool is not installed."""


def known_by_name(loadgen):
    """Checks, then audits."""
    audits = [*nginx.AUDITS, *python_nodes.AUDITS, *simulated_nodes.AUDITS,
              *ratelimiter.audits_of(loadgen.with_name("ratelimiter"))]
    return {each.name: each for each in [*CHECKS, *audits]}


def chosen(names, known):
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Refused(f"--only: there is no '{unknown[0]}', but {', '.join(known)}")
    return [known[name] for name in names] or list(known.values())


def refuse_what_is_missing(checks, loadgen):
    if not shutil.which(loadgen):
        raise Refused(f"--loadgen: {loadgen} is no program: cargo build --release")
    needs = dict.fromkeys(need for check in checks for need in check.needs)
    missing = [need for need in needs if not shutil.which(need.program)]
    if missing:
        raise Refused("\n  ".join(["not installed:", *(f"{need.program}: {need.install}" for need in missing)]))


def default_loadgen():
    binaries = [TARGET / profile / "loadgen" for profile in ("release", "debug")]
    return next(filter(Path.exists, binaries), binaries[0])


def row(check, run, system):
    """The table's, and what loadgen printed if the promise was not kept."""
    cells = [f"{check.name} {system.version}", check.configuration, " ".join(run.shown)]
    keys = check.traffic.keys
    promise = check.promise(check.limit, run.lived)
    cells.append(f"{promise.of_all(keys)} ({keys} × {promise})")
    try:
        summary = Summary(run.printed())
        counts = [str(summary.totals[outcome]) for outcome in ("allowed", "blocked", "failed")]
    except Broken:
        counts = ["?"] * 3
    try:
        verify(check, run, system)
    except Broken as failure:
        return [*cells, *counts, f"NO: {failure}"], run.printed()
    return [*cells, *counts, "holds"], None


def table(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip() for cells in rows]
    return "\n".join(lines)


def run_all(chosen, loadgen, excess):
    """Starts every limiter, then every run, and returns the rows of checks, those of audits, and what failing runs
    printed with either."""
    with contextlib.ExitStack() as stack:
        systems = [stack.enter_context(each.system(each.limit + excess)) for each in chosen]
        runs = []
        for each, system in zip(chosen, systems):
            runs.append(stack.enter_context(contextlib.closing(each.begin(loadgen, system, excess))))
        wait_for_all(runs)
        of_checks, of_audits = [], []
        for each, run, system in zip(chosen, runs, systems):
            if isinstance(each, Check):
                of_checks.append(row(each, run, system))
            else:
                of_audits.extend(run.rows())
        return of_checks, of_audits


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME,…", default="", help="only these")
    parser.add_argument("--list", action="store_true", help="print the names")
    parser.add_argument("--loadgen", metavar="PATH", type=Path, default=default_loadgen(),
                        help="the program under test (default: %(default)s)")
    parser.add_argument("--excess", metavar="N", type=int, default=0,
                        help="have each limiter keep a limit so much higher than it claims: with 1, no count may hold, "
                             "nor an audit that expects the limit kept; audits of sliding counters, whose resolution "
                             "is 2 requests, need 3")
    options = parser.parse_args()
    for ending in signal.SIGTERM, signal.SIGHUP:
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    known = known_by_name(options.loadgen)
    if options.list:
        return print(*known, sep="\n")
    try:
        wanted = chosen([name for name in options.only.split(",") if name], known)
        refuse_what_is_missing(wanted, options.loadgen)
        of_checks, of_audits = run_all(wanted, options.loadgen, options.excess)
    except Refused as reason:
        print(f"limiters: {reason}", file=sys.stderr)
        return 2
    except (Broken, Failed, OSError) as failure:
        print(f"limiters: {failure}", file=sys.stderr)
        return 1
    for headings, rows in (HEADINGS, of_checks), (AUDIT_HEADINGS, of_audits):
        if rows:
            print(table([headings, *(cells for cells, _ in rows)]), end="\n\n")
    failing = [(cells, printed) for cells, printed in [*of_checks, *of_audits] if printed is not None]
    for cells, printed in failing:
        print(f"--- {cells[0]}\n{printed}")
    return 1 if failing else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
