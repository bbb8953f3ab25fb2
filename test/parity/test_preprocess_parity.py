"""Equal files: equal sizes, crops and pixels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from interpose_ros.dust3r.preprocess import prepare_view
from interpose_ros.geometry.camera import Camera
from interpose_ros.views import KeyframeId, View

from .dust3r_reference import load_reference

SIZES = [(640, 480), (480, 640), (1920, 1080), (1080, 1920), (512, 512), (333, 777), (300, 200), (224, 224), (601, 599)]


@pytest.mark.parametrize("image_side", [224, 512])
@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_prepared_images_equal_the_reference(tmp_path: Path, size: tuple[int, int], image_side: int) -> None:
    width, height = size
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    (expected,) = load_reference("utils.image").load_images(
        [str(tmp_path / "image.png")], size=image_side, verbose=False
    )
    camera = Camera(np.array([[width, 0, width / 2], [0, width, height / 2], [0, 0, 1.0]]), width, height)
    prepared = prepare_view(View(pixels, camera, KeyframeId("camera", 0)), image_side)
    assert tuple(prepared.pixels.shape[:2]) == tuple(expected["true_shape"][0])
    np.testing.assert_allclose(prepared.as_tensor()[None].numpy(), expected["img"].numpy(), atol=1e-6)
