"""Transforms of ``/tf`` and ``/tf_static`` as a tree that is asked for the way from one frame to another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from interpose_ros.evaluation.replay.bag import ReplayError
from interpose_ros.evaluation.replay.poses import PoseCollector, StampedPose
from interpose_ros.evaluation.trajectory import Trajectory
from interpose_ros.geometry.se3 import inverse


class TransformTree:
    """Every frame has one parent; its pose in it is fixed or a trajectory."""

    def __init__(self, max_gap_ns: int) -> None:
        self._max_gap_ns = max_gap_ns
        self._parents: dict[str, str] = {}
        self._fixed: dict[str, Float[np.ndarray, "4 4"]] = {}
        self._moving: dict[str, PoseCollector] = {}
        self._trajectories: dict[str, Trajectory] = {}

    def add(self, pose: StampedPose, is_static: bool) -> None:
        """A transform of either topic; later ones of a fixed frame replace earlier ones."""
        self._parents[pose.child] = pose.parent
        if is_static:
            self._fixed[pose.child] = pose.T_parent_child
        else:
            self._moving.setdefault(pose.child, PoseCollector()).add(pose.stamp_ns, pose.T_parent_child)

    @property
    def frames(self) -> list[str]:
        """All names."""
        return sorted({*self._parents, *self._parents.values()})

    def root_of(self, frame: str) -> str:
        """The frame at the top of the tree that a frame hangs in."""
        return self._ancestors(frame)[-1]

    def is_moving(self, world: str, frame: str) -> bool:
        """Whether any transform between two frames moves."""
        up, down = self._way(world, frame)
        return any(name in self._moving for name in (*up, *down))

    def fixed(self, parent: str, frame: str) -> Float[np.ndarray, "4 4"] | None:
        """``T_parent_frame`` where every transform between them is static; else None."""
        if parent == frame:
            return np.eye(4)
        if parent not in self.frames or frame not in self.frames or self.root_of(parent) != self.root_of(frame):
            return None
        up, down = self._way(parent, frame)
        if any(name not in self._fixed for name in (*up, *down)):
            return None
        return self._product([self._fixed[n] for n in up], [self._fixed[n] for n in down])

    def pose_at(self, world: str, frame: str, stamp_ns: int) -> Float[np.ndarray, "4 4"] | None:
        """``T_world_frame`` at a stamp; None where a transform between them is unknown then.

        Raises:
            ReplayError: no chain connects them.
        """
        up, down = self._way(world, frame)
        first, second = ([self._at(name, stamp_ns) for name in names] for names in (up, down))
        known_first, known_second = ([T for T in part if T is not None] for part in (first, second))
        if len(known_first) < len(first) or len(known_second) < len(second):
            return None
        return self._product(known_first, known_second)

    @staticmethod
    def _product(
        up: Sequence[Float[np.ndarray, "4 4"]], down: Sequence[Float[np.ndarray, "4 4"]]
    ) -> Float[np.ndarray, "4 4"]:
        """``T_world_frame`` from each one's transforms, upwards from it to their common ancestor."""
        T_common_world, T_common_frame = np.eye(4), np.eye(4)
        for T_parent_child in up:
            T_common_world = T_parent_child @ T_common_world
        for T_parent_child in down:
            T_common_frame = T_parent_child @ T_common_frame
        return inverse(T_common_world) @ T_common_frame

    def _at(self, frame: str, stamp_ns: int) -> Float[np.ndarray, "4 4"] | None:
        if frame in self._fixed:
            return self._fixed[frame]
        if frame not in self._trajectories:
            self._trajectories[frame] = self._moving[frame].trajectory(self._max_gap_ns)
        return self._trajectories[frame].pose_at(stamp_ns)

    def _way(self, world: str, frame: str) -> tuple[list[str], list[str]]:
        """Frames from each one up to, and without, their common ancestor."""
        for name in (world, frame):
            if name not in self.frames:
                known = ", ".join(self.frames) or "none"
                raise ReplayError(f"the transforms of the bag know no frame {name}; they know {known}")
        up, down = self._ancestors(world), self._ancestors(frame)
        common = next((name for name in down if name in up), None)
        if common is None:
            raise ReplayError(
                f"no chain of transforms connects {world} ({up[-1]}'s tree) with {frame} ({down[-1]}'s tree)"
            )
        return up[: up.index(common)], down[: down.index(common)]

    def _ancestors(self, frame: str) -> list[str]:
        """A frame, its parent, and so on."""
        chain = [frame]
        while chain[-1] in self._parents:
            parent = self._parents[chain[-1]]
            if parent in chain:
                raise ReplayError(f"the transforms of the bag go round in a circle at {parent}")
            chain.append(parent)
        return chain
