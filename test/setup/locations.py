"""Where the tests of the set-up find things, and an environment with nothing of the calling shell in it."""

import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = sys.executable


def bare_environment(**extra: str) -> dict[str, str]:
    """Variables of a process that sourced nothing and has a home that takes no files, plus extra ones."""
    return {"PATH": os.defpath, "HOME": "/dev/null", **extra}
