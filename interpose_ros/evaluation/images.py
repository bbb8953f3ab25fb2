"""Views from image files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from interpose_ros.geometry.camera import Camera
from interpose_ros.views import KeyframeId, View


class ImageError(Exception):
    """An image file cannot be used; the message names the file and what is wrong."""


_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


def image_files(paths: Sequence[Path]) -> list[Path]:
    """The given files in their order; a folder stands for the images in it, ordered by name.

    Raises:
        ImageError: a folder holds no image.
    """
    files = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES)
        if not found:
            raise ImageError(f"no image in {path}; looked for {', '.join(sorted(_SUFFIXES))}")
        files += found
    return files


def load_view(
    path: Path, intrinsics: Sequence[float], distortion: Sequence[float], stamp_ns: int, frame_id: str = "camera"
) -> View:
    """View from an image file.

    Args:
        path: JPEG, PNG or whatever OpenCV reads.
        intrinsics: fx, fy, cx, cy in pixels of this file.
        distortion: OpenCV coefficients; empty without distortion.
        stamp_ns: stamp that orders the view among others.
        frame_id: name of the camera.

    Raises:
        ImageError: the file does not exist, is no image, or its size or intrinsics cannot be used.
    """
    if not path.is_file():
        raise ImageError(f"{path} does not exist")
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ImageError(f"{path} is not an image, or is cut off")
    height, width = bgr.shape[:2]
    fx, fy, cx, cy = intrinsics
    K = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    try:
        camera = Camera.from_coefficients(K, width, height, tuple(distortion))
        return View(np.ascontiguousarray(bgr[..., ::-1]), camera, KeyframeId(frame_id, stamp_ns))
    except ValueError as error:
        raise ImageError(f"{path}: {error}") from error
