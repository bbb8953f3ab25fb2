"""Two-view pose on synthetic matches with known truth: errors against theory, choice of the motion, and refusals."""

import numpy as np
import pytest

from interpose_ros.config import TwoViewConfig
from interpose_ros.geometry.distances import direction_distance, rotation_distance
from interpose_ros.geometry.se3 import rotation_exp, rotation_log, skew
from interpose_ros.matching.two_view import (
    MAX_PLANE_ROTATION_GAP,
    MotionModel,
    TwoViewGeometry,
    estimate_two_view,
    gric,
)
from interpose_ros.refusal import Refusal, RefusalReason

from .two_view_scenes import FOCAL, HEIGHT, WIDTH, Scene, Shape, camera, make_scene

SEEDS = range(20)


def estimate(scene: Scene, focal: float = FOCAL) -> TwoViewGeometry | Refusal:
    return estimate_two_view(scene.pixels_a, scene.pixels_b, camera(focal), camera(focal), TwoViewConfig())


def rotation_error(found: TwoViewGeometry, scene: Scene) -> float:
    return float(rotation_distance(found.R_b_a, scene.R_b_a))


def least_rotation_rms(scene: Scene, noise_px: float) -> float:
    """Cramer-Rao bound of the rotation error: of all unbiased estimators from these matches, none has a smaller rms."""
    x_a = np.c_[camera().normalise(scene.pixels_a), np.ones(len(scene.pixels_a))]
    x_b = np.c_[camera().normalise(scene.pixels_b), np.ones(len(scene.pixels_b))]
    direction = scene.t_b_a / np.linalg.norm(scene.t_b_a)
    across = np.linalg.svd(direction[None])[2][1:]

    def residual(step: np.ndarray) -> np.ndarray:
        E = skew(direction + step[3:] @ across) @ rotation_exp(step[:3]) @ scene.R_b_a
        lines = np.c_[(x_a @ E.T)[:, :2], (x_b @ E)[:, :2]]
        return np.sum(x_b * (x_a @ E.T), axis=1) / np.linalg.norm(lines, axis=1) * FOCAL / noise_px

    jacobian = np.stack([(residual(1e-6 * e) - residual(-1e-6 * e)) / 2e-6 for e in np.eye(5)], axis=1)
    return float(np.sqrt(np.trace(np.linalg.inv(jacobian.T @ jacobian)[:3, :3])))


@pytest.mark.parametrize(
    ("noise_px", "factor"),
    # The nearer the noise comes to the threshold of 1.5 px, the more true matches are left out.
    [(0.5, 1.5), (1.0, 2.2), (2.0, 4.0)],
)
def test_rotation_error_is_near_the_theoretical_bound(noise_px, factor):
    squared = []
    for seed in SEEDS:
        scene = make_scene(seed, 0.05, noise_px)
        found = estimate(scene)
        assert isinstance(found, TwoViewGeometry)
        assert found.model is MotionModel.GENERAL
        exact = make_scene(seed, 0.05, 0.0)
        squared.append((rotation_error(found, scene) / least_rotation_rms(exact, noise_px)) ** 2)
    # Twenty trials of three dimensions: the rms itself is uncertain by about a tenth.
    assert 0.7 < np.sqrt(np.mean(squared)) < factor


def test_direction_has_the_right_sign():
    for seed in SEEDS:
        scene = make_scene(seed, 0.1, 0.5)
        found = estimate(scene)
        assert direction_distance(found.direction_b_a, scene.t_b_a) < np.deg2rad(2.0)
        assert np.linalg.norm(found.direction_b_a) == pytest.approx(1.0)


def test_outliers_are_told_from_inliers():
    for seed in range(5):
        scene = make_scene(seed, 0.1, 0.5, outliers=80)
        found = estimate(scene)
        assert rotation_error(found, scene) < np.deg2rad(0.3)
        assert found.inliers[:120].mean() > 0.97
        assert found.inliers[120:].mean() < 0.1
        assert found.inlier_count == found.inliers.sum()


@pytest.mark.parametrize("focal_factor", [1.0, 1.05])
@pytest.mark.parametrize("noise_px", [0.5, 1.0])
def test_a_turning_camera_has_a_rotation_and_no_direction(noise_px, focal_factor):
    for seed in SEEDS:
        scene = make_scene(seed, 0.0, noise_px)
        found = estimate(scene, FOCAL * focal_factor)
        assert found.model is MotionModel.ROTATION
        assert found.direction_b_a is None
        assert np.isnan(found.direction_stddev)
        # 200 rays of noise sqrt(2) * 1 px fix the rotation to 0.02 degrees, with a free focal length to about 0.1.
        assert rotation_error(found, scene) < np.deg2rad(0.4 * noise_px)


@pytest.mark.parametrize("baseline", [0.005, 0.01, 0.02, 0.05])
def test_rotation_holds_whatever_motion_is_chosen(baseline):
    errors = []
    for seed in SEEDS:
        scene = make_scene(seed, baseline, 0.5)
        found = estimate(scene)
        if isinstance(found, Refusal):
            assert found.reason is RefusalReason.AMBIGUOUS
            continue
        errors.append(rotation_error(found, scene))
    # A translation of half a percent of the depth that is taken for rotation turns the view by 0.005 rad on average.
    assert np.quantile(errors, 0.9) < np.deg2rad(0.5)


def test_a_clear_baseline_is_never_taken_for_rotation():
    for seed in SEEDS:
        found = estimate(make_scene(seed, 0.05, 0.5))
        assert found.model is MotionModel.GENERAL
        assert found.direction_b_a is not None
        # The parallax of 5 % of the mean depth at depths of 2 to 8 m is between 1.8 and 7.1 degrees at most.
        assert np.deg2rad(0.2) < found.parallax < np.deg2rad(7.2)


def test_a_wrong_focal_length_costs_its_share_of_the_rotation():
    for seed in SEEDS:
        scene = make_scene(seed, 0.05, 0.5)
        # 5 % of the focal length is 5 % of the turn of 15 degrees where only pixels near the axis count; twice that at most.
        assert rotation_error(estimate(scene, 1.05 * FOCAL), scene) < np.deg2rad(2 * 0.05 * 15.0)


def test_a_plane_is_answered_rightly_or_refused_as_ambiguous():
    answered = 0
    for seed in SEEDS:
        scene = make_scene(seed, 0.1, 0.5, Shape.PLANE)
        found = estimate(scene)
        if isinstance(found, Refusal):
            assert found.reason is RefusalReason.AMBIGUOUS
            continue
        answered += 1
        assert found.model is not MotionModel.ROTATION
        if found.direction_b_a is None:
            # Two motions explain the plane; the rotation is one of the two, and its covariance says how far they are apart.
            assert rotation_error(found, scene) < MAX_PLANE_ROTATION_GAP + np.deg2rad(0.5)
            assert rotation_error(found, scene) < 2.5 * np.sqrt(np.trace(found.rotation_covariance))
        else:
            assert rotation_error(found, scene) < np.deg2rad(1.0)
    assert answered >= 2


@pytest.mark.parametrize(("baseline", "noise_px"), [(0.0, 0.5), (0.0, 1.0), (0.05, 0.5), (0.05, 1.0)])
def test_rotation_covariance_against_monte_carlo(baseline, noise_px):
    """Many noises on one motion: errors, measured in predicted standard deviations, have a mean square of 3."""
    squared = []
    for seed in range(40):
        scene = make_scene(seed, baseline, noise_px, motion_seed=1)
        found = estimate(scene)
        error = rotation_log(found.R_b_a @ scene.R_b_a.T)
        squared.append(error @ np.linalg.solve(found.rotation_covariance, error))
    # Forty trials leave an eighth of uncertainty; beyond that, a factor of two in standard deviations.
    assert 3.0 / 2.0**2 < np.mean(squared) < 3.0 * 2.0**2


@pytest.mark.parametrize("noise_px", [0.3, 0.5, 1.0])
def test_noise_is_measured(noise_px):
    measured = [estimate(make_scene(seed, 0.05, noise_px)).residual_px for seed in range(10)]
    assert np.median(measured) == pytest.approx(noise_px, rel=0.15)


@pytest.mark.parametrize("count", [0, 1, 4, 14])
def test_too_few_matches_are_refused(count):
    scene = make_scene(0, 0.1, 0.5)
    found = estimate_two_view(scene.pixels_a[:count], scene.pixels_b[:count], camera(), camera(), TwoViewConfig())
    assert isinstance(found, Refusal)
    assert found.reason is RefusalReason.NO_OVERLAP
    assert found.text == f"{count} matches between the views; 15 are needed"


@pytest.mark.parametrize("count", [20, 100, 300, 1500])
@pytest.mark.parametrize("seed", range(3))
def test_random_matches_are_refused(count, seed):
    rng = np.random.default_rng(seed)
    pixels_a, pixels_b = rng.uniform([0, 0], [WIDTH, HEIGHT], (2, count, 2))
    found = estimate_two_view(pixels_a, pixels_b, camera(), camera(), TwoViewConfig())
    assert isinstance(found, Refusal)
    assert found.reason in (RefusalReason.INCONSISTENT, RefusalReason.AMBIGUOUS)


def test_larger_images_have_larger_keypoint_errors():
    scene = make_scene(0, 0.05, 0.5)
    double = camera().scaled(2 * WIDTH, 2 * HEIGHT)
    pixels_a, pixels_b = 2 * scene.pixels_a + 0.5, 2 * scene.pixels_b + 0.5
    found, same = estimate_two_view(pixels_a, pixels_b, double, double, TwoViewConfig()), estimate(scene)
    assert rotation_distance(found.R_b_a, same.R_b_a) < 1e-3
    assert found.residual_px == pytest.approx(2 * same.residual_px, rel=0.05)
    assert found.inlier_count == pytest.approx(same.inlier_count, abs=3)


def test_gric_by_hand():
    # Residuals of 1 and 3 deviations; the second is capped at 2 (4 - 3) = 2.
    expected = 1.0 + 2.0 + np.log(4) * 3 * 2 + np.log(8) * 5
    assert gric(np.array([0.5, 1.5]), 0.5, 3, 5) == pytest.approx(expected)
