"""Figures on numbers that were worked out by hand."""

import numpy as np
import pytest

from interpose_ros.evaluation import metrics

ERRORS = np.array([1.0, 4.0, 10.0, np.inf])


def test_recall_counts_misses_and_leaves_out_what_does_not_exist():
    assert metrics.recall(ERRORS, 5.0) == 0.5
    assert metrics.recall(ERRORS, 10.0) == 0.75
    assert metrics.recall(np.array([np.nan, 4.0]), 5.0) == 1.0
    assert np.isnan(metrics.recall(np.array([np.nan]), 5.0))


def test_area_under_recall_is_that_of_the_step_curve():
    # To 5 degrees: 0.8 of the way at error 1, 0.2 at error 4, nothing for the others.
    assert metrics.area_under_recall(ERRORS, 5.0) == pytest.approx((0.8 + 0.2) / 4)
    assert metrics.area_under_recall(np.zeros(3), 5.0) == 1.0
    steps = np.linspace(0, 30, 300_001)
    drawn = np.mean([metrics.recall(ERRORS, limit) for limit in steps[:: 300_000 // 3000]])
    assert metrics.area_under_recall(ERRORS, 30.0) == pytest.approx(drawn, abs=1e-3)


def test_larger_error_is_the_rotation_alone_where_there_is_no_direction():
    larger = metrics.larger_error(np.array([3.0, 3.0, 3.0]), np.array([7.0, np.nan, np.inf]))
    assert larger.tolist() == [7.0, 3.0, np.inf]


def test_means_and_medians_are_of_the_answers():
    assert metrics.mean_of_finite(ERRORS) == 5.0
    assert metrics.median_of_finite(ERRORS) == 4.0
    assert np.isnan(metrics.mean_of_finite(np.array([np.inf])))


def test_brier_and_log_loss():
    probability, right = np.array([0.9, 0.6]), np.array([True, False])
    assert metrics.brier_score(probability, right) == pytest.approx((0.01 + 0.36) / 2)
    assert metrics.log_loss(probability, right) == pytest.approx(-(np.log(0.9) + np.log(0.4)) / 2)
    assert metrics.log_loss(np.array([1.0]), np.array([False])) == pytest.approx(-np.log(1e-6), rel=1e-9)


def test_calibration_error_by_hand():
    probability = np.array([0.2, 0.2, 0.8, 0.8])
    outcome = np.array([0.0, 1.0, 1.0, 1.0])
    # Two bins of two: |0.5 - 0.2| and |1 - 0.8|, half of the rows each.
    assert metrics.expected_calibration_error(probability, outcome, bins=2) == pytest.approx(0.25)
    draws = np.stack([outcome, np.array([0.0, 0.0, 1.0, 1.0])])
    assert metrics.expected_calibration_error(probability, draws, bins=2) == pytest.approx([0.25, 0.2])


def test_noise_floor_is_what_perfect_probabilities_show():
    probability = np.random.default_rng(1).random(400)
    mean, upper = metrics.calibration_error_noise_floor(probability, seed=2)
    outcome = (np.random.default_rng(3).random(400) < probability).astype(float)
    assert 0.01 < mean < 0.06 < upper + 0.02
    assert metrics.expected_calibration_error(probability, outcome) < upper + 0.01
    assert metrics.expected_calibration_error(probability, 1.0 - outcome) > 3 * upper
    small, _ = metrics.calibration_error_noise_floor(np.tile(probability, 25), seed=2)
    assert small == pytest.approx(mean / 5, rel=0.15)


def test_risk_by_coverage_and_its_area():
    score, wrong = np.array([0.1, 0.9, 0.5, 0.7]), np.array([True, False, True, False])
    assert metrics.risk_by_coverage(score, wrong) == pytest.approx([0, 0, 1 / 3, 0.5])
    assert metrics.area_under_risk_coverage(score, wrong) == pytest.approx((0 + 0 + 1 / 3 + 0.5) / 4)
    assert metrics.risk_at_coverage(score, wrong, 0.75) == pytest.approx(1 / 3)
    assert metrics.risk_at_coverage(score, wrong, 0.25) == 0.0


def test_order_of_ties_does_not_matter():
    score = np.array([0.5, 0.5, 0.5, 0.2])
    for wrong in ([True, False, False, True], [False, False, True, True]):
        assert metrics.risk_by_coverage(score, np.array(wrong)) == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0.5])


def test_clopper_pearson_agrees_with_published_values():
    # Rule of three: none of 100 bounds the share by 1 - 0.05^(1/100).
    assert metrics.clopper_pearson_upper(0, 100) == pytest.approx(1 - 0.05 ** (1 / 100))
    low, high = metrics.clopper_pearson_interval(10, 100)
    assert (low, high) == pytest.approx((0.0490, 0.1762), abs=5e-5)
    assert metrics.clopper_pearson_upper(4, 4) == 1.0
    assert metrics.clopper_pearson_upper(0, 0) == 1.0


def test_nothing_gives_no_figure():
    none, no_flags = np.zeros(0), np.zeros(0, bool)
    assert np.isnan(metrics.area_under_recall(none, 5.0))
    assert np.isnan(metrics.brier_score(none, no_flags))
    assert np.isnan(metrics.area_under_risk_coverage(none, no_flags))
    assert np.isnan(metrics.risk_at_coverage(none, no_flags, 0.5))
    assert np.isnan(metrics.calibration_error_noise_floor(none, 0)[0])
