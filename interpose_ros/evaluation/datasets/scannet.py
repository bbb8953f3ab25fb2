"""ScanNet (Dai et al., CVPR 2017), as its SensReader exports: ``<scene>/{color,depth,pose,intrinsic}``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from interpose_ros.evaluation.datasets.photos import (
    Depth,
    Photo,
    Scene,
    depth_image,
    folders_with,
    matrix_of,
    pose_or_none,
)

LOOKED_FOR = "<scene>/color/0.jpg, pose/0.txt and intrinsic/intrinsic_color.txt, as SensReader exports them"
MILLIMETRES = 1000.0


def scenes(folder: Path) -> Iterator[Scene]:
    """The scenes in a folder, or of a folder that is one. Poses are ``T_world_camera``; lost ones are left out."""
    for scene in folders_with(folder, "intrinsic/intrinsic_color.txt"):
        root = scene.parent
        K = matrix_of(root / "intrinsic/intrinsic_color.txt")[:3, :3]
        depth_intrinsics = root / "intrinsic/intrinsic_depth.txt"
        K_depth = matrix_of(depth_intrinsics)[:3, :3] if depth_intrinsics.is_file() else None
        photos = []
        for image in sorted((root / "color").glob("*.jpg"), key=lambda path: int(path.stem)):
            pose_file = root / "pose" / f"{image.stem}.txt"
            T_world_camera = pose_or_none(pose_file) if pose_file.is_file() else None
            if T_world_camera is None:
                continue
            depth_file = root / "depth" / f"{image.stem}.png"
            depth = None
            if K_depth is not None and depth_file.is_file():
                depth = Depth(depth_image(depth_file, MILLIMETRES), K_depth)
            photos.append(Photo(image, K, (), T_world_camera, depth))
        yield Scene(root.name, photos, is_video=True)
