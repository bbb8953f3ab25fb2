"""TUM RGB-D (Sturm et al., IROS 2012): ``<sequence>/{rgb.txt,depth.txt,groundtruth.txt}``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from interpose_ros.evaluation.datasets.photos import (
    DatasetError,
    Depth,
    Photo,
    Scene,
    depth_image,
    folders_with,
    pinhole,
)
from interpose_ros.evaluation.trajectory import read_tum_trajectory, stamp_ns_from_text

LOOKED_FOR = "<sequence>/rgb.txt and groundtruth.txt"
UNITS_PER_METRE = 5000.0
DEPTH_TOLERANCE_NS = 20_000_000

CAMERAS = {
    "1": (pinhole(517.3, 516.5, 318.6, 255.3), (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)),
    "2": (pinhole(520.9, 521.0, 325.1, 249.7), (0.2312, -0.7849, -0.0033, -0.0001, 0.9172)),
    "3": (pinhole(535.4, 539.2, 320.1, 247.6), ()),
}
"""Calibration by the number in a sequence's name, from the benchmark's page on file formats."""


def scenes(folder: Path) -> Iterator[Scene]:
    """Every sequence. Poses are interpolated at the images' stamps; images in a gap of the motion capture are left out.

    Raises:
        DatasetError: a list is damaged, or the folder's name does not tell the camera.
    """
    for sequence in folders_with(folder, "rgb.txt"):
        if not (sequence / "groundtruth.txt").is_file():
            continue
        number = re.search(r"(?:freiburg|fr)([123])", sequence.resolve().name)
        if number is None:
            raise DatasetError(
                f"the name of {sequence} does not tell which camera took it: it needs freiburg1, freiburg2 or freiburg3 "
                "in it"
            )
        K, distortion = CAMERAS[number[1]]
        truth = read_tum_trajectory(sequence / "groundtruth.txt")
        depths = _listed(sequence / "depth.txt") if (sequence / "depth.txt").is_file() else []
        depth_stamps = np.array([stamp for stamp, _ in depths], dtype=np.int64)
        photos = []
        for stamp, image in _listed(sequence / "rgb.txt"):
            T_world_camera = truth.pose_at(stamp)
            if T_world_camera is None:
                continue
            depth = None
            if depths:
                nearest = int(np.argmin(np.abs(depth_stamps - stamp)))
                if abs(int(depth_stamps[nearest]) - stamp) <= DEPTH_TOLERANCE_NS:
                    depth = Depth(depth_image(depths[nearest][1], UNITS_PER_METRE), K)
            photos.append(Photo(image, K, distortion, T_world_camera, depth))
        yield Scene(sequence.name, photos, is_video=True)


def _listed(path: Path) -> list[tuple[int, Path]]:
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        if len(fields) != 2:
            raise DatasetError(f"{path} has a line that is not 'stamp file': {line!r}")
        found.append((stamp_ns_from_text(fields[0]), path.parent / fields[1]))
    return found
