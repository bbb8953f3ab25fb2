"""Whether the diffusers that is installed will do."""

from __future__ import annotations

import importlib.metadata
import re

from interpose_ros.interpolation.diffusion.errors import VideoCheckpointError

LEAST_DIFFUSERS = (0, 40)
PACKAGES = "video models need diffusers, transformers, accelerate and ftfy: pip install 'interpose-ros[video]'"


def require_diffusers() -> None:
    """Refuse to go on without diffusers, or with one that is too old.

    Before 0.39, LTX-2 froze the last eight frames; 0.40 is the first whose pipelines take what is given here.

    Raises:
        VideoCheckpointError: says what is there and what would be right.
    """
    try:
        found = importlib.metadata.version("diffusers")
    except importlib.metadata.PackageNotFoundError as error:
        raise VideoCheckpointError(f"diffusers is not installed; {PACKAGES}") from error
    if tuple(int(number) for number in re.findall(r"\d+", found)[:2]) < LEAST_DIFFUSERS:
        least = ".".join(map(str, LEAST_DIFFUSERS))
        raise VideoCheckpointError(f"diffusers {found} is installed, and {least} or later is needed; {PACKAGES}")
