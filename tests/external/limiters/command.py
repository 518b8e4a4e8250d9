"""What the scripts share as commands: their options, how they end, and what they refuse."""

import argparse
import shutil
import signal
import sys
from pathlib import Path

from places import TARGET
from processes import Broken, Failed


class Refused(Exception):
    """An option is wrong, or a limiter or a tool is not installed."""


def parser(description):
    """Has the option that all scripts have."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    binaries = [TARGET / profile / "loadgen" for profile in ("release", "debug")]
    made.add_argument("--loadgen", metavar="PATH", type=Path, help="the program under test (default: %(default)s)",
                      default=next(filter(Path.exists, binaries), binaries[0]))
    return made


def add_choice(to):
    """The options to choose by name."""
    to.add_argument("--only", metavar="NAME,…", default="", help="only these")
    to.add_argument("--list", action="store_true", help="print the names")


def chosen(only, known):
    names = [name for name in only.split(",") if name]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Refused(f"--only: there is no '{unknown[0]}', but {', '.join(known)}")
    return [known[name] for name in names] or list(known.values())


def refuse_what_is_missing(checks, loadgen):
    if not shutil.which(loadgen):
        raise Refused(f"--loadgen: {loadgen} is no program: cargo build --release")
    needs = dict.fromkeys(need for check in checks for need in check.needs)
    missing = [need for need in needs if not shutil.which(need.program)]
    if missing:
        raise Refused("\n  ".join(["not installed:", *(f"{need.program}: {need.install}" for need in missing)]))


def end_with(name, work):
    """Exits with 0 if the work returns true, with 1 if it does not or fails, and with 2 if it is refused. A signal ends what
    was started, too."""
    for ending in signal.SIGTERM, signal.SIGHUP:
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    try:
        sys.exit(0 if work() else 1)
    except Refused as reason:
        print(f"{name}: {reason}", file=sys.stderr)
        sys.exit(2)
    except (Broken, Failed, OSError) as failure:
        print(f"{name}: {failure}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
