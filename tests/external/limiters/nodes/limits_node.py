"""A node of a rate-limiter cluster, as a Flask application that decides with the library `limits` and answers 200 or
429 to POST /check with the key, the limit and the window, in milliseconds, as JSON.

Usage: limits_node.py STRATEGY STORAGE PORT, such as moving-window redis://127.0.0.1:6379 8000
"""

import sys

import flask
import limits
from limits.storage import storage_from_string
from limits.strategies import STRATEGIES

from counted import serve

strategy, storage, port = sys.argv[1:]
limiter = STRATEGIES[strategy](storage_from_string(storage))
app = flask.Flask(__name__)


def key():
    return flask.request.get_json()["key"]


@app.post("/check")
def check():
    asked = flask.request.get_json()
    item = limits.RateLimitItemPerSecond(asked["limit"], asked["window_ms"] // 1000)
    allowed = limiter.hit(item, key())
    return {"allowed": allowed}, 200 if allowed else 429


serve(app, key, port)
