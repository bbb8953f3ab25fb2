"""Keyframes as the model is shown them: their intrinsics still say where each point is."""

import cv2
import numpy as np
import pytest

from interpose_ros.geometry.camera import Camera, DistortionModel
from interpose_ros.interpolation.keyframe_crop import prepare_keyframes
from interpose_ros.views import KeyframeId, View


def camera(width: int, height: int, focal: float, centre=None, distortion=()) -> Camera:
    cx, cy = centre or ((width - 1) / 2, (height - 1) / 2)
    K = np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1]])
    return Camera(K, width, height, distortion, DistortionModel.PLUMB_BOB if distortion else DistortionModel.NONE)


def dotted(camera: Camera, points: np.ndarray) -> View:
    """White dots where the camera sees points."""
    image = np.zeros((camera.height, camera.width, 3), dtype=np.uint8)
    for x, y in camera.project(points):
        cv2.circle(
            image, (round(16 * x), round(16 * y)), round(16 * camera.focal_length / 60), (255, 255, 255), -1, 8, 4
        )
    return View(image, camera, KeyframeId("camera", 0))


def dots(image: np.ndarray) -> np.ndarray:
    _, _, _, centres = cv2.connectedComponentsWithStats((image[..., 0] > 100).astype(np.uint8))
    return centres[1:]


POINTS = np.array([[-0.3, -0.15, 1.0], [0.25, -0.12, 1.0], [0.0, 0.0, 1.0], [-0.2, 0.18, 1.0], [0.3, 0.2, 1.0]])
A = camera(640, 480, 500.0)


@pytest.mark.parametrize(
    "b",
    [
        camera(640, 480, 500.0),
        camera(1280, 720, 800.0),
        camera(640, 480, 420.0, centre=(300.0, 255.0)),
        camera(640, 480, 500.0, distortion=(-0.2, 0.05, 0.001, -0.001)),
    ],
    ids=["same", "wider and larger", "off centre", "distorted"],
)
@pytest.mark.parametrize("size", [(832, 480), (512, 512)])
def test_points_are_where_the_carried_intrinsics_say(b: Camera, size: tuple[int, int]) -> None:
    views = dotted(A, POINTS), dotted(b, POINTS)
    prepared = prepare_keyframes(*views, *size)
    for keyframe in prepared:
        assert keyframe.image.shape == (size[1], size[0], 3)
        assert not keyframe.camera.has_distortion
        wanted = keyframe.camera.project(POINTS)
        inside = np.all((wanted > 15) & (wanted < np.array(size) - 15), axis=1)
        found = dots(keyframe.image)
        for point in wanted[inside]:
            assert np.linalg.norm(found - point, axis=1).min() < 0.7
        assert inside.sum() >= 3
    ka, kb = (keyframe.camera.K for keyframe in prepared)
    assert ka[0, 0] == pytest.approx(kb[0, 0], rel=0.003), "one focal length for both"
    assert ka[0, 0] == pytest.approx(ka[1, 1], rel=0.003), "square pixels"


def test_as_much_as_possible_stays_in_view() -> None:
    """640 x 480 to 832 x 480: the width decides, and all of it stays."""
    a, _ = prepare_keyframes(dotted(A, POINTS), dotted(A, POINTS), 832, 480)
    assert a.camera.K[0, 0] == pytest.approx(500 * 832 / 640)
    assert a.camera.K[0, 2] == pytest.approx((832 - 1) / 2)
    assert a.camera.K[1, 2] == pytest.approx((480 - 1) / 2, abs=0.51)


def test_the_narrower_camera_decides_for_both() -> None:
    a, b = prepare_keyframes(dotted(camera(640, 480, 1000.0), POINTS), dotted(A, POINTS), 640, 480)
    assert (a.camera.K[0, 0], b.camera.K[0, 0]) == pytest.approx((1000.0, 1000.0))
    assert a.view(dotted(A, POINTS)).keyframe_id == KeyframeId("camera", 0)
