"""What `interpose calibrate` writes: a file that the loader takes, and factors that undo a wrong prediction of errors."""

import json
import math

import numpy as np
import pytest

from interpose_ros.cli import main
from interpose_ros.evaluation.calibrate_command import calibration
from interpose_ros.evaluation.calibration import CalibrationError, Observation
from interpose_ros.exit_status import EXIT_FAILED
from interpose_ros.selection.confidence import load_calibration


def observed(count: int, understated: float, seed: int = 0) -> list[Observation]:
    """Strong evidence mostly comes with small errors; predicted deviations are too small by a known factor."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        strength = rng.normal()
        right = rng.random() < 1 / (1 + math.exp(-3 * strength))
        stddev = rng.uniform(0.002, 0.006)
        # A rotation error has three normal components, a direction error two; both predictions are totals.
        turn = (
            np.linalg.norm(rng.normal(size=3)) * understated * stddev / math.sqrt(3) if right else rng.uniform(0.5, 3.0)
        )
        aside = (
            np.linalg.norm(rng.normal(size=2)) * understated * stddev / math.sqrt(2) if right else rng.uniform(0.5, 3.0)
        )
        evidence = {
            "log_inliers": 5 + strength, "inlier_ratio": 0.6, "coverage": 0.3 + 0.05 * strength, "match_score": 0.5,
            "rotation_stddev": stddev, "direction_stddev": stddev,
        }  # fmt: skip
        rows.append(Observation(f"scene{number % 10}", evidence, float(turn), float(aside)))
    return rows


def test_the_file_is_loaded_and_tells_right_from_wrong(tmp_path):
    content = calibration("matches", observed(2000, understated=2.0), "made up")
    (tmp_path / "a.json").write_text(json.dumps(content), encoding="utf-8")
    loaded = load_calibration(tmp_path / "a.json")
    assert (loaded.branch, loaded.estimator) == ("matches", "matches")
    assert "made up; 2000 estimates from 10 scenes" in loaded.description
    weak, strong = (
        loaded.confidence({"log_inliers": x, "inlier_ratio": 0.6, "coverage": c, "match_score": 0.5}, True)
        for x, c in ((4.0, 0.25), (6.0, 0.35))
    )
    # Made with 1 / (1 + exp(+-3)).
    assert weak.rotation_5deg == pytest.approx(0.047, abs=0.03)
    assert strong.rotation_5deg == pytest.approx(0.953, abs=0.03)
    # Medians of 1000 right rows: about 2 % of standard error.
    assert loaded.rotation_error_factor == pytest.approx(2.0, rel=0.06)
    assert loaded.direction_error_factor == pytest.approx(2.0, rel=0.08)
    judged = content["left_out_scenes"]["rotation_5deg"]
    assert judged["brier"] < 0.75 * judged["constant_brier"]


def test_too_little_names_the_estimator():
    with pytest.raises(CalibrationError, match="matches_second, rotation_5deg: 10 scenes with"):
        calibration("matches_second", observed(20, 1.0), "made up")


def test_a_missing_pair_file_is_a_sentence(tmp_path, capsys):
    status = main(["calibrate", str(tmp_path / "none.json"), "--out", str(tmp_path), "--data", "x"])
    assert status == EXIT_FAILED
    assert "none.json cannot be read" in capsys.readouterr().err
