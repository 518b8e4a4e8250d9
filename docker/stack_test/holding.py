"""Claims that hold or not, and the commands that they look at."""

import subprocess
import time


class Broken(Exception):
    """A claim that does not hold."""


class Refused(Exception):
    """Something that this test needs is in use."""


class NothingChecked(Exception):
    """There is nothing here to check with."""


def holds(condition, otherwise):
    if not condition:
        raise Broken(otherwise)


def eventually(claim, within):
    """Tries the claim every half second, for so many seconds; returns what it returns."""
    deadline = time.monotonic() + within
    while True:
        try:
            return claim()
        except Broken as failure:
            if time.monotonic() > deadline:
                raise Broken(f"{failure} (still, after {within} s)") from failure
        time.sleep(0.5)


def run(*command, timeout=60, env=None, code=0, given=None):
    """What the command prints, with this text as its input. A failure, which is to exit with another code, shows what it
    complained about."""
    stdin = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
    done = subprocess.run(command, env=env, timeout=timeout, text=True, capture_output=True, **stdin)
    holds(done.returncode == code,
          f"`{' '.join(command)}` exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
