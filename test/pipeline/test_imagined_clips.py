"""Imagined clips through the whole pipeline with the real networks: what leads there, and what only seems to."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import scene

from interpose_ros.config import FeatureConfig, InterposeConfig, SelectionConfig
from interpose_ros.estimators.features import FeaturesEstimator
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.geometry.se3 import inverse, rotation_exp
from interpose_ros.interpolation.clip import Clip, ClipOrigin, LazyView
from interpose_ros.matching.store import MatchStore
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.pipeline import InterposePipeline
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.views import KeyframeId, View

CONFIG = InterposeConfig(
    features=FeatureConfig(max_keypoints=512, second_opinion=False),
    selection=SelectionConfig(random_subsets=2, grid_frames=4),
)


class Offered:
    """Offers given clips of images, as if a model had made them: one after another, or all at once."""

    name = "made_up"

    def __init__(self, *clips: list[np.ndarray], at_hand: bool = False) -> None:
        self.images, self.at_hand = clips, at_hand

    def clips(self, view_a: View, view_b: View):
        for number, images in enumerate(self.images):
            views = [View(image, scene.CAMERA, KeyframeId(f"clip{number}", k)) for k, image in enumerate(images)]
            frames = [LazyView(view.keyframe_id, lambda view=view: view) for view in views]
            more = self.at_hand and number + 1 < len(self.images)
            yield Clip(frames, ClipOrigin("made_up", str(number), generated=True), next_at_hand=more)


@pytest.fixture(scope="module")
def pipeline() -> InterposePipeline:
    return InterposePipeline(CONFIG, MatchStore.with_default_networks(CONFIG))


@pytest.fixture(scope="module")
def pan():
    return scene.path(7, turn_deg=75.0, radius=0.0)


def images(views) -> list[np.ndarray]:
    return [view.image for view, _ in views]


def melted(first: np.ndarray, second: np.ndarray, count: int) -> list[np.ndarray]:
    return [cv2.addWeighted(first, 1 - k / (count + 1), second, k / (count + 1), 0) for k in range(1, count + 1)]


def error_deg(answer, first, last) -> float:
    T_b_a = inverse(last[1]) @ first[1]
    return float(np.degrees(rotation_distance(answer.estimate.R_b_a, T_b_a[:3, :3])))


@pytest.mark.timeout(240)
def test_the_true_pan_is_found_among_what_only_seems_to_lead_there(pipeline, pan):
    a, b = pan[0][0], pan[-1][0]
    fade = melted(a.image, b.image, 5)
    short = [*images(pan[1:4]), *melted(pan[3][0].image, b.image, 3)]
    frozen = [a.image] * 5

    without = pipeline.estimate(a, b, [Offered(fade, short, frozen)])
    assert without.estimate is None
    assert without.refusal.reason is RefusalReason.LOW_CONFIDENCE
    # The bridge of the fade is strong, and still it does not count.
    evidence = without.candidates[1].result.evidence
    assert evidence["bridge_inliers"] > 100
    assert evidence["closure"] < CONFIG.decision.min_closure
    assert without.candidates[1].against

    answer = pipeline.estimate(a, b, [Offered(fade, short, frozen, images(pan[1:-1]), fade)])
    assert error_deg(answer, pan[0], pan[-1]) < 1.0
    assert answer.selected.clip.clip_id == "3"
    assert answer.work.clips == 4  # the fifth was not asked for
    assert answer.work.expected_clips > 0
    evidence = answer.estimate.evidence
    assert {"closure", "d_med", "trust", "mode_strength", "bridge_ratio", "parallax"} <= set(evidence)
    assert evidence["d_med"] < np.deg2rad(2.0)


@pytest.mark.timeout(240)
def test_of_clips_at_hand_the_likely_one_is_judged_first_and_the_answer_is_that_of_all(pipeline, pan):
    a, b = pan[0][0], pan[-1][0]
    short = [*images(pan[1:4]), *melted(pan[3][0].image, b.image, 3)]
    clips = Offered(melted(a.image, b.image, 5), short, [a.image] * 5, images(pan[1:-1]), at_hand=True)
    early = pipeline.estimate(a, b, [clips])
    assert early.selected.clip.clip_id == "3"
    assert (early.work.clips, len(early.candidates)) == (1, 2)
    patient = CONFIG.model_copy(update={"selection": CONFIG.selection.model_copy(update={"stop_early": False})})
    full = InterposePipeline(patient, pipeline.store).estimate(a, b, [clips])
    assert full.work.clips == 4
    assert early.work.poses < full.work.poses
    assert np.degrees(rotation_distance(early.estimate.R_b_a, full.estimate.R_b_a)) < 1.0


@pytest.mark.timeout(240)
def test_true_frames_of_a_camera_that_moves_close(pipeline):
    moving = scene.path(9, turn_deg=60.0, radius=2.2)
    a, b = moving[0][0], moving[-1][0]
    answer = pipeline.estimate(a, b, [Offered(images(moving[1:-1]))])
    assert error_deg(answer, moving[0], moving[-1]) < 2.0
    evidence = answer.estimate.evidence
    assert np.degrees(evidence["parallax"]) > 1.0
    # Pairs on one wall, of which two motions explain the matches, and pairs that parallax may have parted, refute nothing.
    assert evidence["closure"] > 0.5


@pytest.mark.timeout(240)
def test_a_pair_read_backwards_has_the_inverse_answer(pipeline, pan):
    a, b = pan[0][0], pan[-1][0]
    forward = pipeline.estimate(a, b, [Offered(images(pan[1:-1]))])
    backward = pipeline.estimate(b, a, [Offered(images(pan[1:-1])[::-1])])
    angle = rotation_distance(forward.estimate.R_b_a, backward.estimate.R_b_a.T)
    assert np.degrees(angle) < 0.5
    assert forward.estimate.evidence["trust"] == pytest.approx(backward.estimate.evidence["trust"], abs=0.1)


class Structureless(FeaturesEstimator):
    """Says of everything that it moved, and finds no structure."""

    def estimate(self, views):
        return Refusal(RefusalReason.INCONSISTENT, "the camera moved, but no structure connects A and B")


@pytest.mark.timeout(240)
def test_where_nothing_moves_the_rotation_of_the_path_needs_no_structure(pipeline, pan):
    a, b = pan[0][0], pan[-1][0]
    without = InterposePipeline(CONFIG, pipeline.store, clip_estimator=Structureless(pipeline.store, CONFIG.frames))
    answer = without.estimate(a, b, [Offered(images(pan[1:-1]))])
    assert error_deg(answer, pan[0], pan[-1]) < 1.0
    assert answer.estimate.direction_b_a is None
    assert answer.estimate.model is MotionModel.ROTATION
    assert len(answer.estimate.frames_used) == 5


class Batched:
    """A network's stand-in: gives every subset the true rotation and a turn of its own besides, all of them at once."""

    name = "dust3r"

    def __init__(self, R_b_a: np.ndarray, turns_deg: list[float]) -> None:
        self.R_b_a, self.turns_deg = R_b_a, turns_deg
        self.calls: list[tuple[int, list[tuple[int, ...]], list[bool]]] = []

    def estimate(self, views):
        raise AssertionError("subsets are asked for at once")

    def estimate_many(self, views, subsets, calibrated):
        self.calls.append((len(views), [tuple(subset) for subset in subsets], list(calibrated)))
        evidence = {"mean_score": 60.0, "edge_share": 1.0, "rotation_disagreement": 0.1}
        return [
            PoseEstimate(
                rotation_exp(np.array([0.0, np.deg2rad(turn), 0.0])) @ self.R_b_a,
                None,
                MotionModel.ROTATION,
                1e-4 * np.eye(3),
                float("nan"),
                evidence=evidence,
            )
            for turn in self.turns_deg
        ]


@pytest.mark.timeout(240)
def test_a_network_is_shown_all_subsets_at_once_and_its_medoid_counts(pipeline, pan):
    a, b = pan[0][0], pan[-1][0]
    R_b_a = (inverse(pan[-1][1]) @ pan[0][1])[:3, :3]
    network = Batched(R_b_a, [6.0, 1.0, 2.0])
    batched = InterposePipeline(CONFIG, pipeline.store, clip_estimator=network)
    answer = batched.estimate(a, b, [Offered(images(pan[1:-1]))])
    views, subsets, calibrated = network.calls[0]
    assert len(network.calls) == 1
    assert len(subsets) == 3
    assert all(subset[0] == 0 and subset[-1] == views - 1 and len(subset) == 5 for subset in subsets)
    # Only the keyframes' camera is known.
    assert calibrated == [True, *[False] * (views - 2), True]
    # The medoid of 1, 2 and 6 degrees is 2: one and four degrees from the others.
    assert error_deg(answer, pan[0], pan[-1]) == pytest.approx(2.0, abs=1e-6)
    assert np.degrees(answer.estimate.evidence["d_med"]) == pytest.approx(2.5)
    assert answer.estimate.evidence["bridge_inliers"] > 30
    assert answer.work.poses == 3

    refused = batched.estimate(a, b, [Offered(melted(a.image, b.image, 5))])
    assert "dust3r was not asked" in refused.refusal.text
    assert len(network.calls) == 1
