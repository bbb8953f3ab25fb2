"""What `interpose calibrate` writes: a file that the loader takes, and figures that hold on data with known chances."""

import json
import math
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from interpose_ros.cli import main
from interpose_ros.evaluation.calibrate_command import calibration
from interpose_ros.evaluation.calibration import CalibrationError, Observation
from interpose_ros.evaluation.observations import Subject, observations_by_subject
from interpose_ros.evaluation.reliability_diagram import reliability_svg
from interpose_ros.exit_status import EXIT_FAILED
from interpose_ros.selection.confidence import load_calibration

SUBJECT = Subject("matches", "matches", "0123456789abcdef")


def observed(count: int, understated: float, seed: int = 0) -> list[Observation]:
    """Strong evidence mostly comes with small errors; predicted deviations are too small by a known factor."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        strength = rng.normal()
        right = rng.random() < 1 / (1 + math.exp(-3 * strength))
        evidence = {
            "inliers": math.exp(5 + strength + rng.normal()), "inlier_ratio": 0.6 * math.exp(0.2 * strength),
            "coverage": 0.3 * math.exp(0.5 * strength + 0.5 * rng.normal()), "match_score": 0.5, "spread": 0.2,
            "rotation_only": 0.0,
        }  # fmt: skip
        lengths = [float(np.linalg.norm(rng.normal(size=n)) * understated) for n in (3, 2)]
        error = rng.uniform(0.1, 4.0) if right else rng.uniform(30.0, 150.0)
        rows.append(Observation(f"scene{number % 10:02d}", evidence, error, error, *lengths))
    return rows


@pytest.fixture(scope="module")
def content():
    return calibration(SUBJECT, observed(1500, understated=2.0), "made up", 0.8, draws=100)


def test_the_file_is_loaded_and_tells_right_from_wrong(tmp_path, content):
    (tmp_path / "a.json").write_text(json.dumps(content), encoding="utf-8")
    loaded = load_calibration(tmp_path / "a.json")
    assert (loaded.branch, loaded.estimator, loaded.model_hash) == ("matches", "matches", "0123456789abcdef")
    assert "made up; 1500 estimates from 10 scenes" in loaded.description
    weak, strong = (
        loaded.confidence(
            {
                "inliers": math.exp(5 + x),
                "inlier_ratio": 0.6 * math.exp(0.2 * x),
                "coverage": 0.3 * math.exp(0.5 * x),
                "match_score": 0.5,
                "spread": 0.2,
                "rotation_only": 0.0,
            },
            True,
        )
        for x in (-1.0, 1.0)
    )
    # Made with 1 / (1 + exp(+-3)).
    assert weak.rotation_5deg == pytest.approx(0.047, abs=0.03)
    assert strong.rotation_5deg == pytest.approx(0.953, abs=0.03)
    # The 0.9 quantile of 600 answers: about 2 % of standard error.
    assert loaded.rotation_error_factor == pytest.approx(2.0, rel=0.08)
    assert loaded.direction_error_factor == pytest.approx(2.0, rel=0.1)


def test_held_out_figures_claim_what_holds_and_no_more(content):
    judged = content["left_out_scenes"]
    rotation = judged["rotation_5deg"]
    assert rotation["brier"] < 0.75 * rotation["brier_constant"]
    assert rotation["brier_gain"]["holds"]
    assert rotation["log_loss_gain"]["holds"]
    ranked = judged["risk_coverage"]
    # The matches' number and the coverage are noisy views of what the probability sees whole.
    assert ranked["gain_over_inliers"]["holds"]
    assert ranked["gain_over_overlap"]["holds"]
    assert ranked["area"] < ranked["area_by_overlap"]
    everyday = judged["published"]["everyday"]
    assert everyday["estimates"] == 1500
    # Of what is published at 0.8, a few percent are wrong, all by more than 15 degrees.
    assert 0.01 < everyday["share"] < everyday["upper_95"] < 0.15
    for ellipsoid in judged["ellipsoid_coverage_90"].values():
        assert ellipsoid["share"] == pytest.approx(0.9, abs=0.03)
        assert ellipsoid["holds_80_to_97"]
    for bin_ in judged["reliability"]:
        assert bin_["interval_95"][0] <= bin_["right"] <= bin_["interval_95"][1]
    assert sum(bin_["count"] for bin_ in judged["reliability"]) == 1500


def test_evidence_that_says_nothing_gains_nothing():
    rng = np.random.default_rng(5)
    names = ("inliers", "inlier_ratio", "coverage", "match_score", "spread", "rotation_only")
    rows = [
        Observation(f"scene{k % 10:02d}", {n: float(rng.uniform(0.1, 1.0)) for n in names}, e, e, 1.0, 1.0)
        for k, e in enumerate(np.where(rng.random(800) < 0.9, 1.0, 90.0))
    ]
    judged = calibration(SUBJECT, rows, "noise", 0.8, draws=100)["left_out_scenes"]
    assert not judged["rotation_5deg"]["brier_gain"]["holds"]
    assert not judged["risk_coverage"]["gain_over_inliers"]["holds"]


def test_look_alikes_are_counted_apart():
    rows = observed(500, 1.0)
    sure = {
        "inliers": 3000.0,
        "inlier_ratio": 0.9,
        "coverage": 0.6,
        "match_score": 0.5,
        "spread": 0.2,
        "rotation_only": 0.0,
    }
    rows += [Observation(f"scene{k:02d}", sure, 90.0, math.nan, math.nan, math.nan, "tiled_facade") for k in range(4)]
    published = calibration(SUBJECT, rows, "made up", 0.8, draws=100)["left_out_scenes"]["published"]
    facade = published["look_alikes"]["tiled_facade"]
    assert (facade["estimates"], facade["accepted"], facade["false"]) == (4, 4, 4)
    assert published["everyday"]["estimates"] == 500


def test_too_little_says_of_what():
    with pytest.raises(CalibrationError, match="rotation_5deg: 10 scenes with"):
        calibration(SUBJECT, observed(30, 1.0), "made up", 0.8, draws=100)


def test_rows_of_refusals_tell_nothing_and_strangers_are_infinitely_wrong():
    row = {
        "branch": "matches",
        "estimator": "matches",
        "model_hash": "0",
        "scene": "s",
        "look_alike": "",
        "related": False,
    }
    rows = [
        row | {"evidence": None},
        row | {"evidence": {"inliers": 3.0, "parallax": None}, "has_direction": True},
        row | {"evidence": {"inliers": 3.0}, "has_direction": False},
    ]
    [(subject, seen)] = observations_by_subject(rows).items()
    assert subject == Subject("matches", "matches", "0")
    assert [o.rotation_error for o in seen] == [math.inf, math.inf]
    assert seen[0].direction_error == math.inf
    assert math.isnan(seen[1].direction_error)
    assert math.isnan(seen[0].evidence["parallax"])


def test_the_diagram_shows_every_bin_and_escapes_names(tmp_path):
    bins = [{"count": 10, "probability": 0.2, "right": 0.1, "interval_95": [0.0, 0.4]}] * 3
    root = ET.fromstring(reliability_svg("<script>", "a & b", bins))
    circles = root.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 3
    # Said 0.2 and right 0.1: below the diagonal, which runs from (48, 272) to (272, 48).
    assert float(circles[0].get("cx")) == pytest.approx(48 + 0.2 * 224)
    assert float(circles[0].get("cy")) == pytest.approx(272 - 0.1 * 224)


def test_a_missing_pair_file_is_a_sentence(tmp_path: Path, capsys):
    status = main(["calibrate", str(tmp_path / "none.json"), "--out", str(tmp_path), "--data", "x"])
    assert status == EXIT_FAILED
    assert "none.json cannot be read" in capsys.readouterr().err
