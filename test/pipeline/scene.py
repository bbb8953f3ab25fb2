"""A textured box room seen by a moving camera: images with exact poses."""

from __future__ import annotations

import cv2
import numpy as np

from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.se3 import rotation_exp
from interpose_ros.views import KeyframeId, View

K = np.array([[520.0, 0.0, 319.5], [0.0, 520.0, 239.5], [0.0, 0.0, 1.0]])
CAMERA = Camera(K, 640, 480)
HALF = np.array([4.0, 2.0, 4.0])


def texture(seed: int, size: int = 1280) -> np.ndarray:
    """Random shapes at many scales: corners everywhere, nothing repeats."""
    rng = np.random.default_rng(seed)
    image = np.full((size, size, 3), 128, np.uint8)
    for radius in np.geomspace(size / 4, 10, 700):
        colour = rng.integers(0, 256, 3).tolist()
        centre = rng.integers(0, size, 2)
        corners = (centre + rng.normal(size=(4, 2)) * radius).astype(np.int32)
        cv2.fillPoly(image, [cv2.convexHull(corners)], colour, cv2.LINE_AA)
    return image


_WALLS = [texture(seed) for seed in range(6)]


def render(R_w_c: np.ndarray, centre_w: np.ndarray, stamp_ns: int, frame_id: str = "camera") -> View:
    """View of the room from a pose inside it."""
    v, u = np.mgrid[0:480, 0:640].astype(np.float64)
    rays = CAMERA.bearings(np.stack([u.ravel(), v.ravel()], 1)) @ R_w_c.T
    with np.errstate(divide="ignore"):
        depth = (np.sign(rays) * HALF - centre_w) / rays
    axis = np.argmin(np.where(depth > 0, depth, np.inf), axis=1)
    point = centre_w + rays * depth[np.arange(len(rays)), axis][:, None]
    image = np.zeros((len(rays), 3), np.uint8)
    for wall in range(6):
        on_wall = (axis == wall // 2) & ((rays[np.arange(len(rays)), axis] > 0) == bool(wall % 2))
        others = [a for a in range(3) if a != wall // 2]
        coordinates = ((point[:, others] / HALF[others] + 1.0) * 639.5).reshape(480, 640, 2).astype(np.float32)
        mapped = cv2.remap(_WALLS[wall], coordinates, None, cv2.INTER_LINEAR)
        image[on_wall] = mapped.reshape(-1, 3)[on_wall]
    return View(image.reshape(480, 640, 3), CAMERA, KeyframeId(frame_id, stamp_ns))


def path(count: int, turn_deg: float, radius: float) -> list[tuple[View, np.ndarray]]:
    """Views along an arc, turning ``turn_deg`` in all, with their ``T_w_c``; no translation for radius 0."""
    views = []
    for number in range(count):
        angle = np.deg2rad(turn_deg) * number / (count - 1)
        R_w_c = rotation_exp(np.array([0.0, angle, 0.0]))
        centre = radius * np.array([np.sin(angle), 0.05 * np.sin(2 * angle), 1.0 - np.cos(angle)])
        T_w_c = np.eye(4)
        T_w_c[:3, :3], T_w_c[:3, 3] = R_w_c, centre
        views.append((render(R_w_c, centre, number + 1), T_w_c))
    return views
