"""Keyframes as a video model sees them: without distortion, of its size, and both as if one camera had taken them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from interpose_ros.geometry.camera import Camera
from interpose_ros.views import View


@dataclass(frozen=True, eq=False)
class PreparedKeyframe:
    """A keyframe ready for a video model.

    Attributes:
        image: RGB, of the model's size.
        camera: that belongs to it; without distortion.
    """

    image: UInt8[np.ndarray, "h w 3"]
    camera: Camera

    def view(self, original: View) -> View:
        """The prepared image as a view of the original's name."""
        return View(self.image, self.camera, original.keyframe_id)


def prepare_keyframes(view_a: View, view_b: View, width: int, height: int) -> tuple[PreparedKeyframe, PreparedKeyframe]:
    """Undistort both, bring them to one focal length and square pixels, and cut out a window of the model's size.

    The focal length is the smallest at which the window lies within both images, so that as much as possible stays in view.
    Windows are placed so that principal points come as close to the window's centre as the images allow. A model that was
    shown two cameras would have to zoom on its way from one to the other.

    Args:
        view_a, view_b: of any cameras and sizes.
        width, height: in pixels.
    """
    focal = max(_least_focal(view.camera, width, height) for view in (view_a, view_b))
    a, b = (_prepare(view, focal, width, height) for view in (view_a, view_b))
    return a, b


def _least_focal(camera: Camera, width: int, height: int) -> float:
    """Focal length at which the image, resized to square pixels, is just as wide or as high as the window."""
    fx, fy = camera.K[0, 0], camera.K[1, 1]
    return float(max(fx * width / camera.width, fy * height / camera.height))


def _prepare(view: View, focal: float, width: int, height: int) -> PreparedKeyframe:
    camera = view.camera
    image = camera.undistort(view.image)
    new_width = max(round(camera.width * focal / camera.K[0, 0]), width)
    new_height = max(round(camera.height * focal / camera.K[1, 1]), height)
    smaller = new_width * new_height < camera.width * camera.height
    image = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    resized = camera.without_distortion().scaled(new_width, new_height)
    left = _window_start(resized.K[0, 2], width, new_width)
    top = _window_start(resized.K[1, 2], height, new_height)
    image = np.ascontiguousarray(image[top : top + height, left : left + width])
    return PreparedKeyframe(image, resized.cropped(left, top, width, height))


def _window_start(centre: float, window: int, size: int) -> int:
    return int(np.clip(round(centre - 0.5 * (window - 1)), 0, size - window))
