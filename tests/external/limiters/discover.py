#!/usr/bin/env python3
"""Runs `loadgen discover` against real limiters and simulated ones, on loopback and all at the same time. A Markdown
table shows what it said beside each one's configuration. All that it said is compared with what is known of the
limiter. A few that do not hold are tried once more, by themselves, because a busy machine hides much.
The script takes about five minutes, or ten, and ends every limiter that it started.

Exit codes: 0 everything holds; 1 something does not hold, or failed; 2 refused, for example because a limiter is not
installed.
"""

import argparse
import json
import sys

# Nothing is written into the source tree.
sys.dont_write_bytecode = True
import command
import haproxy
import nginx
import python_nodes
import ratelimiter
import simulated_discoveries
import throttlecrab
from discoveries import discover_all, statement
from verdict_table import markdown

HEADINGS = ["limiter", "configuration", "`discover` said", "requests", "seconds", "verdict"]

# More that do not hold are no chance.
MOST_AGAIN = 5


def known_by_name(loadgen):
    modules = (nginx, haproxy, throttlecrab, python_nodes, simulated_discoveries)
    known = [each for module in modules for each in module.DISCOVERIES]
    known += ratelimiter.discoveries_of(loadgen.with_name("ratelimiter"))
    return {each.name: each for each in known}


def cells(done, faults):
    """The table's row."""
    summary, discovery = done.summary, done.discovery
    measured = ["", "", ""]
    if summary:
        measured = [statement(summary), str(summary["requests"]["sent"]), f"{summary['lasted_ns'] / 1e9:.0f}"]
    verdict = f"**NO: {'; '.join(faults)}**" if faults else "holds"
    return [f"{discovery.name} {done.system.version}", discovery.configuration, *measured, verdict]


def once_more(all_done, loadgen):
    """All of them, of which a few that do not hold have been tried again."""
    again = [done.discovery for done in all_done if done.faults()]
    if len(again) > MOST_AGAIN:
        return all_done
    for done in all_done:
        if done.faults():
            print(f"again: {done.discovery.name}: {'; '.join(done.faults())}")
    second = {done.discovery.name: done for done in discover_all(again, loadgen)} if again else {}
    return [second.get(done.discovery.name, done) for done in all_done]


def main():
    parser = command.parser(__doc__)
    command.add_choice(parser)
    parser.add_argument("--log", metavar="FILE", type=argparse.FileType("w"), help="write every summary there, as JSON")
    options = parser.parse_args()
    known = known_by_name(options.loadgen)
    if options.list:
        print(*known, sep="\n")
        return True
    wanted = command.chosen(options.only, known)
    command.refuse_what_is_missing(wanted, options.loadgen)
    all_done = once_more(discover_all(wanted, options.loadgen), options.loadgen)
    faults = [done.faults() for done in all_done]
    print(markdown([HEADINGS, *map(cells, all_done, faults)]), end="\n\n")
    for done, wrong in zip(all_done, faults):
        if wrong:
            print(f"--- {done.discovery.name}\n{done.printed}")
    if options.log:
        json.dump({done.discovery.name: done.summary for done in all_done}, options.log)
    return not any(faults)


if __name__ == "__main__":
    command.end_with("discover", main)
