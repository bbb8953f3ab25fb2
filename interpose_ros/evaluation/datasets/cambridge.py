"""Cambridge Landmarks (Kendall et al., ICCV 2015): ``<scene>/dataset_{train,test}.txt`` and ``reconstruction.nvm``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from interpose_ros.evaluation.datasets.photos import DatasetError, Photo, Scene, folders_with, image_size, pinhole
from interpose_ros.geometry.se3 import rotation_from_quaternion_xyzw, transform_from_rotation_translation

LOOKED_FOR = "<scene>/dataset_train.txt ('image x y z qw qx qy qz') and reconstruction.nvm for the focal lengths"


def scenes(folder: Path) -> Iterator[Scene]:
    """Every landmark. Lists hold the camera's centre and the rotation from world to camera; focal lengths come from the
    reconstruction, whose radial distortion is left out. Units are those of the reconstruction, about metres.

    Raises:
        DatasetError: a list is damaged, or an image has no focal length.
    """
    for scene in folders_with(folder, "dataset_train.txt"):
        focal_lengths = _focal_lengths(scene / "reconstruction.nvm")
        photos = []
        for listing in ("dataset_train.txt", "dataset_test.txt"):
            for name, centre, q_wxyz in _listed(scene / listing):
                focal = focal_lengths.get(str(Path(name).with_suffix("")))
                image = scene / name
                if not image.is_file():
                    continue
                if focal is None:
                    raise DatasetError(f"{scene / 'reconstruction.nvm'} has no focal length of {name}")
                R_world_camera = rotation_from_quaternion_xyzw(q_wxyz[[1, 2, 3, 0]]).T
                width, height = image_size(image)
                K = pinhole(focal, focal, (width - 1) / 2.0, (height - 1) / 2.0)
                photos.append(Photo(image, K, (), transform_from_rotation_translation(R_world_camera, centre)))
        photos.sort(key=lambda photo: photo.image)
        yield Scene(scene.name, photos, is_video=False)


def _listed(path: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    if not path.is_file():
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fields = line.split()
        if len(fields) != 8 or not fields[0].lower().endswith((".png", ".jpg")):
            if number > 3 and fields:
                raise DatasetError(f"{path}, line {number}: expected 'image x y z qw qx qy qz'")
            continue
        try:
            numbers = np.array(fields[1:], dtype=np.float64)
        except ValueError as error:
            raise DatasetError(f"{path}, line {number}: {error}") from error
        yield fields[0], numbers[:3], numbers[3:]


def _focal_lengths(path: Path) -> dict[str, float]:
    """By image name without its suffix: the reconstruction names .jpg, the folders hold .png."""
    if not path.is_file():
        raise DatasetError(f"{path} is missing: it has the focal lengths, and comes with the data set")
    found: dict[str, float] = {}
    with path.open(encoding="utf-8") as stream:
        if not stream.readline().startswith("NVM_V3"):
            raise DatasetError(f"{path} is no NVM_V3 file")
        count = None
        for line in stream:
            fields = line.split()
            if count is None:
                count = int(fields[0]) if fields else None
                continue
            if len(found) == count:
                break
            if len(fields) >= 11:
                found[str(Path(fields[0]).with_suffix(""))] = float(fields[1])
    return found
