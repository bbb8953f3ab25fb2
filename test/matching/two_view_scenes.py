"""Synthetic matches of two views with known motion: points in a depth range, on a plane, or seen by a turning camera."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from scipy.spatial.transform import Rotation

from interpose_ros.geometry.camera import Camera

FOCAL, WIDTH, HEIGHT = 500.0, 640, 480
NEAR, FAR = 2.0, 8.0
MEAN_DEPTH = 0.5 * (NEAR + FAR)


class Shape(str, Enum):
    """Where the points of a scene lie."""

    VOLUME = "volume"
    PLANE = "plane"


@dataclass(frozen=True)
class Scene:
    """Matches with the truth behind them; the first ``count - outliers`` are true ones."""

    pixels_a: np.ndarray
    pixels_b: np.ndarray
    R_b_a: np.ndarray
    t_b_a: np.ndarray


def camera(focal: float = FOCAL) -> Camera:
    """The camera of both views."""
    return Camera(np.array([[focal, 0, 319.5], [0, focal, 239.5], [0, 0, 1.0]]), WIDTH, HEIGHT)


def make_scene(
    seed: int,
    baseline: float,
    noise_px: float,
    shape: Shape = Shape.VOLUME,
    count: int = 200,
    outliers: int = 0,
    rotation_deg: float = 15.0,
    motion_seed: int | None = None,
) -> Scene:
    """Matches between two views.

    Args:
        seed: of points and noise.
        baseline: distance between the cameras over the mean depth of the scene.
        noise_px: standard deviation of every keypoint coordinate.
        shape: where the points lie.
        count: number of matches, outliers included.
        outliers: matches whose pixel in b is random.
        rotation_deg: angle between the cameras.
        motion_seed: of rotation axis and direction; the scene's own seed by default.
    """
    rng = np.random.default_rng(seed)
    motion = np.random.default_rng(1000 + (seed if motion_seed is None else motion_seed))
    axis = motion.normal(size=3)
    R_b_a = Rotation.from_rotvec(np.deg2rad(rotation_deg) * axis / np.linalg.norm(axis)).as_matrix()
    direction = motion.normal(size=3)
    t_b_a = baseline * MEAN_DEPTH * direction / np.linalg.norm(direction)
    true_camera = camera()
    kept_a, kept_b = np.zeros((0, 2)), np.zeros((0, 2))
    while len(kept_a) < count:
        pixels_a = rng.uniform([0, 0], [WIDTH - 1, HEIGHT - 1], (4 * count, 2))
        rays = np.c_[true_camera.normalise(pixels_a), np.ones(len(pixels_a))]
        if shape is Shape.VOLUME:
            depth = rng.uniform(NEAR, FAR, len(rays))
        else:
            normal = np.array([0.35, -0.2, 1.0])
            depth = MEAN_DEPTH / (rays @ normal)
        pixels_b = true_camera.project(rays * depth[:, None] @ R_b_a.T + t_b_a)
        seen = np.all((pixels_b >= 0) & (pixels_b <= [WIDTH - 1, HEIGHT - 1]), axis=1)
        kept_a, kept_b = np.r_[kept_a, pixels_a[seen]], np.r_[kept_b, pixels_b[seen]]
    pixels_a, pixels_b = kept_a[:count].copy(), kept_b[:count].copy()
    if outliers:
        pixels_b[-outliers:] = rng.uniform([0, 0], [WIDTH - 1, HEIGHT - 1], (outliers, 2))
    pixels_a += rng.normal(0.0, noise_px, pixels_a.shape)
    pixels_b += rng.normal(0.0, noise_px, pixels_b.shape)
    return Scene(pixels_a, pixels_b, R_b_a, t_b_a)
