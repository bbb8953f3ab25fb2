"""Where a run's pairs are worked on, by the name that ``--engine`` takes."""

from __future__ import annotations

import argparse

from interpose_ros.engine.in_process import InProcessEngine
from interpose_ros.engine.protocol import Engine

RAY = "ray"


def engine_name(text: str) -> str:
    """``local``, ``ray`` or ``ray://ADDRESS``, checked while the command line is read.

    Raises:
        argparse.ArgumentTypeError: anything else.
    """
    scheme, sign, address = text.partition("://")
    if text == InProcessEngine.name or (scheme == RAY and (not sign or address)):
        return text
    raise argparse.ArgumentTypeError(
        f"{text!r} is no engine: write local, ray, or ray://HOST:PORT of a running cluster"
    )


def engine_from_name(name: str, workers: int | None) -> Engine:
    """The engine of a name that ``engine_name`` has passed.

    Args:
        name: of the engine.
        workers: how many; None for as many as there is room for.

    Raises:
        EngineError: Ray is not installed, or its cluster is not there; the message says what to do.
    """
    if name == InProcessEngine.name:
        return InProcessEngine()
    from interpose_ros.engine.ray_engine import RayEngine

    return RayEngine(name if "://" in name else None, workers)
