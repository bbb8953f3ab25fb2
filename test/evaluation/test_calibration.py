"""Fitted probabilities: known coefficients come back, scenes are left out whole, too little is refused."""

import numpy as np
import pytest

from interpose_ros.evaluation.calibration import (
    TARGETS,
    CalibrationError,
    Observation,
    error_factor,
    fit_logistic,
    left_out_probabilities,
)
from interpose_ros.evaluation.metrics import brier_score, log_loss


def drawn(count: int, seed: int = 0, scenes: int = 12):
    """Observations whose chance of being right is known: logit = -1 + 2 x - 0.05 y."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=count), rng.normal(size=count) * 30
    right = rng.random(count) < 1 / (1 + np.exp(1.0 - 2.0 * x + 0.05 * y))
    return [
        Observation(f"scene{i % scenes}", {"x": x[i], "y": y[i], "noise": rng.normal()}, 0.01 if right[i] else 1.0)
        for i in range(count)
    ], right


def test_known_coefficients_come_back():
    observations, right = drawn(20_000)
    model = fit_logistic(observations, right, ["x", "y", "noise"])
    # Standard errors of 20000 rows lie near 0.025 (intercept, x) and 0.001 (y).
    assert model.intercept == pytest.approx(-1.0, abs=0.08)
    assert model.weights["x"] == pytest.approx(2.0, abs=0.1)
    assert model.weights["y"] == pytest.approx(-0.05, abs=0.003)
    assert model.weights["noise"] == pytest.approx(0.0, abs=0.07)


def test_left_out_scenes_are_better_than_the_constant_and_calibrated():
    observations, right = drawn(4000, seed=1)
    probability, constant = left_out_probabilities(observations, right, ["x", "y"])
    assert brier_score(probability, right) < 0.8 * brier_score(constant, right)
    assert log_loss(probability, right) < 0.8 * log_loss(constant, right)
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        inside = (probability >= low) & (probability < low + 0.2)
        # Three standard errors of a share of several hundred rows.
        assert probability[inside].mean() == pytest.approx(right[inside].mean(), abs=1.5 / np.sqrt(inside.sum()))


def test_a_scene_does_not_vote_on_itself():
    observations, right = drawn(600, scenes=6)
    flipped = [Observation(o.scene, o.evidence, o.rotation_error) for o in observations]
    other = right.copy()
    own = np.array([o.scene == "scene0" for o in observations])
    other[own] = ~other[own]
    before, _ = left_out_probabilities(observations, right, ["x", "y"])
    after, _ = left_out_probabilities(flipped, other, ["x", "y"])
    np.testing.assert_allclose(before[own], after[own], atol=1e-6)
    assert np.abs(before[~own] - after[~own]).max() > 0.01


def test_too_little_is_refused_with_the_numbers():
    observations, right = drawn(50)
    with pytest.raises(CalibrationError, match=r"12 scenes with .* right and .* wrong"):
        fit_logistic(observations, right, ["x"])
    observations, right = drawn(1000, scenes=3)
    with pytest.raises(CalibrationError, match="3 scenes"):
        fit_logistic(observations, right, ["x"])


def test_no_direction_and_no_truth_are_wrong():
    observations = [Observation("a", {}, 4.9), Observation("a", {}, np.inf, np.inf), Observation("a", {}, 14.0, 9.0)]
    within_5, within_15, direction = TARGETS
    assert within_5.right(observations).tolist() == [True, False, False]
    assert within_15.right(observations).tolist() == [True, False, True]
    assert direction.right(observations).tolist() == [False, False, True]


def test_the_error_factor_makes_ellipsoids_hold_nine_of_ten():
    rng = np.random.default_rng(3)
    lengths = np.linalg.norm(rng.normal(size=(20_000, 3)), axis=1) * 1.7
    # Standard error of the 0.9 quantile of 20000: about 0.5 %.
    assert error_factor(lengths, 3) == pytest.approx(1.7, rel=0.02)
    assert error_factor(np.append(lengths, [np.nan]), 3) == error_factor(lengths, 3)


def test_a_few_right_answers_give_no_error_factor():
    with pytest.raises(CalibrationError, match="29 right answers"):
        error_factor(np.ones(29), 2)


def test_look_alikes_count_as_the_few_that_they_are():
    rng = np.random.default_rng(4)
    x = rng.normal(size=2000)
    right = rng.random(2000) < 0.9
    everyday = [Observation(f"s{k % 10}", {"x": x[k]}, 1.0 if right[k] else 90.0) for k in range(2000)]
    deceptive = [Observation(f"s{k % 10}", {"x": 0.0}, 90.0, look_alike="poster") for k in range(400)]
    together = np.concatenate([right, np.zeros(400, dtype=bool)])
    model = fit_logistic([*everyday, *deceptive], together, ["x"])
    # 400 look-alikes weigh as 6 everyday pairs: 0.9 * 2000 / 2006. All 400 would make it 0.75.
    assert model.probability({"x": 0.0}) == pytest.approx(right.mean() * 2000 / 2006, abs=0.005)
