"""Metric length from depth: exact on exact data, an honest standard deviation, and refusals."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from interpose_ros.answer import ScaleSource
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.camera import Camera, DistortionModel
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.odometry import NoScale
from interpose_ros.scale_depth import DepthMatches, DepthScaleConfig, length_from_depth

K = np.array([[500.0, 0, 320], [0, 510.0, 240], [0, 0, 1]])
CAMERA_A = Camera(K, 640, 480)
CAMERA_B = Camera(K * [[0.8], [0.8], [1]], 640, 480, (-0.1, 0.02, 0.001, -0.001), DistortionModel.PLUMB_BOB)
R_B_A = Rotation.from_euler("yxz", [14, -4, 3], degrees=True).as_matrix()
T_B_A = np.array([-0.6, 0.1, 0.25])
LENGTH = float(np.linalg.norm(T_B_A))
ROTATION_STDDEV, DIRECTION_STDDEV = np.radians(0.4), np.radians(2.0)
CONFIG = DepthScaleConfig(pixel_stddev=0.7, relative_stddev=0.02, bias_stddev=0.0)


def scene(random, count=150, sides="a", noise=0.0, depth_noise=0.0, t=T_B_A) -> DepthMatches:
    points = random.uniform([-1.5, -1, 2.5], [1.5, 1, 7], (count, 3))
    in_b = points @ R_B_A.T + t
    pixels = [
        camera.project(p) + noise * random.normal(size=(count, 2))
        for camera, p in ((CAMERA_A, points), (CAMERA_B, in_b))
    ]
    depths = [p[:, 2] * (1 + depth_noise * random.normal(size=count)) for p in (points, in_b)]
    for side, depth in zip("ab", depths, strict=True):
        if side not in sides:
            depth[:] = np.nan
    return DepthMatches(*pixels, *depths, CAMERA_A, CAMERA_B)


def estimate(random=None, t=T_B_A, **changes) -> PoseEstimate:
    """The true pose, or one with errors as large as it says."""
    R, u = R_B_A, t / np.linalg.norm(t)
    if random is not None:
        R = Rotation.from_rotvec(ROTATION_STDDEV * random.normal(size=3)).as_matrix() @ R
        across = np.linalg.svd(u[None])[2][1:]
        u = u + DIRECTION_STDDEV / np.sqrt(2) * random.normal(size=2) @ across
        u /= np.linalg.norm(u)
    values = {"direction_b_a": u, "direction_stddev": DIRECTION_STDDEV, **changes}
    return PoseEstimate(
        R, values["direction_b_a"], MotionModel.GENERAL, ROTATION_STDDEV**2 * np.eye(3), values["direction_stddev"]
    )


@pytest.mark.parametrize("sides", ["a", "b", "ab"])
def test_exact_data_give_the_exact_length(sides):
    found = length_from_depth(estimate(), scene(np.random.default_rng(1), sides=sides), CONFIG)
    assert found.scale.source is ScaleSource.DEPTH
    assert found.scale.metres == pytest.approx(LENGTH, rel=1e-4)
    assert found.matches == found.agreeing == 150 * len(sides)
    assert found.residual < 0.01
    assert found.bend < 0.1


@pytest.mark.parametrize("sides", ["a", "ab"])
def test_the_standard_deviation_is_that_of_the_errors(sides):
    """Monte Carlo: errors of pixels, depths, rotation and direction, each as large as it is said to be."""
    random = np.random.default_rng(7)
    normalised, said = [], []
    for _ in range(120):
        found = length_from_depth(
            estimate(random), scene(random, sides=sides, noise=CONFIG.pixel_stddev, depth_noise=0.02), CONFIG
        )
        normalised.append((found.scale.metres - LENGTH) / found.scale.stddev)
        said.append(found.scale.stddev)
    assert abs(np.mean(normalised)) < 0.25
    assert 0.8 < np.std(normalised) < 1.2
    assert np.mean(np.abs(normalised) < 2) > 0.92
    assert np.mean(said) < 0.1 * LENGTH


def test_a_depth_camera_that_reads_long_is_part_of_the_uncertainty():
    config = CONFIG.model_copy(update={"bias_stddev": 0.03})
    matches = scene(np.random.default_rng(2))
    sure, unsure = (length_from_depth(estimate(), matches, c).scale for c in (CONFIG, config))
    assert unsure.stddev**2 == pytest.approx(sure.stddev**2 + (0.03 * LENGTH) ** 2, rel=1e-6)


def test_a_third_of_wrong_depths_does_no_harm():
    random = np.random.default_rng(3)
    matches = scene(random, sides="a", noise=0.5)
    wrong = random.random(150) < 0.33
    matches.depth_a[wrong] *= random.uniform(1.3, 3, wrong.sum())
    found = length_from_depth(estimate(), matches, CONFIG)
    assert abs(found.scale.metres - LENGTH) < 3 * found.scale.stddev
    assert found.agreeing < 130


def test_a_wrong_rotation_shows_as_bend():
    random = np.random.default_rng(4)
    right = length_from_depth(estimate(random), scene(random, noise=0.7), CONFIG)
    turned = estimate()
    object.__setattr__(turned, "R_b_a", Rotation.from_euler("x", 4, degrees=True).as_matrix() @ turned.R_b_a)
    wrong = length_from_depth(turned, scene(random, noise=0.7), CONFIG)
    assert right.bend < 3
    assert isinstance(wrong, NoScale) or wrong.bend > 4


def test_made_up_depth_contradicts():
    random = np.random.default_rng(5)
    matches = scene(random)
    matches.depth_a[:] = random.uniform(0.5, 15, 150)
    found = length_from_depth(estimate(), matches, CONFIG)
    assert isinstance(found, NoScale)
    assert "contradict" in found.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"direction_b_a": None}, "no translation"),
        ({"direction_stddev": float("nan")}, "not known"),
    ],
)
def test_what_the_images_do_not_tell_has_no_length(change, words):
    found = length_from_depth(estimate(**change), scene(np.random.default_rng(6)), CONFIG)
    assert words in found.text


def test_too_few_or_useless_depths_are_named():
    random = np.random.default_rng(8)
    matches = scene(random, count=11)
    assert length_from_depth(estimate(), matches, CONFIG).text.startswith("11 verified matches")
    matches = scene(random)
    matches.depth_a[:] = [np.nan, 0.0, -1.0, 1e6, np.inf] * 30
    assert length_from_depth(estimate(), matches, CONFIG).text.startswith("0 verified matches")
    short = 0.01 * T_B_A
    found = length_from_depth(estimate(t=short), scene(random, t=short), CONFIG)
    assert "too short" in found.text
