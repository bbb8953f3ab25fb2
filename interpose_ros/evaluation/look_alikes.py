"""Rendered places that look alike on purpose: what two images show is nearly the same, where they were taken is not.

Matches between such images agree with each other and with a wrong pose. No confidence from two images can be expected to
catch them all; a calibration that never saw any would promise more than it can keep.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from interpose_ros.evaluation.rooms import Box, Image, Room, looking, piece_of, random_room
from interpose_ros.geometry.camera import Camera

PIXELS_PER_METRE = 120.0


@dataclass(frozen=True, eq=False)
class Place:
    """Where a camera stands and what it sees from there.

    Attributes:
        room: what is there to be seen; it may differ between two places, as when a poster was moved.
        R_world_camera: turns camera directions into the world.
        centre_world: of the camera, metres.
    """

    room: Room
    R_world_camera: Float[np.ndarray, "3 3"]
    centre_world: Float[np.ndarray, "3"]

    def render(self, camera: Camera) -> Image:
        """What the camera sees."""
        return self.room.render(camera, self.R_world_camera, self.centre_world)

    @property
    def T_world_camera(self) -> Float[np.ndarray, "4 4"]:
        """Pose of the camera."""
        T = np.eye(4)
        T[:3, :3], T[:3, 3] = self.R_world_camera, self.centre_world
        return T


@dataclass(frozen=True, eq=False)
class LookAlike:
    """Three places of one world.

    Attributes:
        first, near: overlap in truth, a step apart.
        deceptive: looks like ``first`` and is somewhere else, at least 60 degrees turned.
    """

    first: Place
    near: Place
    deceptive: Place


def tiled_facade(photographs: Sequence[Image], rng: np.random.Generator) -> LookAlike:
    """A house with the same windows on all sides, seen from the front and from another side."""
    half = np.array([4.0, 3.5, 4.0])
    window = cv2.resize(
        piece_of(_any(photographs, rng), rng), tuple(int(v) for v in rng.integers([60, 90], [110, 150]))
    )

    def wall() -> Image:
        height, width = (int(2 * PIXELS_PER_METRE * h) for h in (half[1], half[0]))
        tiles = np.tile(window, (height // window.shape[0] + 1, width // window.shape[1] + 1, 1))[:height, :width]
        return _lit(tiles, rng)

    # Textures run along the axes, which from outside is from right to left on the sides -x and +z.
    walls = [wall()[:, ::-1] if face in (0, 5) else wall() for face in range(6)]
    house = Box(np.zeros(3), half, 0.0, walls, PIXELS_PER_METRE)
    street = Box(np.zeros(3), np.array([15.0, 6.0, 15.0]), 0.0, _paper(photographs, rng), 30.0)
    room = Room(street, [house])
    quarter_turns = int(rng.integers(1, 4))
    aside, distance = rng.uniform(-1.5, 1.5), rng.uniform(3.5, 6.0)

    def before(yaw: float, shift: float, turn: float) -> Place:
        """In front of the side that lies there, looking at it."""
        out = np.array([np.sin(yaw), 0.0, -np.cos(yaw)])
        along = np.array([np.cos(yaw), 0.0, np.sin(yaw)])
        centre = out * (half[0] + distance + rng.uniform(-0.3, 0.3)) + along * (aside + shift) + [0.0, 1.0, 0.0]
        return Place(room, looking(-out + np.tan(turn) * along, rng.normal(scale=0.03)), centre)

    return LookAlike(
        before(0.0, 0.0, 0.0),
        before(0.0, rng.uniform(0.3, 0.8), rng.uniform(-0.2, 0.2)),
        before(quarter_turns * np.pi / 2, rng.uniform(-0.4, 0.4), rng.uniform(-0.1, 0.1)),
    )


def mirrored_corridor(photographs: Sequence[Image], rng: np.random.Generator) -> LookAlike:
    """A corridor that looks the same from both of its ends, up to what stands in it."""
    half = np.array([rng.uniform(1.0, 1.6), 1.3, rng.uniform(5.0, 8.0)])

    def paper(width: float, height: float) -> Image:
        size = int(2 * PIXELS_PER_METRE * width), int(2 * PIXELS_PER_METRE * height)
        parts = [piece_of(_any(photographs, rng), rng) for _ in range(max(1, round(width / height)))]
        return np.asarray(cv2.resize(np.hstack([cv2.resize(part, (256, 256)) for part in parts]), size))

    side, floor, ceiling, end = (
        paper(*half[[2, 1]]), paper(*half[[0, 2]]), paper(*half[[0, 2]]), paper(*half[[0, 1]])
    )  # fmt: skip
    # Half a turn about the vertical takes every face to one that looks the same.
    floor, ceiling = (
        np.vstack([plane[: len(plane) // 2], plane[: len(plane) // 2][::-1, ::-1]]) for plane in (floor, ceiling)
    )
    faces = [side, side[:, ::-1], ceiling, floor, end, end[:, ::-1]]
    shell = Box(np.zeros(3), half, 0.0, [_lit(face, rng) for face in faces], PIXELS_PER_METRE)
    clutter = []
    for _ in range(3):
        size = rng.uniform([0.1, 0.2, 0.1], [0.3, 0.6, 0.3])
        place = np.array(
            [rng.choice([-1.0, 1.0]) * (half[0] - size[0]), half[1] - size[1], rng.uniform(-0.5, 0.5) * half[2]]
        )
        clutter.append(Box(place, size, 0.0, _paper(photographs, rng), 200.0))
    room = Room(shell, clutter)
    start = rng.uniform(0.6, 0.9) * half[2]

    def towards(sign: float, forward: float, aside: float, turn: float) -> Place:
        """Looking along the corridor, from the far end for a negative sign."""
        centre = np.array([sign * aside, 0.0, sign * (forward - start)])
        ahead = np.array([np.sin(turn), rng.normal(scale=0.03), np.cos(turn)])
        return Place(room, looking(ahead * [sign, 1.0, sign], rng.normal(scale=0.03)), centre)

    aside = rng.uniform(-0.4, 0.4)
    return LookAlike(
        towards(1.0, 0.0, aside, 0.0),
        towards(1.0, rng.uniform(0.2, 0.6), aside + rng.uniform(-0.3, 0.3), rng.uniform(-0.25, 0.25)),
        towards(-1.0, rng.uniform(-0.3, 0.3), aside + rng.uniform(-0.2, 0.2), rng.uniform(-0.1, 0.1)),
    )


def swapped_poster(photographs: Sequence[Image], rng: np.random.Generator) -> LookAlike:
    """A room in which a poster was moved to another wall between two images."""
    empty = random_room(photographs, rng, boxes=2)
    half = empty.shell.half
    picture = piece_of(_any(photographs, rng), rng)
    width, height = rng.uniform(0.7, 1.1), rng.uniform(0.5, 0.8)
    distance = rng.uniform(1.6, 2.8)
    scale = 250.0
    fitted = np.asarray(cv2.resize(picture, (int(2 * scale * width), int(2 * scale * height))))

    def hung(yaw: float) -> Room:
        """The room with the poster on the wall that lies in that direction."""
        wall = half[2] if abs(np.cos(yaw)) > 0.5 else half[0]
        ahead = np.array([np.sin(yaw), 0.0, np.cos(yaw)])
        # Its -z face points into the room, as yaw turns +z towards the wall.
        faces = [fitted[:2, :2]] * 4 + [fitted, fitted]
        return Room(
            empty.shell, [*empty.boxes, Box(ahead * (wall - 0.03), np.array([width, height, 0.02]), yaw, faces, scale)]
        )

    def before(room: Room, yaw: float, aside: float, turn: float) -> Place:
        wall = half[2] if abs(np.cos(yaw)) > 0.5 else half[0]
        ahead = np.array([np.sin(yaw), 0.0, np.cos(yaw)])
        along = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
        centre = ahead * (wall - distance) + along * aside
        return Place(room, looking(ahead + np.tan(turn) * along, rng.normal(scale=0.03)), centre)

    there = int(rng.integers(1, 4)) * np.pi / 2
    first = hung(0.0)
    return LookAlike(
        before(first, 0.0, 0.0, 0.0),
        before(first, 0.0, rng.uniform(0.2, 0.5), rng.uniform(-0.2, 0.2)),
        before(hung(there), there, rng.uniform(-0.3, 0.3), rng.uniform(-0.1, 0.1)),
    )


LOOK_ALIKES: Mapping[str, Callable[[Sequence[Image], np.random.Generator], LookAlike]] = {
    "tiled_facade": tiled_facade,
    "mirrored_corridor": mirrored_corridor,
    "swapped_poster": swapped_poster,
}
"""All kinds, by name."""


def _any(photographs: Sequence[Image], rng: np.random.Generator) -> Image:
    return photographs[int(rng.integers(len(photographs)))]


def _paper(photographs: Sequence[Image], rng: np.random.Generator) -> list[Image]:
    return [piece_of(_any(photographs, rng), rng) for _ in range(6)]


def _lit(texture: Image, rng: np.random.Generator) -> Image:
    """The texture in light that changes slowly across it: no two walls weather alike."""
    height, width = texture.shape[:2]
    light = cv2.resize(rng.uniform(0.7, 1.2, (3, 4)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(texture * light[..., None], 0, 255).astype(np.uint8)
