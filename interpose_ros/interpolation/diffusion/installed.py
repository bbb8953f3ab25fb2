"""Which diffusers is installed."""

from __future__ import annotations

import importlib.metadata
import re


def diffusers_version() -> tuple[int, int] | None:
    """The first two numbers of its version; None where it is not installed."""
    try:
        numbers = re.findall(r"\d+", importlib.metadata.version("diffusers"))
    except importlib.metadata.PackageNotFoundError:
        return None
    return int(numbers[0]), int(numbers[1])
