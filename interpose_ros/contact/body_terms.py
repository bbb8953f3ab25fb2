"""Terms of the loss that concern one body each: stay near the estimate, be a person, explain the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float

from interpose_ros.contact.rig import BodyParameters, inverse_left_jacobian, rotation_log
from interpose_ros.contact.scene import NormalEquations, PersonState, Scene


@runtime_checkable
class Term(Protocol):
    """A part of the loss."""

    def value(self, scene: Scene, state: list[PersonState]) -> Float[torch.Tensor, "b"]:
        """The loss at every start."""
        ...

    def add(self, scene: Scene, state: list[PersonState], normal: NormalEquations) -> None:
        """Add its derivatives."""
        ...


@dataclass(frozen=True, eq=False)
class NearEstimate:
    """Deviation from an estimate, in units of what the estimate may be wrong by.

    Attributes:
        person: index.
        estimate: one body.
        position_information: inverse covariance of the root's position.
        joint_stddev: of each free joint's rotation (radians); the root's first.
        shape_stddev: of the shape.
    """

    person: int
    estimate: BodyParameters
    position_information: Float[torch.Tensor, "3 3"]
    joint_stddev: Float[torch.Tensor, "f"]
    shape_stddev: Float[torch.Tensor, "s"]

    def _rotation(self, scene: Scene, state: list[PersonState]) -> torch.Tensor:
        free = scene.persons[self.person].model.skeleton.free_joints
        turned = state[self.person].body.rotations[:, free]
        return rotation_log(turned @ self.estimate.rotations[:, free].transpose(-1, -2))

    def value(self, scene: Scene, state: list[PersonState]) -> Float[torch.Tensor, "b"]:
        """See `Term`."""
        body = state[self.person].body
        moved = body.translation - self.estimate.translation
        turned = self._rotation(scene, state) / self.joint_stddev[:, None]
        shaped = (body.shape - self.estimate.shape) / self.shape_stddev
        position = torch.einsum("bi,ij,bj->b", moved, self.position_information, moved)
        return 0.5 * (position + (turned**2).sum((1, 2)) + (shaped**2).sum(1))

    def add(self, scene: Scene, state: list[PersonState], normal: NormalEquations) -> None:
        """See `Term`."""
        layout, part = scene.persons[self.person].layout, scene.slices[self.person]
        body = state[self.person].body
        batch = len(body)
        root = torch.linalg.cholesky(self.position_information).T
        jacobian = torch.zeros(batch, 3, layout.size, dtype=torch.float64)
        jacobian[:, :, :3] = root
        residual = (body.translation - self.estimate.translation) @ root.T
        normal.add(residual, torch.ones_like(residual), [(part, jacobian)])

        turned = self._rotation(scene, state)
        count = turned.shape[1]
        blocks = inverse_left_jacobian(turned)
        jacobian = torch.zeros(batch, count, 3, layout.size, dtype=torch.float64)
        for joint in range(count):
            jacobian[:, joint, :, 3 + 3 * joint : 6 + 3 * joint] = blocks[:, joint]
        weights = (1 / self.joint_stddev**2)[None, :, None].expand(batch, count, 3)
        normal.add(turned.flatten(1), weights.flatten(1), [(part, jacobian.flatten(1, 2))])

        residual = body.shape - self.estimate.shape
        jacobian = torch.zeros(batch, residual.shape[1], layout.size, dtype=torch.float64)
        jacobian[:, :, layout.shape] = torch.eye(residual.shape[1], dtype=torch.float64)
        normal.add(residual, (1 / self.shape_stddev**2).expand_as(residual), [(part, jacobian)])


@dataclass(frozen=True, eq=False)
class JointLimits:
    """Rotations beyond what joints allow, squared.

    Attributes:
        person: index.
        stddev: radians beyond the limit that count as much as one standard deviation.
    """

    person: int
    stddev: float = 0.1

    def _excess(self, scene: Scene, state: list[PersonState]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        skeleton = scene.persons[self.person].model.skeleton
        free = skeleton.free_joints
        vectors = rotation_log(state[self.person].body.rotations[:, free])
        along = (skeleton.limit_axes[free] @ vectors[..., None])[..., 0]
        low, high = skeleton.limit_low[free], skeleton.limit_high[free]
        return torch.relu(along - high) - torch.relu(low - along), vectors, skeleton.limit_axes[free]

    def value(self, scene: Scene, state: list[PersonState]) -> Float[torch.Tensor, "b"]:
        """See `Term`."""
        return 0.5 * (self._excess(scene, state)[0] ** 2).sum((1, 2)) / self.stddev**2

    def add(self, scene: Scene, state: list[PersonState], normal: NormalEquations) -> None:
        """See `Term`."""
        excess, vectors, axes = self._excess(scene, state)
        layout = scene.persons[self.person].layout
        blocks = axes @ inverse_left_jacobian(vectors)
        batch, count = excess.shape[:2]
        jacobian = torch.zeros(batch, count, 3, layout.size, dtype=torch.float64)
        for joint in range(count):
            jacobian[:, joint, :, 3 + 3 * joint : 6 + 3 * joint] = blocks[:, joint]
        weights = (excess != 0).double() / self.stddev**2
        normal.add(excess.flatten(1), weights.flatten(1), [(scene.slices[self.person], jacobian.flatten(1, 2))])


@dataclass(frozen=True, eq=False)
class Keypoints2D:
    """Key points seen in the image; far ones count less (Cauchy), as limbs are mistaken for each other.

    Attributes:
        person: index.
        pixels: key points in the order of the person's landmarks.
        weights: confidence of each, squared; 0 where a landmark was not seen.
        stddev_px: of a good key point.
        intrinsics: fx, fy, cx, cy of an undistorted image.
    """

    person: int
    pixels: Float[torch.Tensor, "l 2"]
    weights: Float[torch.Tensor, "l"]
    stddev_px: float
    intrinsics: tuple[float, float, float, float]
    cut: float = 3.0

    def _residual(self, state: list[PersonState]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        fx, fy, cx, cy = self.intrinsics
        points = state[self.person].landmarks
        depth = points[..., 2].clamp(min=0.05)
        scale = torch.tensor([fx, fy], dtype=torch.float64)
        seen = points[..., :2] / depth[..., None] * scale + torch.tensor([cx, cy], dtype=torch.float64)
        residual = (seen - self.pixels) / self.stddev_px
        return residual, (residual**2).sum(-1), depth

    def value(self, scene: Scene, state: list[PersonState]) -> Float[torch.Tensor, "b"]:
        """See `Term`."""
        squared = self._residual(state)[1]
        return (0.5 * self.cut**2 * torch.log1p(squared / self.cut**2) * self.weights).sum(1)

    def add(self, scene: Scene, state: list[PersonState], normal: NormalEquations) -> None:
        """See `Term`."""
        residual, squared, depth = self._residual(state)
        fx, fy, _, _ = self.intrinsics
        one = state[self.person]
        chosen = torch.arange(len(self.pixels)).expand(len(squared), -1)
        moved = scene.persons[self.person].layout.point_derivatives(one.posed, one.landmark_points, chosen)
        points = one.landmarks
        scale = torch.tensor([fx, fy], dtype=torch.float64) / self.stddev_px
        slope = points[..., :2] / depth[..., None]
        jacobian = (moved[:, :, :2] - slope[..., None] * moved[:, :, 2:]) * (scale / depth[..., None])[..., None]
        robust = self.weights / (1 + squared / self.cut**2)
        normal.add(
            residual.flatten(1),
            robust[..., None].expand_as(residual).flatten(1),
            [(scene.slices[self.person], jacobian.flatten(1, 2))],
        )


@dataclass(frozen=True, eq=False)
class Joints3D:
    """Given joints with their covariance.

    Attributes:
        person: index.
        positions: in the order of the person's landmarks.
        information: inverse covariances; zero for a landmark that was not given.
    """

    person: int
    positions: Float[torch.Tensor, "l 3"]
    information: Float[torch.Tensor, "l 3 3"]
    cut: float = 4.0

    def _residual(self, state: list[PersonState]) -> tuple[torch.Tensor, torch.Tensor]:
        residual = state[self.person].landmarks - self.positions
        return residual, torch.einsum("bli,lij,blj->bl", residual, self.information, residual)

    def value(self, scene: Scene, state: list[PersonState]) -> Float[torch.Tensor, "b"]:
        """See `Term`."""
        return 0.5 * self.cut**2 * torch.log1p(self._residual(state)[1] / self.cut**2).sum(1)

    def add(self, scene: Scene, state: list[PersonState], normal: NormalEquations) -> None:
        """See `Term`."""
        residual, squared = self._residual(state)
        one = state[self.person]
        chosen = torch.arange(len(self.positions)).expand(len(squared), -1)
        moved = scene.persons[self.person].layout.point_derivatives(one.posed, one.landmark_points, chosen)
        values, vectors = torch.linalg.eigh(self.information)
        root = values.clamp(min=0).sqrt()[:, :, None] * vectors.transpose(-1, -2)
        robust = 1 / (1 + squared / self.cut**2)
        normal.add(
            (root @ residual[..., None]).flatten(1),
            robust[..., None].expand_as(residual).flatten(1),
            [(scene.slices[self.person], (root @ moved).flatten(1, 2))],
        )
