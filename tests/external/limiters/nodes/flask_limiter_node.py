"""A service whose every route Flask-Limiter limits by the header X-Key, as its documentation shows.

Usage: flask_limiter_node.py LIMIT STORAGE PORT, such as '100 per minute' redis://127.0.0.1:6379 8000
"""

import sys

import flask
from flask_limiter import Limiter

from counted import serve

limit, storage, port = sys.argv[1:]
app = flask.Flask(__name__)


def key():
    return flask.request.headers["X-Key"]


limiter = Limiter(key, app=app, storage_uri=storage, strategy="fixed-window")


@app.get("/")
@limiter.limit(limit)
def index():
    return "ok\n"


serve(app, key, port)
