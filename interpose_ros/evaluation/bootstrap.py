"""Intervals of figures by drawing scenes, since pairs of one scene are not independent of each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Int

MIN_SCENES = 5
"""With fewer scenes an interval says nothing about other scenes, and none is given."""

MIN_DEFINED = 0.9
"""Share of the draws that must have a figure at all."""


def scene_intervals(
    figures: Callable[[Int[np.ndarray, "k"]], Mapping[str, float]],
    scenes: Sequence[str],
    seed: int,
    draws: int = 1000,
    level: float = 0.95,
) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap over scenes of named figures.

    Args:
        figures: figures of the given rows; NaN where one does not exist.
        scenes: of every row.
        seed: of the draws.
        draws: how many.
        level: of the interval.

    Returns:
        Lower and upper end by name; empty with fewer than ``MIN_SCENES`` scenes.
    """
    _, scene_of_row = np.unique(np.asarray(scenes, dtype=str), return_inverse=True)
    count = int(scene_of_row.max()) + 1 if len(scenes) else 0
    if count < MIN_SCENES:
        return {}
    rows = [np.flatnonzero(scene_of_row == scene) for scene in range(count)]
    random = np.random.default_rng(seed)
    drawn = [figures(np.concatenate([rows[scene] for scene in random.integers(0, count, count)])) for _ in range(draws)]
    tail = 50.0 * (1.0 - level)
    intervals = {}
    for name in drawn[0]:
        values = np.array([draw[name] for draw in drawn], dtype=np.float64)
        defined = values[np.isfinite(values)]
        if defined.size >= MIN_DEFINED * draws:
            low, high = np.percentile(defined, [tail, 100.0 - tail])
            intervals[name] = (float(low), float(high))
    return intervals
