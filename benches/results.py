#!/usr/bin/env python3
"""Measures the cost of all results: loadgen with everything on and loadgen with everything off take turns against one local
server. Linux only.

Processor time per request is user and system time of the whole process, by wait4, by the requests that the server
counted; send lag is loadgen's own. A figure is the median of its rounds; a ratio is the median of the rounds' own
ratios, each of two runs next to each other, since a machine's speed drifts. With `--each` every option is measured alone
too. `view` is the live view, for which a run has a terminal of 120 columns and 40 rows.
"""

import argparse
import fcntl
import os
import pty
import re
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

# Nothing is written into the source tree.
sys.dont_write_bytecode = True
from comparison.runs import SLACK, Failed, Server, watch

ROOT = Path(__file__).resolve().parent.parent
LAGS = ["p50", "p90", "p99"]
UNITS = {"ns": 1e-3, "µs": 1, "ms": 1e3, "s": 1e6}


def options(scratch):
    """Each option with what it is given, in the order of the help."""
    return {
        "report": ["--report", scratch / "report.html"],
        "summary-json": ["--summary-json", scratch / "summary.json"],
        "summary-markdown": ["--summary-markdown", scratch / "summary.md"],
        "timeline": ["--timeline", scratch / "timeline.csv"],
        "hdr-log": ["--hdr-log", scratch / "spans.hlog"],
        "requests": ["--requests", scratch / "requests.csv"],
        "threshold": ["--threshold", "latency.p99 < 1h", "--threshold", "failed.rate < 50%",
                      "--abort-on-fail"],
        "view": [],
    }


class Terminal:
    """A pseudo-terminal whose output is read."""

    def __enter__(self):
        ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.text = bytearray()

        def read():
            try:
                while chunk := os.read(ours, 65536):
                    self.text += chunk
            except OSError:
                # How the end of a terminal reads.
                pass
            os.close(ours)

        self.reader = threading.Thread(target=read)
        self.reader.start()
        return self

    def __exit__(self, *_):
        os.close(self.theirs)
        self.reader.join()


class Run:
    def __init__(self, server, binary, rate, seconds, chosen, arguments):
        command = [binary, "--targets", server.url, "--rps", rate, "--duration", seconds,
                   "--burst-enabled", "false", "--stats-interval", 1000, *arguments]
        server.reset()
        with tempfile.TemporaryFile() as output, Terminal() as terminal:
            viewed = "view" in chosen
            process = subprocess.Popen(
                [*map(str, command)],
                stdin=terminal.theirs if viewed else subprocess.DEVNULL,
                stdout=terminal.theirs if viewed else output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TERM": "xterm-256color"},
            )
            try:
                watch(process.pid, seconds + SLACK, False)
                _, status, used = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            finally:
                if process.returncode is None:
                    process.kill()
                    process.wait()
            output.seek(0)
            text = output.read()
        text = (text + terminal.text).decode(errors="replace")
        requests = server.requests()
        if process.returncode not in (0, 3) or requests < rate * seconds * 0.99:
            raise Failed(f"it ended with {process.returncode} after {requests} requests:\n{text[-2000:]}")
        if "unwritten" in text:
            print(*re.findall(r".*unwritten.*", text), sep="\n", file=sys.stderr)
        lag = re.search(r"^ *send lag +(.*)", text, re.MULTILINE)
        lags = re.findall(r"([\d.]+) (ns|µs|ms|s)\b", lag[1])
        self.figures = {f"send lag {name}, µs": float(number) * UNITS[unit]
                        for name, (number, unit) in zip(LAGS, lags)}
        self.figures["processor time, µs"] = (used.ru_utime + used.ru_stime) / requests * 1e6


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=20, help="of a run (default %(default)s)")
    parser.add_argument("--rate", type=int, default=10_000, help="per second (default 10,000)")
    parser.add_argument("--each", action="store_true", help="every option alone too")
    parser.add_argument("--binaries", type=Path, help="loadgen and examples/; builds nothing then")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    binaries = chosen.binaries
    if not binaries:
        subprocess.run(["cargo", "build", "--release", "--bin", "loadgen", "--example",
                        "recording_server"], cwd=ROOT, check=True)
        binaries = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release"

    with tempfile.TemporaryDirectory() as scratch:
        each = options(Path(scratch))
        sets = {"everything": list(each)}
        if chosen.each:
            sets.update({name: [name] for name in each})
        figures = {name: [] for name in sets}
        with Server(binaries / "examples" / "recording_server", "none") as server:

            def run(names):
                time.sleep(0.3)
                arguments = [argument for name in names for argument in each[name]]
                return Run(server, binaries / "loadgen", chosen.rate, chosen.seconds, names,
                           arguments).figures

            for round in range(chosen.rounds):
                for name, names in sets.items():
                    print(f"round {round + 1} of {chosen.rounds}: {name}", file=sys.stderr)
                    # Which comes first changes: the second may find the machine warmer.
                    order = [[], names] if round % 2 == 0 else [names, []]
                    off, on = sorted(((bool(these), run(these)) for these in order),
                                     key=lambda pair: pair[0])
                    figures[name].append((off[1], on[1]))

    print(f"At {chosen.rate:,}/s for {chosen.seconds} s, medians of {chosen.rounds}: off, on, ratio.\n")
    for name, pairs in figures.items():
        print(name)
        for measure in pairs[0][0]:
            off, on = (statistics.median(pair[i][measure] for pair in pairs) for i in (0, 1))
            ratio = statistics.median(pair[1][measure] / pair[0][measure] for pair in pairs)
            print(f"  {measure:20} {off:8.1f} {on:8.1f} {ratio:7.3f}")


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(str(failure))
    except KeyboardInterrupt:
        sys.exit(130)
