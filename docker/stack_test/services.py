"""What the nodes and Prometheus answer."""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException

from .holding import Broken, holds
from .stack import PORTS

DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(url, data=None, timeout=5, accept="*/*"):
    """The answer's status and body, whatever the status; no proxy of the environment is asked."""
    body = json.dumps(data).encode() if data is not None else None
    request = urllib.request.Request(url, body, {"content-type": "application/json", "accept": accept})
    try:
        with DIRECTLY.open(request, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read().decode()
    except (OSError, HTTPException) as failure:
        raise Broken(f"no answer from {url}: {failure!r}") from failure


def mark(stack, name):
    """Marks this moment of the run, which the summary then says what it did."""
    status, body = ask(f"http://{stack.address('loadgen')}:9100/marks", {"name": name})
    holds(status == 201, f"the mark '{name}' was answered {status}: {body}")


def node(name, path):
    return f"http://127.0.0.1:{PORTS[name]}{path}"


def target(name):
    return f"http://{name}:8000"


def check(name, key="e2e", timeout=5):
    return ask(node(name, "/check"), {"key": key, "limit": 1_000_000, "window_ms": 60_000}, timeout)


def checks_counted_by(name):
    status, text = ask(node(name, "/metrics"))
    holds(status == 200, f"{name}'s /metrics answered {status}")
    return sum(float(value) for value in
               re.findall(r"^ratelimiter_requests_checked_total\{.*\} (\S+)", text, re.MULTILINE))


def prometheus(path, **parameters):
    query = urllib.parse.urlencode(parameters)
    status, text = ask(f"http://127.0.0.1:{PORTS['prometheus']}/api/v1/{path}?{query}", timeout=10)
    holds(status == 200, f"Prometheus answered {status} to {path}?{query}: {text}")
    return json.loads(text)["data"]


def series(expression, *labels, **parameters):
    """The expression's values now, or at the parameter `time`, by the values of these labels."""
    found = prometheus("query", query=expression, **parameters)["result"]
    values = {tuple(s["metric"].get(label, "") for label in labels): float(s["value"][1]) for s in found}
    return values if len(labels) > 1 else {label: value for (label,), value in values.items()}


def values_between(expression, start, end, step=1):
    """All values of the expression's series between two instants in Unix time, a list for each series."""
    found = prometheus("query_range", query=expression, start=start, end=end, step=step)["result"]
    return [[float(value) for _, value in each["values"]] for each in found]


def alerts():
    """The alerts that are pending or firing, each with the values of its labels."""
    return [alert["labels"] for alert in prometheus("alerts")["alerts"]]


def failures():
    """How many of the generator's requests failed, by target and kind, as far as Prometheus knows."""
    counts = series("sum by (target, kind) (loadgen_request_failures_total)", "target", "kind")
    return {labels: count for labels, count in counts.items() if count}


def since(before, now):
    """What was added to counters since."""
    added = {labels: count - before.get(labels, 0) for labels, count in now.items()}
    return {labels: count for labels, count in added.items() if count}
