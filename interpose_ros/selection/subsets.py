"""Subsets of a clip's frames: each gives a pose of its own, and their agreement is evidence."""

from __future__ import annotations

import math

import numpy as np


def draw_subsets(
    count: int, between: int, random: int, rng: np.random.Generator, grid: int | None = None
) -> list[tuple[int, ...]]:
    """One evenly spread subset of a clip's frames, and random ones, all different and in order.

    InterPose draws 10 random subsets and a uniform one, of 3 frames each (Cai et al., CVPR 2025).

    Args:
        count: frames in between, numbered from 0.
        between: frames per subset; a clip with no more than that has one subset, all of it.
        random: random subsets, as far as there are so many different ones.
        rng: draws them.
        grid: draw from that many evenly spread frames only, so that subsets share most of their pairs of views; by default
            from all.

    Returns:
        Numbers of frames per subset; none where the clip has no frames.
    """
    if count <= 0 or between <= 0:
        return []
    frames = evenly_spread(count, count if grid is None else max(grid, between))
    if len(frames) <= between:
        return [tuple(frames)]
    uniform = tuple(frames[k] for k in evenly_spread(len(frames), between))
    subsets = [uniform]
    possible = math.comb(len(frames), between)
    while len(subsets) < min(random + 1, possible):
        drawn = tuple(frames[int(k)] for k in sorted(rng.choice(len(frames), between, replace=False)))
        if drawn not in subsets:
            subsets.append(drawn)
    return subsets


def evenly_spread(count: int, most: int) -> list[int]:
    """At most so many of the numbers 0 to ``count - 1``, evenly spread, without the ends where some are left out."""
    if count <= most:
        return list(range(count))
    return [int(k) for k in np.rint(np.linspace(-1, count, most + 2)).astype(int)[1:-1]]
