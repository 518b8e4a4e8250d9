"""The server of every node: a pool of threads that counts the answers by key, and reports the counts at /counts."""

import collections
import socket
import threading

import flask
import waitress

LOOPBACK = "127.0.0.1"


def serve(app, key, port, share_port=False):
    """Answers on the port until the process is ended; `key` gives the key of the present request.

    share_port: Let other processes listen on the same port, and print "listening" as soon as this one does."""
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

    if share_port:
        waitress.serve(app, sockets=[listener_beside_others(port)], threads=8)
    else:
        waitress.serve(app, listen=f"{LOOPBACK}:{port}", threads=8)


def listener_beside_others(port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((LOOPBACK, int(port)))
    listener.listen()
    print("listening", flush=True)
    return listener
