"""NAVI (Jampani et al., NeurIPS 2023): ``<object>/<collection>/{annotations.json,images,depth}``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float

from interpose_ros.evaluation.datasets.photos import DatasetError, Depth, Photo, Scene, folders_with, pinhole
from interpose_ros.geometry.se3 import inverse, rotation_from_quaternion_xyzw, transform_from_rotation_translation

LOOKED_FOR = "<object>/<collection>/annotations.json with images/ beside it"
LARGEST, SCALE = 65535.0, 10.0


def scenes(folder: Path) -> Iterator[Scene]:
    """Every collection of one object in one environment; ``wild_set`` is left out, as its photos share only the object.

    Annotations hold ``T_camera_object`` (quaternion w first) and the focal length in pixels; the principal point is the
    image's centre.

    Raises:
        DatasetError: a file is damaged.
    """
    for collection in folders_with(folder, "annotations.json"):
        if collection.name == "wild_set":
            continue
        try:
            entries = json.loads((collection / "annotations.json").read_text(encoding="utf-8"))
            photos = [_photo(collection, e) for e in entries if (collection / "images" / e["filename"]).is_file()]
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"{collection / 'annotations.json'} is damaged: {error!r}") from error
        photos.sort(key=lambda photo: photo.image)
        yield Scene(f"{collection.parent.name}/{collection.name}", photos, is_video=collection.name.startswith("video"))


def _photo(collection: Path, entry: dict) -> Photo:
    height, width = entry["image_size"]
    camera = entry["camera"]
    w, x, y, z = camera["q"]
    R_camera_object = rotation_from_quaternion_xyzw(np.array([x, y, z, w], dtype=np.float64))
    T_camera_object = transform_from_rotation_translation(R_camera_object, np.array(camera["t"], dtype=np.float64))
    focal = float(camera["focal_length"])
    K = pinhole(focal, focal, (width - 1) / 2.0, (height - 1) / 2.0)
    depth_file = collection / "depth" / f"{Path(entry['filename']).stem}.png"
    depth = Depth(_disparity(depth_file), K) if depth_file.is_file() else None
    return Photo(collection / "images" / entry["filename"], K, (), inverse(T_camera_object), depth)


def _disparity(path: Path) -> Callable[[], Float[np.ndarray, "h w"]]:
    """Reader of NAVI's depth: 16 bits of inverse depth, 0 where there is no object."""

    def read() -> Float[np.ndarray, "h w"]:
        raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if raw is None or raw.ndim != 2:
            raise DatasetError(f"{path} is no depth image")
        return np.where(raw > 0, LARGEST * SCALE / np.maximum(raw, 1), 0.0)

    return read
