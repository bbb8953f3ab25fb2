"""How much of one image the other shows, from verified matches."""

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
