"""Pointmaps with known truth, exact or with the faults of real predictions. For tests and benchmarks.

Random weights say nothing about poses, so whatever turns pointmaps into poses is measured on these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from interpose_ros.dust3r.inference import Pair, PairMaps, PairPredictions
from interpose_ros.dust3r.preprocess import PreparedView
from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.se3 import inverse, rotation_exp, transform_from_rotation_translation
from interpose_ros.views import KeyframeId, View


@dataclass(frozen=True, eq=False)
class DepthView:
    """A view with its true depth and pose.

    Attributes:
        depth: along z, in metres; 0 where it is unknown.
        camera: intrinsics of this size, without distortion.
        T_world_camera: true pose.
    """

    depth: Float[np.ndarray, "h w"]
    camera: Camera
    T_world_camera: Float[np.ndarray, "4 4"]

    def points(self) -> Float[np.ndarray, "h w 3"]:
        """Points in the camera's frame."""
        return _rays(self.camera) * self.depth[..., None]


@dataclass(frozen=True)
class Faults:
    """What real predictions do wrong; all zero means exact pointmaps.

    Attributes:
        scale: spread of the logarithm of an edge's scale.
        rotation: size of the random rotation between both maps of an edge, in radians, at full overlap; three times
            that where nothing overlaps.
        translation: size of the random shift between both maps, relative to the median depth; grows in the same way.
        depth_noise: size of smooth relative errors of depth.
        smeared_edges: whether depth edges are bridged by points in between, at medium confidence.
        wrong_edges: share of pairs of views whose both orders are off by 30 to 90 degrees at full confidence.
        unsure_without_overlap: whether confidence falls towards 1 with the overlap, as far as edges vanish.
    """

    scale: float = 0.0
    rotation: float = 0.0
    translation: float = 0.0
    depth_noise: float = 0.0
    smeared_edges: bool = False
    wrong_edges: float = 0.0
    unsure_without_overlap: bool = False


REALISTIC_FAULTS = Faults(
    scale=0.2, rotation=0.03, translation=0.03, depth_noise=0.03, smeared_edges=True, wrong_edges=0.1,
    unsure_without_overlap=False,
)  # fmt: skip
"""Sizes of errors as they are seen on indoor pairs that overlap by a third."""


def box_room_depth(
    camera: Camera, T_world_camera: Float[np.ndarray, "4 4"], boxes: Float[np.ndarray, "b 2 3"]
) -> Float[np.ndarray, "h w"]:
    """Depth inside the first box (the room) and in front of the others (furniture): lowest and highest corners."""
    rays = _rays(camera).reshape(-1, 3) @ T_world_camera[:3, :3].T
    origin = T_world_camera[:3, 3]
    rays = np.where(np.abs(rays) < 1e-12, 1e-12, rays)
    steps = (boxes[:, None] - origin) / rays[None, :, None]
    near, far = steps.min(axis=2).max(axis=-1), steps.max(axis=2).min(axis=-1)
    depth = far[0]
    for entry, leave in zip(near[1:], far[1:], strict=True):
        hit = (entry < leave) & (entry > 1e-6)
        depth = np.where(hit & (entry < depth), entry, depth)
    return depth.reshape(camera.height, camera.width)


def furnished_room(rng: np.random.Generator) -> Float[np.ndarray, "b 2 3"]:
    """A room of about 6 x 5 x 3 m around the origin with pieces of furniture along its walls. z is up."""
    half = np.array([3.0, 2.5, 1.5]) * rng.uniform(0.9, 1.2, 3)
    boxes = [np.stack([-half, half])]
    for _ in range(8):
        size = rng.uniform([0.3, 0.3, 0.4], [1.2, 0.8, 2.0])
        wall, sign = rng.integers(2), rng.choice([-1.0, 1.0])
        lowest = rng.uniform(-half, half - size)
        lowest[wall] = half[wall] - size[wall] if sign > 0 else -half[wall]
        lowest[2] = -half[2] + rng.choice([0.0, 0.6])
        boxes.append(np.stack([lowest, lowest + size]))
    return np.stack(boxes)


def looking_pose(position: Float[np.ndarray, "3"], yaw: float, pitch: float = 0.0) -> Float[np.ndarray, "4 4"]:
    """``T_world_camera`` of an upright camera; yaw about z from the x axis and pitch downwards, in radians."""
    R_level = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    R = rotation_exp(np.array([0.0, 0.0, yaw])) @ R_level @ rotation_exp(np.array([-pitch, 0.0, 0.0]))
    return transform_from_rotation_translation(R, position)


def room_views(
    rng: np.random.Generator, count: int, yaw_range: float, side: int = 112, field_of_view: float = np.radians(70.0)
) -> list[DepthView]:
    """Views along a smooth path through a furnished room; the first and the last are ``yaw_range`` apart."""
    room = furnished_room(rng)
    focal = 0.5 * side / np.tan(0.5 * field_of_view)
    camera = Camera(np.array([[focal, 0, 0.5 * (side - 1)], [0, focal, 0.5 * (side - 1)], [0, 0, 1]]), side, side)
    start_yaw = rng.uniform(-np.pi, np.pi)
    start, end = rng.uniform(-0.7, 0.7, (2, 3)) * [1.0, 1.0, 0.4]
    views = []
    for share in np.linspace(0.0, 1.0, count):
        position = start + share * (end - start) + (0.02 * rng.standard_normal(3) if 0 < share < 1 else 0.0)
        pose = looking_pose(position, start_yaw + share * yaw_range, 0.1 + 0.05 * np.sin(3.0 * share))
        views.append(DepthView(box_room_depth(camera, pose, room), camera, pose))
    return views


def true_pose(first: DepthView, second: DepthView) -> Float[np.ndarray, "4 4"]:
    """``T_second_first``."""
    return inverse(second.T_world_camera) @ first.T_world_camera


def predict_from_depth(
    views: Sequence[DepthView], pairs: Iterable[Pair], faults: Faults, rng: np.random.Generator, stride: int = 1
) -> PairPredictions:
    """Pointmaps that a network with these faults would give for the pairs, in units of about the median depth."""
    prepared = [_prepared(view, number) for number, view in enumerate(views)]
    predictions = PairPredictions(prepared, range(len(views)), stride)
    pairs = sorted(set(pairs))
    links = sorted({(min(i, j), max(i, j)) for i, j in pairs})
    wrong_links = {link for link in links if rng.random() < faults.wrong_edges}
    for i, j in pairs:
        wrong = (min(i, j), max(i, j)) in wrong_links
        maps = _predict_pair(views[i], views[j], faults, wrong, rng)
        predictions.store(
            (i, j), PairMaps(*(torch.from_numpy(part[::stride, ::stride].copy()).float() for part in maps))
        )
    return predictions


def _predict_pair(
    first: DepthView, second: DepthView, faults: Faults, wrong: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    T_first_second = inverse(true_pose(first, second))
    seen = _visible_share(first, second)
    overlap = float(seen.mean())
    points_first, clear_first = _observed(first, faults, rng)
    points_second, clear_second = _observed(second, faults, rng)
    median_depth = float(np.median(first.depth[first.depth > 0]))
    growth = 3.0 - 2.0 * min(1.0, overlap / 0.5)
    turn = rotation_exp(
        _direction(rng) * (rng.uniform(0.5, 1.6) if wrong else growth * faults.rotation * abs(rng.normal()))
    )
    shift = _direction(rng) * median_depth * growth * faults.translation * abs(rng.normal())
    points_second = points_second @ T_first_second[:3, :3].T + T_first_second[:3, 3]
    # The turn is about the second camera: a misjudged rotation does not throw it across the room.
    centre = T_first_second[:3, 3]
    points_second = (points_second - centre) @ turn.T + centre + shift
    unit = np.exp(faults.scale * rng.normal()) / median_depth
    confidence_first = np.where(clear_first, 12.0, 4.0)
    confidence_second = np.where(clear_second, 1.0, 0.4) * np.where(seen, 11.0, 6.0)
    if faults.unsure_without_overlap and not wrong:
        confidence_second = 1.0 + (confidence_second - 1.0) * min(1.0, overlap / 0.15)
    confidence_first = np.where(first.depth > 0, confidence_first, 1.0)
    confidence_second = np.where(second.depth > 0, np.maximum(confidence_second, 1.0), 1.0)
    return unit * points_first, unit * points_second, confidence_first, confidence_second


def _observed(view: DepthView, faults: Faults, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points in the camera's frame as a network would see them, and where it has no reason to doubt."""
    depth = view.depth
    clear = np.ones(depth.shape, dtype=bool)
    if faults.smeared_edges:
        smooth = _box_filter(depth, 5)
        clear = np.abs(smooth - depth) < 0.05 * depth
        depth = np.where(clear, depth, smooth)
    if faults.depth_noise > 0:
        height, width = depth.shape
        coarse = rng.normal(size=(5, 5))
        rows, columns = np.linspace(0, 3.999, height), np.linspace(0, 3.999, width)
        r, c = rows.astype(int)[:, None], columns.astype(int)[None]
        fr, fc = rows[:, None] - r, columns[None] - c
        field = (
            coarse[r, c] * (1 - fr) * (1 - fc) + coarse[r + 1, c] * fr * (1 - fc)
            + coarse[r, c + 1] * (1 - fr) * fc + coarse[r + 1, c + 1] * fr * fc
        )  # fmt: skip
        depth = depth * np.exp(faults.depth_noise * (field + 0.3 * rng.normal(size=depth.shape)))
    return _rays(view.camera) * depth[..., None], clear


def _visible_share(first: DepthView, second: DepthView) -> Bool[np.ndarray, "h w"]:
    """Which pixels of the second view show what the first one sees too."""
    T_first_second = inverse(true_pose(first, second))
    points = second.points() @ T_first_second[:3, :3].T + T_first_second[:3, 3]
    K, (height, width) = first.camera.K, first.depth.shape
    z = np.maximum(points[..., 2], 1e-9)
    u = np.rint(points[..., 0] / z * K[0, 0] + K[0, 2])
    v = np.rint(points[..., 1] / z * K[1, 1] + K[1, 2])
    inside = (points[..., 2] > 1e-6) & (u >= 0) & (u < width) & (v >= 0) & (v < height) & (second.depth > 0)
    rows, columns = np.where(inside, v, 0).astype(int), np.where(inside, u, 0).astype(int)
    return inside & (np.abs(first.depth[rows, columns] - z) < 0.05 * z)


def _rays(camera: Camera) -> np.ndarray:
    v, u = np.mgrid[: camera.height, : camera.width]
    pixels = np.stack([u, v], axis=-1).reshape(-1, 2).astype(np.float64)
    rays = np.concatenate([camera.normalise(pixels), np.ones((len(pixels), 1))], axis=1)
    return rays.reshape(camera.height, camera.width, 3)


def _direction(rng: np.random.Generator) -> np.ndarray:
    v = rng.normal(size=3)
    return v / np.linalg.norm(v)


def _box_filter(image: np.ndarray, size: int) -> np.ndarray:
    padded = np.pad(image, size // 2, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, (size, size)).mean(axis=(-1, -2))


def _prepared(view: DepthView, number: int) -> PreparedView:
    # The pixels are never looked at; their number makes each image distinct.
    pixels = np.full((view.camera.height, view.camera.width, 3), number % 256, dtype=np.uint8)
    return PreparedView(View(pixels, view.camera, KeyframeId("camera", number)), pixels, view.camera)
