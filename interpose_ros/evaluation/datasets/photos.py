"""What all data sets come down to: photos with cameras and poses, by scene."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float

from interpose_ros.geometry.se3 import is_rigid


class DatasetError(ValueError):
    """A folder is not the data set that it is said to be; the message says what was looked for."""


@dataclass(frozen=True, eq=False)
class Depth:
    """Depth of a photo.

    Attributes:
        read: the depth along the optical axis in the unit of the poses, 0 or not finite where unknown; "h w".
        K: intrinsics of the depth image.
    """

    read: Callable[[], Float[np.ndarray, "h w"]]
    K: Float[np.ndarray, "3 3"]


@dataclass(frozen=True, eq=False)
class Photo:
    """One image of a scene.

    Attributes:
        image: file.
        K: intrinsics in pixels of the file.
        distortion: OpenCV coefficients, possibly none.
        T_world_camera: pose; OpenCV camera axes.
        depth: where the data set has it.
    """

    image: Path
    K: Float[np.ndarray, "3 3"]
    distortion: tuple[float, ...]
    T_world_camera: Float[np.ndarray, "4 4"]
    depth: Depth | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """Photos of one place.

    Attributes:
        name: of the scene.
        photos: in their order.
        is_video: whether that order is one in time, so that photos in between are frames in between.
    """

    name: str
    photos: Sequence[Photo]
    is_video: bool


def folders_with(folder: Path, marker: str, depth: int = 3) -> list[Path]:
    """The folders that hold a name (which may have wildcards), at most so many levels below, without a walk over all
    files."""
    found = {path.parent for level in range(depth + 1) for path in folder.resolve().glob("*/" * level + marker)}
    return sorted(found)


def matrix_of(path: Path, rows: int = 4, columns: int = 4) -> Float[np.ndarray, "r c"]:
    """A matrix of a text file.

    Raises:
        DatasetError: it holds something else.
    """
    try:
        numbers = np.array(path.read_text(encoding="utf-8").split(), dtype=np.float64)
        return numbers.reshape(rows, columns)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DatasetError(f"{path} does not hold a matrix of {rows} by {columns} numbers") from error


def pose_or_none(path: Path) -> Float[np.ndarray, "4 4"] | None:
    """A pose of a text file; None where tracking was lost, which data sets write as infinities or as no rotation.

    Raises:
        DatasetError: the file holds no matrix.
    """
    T = matrix_of(path)
    return T if is_rigid(T, 1e-2) else None


def pinhole(fx: float, fy: float, cx: float, cy: float) -> Float[np.ndarray, "3 3"]:
    """A matrix of intrinsics."""
    return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of an image file as it is displayed, from its header.

    Raises:
        DatasetError: it is no image.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            turned = ImageOps.exif_transpose(image) if image.getexif().get(0x0112, 1) != 1 else image
            return turned.size
    except OSError as error:
        raise DatasetError(f"{path} is no image: {error}") from error


def depth_image(path: Path, units_per_length: float, invalid: int = 0) -> Callable[[], Float[np.ndarray, "h w"]]:
    """Reader of a 16-bit depth image."""

    def read() -> Float[np.ndarray, "h w"]:
        raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if raw is None or raw.ndim != 2:
            raise DatasetError(f"{path} is no depth image")
        depth = raw.astype(np.float64) / units_per_length
        depth[(raw == 0) | (raw == invalid)] = 0.0
        return depth

    return read


def scenes_or_error(scenes: Iterator[Scene], folder: Path, layout: str, looked_for: str) -> Iterator[Scene]:
    """The scenes with at least two photos.

    Raises:
        DatasetError: there is none.
    """
    count = 0
    for scene in scenes:
        if len(scene.photos) >= 2:
            count += 1
            yield scene
    if not count:
        raise DatasetError(f"{folder} holds no scene of {layout}: looked for {looked_for}")
