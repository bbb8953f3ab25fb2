"""The data of the page that shows two runs side by side."""

from __future__ import annotations

from typing import Any

from interpose_ros.evaluation.report.comparison import Comparison
from interpose_ros.evaluation.report.content import KEYFRAME_BYTES, pair_content
from interpose_ros.evaluation.report.curves import recall_curves, risk_coverage_curves
from interpose_ros.evaluation.report.run_folder import RunFolder
from interpose_ros.evaluation.report.thumbnails import Album


def comparison_content(a: RunFolder, b: RunFolder, comparison: Comparison) -> dict[str, Any]:
    """Everything that the page of two runs shows."""
    album = Album()
    album.add([row[name] for row in comparison.rows_a for name in ("image0", "image1")], KEYFRAME_BYTES)
    notes = [
        f"{len(comparison.rows_a)} pairs that both runs have; intervals of 95 % of the difference B - A, from draws of "
        "whole scenes, the same for both."
    ]
    if comparison.only_a or comparison.only_b:
        notes.append(f"Left out: {comparison.only_a} pairs that only A has, {comparison.only_b} that only B has.")
    notes += [
        f"Run {letter} has not ended: these are the pairs that are done so far."
        for letter, run in (("A", a), ("B", b))
        if not run.complete
    ]
    return {
        "kind": "comparison",
        "runs": [_run(a), _run(b)],
        "notes": notes,
        "figures": comparison.figures,
        "recall": _both(comparison, recall_curves, ("answers: rotation", "answers: translation direction")),
        "risk": _both(comparison, risk_coverage_curves, ("confidence",)),
        "images": album.urls,
        "pairs": [
            [pair_content(row, album, 0) for row in rows]
            for rows in zip(comparison.rows_a, comparison.rows_b, strict=True)
        ],
    }


def _run(run: RunFolder) -> dict[str, Any]:
    sessions = run.record.get("sessions") or [{}]
    return {
        "name": run.name,
        "folder": run.path.resolve().name,
        "date": sessions[-1].get("date"),
        "commit": sessions[-1].get("commit"),
        "estimators": (run.record.get("settings") or {}).get("estimators") or [],
        "interpolators": (run.record.get("settings") or {}).get("interpolators") or [],
    }


def _both(comparison: Comparison, curves: Any, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """The named curves of both runs."""
    return [
        {**curve, "name": f"{letter}, {curve['name']}", "on": curve["name"] == names[0]}
        for letter, rows in (("A", comparison.rows_a), ("B", comparison.rows_b))
        for curve in curves(rows)
        if curve["name"] in names
    ]
