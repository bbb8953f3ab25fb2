"""Which images of a drive are keyframes, and which keyframes are pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from interpose_ros.evaluation.replay.bag import ReplayError
from interpose_ros.evaluation.trajectory import stamp_ns_from_text
from interpose_ros.geometry.distances import rotation_distance

LIST_TOLERANCE_NS = 10_000_000
"""A listed stamp means the image that is nearest to it, within this."""

Pair = tuple[int, int]
PoseAt = Callable[[int], "Float[np.ndarray, '4 4'] | None"]


def keyframes_by_time(stamps_ns: Sequence[int], period_ns: int) -> list[int]:
    """The first image, and then each first one that is at least a period later."""
    chosen: list[int] = []
    for stamp in stamps_ns:
        if not chosen or stamp - chosen[-1] >= period_ns:
            chosen.append(stamp)
    return chosen


def keyframes_by_motion(stamps_ns: Sequence[int], pose_at: PoseAt, distance: float, rotation: float) -> list[int]:
    """The first image of known pose, and then each first one that has moved so far, or turned so far, from the last.

    Args:
        stamps_ns: of the images.
        pose_at: ``T_world_camera``; None where unknown, which is never a keyframe.
        distance: in the truth's unit of length.
        rotation: radians.
    """
    chosen: list[int] = []
    last = np.eye(4)
    for stamp in stamps_ns:
        T = pose_at(stamp)
        if T is None:
            continue
        moved = float(np.linalg.norm(T[:3, 3] - last[:3, 3]))
        if not chosen or moved >= distance or float(rotation_distance(T[:3, :3], last[:3, :3])) >= rotation:
            chosen.append(stamp)
            last = T
    return chosen


def keyframes_by_list(stamps_ns: Sequence[int], path: Path) -> list[int]:
    """The images whose stamps (seconds, one a line, ``#`` begins a comment) a file lists.

    Raises:
        ReplayError: the file cannot be used, or a stamp has no image.
    """
    try:
        lines = [line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
        wanted = [stamp_ns_from_text(line.split()[0]) for line in lines if line]
    except OSError as error:
        raise ReplayError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ReplayError(f"{path} is no list of stamps in seconds, one a line: {error}") from error
    all_stamps = np.array(stamps_ns, dtype=np.int64)
    chosen = set()
    for stamp in wanted:
        nearest = int(all_stamps[np.argmin(np.abs(all_stamps - stamp))])
        if abs(nearest - stamp) > LIST_TOLERANCE_NS:
            raise ReplayError(
                f"{path} lists {stamp * 1e-9:.3f} s, and the nearest image is {abs(nearest - stamp) * 1e-9:.3f} s away"
            )
        chosen.add(nearest)
    return sorted(chosen)


def pairs_by_gap(count: int, gaps: Sequence[int]) -> list[Pair]:
    """Every keyframe with those so many places after it."""
    return sorted((first, first + gap) for gap in set(gaps) for first in range(count - gap))


def all_pairs(count: int) -> list[Pair]:
    """Every keyframe with every later one."""
    return [(first, second) for first in range(count) for second in range(first + 1, count)]


def some_of(pairs: Sequence[Pair], most: int | None, seed: int) -> list[Pair]:
    """At most so many of the pairs, drawn with a seed, in their order."""
    if most is None or len(pairs) <= most:
        return list(pairs)
    chosen = np.random.default_rng(seed).permutation(len(pairs))[:most]
    return [pairs[int(number)] for number in np.sort(chosen)]


def frames_between(first_ns: int, second_ns: int, stored: Sequence[int], most: int) -> list[int]:
    """Stamps of stored frames strictly between two, evenly thinned to at most so many."""
    inside = [stamp for stamp in stored if first_ns < stamp < second_ns]
    if len(inside) <= most:
        return inside
    return [inside[int(k)] for k in np.rint(np.linspace(0, len(inside) - 1, most)).astype(int)]
