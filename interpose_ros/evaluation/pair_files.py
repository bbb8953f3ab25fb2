"""Pair files: image pairs with intrinsics, the true pose, and real frames in between where there are any."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from interpose_ros.geometry.se3 import is_rigid


class PairFileError(Exception):
    """A pair file cannot be used; the message names the file, the pair and what is wrong."""


@dataclass(frozen=True, eq=False)
class LabelledPair:
    """Two images and what is known about them.

    Attributes:
        image_a, image_b: files.
        intrinsics_a, intrinsics_b: fx, fy, cx, cy in pixels.
        distortion_a, distortion_b: OpenCV coefficients, possibly none.
        T_b_a: true pose; None for two places that do not belong together.
        frames: real images in between, in order from A to B.
        scene: place that the images show; pairs of one scene are not independent of each other.
        overlap: true share of the images that shows the same, 0 to 1; None where the file does not say.
        look_alike: what deceives about the pair on purpose; "" for everyday pairs.
    """

    image_a: Path
    image_b: Path
    intrinsics_a: tuple[float, float, float, float]
    intrinsics_b: tuple[float, float, float, float]
    distortion_a: tuple[float, ...]
    distortion_b: tuple[float, ...]
    T_b_a: Float[np.ndarray, "4 4"] | None
    frames: tuple[Path, ...]
    scene: str = ""
    overlap: float | None = None
    look_alike: str = ""


@dataclass(frozen=True, eq=False)
class PairFile:
    """The content of a pair file.

    Attributes:
        name: of the set.
        translation_unit: of the true translations.
        protocol: which published protocol the pairs follow, such as ``scannet-50-65``; "" where none.
        pairs: at least one.
    """

    name: str
    translation_unit: str
    protocol: str
    pairs: list[LabelledPair]


def load_pair_file(path: Path) -> list[LabelledPair]:
    """The pairs of a pair file.

    Raises:
        PairFileError: the file does not exist, is no JSON, holds no pairs, or a pair lacks something.
    """
    return read_pair_file(path).pairs


def read_pair_file(path: Path) -> PairFile:
    """Read a pair file.

    Raises:
        PairFileError: the file does not exist, is no JSON, holds no pairs, or a pair lacks something.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PairFileError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise PairFileError(f"{path} is not JSON: {error}") from error
    pairs = data.get("pairs") if isinstance(data, dict) else None
    if not isinstance(pairs, list) or not pairs:
        raise PairFileError(f'{path} has no pairs: it needs a list "pairs" with at least one entry')
    return PairFile(
        name=str(data.get("name", path.stem)),
        translation_unit=str(data.get("translation_unit", "")),
        protocol=str(data.get("protocol", "")),
        pairs=[_pair(path, number, pair) for number, pair in enumerate(pairs)],
    )


def require_images(path: Path, pairs: Sequence[LabelledPair]) -> None:
    """Look for the images of all pairs before any work is begun.

    Raises:
        PairFileError: some are not there; the message names the first and counts all.
    """
    wanted = {file for pair in pairs for file in (pair.image_a, pair.image_b, *pair.frames)}
    missing = sorted(file for file in wanted if not file.is_file())
    if missing:
        raise PairFileError(
            f"{len(missing)} of the {len(wanted)} images of {path} are not there, the first: {missing[0]}; paths in a pair "
            "file are relative to the folder that it lies in"
        )


def _pair(path: Path, number: int, pair: Any) -> LabelledPair:
    try:
        T_b_a = None
        if pair.get("related", True):
            T_b_a = np.array(pair["T_0to1"], dtype=np.float64)
            if T_b_a.shape != (4, 4) or not is_rigid(T_b_a):
                raise ValueError("T_0to1 is not a rigid 4x4 transform")
        return LabelledPair(
            path.parent / pair["image0"],
            path.parent / pair["image1"],
            _intrinsics(pair["K0"]),
            _intrinsics(pair["K1"]),
            tuple(pair.get("dist0") or ()),
            tuple(pair.get("dist1") or ()),
            T_b_a,
            tuple(path.parent / frame for frame in pair.get("frames") or ()),
            str(pair.get("scene", path.parent.name)),
            _overlap(pair.get("overlap")),
            str(pair.get("look_alike", "")),
        )
    except KeyError as error:
        raise PairFileError(f"{path}, pair {number}: {error} is missing") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise PairFileError(f"{path}, pair {number}: {error}") from error


def _overlap(value: Any) -> float | None:
    if value is None:
        return None
    if not 0.0 <= float(value) <= 1.0:
        raise ValueError(f"overlap must be a share between 0 and 1, not {value}")
    return float(value)


def _intrinsics(K: Any) -> tuple[float, float, float, float]:
    matrix = np.array(K, dtype=np.float64)
    if matrix.shape != (3, 3):
        raise ValueError("K must be 3x3")
    return float(matrix[0, 0]), float(matrix[1, 1]), float(matrix[0, 2]), float(matrix[1, 2])
