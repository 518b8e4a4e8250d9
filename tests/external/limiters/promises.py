"""The admissions of each key that an algorithm promises, in a run that asks for more of each key than it may have.

`lived` is the time that loadgen's process lived, in seconds. No two requests are further apart, so what is admitted at
most needs no margin. What is admitted at least is counted from the schedule, which may be late by LATE_S."""

import math

from harness import LATE_S, Promise


def token_bucket(capacity, rate, traffic, lived, lost=0):
    """The promise of a bucket that is full at the key's first request, and gets `rate` tokens a second.

    n admitted within t seconds took n tokens, so n <= capacity + rate × t. A request that is blocked found less than
    one token in the bucket, and a bucket that is never full again wastes none: n > capacity - 1 + rate × t, where t is
    from the key's first request to that one. The last request of a key is less than two rounds short of the whole
    schedule, or, if it is admitted, comes on top of one that is blocked. `lost` is what the limiter's arithmetic may
    round away in all."""
    at_least = capacity - 1 + rate * (traffic.seconds - 2 * traffic.round - LATE_S) - lost
    return Promise(math.floor(at_least) + 1, math.floor(capacity + rate * lived))


def fixed_window(limit, window, traffic, lived):
    """The promise of windows that begin with the first request after the last one's end.

    Each admits the limit, and they begin at least a window apart. A window begins less than two rounds after the last
    one's end, and has admitted the limit after as many rounds and one more."""
    spare = traffic.seconds - LATE_S - (limit + 2) * traffic.round
    full = math.floor(spare / (window + 2 * traffic.round)) + 1
    return Promise(full * limit, (math.floor(lived / window) + 1) * limit)
