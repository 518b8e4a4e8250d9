"""A node of a rate-limiter cluster, as a Flask application that decides with the library `limits` and answers 200 or
429 to POST /check with the key, the limit and the window, in milliseconds, as JSON.

Example: limits_node.py moving-window redis://127.0.0.1:6379 8000
"""

import argparse

import flask
import limits
from limits.storage import storage_from_string
from limits.strategies import STRATEGIES

from counted import serve

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("strategy", choices=STRATEGIES)
parser.add_argument("storage", help="such as redis://127.0.0.1:6379 or memory://")
parser.add_argument("port", type=int)
parser.add_argument("--share-port", action="store_true", help="let other processes listen on the same port")
options = parser.parse_args()
limiter = STRATEGIES[options.strategy](storage_from_string(options.storage))
app = flask.Flask(__name__)


def key():
    return flask.request.get_json()["key"]


@app.post("/check")
def check():
    asked = flask.request.get_json()
    item = limits.RateLimitItemPerSecond(asked["limit"], asked["window_ms"] // 1000)
    allowed = limiter.hit(item, key())
    return {"allowed": allowed}, 200 if allowed else 429


serve(app, key, options.port, options.share_port)
