"""Pictures of a textured room, seen from anywhere: poses are known exactly, and there is parallax."""

import cv2
import numpy as np

HALF = np.array([3.0, 2.0, 4.0])
SIZE = 1024
WIDTH, HEIGHT = 320, 240
K = np.array([[220.0, 0, 159.5], [0, 220.0, 119.5], [0, 0, 1]])


def _wall(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    wall = np.full((SIZE, SIZE, 3), 128, np.uint8)
    for size in (200, 90, 45, 22):
        for _ in range(60 * (200 // size)):
            centre = random.integers(0, SIZE, 2)
            corners = centre + random.integers(-size, size, (random.integers(3, 6), 2))
            cv2.fillPoly(wall, [corners.astype(np.int32)], random.integers(0, 255, 3).tolist())
    return cv2.GaussianBlur(wall, (3, 3), 0)


WALLS = [_wall(seed) for seed in range(6)]


def _seen(R_w_c: np.ndarray, centre_w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rays with z = 1 in the camera, turned into the room's frame, and how far along them the three nearest walls are."""
    u, v = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    rays_c = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u, float)], -1)
    rays_w = rays_c @ R_w_c.T
    with np.errstate(divide="ignore"):
        distances = (np.sign(rays_w) * HALF - centre_w) / rays_w
    return rays_w, distances


def depth(R_w_c: np.ndarray, centre_w: np.ndarray) -> np.ndarray:
    """Depth along the optical axis [m] of the same picture, float32."""
    return _seen(R_w_c, centre_w)[1].min(axis=-1).astype(np.float32)


def picture(R_w_c: np.ndarray, centre_w: np.ndarray) -> np.ndarray:
    """RGB picture (240x320) of a camera with orientation ``R_w_c`` at ``centre_w``, in the room's frame."""
    rays_w, distances = _seen(R_w_c, centre_w)
    axis = np.argmin(distances, axis=-1)
    points = centre_w + rays_w * np.take_along_axis(distances, axis[..., None], -1)
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for wall in range(6):
        k, positive = divmod(wall, 2)
        i, j = [n for n in range(3) if n != k]
        mask = (axis == k) & ((rays_w[..., k] > 0) == bool(positive))
        x = ((points[..., i] / HALF[i] + 1) / 2 * (SIZE - 1)).astype(np.float32)
        y = ((points[..., j] / HALF[j] + 1) / 2 * (SIZE - 1)).astype(np.float32)
        image[mask] = cv2.remap(WALLS[wall], x, y, cv2.INTER_LINEAR)[mask]
    return image
