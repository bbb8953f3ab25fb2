"""Coverage, by hand."""

import numpy as np
import pytest

from interpose_ros.matching.overlap import coverage, spread


def test_coverage_by_hand():
    # 480x320 has 24x16 cells of 20 px. One keypoint in the middle of the image speaks for 3x3 of 384 cells.
    assert coverage(np.array([[250.0, 150.0]]), 480, 320) == pytest.approx(9 / 384)
    # In the corner, only four of the nine lie within the image.
    assert coverage(np.array([[0.0, 0.0]]), 480, 320) == pytest.approx(4 / 384)
    assert coverage(np.array([[479.0, 319.0]]), 480, 320) == pytest.approx(4 / 384)
    # Neighbours share cells: two keypoints one cell apart cover 3x4.
    assert coverage(np.array([[250.0, 150.0], [270.0, 150.0]]), 480, 320) == pytest.approx(12 / 384)
    # The same cell counts once.
    assert coverage(np.array([[250.0, 150.0], [251.0, 151.0]]), 480, 320) == pytest.approx(9 / 384)
    assert coverage(np.zeros((0, 2)), 480, 320) == 0.0


def test_cells_meet_between_pixels():
    # Pixel centres are at integers: column 19 ends the first cell, column 20 starts the second.
    assert coverage(np.array([[19.4, 150.0]]), 480, 320) == pytest.approx(6 / 384)
    assert coverage(np.array([[19.6, 150.0]]), 480, 320) == pytest.approx(9 / 384)


def test_matches_in_one_half_cover_about_half():
    x, y = np.meshgrid(np.arange(0, 240, 5.0), np.arange(0, 320, 5.0))
    keypoints = np.stack([x.ravel(), y.ravel()], axis=1)
    assert coverage(keypoints, 480, 320) == pytest.approx(13 / 24)
    assert coverage(keypoints[:, ::-1], 320, 480) == pytest.approx(13 / 24)
    assert coverage(np.concatenate([keypoints, keypoints + np.array([240.0, 0.0])]), 480, 320) == 1.0


def test_spread_by_hand():
    # Four corners of a square of half the sides: variances of 1/12 in both directions (0.25^2 * 4 / 3).
    corners = np.array([[100.0, 100.0], [300.0, 100.0], [100.0, 200.0], [300.0, 200.0]])
    assert spread(corners, 400, 200) == pytest.approx(np.sqrt(1 / 12))
    # On one line, however long, they say nothing across it.
    assert spread(np.array([[0.0, 0.0], [100.0, 50.0], [300.0, 150.0]]), 400, 200) == pytest.approx(0.0, abs=1e-4)
    assert spread(corners[:2], 400, 200) == 0.0
    # The same in every size of image, and unchanged by where in the image it is.
    assert spread(2 * corners, 800, 400) == pytest.approx(spread(corners - 50.0, 400, 200))


def test_an_even_image_has_the_spread_of_a_uniform_distribution():
    x, y = np.meshgrid(np.arange(640.0), np.arange(480.0))
    assert spread(np.stack([x.ravel(), y.ravel()], axis=1), 640, 480) == pytest.approx(1 / np.sqrt(12), rel=1e-3)
