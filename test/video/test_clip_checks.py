"""Does a clip lead where it should? On real images cut from one photograph, with the real matcher."""

import cv2
import numpy as np
import pytest

from interpose_ros.geometry.camera import Camera
from interpose_ros.interpolation.clip_checks import (
    MIN_MATCH_SCORE,
    distinct_frames,
    end_findings,
    leads_somewhere,
    seam_findings,
)
from interpose_ros.views import KeyframeId, View

WIDTH, HEIGHT = 384, 256
CAMERA = Camera(np.array([[400.0, 0, (WIDTH - 1) / 2], [0, 400.0, (HEIGHT - 1) / 2], [0, 0, 1]]), WIDTH, HEIGHT)


def textured(seed: int, width: int) -> np.ndarray:
    """A wall of many scales, which features stick to; different walls have different grids, too."""
    rng = np.random.default_rng(seed)
    image = np.zeros((HEIGHT, width, 3), dtype=np.float32)
    for cell in (4, 9, 20, 45) if seed == 0 else (5, 13, 27, 61):
        coarse = rng.uniform(0, 255, (HEIGHT // cell + 2, width // cell + 2, 3)).astype(np.float32)
        image += 0.25 * cv2.resize(coarse, (width, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return image.astype(np.uint8)


def turned(angle: float, seed: int = 0) -> View:
    """The wall of that seed after a turn to the right, as a camera that only turns sees it."""
    wall = textured(seed, 3 * WIDTH)
    K_wall = np.array([[400.0, 0, 1.5 * WIDTH - 0.5], [0, 400.0, (HEIGHT - 1) / 2], [0, 0, 1]])
    c, s = np.cos(angle), np.sin(angle)
    R_wall_view = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    H = K_wall @ R_wall_view @ np.linalg.inv(CAMERA.K)
    image = cv2.warpPerspective(wall, H, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return View(image, CAMERA, KeyframeId("camera", int(1000 * angle)))


PATH = np.radians([0, 6, 12, 18, 24])


def test_near_duplicates_are_skipped() -> None:
    frames = np.stack([turned(angle).image for angle in np.radians([0, 0.01, 5, 5.02, 10, 10])])
    assert distinct_frames(frames, turned(0.0).image) == [2, 4]
    assert distinct_frames(frames[:2], turned(0.0).image) == []


def test_an_end_that_is_reached(store) -> None:
    wanted = turned(PATH[-1])
    noisy = np.clip(wanted.image.astype(int) + np.random.default_rng(0).integers(-8, 9, wanted.image.shape), 0, 255)
    found = end_findings(noisy.astype(np.uint8), wanted, store, 30)
    assert found["last_reached"] == 1.0
    assert found["last_inliers"] > 100
    assert found["last_shift"] < 0.003
    assert found["last_rotation"] < np.radians(0.3)


def test_an_end_that_is_missed_by_a_turn(store) -> None:
    found = end_findings(turned(PATH[-1] - np.radians(8)).image, turned(PATH[-1]), store, 30)
    assert found["last_reached"] == 0.0
    assert found["last_rotation"] == pytest.approx(np.radians(8), abs=np.radians(0.5))
    assert found["last_shift"] == pytest.approx(np.tan(np.radians(8)) * 400 / WIDTH, rel=0.15)


def test_an_end_in_another_place(store) -> None:
    found = end_findings(turned(0.0, seed=5).image, turned(PATH[-1]), store, 30)
    assert found["last_reached"] == 0.0
    assert found["last_score"] < MIN_MATCH_SCORE


def test_a_smooth_clip_and_a_shot_cut(store) -> None:
    smooth = [turned(angle) for angle in PATH]
    found = seam_findings(smooth, store)
    assert min(found["seam_a_inliers"], found["seam_b_inliers"]) > 100
    assert found["seam_a_jump"] == pytest.approx(1.0, abs=0.3)
    assert found["seam_b_jump"] == pytest.approx(1.0, abs=0.3)
    cut = seam_findings([*smooth[:-1], turned(0.0, seed=5)], store)
    assert cut["seam_b_score"] < MIN_MATCH_SCORE < found["seam_b_score"]
    assert cut["seam_a_inliers"] == found["seam_a_inliers"]


def test_a_jump_at_the_seam(store) -> None:
    slow = [turned(angle) for angle in np.radians([0, 1, 2, 3, 14])]
    found = seam_findings(slow, store)
    assert found["seam_a_jump"] == pytest.approx(1.0, abs=0.3)
    assert found["seam_b_jump"] > 1.8


def test_a_single_frame_has_no_neighbours_to_compare_with(store) -> None:
    found = seam_findings([turned(angle) for angle in PATH[:3]], store)
    assert np.isnan(found["seam_a_jump"])
    assert found["seam_a_inliers"] > 100


def test_what_a_clip_is_becoming(store) -> None:
    frames = np.stack([turned(angle).image for angle in PATH])
    first, last = turned(PATH[0]), turned(PATH[-1])
    assert leads_somewhere(frames, CAMERA, first, last, store, 30)
    assert not leads_somewhere(frames, CAMERA, first, turned(0.0, seed=5), store, 30)
