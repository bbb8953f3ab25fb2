"""KITTI odometry (Geiger et al., CVPR 2012): ``sequences/00/{image_2,calib.txt}`` and ``poses/00.txt``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from interpose_ros.evaluation.datasets.photos import DatasetError, Photo, Scene, folders_with, matrix_of
from interpose_ros.geometry.se3 import inverse, transform_from_rotation_translation

LOOKED_FOR = "sequences/00/image_2 (or image_0) with calib.txt, and poses/00.txt beside sequences"


def scenes(folder: Path) -> Iterator[Scene]:
    """Every sequence with poses, colour images where they are there.

    Poses are ``T_world_camera0`` of the left grey camera; the projection matrix of a rectified camera says how far it sits
    beside that one.

    Raises:
        DatasetError: a file is damaged.
    """
    for sequence in folders_with(folder, "calib.txt"):
        poses_file = sequence.parent.parent / "poses" / f"{sequence.name}.txt"
        camera = next((name for name in ("image_2", "image_0") if (sequence / name).is_dir()), None)
        if camera is None or not poses_file.is_file():
            continue
        P = _projection(sequence / "calib.txt", f"P{camera[-1]}")
        K = P[:, :3]
        T_camera_camera0 = transform_from_rotation_translation(np.eye(3), np.linalg.solve(K, P[:, 3]))
        T_camera0_camera = inverse(T_camera_camera0)
        rows = len(poses_file.read_text(encoding="utf-8").splitlines())
        poses = matrix_of(poses_file, rows, 12).reshape(-1, 3, 4)
        photos = []
        for image in sorted((sequence / camera).glob("*.png")):
            number = int(image.stem)
            if number >= rows:
                raise DatasetError(f"{poses_file} has {rows} poses and none for {image.name}")
            T_world_camera0 = np.vstack([poses[number], [0.0, 0.0, 0.0, 1.0]])
            photos.append(Photo(image, K, (), T_world_camera0 @ T_camera0_camera))
        yield Scene(sequence.name, photos, is_video=True)


def _projection(path: Path, name: str) -> np.ndarray:
    for line in path.read_text(encoding="utf-8").splitlines():
        key, _, numbers = line.partition(":")
        if key == name:
            return np.array(numbers.split(), dtype=np.float64).reshape(3, 4)
    raise DatasetError(f"{path} has no {name}")
