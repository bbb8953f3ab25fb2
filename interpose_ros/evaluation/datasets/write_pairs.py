"""Drawn pairs as a pair file, with the images as they are or resized and cropped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from interpose_ros.evaluation.datasets.draw import Bin, DrawnPair
from interpose_ros.evaluation.datasets.photos import DatasetError, Photo
from interpose_ros.evaluation.journal import write_atomically
from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.distances import rotation_angle
from interpose_ros.geometry.se3 import inverse


@dataclass(frozen=True)
class PairFileSettings:
    """How drawn pairs are written.

    Attributes:
        layout: name of the data set's layout.
        unit: of its translations.
        size: width and height that images are resized to, filling it, and cropped about the centre; None to leave them.
        frames: most frames in between of a pair, evenly spread, where the photos are a video.
        seed: that the pairs were drawn with.
    """

    layout: str
    unit: str
    size: tuple[int, int] | None
    frames: int
    seed: int


def write_pair_file(
    path: Path,
    pairs: Sequence[DrawnPair],
    drawn_from: Bin,
    settings: PairFileSettings,
    progress: Callable[[], Any] = lambda: None,
) -> None:
    """Write the pairs; images that are resized go into a folder beside the file.

    Raises:
        DatasetError: an image cannot be read.
    """
    entries = []
    for pair in pairs:
        entries.append(_entry(path, pair, settings))
        progress()
    content = {
        "name": f"{settings.layout}-{drawn_from.name}",
        "protocol": f"{settings.layout}-{drawn_from.name}",
        "convention": "T_0to1 maps coordinates of camera 0 into camera 1; OpenCV camera axes",
        "translation_unit": settings.unit,
        "seed": settings.seed,
        "size": settings.size,
        "pairs": entries,
    }
    write_atomically(path, json.dumps(content) + "\n")


def _entry(path: Path, pair: DrawnPair, settings: PairFileSettings) -> dict[str, Any]:
    photo_a, photo_b = pair.photos
    T_b_a = inverse(photo_b.T_world_camera) @ photo_a.T_world_camera
    image_a, K_a = _image(path, photo_a, settings)
    image_b, K_b = _image(path, photo_b, settings)
    entry = {
        "image0": image_a, "image1": image_b, "scene": pair.scene.name,
        "K0": K_a, "K1": K_b,
        "dist0": list(photo_a.distortion) or None, "dist1": list(photo_b.distortion) or None,
        "T_0to1": T_b_a.tolist(),
        "rotation_deg": float(np.degrees(rotation_angle(T_b_a[:3, :3]))),
        "baseline": float(np.linalg.norm(T_b_a[:3, 3])),
        "frames": [_image(path, photo, settings)[0] for photo in _between(pair, settings.frames)],
    }  # fmt: skip
    return entry if pair.overlap is None else {**entry, "overlap": pair.overlap}


def _between(pair: DrawnPair, most: int) -> list[Photo]:
    """Photos between the two of a video, from the first to the second, evenly spread."""
    low, high = sorted((pair.first, pair.second))
    if not pair.scene.is_video or most == 0 or high - low < 2:
        return []
    numbers = np.unique(np.rint(np.linspace(low, high, min(most, high - low - 1) + 2)[1:-1]).astype(int))
    photos = [pair.scene.photos[int(number)] for number in numbers if low < number < high]
    return photos if pair.first < pair.second else photos[::-1]


def _image(path: Path, photo: Photo, settings: PairFileSettings) -> tuple[str, list[list[float]]]:
    """Name of an image as the pair file has it, and K of that file."""
    if settings.size is None:
        return os.path.relpath(photo.image, path.parent), photo.K.tolist()
    file = path.parent / f"{settings.layout}-images" / f"{_size_name(settings.size)}" / _flat_name(photo.image)
    pixels = cv2.imread(str(photo.image), cv2.IMREAD_COLOR)
    if pixels is None:
        raise DatasetError(f"{photo.image} is not an image, or is cut off")
    height, width = pixels.shape[:2]
    scale = max(settings.size[0] / width, settings.size[1] / height)
    scaled = (round(width * scale), round(height * scale))
    left, top = (scaled[0] - settings.size[0]) // 2, (scaled[1] - settings.size[1]) // 2
    camera = Camera(photo.K, width, height).scaled(*scaled).cropped(left, top, *settings.size)
    if not file.is_file():
        resized = cv2.resize(pixels, scaled, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        cut = resized[top : top + settings.size[1], left : left + settings.size[0]]
        file.parent.mkdir(parents=True, exist_ok=True)
        _, data = cv2.imencode(".png", cut)
        file.write_bytes(data.tobytes())
    return os.path.relpath(file, path.parent), camera.K.tolist()


def _size_name(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _flat_name(image: Path) -> str:
    """A name of one level, different for every image of a data set."""
    return "_".join(image.resolve().with_suffix(".png").parts[-4:])
