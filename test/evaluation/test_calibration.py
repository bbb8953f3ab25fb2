"""Fitted probabilities: known coefficients come back, scenes are left out whole, too little is refused."""

import numpy as np
import pytest

from interpose_ros.evaluation.calibration import (
    CalibrationError,
    Observation,
    fit_logistic,
    judge,
    left_out_probabilities,
    right_within,
)


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
    found = judge(probability, constant, right)
    assert (found.count, found.right) == (4000, right.sum())
    assert found.brier < 0.8 * found.constant_brier
    assert found.log_loss < 0.8 * found.constant_log_loss
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
    observations = [Observation("a", {}, 0.05), Observation("a", {}, np.inf), Observation("a", {}, 0.1, 0.2)]
    assert right_within(observations, lambda o: o.rotation_error, 0.09).tolist() == [True, False, False]
    assert right_within(observations, lambda o: o.direction_error, 0.3).tolist() == [False, False, True]
