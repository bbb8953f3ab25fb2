"""Poses over frames: a calibration holds for frames that a camera saw, and never for imagined ones."""

import math

import numpy as np
import pytest

from interpose_ros.config import FramesConfig, InterposeConfig
from interpose_ros.estimate_run import EstimateRun
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.camera import Camera
from interpose_ros.interpolation.clip import Clip, ClipOrigin, LazyView
from interpose_ros.matching.features import LocalFeatures
from interpose_ros.matching.matcher import Matches
from interpose_ros.matching.store import MatchStore, VerifiedPair
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.pipeline import InterposePipeline
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.selection.clip_judge import ClipJudge
from interpose_ros.selection.confidence import UNCALIBRATED, Calibration, LogisticModel
from interpose_ros.views import KeyframeId, View

ALWAYS = LogisticModel(math.log(9.0), {})
CALIBRATION = Calibration("frames-1", "frames", "made_up", "0", ALWAYS, ALWAYS, ALWAYS, "made up", 2.0, 3.0)


class MadeUpStore(MatchStore):
    """No view matches any other; the networks' fingerprint is given."""

    fingerprint = "networks"

    def __init__(self) -> None:
        pass

    def pair(self, view_a: View, view_b: View) -> VerifiedPair:
        nothing = LocalFeatures(np.zeros((0, 2)), np.zeros((0, 2), np.float32), 48, 48)
        refusal = Refusal(RefusalReason.NO_OVERLAP, "made up")
        return VerifiedPair(nothing, nothing, Matches(np.zeros((0, 2), np.int64), np.zeros(0)), refusal)


class MadeUpEstimator:
    """Always the same pose."""

    name = "made_up"

    def estimate(self, views):
        assert [view.keyframe_id.stamp_ns for view in views] == [1, 2, 3]
        direction = np.array([1.0, 0.0, 0.0])
        return PoseEstimate(np.eye(3), direction, MotionModel.GENERAL, 1e-4 * np.eye(3), 0.1, evidence={})


def judged(generated: bool, monkeypatch):
    def view(stamp: int) -> View:
        camera = Camera(np.array([[48.0, 0.0, 23.5], [0.0, 48.0, 23.5], [0.0, 0.0, 1.0]]), 48, 48)
        return View(np.full((48, 48, 3), stamp, np.uint8), camera, KeyframeId("camera", stamp))

    estimator, middle = MadeUpEstimator(), view(2)
    frames = [LazyView(middle.keyframe_id, lambda: middle)]
    # What bridges imagined frames is another test's subject.
    monkeypatch.setattr(ClipJudge, "_connected_frames", lambda *_: frames)
    monkeypatch.setattr(ClipJudge, "_imagined", lambda self, clip, views, pair_only: estimator.estimate(views))
    judge = ClipJudge(MadeUpStore(), estimator, {("frames", "made_up"): CALIBRATION}, InterposeConfig())
    clip = Clip(frames, ClipOrigin("made_up", "1", generated=generated))
    return judge.judge(clip, view(1), view(3), None, EstimateRun(), 0.0)


def test_frames_that_a_camera_saw_have_calibrated_confidence_and_errors(monkeypatch):
    candidate = judged(False, monkeypatch)
    assert candidate.confidence.calibration_id == "frames-1"
    assert candidate.confidence.rotation_5deg == pytest.approx(0.9)
    np.testing.assert_allclose(candidate.result.rotation_covariance, 4e-4 * np.eye(3))
    assert candidate.result.direction_stddev == pytest.approx(0.3)


def test_imagined_frames_stay_uncalibrated(monkeypatch):
    candidate = judged(True, monkeypatch)
    assert candidate.confidence.calibration_id == UNCALIBRATED
    assert np.isnan(candidate.confidence.rotation_5deg)
    np.testing.assert_allclose(candidate.result.rotation_covariance, 1e-4 * np.eye(3))


def test_the_fingerprint_of_frames_tells_settings_apart():
    def hashes(config: InterposeConfig):
        return InterposePipeline(config, MadeUpStore(), calibrations={}).model_hashes()

    plain, other = hashes(InterposeConfig()), hashes(InterposeConfig(frames=FramesConfig(skip=2)))
    assert plain["matches", "matches"] == other["matches", "matches"]
    assert plain["frames", "features"] != other["frames", "features"]
    assert plain["frames", "features"] != plain["matches", "matches"]
