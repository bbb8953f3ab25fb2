"""Keyframe pairs in furnished rooms with clips between them: pointmaps with known truth, and images to match."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dust3r_bench.plans import CLIPS, clip_views
from interpose_ros.dust3r.inference import PairPredictions, complete_pairs
from interpose_ros.dust3r.preprocess import PreparedView
from interpose_ros.dust3r.synthetic import (
    REALISTIC_FAULTS,
    DepthView,
    box_room_depth,
    furnished_room,
    looking_pose,
    predict_from_depth,
    true_pose,
)
from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.views import KeyframeId, View

_CELL_SIZES = (0.7, 0.31, 0.13, 0.05)


@dataclass(frozen=True, eq=False)
class ClipScene:
    """Two keyframes 60 degrees apart, and four clips of ``frames`` that go from one to the other on different paths.

    Attributes:
        number: seed of everything in it.
        frames: per clip.
        room: boxes.
        views: with depth; numbered as in ``Plan``.
        predictions: faulty pointmaps of all pairs within each clip.
    """

    number: int
    frames: int
    room: np.ndarray
    views: list[DepthView]
    predictions: PairPredictions

    @classmethod
    def make(cls, number: int, frames: int, side: int) -> ClipScene:
        """A scene with pointmaps of ``side`` x ``side`` pixels."""
        rng = np.random.default_rng(number)
        room = furnished_room(rng)
        camera = _camera(side)
        start, end, yaw = np.array([-0.5, -0.3, 0.0]), np.array([0.5, 0.2, 0.1]), np.radians(60.0)

        def view(share: float, bend: np.ndarray) -> DepthView:
            position = start + share * (end - start) + np.sin(np.pi * share) * bend
            pose = looking_pose(position, share * yaw, 0.1)
            return DepthView(box_room_depth(camera, pose, room), camera, pose)

        views = [view(0.0, np.zeros(3)), view(1.0, np.zeros(3))]
        for _ in range(CLIPS):
            bend = rng.uniform(-0.3, 0.3, 3) * [1.0, 1.0, 0.3]
            views += [view(share, bend) for share in np.linspace(0, 1, frames + 2)[1:-1]]
        pairs = [pair for clip in range(CLIPS) for pair in complete_pairs(clip_views(clip, frames))]
        predictions = predict_from_depth(views, pairs, REALISTIC_FAULTS, np.random.default_rng(1000 + number))
        return cls(number, frames, room, views, predictions)

    def image(self, number: int, side: int = 320) -> View:
        """What the camera of a view sees of the room, whose surfaces carry cells of random colours at several scales."""
        camera, pose = _camera(side), self.views[number].T_world_camera
        seen = DepthView(box_room_depth(camera, pose, self.room), camera, pose)
        points = seen.points() @ pose[:3, :3].T + pose[:3, 3]
        rng = np.random.default_rng(2000 + self.number)
        colour = np.zeros((side, side, 3))
        for size in _CELL_SIZES:
            palette, shift = rng.uniform(0, 255, (4096, 3)), rng.uniform(0, 1, 3)
            cells = np.floor(points / size + shift).astype(np.int64)
            colour += palette[(cells @ [73856093, 19349663, 83492791]) % 4096]
        return View((colour / len(_CELL_SIZES)).astype(np.uint8), camera, KeyframeId("camera", number))

    def rotation_error(self, T_last_first: np.ndarray, subset: list[int] | tuple[int, ...]) -> float:
        """Degrees between a pose of a subset's last view and the truth."""
        truth = true_pose(self.views[subset[0]], self.views[subset[-1]])
        return float(np.degrees(rotation_distance(T_last_first[None, :3, :3], truth[None, :3, :3])[0]))


def _camera(side: int) -> Camera:
    focal = 0.5 * side / np.tan(np.radians(35.0))
    return Camera(np.array([[focal, 0, 0.5 * (side - 1)], [0, focal, 0.5 * (side - 1)], [0, 0, 1.0]]), side, side)


def random_views(count: int, side: int = 224) -> list[PreparedView]:
    """Images of noise."""
    rng = np.random.default_rng(0)
    camera = Camera(np.array([[200, 0, 0.5 * side], [0, 200, 0.5 * side], [0, 0, 1.0]]), side, side)
    views = []
    for k in range(count):
        pixels = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        views.append(PreparedView(View(pixels, camera, KeyframeId("camera", k)), pixels, camera))
    return views
