"""Estimates beside the truth, as calibrations are fitted to them: one JSON Lines row each, kept and never made twice."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from interpose_ros.answer import Branch, Candidate
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.evaluation.calibration import Observation
from interpose_ros.evaluation.images import load_view
from interpose_ros.evaluation.journal import open_journal
from interpose_ros.evaluation.pair_files import LabelledPair
from interpose_ros.evaluation.pose_errors import pose_errors
from interpose_ros.evaluation.recorded_frames import recorded_frames
from interpose_ros.interpolation.clip import LazyView
from interpose_ros.refusal import Refusal
from interpose_ros.views import View


@dataclass(frozen=True)
class Subject:
    """What a calibration is for: a branch, an estimator, and the fingerprint of its weights and settings."""

    branch: str
    estimator: str
    model_hash: str


@runtime_checkable
class Observed(Protocol):
    """What is calibrated: the part of ``InterposePipeline`` that this needs."""

    def model_hashes(self) -> dict[tuple[str, str], str]:
        """Fingerprints of the weights and settings behind the evidence, by branch and estimator."""
        ...

    def from_keyframes(self, view_a: View, view_b: View) -> tuple[Candidate, ...]:
        """What every estimator makes of two keyframes."""
        ...

    def from_frames(self, view_a: View, view_b: View, frames: Sequence[LazyView]) -> Candidate:
        """What the frames give that a camera saw between two keyframes."""
        ...


def observe(
    pairs: Sequence[LabelledPair],
    pipeline: Observed,
    min_baseline: float,
    path: Path,
    branches: Collection[Branch] = (Branch.MATCHES, Branch.FRAMES),
) -> Iterator[list[dict[str, Any]]]:
    """Rows of every estimator per pair, in the pairs' order; a file of earlier rows is used and continued.

    Frames in between are looked at where a pair has some, also where the keyframes alone would do.

    Args:
        pairs: with truth.
        pipeline: without calibrations, so that predicted errors are as the estimators make them.
        min_baseline: shorter true translations have no direction.
        path: of the JSON Lines file.
        branches: to look at.

    Raises:
        ImageError: an image of a pair cannot be used.
        JournalError: the file cannot be continued.
    """
    hashes = pipeline.model_hashes()
    with open_journal(path) as journal:
        known: dict[tuple[str, ...], dict[str, Any]] = {_key(row): row for row in journal.rows}
        for pair in pairs:
            wanted = [Subject(*kind, model_hash) for kind, model_hash in hashes.items() if Branch(kind[0]) in branches]
            keys = [_key(_identity(pair, s)) for s in wanted if s.branch != Branch.FRAMES.value or pair.frames]
            for branch in sorted({key[-1] for key in keys if key not in known}):
                for row in _rows(pair, Branch(branch), pipeline, min_baseline):
                    if _key(row) not in known:
                        known[_key(row)] = row
                        journal.append(row)
            yield [known[key] for key in keys]


def without_repeats(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each row once, as drawn pairs may name the same images again, which tell nothing new."""
    return list({_key(row): row for row in rows}.values())


def observations_by_subject(rows: Sequence[Mapping[str, Any]]) -> dict[Subject, list[Observation]]:
    """What was seen of every subject; rows of refusals tell nothing."""
    found: dict[Subject, list[Observation]] = {}
    for row in rows:
        subject = Subject(row["branch"], row["estimator"], row["model_hash"])
        seen = found.setdefault(subject, [])
        if row["evidence"] is not None:
            seen.append(_observation(row))
    return found


def _rows(pair: LabelledPair, branch: Branch, pipeline: Observed, min_baseline: float) -> Iterator[dict[str, Any]]:
    view_a = load_view(pair.image_a, pair.intrinsics_a, pair.distortion_a, 0)
    view_b = load_view(pair.image_b, pair.intrinsics_b, pair.distortion_b, len(pair.frames) + 1)
    hashes = pipeline.model_hashes()
    if branch is Branch.FRAMES:
        found: Sequence[Candidate] = [pipeline.from_frames(view_a, view_b, recorded_frames(pair))]
    else:
        found = pipeline.from_keyframes(view_a, view_b)
    for candidate in found:
        subject = Subject(branch.value, candidate.estimator, hashes[branch.value, candidate.estimator])
        yield _identity(pair, subject) | _outcome(pair, candidate.result, min_baseline)


def _identity(pair: LabelledPair, subject: Subject) -> dict[str, Any]:
    return {
        "image0": pair.image_a.name,
        "image1": pair.image_b.name,
        "frames": [frame.name for frame in pair.frames] if subject.branch == Branch.FRAMES.value else [],
        "branch": subject.branch,
        "estimator": subject.estimator,
        "model_hash": subject.model_hash,
        "scene": pair.scene,
        "look_alike": pair.look_alike,
        "related": pair.T_b_a is not None,
        "evidence": None,
    }


def _outcome(pair: LabelledPair, result: PoseEstimate | Refusal, min_baseline: float) -> dict[str, Any]:
    """What replaces and adds to the identity where there is an estimate."""
    if isinstance(result, Refusal):
        return {}
    evidence = {"evidence": {name: _plain(value) for name, value in result.evidence.items()}}
    if pair.T_b_a is None:
        return evidence | {"has_direction": result.direction_b_a is not None}
    errors = pose_errors(
        result.R_b_a,
        result.direction_b_a,
        pair.T_b_a,
        min_baseline,
        result.rotation_covariance,
        result.direction_stddev,
    )
    return evidence | {
        "rotation_error_deg": errors.rotation_deg,
        "direction_error_deg": errors.translation_deg,
        "rotation_normalised": errors.rotation_normalised,
        "direction_normalised": errors.direction_normalised,
    }


def _observation(row: Mapping[str, Any]) -> Observation:
    evidence = {name: math.nan if value is None else float(value) for name, value in row["evidence"].items()}
    if not row["related"]:
        direction = math.inf if row["has_direction"] else math.nan
        return Observation(row["scene"], evidence, math.inf, direction, look_alike=row["look_alike"])
    return Observation(
        row["scene"],
        evidence,
        row["rotation_error_deg"],
        _number(row["direction_error_deg"]),
        _number(row["rotation_normalised"]),
        _number(row["direction_normalised"]),
        row["look_alike"],
    )


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row.get(name)) for name in ("image0", "image1", "frames", "estimator", "model_hash", "branch"))


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else value
