"""Pose between two calibrated views from matches, and which motion the matches support."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum

import cv2
import numpy as np
import poselib
from jaxtyping import Bool, Float
from scipy.optimize import brentq, minimize_scalar
from scipy.special import erf

from interpose_ros.config import TwoViewConfig
from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.distances import direction_distance, rotation_distance
from interpose_ros.geometry.se3 import skew
from interpose_ros.matching.rotation_only import (
    estimate_rotation,
    ray_angles,
    rotation_and_focal_information,
    rotation_between_rays,
)
from interpose_ros.refusal import Refusal, RefusalReason


class MotionModel(str, Enum):
    """Two-view geometry that explains the matches best."""

    GENERAL = "general"
    PLANAR = "planar"
    ROTATION = "rotation"


@dataclass(frozen=True, eq=False)
class TwoViewGeometry:
    """Pose of camera b's scene seen from camera a, with the evidence behind it.

    Attributes:
        R_b_a: rotation.
        direction_b_a: unit vector of the translation ``t_b_a``; None without measurable parallax.
        model: motion that explains the matches best.
        inliers: which matches agree with the pose.
        parallax: median angle in radians between matched rays after rotation is removed.
        rotation_covariance: of small left rotations ``exp(dr) R_b_a``, rad^2, from the residuals of the inliers.
        direction_stddev: predicted error of the direction in radians; NaN without direction.
        residual_px: robust standard deviation of the inliers' residuals, in pixels.
        scores: model-selection score of each model that was tried (lower is better).
    """

    R_b_a: Float[np.ndarray, "3 3"]
    direction_b_a: Float[np.ndarray, "3"] | None
    model: MotionModel
    inliers: Bool[np.ndarray, "m"]
    parallax: float
    rotation_covariance: Float[np.ndarray, "3 3"]
    direction_stddev: float
    residual_px: float
    scores: dict[str, float]

    @property
    def inlier_count(self) -> int:
        """Matches that agree with the pose."""
        return int(np.count_nonzero(self.inliers))


def estimate_two_view(
    pixels_a: Float[np.ndarray, "m 2"],
    pixels_b: Float[np.ndarray, "m 2"],
    camera_a: Camera,
    camera_b: Camera,
    config: TwoViewConfig,
) -> TwoViewGeometry | Refusal:
    """Relative pose of two calibrated views from putative matches.

    The essential matrix comes from PoseLib (LO-RANSAC with the five-point solver and non-linear refinement). Which model
    holds (general motion, a plane, rotation alone) is decided by GRIC (Torr, "Geometric motion segmentation and model
    selection", Phil. Trans. R. Soc. A 1998), with the noise level measured on the matches themselves.
    """
    count = len(pixels_a)
    if count < config.min_inliers:
        return Refusal(RefusalReason.NO_OVERLAP, f"{count} matches between the views; {config.min_inliers} are needed")
    focal = 0.5 * (camera_a.focal_length + camera_b.focal_length)
    # Keypoints are localised on a grid that follows the image size, so their noise does too.
    pixel = max(camera_a.width, camera_a.height, camera_b.width, camera_b.height) / config.reference_image_side
    threshold_px = config.max_epipolar_error * max(pixel, 1.0)
    points_a, points_b = camera_a.normalise(pixels_a), camera_b.normalise(pixels_b)
    correspondences = _Correspondences(points_a, points_b, focal)

    general = _estimate_general(correspondences, threshold_px)
    if general is None:
        return Refusal(RefusalReason.INCONSISTENT, f"no relative pose agrees with the {count} matches")
    noise_px = _noise(correspondences.sampson(general[0]), threshold_px)
    rotation = _estimate_rotation(correspondences, threshold_px, config)
    plane = correspondences.estimate_homography(threshold_px)

    residuals = {MotionModel.GENERAL: correspondences.sampson(general[0])}
    if rotation is not None:
        residuals[MotionModel.ROTATION] = correspondences.rotation_transfer(rotation.R_b_a, rotation.focal_factor)
    if plane is not None:
        residuals[MotionModel.PLANAR] = correspondences.homography_transfer(plane)
    # The general model absorbs errors along epipolar lines, so its residuals alone understate the noise.
    assumed_px = max(noise_px, config.keypoint_noise * max(pixel, 1.0))
    scores = {model: gric(residual, assumed_px, *_GRIC_DIMENSIONS[model]) for model, residual in residuals.items()}
    model = min(scores, key=lambda m: scores[m])
    named_scores = {m.value: float(s) for m, s in scores.items()}

    if model is MotionModel.ROTATION and rotation is not None:
        inliers = residuals[model] < threshold_px
        if np.count_nonzero(inliers) < _needed(inliers, config):
            return _too_few(inliers, config)
        return _rotation_geometry(correspondences, rotation, inliers, noise_px, named_scores)

    if model is MotionModel.PLANAR and plane is not None:
        motion = _motion_of_plane(correspondences, plane, general[0], threshold_px)
        if isinstance(motion, Refusal):
            return motion
        pose, rotation_gap = motion.pose, motion.rotation_gap
    else:
        pose, rotation_gap = general[0], float("nan")
    inliers = (correspondences.sampson(pose) < threshold_px) & correspondences.in_front(pose, 2 * noise_px)
    if np.count_nonzero(inliers) < _needed(inliers, config):
        return _too_few(inliers, config)
    geometry = _moving_geometry(correspondences, pose, inliers, noise_px, model, named_scores)
    if math.isfinite(rotation_gap):
        return _without_direction(geometry, rotation_gap)
    if geometry.direction_stddev > config.max_direction_stddev and rotation is not None:
        # The matches prefer a moving camera but do not say where it went: the rotation is all there is to tell.
        return _without_direction(geometry)
    return geometry


# Dimension of the manifold in the joint 4D space of a match, and number of parameters, of each model (Torr, table 1);
# the rotation is fitted together with one focal length.
_GRIC_DIMENSIONS = {MotionModel.GENERAL: (3, 5), MotionModel.PLANAR: (2, 8), MotionModel.ROTATION: (2, 4)}


def gric(residual_px: Float[np.ndarray, "m"], noise_px: float, dimension: int, parameters: int) -> float:
    """Geometric robust information criterion of a model of calibrated two-view motion; lower is better.

    Args:
        residual_px: distance of each match to the model's manifold, in pixels (first order, joint image space).
        noise_px: standard deviation of a keypoint coordinate.
        dimension: of the manifold that the model allows matches to lie on, within the 4D joint image space.
        parameters: of the model.
    """
    count = len(residual_px)
    robust = np.minimum((residual_px / noise_px) ** 2, 2.0 * (4 - dimension))
    return float(robust.sum() + np.log(4.0) * dimension * count + np.log(4.0 * count) * parameters)


@dataclass(frozen=True)
class _Pose:
    R_b_a: np.ndarray
    direction_b_a: np.ndarray


@dataclass(frozen=True)
class _RotationFit:
    R_b_a: np.ndarray
    focal_factor: float


class _Correspondences:
    """Matched points on the plane z = 1 of both cameras; residuals come out in pixels of the mean focal length."""

    def __init__(self, points_a: np.ndarray, points_b: np.ndarray, focal: float) -> None:
        ones = np.ones((len(points_a), 1))
        self.x_a, self.x_b = np.hstack([points_a, ones]), np.hstack([points_b, ones])
        self.rays_a = self.x_a / np.linalg.norm(self.x_a, axis=1, keepdims=True)
        self.rays_b = self.x_b / np.linalg.norm(self.x_b, axis=1, keepdims=True)
        self.focal = focal
        # PoseLib works in pixels: a camera with this focal length and its principal point at the origin.
        self.camera = {"model": "SIMPLE_PINHOLE", "width": 1, "height": 1, "params": [focal, 0.0, 0.0]}

    def sampson(self, pose: _Pose) -> np.ndarray:
        """First-order distance to the epipolar manifold."""
        E = skew(pose.direction_b_a) @ pose.R_b_a
        line_b, line_a = self.x_a @ E.T, self.x_b @ E
        value = np.sum(self.x_b * line_b, axis=1)
        norm = np.sqrt(np.sum(line_b[:, :2] ** 2, axis=1) + np.sum(line_a[:, :2] ** 2, axis=1))
        return np.abs(value) / np.maximum(norm, 1e-12) * self.focal

    def rotation_transfer(self, R_b_a: np.ndarray, focal_factor: float) -> np.ndarray:
        """Distance to the manifold of one rotation; half of it is borne by either image."""
        scale = np.array([focal_factor, focal_factor, 1.0])
        moved = (self.x_a / scale) @ R_b_a.T
        return self._transfer(moved * scale)

    def homography_transfer(self, H_b_a: np.ndarray) -> np.ndarray:
        """Distance to the manifold of one homography; half of it is borne by either image."""
        return self._transfer(self.x_a @ H_b_a.T)

    def _transfer(self, moved: np.ndarray) -> np.ndarray:
        depth = np.where(moved[:, 2] > 1e-9, moved[:, 2], np.nan)
        distance = np.linalg.norm(moved[:, :2] / depth[:, None] - self.x_b[:, :2], axis=1) * self.focal / np.sqrt(2.0)
        return np.where(np.isfinite(distance), distance, np.inf)

    def estimate_homography(self, threshold_px: float) -> np.ndarray | None:
        if len(self.x_a) < 4:
            return None
        options = {"max_reproj_error": 2.0 * threshold_px}
        H, info = poselib.estimate_homography(self.x_a[:, :2] * self.focal, self.x_b[:, :2] * self.focal, options, {})
        if info["num_inliers"] < 4 or not np.all(np.isfinite(H)):
            return None
        scale = np.array([self.focal, self.focal, 1.0])
        H_b_a = H * scale[None, :] / scale[:, None]
        # The sign of a homography is free; points in front of a must stay in front of b.
        return H_b_a if np.median(self.x_a @ H_b_a[2]) > 0 else -H_b_a

    def in_front(self, pose: _Pose, tolerance_px: float) -> np.ndarray:
        """Whether the two rays of each match meet in front of both cameras, or are parallel up to a tolerance."""
        rotated = self.rays_a @ pose.R_b_a.T
        # Depths of the closest points of both rays: z_a * rotated + t ~ z_b * ray_b.
        cosine = np.sum(rotated * self.rays_b, axis=1)
        along_a, along_b = rotated @ pose.direction_b_a, self.rays_b @ pose.direction_b_a
        depth_a = cosine * along_b - along_a
        depth_b = along_b - cosine * along_a
        parallel = np.sqrt(np.maximum(1.0 - cosine**2, 0.0)) < tolerance_px / self.focal
        return ((depth_a > 0) & (depth_b > 0)) | parallel


def _estimate_general(c: _Correspondences, threshold_px: float) -> tuple[_Pose, np.ndarray] | None:
    options = {"max_epipolar_error": threshold_px, "max_iterations": 10_000, "min_iterations": 500, "seed": 0}
    estimate, info = poselib.estimate_relative_pose(
        c.x_a[:, :2] * c.focal, c.x_b[:, :2] * c.focal, c.camera, c.camera, options, {}
    )
    length = np.linalg.norm(estimate.t)
    if info["num_inliers"] < 5 or not np.isfinite(length) or length < 1e-12 or not np.all(np.isfinite(estimate.R)):
        return None
    return _Pose(np.array(estimate.R), np.array(estimate.t) / length), np.array(info["inliers"], dtype=bool)


def _noise(residual_px: np.ndarray, threshold_px: float) -> float:
    """Standard deviation of a keypoint coordinate from the residuals of the matches that fit.

    From the median magnitude of a normal distribution that is cut off: without regard to the cut, a noise that comes near
    the threshold looks smaller than it is. The cut lies beyond the threshold, where false matches are still rare, as few
    lie that close to their epipolar line by chance.
    """
    cut = 3.0 * threshold_px
    inlying = residual_px[residual_px < cut]
    if len(inlying) == 0:
        return threshold_px / 3.0
    median = float(np.median(inlying))

    def excess_below_median(noise: float) -> float:
        return float(erf(median / (noise * np.sqrt(2.0))) - 0.5 * erf(cut / (noise * np.sqrt(2.0))))

    low, high = 0.1, threshold_px
    # The larger the noise, the smaller the share of residuals below the measured median.
    if excess_below_median(low) <= 0.0:
        return low
    if excess_below_median(high) >= 0.0:
        return high
    return float(brentq(excess_below_median, low, high, xtol=1e-4))


def _estimate_rotation(c: _Correspondences, threshold_px: float, config: TwoViewConfig) -> _RotationFit | None:
    """Rotation alone, together with the common focal length (within a few percent of the calibrated one).

    Calibrations are seldom exact. A focal length that is off by 5 % bends a pure rotation by whole pixels, which a moving
    camera would explain; one more parameter explains it with what really happened.
    """
    generous = 3.0 * threshold_px / c.focal
    found = estimate_rotation(c.rays_a, c.rays_b, generous, np.random.default_rng(0))
    if found is None:
        return None
    R_b_a, _ = found

    def fit(factor: float) -> tuple[_RotationFit, float]:
        scale = np.array([factor, factor, 1.0])
        rays_a, rays_b = c.x_a / scale, c.x_b / scale
        rays_a = rays_a / np.linalg.norm(rays_a, axis=1, keepdims=True)
        rays_b = rays_b / np.linalg.norm(rays_b, axis=1, keepdims=True)
        R = R_b_a
        for _ in range(5):
            weight = 1.0 / (1.0 + (ray_angles(R, rays_a, rays_b) * c.focal / threshold_px) ** 2) ** 2
            R = rotation_between_rays(rays_a, rays_b, weight)
        residual = c.rotation_transfer(R, factor)
        return _RotationFit(R, factor), float(np.sum(np.minimum(residual / threshold_px, 1.0) ** 2))

    if config.focal_tolerance == 0.0:
        return fit(1.0)[0]
    factors = np.linspace(1.0 - config.focal_tolerance, 1.0 + config.focal_tolerance, 9)
    best = int(np.argmin([fit(float(factor))[1] for factor in factors]))
    # A step of the grid stands for more rotation than the matches leave open, so the focal length is refined.
    bounds = (factors[max(best - 1, 0)], factors[min(best + 1, len(factors) - 1)])
    refined = minimize_scalar(
        lambda factor: fit(float(factor))[1], bounds=bounds, method="bounded", options={"xatol": 1e-5}
    )
    return fit(float(refined.x))[0]


@dataclass(frozen=True)
class _PlaneMotion:
    """Motion seen through a plane; ``rotation_gap`` (radians) is that to a second motion, NaN where there is only one."""

    pose: _Pose
    rotation_gap: float


def _motion_of_plane(
    c: _Correspondences, H_b_a: np.ndarray, general: _Pose, threshold_px: float
) -> _PlaneMotion | Refusal:
    """The motion that a plane's homography stands for.

    A homography has up to two physical motions. The one that more matches agree with is taken. Where both explain all
    matches, their rotations are often nearly the same and only the direction is open; else the view is refused.
    """
    _, rotations, translations, normals = cv2.decomposeHomographyMat(H_b_a, np.eye(3))
    on_plane = c.homography_transfer(H_b_a) < threshold_px
    candidates: list[tuple[int, _Pose]] = []
    for R, t, n in zip(rotations, translations, normals, strict=True):
        length = np.linalg.norm(t)
        if length < 1e-9:
            continue
        pose = _Pose(np.asarray(R), np.asarray(t).ravel() / length)
        if np.mean(c.x_a[on_plane] @ np.asarray(n).ravel() > 0) < 0.9:
            continue
        support = (c.sampson(pose) < threshold_px) & c.in_front(pose, threshold_px)
        candidates.append((int(np.count_nonzero(support)), pose))
    if not candidates:
        return _PlaneMotion(general, float("nan"))
    candidates.sort(key=lambda item: -item[0])
    best_support, best = candidates[0]
    for support, other in candidates[1:]:
        gap = float(rotation_distance(best.R_b_a, other.R_b_a))
        direction_gap = float(direction_distance(best.direction_b_a, other.direction_b_a))
        if support <= 0.9 * best_support or (gap < np.deg2rad(1.0) and direction_gap < np.deg2rad(15.0)):
            continue
        if gap > MAX_PLANE_ROTATION_GAP:
            return Refusal(
                RefusalReason.AMBIGUOUS,
                "the matches lie on one plane, and two motions explain them equally well "
                f"({np.degrees(gap):.0f} degrees apart)",
            )
        return _PlaneMotion(best, gap)
    return _PlaneMotion(best, float("nan"))


MAX_PLANE_ROTATION_GAP = math.radians(5.0)
"""Two motions through one plane whose rotations differ by less are answered with the rotation, without a direction."""


CHANCE_SHARE = 0.07
"""Share of random matches that some pose agrees with, at most: 2 to 3 % of a thousand, up to 5 % of three hundred."""


def _needed(inliers: np.ndarray, config: TwoViewConfig) -> int:
    """Matches that must agree: among many wrong ones, ever more do by chance."""
    return max(config.min_inliers, math.ceil(CHANCE_SHARE * len(inliers)))


def _too_few(inliers: np.ndarray, config: TwoViewConfig) -> Refusal:
    return Refusal(
        RefusalReason.INCONSISTENT,
        f"{np.count_nonzero(inliers)} of {len(inliers)} matches agree on one pose; {_needed(inliers, config)} are needed",
    )


def _rotation_geometry(
    c: _Correspondences, fit: _RotationFit, inliers: np.ndarray, noise_px: float, scores: dict[str, float]
) -> TwoViewGeometry:
    R_b_a = fit.R_b_a
    angles = ray_angles(R_b_a, c.rays_a[inliers], c.rays_b[inliers])
    # Rotation and focal length were fitted together; what the focal length leaves open is open in the rotation too.
    points_a = c.x_a[inliers] / [fit.focal_factor, fit.focal_factor, 1.0]
    information = rotation_and_focal_information(R_b_a, points_a) / (2.0 * (noise_px / c.focal) ** 2)
    return TwoViewGeometry(
        R_b_a=R_b_a,
        direction_b_a=None,
        model=MotionModel.ROTATION,
        inliers=inliers,
        parallax=float(np.median(angles)),
        rotation_covariance=np.linalg.pinv(information, hermitian=True)[:3, :3],
        direction_stddev=float("nan"),
        residual_px=noise_px,
        scores=scores,
    )


def _moving_geometry(
    c: _Correspondences,
    pose: _Pose,
    inliers: np.ndarray,
    noise_px: float,
    model: MotionModel,
    scores: dict[str, float],
) -> TwoViewGeometry:
    """Pose with a first-order covariance: the Sampson residuals' Gauss-Newton information over rotation and direction."""
    x_a, x_b = c.x_a[inliers], c.x_b[inliers]
    moved = x_a @ pose.R_b_a.T
    E = skew(pose.direction_b_a) @ pose.R_b_a
    norm = np.sqrt(np.sum((x_a @ E.T)[:, :2] ** 2, axis=1) + np.sum((x_b @ E)[:, :2] ** 2, axis=1))
    # Residual t . (R x_a  x  x_b): its gradients with respect to exp(dr) R and to t, kept on the unit sphere.
    gradient_rotation = np.cross(moved, np.cross(x_b, pose.direction_b_a))
    tangent = np.linalg.svd(pose.direction_b_a[None])[2][1:]
    gradient_direction = np.cross(moved, x_b) @ tangent.T
    jacobian = np.hstack([gradient_rotation, gradient_direction]) / np.maximum(norm, 1e-12)[:, None]
    information = jacobian.T @ jacobian / (noise_px / c.focal) ** 2
    covariance = np.linalg.pinv(information, hermitian=True)
    angles = ray_angles(pose.R_b_a, c.rays_a[inliers], c.rays_b[inliers])
    return TwoViewGeometry(
        R_b_a=pose.R_b_a,
        direction_b_a=pose.direction_b_a,
        model=model,
        inliers=inliers,
        parallax=float(np.median(angles)),
        rotation_covariance=covariance[:3, :3],
        direction_stddev=float(np.sqrt(max(np.trace(covariance[3:, 3:]), 0.0))),
        residual_px=noise_px,
        scores=scores,
    )


def _without_direction(geometry: TwoViewGeometry, rotation_gap: float = 0.0) -> TwoViewGeometry:
    """The rotation alone; a gap to another possible rotation (radians) widens its covariance."""
    return replace(
        geometry,
        direction_b_a=None,
        direction_stddev=float("nan"),
        rotation_covariance=geometry.rotation_covariance + rotation_gap**2 / 3.0 * np.eye(3),
    )
