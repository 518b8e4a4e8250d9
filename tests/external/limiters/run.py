#!/usr/bin/env python3
"""Runs loadgen against real rate limiters, on loopback and all at the same time. Checks compare its counts with what
each limiter's configuration promises, and with the limiter's own counts. Audits compare its verdicts with what is known
of each limiter's algorithm. At most 1000 requests per second are sent in all. The script takes about 45 seconds, and
ends every limiter that it started.

Exit codes: 0 everything holds; 1 something does not hold, or failed; 2 refused, for example because a limiter is not
installed.
"""

import contextlib
import sys

# Nothing is written into the source tree.
sys.dont_write_bytecode = True
import command
import haproxy
import nginx
import python_nodes
import ratelimiter
import simulated_nodes
import throttlecrab
from harness import Check, Summary, verify, wait_for_all
from processes import Broken

CHECKS = [check for module in (nginx, haproxy, throttlecrab, python_nodes) for check in module.CHECKS]
HEADINGS = ["limiter", "configuration", "asked with", "promised", "allowed", "blocked", "failed", "verdict"]
AUDIT_HEADINGS = ["audit", "configuration", "held to", "expected", "said", "verdict"]


def known_by_name(loadgen):
    """Checks, then audits."""
    audits = [*nginx.AUDITS, *python_nodes.AUDITS, *simulated_nodes.AUDITS,
              *ratelimiter.audits_of(loadgen.with_name("ratelimiter"))]
    return {each.name: each for each in [*CHECKS, *audits]}


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
    parser = command.parser(__doc__)
    command.add_choice(parser)
    parser.add_argument("--excess", metavar="N", type=int, default=0,
                        help="have each limiter keep a limit so much higher than it claims: with 1, no count may hold, "
                             "nor an audit that expects the limit kept; audits of sliding counters, whose resolution "
                             "is 2 requests, need 3")
    options = parser.parse_args()
    known = known_by_name(options.loadgen)
    if options.list:
        print(*known, sep="\n")
        return True
    wanted = command.chosen(options.only, known)
    command.refuse_what_is_missing(wanted, options.loadgen)
    of_checks, of_audits = run_all(wanted, options.loadgen, options.excess)
    for headings, rows in (HEADINGS, of_checks), (AUDIT_HEADINGS, of_audits):
        if rows:
            print(table([headings, *(cells for cells, _ in rows)]), end="\n\n")
    failing = [(cells, printed) for cells, printed in [*of_checks, *of_audits] if printed is not None]
    for cells, printed in failing:
        print(f"--- {cells[0]}\n{printed}")
    return not failing


if __name__ == "__main__":
    command.end_with("limiters", main)
