#!/usr/bin/env python3
"""Has another implementation, Python's hdrh, read the HdrHistogram interval log of a run, and holds its counts and
percentiles against what loadgen itself printed. The run is a demo's on loopback, of three seconds.

Exit codes: 0 they agree; 1 they don't, or something broke.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Nothing is written into the source tree.
sys.dont_write_bytecode = True
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

ROOT = Path(__file__).resolve().parents[3]
LONGEST_NS = 3600 * 10**9
UNITS = {"ns": 1, "µs": 10**3, "ms": 10**6, "s": 10**9}
# The printed summary's columns, and its rows by tag.
SHARES = [50, 90, 99, 99.9, 100]
ROWS = {"latency": "latency", "service_time": "service time", "send_lag": "send lag"}


class Disagrees(Exception):
    """The log is not what was printed."""


def holds(condition, what):
    if not condition:
        raise Disagrees(what)


def read(log):
    """All intervals of each tag, one after the other, and when the log says that it began."""
    reader = HistogramLogReader(str(log), HdrHistogram(1, LONGEST_NS, 3))
    by_tag = {}
    while interval := reader.get_next_interval_histogram():
        by_tag.setdefault(interval.get_tag(), []).append(interval)
    return by_tag, reader.get_start_time_sec()


def printed(text, row):
    """A row of percentiles: numbers of three digits, with their last digit's worth in nanoseconds."""
    cells = re.search(rf"^  {row} +(.*)$", text, re.MULTILINE)
    holds(cells, f"no row of {row}")
    for number, unit in re.findall(r"([\d.]+) (ns|µs|ms|s)\b", cells[1]):
        decimals = len(number.partition(".")[2])
        yield float(number) * UNITS[unit], UNITS[unit] / 10**decimals


def compare(text, log, began):
    sent = int(re.search(r"scheduled \d+ = sent (\d+)", text)[1])
    by_tag, start = read(log)
    holds(set(by_tag) == set(ROWS), f"the tags are {set(by_tag)}")
    holds(abs(start - began) < 5, f"it began {start - began} s after the process")
    for tag, intervals in by_tag.items():
        begins = [interval.get_start_time_stamp() for interval in intervals]
        holds(begins == [begins[0] + 1000 * k for k in range(len(begins))], f"{tag}: not every second: {begins}")
        holds(abs(begins[0] - 1000 * start) < 1, f"{tag}: the first is not the start's")
        total = HdrHistogram(1, LONGEST_NS, 3)
        for interval in intervals:
            total.add(interval)
        holds(total.get_total_count() == sent, f"{tag}: {total.get_total_count()} of {sent}")
        for share, (value, digit) in zip(SHARES, printed(text, ROWS[tag]), strict=True):
            logged = total.get_value_at_percentile(share)
            holds(abs(logged - value) <= digit, f"{tag} p{share}: {logged} ns logged, {value} printed")
        print(f"{tag}: {len(intervals)} intervals, {sent} values, as printed")
    # The greatest value stands in each line too, in milliseconds.
    for line in log.read_text().splitlines():
        if match := re.match(r"Tag=(\w+),([\d.]+),1.000,([\d.]+),", line):
            interval = by_tag[match[1]][int(float(match[2]))]
            holds(abs(interval.get_max_value() / 1e6 - float(match[3])) < 0.001, line)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loadgen", metavar="PATH", type=Path, default=ROOT / "target" / "debug" / "loadgen",
                        help="the program under test (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "hdr.log"
        began = time.time()
        run = [options.loadgen, "--demo", "--rps", "200", "--duration", "2.5", "--audit", "off", "--hdr-log", log]
        done = subprocess.run(run, capture_output=True, text=True, timeout=60)
        try:
            holds(done.returncode == 0, f"exited with {done.returncode}")
            compare(done.stdout, log, began)
        except Disagrees as failure:
            print(f"readers: {failure}\n{done.stdout}{done.stderr}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
