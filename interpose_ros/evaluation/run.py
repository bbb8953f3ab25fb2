"""Every pair of a pair file through the pipeline, and what came out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from interpose_ros.evaluation.images import load_view
from interpose_ros.evaluation.pair_files import LabelledPair
from interpose_ros.geometry.distances import direction_distance, rotation_angle, rotation_distance
from interpose_ros.interpolation.clip import LazyView
from interpose_ros.interpolation.recorded import ListedFramesInterpolator
from interpose_ros.pipeline import InterposePipeline
from interpose_ros.views import KeyframeId, View


def evaluate_pairs(
    pairs: Sequence[LabelledPair], pipeline: InterposePipeline, with_frames: bool
) -> Iterator[dict[str, Any]]:
    """One row of plain JSON values per pair, as it finishes. Angles in degrees; what does not exist is None.

    Raises:
        ImageError: an image of a pair cannot be used.
    """
    for pair in pairs:
        stamps = range(len(pair.frames) + 2)
        view_a = load_view(pair.image_a, pair.intrinsics_a, pair.distortion_a, stamps[0])
        view_b = load_view(pair.image_b, pair.intrinsics_b, pair.distortion_b, stamps[-1])
        frames = [_lazy(frame, pair, number) for number, frame in enumerate(pair.frames, 1)] if with_frames else []
        start = time.perf_counter()
        answer = pipeline.estimate(view_a, view_b, [ListedFramesInterpolator(frames)])
        seconds = time.perf_counter() - start
        estimate = answer.estimate
        rotation_error = direction_error = true_rotation = None
        if pair.T_b_a is not None:
            true_rotation = float(np.degrees(rotation_angle(pair.T_b_a[:3, :3])))
            if estimate is not None:
                rotation_error = float(np.degrees(rotation_distance(estimate.R_b_a, pair.T_b_a[:3, :3])))
                if estimate.direction_b_a is not None and np.linalg.norm(pair.T_b_a[:3, 3]) > 0:
                    direction_error = float(np.degrees(direction_distance(estimate.direction_b_a, pair.T_b_a[:3, 3])))
        yield {
            "image0": str(pair.image_a),
            "image1": str(pair.image_b),
            "related": pair.T_b_a is not None,
            "true_rotation_deg": true_rotation,
            "answered": estimate is not None,
            "branch": answer.branch.value,
            "model": estimate.model.value if estimate is not None else None,
            "rotation_error_deg": rotation_error,
            "translation_error_deg": direction_error,
            "overlap": answer.overlap.smaller,
            "inliers": answer.inliers,
            "frames_used": len(answer.frames_used),
            "reason": answer.refusal.text if answer.refusal is not None else "",
            "seconds": seconds,
        }


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Counts and rates of a run; a refusal counts as a miss."""
    related = [row for row in rows if row["related"]]
    unrelated = [row for row in rows if not row["related"]]
    errors = [row["rotation_error_deg"] for row in related if row["rotation_error_deg"] is not None]
    return {
        "n": len(rows),
        "answered": sum(row["answered"] for row in related),
        "refused": sum(not row["answered"] for row in related),
        "median_rotation_deg": float(np.median(errors)) if errors else None,
        "recall_deg": {
            str(limit): sum(error <= limit for error in errors) / len(related) if related else None
            for limit in (5, 15, 30)
        },
        "wrong_by_more_than_15_deg": sum(error > 15 for error in errors),
        "unrelated": {"answered": sum(row["answered"] for row in unrelated), "of": len(unrelated)},
        "seconds_per_pair": float(np.median([row["seconds"] for row in rows])) if rows else None,
    }


def _lazy(path: Path, pair: LabelledPair, stamp_ns: int) -> LazyView:
    def load() -> View:
        return load_view(path, pair.intrinsics_a, pair.distortion_a, stamp_ns)

    return LazyView(KeyframeId("camera", stamp_ns), load)
