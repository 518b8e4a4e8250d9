"""nginx with limit_req, in front of a file.

It is a bucket of burst + 1 for each key, and exact, but for two roundings: its rate is a whole number of thousandths of
a request a second (100r/m is 1.666/s), and each admitted request may lose a thousandth of a request. What is blocked
takes nothing."""

import collections
import contextlib
import functools
import re
import subprocess

from audits import BUCKET, LIMIT, WINDOW_S, Audit
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
  limit_req_zone $http_x_key zone=keys:10m rate={per_minute}r/m;
  limit_req_status {blocked};
  server {{
    listen {address}:{port};
    root {folder};
    location / {{
      limit_req zone=keys burst={burst} nodelay;
    }}
  }}
}}
"""


@contextlib.contextmanager
def nginx(limit, window_s=60, blocked=503):
    """That many of each key at once, and as many a window."""
    with folder() as at:
        [port] = free_ports(1)
        (at / "index.html").write_text("ok\n")
        (at / "nginx.conf").write_text(CONFIGURATION.format(
            folder=at, address=LOOPBACK, port=port, per_minute=limit * 60 // window_s, burst=limit - 1,
            blocked=blocked))
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

    def promise(limit, lived):
        rate = limit * 1000 // 60 / 1000
        return token_bucket(limit, rate, traffic, lived, lost=traffic.requests / traffic.keys / 1000)

    return Check(name, functools.partial(nginx, blocked=blocked), NEEDS,
                 f"rate={limit}r/m burst={limit - 1} nodelay, {blocked}", limit, traffic, lambda _: options, promise)


CHECKS = [
    check("nginx", 100, 503, ["--preset", "nginx"]),
    check("nginx-429", 30, 429, ["--preset", "nginx", "--blocked", "429"]),
]

# Its rate is exact, also with a limit of one more or less.
AUDITS = [
    Audit("audit-nginx", functools.partial(nginx, window_s=WINDOW_S), NEEDS,
          f"rate={LIMIT * 60 // WINDOW_S}r/m burst={LIMIT - 1} nodelay", BUCKET, lambda _: ["--preset", "nginx"],
          probe=False),
]
