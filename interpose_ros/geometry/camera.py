"""Pinhole cameras with lens distortion. Axes are optical: x right, y down, z forward; pixel centres are at integers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import cv2
import numpy as np
from jaxtyping import Float, UInt8


class DistortionModel(str, Enum):
    """Lens models, by the names that ``sensor_msgs/CameraInfo`` uses."""

    NONE = "none"
    PLUMB_BOB = "plumb_bob"
    RATIONAL = "rational_polynomial"
    EQUIDISTANT = "equidistant"


_COEFFICIENT_COUNTS = {
    DistortionModel.NONE: (0,),
    DistortionModel.PLUMB_BOB: (4, 5),
    DistortionModel.RATIONAL: (8, 12, 14),
    DistortionModel.EQUIDISTANT: (4,),
}


@dataclass(frozen=True, eq=False)
class Camera:
    """Intrinsics of one image size.

    Attributes:
        K: 3x3 intrinsics in pixels of this image size.
        width, height: image size in pixels.
        distortion: coefficients in OpenCV's order; empty without distortion.
        distortion_model: lens model that the coefficients belong to.
    """

    K: Float[np.ndarray, "3 3"]
    width: int
    height: int
    distortion: tuple[float, ...] = ()
    distortion_model: DistortionModel = DistortionModel.NONE

    def __post_init__(self) -> None:
        K = np.asarray(self.K, dtype=np.float64)
        if K.shape != (3, 3) or not np.all(np.isfinite(K)):
            raise ValueError("K must be a finite 3x3 matrix")
        if K[0, 0] <= 0 or K[1, 1] <= 0:
            raise ValueError(
                f"K has focal lengths {K[0, 0]:g} and {K[1, 1]:g}: an uncalibrated camera. Publish a camera info with "
                "positive focal lengths (see camera_calibration)"
            )
        if not np.allclose(K[2], [0, 0, 1]):
            raise ValueError(f"the last row of K must be 0 0 1, not {K[2].tolist()}")
        if K[0, 1] != 0 and self.has_distortion:
            raise ValueError(
                f"K has a skew of {K[0, 1]:g} beside lens distortion, which lens models do not have; set it to 0"
            )
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f"image size must be positive, not {self.width}x{self.height}")
        if not np.all(np.isfinite(self.distortion)):
            raise ValueError("distortion coefficients must be finite")
        if len(self.distortion) not in _COEFFICIENT_COUNTS[self.distortion_model]:
            counts = " or ".join(str(n) for n in _COEFFICIENT_COUNTS[self.distortion_model])
            raise ValueError(
                f"distortion model {self.distortion_model.value} has {counts} coefficients, not {len(self.distortion)}"
            )
        object.__setattr__(self, "K", K)
        object.__setattr__(self, "distortion", tuple(float(c) for c in self.distortion))

    @classmethod
    def from_coefficients(
        cls, K: np.ndarray, width: int, height: int, coefficients: list[float] | tuple[float, ...] | None
    ) -> Camera:
        """Camera from OpenCV coefficients (k1 k2 p1 p2 [k3] or the rational 8); None or all zeros means no distortion."""
        values = tuple(float(c) for c in coefficients) if coefficients is not None else ()
        if not any(values):
            return cls(K, width, height)
        model = DistortionModel.PLUMB_BOB if len(values) in (4, 5) else DistortionModel.RATIONAL
        return cls(K, width, height, values, model)

    @property
    def has_distortion(self) -> bool:
        """Whether straight lines appear bent in this camera's images. With the equidistant model they always do."""
        return any(self.distortion) or self.distortion_model is DistortionModel.EQUIDISTANT

    @property
    def focal_length(self) -> float:
        """Mean of both focal lengths, in pixels."""
        return float(0.5 * (self.K[0, 0] + self.K[1, 1]))

    def scaled(self, width: int, height: int) -> Camera:
        """The camera of the same image resized to another size. Keeps the outer edges of the border pixels in place."""
        sx, sy = width / self.width, height / self.height
        K = self.K.copy()
        K[0] *= sx
        K[1] *= sy
        K[0, 2] += 0.5 * sx - 0.5
        K[1, 2] += 0.5 * sy - 0.5
        return replace(self, K=K, width=width, height=height)

    def cropped(self, left: int, top: int, width: int, height: int) -> Camera:
        """The camera of a rectangle cut from the image; ``left`` and ``top`` are the rectangle's first column and row."""
        K = self.K.copy()
        K[0, 2] -= left
        K[1, 2] -= top
        return replace(self, K=K, width=width, height=height)

    def without_distortion(self) -> Camera:
        """The camera with the same K and no distortion: that of ``undistort(image)``."""
        return replace(self, distortion=(), distortion_model=DistortionModel.NONE)

    def undistort(self, image: UInt8[np.ndarray, "h w *c"]) -> UInt8[np.ndarray, "h w *c"]:
        """Resample an image of this camera to ``without_distortion()``."""
        if not self.has_distortion:
            return image
        coefficients = np.array(self.distortion)
        if self.distortion_model is DistortionModel.EQUIDISTANT:
            return cv2.fisheye.undistortImage(image, self.K, coefficients, None, self.K)
        return cv2.undistort(image, self.K, coefficients)

    def normalise(self, pixels: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Undistorted coordinates on the plane z = 1 of the given pixels."""
        pixels = np.asarray(pixels, dtype=np.float64)
        if len(pixels) == 0:
            return np.zeros((0, 2))
        if not self.has_distortion:
            skewed = (pixels[:, 1] - self.K[1, 2]) / self.K[1, 1]
            x = (pixels[:, 0] - self.K[0, 2] - self.K[0, 1] * skewed) / self.K[0, 0]
            return np.stack([x, skewed], axis=1)
        coefficients = np.array(self.distortion)
        points = pixels.reshape(-1, 1, 2)
        if self.distortion_model is DistortionModel.EQUIDISTANT:
            return cv2.fisheye.undistortPoints(points, self.K, coefficients).reshape(-1, 2)
        # OpenCV's default of five iterations leaves errors of whole pixels at the rim of wide lenses.
        criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-12)
        if hasattr(cv2, "undistortPointsIter"):  # OpenCV 4; OpenCV 5 takes the criteria in undistortPoints
            return cv2.undistortPointsIter(points, self.K, coefficients, None, None, criteria).reshape(-1, 2)
        return cv2.undistortPoints(points, self.K, coefficients, criteria=criteria).reshape(-1, 2)

    def bearings(self, pixels: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3"]:
        """Unit viewing directions of the given pixels, in this camera's optical frame."""
        normalised = self.normalise(pixels)
        rays = np.concatenate([normalised, np.ones((len(normalised), 1))], axis=1)
        return rays / np.linalg.norm(rays, axis=1, keepdims=True)

    def project(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
        """Pixels of points in this camera's optical frame; NaN for points that are not in front of the camera."""
        pixels = np.full((len(points), 2), np.nan)
        front = points[:, 2] > 1e-9
        if not np.any(front):
            return pixels
        visible = np.asarray(points[front], dtype=np.float64).reshape(-1, 1, 3)
        zero = np.zeros(3)
        if self.distortion_model is DistortionModel.EQUIDISTANT:
            projected, _ = cv2.fisheye.projectPoints(visible, zero, zero, self.K, np.array(self.distortion))
        elif self.has_distortion:
            projected, _ = cv2.projectPoints(visible, zero, zero, self.K, np.array(self.distortion))
        else:  # OpenCV leaves out the skew
            projected = (visible[:, 0] / visible[:, 0, 2:]) @ self.K[:2].T
        pixels[front] = projected.reshape(-1, 2)
        return pixels
