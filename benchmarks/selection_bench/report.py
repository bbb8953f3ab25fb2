"""Rates over pairs, with intervals over pairs and over scenes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import beta

from selection_bench.distractors import HELD_OUT, TRUE_KINDS
from selection_bench.run import OURS

Row = dict[str, Any]
Outcome = dict[str, Any]

RIGHT_DEG, WRONG_DEG = 5.0, 15.0


def report(rows: Sequence[Row]) -> dict[str, Any]:
    """All figures of a run, for all pairs and for either part, with their cost."""
    parts = sorted({row["part"] for row in rows})
    return {
        **_figures(rows),
        "by_part": {part: _figures([row for row in rows if row["part"] == part]) for part in parts},
        "intervals_95": _intervals(rows),
        "right_is_within_deg": RIGHT_DEG,
        "wrong_is_beyond_deg": WRONG_DEG,
        "held_out_distractors": list(HELD_OUT),
        "scenes": {scene: sum(row["scene"] == scene for row in rows) for scene in sorted({r["scene"] for r in rows})},
        "cost": {
            "cpu_seconds": sum(row["cpu_seconds"] for row in rows),
            "image_pairs_matched": sum(row["image_pairs_matched"] for row in rows),
            "per_pair": _work(rows),
        },
    }


def _figures(rows: Sequence[Row]) -> dict[str, Any]:
    selectors = list(rows[0]["outcomes"]["with_true"])
    with_true: Callable[[Callable[[Outcome], bool]], dict[str, float]] = lambda test: {  # noqa: E731
        name: float(np.mean([test(row["outcomes"]["with_true"][name]) for row in rows])) for name in selectors
    }
    return {
        "pairs": len(rows),
        "true_clip_rate": {
            name: rate for name, rate in with_true(_is_true_clip).items() if name != "mean"
        },  # a mean has no clip
        "within_5_deg": with_true(lambda outcome: within(outcome, RIGHT_DEG)),
        "within_15_deg": with_true(lambda outcome: within(outcome, WRONG_DEG)),
        "wrong_answer_rate": with_true(is_wrong),
        "median_rotation_deg": {name: _median(rows, name, "rotation_deg") for name in selectors},
        "median_direction_deg": {name: _median(rows, name, "direction_deg") for name in selectors},
        "no_true_clip_refused_or_right": {
            name: float(np.mean([refused_or_right(row["outcomes"]["without_true"][name]) for row in rows]))
            for name in selectors
        },
        "no_true_clip_wrong_answer_rate": {
            name: float(np.mean([is_wrong(row["outcomes"]["without_true"][name]) for row in rows]))
            for name in selectors
        },
        "by_distractor": _by_distractor(rows, selectors),
        "anytime": _anytime(rows),
    }


def within(outcome: Outcome, limit_deg: float) -> bool:
    """Answered, with a rotation error up to that."""
    return bool(outcome["answered"] and outcome["rotation_deg"] <= limit_deg)


def is_wrong(outcome: Outcome) -> bool:
    """Answered, and far off."""
    return bool(outcome["answered"] and outcome["rotation_deg"] > WRONG_DEG)


def refused_or_right(outcome: Outcome) -> bool:
    """What is left to do without a true clip; a distractor may by chance hold a good pose."""
    return not outcome["answered"] or within(outcome, RIGHT_DEG)


def _is_true_clip(outcome: Outcome) -> bool:
    return outcome["kind"] in TRUE_KINDS


def _median(rows: Sequence[Row], selector: str, name: str) -> float | None:
    values = [row["outcomes"]["with_true"][selector][name] for row in rows]
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def _by_distractor(rows: Sequence[Row], selectors: Sequence[str]) -> dict[str, Any]:
    """Per kind, how often a selector chose it and was wrong, beside the true clip and without one."""
    kinds = sorted({kind for row in rows for kind in row["kinds"]} - set(TRUE_KINDS))
    found: dict[str, Any] = {}
    for kind in kinds:
        having = [row for row in rows if kind in row["kinds"]]
        found[kind] = {"pairs": len(having), "held_out": kind in HELD_OUT}
        for listed in ("with_true", "without_true"):
            found[kind][f"chosen_and_wrong_{listed}"] = {
                name: float(
                    np.mean(
                        [
                            row["outcomes"][listed][name]["kind"] == kind and is_wrong(row["outcomes"][listed][name])
                            for row in having
                        ]
                    )
                )
                for name in selectors
                if name != "mean"
            }
    return found


def _anytime(rows: Sequence[Row]) -> dict[str, Any]:
    """Work (matches and poses) of stopping early relative to judging all clips, and how far the answers differ."""
    ratios, differences, changed = [], [], 0
    for row in rows:
        full, early = (row["outcomes"]["with_true"][name] for name in (OURS, "anytime"))
        ratios.append((early["matches"] + early["poses"]) / (full["matches"] + full["poses"]))
        changed += full["answered"] != early["answered"]
        if full["answered"] and early["answered"]:
            differences.append(row["early_difference_deg"])
    total = {
        name: sum(r["outcomes"]["with_true"][name]["matches"] + r["outcomes"]["with_true"][name]["poses"] for r in rows)
        for name in (OURS, "anytime")
    }
    return {
        "pose_work_ratio": total["anytime"] / total[OURS],
        "median_pose_work_ratio": float(np.median(ratios)),
        "median_rotation_difference_deg": float(np.median(differences)) if differences else None,
        "largest_rotation_difference_deg": float(np.max(differences)) if differences else None,
        "answered_by_one_alone": changed,
    }


def _work(rows: Sequence[Row]) -> dict[str, Any]:
    """Median matches and poses per pair of keyframes; the published scores share one set of poses."""
    names = {OURS: OURS, "anytime": "anytime", "published": "interpose"}
    return {
        label: {
            what: float(np.median([row["outcomes"]["with_true"][name][what] for row in rows]))
            for what in ("matches", "poses")
        }
        for label, name in names.items()
    }


def _intervals(rows: Sequence[Row]) -> dict[str, Any]:
    """95 % intervals of our own figures: Clopper and Pearson's over pairs, and a bootstrap that draws whole scenes."""
    ours = {
        "within_5_deg": [within(row["outcomes"]["with_true"][OURS], RIGHT_DEG) for row in rows],
        "wrong_answer_rate": [is_wrong(row["outcomes"]["with_true"][OURS]) for row in rows],
        "no_true_clip_refused_or_right": [refused_or_right(row["outcomes"]["without_true"][OURS]) for row in rows],
    }
    scenes = np.array([row["scene"] for row in rows])
    return {
        name: {"over_pairs": clopper_pearson(sum(hits), len(hits)), "over_scenes": _over_scenes(np.array(hits), scenes)}
        for name, hits in ours.items()
    }


def clopper_pearson(hits: int, count: int) -> list[float]:
    """Exact 95 % interval of a rate."""
    low = 0.0 if hits == 0 else float(beta.ppf(0.025, hits, count - hits + 1))
    high = 1.0 if hits == count else float(beta.ppf(0.975, hits + 1, count - hits))
    return [low, high]


def _over_scenes(hits: np.ndarray, scenes: np.ndarray, draws: int = 2000) -> list[float]:
    rng, names = np.random.default_rng(0), np.unique(scenes)
    counts = np.array([[np.sum(hits[scenes == name]), np.sum(scenes == name)] for name in names])
    drawn = counts[rng.integers(len(names), size=(draws, len(names)))].sum(axis=1)
    return [float(x) for x in np.percentile(drawn[:, 0] / drawn[:, 1], [2.5, 97.5])]
