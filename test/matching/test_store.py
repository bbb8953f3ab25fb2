"""The store computes once per content. Stand-in networks count their calls; the geometry is the real one."""

import numpy as np
import pytest

from interpose_ros.config import FeatureConfig, InterposeConfig
from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.matching.features import LocalFeatures
from interpose_ros.matching.matcher import Matches
from interpose_ros.matching.overlap import coverage
from interpose_ros.matching.store import MatchStore
from interpose_ros.matching.two_view import TwoViewGeometry
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.views import KeyframeId, View

from .two_view_scenes import HEIGHT, WIDTH, camera, make_scene

SCENE = make_scene(0, baseline=0.1, noise_px=0.3)


class KnownKeypoints:
    """Reads which image it is from the first pixel."""

    name = "known"
    fingerprint = "0"

    def extract(self, image):
        pixels = SCENE.pixels_a if image[0, 0, 0] == 1 else SCENE.pixels_b
        if image[0, 0, 0] == 3:
            pixels = np.zeros((0, 2))
        return LocalFeatures(pixels, np.zeros((len(pixels), 4), np.float32), WIDTH, HEIGHT)


class InOrder:
    """The n-th feature of a is the n-th of b."""

    name = "in-order"
    fingerprint = "1"

    def match(self, features_a, features_b):
        count = min(len(features_a), len(features_b))
        return Matches(np.repeat(np.arange(count)[:, None], 2, axis=1), np.full(count, 0.5))


def view(number: int, stamp_ns: int = 0, focal: float = 500.0) -> View:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[0, 0, 0] = number
    return View(image, camera(focal), KeyframeId("camera_optical", stamp_ns))


@pytest.fixture
def store() -> MatchStore:
    return MatchStore(KnownKeypoints(), InOrder(), InterposeConfig())


def test_everything_is_computed_once_per_content(store):
    first = store.pair(view(1), view(2))
    assert (store.extracted, store.matched) == (2, 1)
    assert store.pair(view(1, stamp_ns=5), view(2, stamp_ns=6)) is first
    assert (store.extracted, store.matched) == (2, 1)
    store.clear()
    store.pair(view(1), view(2))
    assert (store.extracted, store.matched) == (4, 2)


def test_the_other_way_round_matches_nothing_again_and_is_the_inverse(store):
    forth, back = store.pair(view(1), view(2)), store.pair(view(2), view(1))
    assert (store.extracted, store.matched) == (2, 1)
    assert isinstance(forth.geometry, TwoViewGeometry)
    assert isinstance(back.geometry, TwoViewGeometry)
    assert rotation_distance(forth.geometry.R_b_a, SCENE.R_b_a) < np.deg2rad(0.2)
    assert rotation_distance(back.geometry.R_b_a, SCENE.R_b_a.T) < np.deg2rad(0.2)
    np.testing.assert_array_equal(back.matches.indices, forth.matches.indices[:, [1, 0]])


def test_another_camera_is_another_pair(store):
    store.pair(view(1), view(2))
    other = store.pair(view(1, focal=400.0), view(2, focal=400.0))
    assert store.extracted == 2
    assert other is not store.pair(view(1), view(2))


def test_inliers_and_their_coverage(store):
    pair = store.pair(view(1), view(2))
    pixels_a, pixels_b = pair.inlier_pixels()
    assert len(pixels_a) == len(pixels_b) == pair.inlier_count > 180
    assert pair.coverage() == (coverage(pixels_a, WIDTH, HEIGHT), coverage(pixels_b, WIDTH, HEIGHT))
    assert pair.inlier_score() == 0.5


def test_no_matches_are_a_refusal_without_numbers(store):
    pair = store.pair(view(1), view(3))
    assert isinstance(pair.geometry, Refusal)
    assert pair.geometry.reason is RefusalReason.NO_OVERLAP
    assert (pair.inlier_count, pair.coverage(), pair.inlier_score()) == (0, (0.0, 0.0), 0.0)
    assert pair.inlier_pixels()[0].shape == (0, 2)


def test_without_memory_the_store_still_answers():
    config = InterposeConfig(features=FeatureConfig(cache_megabytes=0.0))
    store = MatchStore(KnownKeypoints(), InOrder(), config)
    assert store.pair(view(1), view(2)).inlier_count == store.pair(view(1), view(2)).inlier_count > 180
    assert (store.extracted, store.matched) == (4, 2)


def test_pairs_do_not_keep_descriptors_alive(store):
    found = store.pair(view(1), view(2))
    assert found.features_a.descriptors.size == found.features_b.descriptors.size == 0
    np.testing.assert_array_equal(found.features_a.keypoints, SCENE.pixels_a)
    np.testing.assert_array_equal(found.inlier_pixels()[1], SCENE.pixels_b[found.geometry.inliers])
