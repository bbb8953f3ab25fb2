"""Does a generated clip lead where it should? Found out by geometry, on the frames themselves.

A video model is told where to start and where to end, and keeps to it as well as it can. What is measured here is evidence
for selection, not a verdict: a clip that ends elsewhere may still be the best there is, and says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.matching.store import MatchStore, VerifiedPair
from interpose_ros.matching.two_view import TwoViewGeometry
from interpose_ros.views import KeyframeId, View

_THUMBNAIL = 64
MIN_MATCH_SCORE = 0.4
"""Mean matcher score below which verified matches count for nothing: rich texture alone gives some, at 0.2 to 0.3."""

DUPLICATE_DIFFERENCE = 1.5
"""Mean difference of small grey images, of 255, below which a frame shows what the one before did."""


def distinct_frames(frames: UInt8[np.ndarray, "n h w 3"], start: UInt8[np.ndarray, "h w 3"]) -> list[int]:
    """Numbers of the frames that differ from the last one kept, beginning with ``start``, which is not among them."""
    kept, last = [], _thumbnail(start)
    for number, frame in enumerate(frames):
        small = _thumbnail(frame)
        if float(np.abs(small - last).mean()) > DUPLICATE_DIFFERENCE:
            kept.append(number)
            last = small
    return kept


def end_findings(
    generated_last: UInt8[np.ndarray, "h w 3"], wanted: View, store: MatchStore, min_inliers: int
) -> dict[str, float]:
    """How well the frame that should show a keyframe does so.

    Args:
        generated_last: that frame.
        wanted: the keyframe as the model was given it.
        store: matches frames.
        min_inliers: verified matches from which on the frame counts as the keyframe.

    Returns:
        ``last_inliers``, ``last_score`` (their mean matcher score), ``last_coverage`` (least of both images), ``last_shift``
        (median distance of verified matches from
        where they should be, relative to the longer side; NaN without), ``last_rotation`` in radians (NaN without), and
        ``last_reached``, 1 or 0.
    """
    made = View(generated_last, wanted.camera, KeyframeId("generated", 0))
    pair = store.pair(made, wanted)
    pixels_made, pixels_wanted = pair.inlier_pixels()
    shift = rotation = math.nan
    if len(pixels_made):
        side = max(wanted.camera.width, wanted.camera.height)
        shift = float(np.median(np.linalg.norm(pixels_made - pixels_wanted, axis=1))) / side
    if isinstance(pair.geometry, TwoViewGeometry):
        rotation = float(rotation_distance(pair.geometry.R_b_a[None], np.eye(3)[None])[0])
    reached = _hangs_together(pair, min_inliers) and shift < 0.02
    return {
        "last_inliers": float(pair.inlier_count),
        "last_score": pair.inlier_score(),
        "last_coverage": float(min(pair.coverage())),
        "last_shift": shift,
        "last_rotation": rotation,
        "last_reached": float(reached),
    }


def seam_findings(views: Sequence[View], store: MatchStore) -> dict[str, float]:
    """How firmly a clip hangs on to its keyframes, and whether it jumps there.

    Args:
        views: keyframe A, frames in between in order, keyframe B.
        store: matches frames.

    Returns:
        ``seam_a_inliers`` and ``seam_b_inliers``: verified matches of each keyframe with the frame beside it;
        ``seam_a_score`` and ``seam_b_score``: their mean matcher score.
        ``seam_a_jump`` and ``seam_b_jump``: mean difference of small grey images across the seam, over the median of that
        between neighbours within; 1 is smooth, a shot cut is many times that; NaN for clips of a single frame.
    """
    seams = [store.pair(*ends) for ends in ((views[0], views[1]), (views[-2], views[-1]))]
    small = [_thumbnail(view.image) for view in views]
    steps = [float(np.abs(after - before).mean()) for before, after in pairwise(small)]
    within = float(np.median(steps[1:-1])) if len(steps) > 2 else math.nan
    scale = max(within, 1e-3) if not math.isnan(within) else math.nan
    return {
        "seam_a_inliers": float(seams[0].inlier_count),
        "seam_b_inliers": float(seams[1].inlier_count),
        "seam_a_score": seams[0].inlier_score(),
        "seam_b_score": seams[1].inlier_score(),
        "seam_a_jump": steps[0] / scale,
        "seam_b_jump": steps[-1] / scale,
    }


def leads_somewhere(
    frames: UInt8[np.ndarray, "n h w 3"], camera: Camera, first: View, last: View, store: MatchStore, min_inliers: int
) -> bool:
    """Whether what a clip is becoming is worth going on for: it hangs together with both images it was given."""
    second, before_last = (
        View(np.ascontiguousarray(frames[number]), camera, KeyframeId("becoming", number))
        for number in (1, len(frames) - 2)
    )
    return all(_hangs_together(store.pair(*ends), min_inliers) for ends in ((first, second), (before_last, last)))


def _hangs_together(pair: VerifiedPair, min_inliers: int) -> bool:
    return pair.inlier_count >= min_inliers and pair.inlier_score() >= MIN_MATCH_SCORE


def _thumbnail(image: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "s t"]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    scale = _THUMBNAIL / max(grey.shape)
    size = (max(round(grey.shape[1] * scale), 1), max(round(grey.shape[0] * scale), 1))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float64)
