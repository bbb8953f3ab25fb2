"""How promising a clip looks before anything is matched: from small grey images of a few of its frames.

It only says which of the clips at hand is looked into first, and which are left for last. After a cut the middle of an image
is nowhere in the one before; a clip that stands still must jump to the other end, by much more than its other steps; frames
that melt into each other are the mean of their neighbours, as those of a moving camera are not; blur has no edges.

The ramps were chosen on views from two panoramas and from a rendered room (docs/selection.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Float

from interpose_ros.interpolation.clip import Clip
from interpose_ros.selection.subsets import evenly_spread
from interpose_ros.views import View

FRAMES = 7
"""Frames of a clip that are looked at: the steps between them must be large enough to tell a turn from a melt."""

_SIDE = 64

RAMPS: tuple[tuple[str, float, float], ...] = (
    ("followed", 0.3, 0.85),
    ("jump", 12.0, 4.0),
    ("melt", 0.08, 0.25),
    ("melt_in_places", 0.25, 0.5),
    ("sharpness", 0.15, 0.4),
)
"""What is measured, the value at which nothing is left of the promise, and the value that leaves it whole."""


@dataclass(frozen=True)
class FirstLook:
    """What is seen of a clip at a glance.

    Attributes:
        followed: how well the middle of an image is found again in its neighbour, by normalised correlation; of the worst
            step. 0 to 1.
        jump: largest step between neighbours over the median step.
        melt: median difference of a frame from the mean of its neighbours, over their own difference; 0 for a crossfade.
        melt_in_places: least of these over their median; small where a part of the clip melts and the rest does not.
        sharpness: least strength of edges in a frame, over that of the ends.
    """

    followed: float
    jump: float
    melt: float
    melt_in_places: float
    sharpness: float

    @property
    def promise(self) -> float:
        """0 to 1, no probability: the product of the ramps."""
        promise = 1.0
        for name, none, whole in RAMPS:
            promise *= min(max((getattr(self, name) - none) / (whole - none), 0.0), 1.0)
        return promise


def first_look(clip: Clip, view_a: View, view_b: View) -> FirstLook:
    """Look at a few frames of a clip between its keyframes; it has at least one.

    Frames of another camera than the keyframes' are looked at by themselves: the step across the seam does not compare.
    """
    frames = [clip.frames[number].load() for number in evenly_spread(len(clip), FRAMES)]
    ends = [_shrunk(view, frames[0]) for view in (view_a, view_b)]
    edges = np.array([_edges(image) for image in (ends[0], *(frame.image for frame in frames), ends[1])])
    expected = np.interp(np.arange(len(edges)), [0, len(edges) - 1], edges[[0, -1]])
    sharpness = float((edges[1:-1] / np.maximum(expected[1:-1], 1e-6)).min())

    same_camera = all(_sees_alike(view, frames[0]) for view in (view_a, view_b))
    views = [view_a, *frames, view_b] if same_camera else frames
    small = np.stack([_thumbnail(view.image) for view in views])
    steps = np.abs(np.diff(small, axis=0)).mean(axis=(1, 2))
    jump = float(steps.max() / max(np.median(steps), 1e-3)) if len(steps) else 1.0
    followed = min((_found_again(before, after) for before, after in pairwise(small)), default=1.0)
    if len(views) < 3:
        return FirstLook(followed, jump, 1.0, 1.0, sharpness)
    apart = np.abs(small[2:] - small[:-2]).mean(axis=(1, 2))
    melts = np.abs(small[1:-1] - 0.5 * (small[:-2] + small[2:])).mean(axis=(1, 2)) / np.maximum(apart, 1e-3)
    middle = float(np.median(melts))
    return FirstLook(followed, jump, middle, float(melts.min()) / max(middle, 1e-6), sharpness)


def by_promise(clips: Sequence[Clip], view_a: View, view_b: View) -> list[tuple[Clip, float]]:
    """The clips with their promise, the most promising first; those of equal promise as they came.

    What a camera saw is as promising as it gets, and is not looked at; a clip without frames promises nothing.
    """
    promises = [_promise(clip, view_a, view_b) for clip in clips]
    order = sorted(range(len(clips)), key=lambda number: -promises[number])
    return [(clips[number], promises[number]) for number in order]


def _promise(clip: Clip, view_a: View, view_b: View) -> float:
    if not clip.origin.generated:
        return 1.0
    return first_look(clip, view_a, view_b).promise if len(clip) else 0.0


def _sees_alike(view: View, other: View) -> bool:
    return view.image.shape == other.image.shape and bool(np.allclose(view.camera.K, other.camera.K, rtol=1e-3))


def _shrunk(view: View, like: View) -> np.ndarray:
    """A view's image, no larger than another's, as size makes edges sharper."""
    scale = max(like.image.shape[:2]) / max(view.image.shape[:2])
    if scale >= 1.0:
        return view.image
    height, width = (max(round(side * scale), 1) for side in view.image.shape[:2])
    return np.asarray(cv2.resize(view.image, (width, height), interpolation=cv2.INTER_AREA))


def _edges(image: np.ndarray) -> float:
    return float(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), cv2.CV_32F).std())


def _found_again(first: Float[np.ndarray, "s t"], second: Float[np.ndarray, "s t"]) -> float:
    """The better of both ways: the middle third of either image (two thirds of its height), anywhere in the other."""
    height, width = first.shape
    rows, columns = slice(height // 6, height - height // 6), slice(width // 3, width - width // 3)
    best = 0.0
    for middle, other in ((first[rows, columns], second), (second[rows, columns], first)):
        # Of an even patch the correlation is not defined.
        if middle.std() >= 1.0:
            best = max(best, float(cv2.matchTemplate(other, middle, cv2.TM_CCOEFF_NORMED).max()))
    return best


def _thumbnail(image: np.ndarray) -> Float[np.ndarray, "s t"]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    scale = _SIDE / max(grey.shape)
    size = (max(round(grey.shape[1] * scale), 1), max(round(grey.shape[0] * scale), 1))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
