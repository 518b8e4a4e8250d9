"""HAProxy with a stick table that counts each key's requests, and a rule that denies over a limit.

http_req_rate(P) is an estimate of the last P's requests, out of two counters: of the present period, and of the one
before it, by the share of it that is still within P. Periods follow one another from the key's first request on, and
begin anew with the first request after two of them have passed. What is denied is counted as well, the request that is
decided on included. Hence, for a key that asks for more than the limit in each period:

- In its first period there is nothing before it, so the estimate is the count, and exactly the limit is admitted.
- From then on the estimate stays what it asks for in a period, give or take two requests in each of the two by which
  rounds shift its share: over the limit. Nothing is admitted, until the key asks for less. This limiter does not let
  through a rate, but shuts out who exceeds it.
- Once a key has been silent for two periods it begins like a new one.

So in each of two bouts of at least a period, two periods and more apart, exactly the limit is admitted, however long
they are."""

import collections
import contextlib
import re
import subprocess

from discoveries import COUNTER_BY_KEY, YES, Discovery, Limit
from harness import Check, Need, Promise, System, Traffic
from processes import LOOPBACK, folder, free_ports, server

NEEDS = (Need("haproxy", "apt install haproxy"),)
PERIOD_S = 3
CONFIGURATION = """\
global
  nbthread 1
  log stdout format raw local0
defaults
  mode http
  timeout client 30s
  option dontlognull
frontend limited
  bind {address}:{port}
  log global
  log-format "%[var(txn.key)] %ST"
  stick-table type string len 64 size 10k expire 1m store http_req_rate({period}s)
  http-request set-var(txn.key) req.hdr(X-Key)
  http-request track-sc0 {key}
  http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt {limit} }}
  http-request return status 200 content-type text/plain string ok
"""
BY_KEY, BY_ADDRESS = "req.hdr(X-Key)", "src"


@contextlib.contextmanager
def haproxy(limit, key=BY_KEY):
    """Denies a key with 429 while it asks for more than that in a period."""
    with folder() as at:
        [port] = free_ports(1)
        (at / "haproxy.cfg").write_text(CONFIGURATION.format(
            address=LOOPBACK, port=port, period=PERIOD_S, limit=limit, key=key))
        with server(["haproxy", "-db", "-f", str(at / "haproxy.cfg")], port, at / "output") as process:
            process.answers()

            def counts(_):
                outcomes = {"200": "allowed", "429": "blocked"}
                logged = re.findall(r"^(\S+) (\d+)$", (at / "output").read_text(), re.MULTILINE)
                return collections.Counter((process.url, key, outcomes.get(status, status)) for key, status in logged)

            yield System(version(), [process.url], counts)


def version():
    said = subprocess.run(["haproxy", "-v"], capture_output=True, text=True).stdout
    return re.search(r"version (\S+)", said)[1]


LIMIT = 15
# Two bouts in which each key asks for 24 in a period: that it is over the limit bears a delay of half a second too.
TRAFFIC = Traffic(keys=4, pieces=((32, 8), (0, 3 * PERIOD_S - 1), (32, 8)))

CHECKS = [
    Check("haproxy", haproxy, NEEDS, f"deny 429 if http_req_rate({PERIOD_S}s) > {LIMIT}", LIMIT, TRAFFIC,
          lambda _: ["--preset", "kong"], lambda limit, _: Promise(2 * limit, 2 * limit)),
]

COUNTER = Limit(COUNTER_BY_KEY, LIMIT, PERIOD_S, counts_blocked=True)

DISCOVERIES = [
    Discovery("haproxy", lambda: haproxy(LIMIT), NEEDS, f"deny 429 if http_req_rate({PERIOD_S}s) > {LIMIT}",
              ("--preset", "kong"), (COUNTER,), maybe=True),
    Discovery("haproxy-src", lambda: haproxy(LIMIT, BY_ADDRESS), NEEDS,
              f"deny 429 if http_req_rate({PERIOD_S}s) > {LIMIT}, by src", ("--preset", "kong"), (COUNTER,), maybe=True, keys=YES),
]
