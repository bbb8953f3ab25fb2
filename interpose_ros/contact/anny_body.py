"""The Anny body model in plain torch, from its compact file.

Parameters are Anny's own: phenotypes for the shape, and for each bone its rotation in the "local-ref" parameterisation
(relative to Anny's reference pose, about the model's axes: x the person's left, y backward, z up). Fingers, toes and eyes
keep the reference pose; everything else can be turned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float, Int

from interpose_ros.contact.anny_file import PHENOTYPE_ANCHORS, AnnyArrays, load_anny
from interpose_ros.contact.body_model import ModelAxes, ShapeSpace, landmarks, mesh, neutral_body
from interpose_ros.contact.joint_limits import limits_of
from interpose_ros.contact.regions import Parts, body_regions, part_of_joint
from interpose_ros.contact.rig import ShapedPoints, Skeleton
from interpose_ros.contact.skinned_points import PointTable, point_table

_TWISTS = ("upperarm02", "lowerarm02", "upperleg02", "lowerleg02", "spine04", "spine02", "neck02", "neck03")
_JOINTS = (
    "root",
    *(f"{name}.{side}" for side in "LR" for name in ("upperleg01", "upperleg02", "lowerleg01", "lowerleg02", "foot")),
    *("spine05", "spine04", "spine03", "spine02", "spine01"),
    *(
        f"{name}.{side}"
        for side in "LR"
        for name in ("clavicle", "shoulder01", "upperarm01", "upperarm02", "lowerarm01", "lowerarm02", "wrist")
    ),
    *("neck01", "neck02", "neck03", "head"),
)
# Landmarks that are bones' heads, under the names of REP 155 and of common skeletons.
_NAMED_BONES = {
    "pelvis": "root",
    "waist": "spine05",
    "spine": "spine03",
    "torso": "spine01",
    "neck": "neck01",
    "head": "head",
    "left_collar": "clavicle.L",
    "right_collar": "clavicle.R",
    "left_hand": "finger3-1.L",
    "right_hand": "finger3-1.R",
}


class AnnyBody:
    """`BodyModel` of Anny; see the protocol for the attributes."""

    name = "anny"

    def __init__(self, arrays: AnnyArrays) -> None:
        self._arrays = _in_double(arrays)
        self.vertex_count = len(arrays.vertices)
        self.faces = arrays.faces.long()
        self.hull_vertices = arrays.hull_vertices.long()
        self.hull_faces = arrays.hull_faces.long()
        self.axes = ModelAxes(
            left=torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64),
            up=torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64),
            forward=torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64),
        )
        names = tuple(PHENOTYPE_ANCHORS)
        self.shape_space = ShapeSpace(
            names=names,
            default=torch.tensor([2 / 3 if name == "age" else 0.5 for name in names], dtype=torch.float64),
            low=torch.zeros(len(names), dtype=torch.float64),
            high=torch.ones(len(names), dtype=torch.float64),
            stddev=torch.tensor(
                [{"gender": 0.35, "age": 0.1, "proportions": 0.2}.get(name, 0.2) for name in names], dtype=torch.float64
            ),
        )
        self.landmark_names = (*arrays.landmark_names, *_NAMED_BONES)
        self._bone_chains = self._chains_of_bones()
        self._joint_of_bone = self._joints_of_bones()
        self._bone_of_joint = torch.tensor([arrays.bone_names.index(name) for name in _JOINTS])
        self.skeleton = self._skeleton()
        self._table = self._point_table()

    @classmethod
    def load(cls, path: Path | None = None) -> AnnyBody:
        """Read the compact file.

        Raises:
            BodyModelMissing: it has not been made yet.
            ValueError: it cannot be read.
        """
        return cls(load_anny(path))

    def regions(self) -> Mapping[str, torch.Tensor]:
        """See `BodyModel.regions`."""
        return self._regions

    @cached_property
    def _regions(self) -> Mapping[str, torch.Tensor]:
        body = neutral_body(self)
        points = self._table.weights[: self.vertex_count]
        dominant = torch.gather(self._table.joints[: self.vertex_count], 1, points.argmax(1, keepdim=True))[:, 0]
        parts = [part_of_joint(_JOINTS[joint]) for joint in dominant.tolist()]
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
        positions = landmarks(self, body, names)[0]
        return body_regions(
            Parts(
                vertices=mesh(self, body).vertices[0],
                faces=self.faces,
                part_of_vertex=tuple(parts),
                axes=self.axes,
                landmarks=dict(zip(names, positions, strict=True)),
            )
        )

    def shaped(
        self, shape: Float[torch.Tensor, "b s"], points: Int[torch.Tensor, "n"], derivatives: bool = False
    ) -> ShapedPoints:
        """See `BodyModel.shaped`."""
        slots = int((self._table.weights[points] != 0).sum(1).max()) if len(points) else 1
        weights, joints = self._table.weights[points, :slots], self._table.joints[points, :slots]
        offsets, local = self._shaped(shape, points, slots)
        if not derivatives:
            return ShapedPoints(shape, offsets, local, weights, joints)
        count = shape.shape[1]
        # Differences, central where the range of the parameter allows: the shape is piecewise multilinear.
        step = 1e-3
        above = torch.minimum(shape + step, self.shape_space.high)
        below = torch.maximum(shape - step, self.shape_space.low)
        moved = torch.cat([_replaced(shape, side, index) for side in (above, below) for index in range(count)])
        offsets_moved, local_moved = self._shaped(moved, points, slots)
        width = torch.clamp(above - below, min=1e-9)
        difference = (a.unflatten(0, (2, count, len(shape))) for a in (offsets_moved, local_moved))
        offsets_by, local_by = ((a[0] - a[1]).movedim(0, -1) for a in difference)
        return ShapedPoints(
            shape,
            offsets,
            local,
            weights,
            joints,
            offsets_by / width[:, None, None, :],
            local_by / width[:, None, None, None, :],
        )

    def coefficients(self, shape: Float[torch.Tensor, "b s"]) -> Float[torch.Tensor, "b r"]:
        """Components of the shape basis: products of the phenotypes' piecewise linear weights."""
        columns = []
        for index, anchors in enumerate(PHENOTYPE_ANCHORS.values()):
            value = shape[:, index, None].clamp(anchors[0], anchors[-1])
            at = torch.tensor(anchors, dtype=shape.dtype)
            gaps = torch.diff(at)
            rising = (value - torch.cat([at[:1] - 1, at[:-1]])) / torch.cat([gaps.new_ones(1), gaps])
            falling = (torch.cat([at[1:], at[-1:] + 1]) - value) / torch.cat([gaps, gaps.new_ones(1)])
            columns.append(torch.minimum(rising, falling).clamp(min=0.0))
        values = torch.cat(columns, dim=1)[:, None, :]
        mask = self._arrays.factors.to(shape.dtype)
        return torch.prod(values * mask + (1 - mask), dim=-1) @ self._arrays.basis.to(shape.dtype)

    def _shaped(self, shape: torch.Tensor, points: torch.Tensor, slots: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Offsets of the joints, and local positions of the points."""
        a = self._arrays
        coefficients = self.coefficients(shape)
        heads = a.heads + torch.einsum("br,rjc->bjc", coefficients, a.head_shapes)
        matrices = a.orientations + torch.einsum("br,rjcd->bjcd", coefficients, a.orientation_shapes)
        to_reference = a.reference_orientations[1:] @ _nearest_rotation(matrices[:, 1:]).transpose(-1, -2)
        to_reference = torch.cat([torch.eye(3, dtype=shape.dtype).expand(len(shape), 1, 3, 3), to_reference], dim=1)
        parents = a.bone_parents.long()
        steps = heads[:, 1:] - heads[:, parents[1:]]
        steps = (to_reference[:, parents[1:]] @ steps[..., None])[..., 0]
        reference = self._bone_chains @ steps
        joint_positions = reference[:, self._bone_of_joint]
        offsets = joint_positions - joint_positions[:, self.skeleton.parent_index]

        contributions, point_place = self._table.select(points)
        sources, bones = self._table.sources[contributions], self._table.bones[contributions]
        used, where = torch.unique(sources, return_inverse=True)
        vertices = used[used < self.vertex_count]
        rest = torch.cat(
            [
                a.vertices[vertices] + torch.einsum("br,rvc->bvc", coefficients, a.vertex_shapes[:, vertices]),
                heads[:, used[used >= self.vertex_count] - self.vertex_count],
            ],
            dim=1,
        )[:, where]
        from_joint = reference - joint_positions[:, self._joint_of_bone]
        carried = (to_reference[:, bones] @ (rest - heads[:, bones])[..., None])[..., 0] + from_joint[:, bones]
        local = torch.zeros(len(shape), len(points) * slots, 3, dtype=shape.dtype)
        place = point_place * slots + self._table.slots[contributions]
        local = local.index_add(1, place, carried * self._table.coefficients[contributions, None])
        return offsets, local.unflatten(1, (len(points), slots))

    def _chains_of_bones(self) -> torch.Tensor:
        """Which bones (columns, without the root) lie between the root and each bone, that itself included."""
        count = len(self._arrays.bone_names)
        chains = torch.zeros(count, count, dtype=torch.float64)
        for bone, parent in enumerate(self._arrays.bone_parents.tolist()):
            if parent >= 0:
                chains[bone] = chains[parent]
                chains[bone, bone] = 1.0
        return chains[:, 1:]

    def _joints_of_bones(self) -> torch.Tensor:
        joints: list[int] = []
        for name, parent in zip(self._arrays.bone_names, self._arrays.bone_parents.tolist(), strict=True):
            joints.append(_JOINTS.index(name) if name in _JOINTS else joints[parent])
        return torch.tensor(joints)

    def _skeleton(self) -> Skeleton:
        names = self._arrays.bone_names
        parents = []
        for bone in self._bone_of_joint.tolist():
            parent = int(self._arrays.bone_parents[bone])
            parents.append(-1 if parent < 0 else int(self._joint_of_bone[parent]))
        directions = self._arrays.reference_orientations[:, :, 1].double()
        of_joint = {joint: directions[names.index(joint)] for joint in _JOINTS}
        axes, low, high = limits_of(_JOINTS, of_joint, self.axes)
        free = torch.tensor([not name.split(".")[0].startswith((*_TWISTS, "shoulder01")) for name in _JOINTS])
        return Skeleton(_JOINTS, tuple(parents), free, axes, low, high)

    def _point_table(self) -> PointTable:
        a = self._arrays
        vertex, column = torch.nonzero(a.weights > 0, as_tuple=True)
        bones, weights = a.weight_bones[vertex, column].long(), a.weights[vertex, column].double()
        # Landmarks hang on the bones of the vertices that they are regressed from.
        spread = torch.zeros(self.vertex_count, len(a.bone_names), dtype=torch.float64)
        spread[vertex, bones] = weights
        spread = spread / spread.sum(1, keepdim=True)
        row, source = a.landmark_rows.long(), a.landmark_vertices.long()
        shares = spread[source] * a.landmark_weights.double()[:, None]
        entry, landmark_bones = torch.nonzero(shares, as_tuple=True)
        named = torch.tensor([a.bone_names.index(bone) for bone in _NAMED_BONES.values()])
        first_named = self.vertex_count + len(a.landmark_names)
        return point_table(
            rows=torch.cat([vertex, self.vertex_count + row[entry], first_named + torch.arange(len(named))]),
            sources=torch.cat([vertex, source[entry], self.vertex_count + named]),
            bones=torch.cat([bones, landmark_bones, named]),
            coefficients=torch.cat(
                [spread[vertex, bones], shares[entry, landmark_bones], torch.ones(len(named), dtype=torch.float64)]
            ),
            joint_of_bone=self._joint_of_bone,
            count=first_named + len(named),
        )


def _in_double(arrays: AnnyArrays) -> AnnyArrays:
    """The arrays in the precision that bodies are computed in; the file holds half of that."""
    floats = {f.name: value.double() for f in fields(arrays) if _is_float(value := getattr(arrays, f.name))}
    return replace(arrays, **floats)


def _is_float(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _nearest_rotation(matrices: torch.Tensor) -> torch.Tensor:
    """Nearest rotation of each matrix (orthogonal Procrustes)."""
    U, _, Vh = torch.linalg.svd(matrices)
    sign = torch.ones(*matrices.shape[:-1], dtype=matrices.dtype)
    sign[..., 2] = torch.linalg.det(U @ Vh)
    return (U * sign[..., None, :]) @ Vh


def _replaced(shape: torch.Tensor, other: torch.Tensor, index: int) -> torch.Tensor:
    result = shape.clone()
    result[:, index] = other[:, index]
    return result
