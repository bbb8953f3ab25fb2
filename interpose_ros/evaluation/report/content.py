"""The data of a report page: figures, curves, pairs and pictures of one run as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from interpose_ros.config import PUBLISH_CONFIDENCE
from interpose_ros.evaluation.published import published_figures, published_note
from interpose_ros.evaluation.report.curves import recall_curves, reliability_bins, risk_coverage_curves
from interpose_ros.evaluation.report.headline import headline
from interpose_ros.evaluation.report.run_folder import RunFolder
from interpose_ros.evaluation.report.thumbnails import Album
from interpose_ros.evaluation.report.trajectories import trajectory_figure

KEYFRAME_BYTES, FRAME_BYTES = 5_000_000, 3_000_000
MOST_MATCHES_IN_ALL, MOST_MATCHES, MOST_FRAMES = 60_000, 60, 8

Row = Mapping[str, Any]


def report_content(run: RunFolder) -> dict[str, Any]:
    """Everything that the page of a run shows."""
    album = Album()
    album.add([row[name] for row in run.rows for name in ("image0", "image1")], KEYFRAME_BYTES)
    album.add([frame for row in run.rows for frame in _clip(row)], FRAME_BYTES)
    matches = min(MOST_MATCHES, MOST_MATCHES_IN_ALL // len(run.rows))
    return {
        "kind": "report",
        "name": run.name,
        "headline": headline(run.summary),
        "notes": _notes(run, album),
        "recall": recall_curves(run.rows),
        "risk": risk_coverage_curves(run.rows),
        "reliability": reliability_bins(run.rows),
        "stages": run.summary.get("stage_seconds") or {},
        "by_rotation": run.summary.get("by_rotation") or [],
        "by_overlap": run.summary.get("by_overlap") or [],
        "hypotheses": run.summary.get("hypotheses") or [],
        "oracle": run.summary.get("oracle"),
        "published": _published(run),
        "trajectory": trajectory_figure(run.path),
        "threshold": PUBLISH_CONFIDENCE,
        "record": _record(run),
        "images": album.urls,
        "pairs": [pair_content(row, album, matches) for row in run.rows],
    }


def pair_content(row: Row, album: Album, matches: int) -> dict[str, Any]:
    """A pair as the table shows it."""
    return {
        "n": row["pair"],
        "scene": row["scene"],
        "names": [Path(row["image0"]).name, Path(row["image1"]).name],
        "images": [album.numbers.get(row["image0"]), album.numbers.get(row["image1"])],
        "sizes": [album.sizes.get(row["image0"]), album.sizes.get(row["image1"])],
        "related": row["related"],
        "answered": row["answered"],
        "status": row["status"],
        "reason": row.get("reason", ""),
        "branch": row["branch"],
        "estimator": row.get("estimator"),
        "true_rotation": _round(row["true_rotation_deg"]),
        "baseline": _round(row.get("true_baseline")),
        "overlap": _round(row["overlap"]),
        "true_overlap": _round(row.get("true_overlap")),
        "rotation_error": _round(row["rotation_error_deg"]),
        "translation_error": _round(row["translation_error_deg"]),
        "confidence": _round((row.get("confidence") or {}).get("rotation_5deg")),
        "calibration": (row.get("confidence") or {}).get("calibration_id"),
        "inliers": row["inliers"],
        "seconds": _round(row.get("seconds")),
        "stages": {name: _round(value) for name, value in (row.get("stage_seconds") or {}).items()},
        "frames": [album.numbers.get(frame) for frame in _clip(row)],
        "frames_used": row.get("frames_used", 0),
        "frames_offered": row.get("frames_offered", 0),
        "matches": _matches(row, album, matches),
        "candidates": [_candidate(candidate) for candidate in row.get("candidates") or []],
    }


def _candidate(candidate: Row) -> dict[str, Any]:
    confidence = candidate.get("confidence") or {}
    return {
        "estimator": candidate["estimator"],
        "clip": candidate.get("interpolator"),
        "clip_id": candidate.get("clip_id"),
        "direction": candidate.get("direction"),
        "generated": bool(candidate.get("generated")),
        "selected": candidate["selected"],
        "weighed": candidate.get("weighed", True),
        "status": candidate["status"],
        "reason": candidate.get("reason", ""),
        "rotation_error": _round(candidate.get("rotation_error_deg")),
        "translation_error": _round(candidate.get("translation_error_deg")),
        "confidence": _round(confidence.get("rotation_5deg")),
        "evidence": {name: _round(value) for name, value in (candidate.get("evidence") or {}).items()},
    }


def _matches(row: Row, album: Album, most: int) -> dict[str, Any] | None:
    """Matches in thousandths of the images' width and height."""
    found = row.get("matches")
    size_a, size_b = (album.sizes.get(row[name]) for name in ("image0", "image1"))
    if not found or most < 1 or size_a is None or size_b is None:
        return None
    ends = [
        (np.asarray(found[name], np.float64) + 0.5) / np.array(size) * 1000
        for name, size in (("pixels0", size_a), ("pixels1", size_b))
    ]
    chosen = np.unique(np.linspace(0, len(ends[0]) - 1, min(most, len(ends[0]))).astype(int))
    lines = np.rint(np.hstack([ends[0][chosen], ends[1][chosen]])).astype(int)
    return {"count": found["count"], "lines": lines.tolist()}


def _clip(row: Row) -> list[str]:
    """Some of the frames in between that the answer rests on, evenly spread."""
    frames = row.get("frames") or []
    if len(frames) <= MOST_FRAMES:
        return list(frames)
    return [frames[int(k)] for k in np.linspace(0, len(frames) - 1, MOST_FRAMES).round()]


def _notes(run: RunFolder, album: Album) -> list[str]:
    notes = []
    if not run.complete:
        notes.append("The run has not ended: these are the pairs that are done so far.")
    scenes = len({row["scene"] for row in run.rows})
    if not (run.summary.get("intervals") or {}).get("figures"):
        notes.append(
            f"No intervals: the pairs come from {scenes} {'scene' if scenes == 1 else 'scenes'}, which says little about "
            "others."
        )
    else:
        notes.append(
            f"Intervals are of 95 %, over {scenes} scenes; pairs of one scene are not independent of each other."
        )
    if album.left_out:
        notes.append(f"{album.left_out} pictures are left out, to keep this page small. The figures are of all pairs.")
    return notes


def _published(run: RunFolder) -> dict[str, Any] | None:
    figures = published_figures(run.protocol)
    if not figures:
        return None
    own = run.summary
    ours = {
        "method": f"this run ({own.get('answered')} answered, {own.get('refused')} refused)",
        "source": "this run",
        "mre_deg": own.get("mre_deg"),
        "mte_deg": (own.get("mte_deg") or {}).get("sign_blind"),
        "auc30": own.get("auc30_min"),
    }
    theirs = [
        {
            "method": figure["method"],
            "source": figure["source"],
            "mre_deg": figure.get("mre_deg"),
            "mte_deg": figure.get("mte_sign_blind_deg"),
            "auc30": figure.get("auc30_min"),
        }
        for figure in figures
    ]
    return {"protocol": run.protocol, "note": published_note(), "rows": [ours, *theirs]}


def _record(run: RunFolder) -> list[tuple[str, str]]:
    """What made the run, as names and texts."""
    sessions: Sequence[Row] = run.record.get("sessions") or []
    last = sessions[-1] if sessions else {}
    machine, versions = last.get("machine") or {}, last.get("versions") or {}
    settings = run.record.get("settings") or {}
    listed = {
        "pair file": run.pairs.get("file"),
        "SHA-256 of it": run.pairs.get("sha256"),
        "date": last.get("date"),
        "sessions": len(sessions) or None,
        "commit": last.get("commit"),
        "estimators": ", ".join(settings.get("estimators") or []),
        "interpolators": ", ".join(settings.get("interpolators") or []),
        "engine": last.get("engine"),
        "system": machine.get("system"),
        "processor": machine.get("processor"),
        "cores": machine.get("cores"),
        "memory": None if machine.get("memory_gb") is None else f"{machine['memory_gb']} GB",
        "GPU": machine.get("gpu"),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "seeds": ", ".join(f"{name} {seed}" for name, seed in (run.record.get("seeds") or {}).items()),
    }
    return [(name, str(value)) for name, value in listed.items() if value not in (None, "")]


def _round(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
