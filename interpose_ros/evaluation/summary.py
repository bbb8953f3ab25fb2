"""summary.json: the figures of a run, from its rows alone. ``docs/evaluation.md`` says what each of them is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from interpose_ros.evaluation.accuracy import Accuracy, accuracy_figures, accuracy_of
from interpose_ros.evaluation.bootstrap import MIN_SCENES, scene_intervals
from interpose_ros.evaluation.confidence_figures import Judged, confidence_summary, judged_rows, ranking_figures
from interpose_ros.evaluation.hypotheses import hypotheses_by_kind, oracle_hypotheses

SEED = 0
ROTATION_BINS_DEG = ((0, 15), (15, 30), (30, 45), (45, 60), (60, 90), (90, 180))
OVERLAP_BINS = ((0.0, 0.05), (0.05, 0.1), (0.1, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0))

Row = Mapping[str, Any]


def summarise(rows: Sequence[Row], publish_threshold: float, bootstrap_draws: int = 1000) -> dict[str, Any]:
    """Figures of a run. A number that does not exist is null.

    Args:
        rows: of rows.jsonl, in any order.
        publish_threshold: least probability of a rotation within 5 degrees that is published.
        bootstrap_draws: of scenes, for the intervals.
    """
    rows = sorted(rows, key=lambda row: row["pair"])
    related = [row for row in rows if row["related"]]
    unrelated = [row for row in rows if not row["related"]]
    answers = accuracy_of(related, related)
    oracle = accuracy_of(oracle_hypotheses(related), related)
    judged = judged_rows(rows)
    summary = {
        "n": len(rows),
        **answers.summary(),
        "by_rotation": _by_rotation(related),
        "by_overlap": _by_overlap(related),
        "unrelated": {"answered": sum(row["answered"] for row in unrelated), "of": len(unrelated)},
        "confidence": confidence_summary(judged, publish_threshold, SEED),
        "ellipsoid_coverage_90": _coverage(related),
        "seconds_per_pair": _median([row["seconds"] for row in rows]),
        "stage_seconds": _stage_seconds(rows),
        "hypotheses": [
            {**kind, **accuracy_of(rows_of_kind, related).summary()}
            for kind, rows_of_kind in hypotheses_by_kind(related)
        ],
        "oracle": oracle.summary(),
        "regret": _regret(answers, oracle),
        "scenes": len({row["scene"] for row in rows}),
        "intervals": _intervals(rows, related, answers, oracle, judged, bootstrap_draws),
    }
    return dict(_plain(summary))


def _by_rotation(related: Sequence[Row]) -> list[dict[str, Any]]:
    bins = []
    for low, high in ROTATION_BINS_DEG:
        inside = [r for r in related if low <= r["true_rotation_deg"] < high or r["true_rotation_deg"] == high == 180]
        bins.append({"from_deg": low, "to_deg": high, "n": len(inside), **accuracy_of(inside, inside).summary()})
    return bins


def _by_overlap(related: Sequence[Row]) -> list[dict[str, Any]]:
    """By the pair file's overlap where it has one for every pair, else by the one that was measured."""
    source = "true_overlap" if related and all(row["true_overlap"] is not None for row in related) else "overlap"
    bins = []
    for low, high in OVERLAP_BINS:
        inside = [
            row
            for row in related
            if row[source] is not None and (low <= row[source] < high or row[source] == high == 1)
        ]
        label = "pair file" if source == "true_overlap" else "measured"
        bins.append(
            {"from": low, "to": high, "overlap": label, "n": len(inside), **accuracy_of(inside, inside).summary()}
        )
    return bins


def _coverage(related: Sequence[Row]) -> dict[str, Any]:
    """Share of the answers with the truth inside their 90 % ellipsoid."""
    errors = [row["normalised_error"] for row in related if row["normalised_error"] is not None]
    coverage = {}
    for name in ("rotation", "direction"):
        inside = [error[f"{name}_inside_90"] for error in errors if error[f"{name}_inside_90"] is not None]
        coverage[name] = {"share": float(np.mean(inside)) if inside else math.nan, "n": len(inside)}
    return coverage


def _stage_seconds(rows: Sequence[Row]) -> dict[str, float]:
    """Mean over all pairs; a stage that a pair did not need took none of its time."""
    stages = {stage for row in rows for stage in row["stage_seconds"]}
    return {stage: float(np.mean([row["stage_seconds"].get(stage, 0.0) for row in rows])) for stage in sorted(stages)}


def _regret(answers: Accuracy, oracle: Accuracy) -> dict[str, Any]:
    """What the best of all hypotheses, chosen with the truth, would have gained."""
    of_answers, of_oracle = answers.summary(), oracle.summary()
    both = np.isfinite(answers.rotation) & np.isfinite(oracle.rotation)
    gap = answers.rotation[both] - oracle.rotation[both]
    return {
        "mean_rotation_deg": float(gap.mean()) if gap.size else math.nan,
        "of": int(both.sum()),
        "auc": {limit: of_oracle["auc"][limit] - of_answers["auc"][limit] for limit in of_answers["auc"]},
        "refused_though_within_5_deg": int(np.sum(np.isinf(answers.rotation) & (oracle.rotation <= 5.0))),
    }


def _intervals(
    rows: Sequence[Row],
    related: Sequence[Row],
    answers: Accuracy,
    oracle: Accuracy,
    judged: Judged,
    draws: int,
) -> dict[str, Any]:
    """95 % intervals of the figures above, by their names with dots in between, over draws of scenes."""
    found = scene_intervals(
        lambda k: {**accuracy_figures(answers.rows(k)), "regret.auc.30": _auc_gap(answers.rows(k), oracle.rows(k))},
        [row["scene"] for row in related],
        SEED,
        draws,
    )
    found |= scene_intervals(lambda k: ranking_figures(judged.rows(k)), judged.scenes, SEED, draws)
    inside = [row for row in related if row["normalised_error"] is not None]
    for name in ("rotation", "direction"):
        known = [row for row in inside if row["normalised_error"][f"{name}_inside_90"] is not None]
        flags = np.array([row["normalised_error"][f"{name}_inside_90"] for row in known], dtype=np.float64)
        found |= scene_intervals(
            lambda k, flags=flags, name=name: {f"ellipsoid_coverage_90.{name}": float(flags[k].mean())},  # type: ignore[misc]
            [row["scene"] for row in known],
            SEED,
            draws,
        )
    return {
        "level": 0.95,
        "method": f"percentile bootstrap over scenes, {draws} draws, seed {SEED}; none with fewer than {MIN_SCENES} scenes",
        "figures": {name: list(interval) for name, interval in sorted(found.items())},
    }


def _auc_gap(answers: Accuracy, oracle: Accuracy) -> float:
    return oracle.area(30.0) - answers.area(30.0)


def _median(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else math.nan


def _plain(value: Any) -> Any:
    """The same with null for numbers that do not exist."""
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value
