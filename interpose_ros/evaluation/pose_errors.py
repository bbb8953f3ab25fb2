"""A pose beside the truth: errors in degrees, and in units of what the estimate said of itself. All in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import chi2

from interpose_ros.geometry.distances import direction_distance, direction_distance_sign_blind, rotation_distance
from interpose_ros.geometry.se3 import rotation_log

UNKNOWN_VARIANCE = 9999.0
"""Stands on the diagonal of a covariance for "unknown"."""

ELLIPSOID_LEVEL = 0.9

METRE_BASELINE, OTHER_BASELINE = 0.01, 1e-9
"""Shortest true translation that has a direction: motion capture does not know that of a centimetre; without a unit
nothing but zero can be called short."""


@dataclass(frozen=True)
class PoseErrors:
    """Errors of one estimate; None is an error that does not exist.

    Attributes:
        rotation_deg: geodesic.
        translation_deg: angle between the directions, 0 to 180; None without a direction on either side.
        translation_sign_blind_deg: the same between lines, 0 to 90, as the papers report it.
        rotation_normalised: Mahalanobis length of the rotation error by the predicted covariance.
        direction_normalised: the same of the direction, from its predicted standard deviation.
    """

    rotation_deg: float
    translation_deg: float | None
    translation_sign_blind_deg: float | None
    rotation_normalised: float | None
    direction_normalised: float | None

    @property
    def rotation_inside(self) -> bool | None:
        """Whether the truth lies in the rotation's 90 % ellipsoid."""
        return _inside(self.rotation_normalised, 3)

    @property
    def direction_inside(self) -> bool | None:
        """Whether the truth lies in the direction's 90 % ellipse."""
        return _inside(self.direction_normalised, 2)


def pose_errors(
    R_b_a: Float[np.ndarray, "3 3"],
    direction_b_a: Float[np.ndarray, "3"] | None,
    T_b_a_true: Float[np.ndarray, "4 4"],
    min_baseline: float,
    rotation_covariance: Float[np.ndarray, "3 3"] | None = None,
    direction_stddev: float = float("nan"),
) -> PoseErrors:
    """Errors of a rotation and a direction.

    Args:
        R_b_a, direction_b_a: the estimate; no direction where it found none.
        T_b_a_true: the truth, in the pair file's unit of length.
        min_baseline: shorter true translations have no direction, in the same unit.
        rotation_covariance: of small left rotations ``exp(dr) R_b_a`` in rad^2.
        direction_stddev: root of the trace of the direction's covariance, radians.
    """
    R_b_a = np.asarray(R_b_a, dtype=np.float64)
    R_true, t_true = np.asarray(T_b_a_true, np.float64)[:3, :3], np.asarray(T_b_a_true, np.float64)[:3, 3]
    rotation_normalised = None
    if rotation_covariance is not None:
        rotation_normalised = _mahalanobis(rotation_log(R_true @ R_b_a.T), rotation_covariance)
    angle = sign_blind = direction_normalised = None
    if direction_b_a is not None and has_baseline(T_b_a_true, min_baseline):
        direction = np.asarray(direction_b_a, dtype=np.float64)
        angle = float(direction_distance(direction, t_true))
        sign_blind = float(np.degrees(direction_distance_sign_blind(direction, t_true)))
        if np.isfinite(direction_stddev) and direction_stddev > 0:
            direction_normalised = float(np.sqrt(2.0) * angle / direction_stddev)
    return PoseErrors(
        rotation_deg=float(np.degrees(rotation_distance(R_b_a, R_true))),
        translation_deg=None if angle is None else float(np.degrees(angle)),
        translation_sign_blind_deg=sign_blind,
        rotation_normalised=rotation_normalised,
        direction_normalised=direction_normalised,
    )


def has_baseline(T_b_a: Float[np.ndarray, "4 4"], min_baseline: float) -> bool:
    """Whether a true translation is long enough to have a direction."""
    return float(np.linalg.norm(T_b_a[:3, 3])) >= min_baseline


def _mahalanobis(error: Float[np.ndarray, "3"], covariance: Float[np.ndarray, "3 3"]) -> float | None:
    covariance = np.asarray(covariance, dtype=np.float64)
    if not np.all(np.isfinite(covariance)) or np.any(np.diag(covariance) >= UNKNOWN_VARIANCE):
        return None
    try:
        squared = float(error @ np.linalg.solve(covariance, error))
    except np.linalg.LinAlgError:
        return None
    return float(np.sqrt(squared)) if squared >= 0 else None


def _inside(normalised: float | None, dimensions: int) -> bool | None:
    return None if normalised is None else bool(normalised**2 <= chi2(dimensions).ppf(ELLIPSOID_LEVEL))
