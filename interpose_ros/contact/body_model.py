"""What a body model offers: one protocol, so that fits, constraints and messages do not know which model it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int

from interpose_ros.contact.rig import BodyParameters, ShapedPoints, Skeleton, place, pose

COCO_KEYPOINTS = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)


@dataclass(frozen=True, eq=False)
class ShapeSpace:
    """Shape parameters of a model.

    Attributes:
        names: of the parameters.
        default: an average grown-up.
        low, high: values beyond them are no body.
        stddev: how much people differ, as prior of fits.
    """

    names: tuple[str, ...]
    default: Float[torch.Tensor, "s"]
    low: Float[torch.Tensor, "s"]
    high: Float[torch.Tensor, "s"]
    stddev: Float[torch.Tensor, "s"]


@dataclass(frozen=True, eq=False)
class ModelAxes:
    """Directions of the person in the model's own coordinates, unit vectors; left is the person's left."""

    left: Float[torch.Tensor, "3"]
    up: Float[torch.Tensor, "3"]
    forward: Float[torch.Tensor, "3"]


@runtime_checkable
class BodyModel(Protocol):
    """A body model. Points are numbered: first the vertices, then the landmarks.

    Attributes:
        name: as in requests and messages.
        skeleton: joints.
        shape_space: shape parameters.
        axes: where left, up and forward are.
        vertex_count: of the mesh.
        faces: triangles of the mesh, outward.
        hull_vertices: a subset of the vertices that makes a coarse closed mesh.
        hull_faces: its triangles, outward, counted within ``hull_vertices``.
        landmark_names: named points of the body, COCO_KEYPOINTS among them.
    """

    name: str
    skeleton: Skeleton
    shape_space: ShapeSpace
    axes: ModelAxes
    vertex_count: int
    faces: Int[torch.Tensor, "f 3"]
    hull_vertices: Int[torch.Tensor, "h"]
    hull_faces: Int[torch.Tensor, "g 3"]
    landmark_names: tuple[str, ...]

    def regions(self) -> Mapping[str, torch.Tensor]:
        """Vertices of the parts that cover the body without overlap, under the names of `body_parts.ATOMS`."""
        ...

    def shaped(
        self, shape: Float[torch.Tensor, "b s"], points: Int[torch.Tensor, "n"], derivatives: bool = False
    ) -> ShapedPoints:
        """Chosen points of bodies of given shapes, differentiable by the shape.

        Args:
            shape: parameters of the shape.
            points: numbers of vertices and landmarks.
            derivatives: give the derivatives by the shape as well.
        """
        ...


@dataclass(frozen=True, eq=False)
class BodyMesh:
    """Posed bodies, in metres, in the frame they stand in."""

    vertices: Float[torch.Tensor, "b v 3"]
    landmarks: Float[torch.Tensor, "b l 3"]
    joints: Float[torch.Tensor, "b j 3"]


def mesh(model: BodyModel, body: BodyParameters) -> BodyMesh:
    """Vertices, landmarks and joints of bodies; differentiable by every parameter."""
    points = model.shaped(body.shape, torch.arange(model.vertex_count + len(model.landmark_names)))
    posed = pose(model.skeleton, body, points.offsets)
    positions = place(posed, points)
    return BodyMesh(positions[:, : model.vertex_count], positions[:, model.vertex_count :], posed.positions)


def landmarks(
    model: BodyModel, body: BodyParameters, names: tuple[str, ...] | None = None
) -> Float[torch.Tensor, "b l 3"]:
    """Positions of named landmarks (all by default).

    Raises:
        ValueError: the model has no landmark of that name.
    """
    points = model.shaped(body.shape, landmark_points(model, model.landmark_names if names is None else names))
    return place(pose(model.skeleton, body, points.offsets), points)


def landmark_points(model: BodyModel, names: tuple[str, ...]) -> Int[torch.Tensor, "l"]:
    """Point numbers of named landmarks.

    Raises:
        ValueError: the model has no landmark of that name.
    """
    unknown = [name for name in names if name not in model.landmark_names]
    if unknown:
        raise ValueError(
            f"body model {model.name} has no joint {unknown[0]!r}; it has {', '.join(model.landmark_names)}"
        )
    return torch.tensor([model.vertex_count + model.landmark_names.index(name) for name in names], dtype=torch.long)


def neutral_body(model: BodyModel) -> BodyParameters:
    """One body of average shape in the reference pose, its root at the origin, axes as the model's."""
    joints = len(model.skeleton.names)
    return BodyParameters(
        torch.zeros(1, 3, dtype=torch.float64),
        torch.eye(3, dtype=torch.float64).expand(1, joints, 3, 3).clone(),
        model.shape_space.default[None].to(torch.float64).clone(),
    )
