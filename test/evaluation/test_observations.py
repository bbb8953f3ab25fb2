"""Estimates beside the truth: kept on disk, never made twice, made again for another model."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from interpose_ros.answer import Branch, Candidate
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.evaluation.observations import observations_by_subject, observe, without_repeats
from interpose_ros.evaluation.pair_files import LabelledPair
from interpose_ros.geometry.se3 import rotation_exp
from interpose_ros.matching.two_view import MotionModel


class KnownAnswers:
    """Stands for a pipeline: always the same pose, 3 degrees about the vertical from no turn at all."""

    def __init__(self, model_hash: str) -> None:
        self.model_hash, self.asked, self.asked_frames = model_hash, 0, 0

    def model_hashes(self):
        return {("matches", "matches"): self.model_hash, ("frames", "features"): self.model_hash}

    def from_frames(self, view_a, view_b, frames):
        self.asked_frames += 1
        assert [frame.load().keyframe_id.stamp_ns for frame in frames] == list(range(1, len(frames) + 1))
        return Candidate("features", None, self._estimate(), None)

    def from_keyframes(self, view_a, view_b):
        self.asked += 1
        return (Candidate("matches", None, self._estimate(), None),)

    @staticmethod
    def _estimate():
        R_b_a = rotation_exp(np.array([0.0, np.radians(3.0), 0.0]))
        direction = np.array([0.0, 0.0, 1.0])
        evidence = {"inliers": 50.0, "parallax": float("nan")}
        covariance = np.radians(1.5) ** 2 * np.eye(3)
        return PoseEstimate(R_b_a, direction, MotionModel.GENERAL, covariance, 0.1, evidence=evidence)


@pytest.fixture
def pairs(tmp_path) -> list[LabelledPair]:
    for name in ("a.png", "b.png", "c.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((48, 48, 3), np.uint8))
    T_b_a = np.eye(4)
    T_b_a[:3, 3] = [0.0, 1.0, 0.0]

    def pair(first: str, second: str, T: np.ndarray | None) -> LabelledPair:
        intrinsics = (48.0, 48.0, 23.5, 23.5)
        return LabelledPair(tmp_path / first, tmp_path / second, intrinsics, intrinsics, (), (), T, (), "place")

    return [pair("a.png", "b.png", T_b_a), pair("a.png", "c.png", None)]


def rows_of(pairs, pipeline, path: Path) -> list[dict]:
    return [row for rows in observe(pairs, pipeline, 0.01, path) for row in rows]


def test_errors_are_those_of_the_estimate(pairs, tmp_path):
    rows = rows_of(pairs, KnownAnswers("1"), tmp_path / "rows.jsonl")
    [[related, stranger]] = observations_by_subject(rows).values()
    assert related.rotation_error == pytest.approx(3.0)
    assert related.direction_error == pytest.approx(90.0)
    assert related.rotation_normalised == pytest.approx(2.0)
    # Two components of a standard deviation of 0.1 in all.
    assert related.direction_normalised == pytest.approx(np.pi / 2 / (0.1 / np.sqrt(2)))
    assert np.isnan(related.evidence["parallax"])
    assert (stranger.rotation_error, stranger.direction_error) == (np.inf, np.inf)


def test_what_is_known_is_not_made_again(pairs, tmp_path):
    path = tmp_path / "rows.jsonl"
    first, again, other = KnownAnswers("1"), KnownAnswers("1"), KnownAnswers("2")
    known = rows_of(pairs[:1], first, path)
    assert rows_of(pairs, again, path)[:1] == known
    assert (first.asked, again.asked) == (1, 1)
    # Other weights or settings: nothing that is known counts.
    rows_of(pairs, other, path)
    assert other.asked == 2
    assert len(path.read_text().splitlines()) == 4
    assert {json.loads(line)["model_hash"] for line in path.read_text().splitlines()} == {"1", "2"}


def test_frames_are_looked_at_where_a_pair_has_some_and_nothing_is_made_twice(pairs, tmp_path):
    path = tmp_path / "rows.jsonl"
    first, again = KnownAnswers("1"), KnownAnswers("1")
    rows_of(pairs, first, path)
    with_frames = [replace(pairs[0], frames=(tmp_path / "c.png", tmp_path / "b.png")), pairs[1]]
    rows = rows_of(with_frames, again, path)
    assert (first.asked_frames, again.asked, again.asked_frames) == (0, 0, 1)
    assert [(row["branch"], row["frames"]) for row in rows] == [
        ("matches", []), ("frames", ["c.png", "b.png"]), ("matches", []),
    ]  # fmt: skip
    found = observations_by_subject(rows)
    assert [subject.branch for subject in found] == ["matches", "frames"]
    # Other frames of the same pair are another observation.
    rows_of([replace(pairs[0], frames=(tmp_path / "c.png",))], again, path)
    assert again.asked_frames == 2


def test_of_streams_only_the_frames_are_looked_at_and_pairs_named_twice_count_once(pairs, tmp_path):
    pipeline = KnownAnswers("1")
    streams = [replace(pairs[0], frames=(tmp_path / "c.png",))] * 2
    rows = [row for rows in observe(streams, pipeline, 0.01, tmp_path / "rows.jsonl", [Branch.FRAMES]) for row in rows]
    assert (pipeline.asked, pipeline.asked_frames) == (0, 1)
    assert [row["branch"] for row in rows] == ["frames", "frames"]
    assert without_repeats(rows) == rows[:1]
