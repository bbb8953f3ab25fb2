"""Wide pairs of keyframes with the real frames between them: from panoramas, and from the desk sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from interpose_ros.evaluation.recorded_truth import read_recorded_drive
from interpose_ros.evaluation.rooms import photographed
from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.se3 import rotation_exp, rotation_log
from interpose_ros.views import KeyframeId, View
from selection_bench.panorama import Panorama, upright

FRAMES = 7
"""Frames between the keyframes of every clip."""

DEVELOPMENT = ("adams_place_bridge", "lebombo")
"""Panoramas that thresholds were chosen on; the others and the desk are reported."""

YAW_GAPS_DEG = (55, 60, 65, 70, 75, 80, 85, 90)
PANORAMA_FIELD_OF_VIEW_DEG = 65.0
DESK_PAIRS = ((1, 10), (2, 11), (3, 12), (4, 12), (5, 13), (6, 14), (7, 15), (8, 16))

Image = np.ndarray
Seen = Callable[[np.ndarray], Image]
"""What the camera of a case sees with ``R_camera_a`` after turning from A; the world is the case's own."""


@dataclass(frozen=True, eq=False)
class Case:
    """One wide pair.

    Attributes:
        name, scene: of the pair and of the place that it shows.
        part: "panorama" or "desk".
        view_a, view_b: the keyframes.
        R_b_a: true rotation.
        direction_b_a: true direction of the translation; None without one.
        between: real images along the way, densely, from A to B, without A and B.
        turned: image that the camera sees at a rotation ``R_c_a`` away from A, as far as the place is known.
        panorama: the world of the case, with ``R_world_a``; None at the desk.
    """

    name: str
    scene: str
    part: str
    view_a: View
    view_b: View
    R_b_a: np.ndarray
    direction_b_a: np.ndarray | None
    between: Sequence[Image]
    turned: Seen
    panorama: tuple[Panorama, np.ndarray] | None

    @property
    def camera(self) -> Camera:
        """Of all images of the case."""
        return self.view_a.camera


def panorama_cases(folder: Path, development: bool, per_panorama: int) -> list[Case]:
    """Pairs of views from the panoramas for development, or from the others."""
    cases = []
    for number, path in enumerate(sorted(folder.glob("*_pano.jpg"))):
        scene = path.stem.removesuffix("_1k_pano")
        if (scene in DEVELOPMENT) != development:
            continue
        panorama = Panorama.from_file(path)
        for k in range(per_panorama):
            cases.append(_panorama_case(panorama, scene, k, np.random.default_rng((7, number, k))))
    return cases


def _panorama_case(panorama: Panorama, scene: str, k: int, rng: np.random.Generator) -> Case:
    width, height = 320, 240
    focal = 0.5 * width / np.tan(np.deg2rad(PANORAMA_FIELD_OF_VIEW_DEG / 2))
    camera = Camera(
        np.array([[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]]), width, height
    )
    gap = np.deg2rad(YAW_GAPS_DEG[k % len(YAW_GAPS_DEG)] + rng.uniform(-2, 2)) * rng.choice([-1.0, 1.0])
    start = np.deg2rad(45.0 * k + rng.uniform(-15, 15))
    R_w_a = upright(start, *np.deg2rad(rng.normal(scale=3.0, size=2)))
    R_w_b = upright(start + gap, *np.deg2rad(rng.normal(scale=3.0, size=2)))
    R_b_a = R_w_b.T @ R_w_a
    turn = rotation_log(R_b_a)
    dense = 4 * (FRAMES + 1)
    between = []
    for step in range(1, dense):
        shake = np.deg2rad(rng.normal(scale=0.4, size=3))
        R_c_a = rotation_exp(shake) @ rotation_exp(turn * step / dense)
        between.append(panorama.view(camera, R_w_a @ R_c_a.T))
    ends = [
        View(photographed(panorama.view(camera, R), rng), camera, KeyframeId(scene, stamp))
        for R, stamp in ((R_w_a, 0), (R_w_b, 1000))
    ]
    return Case(
        name=f"{scene}-{k}",
        scene=scene,
        part="panorama",
        view_a=ends[0],
        view_b=ends[1],
        R_b_a=R_b_a,
        direction_b_a=None,
        between=between,
        turned=lambda R_c_a: panorama.view(camera, R_w_a @ R_c_a.T),
        panorama=(panorama, R_w_a),
    )


def desk_cases(bag: Path) -> list[Case]:
    """Wide pairs of the desk sequence, which is one trajectory of one scene."""
    drive = read_recorded_drive(bag)
    stamps = list(drive.jpegs)
    images = []
    for jpeg in drive.jpegs.values():
        bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert bgr is not None
        images.append(np.ascontiguousarray(bgr[..., ::-1]))
    camera = Camera(drive.K, images[0].shape[1], images[0].shape[0])
    cases = []
    for a, b in DESK_PAIRS:
        T_a_b = drive.truth.relative_pose(stamps[a], stamps[b])
        assert T_a_b is not None
        R_b_a = T_a_b[:3, :3].T
        t_b_a = -R_b_a @ T_a_b[:3, 3]
        views = [View(images[n], camera, KeyframeId("desk", stamps[n])) for n in (a, b)]

        def turned(R_c_a: np.ndarray, image: Image = images[a]) -> Image:
            # Without a panorama the image itself is turned, and mirrored where it ends.
            H = camera.K @ R_c_a @ np.linalg.inv(camera.K)
            return np.asarray(cv2.warpPerspective(image, H, (camera.width, camera.height), borderMode=cv2.BORDER_WRAP))

        cases.append(
            Case(
                name=f"desk-{a}-{b}",
                scene="desk",
                part="desk",
                view_a=views[0],
                view_b=views[1],
                R_b_a=R_b_a,
                direction_b_a=t_b_a / np.linalg.norm(t_b_a),
                between=images[a + 1 : b],
                turned=turned,
                panorama=None,
            )
        )
    return cases
