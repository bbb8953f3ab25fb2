"""When the second networks are asked, and whose word counts. Their matches are made up, the geometry is real."""

from __future__ import annotations

import numpy as np
import pytest

from interpose_ros.answer import Branch
from interpose_ros.config import InterposeConfig, TwoViewConfig
from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.geometry.se3 import rotation_exp
from interpose_ros.matching.features import LocalFeatures
from interpose_ros.matching.matcher import Matches
from interpose_ros.matching.store import MatchStore, VerifiedPair
from interpose_ros.matching.two_view import estimate_two_view
from interpose_ros.pipeline import InterposePipeline
from interpose_ros.selection.confidence import shipped_calibrations
from interpose_ros.views import KeyframeId, View

CAMERA = Camera(np.array([[500.0, 0, 319.5], [0, 500.0, 239.5], [0, 0, 1.0]]), 640, 480)
R_b_a, t_b_a = rotation_exp(np.array([0.05, 0.3, -0.02])), np.array([-0.8, 0.1, 0.2])


class MadeUpStore(MatchStore):
    """Gives one pair, and counts how often it is asked."""

    def __init__(self, found: VerifiedPair, estimator: str = "matches") -> None:
        self.found, self.asked, self.matched = found, 0, 0
        self._model_hash = shipped_calibrations()["matches", estimator].model_hash

    @property
    def fingerprint(self) -> str:
        return self._model_hash

    def pair(self, view_a: View, view_b: View) -> VerifiedPair:
        self.asked += 1
        return self.found


def pair(right: int, wrong: int, score: float, seed: int = 0) -> VerifiedPair:
    """Matches of which some agree with the true pose; the others point anywhere."""
    rng = np.random.default_rng(seed)
    pixels_a = np.zeros((0, 2))
    pixels_b = np.zeros((0, 2))
    while len(pixels_a) < right:
        pixels = rng.uniform([0, 0], [639, 479], (400, 2))
        points = CAMERA.bearings(pixels) * rng.uniform(2.0, 8.0, (400, 1))
        seen = CAMERA.project(points @ R_b_a.T + t_b_a)
        inside = np.all((seen >= 0) & (seen <= [639, 479]), axis=1)
        pixels_a, pixels_b = np.r_[pixels_a, pixels[inside]], np.r_[pixels_b, seen[inside]]
    anywhere = rng.uniform([0, 0], [639, 479], (2, wrong, 2))
    pixels_a, pixels_b = np.r_[pixels_a[:right], anywhere[0]], np.r_[pixels_b[:right], anywhere[1]]
    pixels_b = np.clip(pixels_b + rng.normal(scale=0.3, size=pixels_b.shape), 0, [639, 479])
    count = right + wrong
    matches = Matches(np.stack([np.arange(count)] * 2, axis=1), np.full(count, score))
    features = [LocalFeatures(p, np.zeros((count, 2), np.float32), 640, 480) for p in (pixels_a, pixels_b)]
    return VerifiedPair(*features, matches, estimate_two_view(pixels_a, pixels_b, CAMERA, CAMERA, TwoViewConfig()))


def views() -> tuple[View, View]:
    image = np.zeros((480, 640, 3), np.uint8)
    return View(image, CAMERA, KeyframeId("camera", 1)), View(image + 1, CAMERA, KeyframeId("camera", 2))


def answered(first: VerifiedPair, second: VerifiedPair):
    stores = MadeUpStore(first), MadeUpStore(second, "matches_second")
    pipeline = InterposePipeline(InterposeConfig(), stores[0], second_store=stores[1])
    return pipeline.estimate(*views()), stores


def error_deg(answer) -> float:
    return float(np.degrees(rotation_distance(answer.estimate.R_b_a, R_b_a)))


STRONG, WEAK, NOTHING = pair(400, 40, 0.8), pair(35, 60, 0.3, seed=1), pair(0, 12, 0.2, seed=2)


def test_the_second_networks_are_not_asked_where_the_first_are_sure():
    answer, (_, second) = answered(STRONG, WEAK)
    assert second.asked == 0
    assert answer.branch is Branch.MATCHES
    assert answer.selected.estimator == "matches"
    assert error_deg(answer) < 0.5


def test_their_word_counts_where_the_first_are_in_doubt():
    answer, (first, second) = answered(WEAK, STRONG)
    assert (first.asked, second.asked) == (1, 1)
    assert answer.selected.estimator == "matches_second"
    assert answer.confidence.calibration_id.startswith("matches_second-")
    assert [c.estimator for c in answer.candidates] == ["matches_second", "matches"]
    assert error_deg(answer) < 0.5
    # The overlap is what the networks behind the answer saw.
    assert answer.overlap.smaller == pytest.approx(min(STRONG.coverage()))
    assert answer.overlap.smaller > 2 * min(WEAK.coverage())


def test_two_doubts_are_a_refusal_that_says_how_sure_it_was():
    answer, _ = answered(WEAK, pair(35, 60, 0.3, seed=3))
    assert answer.estimate is None
    assert "within 5 degrees with probability 0." in answer.refusal.text
    assert "at least 0.80 needed" in answer.refusal.text


def test_a_doubtful_first_stands_where_the_second_see_nothing():
    answer, _ = answered(WEAK, NOTHING)
    assert answer.estimate is None
    assert [c.estimator for c in answer.candidates] == ["matches", "matches_second"]


def test_the_covariance_is_scaled_by_what_calibration_saw():
    answer, _ = answered(STRONG, WEAK)
    factor = shipped_calibrations()["matches", "matches"].rotation_error_factor
    np.testing.assert_allclose(
        answer.estimate.rotation_covariance, factor**2 * STRONG.geometry.rotation_covariance, rtol=1e-9
    )


def test_both_are_heard_for_calibration():
    pipeline = InterposePipeline(
        InterposeConfig(),
        MadeUpStore(STRONG),
        second_store=MadeUpStore(WEAK, "matches_second"),
    )
    assert [c.estimator for c in pipeline.from_keyframes(*views())] == ["matches", "matches_second"]
