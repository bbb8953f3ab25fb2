"""Answers for pairs of images against the truth, and what is reported about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float

from interpose_ros.evaluation.trajectory import Trajectory
from interpose_ros.geometry.distances import direction_distance, rotation_angle, rotation_distance

MIN_TRUE_BASELINE = 0.01
"""Below this many metres the motion capture itself does not know the direction of a translation."""

ROTATION_BINS_DEG = ((0, 15), (15, 30), (30, 45), (45, 60), (60, 180))


@dataclass(frozen=True, eq=False)
class PairOutcome:
    """What was answered for a pair, without the truth.

    Attributes:
        stamp_a_ns, stamp_b_ns: the two images.
        R_a_b: rotation of the answer; None in a refusal.
        direction_a: unit vector from camera A to camera B in frame A; None where none was given.
        pair_only_R_a_b: rotation from matches between the two images alone; None where that failed.
        overlap: smaller share of the two images that matches cover, 0 to 1; None where unknown.
        branch: how the answer was made.
        confidence: probability of a rotation error within 5 degrees; None where uncalibrated.
        published: an answer, not a refusal.
        reason: why not.
        seconds: wall-clock time of the estimate.
        frames_used: in-between frames behind the answer.
    """

    stamp_a_ns: int
    stamp_b_ns: int
    R_a_b: Float[np.ndarray, "3 3"] | None
    direction_a: Float[np.ndarray, "3"] | None
    pair_only_R_a_b: Float[np.ndarray, "3 3"] | None
    overlap: float | None
    branch: str
    confidence: float | None
    published: bool
    reason: str
    seconds: float
    frames_used: int = 0


@dataclass(frozen=True)
class PairRecord:
    """One line of a report. Angles in degrees, stamps in seconds; None is an error that does not exist."""

    stamp0: float
    stamp1: float
    true_rotation_deg: float | None
    overlap: float | None
    branch: str
    rotation_error_deg: float | None
    translation_error_deg: float | None
    confidence: float | None
    published: bool
    reason: str
    pair_only_rotation_error_deg: float | None
    seconds: float
    frames_used: int

    @property
    def right(self) -> bool:
        """Published, and within 5 degrees of rotation and 10 of translation direction; a missing direction is a miss."""
        return bool(
            self.published
            and self.rotation_error_deg is not None
            and self.rotation_error_deg <= 5.0
            and self.translation_error_deg is not None
            and self.translation_error_deg <= 10.0
        )

    def as_json(self) -> dict[str, object]:
        """The record as plain JSON values, with the names of results.json."""
        return {name: value for name, value in asdict(self).items() if name != "frames_used"}


def compared(outcome: PairOutcome, truth: Trajectory) -> PairRecord:
    """Put an answer beside the truth; where the truth does not cover an image there are no errors."""
    T_a_b = truth.relative_pose(outcome.stamp_a_ns, outcome.stamp_b_ns)
    rotation_error = pair_only_error = translation_error = true_rotation = None
    if T_a_b is not None:
        true_rotation = _degrees(rotation_angle(T_a_b[:3, :3]))
        rotation_error = _rotation_error(outcome.R_a_b, T_a_b)
        pair_only_error = _rotation_error(outcome.pair_only_R_a_b, T_a_b)
        if outcome.direction_a is not None and np.linalg.norm(T_a_b[:3, 3]) >= MIN_TRUE_BASELINE:
            translation_error = _degrees(direction_distance(outcome.direction_a, T_a_b[:3, 3]))
    return PairRecord(
        stamp0=outcome.stamp_a_ns * 1e-9,
        stamp1=outcome.stamp_b_ns * 1e-9,
        true_rotation_deg=true_rotation,
        overlap=outcome.overlap,
        branch=outcome.branch,
        rotation_error_deg=rotation_error,
        translation_error_deg=translation_error,
        confidence=outcome.confidence,
        published=outcome.published,
        reason=outcome.reason,
        pair_only_rotation_error_deg=pair_only_error,
        seconds=outcome.seconds,
        frames_used=outcome.frames_used,
    )


def rotation_bins(records: Iterable[PairRecord]) -> list[dict[str, object]]:
    """Per bin of true rotation: pairs, published, right, medians of the published ones and of the pair alone."""
    with_truth = [record for record in records if record.true_rotation_deg is not None]
    bins: list[dict[str, object]] = []
    for low, high in ROTATION_BINS_DEG:
        inside = [r for r in with_truth if low <= _known(r.true_rotation_deg) < high]
        published = [r for r in inside if r.published]
        bins.append(
            {
                "from_deg": low,
                "to_deg": high,
                "pairs": len(inside),
                "published": len(published),
                "right": sum(record.right for record in inside),
                "median_rotation_error_deg": _median([r.rotation_error_deg for r in published]),
                "median_translation_error_deg": _median([r.translation_error_deg for r in published]),
                "median_pair_only_rotation_error_deg": _median([r.pair_only_rotation_error_deg for r in inside]),
                "median_seconds": _median([r.seconds for r in inside]),
            }
        )
    return bins


def _rotation_error(R_a_b: Float[np.ndarray, "3 3"] | None, T_a_b: Float[np.ndarray, "4 4"]) -> float | None:
    return None if R_a_b is None else _degrees(rotation_distance(R_a_b, T_a_b[:3, :3]))


def _degrees(angle: Float[np.ndarray, ""]) -> float:
    return float(np.degrees(angle))


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def _known(value: float | None) -> float:
    if value is None:
        raise ValueError("records without truth have no bin")
    return value
