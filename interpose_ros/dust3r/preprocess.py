"""Images as the checkpoints were trained to see them, with the camera carried along.

Sizes and crops are those that the checkpoints were published with. For 224 the shorter side becomes 224 and a square is
cut from the centre. For 512 the longer side becomes 512 and both sides are cut to multiples of 16, a square image to
4:3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from interpose_ros.geometry.camera import Camera
from interpose_ros.views import View

SQUARE_SIDE = 224
"""Checkpoints of this image side look at square images."""

PATCH_SIZE = 16
MAX_ASPECT_RATIO = 8.0


@dataclass(frozen=True, eq=False)
class PreparedView:
    """An image of the network's size.

    Attributes:
        view: what it was made of.
        pixels: RGB, 8 bit, undistorted.
        camera: intrinsics of ``pixels``, without distortion.
    """

    view: View
    pixels: UInt8[np.ndarray, "h w 3"]
    camera: Camera

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for views that the network sees as the same image, whatever their stamps."""
        camera = self.view.camera
        # Equal pixels of different lenses are different images once undistorted.
        return self.view.content_id, self.pixels.shape, camera.K.tobytes(), camera.distortion, camera.distortion_model

    def as_tensor(self) -> torch.Tensor:
        """``(3, h, w)`` float32 within -1 and 1."""
        return torch.from_numpy(self.pixels.copy()).permute(2, 0, 1).to(torch.float32).div_(127.5).sub_(1.0)


@dataclass(frozen=True)
class _Placement:
    """Size of the resized image, and the rectangle that is cut from it."""

    width: int
    height: int
    left: int
    top: int
    crop_width: int
    crop_height: int


def prepare_view(view: View, image_side: int) -> PreparedView:
    """Undistort, resize and crop a view for a checkpoint.

    Args:
        view: image and camera.
        image_side: what the checkpoint was trained for: 224 or 512 (``NetworkConfig.image_side``).

    Raises:
        ValueError: the image is so narrow that nothing would be left of it.
    """
    height, width = view.image.shape[:2]
    place = _placement(width, height, image_side)
    shrinks = max(place.width, place.height) < max(width, height)
    image = Image.fromarray(view.camera.undistort(view.image))
    resized = image.resize(
        (place.width, place.height), Image.Resampling.LANCZOS if shrinks else Image.Resampling.BICUBIC
    )
    rows = slice(place.top, place.top + place.crop_height)
    columns = slice(place.left, place.left + place.crop_width)
    camera = (
        view.camera.without_distortion()
        .scaled(place.width, place.height)
        .cropped(place.left, place.top, place.crop_width, place.crop_height)
    )
    return PreparedView(view, np.ascontiguousarray(np.asarray(resized)[rows, columns]), camera)


def _placement(width: int, height: int, image_side: int) -> _Placement:
    if image_side % PATCH_SIZE:
        raise ValueError(f"image_side {image_side} is not a multiple of {PATCH_SIZE}")
    longer, shorter = max(width, height), min(width, height)
    if longer > MAX_ASPECT_RATIO * shorter:
        raise ValueError(
            f"image of {width}x{height} is too narrow: sides may differ by a factor of {MAX_ASPECT_RATIO:g}"
        )
    # For squares, the longer side's target is rounded before the sides are scaled to it, as the checkpoints expect.
    target = round(image_side * longer / shorter) if image_side == SQUARE_SIDE else image_side
    new_width, new_height = round(width * target / longer), round(height * target / longer)
    centre_x, centre_y = new_width // 2, new_height // 2
    if image_side == SQUARE_SIDE:
        half_width = half_height = min(centre_x, centre_y)
    else:
        half_width = (2 * centre_x) // PATCH_SIZE * PATCH_SIZE // 2
        half_height = (2 * centre_y) // PATCH_SIZE * PATCH_SIZE // 2
        if new_width == new_height:
            half_height = 3 * half_width // 4
    return _Placement(
        new_width, new_height, centre_x - half_width, centre_y - half_height, 2 * half_width, 2 * half_height
    )
