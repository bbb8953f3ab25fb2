"""Sizes and crops, and cameras that still project to the same places."""

import numpy as np
import pytest

from interpose_ros.dust3r.preprocess import prepare_view
from interpose_ros.geometry.camera import Camera
from interpose_ros.views import KeyframeId, View


def make_view(width: int, height: int, distortion: tuple[float, ...] | None = None) -> View:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    K = np.array([[0.9 * width, 0, 0.52 * width], [0, 0.91 * width, 0.47 * height], [0, 0, 1]])
    return View(image, Camera.from_coefficients(K, width, height, distortion), KeyframeId("camera", 5))


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((640, 480), 512, (512, 384)), ((640, 425), 512, (512, 336)), ((1920, 1080), 512, (512, 288)),
        ((1024, 512), 512, (512, 256)), ((1920, 610), 512, (512, 160)), ((480, 640), 512, (384, 512)),
        ((700, 700), 512, (512, 384)), ((640, 480), 224, (224, 224)), ((100, 200), 224, (224, 224)),
    ],
)  # fmt: skip
def test_sizes(size: tuple[int, int], side: int, expected: tuple[int, int]) -> None:
    prepared = prepare_view(make_view(*size), side)
    assert prepared.pixels.shape == (expected[1], expected[0], 3)
    assert (prepared.camera.width, prepared.camera.height) == expected


@pytest.mark.parametrize("side", [224, 512])
@pytest.mark.parametrize("size", [(640, 480), (480, 640), (500, 500), (300, 211)])
def test_camera_follows_resize_and_crop(size: tuple[int, int], side: int) -> None:
    """A small bright square stays where the camera says that its 3D point is."""
    width, height = size
    view = make_view(*size)
    centre = np.array([[round(0.55 * width), round(0.44 * height)]], dtype=np.float64)
    point = np.concatenate([view.camera.normalise(centre), [[1.0]]], axis=1) * 2.5
    image = np.zeros_like(view.image)
    x, y = centre[0].astype(int)
    image[y - 3 : y + 4, x - 3 : x + 4] = 255
    prepared = prepare_view(View(image, view.camera, view.keyframe_id), side)
    weight = prepared.pixels[..., 0].astype(np.float64)
    grid_y, grid_x = np.mgrid[: weight.shape[0], : weight.shape[1]]
    found = np.array([(weight * grid_x).sum(), (weight * grid_y).sum()]) / weight.sum()
    np.testing.assert_allclose(found, prepared.camera.project(point)[0], atol=0.1)


def test_lens_distortion_is_removed() -> None:
    prepared = prepare_view(make_view(640, 480, (-0.2, 0.05, 0.0, 0.0)), 512)
    assert not prepared.camera.has_distortion
    assert prepared.key != prepare_view(make_view(640, 480), 512).key


def test_normalised_tensor() -> None:
    tensor = prepare_view(make_view(640, 480), 224).as_tensor()
    assert tensor.shape == (3, 224, 224)
    assert -1.0 <= float(tensor.min()) < -0.9
    assert 0.9 < float(tensor.max()) <= 1.0


def test_too_narrow_image_is_named() -> None:
    with pytest.raises(ValueError, match="640x64 is too narrow"):
        prepare_view(make_view(640, 64), 512)
