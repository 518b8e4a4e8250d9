"""What `loadgen discover` must find out about simulated nodes: limiters that the real ones here don't cover, and
servers that limit in odd ways or not at all."""

import dataclasses

from discoveries import (ASKED, ASKED_FOR, ASKED_WINDOW_S, BY_KEY, BY_LOG, COUNTER_BY_CLOCK, EARLY, LATE, NO, RIGHT,
                         UNKNOWN, UNTESTED, YES, Discovery, Limit)
from simulated_nodes import LATE_ANSWERS, simulated

LOG = Limit(BY_LOG, ASKED, ASKED_WINDOW_S)
RIGHT_HEADER = {"Retry-After": RIGHT}


def discovery(name, limiter, words, options=(), *, count=1, asked=ASKED_FOR, headers=RIGHT_HEADER, **more):
    """Has such nodes discovered. `more` has what is true of them."""
    expected = {"limits": (LOG,), "nodes": (YES,) * (count - 1), "headers": headers} | more
    return Discovery(f"simulated-{name}", lambda: simulated(limiter, *options, nodes=count), (),
                     f"{words}; {count} node{'s' if count > 1 else ''}", asked, **expected)


def wrong(name, words, **more):
    """Has nodes of the limiter with this name discovered, which no limiter that loadgen knows behaves like."""
    return discovery(name, name, words, **{"limits": (), **more})


def nothing(name, limiter, words, options=(), **more):
    """Has such nodes discovered, of which no limit can be found."""
    expected = {"limits": (), "keys": UNKNOWN, "connections": UNKNOWN, "headers": {}, **more}
    return discovery(name, limiter, words, options, **expected)


IN_WORDS = f"sliding log, {ASKED} in {ASKED_WINDOW_S} s"
DISCOVERIES = [
    discovery("sliding-counter", "sliding-counter", f"sliding counter by a clock, {ASKED} in {ASKED_WINDOW_S} s",
              limits=(Limit(COUNTER_BY_CLOCK, ASKED, ASKED_WINDOW_S),)),
    discovery("windows-by-key", "windows-by-key",
              f"fixed windows by a clock of each key, {ASKED} in {ASKED_WINDOW_S} s",
              limits=(Limit(BY_KEY, ASKED, ASKED_WINDOW_S),)),
    discovery("counts-blocked", "counts-blocked", f"{IN_WORDS}, blocked requests count",
              limits=(dataclasses.replace(LOG, counts_blocked=True),)),
    discovery("by-address", "by-address", f"{IN_WORDS}, by address", keys=YES),
    discovery("by-connection", "by-connection", f"{IN_WORDS}, of each connection", connections=NO, maybe=True,
              headers=None),
    # Nothing is sent at once that would show it.
    discovery("race", "race", f"{IN_WORDS}, nodes learn of admissions after 20 ms", count=3),
    discovery("late", "sliding-log", f"{IN_WORDS}, admitted answered after 1.2 s", LATE_ANSWERS, maybe=True,
              unsure=True, says=r"^(?!.*\d{3} requests were admitted before)"),
    discovery("slow", "sliding-log", f"{IN_WORDS}, all answered after 0.3 s", ("--slow", "0.3"), unsure=True,
              precision=0.1),
    discovery("retry-after-early", "sliding-log", f"{IN_WORDS}, half the right Retry-After", ("--retry-after", "0.5"),
              headers={"Retry-After": EARLY}),
    discovery("retry-after-late", "sliding-log", f"{IN_WORDS}, twice the right Retry-After", ("--retry-after", "2"),
              headers={"Retry-After": LATE}),
    discovery("failing", "sliding-log", f"{IN_WORDS}, 5 % get 500", ("--failing", "0.05"), maybe=True),
    discovery("403", "sliding-log", f"{IN_WORDS}, blocked with 403", ("--blocked", "403"),
              asked=(*ASKED_FOR, "--blocked", "403")),
    wrong("node-open", f"{IN_WORDS}, the second node admits everything", count=3, nodes=(NO, YES)),
    wrong("failing-open", f"{IN_WORDS}, 1 % of requests admitted uncounted", headers=None),
    wrong("losing-counts", f"{IN_WORDS}, counts lost after 7 s and 9.5 s", headers=None),
    wrong("first-windows-doubled", f"{IN_WORDS}, twice the limit in a key's first window", headers=None),
    wrong("renewed-windows", f"windows of {ASKED} in {ASKED_WINDOW_S} s that each request renews", code=3,
          says=r"stays blocked: .* left alone is admitted again after \d", headers=None),
    nothing("403-unknown", "sliding-log", f"{IN_WORDS}, blocked with 403", ("--blocked", "403"), says="403", code=3),
    nothing("reset", "sliding-log", f"{IN_WORDS}, resets connections at the limit", ("--blocked", "reset"),
            says="reset", code=3),
    nothing("third-of-keys-unlimited", "third-of-keys-unlimited", f"{IN_WORDS}, every third key unlimited",
            says="^No limit up to", code=0),
    nothing("unlimited", "unlimited", "no limit", says="^No limit up to", code=0),
    nothing("unlimited-failing", "unlimited", "no limit, half get 500", ("--failing", "0.5"),
            says=r"^(?!.*\d{3} in a row).*500", code=3),
    nothing("unlimited-slow", "unlimited", "no limit, answered after 0.3 s", ("--slow", "0.3"), says="^No limit up to",
            code=0),
    nothing("blocks-everything", "blocks-everything", "blocks everything",
            says="^Every request was blocked", headers={"Retry-After": UNTESTED}, code=3),
    nothing("hangs", "unlimited", "no answer", ("--slow", "1000"), says="timeout", code=3),
    nothing("daily-quota", "daily-quota", "50 a day", says="^Blocked after 50", code=0, keys=NO, connections=YES,
            headers={"Retry-After": UNTESTED}),
]
