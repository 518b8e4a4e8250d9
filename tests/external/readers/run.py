#!/usr/bin/env python3
"""Has other programs read what loadgen writes.

hdrh, another implementation, reads the HdrHistogram interval log of a demo of three seconds, and the histograms in its summary.
Their counts and percentiles are held against what loadgen itself printed and wrote. DuckDB, pandas, gnuplot and jq read the other files, by the very lines of the
guide, and their numbers are held against each other.

Exit codes: 0 they agree; 1 they don't, or something broke.
"""

import argparse
import io
import json
import math
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Nothing is written into the source tree.
sys.dont_write_bytecode = True
import duckdb
import pandas
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

ROOT = Path(__file__).resolve().parents[3]
GUIDE = ROOT / "src" / "guide" / "results.md"
FILES = ["timeline.csv", "targets.csv", "requests.csv"]
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


def read_the_log(loadgen, directory):
    log, summary = directory / "hdr.log", directory / "hdr.json"
    began = time.time()
    run = [loadgen, "--demo", "--rps", "500", "--duration", "2.5", "--audit", "off", "--hdr-log", log, "--summary-json", summary]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60)
    holds(done.returncode == 0, f"loadgen exited with {done.returncode}\n{done.stdout}{done.stderr}")
    compare(done.stdout, log, began)
    read_the_histograms(json.loads(summary.read_text()))


def read_the_histograms(summary):
    for name in ROWS:
        of = summary[name]
        histogram = HdrHistogram.decode(of["hdr"])
        holds(histogram.get_total_count() == of["count"] > 0, f"{name}: {histogram.get_total_count()} of {of['count']}")
        for share in (50, 90, 99):
            decoded, written = histogram.get_value_at_percentile(share), of[f"p{share}_ns"]
            holds(decoded == written, f"{name} p{share}: {decoded} ns decoded, {written} written")
        holds(histogram.get_max_value() == of["max_ns"], f"{name}: the longest is {histogram.get_max_value()}")


def lines_of_the_guide():
    """The blocks of code under the heading on other programs, by language. A language may have several."""
    section = GUIDE.read_text().split("\n### In other programs\n")[1].split("\n## ")[0]
    blocks = {}
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL):
        blocks.setdefault(language, []).append(text)
    holds(set(blocks) == {"sh", "sql", "python", "gnuplot"}, f"the guide has {set(blocks)}")
    return blocks


def run_in(directory, command, text=None):
    done = subprocess.run(command, cwd=directory, input=text, capture_output=True, text=True, timeout=60)
    holds(done.returncode == 0, f"{command[0]} exited with {done.returncode}: {done.stderr}{done.stdout}")
    holds(not done.stderr, f"{command[0]}: {done.stderr}")
    return done.stdout


def statements(sql):
    without_comments = "\n".join(line for line in sql.splitlines() if not line.startswith("--"))
    return [one for one in without_comments.split(";") if one.strip()]


def read_by_duckdb(sql, summary):
    """Runs the guide's queries, and selects every column without quotes. Returns the p99 of each second."""
    slowest, shares, keys, slots = (duckdb.sql(one).fetchall() for one in statements(sql))
    holds(len(slowest) == 3 and slowest[0][3] >= slowest[1][3] > 0, f"the slowest seconds: {slowest}")
    holds(len(shares) == 3 and all(0 < share < 1 for _, share in shares), f"blocked shares: {shares}")
    holds(len(keys) == 3 and keys[0][1] > 0 and "probe-" not in keys[0][0], f"keys: {keys}")
    p99 = duckdb.sql("SELECT second, latency_p99_ns / 1e6 FROM 'timeline.csv' ORDER BY second").fetchall()
    holds(sorted(slots) == p99, f"the summary has {slots}, the timeline {p99}")
    sent = summary["requests"]["sent"]
    for query in [
        "SELECT sum(sent) FROM 'timeline.csv'",
        "SELECT sum(sent) FROM 'targets.csv'",
        "SELECT sum(allowed + blocked + failed + abandoned) FROM 'targets.csv'",
        "SELECT count(*) FROM 'requests.csv' WHERE source = 'load'",
    ]:
        counted = duckdb.sql(query).fetchall()[0][0]
        holds(counted == sent, f"{query}: {counted}, and {sent} were sent")
    probes = duckdb.sql("SELECT count(*) FROM 'requests.csv' WHERE source = 'probe'").fetchall()[0][0]
    holds(probes > 0, "no request of the probe was written")
    for file in FILES:
        for column in Path(file).read_text().splitlines()[0].split(","):
            duckdb.sql(f"SELECT {column}, max({column}) AS most FROM '{file}' GROUP BY {column}").fetchall()
    for path in fields(summary):
        duckdb.sql(f"SELECT {path} FROM 'summary.json'").fetchall()
    kind = dict(duckdb.sql("SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM 'timeline.csv')").fetchall())
    holds(kind["time"].startswith("TIMESTAMP"), f"time is {kind['time']}")
    holds(kind["latency_p99_ns"] == "BIGINT", f"latency_p99_ns is {kind['latency_p99_ns']}")
    return [value for _, value in p99]


def fields(value, path=""):
    """The paths of the fields of an object, and of the objects in it."""
    for name, inner in value.items():
        here = f"{path}.{name}" if path else name
        yield here
        # Maps by names that are not loadgen's may need quotes.
        if isinstance(inner, dict) and name != "failures":
            yield from fields(inner, here)


def same(one, other):
    return len(one) == len(other) and all(
        a == b or pandas.isna(a) and pandas.isna(b) or math.isclose(a, b) for a, b in zip(one, other)
    )


def read_tables(loadgen, directory):
    blocks = lines_of_the_guide()
    loadgen_line, with_jq = blocks["sh"]
    words = shlex.split(loadgen_line.replace("\\\n", " "))
    holds(words[0] == "loadgen", f"the guide's first command is {words[0]}")
    run_in(directory, [str(loadgen), *words[1:]])
    summary = json.loads((directory / "summary.json").read_text())

    p99 = read_by_duckdb(*blocks["sql"], summary)
    print(f"DuckDB: {len(p99)} seconds, the same in both files")

    # Its output is checked through a program of its own, as a user runs it.
    printed = run_in(directory, [sys.executable, "-W", "error", "-"], *blocks["python"])
    holds("latency_p99_9_ns" in printed and "http://127.0.0.1:" in printed, f"pandas printed {printed}")
    timeline = pandas.read_csv("timeline.csv", parse_dates=["time"])
    holds(same(list(timeline.latency_p99_ns / 1e6), p99), f"pandas has {timeline.latency_p99_ns}, not {p99}")
    holds(str(timeline.time.dtype).startswith("datetime64"), f"time is {timeline.time.dtype}")
    print("pandas: the same")

    run_in(directory, ["gnuplot"], *blocks["gnuplot"])
    # Gnuplot prints what it plots, too.
    plotted = blocks["gnuplot"][0].replace("set terminal svg", "").replace("p99.svg", "p99.txt")
    run_in(directory, ["gnuplot"], "set table\n" + plotted.replace("set output", "set table"))
    rows = [line.split() for line in (directory / "p99.txt").read_text().splitlines() if line.strip()]
    shown = [float(row[1]) for row in rows if not row[0].startswith("#") and row[2] == "i"]
    measured = [value for value in p99 if value is not None]
    holds(len(shown) == len(measured), f"gnuplot shows {shown}, not {measured}")
    holds(all(math.isclose(a, b, rel_tol=1e-4) for a, b in zip(shown, measured)), f"{shown}, not {measured}")
    holds("<path" in (directory / "p99.svg").read_text(), "gnuplot drew nothing")
    print("gnuplot: the same")

    rows, chosen = (run_in(directory, shlex.split(line)) for line in with_jq.splitlines())
    by_jq = pandas.read_csv(io.StringIO(rows), header=None)
    holds(same(list(by_jq[2] / 1e6), p99), f"jq has {rows}, not {p99}")
    holds(chosen.split()[0] == json.dumps(summary["audit"]["verdict"]), f"jq printed {chosen}")
    print("jq: the same")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loadgen", metavar="PATH", type=Path, default=ROOT / "target" / "debug" / "loadgen",
                        help="the program under test (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        try:
            loadgen = options.loadgen.resolve()
            read_the_log(loadgen, Path(directory))
            # The guide's lines name files without a folder.
            os.chdir(directory)
            read_tables(loadgen, Path(directory))
        except Disagrees as failure:
            print(f"readers: {failure}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
