"""A cluster of limiter nodes in one process: right, or wrong in one known way. POST /check with the key, the limit and
the window, in milliseconds, as JSON gets 200 or 429, and with 429 a Retry-After in whole seconds, unless options ask for
other answers. It prints "listening" as soon as all nodes accept connections.

Example: simulated.py half-window 8001 8002 8003
"""

import argparse
import asyncio
import collections
import dataclasses
import json
import math
import random
import re
import socket
import struct
import time
from collections.abc import Callable

LOOPBACK = "127.0.0.1"


@dataclasses.dataclass(frozen=True)
class Request:
    """One request.

    limit, window: What it asks for, in requests per seconds.
    node: The place of the node that got it.
    address, port: The caller's. Each connection has a port of its own.
    at: When the node got it, in seconds since the epoch."""

    key: str
    limit: int
    window: float
    node: int
    address: str
    port: int
    at: float


# A limiter takes a request and returns the seconds until it would admit one: 0 if it admits this one.
Limiter = Callable[[Request], float]


class SlidingLog:
    """Admits the limit within any window's length.

    unseen_for: The time in seconds for which the other nodes don't know of an admission.
    counts_blocked: Whether blocked requests count, too."""

    def __init__(self, unseen_for=0.0, counts_blocked=False):
        self.unseen_for, self.counts_blocked = unseen_for, counts_blocked
        self.counted = collections.defaultdict(collections.deque)

    def __call__(self, request):
        counted = self.counted[request.key]
        while counted and counted[0].at <= request.at - request.window:
            counted.popleft()
        known = [other for other in counted
                 if other.node == request.node or other.at <= request.at - self.unseen_for]
        admits = len(known) < request.limit
        if admits or self.counts_blocked:
            counted.append(request)
        return 0 if admits else known[-request.limit].at + request.window - request.at


class SlidingCounter:
    """Counts in windows by the clock, and adds to a window's count the previous one's, weighted by the share of the
    previous window that is less than a window ago."""

    def __init__(self):
        self.counts = collections.Counter()

    def __call__(self, request):
        place, elapsed = divmod(request.at, request.window)
        previous, present = self.counts[request.key, place - 1], self.counts[request.key, place]
        if previous * (1 - elapsed / request.window) + present + 1 <= request.limit:
            self.counts[request.key, place] += 1
            return 0
        # The limit itself becomes limit - 1 when 1 / limit of the next window has passed.
        if present == request.limit:
            return request.window * (1 + 1 / request.limit) - elapsed
        return request.window * (1 - (request.limit - present - 1) / previous) - elapsed


class FixedWindows:
    """Admits the limit in each of a key's windows, which follow each other by a clock of the key's own."""

    def __init__(self):
        self.counts = collections.Counter()

    def __call__(self, request):
        phase = random.Random(request.key).random()
        place, elapsed = divmod(request.at + phase * request.window, request.window)
        if self.counts[request.key, place] == request.limit:
            return request.window - elapsed
        self.counts[request.key, place] += 1
        return 0


class RenewedWindows:
    """Admits the limit until a key was not asked for a window: each request renews the window's time."""

    def __init__(self):
        self.windows = {}

    def __call__(self, request):
        count, until = self.windows.get(request.key, (0, 0))
        if request.at >= until:
            count = 0
        admits = count < request.limit
        self.windows[request.key] = (count + admits, request.at + request.window)
        return 0 if admits else request.window


def asked_differently(**changes):
    """A sliding log that gets a request with these fields changed, each by a function of the request."""
    log = SlidingLog()
    return lambda request: log(dataclasses.replace(request, **{name: to(request) for name, to in changes.items()}))


def off_by_one():
    return asked_differently(limit=lambda request: request.limit + 1)


def half_window():
    return asked_differently(window=lambda request: request.window / 2)


def by_address():
    return asked_differently(key=lambda request: request.address)


def by_connection():
    return asked_differently(key=lambda request: (request.key, request.port))


def nodes_alone():
    return asked_differently(key=lambda request: (request.key, request.node))


def triple_limit():
    return asked_differently(limit=lambda request: 3 * request.limit)


def first_windows_doubled():
    """Admits twice the limit within a key's first window."""
    first = {}

    def limit(request):
        opened = first.setdefault(request.key, request.at)
        return request.limit * (2 if request.at < opened + request.window else 1)

    return asked_differently(limit=limit)


def failing_open(share=0.01):
    """Admits a request in a hundred without counting it."""
    log, chance = SlidingLog(), random.Random(1)
    return lambda request: 0 if chance.random() < share else log(request)


def unlimited_keys(one_in):
    """Has no limit for one key in so many, beginning with the first new one."""
    log, places = SlidingLog(), {}
    return lambda request: 0 if places.setdefault(request.key, len(places)) % one_in == 0 else log(request)


def node_open(node=1):
    """One node admits everything."""
    log = SlidingLog()
    return lambda request: 0 if request.node == node else log(request)


def open_for_a_while(after=10.0, seconds=5.0):
    """Admits everything from so many seconds after the first request on, for so many seconds."""
    log, first = SlidingLog(), []

    def limiter(request):
        if not first:
            first.append(request.at)
        return 0 if after <= request.at - first[0] < after + seconds else log(request)

    return limiter


def losing_counts(after=(7.0, 9.5)):
    """Forgets all counts, each time so many seconds after the first request."""
    logs, first = [SlidingLog() for _ in range(len(after) + 1)], []

    def limiter(request):
        if not first:
            first.append(request.at)
        losses = sum(request.at - first[0] >= loss for loss in after)
        return logs[losses](request)

    return limiter


def daily_quota():
    return asked_differently(limit=lambda request: 50, window=lambda request: 86_400.0)


def unlimited():
    return lambda request: 0


def blocks_everything():
    return lambda request: request.window


LIMITERS: dict[str, Callable[[], Limiter]] = {
    "sliding-log": SlidingLog,
    "sliding-counter": SlidingCounter,
    "nodes-alone": nodes_alone,
    "off-by-one": off_by_one,
    "half-window": half_window,
    "failing-open": failing_open,
    "first-windows-doubled": first_windows_doubled,
    "race": lambda: SlidingLog(unseen_for=0.02),
    "counts-blocked": lambda: SlidingLog(counts_blocked=True),
    "by-address": by_address,
    "by-connection": by_connection,
    "triple-limit": triple_limit,
    "windows-by-key": FixedWindows,
    "renewed-windows": RenewedWindows,
    "node-open": node_open,
    "open-for-a-while": open_for_a_while,
    "losing-counts": losing_counts,
    "blocks-everything": blocks_everything,
    "unlimited": unlimited,
    "daily-quota": daily_quota,
    "third-of-keys-unlimited": lambda: unlimited_keys(one_in=3),
    "tenth-of-keys-unlimited": lambda: unlimited_keys(one_in=10),
}


RESET = "reset"
REASONS = {"429": "Too Many Requests", "403": "Forbidden"}


@dataclasses.dataclass(frozen=True)
class Answers:
    """How requests are answered.

    slow: Everything so many seconds late.
    delay: Admitted requests so many seconds later than that.
    blocked: The status of blocked requests, or `reset`, which resets the connection instead.
    retry_after: The number by which the right Retry-After is multiplied.
    failing: The share of requests that get 500, at random."""

    slow: float
    delay: float
    blocked: str
    retry_after: float
    failing: float

    async def answer(self, wait, writer):
        """Answers a request that would be admitted after `wait` seconds."""
        await asyncio.sleep(self.slow + (0 if wait else self.delay))
        if wait and self.blocked == RESET:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return writer.transport.abort()
        status, headers = "200 OK", ""
        if random.random() < self.failing:
            status = "500 Internal Server Error"
        elif wait:
            status = f"{self.blocked} {REASONS[self.blocked]}"
            headers = f"Retry-After: {math.ceil(wait * self.retry_after)}\r\n"
        writer.write(f"HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\n\r\n".encode())
        await writer.drain()


async def serve_connection(limiter, answers, node, reader, writer):
    address, port = writer.get_extra_info("peername")
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)[1])
            asked = json.loads(await reader.readexactly(length))
            wait = limiter(Request(asked["key"], asked["limit"], asked["window_ms"] / 1000, node, address, port,
                                   time.time()))
            await answers.answer(wait, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve(limiter, answers, ports):
    def node(place):
        return lambda reader, writer: serve_connection(limiter, answers, place, reader, writer)

    servers = [await asyncio.start_server(node(place), LOOPBACK, port) for place, port in enumerate(ports)]
    print("listening", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("limiter", choices=LIMITERS)
    parser.add_argument("--slow", metavar="S", type=float, default=0, help="answer everything so many seconds late")
    parser.add_argument("--delay", metavar="S", type=float, default=0,
                        help="decide on arrival, but answer admitted requests so many seconds later")
    parser.add_argument("--blocked", choices=[*REASONS, RESET], default="429",
                        help="answer blocked requests with this status, or reset their connections")
    parser.add_argument("--retry-after", metavar="FACTOR", type=float, default=1,
                        help="multiply the right Retry-After by this")
    parser.add_argument("--failing", metavar="SHARE", type=float, default=0,
                        help="answer this share of requests with 500, at random")
    parser.add_argument("ports", metavar="PORT", nargs="+", type=int, help="one for each node")
    options = parser.parse_args()
    answers = Answers(options.slow, options.delay, options.blocked, options.retry_after, options.failing)
    asyncio.run(serve(LIMITERS[options.limiter](), answers, options.ports))


if __name__ == "__main__":
    main()
