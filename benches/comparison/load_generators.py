"""How each load generator is told to send the same check over 100 connections.

A new one is one more entry in the list that `tools` returns.
"""

import copy
import os

CONNECTIONS = 100
BODY = '{"key":"loadgen-3f9c01ab","limit":100,"window_ms":60000}'
TYPE = "application/json"
STOCK, BARE = "stock ureq, 100 threads", "100 bare sockets"


class Tool:
    """A load generator's command lines: `paced` at a rate, `closed` as fast as answers come.

    `tls` are the options with which it accepts any certificate, if it is measured over TLS. `prefix` is a command that
    runs the tool."""

    def __init__(self, name, paced=None, closed=None, program=None, tls=None, prefix=()):
        self.name, self.paced, self.closed, self.tls = name, paced, closed, tls
        self.program, self.prefix = program or name, prefix
        # Whether it is measured while every processor is busy.
        self.beside_load = False
        # Where the program is, once it was looked for and found.
        self.path = None

    def variant(self, name, prefix=(), beside_load=False):
        """The same tool under another name, measured in other circumstances. It is measured where the caller says."""
        other = copy.copy(self)
        other.name, other.prefix, other.beside_load = name, prefix, beside_load
        return other


def tools(scratch):
    """Every tool, in the table's order. Request files are written to the directory `scratch`."""
    body, script, targets = scratch / "body.json", scratch / "check.lua", scratch / "targets"
    flow = scratch / "check.js"
    body.write_text(BODY)
    script.write_text(
        f"wrk.method = 'POST'\nwrk.body = '{BODY}'\nwrk.headers['Content-Type'] = '{TYPE}'\n"
    )

    def loadgen(url, seconds, rate):
        return ["--targets", url, "--rps", rate, "--duration", seconds, "--workers", CONNECTIONS,
                "--burst-enabled", "false", "--stats-interval", 1000]

    def wrk(url, seconds):
        threads = min(os.cpu_count(), CONNECTIONS)
        return ["-t", threads, "-c", CONNECTIONS, "-d", f"{seconds}s", "-s", script, f"{url}/check"]

    def hey(url, seconds):
        return ["-c", CONNECTIONS, "-z", f"{seconds}s", "-m", "POST", "-T", TYPE, "-d", BODY,
                f"{url}/check"]

    def vegeta(url, seconds, *options):
        targets.write_text(f"POST {url}/check\nContent-Type: {TYPE}\n")
        return ["attack", "-targets", targets, "-body", body, "-duration", f"{seconds}s",
                "-workers", CONNECTIONS, "-output", os.devnull, *options]

    flow.write_text(f"""
import http from 'k6/http';
const paced = {{ executor: 'constant-arrival-rate', rate: Number(__ENV.RATE || 1), timeUnit: '1s',
    duration: __ENV.SECONDS + 's', preAllocatedVUs: {CONNECTIONS}, maxVUs: {CONNECTIONS} }};
const closed = {{ executor: 'constant-vus', vus: {CONNECTIONS}, duration: __ENV.SECONDS + 's' }};
export const options = {{ scenarios: {{ check: __ENV.RATE ? paced : closed }}, discardResponseBodies: true }};
export default () => http.post(__ENV.URL, '{BODY}', {{ headers: {{ 'Content-Type': '{TYPE}' }} }});
""")

    def k6(url, seconds, *variables):
        environment = [f"URL={url}/check", f"SECONDS={seconds}", *variables]
        return ["run", "--quiet", "--no-usage-report", *(word for each in environment for word in ("-e", each)), flow]

    def threads(client):
        return lambda url, seconds: ["--client", client, "--threads", CONNECTIONS,
                                     "--seconds", seconds, f"{url}/check"]

    return [
        Tool("loadgen", paced=loadgen, tls=["--insecure"]),
        # Asked for a rate that it cannot reach, wrk2 sends the next request at once.
        Tool("wrk2", lambda u, s, r: ["-R", r, *wrk(u, s)], lambda u, s: ["-R", 10**7, *wrk(u, s)]),
        Tool("oha", lambda u, s, r: ["--no-tui", "-q", r, *hey(u, s)],
             lambda u, s: ["--no-tui", *hey(u, s)], tls=["--insecure"]),
        Tool("vegeta", lambda u, s, r: vegeta(u, s, "-rate", f"{r}/1s"),
             lambda u, s: vegeta(u, s, "-rate", 0, "-max-workers", CONNECTIONS)),
        Tool("k6", lambda u, s, r: k6(u, s, f"RATE={r}"), k6),
        # hey's rate is each worker's.
        Tool("hey", lambda u, s, r: ["-q", r / CONNECTIONS, *hey(u, s)], hey),
        Tool("wrk", closed=wrk),
        Tool(STOCK, closed=threads("stock"), program="closed_loop"),
        Tool(BARE, closed=threads("bare"), program="closed_loop"),
    ]
