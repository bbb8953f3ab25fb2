"""Which length counts, what contradictions cost, baselines, and reading depth images."""

import math

import numpy as np
import pytest
from scipy import stats

from interpose_ros.answer import Branch, Candidate, Overlap, PairAnswer, Scale, ScaleSource
from interpose_ros.depth_image import DepthImage
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.odometry import NoScale
from interpose_ros.rig import Baseline
from interpose_ros.scale_sources import ScaleFinding, likelihood_ratio, normal_from_chi, with_scale
from interpose_ros.selection.confidence import UNCALIBRATED_CONFIDENCE, Confidence
from interpose_ros.views import KeyframeId

LEFT, RIGHT = KeyframeId("left", 10**9), KeyframeId("right", 10**9)


SURE = Confidence(0.9, 0.95, 0.8, "test")


def answer(confidence=SURE) -> PairAnswer:
    estimate = PoseEstimate(np.eye(3), np.array([1.0, 0, 0]), MotionModel.GENERAL, 1e-4 * np.eye(3), 0.05)
    candidate = Candidate("matches", None, estimate, confidence, selected=True)
    return PairAnswer(LEFT, RIGHT, candidate, None, Branch.MATCHES, Overlap(0.4, 0.6), 80, (candidate,))


def finding(source, metres=1.0, stddev=0.05, disagreement=0.0) -> ScaleFinding:
    return ScaleFinding(source, Scale(source, metres, stddev), disagreement, "it turns more")


def test_the_order_is_baseline_depth_odometry_model():
    order = [ScaleSource.BASELINE, ScaleSource.DEPTH, ScaleSource.ODOMETRY, ScaleSource.MODEL]
    findings = [finding(source, 1.0 + 0.01 * k) for k, source in enumerate(order)][::-1]
    while findings:
        scaled = with_scale(answer(), findings, lower_confidence=True)
        assert scaled.scale.source is order[4 - len(findings)]
        assert scaled.confidence.rotation_5deg == pytest.approx(0.9)
        assert scaled.remark == ""
        findings.pop()
    unknown = with_scale(answer(), [ScaleFinding(ScaleSource.DEPTH, NoScale("dark"))], lower_confidence=True)
    assert unknown.scale is None


def test_contradicting_lengths_lower_confidence_and_are_said():
    findings = [finding(ScaleSource.DEPTH, 1.0), finding(ScaleSource.ODOMETRY, 1.6)]
    scaled = with_scale(answer(), findings, lower_confidence=True)
    assert scaled.scale.metres == 1.0
    assert "depth says 1.000 m and odometry 1.600 m" in scaled.remark
    assert scaled.confidence.rotation_5deg < 0.4
    assert scaled.candidates[0] is scaled.selected
    np.testing.assert_array_equal(scaled.estimate.R_b_a, np.eye(3))
    kept = with_scale(answer(), findings, lower_confidence=False)
    assert (kept.confidence.rotation_5deg, kept.remark) == (0.9, scaled.remark)


def test_a_contradicting_turn_lowers_confidence_and_leaves_rotation_alone():
    scaled = with_scale(answer(), [finding(ScaleSource.ODOMETRY, disagreement=5.0)], lower_confidence=True)
    assert scaled.confidence.rotation_5deg < 0.4
    assert "it turns more (5.0 standard deviations)" in scaled.remark
    uncalibrated = answer(UNCALIBRATED_CONFIDENCE)
    scaled = with_scale(uncalibrated, [finding(ScaleSource.ODOMETRY, disagreement=5.0)], lower_confidence=True)
    assert math.isnan(scaled.confidence.rotation_5deg)


def test_agreement_never_raises_confidence_and_usual_errors_cost_nothing():
    sizes = np.linspace(0, 10, 200)
    ratios = np.array([likelihood_ratio(size) for size in sizes])
    assert np.all(np.diff(ratios) <= 0)
    assert np.all(ratios[sizes < 2] == 1)
    assert ratios[-1] == pytest.approx(0.05)


def test_chi_is_as_unusual_as_the_normal_error():
    for share in (0.9, 0.99, 0.999):
        chi = math.sqrt(stats.chi2.ppf(share, 5))
        assert normal_from_chi(chi, 5) == pytest.approx(stats.norm.ppf(share), abs=0.05)
    assert normal_from_chi(0.5, 5) == 0


def test_a_baseline_counts_for_images_taken_together():
    baseline = Baseline.parse("left right 0.12 0.001")
    for pair in ((LEFT, RIGHT), (RIGHT, LEFT)):
        assert baseline.length(*pair, 0.01) == Scale(ScaleSource.BASELINE, 0.12, 0.001)
    assert Baseline.parse("left right 0.12").stddev == pytest.approx(0.0006)
    assert "0.5000 s apart" in baseline.length(LEFT, KeyframeId("right", 15 * 10**8), 0.01).text
    assert baseline.length(LEFT, KeyframeId("rear", 10**9), 0.01) is None
    assert baseline.length(LEFT, KeyframeId("left", 10**9), 0.01) is None


@pytest.mark.parametrize(
    "text", ["", "left right", "left right far", "left left 0.1", "left right -1", "a b nan", "a b 1 0"]
)
def test_what_is_no_baseline_is_named(text):
    with pytest.raises(ValueError, match=r"baseline|twice|above 0"):
        Baseline.parse(text)


def test_depth_is_read_in_metres_at_any_resolution():
    values = np.full((24, 32), 1500, np.uint16)
    values[:, 16:] = 3000
    values[5, 5] = 0
    depth = DepthImage(values, 0.001)
    assert depth.fits(640, 480)
    assert not depth.fits(640, 360)
    pixels = np.array([[100.0, 200.0], [600, 200], [20 * 5 + 9, 20 * 5 + 9], [20 * 16, 100], [-30, 10], [700, 10]])
    found = depth.at(pixels, 640, 480)
    np.testing.assert_allclose(found[:2], [1.5, 3.0])
    assert np.all(np.isnan(found[2:])), "a hole, an edge, outside"
    metres = DepthImage(np.array([[np.nan, np.inf], [-1, 2.0]], np.float32), 1.0)
    found = metres.at(np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]]), 2, 2)
    assert np.isnan(found[:3]).all()
    assert found[3] == 2.0
    assert len(metres.at(np.zeros((0, 2)), 2, 2)) == 0
