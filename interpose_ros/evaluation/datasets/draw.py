"""Pairs of photos by yaw and overlap, drawn with a seed and evenly over scenes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from interpose_ros.evaluation.datasets.photos import Photo, Scene
from interpose_ros.evaluation.datasets.true_overlap import true_overlap

MOST_PHOTOS = 300
"""Photos of a scene that are considered, evenly spread: pairs grow with the square."""

MOST_TRIES = 20
"""Pairs looked at for every one that is drawn, where overlap decides: reading depth takes time."""


@dataclass(frozen=True)
class Bin:
    """What the pairs of one file have in common.

    Attributes:
        yaw_deg: from and to.
        overlap: from and to; None for any.
    """

    yaw_deg: tuple[float, float]
    overlap: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        """For files: ``50-65``, or ``50-65-overlap-0-0.1``."""
        yaw = "-".join(f"{value:g}" for value in self.yaw_deg)
        return yaw if self.overlap is None else f"{yaw}-overlap-" + "-".join(f"{value:g}" for value in self.overlap)


@dataclass(frozen=True, eq=False)
class DrawnPair:
    """Two photos of a scene, and their true overlap where depth tells it."""

    scene: Scene
    first: int
    second: int
    overlap: float | None

    @property
    def photos(self) -> tuple[Photo, Photo]:
        """Photo A and photo B."""
        return self.scene.photos[self.first], self.scene.photos[self.second]


def yaw_deg(T_world_camera: Float[np.ndarray, "n 4 4"]) -> Float[np.ndarray, "n n"]:
    """Yaw between every two cameras, 0 to 180 degrees, first camera by row.

    It is the angle in the x-z plane of camera B between its own viewing direction and that of camera A, so that pitch and
    roll do not count as yaw.
    """
    R = T_world_camera[:, :3, :3]
    forward_in_b = np.einsum("bij,ai->abj", R, R[:, :, 2])
    return np.abs(np.degrees(np.arctan2(forward_in_b[..., 0], forward_in_b[..., 2])))


def draw_pairs(
    scenes: Sequence[Scene], wanted: Bin, count: int, seed: int, progress: Callable[[], Any] = lambda: None
) -> list[DrawnPair]:
    """At most so many pairs of a bin, one from each scene in turn as long as it has some, in random order.

    Args:
        scenes: of one data set.
        wanted: yaw and overlap.
        count: most pairs.
        seed: of the draw.
        progress: called with every pair that was drawn.
    """
    random = np.random.default_rng(seed)
    waiting = [_candidates(scene, wanted, random) for scene in scenes]
    drawn: list[DrawnPair] = []
    tries = MOST_TRIES * count
    while len(drawn) < count and any(waiting) and tries > 0:
        for number, scene in enumerate(scenes):
            if not waiting[number] or len(drawn) == count or tries <= 0:
                continue
            first, second = waiting[number].pop()
            tries -= 1
            overlap = true_overlap(scene.photos[first], scene.photos[second])
            if wanted.overlap is not None and (overlap is None or not _within(overlap, wanted.overlap)):
                continue
            drawn.append(DrawnPair(scene, first, second, overlap))
            progress()
    return drawn


def _candidates(scene: Scene, wanted: Bin, random: np.random.Generator) -> list[tuple[int, int]]:
    """Pairs of a scene with the right yaw, in random order and either direction."""
    total = len(scene.photos)
    chosen = np.unique(np.rint(np.linspace(0, total - 1, min(total, MOST_PHOTOS))).astype(int))
    yaw = yaw_deg(np.stack([scene.photos[k].T_world_camera for k in chosen]))
    low, high = wanted.yaw_deg
    first, second = np.nonzero((yaw >= low) & (yaw < high) & ~np.eye(len(chosen), dtype=bool))
    keep = first < second
    order = random.permutation(int(keep.sum()))
    turned = random.random(len(order)) < 0.5
    pairs = [(int(chosen[first[keep][k]]), int(chosen[second[keep][k]])) for k in order]
    return [(b, a) if turn else (a, b) for (a, b), turn in zip(pairs, turned, strict=True)]


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value < limits[1] or value == limits[1] == 1.0
