"""A recorded trajectory of one camera or body, asked for its pose at any stamp within it."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from interpose_ros.geometry.interpolation import interpolated
from interpose_ros.geometry.se3 import inverse, rotation_from_quaternion_xyzw, transform_from_rotation_translation


class Trajectory:
    """Poses ``T_world_body`` over time, metres and nanoseconds.

    Args:
        stamps_ns: strictly rising stamps.
        T_world_body: one pose per stamp.
        max_gap_ns: between stamps further apart than this the pose is unknown.

    Raises:
        ValueError: no poses, or stamps that do not rise.
    """

    def __init__(
        self, stamps_ns: Sequence[int], T_world_body: Float[np.ndarray, "n 4 4"], max_gap_ns: int = 200_000_000
    ) -> None:
        if len(stamps_ns) != len(T_world_body) or not len(stamps_ns):
            raise ValueError(f"a trajectory needs a stamp per pose: {len(stamps_ns)} stamps, {len(T_world_body)} poses")
        if any(later <= earlier for earlier, later in itertools.pairwise(stamps_ns)):
            raise ValueError("the stamps of a trajectory must rise")
        self.stamps_ns = [int(stamp) for stamp in stamps_ns]
        self.T_world_body = np.asarray(T_world_body, dtype=np.float64)
        self._max_gap_ns = max_gap_ns

    def pose_at(self, stamp_ns: int) -> Float[np.ndarray, "4 4"] | None:
        """``T_world_body`` at a stamp, or None outside the trajectory or inside a gap of it.

        Between two poses the position is linear and the rotation turns about one axis at constant speed.
        """
        after = bisect.bisect_left(self.stamps_ns, stamp_ns)
        if after < len(self.stamps_ns) and self.stamps_ns[after] == stamp_ns:
            return self.T_world_body[after].copy()
        if after in (0, len(self.stamps_ns)):
            return None
        first, second = self.stamps_ns[after - 1], self.stamps_ns[after]
        if second - first > self._max_gap_ns:
            return None
        share = (stamp_ns - first) / (second - first)
        return interpolated(self.T_world_body[after - 1], self.T_world_body[after], share)

    def relative_pose(self, stamp_a_ns: int, stamp_b_ns: int) -> Float[np.ndarray, "4 4"] | None:
        """``T_a_b``: the body at stamp b in coordinates of the body at stamp a; None where either is unknown."""
        T_world_a, T_world_b = self.pose_at(stamp_a_ns), self.pose_at(stamp_b_ns)
        if T_world_a is None or T_world_b is None:
            return None
        return inverse(T_world_a) @ T_world_b


def read_tum_trajectory(path: Path) -> Trajectory:
    """Read a TUM RGB-D ``groundtruth.txt``: lines of ``t x y z qx qy qz qw``, body in world, ``#`` begins a comment.

    Raises:
        ValueError: a line without eight numbers, or with a quaternion of no length.
    """
    stamps_ns, poses = [], []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        if len(fields) != 8:
            raise ValueError(f"{path}, line {number}: expected 't x y z qx qy qz qw', found {len(fields)} fields")
        x, y, z, *quaternion = (float(field) for field in fields[1:])
        stamps_ns.append(stamp_ns_from_text(fields[0]))
        R = rotation_from_quaternion_xyzw(np.array(quaternion))
        poses.append(transform_from_rotation_translation(R, np.array([x, y, z])))
    return Trajectory(stamps_ns, np.array(poses).reshape(-1, 4, 4))


def stamp_ns_from_text(seconds: str) -> int:
    """Nanoseconds of a decimal number of seconds, digit by digit: a float would lose the last microsecond."""
    whole, _, fraction = seconds.partition(".")
    return int(whole) * 10**9 + int(fraction[:9].ljust(9, "0"))
