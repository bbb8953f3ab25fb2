"""DL3DV-10K (Ling et al., CVPR 2024) in the nerfstudio layout: ``<scene>/transforms.json`` and ``images_4`` or "
"the like."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from interpose_ros.evaluation.datasets.photos import DatasetError, Photo, Scene, folders_with, image_size
from interpose_ros.geometry.camera import Camera

LOOKED_FOR = "<scene>/transforms.json with images/, images_2/, images_4/ or images_8/ beside it"
FOLDERS = ("images", "images_2", "images_4", "images_8")
GL_TO_CV = np.diag([1.0, -1.0, -1.0, 1.0])


def scenes(folder: Path) -> Iterator[Scene]:
    """Every scene. ``transform_matrix`` is ``T_world_camera`` in OpenGL axes (y up, z backward); K belongs to the full size
    and is scaled to that of the files.

    Raises:
        DatasetError: a file is damaged.
    """
    for scene in folders_with(folder, "transforms.json"):
        try:
            content = json.loads((scene / "transforms.json").read_text(encoding="utf-8"))
            photos = [photo for entry in content["frames"] if (photo := _photo(scene, content, entry)) is not None]
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"{scene / 'transforms.json'} is damaged: {error!r}") from error
        photos.sort(key=lambda photo: photo.image)
        name = scene.parent.name if scene.name in ("nerfstudio", "gaussian_splat") else scene.name
        yield Scene(name, photos, is_video=True)


def _photo(scene: Path, content: dict, entry: dict) -> Photo | None:
    name = Path(entry["file_path"]).name
    image = next((scene / folder / name for folder in FOLDERS if (scene / folder / name).is_file()), None)
    if image is None:
        return None
    given = {**content, **entry}
    # Its principal point counts from the image's corner, ours from the first pixel's centre.
    K = np.array(
        [[given["fl_x"], 0.0, given["cx"] - 0.5], [0.0, given["fl_y"], given["cy"] - 0.5], [0.0, 0.0, 1.0]],
        dtype=np.float64,
    )
    width, height = image_size(image)
    camera = Camera(K, int(given["w"]), int(given["h"])).scaled(width, height)
    coefficients = tuple(float(given.get(name, 0.0)) for name in ("k1", "k2", "p1", "p2"))
    T_world_camera = np.array(entry["transform_matrix"], dtype=np.float64) @ GL_TO_CV
    return Photo(image, camera.K, coefficients if any(coefficients) else (), T_world_camera)
