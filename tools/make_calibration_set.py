"""Makes the images that the shipped calibrations are fitted on: rendered rooms, panorama views and look-alikes.

    python tools/make_calibration_set.py data/panoramas OUT [--rooms 60] [--look-alikes 24] [--unrelated 0.3] [--seed 0]

PANORAMAS is a folder of equirectangular ``*_pano.jpg``. Writes ``OUT/pairs.json`` and the images beside it; all poses are
exact. Every room, every panorama and every look-alike is a scene of its own, and scenes come in random order. Pairs across
scenes have no pose: the only right answer there is a refusal. Pairs that deceive on purpose carry ``look_alike``.

Pairs further apart than neighbours name the views between them as ``frames``, some of which a stream lost. Pairs across
scenes have frames too, as a stream has them that was cut: one more of the first place, then one of the second. Few of these
lead to a pose, so ``OUT/cut_streams.json`` has more of them, for what is found over frames alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from interpose_ros.evaluation.look_alikes import LOOK_ALIKES
from interpose_ros.evaluation.rooms import Room, looking, photographed, random_room
from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.distances import rotation_distance

VIEWS_PER_ROOM, PAIRS_PER_ROOM = 5, 6
VIEWS_PER_PANORAMA, PAIRS_PER_PANORAMA = 10, 12
UNRELATED_SHARE = 0.3
"""Pairs across scenes, for every pair within one."""
CUT_STREAMS = 250
"""Streams that were cut, each from any place to any other, beside those of the pairs across scenes."""
LOST_SHARE = 0.4
"""Views between those of a pair that its stream lost; one is always left."""


@dataclass(frozen=True, eq=False)
class Picture:
    """An image on disk and where it was taken."""

    scene: str
    image: str
    camera: Camera
    T_world_camera: np.ndarray


@dataclass(frozen=True, eq=False)
class Pair:
    """Two pictures and those between them; ``look_alike`` is what deceives about them, if anything."""

    first: Picture
    second: Picture
    frames: tuple[Picture, ...] = ()
    look_alike: str = ""


@dataclass(frozen=True, eq=False)
class Scene:
    """The pictures of one place in the order in which they were taken, and pairs of them."""

    pictures: list[Picture]
    pairs: list[Pair]


def main() -> None:
    """Write the set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("panoramas", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rooms", type=int, default=60)
    parser.add_argument("--look-alikes", type=int, default=24)
    parser.add_argument(
        "--unrelated", type=float, default=UNRELATED_SHARE, help="pairs across scenes per pair within one"
    )
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    files = sorted(arguments.panoramas.glob("*_pano.jpg"))
    if not files:
        parser.error(f"{arguments.panoramas} holds no *_pano.jpg")
    panoramas = [np.asarray(cv2.imread(str(file))) for file in files]
    (arguments.out / "images").mkdir(parents=True, exist_ok=True)

    scenes: list[Scene] = []
    for number in tqdm(range(arguments.rooms), desc="rooms", unit="room"):
        rng = np.random.default_rng((arguments.seed, 1, number))
        camera = _random_camera(rng, 640, 480)
        room = random_room(panoramas, rng)
        views = ((photographed(room.render(camera, T[:3, :3], T[:3, 3]), rng), T) for T in _walk(room, rng))
        scenes.append(_some(_saved(arguments.out, f"room{number:02d}", camera, views), PAIRS_PER_ROOM, rng))
    for number, (file, panorama) in enumerate(zip(files, panoramas, strict=True)):
        rng = np.random.default_rng((arguments.seed, 2, number))
        camera = _random_camera(rng, 512, 384)
        views = ((photographed(_seen(panorama, camera, T[:3, :3]), rng), T) for T in _turns(rng))
        name = file.stem.removesuffix("_pano")
        scenes.append(_some(_saved(arguments.out, name, camera, views), PAIRS_PER_PANORAMA, rng))
    for number in tqdm(range(arguments.look_alikes), desc="look-alikes", unit="place"):
        rng = np.random.default_rng((arguments.seed, 4, number))
        kind = list(LOOK_ALIKES)[number % len(LOOK_ALIKES)]
        camera = _random_camera(rng, 640, 480)
        found = LOOK_ALIKES[kind](panoramas, rng)
        places = (found.first, found.near, found.deceptive)
        views = ((photographed(place.render(camera), rng), place.T_world_camera) for place in places)
        first, near, deceptive = pictures = _saved(arguments.out, f"{kind}{number:02d}", camera, views)
        scenes.append(Scene(pictures, [Pair(first, near), Pair(first, deceptive, (near,), kind)]))
    pairs = _with_unrelated(scenes, arguments.unrelated, np.random.default_rng((arguments.seed, 3)))
    count = _write(arguments.out / "pairs.json", pairs)
    print(f"{count} images, {len(pairs)} pairs: {arguments.out / 'pairs.json'}")
    streams = _cut_streams(scenes, np.random.default_rng((arguments.seed, 5)))
    _write(arguments.out / "cut_streams.json", streams)
    print(f"{len(streams)} streams that were cut: {arguments.out / 'cut_streams.json'}")


def _write(path: Path, pairs: list[Pair]) -> int:
    """Write a pair file; how many images it names."""
    content = {
        "name": "rendered rooms, panorama views and look-alikes",
        "convention": "T_0to1 maps coordinates of camera 0 to camera 1 (OpenCV axes)",
        "license": "CC0 1.0 (panoramas by Poly Haven)",
        "translation_unit": "m",
        "images": sorted({picture.image for pair in pairs for picture in (pair.first, *pair.frames, pair.second)}),
        "pairs": [_entry(pair) for pair in pairs],
    }
    path.write_text(json.dumps(content, indent=1))
    return len(content["images"])


def _walk(room: Room, rng: np.random.Generator) -> list[np.ndarray]:
    """Poses ``T_world_camera`` round a common target, as somebody has them who walks round something."""
    while True:  # some walks lead through a wall or a box
        target = rng.uniform(-0.6, 0.6, 3) * room.shell.half
        start, step = rng.uniform(-np.pi, np.pi), np.deg2rad(rng.uniform(8.0, 20.0))
        distance = rng.uniform(1.0, 4.0)
        poses = []
        for number in range(VIEWS_PER_ROOM):
            angle = start + step * (number + rng.uniform(-0.3, 0.3))
            around = np.array([np.sin(angle), 0.0, np.cos(angle)]) * distance * rng.uniform(0.8, 1.2)
            centre = np.array([target[0], rng.uniform(-0.5, 0.3), target[2]]) - around
            if not room.is_free(centre, 0.25):
                break
            T = np.eye(4)
            T[:3, :3], T[:3, 3] = looking(target + rng.normal(scale=0.25, size=3) - centre, _roll(rng)), centre
            poses.append(T)
        else:
            return poses


def _turns(rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Poses in one place, about 22 degrees of yaw apart."""
    start = rng.uniform(-np.pi, np.pi)
    for number in range(VIEWS_PER_PANORAMA):
        yaw, pitch = start + np.deg2rad(22.0) * (number + rng.uniform(-0.4, 0.4)), rng.uniform(-0.3, 0.3)
        T = np.eye(4)
        T[:3, :3] = looking(
            np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)]), _roll(rng)
        )
        yield T


def _seen(panorama: np.ndarray, camera: Camera, R_world_camera: np.ndarray) -> np.ndarray:
    v, u = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float64)
    rays = camera.bearings(np.stack([u.ravel(), v.ravel()], 1)) @ R_world_camera.T
    height, width = panorama.shape[:2]
    x = (np.arctan2(rays[:, 0], rays[:, 2]) / (2 * np.pi) + 0.5) * width - 0.5
    y = (np.arcsin(rays[:, 1]) / np.pi + 0.5) * height - 0.5
    map_x, map_y = (m.reshape(camera.height, camera.width).astype(np.float32) for m in (x, y))
    return np.asarray(cv2.remap(panorama, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP))


def _roll(rng: np.random.Generator) -> float:
    """A hand's few degrees."""
    return float(np.deg2rad(rng.normal(scale=5.0)))


def _random_camera(rng: np.random.Generator, width: int, height: int) -> Camera:
    focal = 0.5 * width / np.tan(0.5 * np.deg2rad(rng.uniform(50.0, 80.0)))
    return Camera(
        np.array([[focal, 0.0, 0.5 * (width - 1)], [0.0, focal, 0.5 * (height - 1)], [0.0, 0.0, 1.0]]), width, height
    )


def _saved(out: Path, scene: str, camera: Camera, views: Iterator[tuple[np.ndarray, np.ndarray]]) -> list[Picture]:
    pictures = []
    for number, (image, T_world_camera) in enumerate(views):
        name = f"images/{scene}_{number}.jpg"
        cv2.imwrite(str(out / name), image, [cv2.IMWRITE_JPEG_QUALITY, 97])
        pictures.append(Picture(scene, name, camera, T_world_camera))
    return pictures


def _some(pictures: list[Picture], count: int, rng: np.random.Generator) -> Scene:
    """That many of all pairs of the pictures, with what a stream kept of the pictures between."""
    pairs = [(i, j) for i in range(len(pictures)) for j in range(i + 1, len(pictures))]
    found = []
    for k in sorted(rng.permutation(len(pairs))[:count]):
        i, j = pairs[int(k)]
        between = np.arange(i + 1, j)
        if len(between):
            kept = rng.random(len(between)) >= LOST_SHARE
            kept[rng.integers(len(between))] = True
            between = between[kept]
        found.append(Pair(pictures[i], pictures[j], tuple(pictures[int(number)] for number in between)))
    return Scene(pictures, found)


def _with_unrelated(scenes: list[Scene], share: float, rng: np.random.Generator) -> list[Pair]:
    """Scenes in random order, each with some pairs of one of its pictures and one of the scene before."""
    order = [scenes[int(k)] for k in rng.permutation(len(scenes))]
    found: list[Pair] = []
    for before, scene in zip([order[-1], *order[:-1]], order, strict=True):
        found += scene.pairs
        found += (_cut(before, scene, rng) for _ in range(rng.binomial(2 * len(scene.pairs), share / 2)))
    return found


def _cut_streams(scenes: list[Scene], rng: np.random.Generator) -> list[Pair]:
    """Pairs from any scene to any other, with the frames of a stream that was cut."""
    places = (rng.choice(len(scenes), 2, replace=False) for _ in range(CUT_STREAMS))
    return [_cut(scenes[int(left)], scenes[int(entered)], rng) for left, entered in places]


def _cut(before: Scene, scene: Scene, rng: np.random.Generator) -> Pair:
    """A picture of one scene and one of another, and the neighbour of each between them."""
    leaving = before.pairs[int(rng.integers(len(before.pairs)))].second
    arriving = scene.pairs[int(rng.integers(len(scene.pairs)))].first
    frames = (_neighbour(before.pictures, leaving, 1), _neighbour(scene.pictures, arriving, -1))
    return Pair(leaving, arriving, frames)


def _neighbour(pictures: list[Picture], picture: Picture, step: int) -> Picture:
    """The next picture that way, or at the end of the row the one on the other side."""
    number = pictures.index(picture) + step
    return pictures[number if 0 <= number < len(pictures) else number - 2 * step]


def _entry(pair: Pair) -> dict[str, Any]:
    a, b = pair.first, pair.second
    entry: dict[str, Any] = {
        "image0": a.image, "image1": b.image, "K0": a.camera.K.tolist(), "K1": b.camera.K.tolist(),
        "dist0": None, "dist1": None, "scene": b.scene,
    }  # fmt: skip
    if pair.frames:
        entry["frames"] = [frame.image for frame in pair.frames]
    if pair.look_alike:
        entry["look_alike"] = pair.look_alike
    if a.scene != b.scene:
        return entry | {"related": False}
    T_0to1 = np.linalg.inv(b.T_world_camera) @ a.T_world_camera
    return entry | {
        "T_0to1": T_0to1.tolist(),
        "rotation_deg": float(np.degrees(rotation_distance(T_0to1[:3, :3], np.eye(3)))),
        "baseline": float(np.linalg.norm(T_0to1[:3, 3])),
    }


if __name__ == "__main__":
    main()
