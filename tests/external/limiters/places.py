"""The places of programs that are built or installed here rather than by the system."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
# `.ci/run` installs them, or you do when an error says how.
INSTALLED = TARGET / "limiters"
PYTHON = INSTALLED / "venv" / "bin" / "python"
REQUIREMENTS = ROOT / "tests" / "external" / "limiters" / "requirements.txt"
