"""A depth image that is registered to a camera's image: what it says at given pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num

MAX_ASPECT_DIFFERENCE = 0.02
"""Beyond this the depth image does not show the same as the colour image."""

MAX_STEP = 0.05
"""Depths within a pixel's neighbourhood that differ by a larger share: an edge, where depth is of either side."""


@dataclass(frozen=True, eq=False)
class DepthImage:
    """Depth along the optical axis (REP 118), registered to an image of the same view and any resolution.

    Attributes:
        values: as measured; 0, NaN and infinity mean "not known".
        metres_per_unit: 1 for metres, 0.001 for millimetres.
    """

    values: Num[np.ndarray, "h w"]
    metres_per_unit: float

    def fits(self, width: int, height: int) -> bool:
        """Whether this shows the same as an image of this size."""
        own_height, own_width = self.values.shape
        return abs(own_width * height / (own_height * width) - 1.0) <= MAX_ASPECT_DIFFERENCE

    def at(self, pixels: Float[np.ndarray, "n 2"], width: int, height: int) -> Float[np.ndarray, "n"]:
        """Depths [m] at pixels of an image of this size; NaN where there is none, at edges and outside."""
        own_height, own_width = self.values.shape
        found = np.full(len(pixels), np.nan)
        if len(pixels) == 0:
            return found
        factor = np.array([own_width / width, own_height / height])
        places = np.rint((np.asarray(pixels) + 0.5) * factor - 0.5)
        inside = np.all((places >= 0) & (places < [own_width, own_height]), axis=1)
        columns, rows = places[inside].astype(int).T
        steps = np.arange(-1, 2)
        near = self.values[
            np.clip(rows[:, None, None] + steps[:, None], 0, own_height - 1),
            np.clip(columns[:, None, None] + steps, 0, own_width - 1),
        ].astype(np.float64)
        near[~(np.isfinite(near) & (near > 0))] = np.nan
        near = near.reshape(-1, 9)
        depth = near[:, 4].copy()
        is_known = np.isfinite(depth)
        spread = np.full(len(depth), np.inf)
        spread[is_known] = np.nanmax(near[is_known], axis=1) - np.nanmin(near[is_known], axis=1)
        depth[~(spread <= 2 * MAX_STEP * depth)] = np.nan
        found[inside] = depth * self.metres_per_unit
        return found
