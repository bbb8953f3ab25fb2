"""SMPL-X as a body model, from the user's own model file (`SMPLX_NEUTRAL.npz`); its licence is the user's to observe.

Written to the file's layout (Pavlakos et al., "Expressive Body Capture", CVPR 2019); no code of the `smplx` package is used.
The parameters are the shape's first ten and the rotations of the 22 body joints; hands, jaw and eyes keep the file's
template pose. Pose-dependent correctives, a few millimetres, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from interpose_ros.contact.body_model import ModelAxes, ShapeSpace, landmarks, mesh, neutral_body
from interpose_ros.contact.joint_limits import limits_of
from interpose_ros.contact.reduced_mesh import reduced_mesh
from interpose_ros.contact.regions import Parts, body_regions, part_of_joint
from interpose_ros.contact.rig import ShapedPoints, Skeleton

_SHAPES = 10
_HULL_VERTICES = 1200
# The file's first 22 joints, and what `joint_limits` and `regions` call the like.
_JOINTS = {
    "pelvis": "root",
    "left_hip": "upperleg01.L",
    "right_hip": "upperleg01.R",
    "spine1": "spine05",
    "left_knee": "lowerleg01.L",
    "right_knee": "lowerleg01.R",
    "spine2": "spine03",
    "left_ankle": "foot.L",
    "right_ankle": "foot.R",
    "spine3": "spine01",
    "left_foot": "foot.L",
    "right_foot": "foot.R",
    "neck": "neck01",
    "left_collar": "clavicle.L",
    "right_collar": "clavicle.R",
    "head": "head",
    "left_shoulder": "upperarm01.L",
    "right_shoulder": "upperarm01.R",
    "left_elbow": "lowerarm01.L",
    "right_elbow": "lowerarm01.R",
    "left_wrist": "wrist.L",
    "right_wrist": "wrist.R",
}
_NAMED_JOINTS = {"waist": "spine1", "spine": "spine2", "torso": "spine3"}
_VERTICES_OF_TOPOLOGY = 10475
_NAMED_VERTICES = {
    "nose": 9120,
    "left_eye": 9448,
    "right_eye": 9929,
    "left_ear": 6,
    "right_ear": 616,
    "left_big_toe": 5770,
    "left_small_toe": 5780,
    "left_heel": 8846,
    "right_big_toe": 8463,
    "right_small_toe": 8474,
    "right_heel": 8635,
}


class SmplxBody:
    """`BodyModel` of SMPL-X; see the protocol for the attributes."""

    name = "smplx"

    def __init__(self, path: Path) -> None:
        """Read the model file.

        Raises:
            ValueError: it is no such file.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {
                    k: file[k] for k in ("v_template", "shapedirs", "J_regressor", "weights", "f", "kintree_table")
                }
        except (KeyError, OSError, ValueError) as error:
            raise ValueError(f"{path} cannot be read as an SMPL-X model file (.npz): {error}") from error
        self.faces = torch.as_tensor(arrays["f"].astype(np.int64))
        self._vertices = torch.as_tensor(arrays["v_template"], dtype=torch.float64)
        self._shapes = torch.as_tensor(arrays["shapedirs"][:, :, :_SHAPES], dtype=torch.float64)
        regressor = torch.as_tensor(arrays["J_regressor"], dtype=torch.float64)
        self._joints = (regressor @ self._vertices)[: len(_JOINTS)]
        self._joint_shapes = torch.einsum("jv,vcs->jcs", regressor, self._shapes)[: len(_JOINTS)]
        self.vertex_count = len(self._vertices)
        # Joints, and of SMPL-X's own mesh the points of face and feet.
        points = tuple(_NAMED_VERTICES) if self.vertex_count == _VERTICES_OF_TOPOLOGY else ()
        self.landmark_names = (*_JOINTS, *_NAMED_JOINTS, *points)
        parents = [int(parent) for parent in arrays["kintree_table"][0].astype(np.int64)]
        self.axes = ModelAxes(*(torch.eye(3, dtype=torch.float64)[k] for k in range(3)))
        count = self._shapes.shape[2]
        ones = torch.ones(count, dtype=torch.float64)
        names = tuple(f"beta{k}" for k in range(count))
        self.shape_space = ShapeSpace(names, 0 * ones, -5 * ones, 5 * ones, ones)
        self.skeleton = self._skeleton(parents)
        self._weights, self._joints_of_points = self._skinning(arrays["weights"], parents)
        self.hull_vertices, self.hull_faces = reduced_mesh(self._vertices, self.faces, _HULL_VERTICES)

    def regions(self) -> Mapping[str, torch.Tensor]:
        """See `BodyModel.regions`."""
        return self._regions

    @cached_property
    def _regions(self) -> Mapping[str, torch.Tensor]:
        dominant = torch.gather(
            self._joints_of_points[: self.vertex_count],
            1,
            self._weights[: self.vertex_count].argmax(1, keepdim=True),
        )[:, 0]
        alike = list(_JOINTS.values())
        names = (
            "left_shoulder",
            "right_shoulder",
            "left_hip",
            "right_hip",
            "neck",
            "torso",
            "spine",
            "waist",
            "pelvis",
        )
        body = neutral_body(self)
        positions = landmarks(self, body, names)[0]
        return body_regions(
            Parts(
                vertices=mesh(self, body).vertices[0],
                faces=self.faces,
                part_of_vertex=tuple(part_of_joint(alike[joint]) for joint in dominant.tolist()),
                axes=self.axes,
                landmarks=dict(zip(names, positions, strict=True)),
            )
        )

    def shaped(
        self, shape: Float[torch.Tensor, "b s"], points: Int[torch.Tensor, "n"], derivatives: bool = False
    ) -> ShapedPoints:
        """See `BodyModel.shaped`; everything is linear in the shape."""
        weights, joints = self._weights[points], self._joints_of_points[points]
        sources = self._sources()
        template = torch.cat([self._vertices, self._joints])[sources[points]]
        by_shape = torch.cat([self._shapes, self._joint_shapes])[sources[points]]
        parents = self.skeleton.parent_index
        local_by = (by_shape[:, None] - self._joint_shapes[joints])[None].expand(len(shape), -1, -1, -1, -1)
        offsets_by = (self._joint_shapes - self._joint_shapes[parents])[None].expand(len(shape), -1, -1, -1)
        local = (template[:, None] - self._joints[joints])[None] + torch.einsum("bnkcs,bs->bnkc", local_by, shape)
        offsets = (self._joints - self._joints[parents])[None] + torch.einsum("bjcs,bs->bjc", offsets_by, shape)
        if not derivatives:
            return ShapedPoints(shape, offsets, local, weights, joints)
        return ShapedPoints(shape, offsets, local, weights, joints, offsets_by, local_by)

    def _sources(self) -> torch.Tensor:
        """For each point the vertex, or after the vertices the joint, that it is."""
        joints = list(_JOINTS)
        named = [joints.index(joint) for joint in (*_JOINTS, *_NAMED_JOINTS.values())]
        rest = [_NAMED_VERTICES[name] for name in self.landmark_names[len(named) :]]
        every = [*range(self.vertex_count), *(self.vertex_count + joint for joint in named), *rest]
        return torch.tensor(every)

    def _skinning(self, weights: np.ndarray, parents: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights and joints of all points; what hangs on fingers and face hangs on wrists and head."""
        of_bone: list[int] = []
        for bone, parent in enumerate(parents):
            of_bone.append(bone if bone < len(_JOINTS) else of_bone[parent])
        dense = torch.zeros(self.vertex_count, len(_JOINTS), dtype=torch.float64)
        dense.index_add_(1, torch.tensor(of_bone), torch.as_tensor(weights, dtype=torch.float64))
        every = torch.cat([dense, torch.eye(len(_JOINTS), dtype=torch.float64)])[self._sources()]
        width = int((every > 0).sum(1).max())
        value, joint = every.topk(width, dim=1)
        return value / value.sum(1, keepdim=True), joint

    def _skeleton(self, parents: list[int]) -> Skeleton:
        alike = tuple(_JOINTS.values())
        directions = {}
        for child, parent in enumerate(parents[: len(_JOINTS)]):
            if child:
                way = self._joints[child] - self._joints[parent]
                directions[alike[parent]] = way / way.norm()
        for side in "LR":
            directions.setdefault(f"lowerarm01.{side}", directions[f"upperarm01.{side}"])
        axes, low, high = limits_of(alike, directions, self.axes)
        free = torch.tensor([name not in ("left_foot", "right_foot") for name in _JOINTS])
        kept = (-1, *parents[1 : len(_JOINTS)])
        return Skeleton(tuple(_JOINTS), kept, free, axes, low, high)
