"""Confidence: probabilities from evidence, and never a number where none was calibrated."""

import json
import math
from pathlib import Path

import pytest

from interpose_ros.selection.confidence import (
    UNCALIBRATED_CONFIDENCE,
    LogisticModel,
    calibrations_in,
    fitting_calibrations,
    load_calibration,
    shipped_calibrations,
)

MODEL = {"intercept": -1.0, "weights": {"inliers": 0.5, "coverage": 2.0}}
DATA = {
    "calibration_id": "matches-1",
    "branch": "matches",
    "estimator": "features",
    "model_hash": "0123",
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


def test_logarithms_of_evidence_by_hand():
    model = LogisticModel(0.0, {"log:inliers": 1.0})
    # 1 / (1 + exp(-log x)) = x / (x + 1)
    assert model.probability({"inliers": 4.0}) == pytest.approx(0.8)
    assert model.probability({"inliers": 0.0}) == pytest.approx(1e-3 / 1.001)
    assert math.isnan(model.probability({"log:inliers": 4.0}))


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
        {key: value for key, value in DATA.items() if key != "model_hash"},
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
    assert set(shipped) == {("matches", "matches"), ("matches", "matches_second"), ("frames", "features")}
    strong = {
        "inliers": 500.0,
        "inlier_ratio": 0.85,
        "coverage": 0.6,
        "match_score": 0.8,
        "spread": 0.25,
        "rotation_only": 0.0,
        "bridge_inliers": 400.0,
        "bridge_ratio": 0.8,
        "bridge_coverage": 0.5,
        "bridge_score": 0.7,
        "bridge_links": 3.0,
        "contradiction": 0.0,
        "disagreement": 0.01,
    }
    weak = {
        "inliers": 20.0,
        "inlier_ratio": 0.4,
        "coverage": 0.1,
        "match_score": 0.3,
        "spread": 0.1,
        "rotation_only": 0.0,
        "bridge_inliers": 50.0,
        "bridge_ratio": 0.5,
        "bridge_coverage": 0.08,
        "bridge_score": 0.3,
        "bridge_links": 1.0,
        "contradiction": 0.2,
        "disagreement": 0.5,
    }
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


KEY = ("matches", "features")


def test_a_calibration_for_another_model_is_left_out_and_the_log_says_why(tmp_path, caplog):
    write(tmp_path / "a.json", DATA)
    known = calibrations_in(tmp_path)
    assert set(fitting_calibrations(known, {KEY: "0123"})) == {KEY}
    assert not caplog.records
    assert fitting_calibrations(known, {KEY: "4567"}) == {}
    assert "matches-1: answers of features in the branch matches stay UNCALIBRATED" in caplog.text
    assert "0123" in caplog.text
    assert "4567" in caplog.text


def test_what_has_no_calibration_and_what_is_not_in_use_is_not_worth_a_word(tmp_path, caplog):
    write(tmp_path / "a.json", DATA)
    known = calibrations_in(tmp_path)
    assert fitting_calibrations(known, {("frames", "dust3r"): "0123"}) == {}
    assert fitting_calibrations({}, {KEY: "0123"}) == {}
    assert not caplog.records


def test_two_files_for_the_same_are_refused(tmp_path):
    write(tmp_path / "a.json", DATA)
    write(tmp_path / "b.json", DATA)
    with pytest.raises(ValueError, match="two calibrations for features in the branch matches"):
        calibrations_in(tmp_path)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match="none is not a folder of calibrations"):
        calibrations_in(tmp_path / "none")
