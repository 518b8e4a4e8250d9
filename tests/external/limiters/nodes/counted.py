"""What every node has: it counts its answers by key, tells them at /counts, and is served by a pool of threads."""

import collections
import threading

import flask
import waitress


def serve(app, key, port):
    """Answers on the port until the process is ended; `key` tells the one of the present request."""
    answered, lock = collections.Counter(), threading.Lock()

    @app.after_request
    def count(response):
        if flask.request.path != "/counts":
            with lock:
                answered[key(), response.status_code] += 1
        return response

    @app.get("/counts")
    def counts():
        with lock:
            return [[*of, n] for of, n in answered.items()]

    waitress.serve(app, listen=f"127.0.0.1:{port}", threads=8)
