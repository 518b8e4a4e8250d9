"""nginx with `limit_req`, in front of a file.

Each `limit_req` is a token bucket for each value of its key. A full bucket admits burst + 1 requests at once, since
nginx does not count the first of them as part of the burst. A blocked request takes no token from any bucket, even if
only one of several blocked it. The buckets are exact except for two roundings: nginx rounds the rate down to a
thousandth of a request per second (100r/m becomes 1.666/s), and each admitted request may lose a thousandth of a token.

Without `nodelay`, nginx decides on arrival but answers admitted requests at the rate: the nth of a burst is answered
n / rate seconds later. It answers blocked requests at once."""

import collections
import contextlib
import dataclasses
import re
import subprocess

import audits
from audits import ADMITS, BLOCKS, BROKEN, BUCKET, KEPT, NEVER_BROKEN, NEVER_KEPT, WINDOW_S, Audit
from discoveries import BUCKET as BUCKET_KIND
from discoveries import YES, Discovery, Limit
from harness import Check, Need, System, Traffic
from processes import LOOPBACK, folder, free_ports, server
from promises import token_bucket

NEEDS = (Need("nginx", "apt install nginx"),)
# One process, whose death leaves nobody behind.
CONFIGURATION = """\
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  log_format by_key '$http_x_key $status';
  access_log {folder}/access.log by_key;
  {zones}
  limit_req_status {blocked};
  server {{
    listen {address}:{port};
    root {folder};
    location / {{
      {rules}
    }}
  }}
}}
"""
BY_KEY, BY_ADDRESS = "$http_x_key", "$binary_remote_addr"


@dataclasses.dataclass(frozen=True)
class Bucket:
    """One `limit_req`, with a zone of its own.

    capacity: How many requests a full bucket admits at once.
    per_minute: How many tokens it gets in a minute."""

    capacity: int
    per_minute: int
    key: str = BY_KEY
    delays: bool = False

    def zone(self, name):
        return f"limit_req_zone {self.key} zone={name}:10m rate={self.per_minute}r/m;"

    def rule(self, name):
        return f"limit_req zone={name} {self.burst};"

    @property
    def burst(self):
        return f"burst={self.capacity - 1}" + ("" if self.delays else " nodelay")

    @property
    def promise(self):
        return f"token-bucket {self.per_minute}/60s burst {self.capacity}"

    def __str__(self):
        return f"rate={self.per_minute}r/m {self.burst}" + (" by address" if self.key == BY_ADDRESS else "")


@contextlib.contextmanager
def nginx(*buckets, blocked=503):
    """Admits a request if all of the buckets have a token for it."""
    with folder() as at:
        [port] = free_ports(1)
        (at / "index.html").write_text("ok\n")
        named = [(f"bucket{place}", bucket) for place, bucket in enumerate(buckets)]
        (at / "nginx.conf").write_text(CONFIGURATION.format(
            folder=at, address=LOOPBACK, port=port, blocked=blocked,
            zones="\n  ".join(bucket.zone(name) for name, bucket in named),
            rules="\n      ".join(bucket.rule(name) for name, bucket in named)))
        command = ["nginx", "-p", str(at), "-c", str(at / "nginx.conf"), "-e", str(at / "error.log")]
        with server(command, port, at / "output") as process:
            process.answers()

            def counts(_):
                outcomes = {"200": "allowed", str(blocked): "blocked"}
                logged = (line.split(" ") for line in (at / "access.log").read_text().splitlines())
                return collections.Counter((process.url, key, outcomes.get(status, status)) for key, status in logged)

            yield System(version(), [process.url], counts)


def version():
    said = subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr
    return re.search(r"nginx/(\S+)", said)[1]


def check(name, limit, blocked, options):
    traffic = Traffic(keys=5, pieces=((40, 24),))

    def bucket(limit):
        return Bucket(limit, per_minute=limit)

    def promise(limit, lived):
        rate = limit * 1000 // 60 / 1000
        return token_bucket(limit, rate, traffic, lived, lost=traffic.requests / traffic.keys / 1000)

    return Check(name, lambda kept: nginx(bucket(kept), blocked=blocked), NEEDS, f"{bucket(limit)}, {blocked}", limit,
                 traffic, lambda _: options, promise)


CHECKS = [
    check("nginx", 100, 503, ["--preset", "nginx"]),
    check("nginx-429", 30, 429, ["--preset", "nginx", "--blocked", "429"]),
]


def audit(name, buckets, expected, limit, **more):
    """Audits nginx with these buckets. The requests name no limit, so a cluster that keeps a higher limit than it
    claims has buckets with a higher capacity."""

    def system(kept):
        excess = kept - limit
        return nginx(*(dataclasses.replace(bucket, capacity=bucket.capacity + excess) for bucket in buckets))

    return Audit(f"audit-nginx{name}", system, NEEDS, "; ".join(map(str, buckets)), expected,
                 lambda _: ["--preset", "nginx"], probe=False, limit=limit, **more)


# The rates are whole thousandths of a request per second, so that these buckets are exact. Each key sends 12 requests
# per second for 2.5 s, which is more than any of the buckets admits.
AS_CLAIMED = Bucket(audits.LIMIT, per_minute=audits.LIMIT * 60 // WINDOW_S)
BY_ADDRESS_ONLY = dataclasses.replace(AS_CLAIMED, key=BY_ADDRESS)
LARGE_BURST = Bucket(capacity=12, per_minute=120)
# An admitted request waits for up to 5.5 s.
DELAYS = dataclasses.replace(LARGE_BURST, delays=True)
# The first blocks after 0.4 s of a burst, the second from its second second on.
TWO = [Bucket(capacity=3, per_minute=300), Bucket(capacity=8, per_minute=60)]

AUDITS = [
    audit("", [AS_CLAIMED], BUCKET, audits.LIMIT),
    audit("-address", [BY_ADDRESS_ONLY], {promise: NEVER_KEPT for promise in ["auto", "token-bucket"]}, audits.LIMIT),
    # In the first 2.5 s of asking it admits 17, of which no bucket that gains 12 in 6 s would block one.
    audit("-burst", [LARGE_BURST], {
        "auto": [KEPT],
        LARGE_BURST.promise: [KEPT],
        "token-bucket 2/s burst 10": [ADMITS],
        "sliding-window": [ADMITS],
    }, limit=12, window_s=6),
    audit("-delay", [DELAYS], {"auto": NEVER_BROKEN, DELAYS.promise: NEVER_BROKEN}, limit=12, window_s=6),
    audit("-two", TWO, {
        "auto": [BROKEN],
        " and ".join(bucket.promise for bucket in TWO): [KEPT],
        TWO[0].promise: [BLOCKS],
        TWO[1].promise: [BLOCKS],
    }, limit=8, window_s=8),
]


def discovery(name, buckets, options=(), **more):
    """Has nginx with these buckets discovered, the fastest first."""
    limits = tuple(Limit(BUCKET_KIND, bucket.per_minute, 60, burst=bucket.capacity) for bucket in buckets)
    return Discovery(f"nginx-{name}", lambda: nginx(*buckets), NEEDS, "; ".join(map(str, buckets)),
                     ("--preset", "nginx", *options), limits, unsure=True, **more)


FAST, SLOW = Bucket(capacity=21, per_minute=600), Bucket(capacity=6, per_minute=30)
FAST_BY_ADDRESS = dataclasses.replace(FAST, key=BY_ADDRESS)

DISCOVERIES = [
    discovery("fast", [FAST]),
    discovery("slow", [SLOW]),
    discovery("delay", [dataclasses.replace(FAST, delays=True)], delays=True),
    discovery("argument", [dataclasses.replace(FAST, key="$arg_key")], ("--header", "X-Key:", "--path", "/?key={key}")),
    discovery("address", [FAST_BY_ADDRESS], keys=YES),
    discovery("no-key", [FAST_BY_ADDRESS], ("--header", "X-Key:"), keys=YES),
    discovery("two", [Bucket(capacity=3, per_minute=300), Bucket(capacity=8, per_minute=60)], maybe=True),
]
