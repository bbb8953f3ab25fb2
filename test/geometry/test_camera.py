"""Cameras: projection and its inverse, sizes, and what is no camera."""

import cv2
import numpy as np
import pytest

from interpose_ros.geometry.camera import Camera, DistortionModel

K = np.array([[400.0, 0, 318.0], [0, 410.0, 243.0], [0, 0, 1]])
SKEWED = np.array([[400.0, 3.0, 318.0], [0, 410.0, 243.0], [0, 0, 1]])
RATIONAL = (0.5, 0.1, 1e-3, 2e-3, 0.01, 0.8, 0.2, 0.02)
CAMERAS = {
    "none": Camera(K, 640, 480),
    "skew": Camera(SKEWED, 640, 480),
    "plumb_bob 4": Camera(K, 640, 480, (-0.3, 0.1, 1e-3, -2e-3), DistortionModel.PLUMB_BOB),
    "plumb_bob 5": Camera(K, 640, 480, (-0.3, 0.1, 1e-3, -2e-3, -0.02), DistortionModel.PLUMB_BOB),
    "rational 8": Camera(K, 640, 480, RATIONAL, DistortionModel.RATIONAL),
    "rational 12": Camera(K, 640, 480, (*RATIONAL, 1e-3, 1e-4, -1e-3, 2e-4), DistortionModel.RATIONAL),
    "rational 14": Camera(K, 640, 480, (*RATIONAL, 1e-3, 1e-4, -1e-3, 2e-4, 0.01, 0.02), DistortionModel.RATIONAL),
    "equidistant": Camera(K, 640, 480, (-0.02, 0.01, -3e-3, 1e-3), DistortionModel.EQUIDISTANT),
    "equidistant of zeros": Camera(K, 640, 480, (0.0,) * 4, DistortionModel.EQUIDISTANT),
}


@pytest.mark.parametrize("name", CAMERAS)
def test_normalise_undoes_project(name):
    camera = CAMERAS[name]
    rng = np.random.default_rng(0)
    plane = rng.uniform([-0.75, -0.55], [0.75, 0.55], (300, 2))
    points = np.c_[plane, np.ones(300)] * rng.uniform(0.5, 20, (300, 1))
    pixels = camera.project(points)
    np.testing.assert_allclose(camera.normalise(pixels), plane, atol=1e-8)
    np.testing.assert_allclose(
        camera.bearings(pixels), points / np.linalg.norm(points, axis=1, keepdims=True), atol=1e-8
    )
    assert camera.normalise(np.zeros((0, 2))).shape == (0, 2)


def test_projection_in_numbers():
    point = np.array([[0.3, -0.4, 2.0]])
    np.testing.assert_allclose(CAMERAS["none"].project(point), [[400 * 0.15 + 318, -410 * 0.2 + 243]])
    # Plumb bob by hand: r2 = 0.0625, radial = 1 - 0.3 r2 + 0.1 r4.
    radial = 1 - 0.3 * 0.0625 + 0.1 * 0.0625**2
    x = 0.15 * radial + 2 * 1e-3 * 0.15 * -0.2 - 2e-3 * (0.0625 + 2 * 0.15**2)
    y = -0.2 * radial + 1e-3 * (0.0625 + 2 * 0.2**2) + 2 * -2e-3 * 0.15 * -0.2
    np.testing.assert_allclose(CAMERAS["plumb_bob 4"].project(point), [[400 * x + 318, 410 * y + 243]])
    # Equidistant: the distance from the centre is the angle.
    theta = np.arctan(0.25)
    expected = [[400 * theta * 0.6 + 318, 410 * theta * -0.8 + 243]]
    np.testing.assert_allclose(CAMERAS["equidistant of zeros"].project(point), expected)


def test_points_behind_have_no_pixel():
    pixels = CAMERAS["plumb_bob 5"].project(np.array([[0.0, 0, 1], [0, 0, -1], [1, 1, 0]]))
    np.testing.assert_allclose(pixels[0], [318, 243])
    assert np.all(np.isnan(pixels[1:]))


def blob(centre: tuple[float, float], width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return 255 * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * 12.0**2))


def centroid(image: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(image * x).sum(), (image * y).sum()]) / image.sum()


@pytest.mark.parametrize("size", [(320, 240), (160, 120), (320, 480)])
def test_scaled_camera_sees_the_resized_image(size):
    camera = CAMERAS["none"]
    point = np.array([[0.2, 0.1, 1.0]])
    image = blob(tuple(camera.project(point)[0]), 640, 480)
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(camera.scaled(*size).project(point)[0], centroid(resized), atol=0.01)
    again = camera.scaled(*size).scaled(640, 480)
    np.testing.assert_allclose(again.K, camera.K, atol=1e-10)


def test_cropped_camera_sees_the_cut_image():
    camera = CAMERAS["none"]
    point = np.array([[0.2, 0.1, 1.0]])
    image = blob(tuple(camera.project(point)[0]), 640, 480)
    cropped = camera.cropped(300, 150, 250, 260)
    assert (cropped.width, cropped.height) == (250, 260)
    np.testing.assert_allclose(cropped.project(point)[0], centroid(image[150:410, 300:550]), atol=0.01)


@pytest.mark.parametrize("name", ["plumb_bob 5", "rational 8", "equidistant", "equidistant of zeros"])
def test_undistorted_image_belongs_to_the_undistorted_camera(name):
    camera = CAMERAS[name]
    point = np.array([[0.4, 0.25, 1.0]])
    image = np.round(blob(tuple(camera.project(point)[0]), 640, 480)).astype(np.uint8)
    straight = camera.undistort(np.repeat(image[..., None], 3, axis=2))
    expected = camera.without_distortion().project(point)[0]
    assert np.linalg.norm(expected - camera.project(point)[0]) > 5
    # The blob is bent with the image, so its centroid moves by a part of a pixel.
    np.testing.assert_allclose(centroid(straight[..., 0].astype(float)), expected, atol=1.0)


def test_coefficients_choose_the_model():
    assert not Camera.from_coefficients(K, 640, 480, None).has_distortion
    assert not Camera.from_coefficients(K, 640, 480, [0.0] * 5).has_distortion
    five = Camera.from_coefficients(K, 640, 480, [0.1, 0.0, 0.0, 0.0, 0.0])
    assert five.has_distortion
    assert five.distortion_model is DistortionModel.PLUMB_BOB
    assert Camera.from_coefficients(K, 640, 480, list(RATIONAL)).distortion_model is DistortionModel.RATIONAL
    assert five.without_distortion().distortion_model is DistortionModel.NONE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.diag([0.0, 400, 1]), 640, 480), "uncalibrated"),
        ((np.diag([400.0, -400, 1]), 640, 480), "uncalibrated"),
        ((np.diag([400.0, np.nan, 1]), 640, 480), "finite"),
        ((np.diag([400.0, 400, 2]), 640, 480), "last row"),
        ((K, 0, 480), "image size"),
        (
            (
                K + np.array([[0, 2, 0], [0, 0, 0], [0, 0, 0]]),
                640,
                480,
                (0.1, 0.0, 0.0, 0.0),
                DistortionModel.PLUMB_BOB,
            ),
            "skew of 2",
        ),
        ((K, 640, 480, (0.1, 0.2), DistortionModel.PLUMB_BOB), "4 or 5 coefficients, not 2"),
        ((K, 640, 480, (0.1,), DistortionModel.NONE), "0 coefficients, not 1"),
        ((K, 640, 480, (0.1, 0.0, 0.0, np.inf), DistortionModel.EQUIDISTANT), "finite"),
    ],
)
def test_what_is_no_camera_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Camera(*arguments)
