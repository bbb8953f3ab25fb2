"""Makes the images that the shipped calibration is fitted on: panorama views and rendered rooms, with exact poses.

    python tools/make_calibration_set.py PANORAMAS OUT [--rooms 30] [--seed 0]

PANORAMAS is a folder of equirectangular ``*_pano.jpg``. Writes ``OUT/pairs.json`` and the images beside it. Every room and
every panorama is a scene of its own; pairs across scenes have no pose, the only right answer there is a refusal.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from interpose_ros.evaluation.rooms import Room, photographed, random_room
from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.geometry.se3 import rotation_exp

VIEWS_PER_ROOM, VIEWS_PER_PANORAMA = 7, 10
DOWN = np.array([0.0, 1.0, 0.0])


def main() -> None:
    """Write the set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("panoramas", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rooms", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    files = sorted(arguments.panoramas.glob("*_pano.jpg"))
    if not files:
        parser.error(f"{arguments.panoramas} holds no *_pano.jpg")
    panoramas = [np.asarray(cv2.imread(str(file))) for file in files]
    (arguments.out / "images").mkdir(parents=True, exist_ok=True)

    views: list[dict[str, Any]] = []
    for number in tqdm(range(arguments.rooms), desc="rooms", unit="room"):
        rng = np.random.default_rng((arguments.seed, 1, number))
        room = random_room(panoramas, rng)
        for image, camera, T_world_camera in _room_views(room, rng):
            views.append(_saved(arguments.out, f"room{number:02d}", len(views), image, camera, T_world_camera))
    for number, (file, panorama) in enumerate(zip(files, panoramas, strict=True)):
        rng = np.random.default_rng((arguments.seed, 2, number))
        for image, camera, T_world_camera in _panorama_views(panorama, rng):
            views.append(_saved(arguments.out, file.stem, len(views), image, camera, T_world_camera))
    pairs = _pairs(views, np.random.default_rng((arguments.seed, 3)))
    content = {
        "name": "rendered rooms and panorama views",
        "convention": "T_0to1 maps coordinates of camera 0 to camera 1 (OpenCV axes)",
        "license": "CC0 1.0 (panoramas by Poly Haven)",
        "translation_unit": "m",
        "images": [view["image"] for view in views],
        "pairs": pairs,
    }
    (arguments.out / "pairs.json").write_text(json.dumps(content, indent=1))
    print(f"{len(views)} views, {len(pairs)} pairs: {arguments.out / 'pairs.json'}")


def _room_views(room: Room, rng: np.random.Generator) -> list[tuple[np.ndarray, Camera, np.ndarray]]:
    """Views round a common target, up to about 130 degrees apart, as somebody has who walks round something."""
    camera = _random_camera(rng, 640, 480)
    places: list[tuple[np.ndarray, np.ndarray]] = []
    while len(places) < VIEWS_PER_ROOM:  # some walks lead through a wall or a box
        target = rng.uniform(-0.6, 0.6, 3) * room.shell.half
        start, step = rng.uniform(-np.pi, np.pi), np.deg2rad(rng.uniform(8.0, 20.0))
        distance = rng.uniform(1.0, 4.0)
        places = []
        for number in range(VIEWS_PER_ROOM):
            angle = start + step * (number + rng.uniform(-0.3, 0.3))
            around = np.array([np.sin(angle), 0.0, np.cos(angle)]) * distance * rng.uniform(0.8, 1.2)
            centre = np.array([target[0], rng.uniform(-0.5, 0.3), target[2]]) - around
            if not room.is_free(centre, 0.25):
                break
            places.append((_looking(target + rng.normal(scale=0.25, size=3) - centre, rng), centre))
    found = []
    for R_world_camera, centre in places:
        T_world_camera = np.eye(4)
        T_world_camera[:3, :3], T_world_camera[:3, 3] = R_world_camera, centre
        found.append((photographed(room.render(camera, R_world_camera, centre), rng), camera, T_world_camera))
    return found


def _panorama_views(panorama: np.ndarray, rng: np.random.Generator) -> list[tuple[np.ndarray, Camera, np.ndarray]]:
    """Views in random directions from one place."""
    camera = _random_camera(rng, 512, 384)
    found = []
    start = rng.uniform(-np.pi, np.pi)
    for number in range(VIEWS_PER_PANORAMA):
        yaw, pitch = start + np.deg2rad(22.0) * (number + rng.uniform(-0.4, 0.4)), rng.uniform(-0.3, 0.3)
        ahead = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
        T_world_camera = np.eye(4)
        T_world_camera[:3, :3] = _looking(ahead, rng)
        v, u = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float64)
        rays = camera.bearings(np.stack([u.ravel(), v.ravel()], 1)) @ T_world_camera[:3, :3].T
        height, width = panorama.shape[:2]
        x = (np.arctan2(rays[:, 0], rays[:, 2]) / (2 * np.pi) + 0.5) * width - 0.5
        y = (np.arcsin(rays[:, 1]) / np.pi + 0.5) * height - 0.5
        map_x, map_y = (m.reshape(camera.height, camera.width).astype(np.float32) for m in (x, y))
        image = np.asarray(cv2.remap(panorama, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP))
        found.append((photographed(image, rng), camera, T_world_camera))
    return found


def _looking(ahead: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``R_world_camera`` of a camera that looks ahead, upright up to a few degrees of roll."""
    z = ahead / np.linalg.norm(ahead)
    x = np.cross(DOWN, z)
    x /= np.linalg.norm(x)
    upright = np.column_stack([x, np.cross(z, x), z])
    return upright @ rotation_exp(np.array([0.0, 0.0, np.deg2rad(rng.normal(scale=5.0))]))


def _random_camera(rng: np.random.Generator, width: int, height: int) -> Camera:
    focal = 0.5 * width / np.tan(0.5 * np.deg2rad(rng.uniform(50.0, 80.0)))
    return Camera(
        np.array([[focal, 0.0, 0.5 * (width - 1)], [0.0, focal, 0.5 * (height - 1)], [0.0, 0.0, 1.0]]), width, height
    )


def _saved(
    out: Path, scene: str, number: int, image: np.ndarray, camera: Camera, T_world_camera: np.ndarray
) -> dict[str, Any]:
    name = f"images/{scene}_{number:03d}.jpg"
    cv2.imwrite(str(out / name), image, [cv2.IMWRITE_JPEG_QUALITY, 97])
    return {"scene": scene, "image": name, "K": camera.K.tolist(), "T_world_camera": T_world_camera}


def _pairs(views: list[dict[str, Any]], rng: np.random.Generator) -> list[dict[str, Any]]:
    """All pairs within a scene, and half as many across scenes."""
    within = [(a, b) for i, a in enumerate(views) for b in views[i + 1 :] if a["scene"] == b["scene"]]
    across: list[tuple[dict[str, Any], dict[str, Any]]] = []
    while len(across) < len(within) // 2:
        a, b = (views[int(i)] for i in rng.integers(len(views), size=2))
        if a["scene"] != b["scene"]:
            across.append((a, b))
    pairs = []
    for a, b in within + across:
        pair = {
            "image0": a["image"], "image1": b["image"], "K0": a["K"], "K1": b["K"], "dist0": None, "dist1": None,
            "scene": a["scene"],
        }  # fmt: skip
        if a["scene"] == b["scene"]:
            T_0to1 = np.linalg.inv(b["T_world_camera"]) @ a["T_world_camera"]
            pair |= {
                "T_0to1": T_0to1.tolist(),
                "rotation_deg": float(np.degrees(rotation_distance(T_0to1[:3, :3], np.eye(3)))),
                "baseline": float(np.linalg.norm(T_0to1[:3, 3])),
            }
        else:
            pair["related"] = False
        pairs.append(pair)
    return pairs


if __name__ == "__main__":
    main()
