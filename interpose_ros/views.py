"""Views (an image with its camera), their names, and pairs of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import UInt8

from interpose_ros.geometry.camera import Camera

MIN_IMAGE_SIDE = 32
"""Shortest image side in pixels that the learned features work on."""

MAX_IMAGE_PIXELS = 64_000_000
"""Largest image that is accepted, in pixels: bounds what one message can make this process allocate."""


@dataclass(frozen=True, order=True)
class KeyframeId:
    """Names one keyframe: optical frame of its camera, and stamp of its image in nanoseconds."""

    frame_id: str
    stamp_ns: int

    def __str__(self) -> str:
        return f"{self.frame_id}@{self.stamp_ns // 10**9}.{self.stamp_ns % 10**9:09d}"


@dataclass(frozen=True, eq=False)
class View:
    """One image with the camera that took it.

    Attributes:
        image: RGB, 8 bit.
        camera: intrinsics of this image size.
        keyframe_id: name of the image.
        is_calibrated: False for a generated frame: no camera took it, and its intrinsics are only what they should be. All
            such frames of a clip share one focal length, with ``camera`` as the prior.

    Raises:
        ValueError: the image is too small, too large, or not the size that the camera is for.
    """

    image: UInt8[np.ndarray, "h w 3"]
    camera: Camera
    keyframe_id: KeyframeId
    is_calibrated: bool = True

    def __post_init__(self) -> None:
        height, width = self.image.shape[:2]
        if min(height, width) < MIN_IMAGE_SIDE:
            raise ValueError(f"image of {width}x{height} is too small: the shorter side needs {MIN_IMAGE_SIDE} pixels")
        if height * width > MAX_IMAGE_PIXELS:
            raise ValueError(f"image of {width}x{height} is too large: at most {MAX_IMAGE_PIXELS // 10**6} megapixels")
        if (width, height) != (self.camera.width, self.camera.height):
            raise ValueError(
                f"image is {width}x{height} and its camera info is for {self.camera.width}x{self.camera.height}: "
                "publish the camera info of this image, or scale it with the image"
            )

    @cached_property
    def content_id(self) -> str:
        """Identifier of the pixels: equal images have equal identifiers, whatever their stamp."""
        digest = hashlib.blake2b(repr(self.image.shape).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(self.image).data)
        return digest.hexdigest()
