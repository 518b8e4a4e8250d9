#!/usr/bin/env python3
"""Compares loadgen with the load generators that are installed (wrk, wrk2, hey, oha, vegeta, k6),
with stock ureq on 100 threads, and with 100 bare blocking sockets, against one local server that records
when each request arrived. Prints a table and the bounds that loadgen is held to. Linux only.

Every client sends the same POST over at most 100 connections (vegeta, when paced, opens as many as
it likes). All clients take a measurement one after the other, then comes the next round; a figure is
the median of its rounds. The server counts the requests: a tool is not asked what it did.

Schedule error. When a tool's schedule started is not known, so the i-th arrival is compared with the
grid a + i/rate, where a is the median of arrival_i − i/rate: the start that makes the tool's error
least. The first second is left out as warm-up, and i counts from there. The error is
|arrival − grid|; an arrival is the kernel's receive timestamp at the server's socket.

Peak rate. For loadgen, which is open-loop, the highest rate at which nothing was dropped, all
arrived, and the 99th percentile of its send lag stayed under 5 ms, found by bisection to 2 %; a rate
is tried again before it counts as not held, since one stall of the machine in a run of a few seconds
exceeds that percentile, while it hardly shows in the others' average: for them, the figure is what
they reach in a closed loop over 100 connections.

Processor time per request: user and system time of the whole process, by wait4, by the requests that
the server counted. Runs take 20 s or more, because some kernels count processor time in ticks. At
50,000/s only loadgen is paced; the others' figure is that of their closed loop.

Peak memory: the high-water mark of the resident set (VmHWM), read every 50 ms. wait4's figure would
include the memory of this script, whose copy each process is until it executes the tool.

Over TLS 1.3, the server is nginx with one worker process, which is started here with a certificate of
its own making, and counts the requests. Processor time is taken as above. loadgen's peak rate over
TLS is compared with its peak rate without, which is found right before, at the same nginx. The first
second of these runs is left out: a hundred handshakes at once take most of nginx's time for 10 to 30 ms.

Start: from just before the process is created to its first request's arrival, on one clock.

Priority: loadgen's schedule error without and with a real-time priority (`chrt -f 10`), once with the
processors to itself and once beside a busy loop on each of them. The server keeps its own priority: the
kernel stamps arrivals before the server runs.

A figure is marked with * where less than 99 % of the planned requests arrived.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Nothing is written into the source tree.
sys.dont_write_bytecode = True
from comparison.load_generators import BARE, STOCK, tools
from comparison.runs import Failed, Nginx, Run, Server

ROOT = Path(__file__).resolve().parent.parent
PARTS = ["schedule", "priority", "peak", "cpu", "memory", "start", "tls"]
RATES = [1_000, 10_000]
HIGH_RATE = 50_000
MEMORY_RATE = 10_000
TLS_RATE = 10_000
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}

# What is measured, by the names that the table, the bounds and the JSON file give it.
ERROR = "schedule error at {:,}/s, µs, {}".format
PEAK = "peak rate, /s"
CPU = "processor time per request at {:,}/s, µs".format
MEMORY = f"peak memory at {MEMORY_RATE:,}/s, MiB"
GROWTH = "difference of peak memory after 10 times as many requests, MiB"
START = "start, ms"
TLS_CPU = f"processor time per request at {TLS_RATE:,}/s over TLS, µs"
TLS_PEAK = "peak rate over TLS, /s"
NGINX_PEAK = "peak rate without TLS at the same nginx, /s"
TLS_SHARE = "peak rate over TLS, as a share of that without"

# A column's title, and the measures that share it.
COLUMNS = {
    **{ERROR(r, " / ".join(PERCENTILES)): [ERROR(r, p) for p in PERCENTILES] for r in RATES},
    PEAK: [PEAK],
    **{CPU(r): [CPU(r)] for r in RATES},
    f"{CPU(HIGH_RATE)} (others: closed loop)": [CPU(HIGH_RATE)],
    MEMORY: [MEMORY],
    START: [START],
    TLS_CPU: [TLS_CPU],
    f"{TLS_PEAK}, and without": [TLS_PEAK, NGINX_PEAK],
}

# The line it belongs to; the measure; the bound, or a factor and the tool to whose figure it applies.
AT_MOST = [
    *[(1, ERROR(r, "p50"), 20, None) for r in RATES],
    *[(1, ERROR(r, "p90"), 0.1, rival) for r in RATES for rival in ("oha", "vegeta")],
    *[(1, ERROR(r, "p99"), 0.2, "oha") for r in RATES],
    (3, CPU(1_000), 1, "oha"),
    (3, CPU(10_000), 1.25, "hey"),
    (3, CPU(HIGH_RATE), 1, "hey"),
    (4, MEMORY, 12, None),
    (4, GROWTH, 1, None),
    (5, START, 20, None),
    (6, TLS_CPU, 1.1, "oha"),
]
AT_LEAST = [
    (2, PEAK, 1.6, "hey"),
    (2, PEAK, 7, STOCK),
    (2, PEAK, 0.65, BARE),
    (6, TLS_SHARE, 0.6, None),
]


def schedule_errors(arrivals, rate):
    """|arrival − grid| of every arrival after the first second, in µs, sorted."""
    settled = [at for at in arrivals if at >= arrivals[0] + 10**9]
    if len(settled) < rate / 2:
        raise Failed("too few arrivals after the first second")
    offsets = [at - settled[0] - i * 1e9 / rate for i, at in enumerate(settled)]
    start = statistics.median(offsets)
    return sorted(abs(offset - start) / 1e3 for offset in offsets)


def milliseconds(span):
    number, unit = span
    return float(number) * {"ns": 1e-6, "µs": 1e-3, "ms": 1, "s": 1e3}[unit]


def held(server, tool, seconds, rate):
    """Whether loadgen kept the rate: from its own report, and by the server's count."""
    run = Run(server, tool, seconds, rate)
    scheduled = re.search(r"scheduled (\d+) = sent (\d+) \+", run.output)
    lag = re.search(r"^ *send lag +(.*)", run.output, re.MULTILINE)
    if not scheduled or not lag:
        raise Failed("its summary has no ledger or no send lag")
    _, _, p99, *_ = re.findall(r"([\d.]+) (ns|µs|ms|s)\b", lag[1])
    return scheduled[1] == scheduled[2] == str(run.requests) and milliseconds(p99) < 5


def held_once_connected(server, tool, seconds, rate):
    """Whether loadgen kept the rate from the second second on: in the median second, by its own report, and all arrived."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "summary.json")
        run = Run(server, tool, seconds, rate, options=["--summary-json", str(file)])
        summary = json.loads(file.read_text())
    scheduled, sent = summary["requests"]["scheduled"], summary["requests"]["sent"]
    later = [slot for slot in summary["timeline"]["slots"][1:] if slot["sent"] > 0]
    lag = statistics.median(slot["send_lag_p99_ns"] for slot in later)
    return scheduled == sent == run.requests and lag < 5e6


def highest_rate(held, guess):
    """Brackets the rate from a guess on, then bisects it."""
    low, high, rate = 0, None, guess
    while high is None or high > max(low * 1.02, low + 1):
        if held(rate):
            low = rate
        else:
            high = rate
        rate = round(low * 1.25 if high is None else (low + high) / 2 if low else high / 1.25)
        if rate < 100:
            raise Failed("it held no rate")
    return low


def busy_share():
    """How much of the processors' time others use, or the host takes, while this script sleeps."""

    def times():
        values = list(map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9]))
        return sum(values), values[3] + values[4]

    total, idle = times()
    time.sleep(1)
    total, idle = times()[0] - total, times()[1] - idle
    return 1 - idle / total


def variants(tools, chrt):
    """What `priority` measures: loadgen with and without a real-time priority, alone and beside busy loops."""
    for tool in tools:
        if tool.name == "loadgen":
            yield tool.variant("loadgen, alone")
            yield tool.variant("loadgen, alone, chrt -f 10", [chrt, "-f", "10"])
            yield tool.variant("loadgen, beside busy loops", beside_load=True)
            yield tool.variant("loadgen, beside busy loops, chrt -f 10", [chrt, "-f", "10"], beside_load=True)


def real_time_allowed(chrt):
    return chrt and not subprocess.run([chrt, "-f", "10", "true"], stderr=subprocess.DEVNULL).returncode


@contextlib.contextmanager
def busy_loops():
    """Keeps every processor busy, for at most ten minutes."""
    loop = "import time; end = time.monotonic() + 600\nwhile time.monotonic() < end: pass"
    loops = [subprocess.Popen([sys.executable, "-c", loop]) for _ in range(os.cpu_count())]
    try:
        yield
    finally:
        for each in loops:
            each.kill()
            each.wait()


class Comparison:
    """Takes the measurements and keeps every round's figures."""

    def __init__(self, chosen, variants, binaries, nginx, seconds):
        self.tools, self.variants, self.nginx, self.seconds = chosen, variants, nginx, seconds
        self.paced = [tool for tool in chosen if tool.paced]
        self.server = binaries / "examples" / "recording_server"
        self.figures, self.shares, self.failures, self.busy = {}, {}, [], 0

    def keep(self, tool, measure, value, share=1.0):
        self.figures.setdefault((tool.name, measure), []).append(value)
        self.shares.setdefault((tool.name, measure), []).append(share)

    def median(self, name, measure):
        values = self.figures.get((name, measure))
        return statistics.median(values) if values else None

    def each(self, what, measure, tools):
        """One measurement of each of the tools; a failure costs that figure only."""
        for tool in tools:
            print(f"  {what}: {tool.name}", file=sys.stderr, flush=True)
            try:
                measure(tool)
            except Failed as failure:
                self.failures.append(f"{tool.name}, {what}: {failure}")
            # What the last run left behind (closing connections) is not charged to the next.
            time.sleep(0.3)

    def schedule(self):
        self.errors_of_schedule(self.paced)

    def errors_of_schedule(self, tools):
        for rate in RATES:

            def measure(tool):
                with busy_loops() if tool.beside_load else contextlib.nullcontext():
                    run = Run(server, tool, self.seconds, rate)
                errors = schedule_errors(server.arrivals(), rate)
                for name, share in PERCENTILES.items():
                    self.keep(tool, ERROR(rate, name), errors[int(len(errors) * share)], run.share)

            with Server(self.server, "kernel", 2 * rate * (self.seconds + 1)) as server:
                self.each(f"schedule error at {rate:,}/s", measure, tools)

    def priority(self):
        self.errors_of_schedule(self.variants)

    def peak(self):
        def measure(tool):
            if tool.closed:
                rate = Run(server, tool, self.seconds).rate
            else:
                rate = self.highest(server, tool, PEAK)
            self.keep(tool, PEAK, rate)

        with Server(self.server, "none") as server:
            self.each("peak rate", measure, self.tools)

    def highest(self, server, tool, measure, held=held):
        """The highest rate that loadgen keeps. The last round's is a good first guess for this one."""
        guess = self.figures.get((tool.name, measure), [20_000])[-1]
        probe = max(3, self.seconds // 2)
        tried = lambda rate: any(held(server, tool, probe, rate) for _ in range(2))
        return highest_rate(tried, guess)

    def cpu(self):
        with Server(self.server, "none") as server:
            for rate in [*RATES, HIGH_RATE]:

                def measure(tool):
                    closed = rate == HIGH_RATE and tool.closed
                    run = Run(server, tool, max(20, self.seconds), None if closed else rate)
                    self.keep(tool, CPU(rate), run.processor_us, run.share)

                self.each(CPU(rate), measure, self.tools if rate == HIGH_RATE else self.paced)

    def memory(self):
        def peak(tool, seconds):
            run = Run(server, tool, seconds, MEMORY_RATE, watch_memory=True)
            return run.peak_kib / 1024, run.share

        def measure(tool):
            short, share = peak(tool, self.seconds)
            self.keep(tool, MEMORY, short, share)
            if tool.name == "loadgen":
                long, share = peak(tool, 10 * self.seconds)
                self.keep(tool, GROWTH, abs(long - short), share)

        with Server(self.server, "none") as server:
            self.each("peak memory", measure, self.paced)

    def start(self):
        def measure(tool):
            run = Run(server, tool, 1, RATES[0] if tool.paced else None)
            self.keep(tool, START, (server.arrivals()[0] - run.began) / 1e6)

        with Server(self.server, "kernel", 10**6) as server:
            self.each("start", measure, self.tools)

    def tls(self):
        if not self.nginx:
            return

        def processor_time(tool):
            run = Run(nginx.tls, tool, max(20, self.seconds), TLS_RATE)
            self.keep(tool, TLS_CPU, run.processor_us, run.share)

        def peak(tool):
            plain = self.highest(nginx.plain, tool, NGINX_PEAK, held_once_connected)
            tls = self.highest(nginx.tls, tool, TLS_PEAK, held_once_connected)
            for measure, value in (NGINX_PEAK, plain), (TLS_PEAK, tls), (TLS_SHARE, tls / plain):
                self.keep(tool, measure, value)

        with Nginx(self.nginx) as nginx:
            self.each(TLS_CPU, processor_time, [tool for tool in self.tools if tool.tls])
            self.each("peak rate over TLS", peak, [tool for tool in self.tools if tool.name == "loadgen"])

    def table(self):
        yield "| | " + " | ".join(COLUMNS) + " |"
        yield "| --- |" + " ---: |" * len(COLUMNS)
        for tool in self.tools + self.variants:
            cells = [self.cell(tool.name, measures) for measures in COLUMNS.values()]
            yield f"| {tool.name} | " + " | ".join(cells) + " |"

    def cell(self, name, measures):
        values = [self.median(name, measure) for measure in measures]
        if None in values:
            return "–"
        share = statistics.median(self.shares[name, measures[0]])
        return " / ".join(map(number, values)) + ("*" if share < 0.99 else "")

    def bounds(self):
        for line in sorted({bound[0] for bound in AT_MOST + AT_LEAST}):
            claims = [self.claim(bound, "most") for bound in AT_MOST if bound[0] == line]
            claims += [self.claim(bound, "least") for bound in AT_LEAST if bound[0] == line]
            verdicts = {verdict for _, verdict in claims}
            yield f"{line}. {next(v for v in ('no', 'not measured', 'yes') if v in verdicts)}"
            yield from (f"   - {text}: {verdict}" for text, verdict in claims)

    def claim(self, bound, direction):
        _, measure, factor, rival = bound
        figure = self.median("loadgen", measure)
        reference = self.median(rival, measure) if rival else 1
        if figure is None or reference is None:
            return f"{measure}, against {rival or f'{factor}'}", "not measured"
        limit = factor * reference
        holds = figure >= limit if direction == "least" else figure <= limit
        of = f" ({factor} × {rival}; it is {figure / reference:.3g} ×)" if rival else ""
        text = f"{measure}: {number(figure)}, at {direction} {number(limit)}{of}"
        return text, "yes" if holds else "no"


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10, help="of a run (default %(default)s)")
    parser.add_argument("--only", metavar="TOOL,...", help="such as loadgen,oha,stock,bare")
    parser.add_argument("--part", action="append", choices=PARTS, help="may be repeated")
    parser.add_argument("--path", action="append", default=[], help="also look for tools here")
    parser.add_argument("--binaries", type=Path, help="loadgen and examples/; builds nothing then")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's figures")
    options = parser.parse_args()
    if options.rounds < 1 or options.seconds < 3:
        parser.error("at least 1 round and 3 seconds")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    binaries = options.binaries
    if not binaries:
        subprocess.run(["cargo", "build", "--release", "--bin", "loadgen", "--example",
                        "recording_server", "--example", "closed_loop"], cwd=ROOT, check=True)
        binaries = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release"
    own = os.pathsep.join(map(str, (binaries, binaries / "examples")))
    elsewhere = os.pathsep.join([*options.path, os.environ.get("PATH", os.defpath)])

    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        every = tools(scratch)
        if options.only:
            wanted = options.only.split(",")
            every = [tool for tool in every if {tool.name, *re.findall(r"\w+", tool.name)} & {*wanted}]
        for tool in every:
            ours = tool.program in ("loadgen", "closed_loop")
            tool.path = shutil.which(tool.program, path=own if ours else elsewhere)
        # Its certificate is made by openssl.
        nginx = shutil.which("openssl") and shutil.which("nginx", path=f"{elsewhere}:/usr/sbin")
        chosen = [tool for tool in every if tool.path]
        chrt, parts = shutil.which("chrt"), options.part or PARTS
        prioritized = list(variants(chosen, chrt)) if "priority" in parts and real_time_allowed(chrt) else []
        comparison = Comparison(chosen, prioritized, binaries, nginx, options.seconds)
        for round in range(options.rounds):
            for part in parts:
                print(f"round {round + 1} of {options.rounds}: {part}", file=sys.stderr)
                comparison.busy = max(comparison.busy, busy_share())
                getattr(comparison, part)()

    print(f"{os.cpu_count()} cores, the server on the same machine; medians of {options.rounds}; "
          f"between the parts, others used at most {comparison.busy:.0%} of the processors.\n")
    print(*comparison.table(), "", *comparison.bounds(), sep="\n")
    missing = [f"{tool.name}: not installed" for tool in every if not tool.path]
    if "priority" in parts and not prioritized:
        missing.append("priority: chrt is not installed, or may not set a real-time priority")
    if not nginx and "tls" in parts:
        missing.append("over TLS: nginx or openssl is not installed")
    if missing or comparison.failures:
        print("\nNot run:", *(f"- {reason}" for reason in missing + comparison.failures), sep="\n")
    if options.json:
        raw = {f"{name}: {measure}": values for (name, measure), values in comparison.figures.items()}
        options.json.write_text(json.dumps(raw, indent=1))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
