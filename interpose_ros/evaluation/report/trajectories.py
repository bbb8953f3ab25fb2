"""A replayed trajectory beside the truth, seen from above: of the files that ``interpose replay`` writes."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from interpose_ros.geometry.alignment import similarity_alignment

ESTIMATE, TRUTH = "trajectory.tum", "truth.tum"
MOST_POINTS = 1500
MOST_APART = 0.05
"""Stamps of estimate and truth this far apart (seconds) still belong together."""


def trajectory_figure(folder: Path) -> dict[str, Any] | None:
    """Both paths in the plane in which the truth extends most, aligned by a similarity; None where there is none.

    A file that is no trajectory counts as none: the figures of the run do not depend on it.
    """
    try:
        estimate, truth = _read(folder / ESTIMATE), _read(folder / TRUTH)
    except (OSError, ValueError):
        return None
    if len(estimate) < 2:
        return None
    if len(truth) < 2:
        plane = _plane(estimate[:, 1:4])
        return {"estimate": _points(_seen(estimate[:, 1:4], plane)), "truth": [], "rmse": None, "count": len(estimate)}
    nearest = np.abs(truth[:, 0][None, :] - estimate[:, 0][:, None])
    partner = nearest.argmin(axis=1)
    both = nearest[np.arange(len(estimate)), partner] <= MOST_APART
    plane = _plane(truth[:, 1:4])
    positions = estimate[:, 1:4]
    rmse = None
    with contextlib.suppress(ValueError):  # on a line, or in one place, nothing can be aligned
        scale, R, t = similarity_alignment(positions[both], truth[partner[both], 1:4])
        positions = scale * positions @ R.T + t
        rmse = float(np.sqrt(np.mean(np.sum((positions[both] - truth[partner[both], 1:4]) ** 2, axis=1))))
    return {
        "estimate": _points(_seen(positions, plane)),
        "truth": _points(_seen(truth[:, 1:4], plane)),
        "rmse": rmse,
        "count": int(both.sum()),
    }


def _read(path: Path) -> Float[np.ndarray, "n 8"]:
    if not path.is_file():
        return np.zeros((0, 8))
    found = np.loadtxt(path, comments="#", ndmin=2, dtype=np.float64)
    if found.size == 0:
        return np.zeros((0, 8))
    if found.shape[1] != 8 or not np.all(np.isfinite(found)):
        raise ValueError(f"{path} is not a TUM trajectory: stamp x y z qx qy qz qw")
    return found


def _plane(positions: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "2 3"]]:
    centre = positions.mean(axis=0)
    return centre, np.linalg.svd(positions - centre, full_matrices=False)[2][:2]


def _seen(
    positions: Float[np.ndarray, "n 3"], plane: tuple[Float[np.ndarray, "3"], Float[np.ndarray, "2 3"]]
) -> Float[np.ndarray, "n 2"]:
    centre, axes = plane
    return (positions - centre) @ axes.T


def _points(points: Float[np.ndarray, "n 2"]) -> list[list[float]]:
    chosen = np.unique(np.linspace(0, len(points) - 1, min(MOST_POINTS, len(points))).astype(int))
    return [[round(float(points[k, 0]), 4), round(float(points[k, 1]), 4)] for k in chosen]
