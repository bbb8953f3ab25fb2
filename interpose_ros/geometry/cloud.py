"""Coloured points of a scene, as a by-product of a relative pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from interpose_ros.geometry.camera import Camera


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points that two or more views show.

    Attributes:
        points_a: in the frame of camera A, in units of the distance between the cameras A and B.
        colours: RGB.
    """

    points_a: Float[np.ndarray, "n 3"]
    colours: UInt8[np.ndarray, "n 3"]

    def __len__(self) -> int:
        return len(self.points_a)


def triangulated(
    pixels_a: Float[np.ndarray, "n 2"],
    pixels_b: Float[np.ndarray, "n 2"],
    camera_a: Camera,
    camera_b: Camera,
    R_b_a: Float[np.ndarray, "3 3"],
    direction_b_a: Float[np.ndarray, "3"],
    min_angle: float,
) -> tuple[Float[np.ndarray, "n 3"], np.ndarray]:
    """Points from matched pixels: the middle of the shortest line between both rays (Hartley and Sturm, 1997, section 3).

    Args:
        pixels_a, pixels_b: matched pixels.
        camera_a, camera_b: of the two images.
        R_b_a, direction_b_a: pose with a translation of length 1.
        min_angle: rays that meet at a smaller angle [rad] say nothing about depth.

    Returns:
        Points in frame A, and which of them are in front of both cameras and seen at ``min_angle`` or more.
    """
    rays_a = camera_a.bearings(pixels_a)
    rays_b = camera_b.bearings(pixels_b) @ R_b_a  # in frame A
    centre_b = -R_b_a.T @ direction_b_a
    cosine = np.sum(rays_a * rays_b, axis=1)
    sine_squared = np.maximum(1.0 - cosine**2, 1e-12)
    along_a, along_b = rays_a @ centre_b, rays_b @ centre_b
    distance_a = (along_a - cosine * along_b) / sine_squared
    distance_b = (cosine * along_a - along_b) / sine_squared
    points = 0.5 * (distance_a[:, None] * rays_a + distance_b[:, None] * rays_b + centre_b)
    usable = (distance_a > 0) & (distance_b > 0) & (np.arccos(np.clip(cosine, -1, 1)) >= min_angle)
    return points, usable


def colours_at(image: UInt8[np.ndarray, "h w 3"], pixels: Float[np.ndarray, "n 2"]) -> UInt8[np.ndarray, "n 3"]:
    """Colours of the nearest pixels."""
    height, width = image.shape[:2]
    columns, rows = np.rint(np.asarray(pixels)).astype(int).reshape(-1, 2).T
    return image[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
