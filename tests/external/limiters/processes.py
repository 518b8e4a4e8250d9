"""Servers of a test's own, on loopback ports, that are gone when the test is over: at the end of a `with` block, after
a failure and a signal too, and, should this process be killed, by the kernel. Linux only."""

import contextlib
import ctypes
import random
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

LOOPBACK = "127.0.0.1"
# Below the ports that systems give to outgoing connections: none of those is in the way, and nobody who tries whether
# a server answers yet can be connected to itself.
PORTS = range(20_000, 32_000)
PATIENCE_S = 20
PR_SET_PDEATHSIG = 1


class Broken(Exception):
    """A claim that does not hold."""


class Failed(Exception):
    """The subject of a claim is missing, so that the claim can't be checked."""


def holds(condition, otherwise):
    if not condition:
        raise Broken(otherwise)


def eventually(claim, within):
    """Tries the claim until it holds, for so many seconds; returns what it returns."""
    deadline = time.monotonic() + within
    while True:
        try:
            return claim()
        except Broken:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def is_free(port):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_ports(count):
    candidates = random.sample(PORTS, len(PORTS))
    found = [port for port, _ in zip(filter(is_free, candidates), range(count))]
    holds(len(found) == count, f"fewer than {count} ports of {PORTS} are free")
    return found


@contextlib.contextmanager
def folder():
    """For a limiter's configuration and what it writes."""
    with tempfile.TemporaryDirectory(prefix="loadgen-limiter-") as path:
        yield Path(path)


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@contextlib.contextmanager
def server(command, port, log):
    """Runs the command, which is to listen on the port and not to fork; what it prints goes to the file `log`."""
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                   preexec_fn=die_with_parent)
    try:
        yield Server(process, port, log)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def url(port):
    return f"http://{LOOPBACK}:{port}"


class Server:
    """A process that is to listen on a port."""

    def __init__(self, process, port, log):
        self.process, self.port, self.log = process, port, log
        self.url = url(port)

    def answers(self):
        """Waits until it accepts connections."""
        eventually(self.accepts, PATIENCE_S)

    def prints(self, text):
        """Waits until it has printed the text."""
        eventually(lambda: self.has_printed(text), PATIENCE_S)

    @property
    def name(self):
        return Path(self.process.args[0]).name

    def runs(self):
        if self.process.poll() is not None:
            raise Failed(f"{self.name} ended with {self.process.returncode}:\n{self.log.read_text()}")

    def accepts(self):
        self.runs()
        try:
            socket.create_connection((LOOPBACK, self.port), timeout=1).close()
        except OSError as error:
            raise Broken(f"{self.name} does not answer on port {self.port} ({error}):\n{self.log.read_text()}") from error

    def has_printed(self, text):
        self.runs()
        holds(text in self.log.read_text(), f"{self.name} has not printed '{text}'")
