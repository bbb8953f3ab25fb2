"""How much of one image the other shows, and how widely spread, from verified matches."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float

CELLS_ON_LONG_SIDE = 24
"""Resolution of the coverage grid. A match speaks for its cell and the eight around it: an eighth of the long side."""


def coverage(keypoints: Float[np.ndarray, "n 2"], width: int, height: int) -> float:
    """Share of an image, 0 to 1, that lies near one of the given keypoints (pixels)."""
    if len(keypoints) == 0:
        return 0.0
    cell = max(width, height) / CELLS_ON_LONG_SIDE
    columns, rows = max(1, round(width / cell)), max(1, round(height / cell))
    occupied = np.zeros((rows, columns), np.uint8)
    column = np.clip((keypoints[:, 0] + 0.5) * columns / width, 0, columns - 1).astype(int)
    row = np.clip((keypoints[:, 1] + 0.5) * rows / height, 0, rows - 1).astype(int)
    occupied[row, column] = 1
    return float(cv2.dilate(occupied, np.ones((3, 3), np.uint8)).mean())


def spread(keypoints: Float[np.ndarray, "n 2"], width: int, height: int) -> float:
    """How far keypoints (pixels) lie apart in both directions: geometric mean of the standard deviations along their main
    axes, in shares of the image's sides. 0.29 where they fill the image evenly, 0 for fewer than three or on one line."""
    if len(keypoints) < 3:
        return 0.0
    covariance = np.cov((keypoints / [width, height]).T)
    return float(max(np.linalg.det(covariance), 0.0) ** 0.25)
