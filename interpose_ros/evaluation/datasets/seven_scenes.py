"""7-Scenes (Shotton et al., CVPR 2013): ``<scene>/seq-01/frame-000000.{color.png,depth.png,pose.txt}``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from interpose_ros.evaluation.datasets.photos import (
    Depth,
    Photo,
    Scene,
    depth_image,
    folders_with,
    pinhole,
    pose_or_none,
)

LOOKED_FOR = "<scene>/seq-01/frame-000000.color.png with .pose.txt beside it"
MILLIMETRES, INVALID = 1000.0, 65535

K_COLOUR = pinhole(525.0, 525.0, 319.5, 239.5)
K_DEPTH = pinhole(585.0, 585.0, 320.0, 240.0)
"""The data set gives the depth camera's and no calibration of the colour camera, for which the Kinect's usual values stand;
nor is depth registered to colour, so that its overlap is approximate."""


def scenes(folder: Path) -> Iterator[Scene]:
    """Every sequence as a video. Poses are ``T_world_camera``."""
    for sequence in folders_with(folder, "frame-000000.color.png"):
        photos = []
        for image in sorted(sequence.glob("frame-*.color.png")):
            beside = str(image).removesuffix(".color.png")
            T_world_camera = pose_or_none(Path(f"{beside}.pose.txt"))
            if T_world_camera is None:
                continue
            depth_file = Path(f"{beside}.depth.png")
            depth = Depth(depth_image(depth_file, MILLIMETRES, INVALID), K_DEPTH) if depth_file.is_file() else None
            photos.append(Photo(image, K_COLOUR, (), T_world_camera, depth))
        yield Scene(f"{sequence.parent.name}/{sequence.name}", photos, is_video=True)
