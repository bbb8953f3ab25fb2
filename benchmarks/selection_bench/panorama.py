"""Views cut from an equirectangular panorama."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.se3 import rotation_exp

DOWN = np.array([0.0, 1.0, 0.0])


class Panorama:
    """A panorama whose yaw may be bent: ``bend`` maps a yaw of the world that is shown to one of the photograph."""

    def __init__(self, image: np.ndarray, bend: Callable[[np.ndarray], np.ndarray] | None = None) -> None:
        self.image, self._bend = image, bend

    @classmethod
    def from_file(cls, path: Path) -> Panorama:
        """The panorama in an image file, as RGB."""
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if bgr is None:
            raise FileNotFoundError(f"{path} is no image")
        return cls(np.ascontiguousarray(bgr[..., ::-1]))

    def bent(self, bend: Callable[[np.ndarray], np.ndarray]) -> Panorama:
        """The same photograph, with another course of yaw."""
        return Panorama(self.image, bend)

    def view(self, camera: Camera, R_world_camera: np.ndarray) -> np.ndarray:
        """What the camera sees."""
        v, u = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float64)
        rays = camera.bearings(np.stack([u.ravel(), v.ravel()], 1)) @ R_world_camera.T
        height, width = self.image.shape[:2]
        yaw = np.arctan2(rays[:, 0], rays[:, 2])
        if self._bend is not None:
            yaw = self._bend(yaw)
        x = (yaw / (2 * np.pi) + 0.5) * width - 0.5
        y = (np.arcsin(np.clip(rays[:, 1], -1, 1)) / np.pi + 0.5) * height - 0.5
        shape = (camera.height, camera.width)
        columns = np.mod(x, width).reshape(shape).astype(np.float32)
        rows = y.reshape(shape).astype(np.float32)
        return np.asarray(cv2.remap(self.image, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP))


def upright(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """``R_world_camera`` of a camera that looks that way; radians, positive yaw to the right, positive pitch down."""
    turn = rotation_exp(np.array([0.0, yaw, 0.0]))
    return np.asarray(turn @ rotation_exp(np.array([-pitch, 0.0, 0.0])) @ rotation_exp(np.array([0.0, 0.0, roll])))
