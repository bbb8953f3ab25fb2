"""Confidence: probabilities from evidence, and never a number where none was calibrated."""

import json
import math
from pathlib import Path

import pytest

from interpose_ros.selection.confidence import (
    UNCALIBRATED_CONFIDENCE,
    LogisticModel,
    load_calibration,
    shipped_calibrations,
)

MODEL = {"intercept": -1.0, "weights": {"inliers": 0.5, "coverage": 2.0}}
DATA = {
    "calibration_id": "matches-1",
    "branch": "matches",
    "estimator": "features",
    "rotation_5deg": MODEL,
    "rotation_15deg": {"intercept": 0.0, "weights": {}},
    "direction_10deg": MODEL,
    "description": "30 pairs",
    "rotation_error_factor": 2.0,
    "direction_error_factor": 3,
}


def write(path: Path, data: object) -> Path:
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_probability_by_hand():
    model = LogisticModel(-1.0, {"inliers": 0.5, "coverage": 2.0})
    assert model.probability({"inliers": 2.0, "coverage": 0.0}) == pytest.approx(0.5)
    assert model.probability({"inliers": 2.0, "coverage": 0.5, "other": 9.0}) == pytest.approx(1 / (1 + math.exp(-1)))
    assert model.probability({"inliers": 1e9, "coverage": 0.0}) == pytest.approx(1.0)
    assert model.probability({"inliers": -1e9, "coverage": 0.0}) == pytest.approx(0.0)


def test_evidence_that_was_not_measured_gives_no_probability():
    model = LogisticModel(-1.0, {"inliers": 0.5})
    assert math.isnan(model.probability({}))
    assert math.isnan(model.probability({"inliers": math.nan}))


def test_a_calibration_file_answers(tmp_path):
    calibration = load_calibration(write(tmp_path / "a.json", DATA))
    found = calibration.confidence({"inliers": 2.0, "coverage": 0.5}, has_direction=True)
    assert found.rotation_5deg == found.direction_10deg == pytest.approx(1 / (1 + math.exp(-1)))
    # Its own model says 0.5, but what is within 5 degrees is within 15.
    assert found.rotation_15deg == found.rotation_5deg
    assert found.is_calibrated
    assert math.isnan(calibration.confidence({"inliers": 2.0, "coverage": 0.5}, has_direction=False).direction_10deg)
    assert (calibration.rotation_error_factor, calibration.direction_error_factor) == (2.0, 3.0)


def test_uncalibrated_has_no_numbers():
    assert not UNCALIBRATED_CONFIDENCE.is_calibrated
    numbers = (
        UNCALIBRATED_CONFIDENCE.rotation_5deg,
        UNCALIBRATED_CONFIDENCE.rotation_15deg,
        UNCALIBRATED_CONFIDENCE.direction_10deg,
    )
    assert all(math.isnan(number) for number in numbers)


@pytest.mark.parametrize(
    "data",
    [
        [],
        {},
        {key: value for key, value in DATA.items() if key != "branch"},
        DATA | {"rotation_5deg": {"intercept": "high", "weights": {}}},
        DATA | {"rotation_5deg": {"intercept": 0.0, "weights": [1.0]}},
        DATA | {"rotation_error_factor": None},
    ],
)
def test_a_broken_file_is_named(tmp_path, data):
    with pytest.raises(ValueError, match=r"broken\.json is not a calibration file"):
        load_calibration(write(tmp_path / "broken.json", data))


def test_what_is_no_json_is_named(tmp_path):
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"broken\.json is not a calibration file"):
        load_calibration(tmp_path / "broken.json")


def test_shipped_calibrations_tell_strong_from_weak_evidence():
    shipped = shipped_calibrations()
    assert set(shipped) == {("matches", "matches"), ("matches", "matches_second")}
    strong = {"log_inliers": math.log(500), "inlier_ratio": 0.85, "coverage": 0.6, "match_score": 0.8}
    weak = {"log_inliers": math.log(20), "inlier_ratio": 0.4, "coverage": 0.1, "match_score": 0.3}
    for calibration in shipped.values():
        high, low = (calibration.confidence(evidence, has_direction=True) for evidence in (strong, weak))
        assert high.rotation_5deg > 0.97
        assert low.rotation_5deg < 0.1
        assert 0.0 <= low.rotation_5deg <= low.rotation_15deg <= high.rotation_15deg <= 1.0
        assert 1.0 <= calibration.rotation_error_factor < 5.0


def test_shipped_calibrations_are_filed_under_what_they_are_for():
    for (branch, estimator), calibration in shipped_calibrations().items():
        assert (calibration.branch, calibration.estimator) == (branch, estimator)
        assert calibration.description
