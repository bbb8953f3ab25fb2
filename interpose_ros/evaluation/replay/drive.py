"""A bag as a folder with a pair file: what to take from it, and the steps that take it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from interpose_ros.evaluation.journal import write_atomically
from interpose_ros.evaluation.replay.bag import Bag, BagTopic, ReplayError, open_bag
from interpose_ros.evaluation.replay.camera_info import camera_from_file, camera_from_info
from interpose_ros.evaluation.replay.images import camera_of_files, image_stamps, write_images
from interpose_ros.evaluation.replay.measured_overlap import pairs_by_overlap
from interpose_ros.evaluation.replay.selection import (
    Pair,
    all_pairs,
    frames_between,
    keyframes_by_list,
    keyframes_by_motion,
    keyframes_by_time,
    pairs_by_gap,
    some_of,
)
from interpose_ros.evaluation.replay.topics import camera_info_topic, image_topic
from interpose_ros.evaluation.replay.truth import Truth, TruthSettings, read_truth
from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.distances import rotation_angle
from interpose_ros.geometry.se3 import inverse

MOST_FRAMES = 200
"""Frames in between that are named for a pair, evenly thinned beyond."""

Progress = Callable[[str], Callable[[], Any]]
"""Called with what is read next; gives what is called with every message of it."""


@dataclass(frozen=True)
class DriveSettings:
    """What is taken from a bag.

    Attributes:
        image_topic, camera_info: topics; None to find them. The camera info may be a YAML file.
        truth: where the true poses are.
        keyframes: ``time``, ``motion`` or ``list``.
        period: seconds between keyframes by time.
        distance, rotation: metres and degrees between keyframes by motion.
        keyframe_list: file of stamps.
        pairs: ``gap``, ``overlap`` or ``all``.
        gaps: places between the keyframes of a pair.
        overlap: least and largest measured overlap of a pair.
        most_pairs, seed: more are drawn from.
        frames_rate: frames in between per second that are kept; 0 for none.
    """

    image_topic: str | None = None
    camera_info: str | None = None
    truth: TruthSettings = field(default_factory=TruthSettings)
    keyframes: str = "time"
    period: float = 1.0
    distance: float = 0.5
    rotation: float = 15.0
    keyframe_list: Path | None = None
    pairs: str = "gap"
    gaps: tuple[int, ...] = (1, 2, 4, 8)
    overlap: tuple[float, float] = (0.0, 0.3)
    most_pairs: int | None = None
    seed: int = 0
    frames_rate: float = 4.0


@dataclass(frozen=True)
class Drive:
    """What was taken from a bag.

    Attributes:
        pair_file: in the run's folder, beside the images.
        notes: sentences for people.
    """

    pair_file: Path
    notes: tuple[str, ...]


def read_drive(path: Path, folder: Path, settings: DriveSettings, progress: Progress) -> Drive:
    """Write images, pair file and true trajectory of a bag into a folder.

    The bag is read twice, message by message: once for stamps, calibration and truth, once for the images that are needed.

    Raises:
        ReplayError: something is missing, or nothing overlaps; the message says what would help.
    """
    with open_bag(path) as bag:
        images = image_topic(bag, settings.image_topic)
        stamps, camera_frame = image_stamps(bag, images, progress(f"stamps of {images.name}"))
        camera = camera_of_bag(bag, images, settings.camera_info)
        truth = read_truth(bag, settings.truth, camera_frame, progress("truth"))
        known = [stamp for stamp in stamps if truth.pose_at(stamp) is not None]
        if not known:
            raise ReplayError(_no_overlap(stamps, truth, settings.truth.max_gap_ns))
        keyframes = _keyframes(known, truth, settings)
        if len(keyframes) < 2:
            raise ReplayError(
                f"{len(keyframes)} keyframe of {len(known)} images with known pose is no pair: choose keyframes closer "
                "together (--period, --distance, --rotation)"
            )
        between = keyframes_by_time(stamps, round(1e9 / settings.frames_rate)) if settings.frames_rate > 0 else []
        files = write_images(bag, images, {*keyframes, *between}, camera, folder / "images", progress("images"))
    pairs = _pairs(keyframes, [files[k] for k in keyframes], camera_of_files(camera), settings, progress)
    if not pairs:
        raise ReplayError(f"no pair of the {len(keyframes)} keyframes fits: widen --gap or --overlap")
    notes = (
        f"{len(stamps)} images on {images.name}, {len(known)} of them with known pose; truth: {truth.description}",
        f"{len(keyframes)} keyframes by {settings.keyframes}, {len(pairs)} pairs by {settings.pairs}",
    )
    content = _pair_file(path, folder, keyframes, pairs, between, files, camera_of_files(camera), truth, notes)
    write_atomically(folder / "pairs.json", json.dumps(content) + "\n")
    return Drive(folder / "pairs.json", notes)


def camera_of_bag(bag: Bag, images: BagTopic, asked: str | None) -> Camera:
    """The camera of a bag's images.

    Args:
        bag: open.
        images: topic of the images.
        asked: topic or YAML file of the calibration; None to find the topic beside the images.

    Raises:
        ReplayError: there is no calibration, or it cannot be used.
    """
    if asked is not None and Path(asked).is_file():
        return camera_from_file(Path(asked))
    topic = camera_info_topic(bag, asked, images)
    if topic is None:
        raise ReplayError(
            f"{bag.path} has no camera info beside {images.name}: name one with --camera-info TOPIC, or give a "
            f"calibration with --camera-info FILE.yaml; its topics:\n{bag.listing()}"
        )
    return camera_from_info(bag.content(next(iter(bag.messages([topic.name])))))


def _keyframes(stamps: Sequence[int], truth: Truth, settings: DriveSettings) -> list[int]:
    if settings.keyframes == "motion":
        return keyframes_by_motion(stamps, truth.pose_at, settings.distance, math.radians(settings.rotation))
    if settings.keyframes == "list":
        if settings.keyframe_list is None:
            raise ReplayError("keyframes by list need --keyframe-list FILE")
        return keyframes_by_list(stamps, settings.keyframe_list)
    return keyframes_by_time(stamps, round(settings.period * 1e9))


def _pairs(
    keyframes: Sequence[int], files: Sequence[Path], camera: Camera, settings: DriveSettings, progress: Progress
) -> list[Pair]:
    if settings.pairs == "gap":
        found = pairs_by_gap(len(keyframes), settings.gaps)
    elif settings.pairs == "overlap":
        low, high = settings.overlap
        found = pairs_by_overlap(files, camera, low, high, progress("overlap of keyframes"))
    else:
        found = all_pairs(len(keyframes))
    return some_of(found, settings.most_pairs, settings.seed)


def _pair_file(
    path: Path,
    folder: Path,
    keyframes: Sequence[int],
    pairs: Sequence[Pair],
    between: Sequence[int],
    files: Mapping[int, Path],
    camera: Camera,
    truth: Truth,
    notes: Sequence[str],
) -> dict[str, Any]:
    names = {stamp: str(file.relative_to(folder)) for stamp, file in files.items()}
    K, distortion = camera.K.tolist(), list(camera.distortion) or None
    entries = []
    for first, second in pairs:
        a, b = keyframes[first], keyframes[second]
        T_world_a, T_world_b = truth.pose_at(a), truth.pose_at(b)
        assert T_world_a is not None and T_world_b is not None  # noqa: PT018  keyframes are images of known pose
        T_b_a = inverse(T_world_b) @ T_world_a
        entries.append(
            {
                "image0": names[a], "image1": names[b], "stamp0_ns": a, "stamp1_ns": b,
                "K0": K, "K1": K, "dist0": distortion, "dist1": distortion,
                "T_0to1": T_b_a.tolist(),
                "rotation_deg": float(np.degrees(rotation_angle(T_b_a[:3, :3]))),
                "baseline": float(np.linalg.norm(T_b_a[:3, 3])),
                "frames": [names[stamp] for stamp in frames_between(a, b, between, MOST_FRAMES)],
            }
        )  # fmt: skip
    return {
        "name": path.stem,
        "convention": "T_0to1 maps coordinates of camera 0 into camera 1; OpenCV camera axes",
        "source": str(path.resolve()),
        "notes": list(notes),
        "translation_unit": "metres",
        "keyframes": [
            {"stamp_ns": stamp, "image": names[stamp], "T_world_camera": _listed(truth, stamp)} for stamp in keyframes
        ],
        "pairs": entries,
    }


def _listed(truth: Truth, stamp: int) -> list[list[float]]:
    T_world_camera = truth.pose_at(stamp)
    return [] if T_world_camera is None else T_world_camera.tolist()


def _no_overlap(stamps: Sequence[int], truth: Truth, max_gap_ns: int) -> str:
    images = f"the images are from {stamps[0] * 1e-9:.3f} to {stamps[-1] * 1e-9:.3f} s"
    if truth.span_ns is None:
        return (
            f"no image has a true pose ({truth.description}); {images}. Do the clocks differ? --truth-offset "
            f"shifts the "
            "truth"
        )
    first, last = truth.span_ns
    if last < stamps[0] or first > stamps[-1]:
        return (
            f"images and truth do not overlap in time: {images}, the truth ({truth.description}) is from "
            f"{first * 1e-9:.3f} to {last * 1e-9:.3f} s. Do the clocks differ? --truth-offset shifts the truth"
        )
    return (
        f"no image has a true pose: {images}, and the truth ({truth.description}) has no two poses around any of them "
        f"that are at most {max_gap_ns * 1e-9:g} s apart; --max-gap allows more"
    )
