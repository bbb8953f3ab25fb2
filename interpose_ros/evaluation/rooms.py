"""Rendered rooms with photographs on their walls and boxes: two-view images whose poses are known exactly.

Made to fit thresholds and calibrations on, where panoramas alone would never show parallax or occlusion. The same few
photographs come back on many walls, so the rooms are full of look-alikes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.se3 import rotation_exp

Image = UInt8[np.ndarray, "_h _w 3"]

DOWN = np.array([0.0, 1.0, 0.0])
"""In the world of every room."""


@dataclass(frozen=True, eq=False)
class Box:
    """A box that stands upright in the room, or the room itself.

    Attributes:
        centre: in the world, metres; y points down.
        half: half of its sides along its own axes, metres.
        yaw: turn about the world's y axis, radians.
        textures: one image per face, in the order -x, +x, -y, +y, -z, +z.
        pixels_per_metre: of its textures.
    """

    centre: Float[np.ndarray, "3"]
    half: Float[np.ndarray, "3"]
    yaw: float
    textures: Sequence[Image]
    pixels_per_metre: float

    @property
    def R_box_world(self) -> Float[np.ndarray, "3 3"]:
        """Turns world directions into the box's own."""
        return rotation_exp(np.array([0.0, -self.yaw, 0.0]))


@dataclass(frozen=True, eq=False)
class Room:
    """A box seen from inside, with boxes in it."""

    shell: Box
    boxes: Sequence[Box]

    def is_free(self, point: Float[np.ndarray, "3"], clearance: float) -> bool:
        """Whether a point lies inside the room with that much space (metres) around it."""
        if np.any(np.abs(point - self.shell.centre) > self.shell.half - clearance):
            return False
        return all(np.any(np.abs(box.R_box_world @ (point - box.centre)) > box.half + clearance) for box in self.boxes)

    def render(
        self, camera: Camera, R_world_camera: Float[np.ndarray, "3 3"], centre_world: Float[np.ndarray, "3"]
    ) -> Image:
        """RGB image of the room from a pose inside it, one ray per pixel."""
        v, u = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float64)
        rays = camera.bearings(np.stack([u.ravel(), v.ravel()], 1)) @ R_world_camera.T
        image = np.zeros((len(rays), 3), np.uint8)
        nearest = np.full(len(rays), np.inf)
        for box, inside in [(self.shell, True), *((box, False) for box in self.boxes)]:
            _draw(box, inside, rays, centre_world, nearest, image)
        return image.reshape(camera.height, camera.width, 3)


def random_room(photographs: Sequence[Image], rng: np.random.Generator, boxes: int = 10) -> Room:
    """A room with that many boxes, papered with random pieces of the photographs."""

    def paper() -> list[Image]:
        return [piece_of(photographs[int(rng.integers(len(photographs)))], rng) for _ in range(6)]

    half = np.array([rng.uniform(2.5, 5.0), rng.uniform(1.2, 1.8), rng.uniform(2.5, 5.0)])
    shell = Box(np.zeros(3), half, 0.0, paper(), rng.uniform(100.0, 200.0))
    inside = []
    for _ in range(boxes):
        size = rng.uniform([0.15, 0.15, 0.15], [0.7, 0.8, 0.7])
        centre = rng.uniform(-half + 0.8, half - 0.8)
        centre[1] = half[1] - size[1] - rng.choice([0.0, 0.0, rng.uniform(0.0, half[1])])
        inside.append(Box(centre, size, rng.uniform(-np.pi, np.pi), paper(), rng.uniform(150.0, 400.0)))
    return Room(shell, inside)


def looking(ahead: Float[np.ndarray, "3"], roll: float) -> Float[np.ndarray, "3 3"]:
    """``R_world_camera`` of a camera that looks ahead, turned by ``roll`` (radians) from upright."""
    z = ahead / np.linalg.norm(ahead)
    x = np.cross(DOWN, z)
    x /= np.linalg.norm(x)
    upright = np.column_stack([x, np.cross(z, x), z])
    return np.asarray(upright @ rotation_exp(np.array([0.0, 0.0, roll])))


def piece_of(photograph: Image, rng: np.random.Generator) -> Image:
    """A random part of a photograph, perhaps mirrored, in other colours."""
    height, width = photograph.shape[:2]
    h, w = int(rng.integers(height // 3, height)), int(rng.integers(width // 4, width // 2))
    top, left = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
    piece = photograph[top : top + h, left : left + w].astype(np.float32)
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    return np.clip(piece * rng.uniform(0.6, 1.3, 3) + rng.uniform(-30, 30, 3), 0, 255).astype(np.uint8)


def photographed(image: Image, rng: np.random.Generator) -> Image:
    """The image as a robot's camera would deliver it: exposure, blur, noise, JPEG."""
    seen: np.ndarray = image.astype(np.float32) * rng.uniform(0.75, 1.2) + rng.uniform(-12.0, 12.0)
    blur = rng.uniform(0.0, 1.0)
    if blur > 0.3:
        seen = cv2.GaussianBlur(seen, (0, 0), blur)
    seen = seen + rng.normal(scale=rng.uniform(1.0, 5.0), size=seen.shape)
    encoded = cv2.imencode(
        ".jpg", np.clip(seen, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 98))]
    )[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None  # it was encoded a line above
    return np.asarray(decoded)


def _draw(
    box: Box, inside: bool, rays: np.ndarray, centre_world: np.ndarray, nearest: np.ndarray, image: np.ndarray
) -> None:
    directions = (box.R_box_world @ rays.T).astype(np.float32)  # a row per axis is several times faster than columns
    origin = box.R_box_world @ (centre_world - box.centre)
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (((side - origin)[:, None] / directions).astype(np.float32) for side in (-box.half, box.half))
    enter, leave = np.minimum(first, second), np.maximum(first, second)
    through = np.minimum(np.minimum(leave[0], leave[1]), leave[2])
    distance = through if inside else np.maximum(np.maximum(enter[0], enter[1]), enter[2])
    visible = (distance > 0) & (distance < nearest)
    if not inside:
        visible &= distance < through
    hit = np.flatnonzero(visible)
    sides = (leave if inside else enter)[:, hit]
    axis = np.argmax(sides == distance[hit], axis=0)
    point = origin + directions[:, hit].T.astype(np.float64) * distance[hit][:, None]
    positive = point[np.arange(len(hit)), axis] > 0
    for face in range(6):
        on_face = (axis == face // 2) & (positive == bool(face % 2))
        if not on_face.any():
            continue
        across, down = ((2, 1), (0, 2), (0, 1))[face // 2]
        pixels = (point[on_face][:, [across, down]] + box.half[[across, down]]) * box.pixels_per_metre
        columns = len(pixels) if len(pixels) < 16384 else 16384  # remap takes no longer rows
        padded = np.zeros((-(-len(pixels) // columns) * columns, 2), np.float32)
        padded[: len(pixels)] = pixels
        drawn = cv2.remap(
            box.textures[face],
            np.ascontiguousarray(padded.reshape(-1, columns, 2)[..., 0]),
            np.ascontiguousarray(padded.reshape(-1, columns, 2)[..., 1]),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        image[hit[on_face]] = drawn.reshape(-1, 3)[: len(pixels)]
    nearest[hit] = distance[hit]
