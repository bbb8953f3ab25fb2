"""Views: what belongs together, and names."""

import numpy as np
import pytest

from interpose_ros.geometry.camera import Camera
from interpose_ros.views import KeyframeId, View

KEYFRAME = KeyframeId("camera_optical", 1_700_000_000_000_000_042)


def camera(width: int, height: int) -> Camera:
    return Camera(np.array([[300.0, 0, width / 2], [0, 300, height / 2], [0, 0, 1]]), width, height)


def test_equal_pixels_have_equal_names_whatever_their_stamp():
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    view = View(image, camera(64, 48), KEYFRAME)
    # A view into a wider image has the same pixels in another memory layout.
    wide = np.concatenate([image, image], axis=1)[:, :64]
    assert View(wide, camera(64, 48), KeyframeId("other", 0)).content_id == view.content_id
    changed = image.copy()
    changed[-1, -1, -1] ^= 1
    assert View(changed, camera(64, 48), KEYFRAME).content_id != view.content_id
    turned = View(image.reshape(64, 48, 3), camera(48, 64), KEYFRAME)
    assert turned.content_id != view.content_id


def test_a_keyframe_prints_its_stamp_in_seconds_and_sorts():
    assert str(KEYFRAME) == "camera_optical@1700000000.000000042"
    assert KeyframeId("a", 2) > KeyframeId("a", 1)
    assert len({KEYFRAME, KeyframeId("camera_optical", KEYFRAME.stamp_ns), KeyframeId("left", KEYFRAME.stamp_ns)}) == 2


@pytest.mark.parametrize(
    ("size", "camera_size", "message"),
    [
        ((31, 64), (31, 64), "31x64 is too small"),
        ((64, 48), (128, 96), "64x48 and its camera info is for 128x96"),
        ((8001, 8000), (8001, 8000), "too large"),
    ],
)
def test_what_is_no_view_is_named(size, camera_size, message):
    image = np.zeros((1, 1, 3), np.uint8)
    image = np.broadcast_to(image, (size[1], size[0], 3))
    with pytest.raises(ValueError, match=message):
        View(image, camera(*camera_size), KEYFRAME)
