"""The summary of rows that were made by hand."""

import json

import numpy as np
import pytest

from interpose_ros.evaluation.bootstrap import scene_intervals
from interpose_ros.evaluation.summary import summarise
from interpose_ros.evaluation.summary_text import summary_text

from .rows import candidate, probable, row


def four_pairs():
    """Right, wrong, refused though a hypothesis was right, and refused without any."""
    frames = {"estimator": "features", "interpolator": "recorded"}
    return [
        row(0, [candidate(2.0, selected=True, confidence=probable(0.9)), candidate(1.0, **frames)], rotation=10.0),
        row(1, [candidate(20.0, selected=True, confidence=probable(0.8)), candidate(4.0, **frames)], rotation=50.0),
        row(2, [candidate(3.0, confidence=probable(0.4)), candidate(None, **frames)], rotation=180.0),
        row(3, [candidate(None), candidate(None, **frames)], rotation=60.0, overlap=None),
    ]


def test_headline_figures_by_hand():
    summary = summarise(four_pairs(), 0.8)
    assert (summary["n"], summary["answered"], summary["refused"]) == (4, 2, 2)
    assert summary["mre_deg"] == 11.0
    assert summary["mte_deg"] == {"signed": 11.0, "sign_blind": 11.0}
    assert summary["median_rotation_deg"] == 11.0
    assert [summary["recall_deg"][k]["rotation"] for k in ("5", "15", "30")] == [0.25, 0.25, 0.5]
    assert summary["auc"]["5"] == pytest.approx(0.6 / 4)
    assert summary["auc"]["30"] == pytest.approx((28 / 30 + 10 / 30) / 4)
    assert summary["auc30_min"] == summary["auc"]["30"]
    assert summary["seconds_per_pair"] == 2.0
    assert summary["unrelated"] == {"answered": 0, "of": 0}


def test_bins_hold_every_related_pair_once():
    summary = summarise(four_pairs(), 0.8)
    assert [b["n"] for b in summary["by_rotation"]] == [1, 0, 0, 1, 1, 1]
    assert summary["by_rotation"][-1]["to_deg"] == 180
    assert sum(b["n"] for b in summary["by_overlap"]) == 3  # one pair has no overlap at all
    assert {b["overlap"] for b in summary["by_overlap"]} == {"measured"}
    known = [{**r, "true_overlap": 1.0} for r in four_pairs()]
    assert (
        summarise(known, 0.8)["by_overlap"][-1] | {"n": 4, "overlap": "pair file"}
        == summarise(known, 0.8)["by_overlap"][-1]
    )


def test_hypotheses_oracle_and_regret():
    summary = summarise(four_pairs(), 0.8)
    alone, with_frames = summary["hypotheses"]
    assert (alone["estimator"], alone["frames"], alone["tried"], alone["selected"]) == ("matches", "pair only", 4, 2)
    assert alone["mre_deg"] == pytest.approx(25 / 3)
    assert (with_frames["frames"], with_frames["answered"], with_frames["mre_deg"]) == ("recorded", 2, 2.5)
    assert summary["oracle"]["mre_deg"] == pytest.approx((1 + 4 + 3) / 3)
    assert summary["regret"]["mean_rotation_deg"] == pytest.approx((1 + 16) / 2)
    assert summary["regret"]["refused_though_within_5_deg"] == 1
    assert summary["regret"]["auc"]["30"] == pytest.approx(summary["oracle"]["auc"]["30"] - summary["auc"]["30"])


def test_an_answer_without_direction_misses_it_unless_there_is_none():
    alone = candidate(1.0, selected=True, translation_error_deg=None, translation_error_sign_blind_deg=None)
    moving = summarise([row(0, [alone])], 0.8)
    assert moving["recall_deg"]["30"] == {"rotation": 1.0, "translation": 0.0}
    assert (moving["auc"]["30"], moving["auc30_min"]) == (0.0, 0.0)
    turning = summarise([row(0, [alone], true_direction=False)], 0.8)
    assert turning["recall_deg"]["30"] == {"rotation": 1.0, "translation": None}
    assert turning["auc"]["30"] == turning["auc30_min"] == pytest.approx(29 / 30)


def test_confidence_judges_answers_and_refused_hypotheses_and_unrelated_pairs():
    rows = [
        *four_pairs(),
        row(4, [candidate(None, status="ok", confidence=probable(0.95), selected=True)], related=False),
    ]
    confidence = summarise(rows, 0.8)["confidence"]
    probability, right = np.array([0.9, 0.8, 0.4, 0.95]), np.array([1, 0, 1, 0])
    assert (confidence["n"], confidence["right"]) == (4, 2)
    assert confidence["brier"] == pytest.approx(np.mean((probability - right) ** 2))
    assert confidence["brier_constant"] == pytest.approx(0.25)
    assert confidence["log_loss_constant"] == pytest.approx(np.log(2))
    assert confidence["aurc"] == pytest.approx((1 + 1 / 2 + 2 / 3 + 2 / 4) / 4)
    assert confidence["risk_at_coverage"] == pytest.approx({"25": 1, "50": 1 / 2, "75": 2 / 3, "100": 2 / 4})
    accepts = confidence["false_accepts"]
    assert (accepts["accepted"], accepts["more_than_15_deg_off"]) == (3, 2)  # 20 degrees off, and unrelated
    assert accepts["upper_95"] == pytest.approx(0.983, abs=1e-3)
    assert confidence["calibration_ids"] == ["test"]


def test_uncalibrated_answers_are_counted_and_not_judged():
    rows = [
        row(
            0,
            [
                candidate(1.0, selected=True, confidence=probable(None, "UNCALIBRATED")),
                candidate(9.0, confidence=probable(0.9)),
            ],
        )
    ]
    confidence = summarise(rows, 0.8)["confidence"]
    assert (confidence["n"], confidence["uncalibrated"], confidence["brier"]) == (0, 1, None)


def test_what_was_made_for_comparison_changes_no_answer_and_no_confidence():
    rows = four_pairs()
    more = [
        {**r, "candidates": [*r["candidates"], candidate(0.1, estimator="x", weighed=False, confidence=probable(1.0))]}
        for r in rows
    ]
    plain, with_more = summarise(rows, 0.8), summarise(more, 0.8)
    assert with_more["confidence"] == plain["confidence"]
    assert with_more["auc"] == plain["auc"]
    assert with_more["oracle"]["mre_deg"] == pytest.approx(0.1)


def test_ellipsoid_coverage():
    inside = {"rotation_inside_90": True, "direction_inside_90": None}
    outside = {"rotation_inside_90": False, "direction_inside_90": True}
    rows = [
        row(k, [candidate(1.0, selected=True, normalised_error=e)]) for k, e in enumerate([inside, inside, outside])
    ]
    coverage = summarise(rows, 0.8)["ellipsoid_coverage_90"]
    assert coverage == {"rotation": {"share": pytest.approx(2 / 3), "n": 3}, "direction": {"share": 1.0, "n": 1}}


def test_intervals_are_over_scenes():
    def rows_of(scene_count, per_scene):
        random = np.random.default_rng(5)
        errors = np.repeat(random.uniform(0, 20, scene_count), per_scene)  # pairs of a scene tell the same
        return [row(k, [candidate(float(e), selected=True)], scene=str(k // per_scene)) for k, e in enumerate(errors)]

    few, many = (summarise(rows_of(20, n), 0.8, 300)["intervals"]["figures"]["mre_deg"] for n in (1, 10))
    assert few == pytest.approx(many, rel=1e-6), "more pairs of the same scenes do not narrow an interval"
    assert few[0] < summarise(rows_of(20, 1), 0.8)["mre_deg"] < few[1]
    assert summarise(rows_of(4, 5), 0.8)["intervals"]["figures"] == {}


def test_bootstrap_interval_is_that_of_the_mean():
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    found = scene_intervals(lambda k: {"mean": float(values[k].mean())}, [str(k) for k in range(400)], 1)
    assert found["mean"] == pytest.approx((values.mean() - 1.96 * 0.1, values.mean() + 1.96 * 0.1), abs=0.02)


@pytest.mark.parametrize("rows", [[], four_pairs(), [row(0, [candidate(None)], related=False)]])
def test_every_summary_is_plain_json_and_prints(rows):
    summary = summarise(rows, 0.8, 20)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert f"pairs {len(rows)}" in summary_text(summary)
