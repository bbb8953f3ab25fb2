"""Which family a checkpoint belongs to: told by its transformer, not by its name."""

from __future__ import annotations

from interpose_ros.interpolation.diffusion.checkpoint import VideoCheckpoint
from interpose_ros.interpolation.diffusion.errors import VideoCheckpointError
from interpose_ros.interpolation.diffusion.family import VideoFamily
from interpose_ros.interpolation.diffusion.framepack import FramepackFamily
from interpose_ros.interpolation.diffusion.ltx import LtxFamily
from interpose_ros.interpolation.diffusion.ltx2 import Ltx2Family
from interpose_ros.interpolation.diffusion.skyreels import SkyreelsFamily
from interpose_ros.interpolation.diffusion.wan import WanFamily
from interpose_ros.interpolation.diffusion.wan_vace import WanVaceFamily

FAMILIES: tuple[VideoFamily, ...] = (
    WanFamily(),
    WanVaceFamily(),
    LtxFamily(),
    Ltx2Family(),
    FramepackFamily(),
    SkyreelsFamily(),
)


def family_of(checkpoint: VideoCheckpoint) -> VideoFamily:
    """The family that runs a checkpoint.

    Raises:
        VideoCheckpointError: none does; the message says which do.
    """
    transformer = checkpoint.components["transformer"]
    class_name = str(transformer.config.get("_class_name") or transformer.class_name)
    for family in FAMILIES:
        if class_name in family.transformers:
            return family
    known = ", ".join(name for family in FAMILIES for name in family.transformers)
    raise VideoCheckpointError(
        f"{checkpoint.folder} ({checkpoint.pipeline}) has a {class_name}, which takes no last frame or is not known here; "
        f"usable are {known}"
    )
